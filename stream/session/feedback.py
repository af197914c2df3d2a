"""The last picture, larger, turned or gone aside, shines through the next frame: the tunnels that stages like."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from ..base.config import StreamConfig
from ..base.frame import Frame, Output, Size, place
from ..base.motion import Motion

MOST = 0.95  # of a frame; more would drown what comes in
ZOOM, TURN = (0.9, 1.1), (-5.0, 5.0)  # ends: times a picture, and degrees a picture
PAN = (-0.05, 0.05)  # shares of its sides a picture


class Feedback:
    """``amount`` 0 (off) to 0.95 is how much of the last picture there is in the next frame, ``zoom`` 0.9 to 1.1 how
    much larger it becomes, ``turn`` -5 to 5 by how many degrees it turns, ``right`` and ``down`` -0.05 to 0.05 by which
    share of its sides it goes there. They may be set from any thread, and act in modes that start from a picture. What
    was mixed is the picture's input, so that its recipe stays true.
    """

    def __init__(self) -> None:
        self.amount, self.zoom, self.turn = 0.0, 1.02, 0.0
        self.right = self.down = 0.0
        self._last: np.ndarray | None = None

    def acts(self, config: StreamConfig) -> bool:
        """Whether frames are mixed now."""
        return self.amount > 0 and config.from_picture

    def keep(self, output: Output) -> None:
        """This is the last picture."""
        self._last = output.pixels if self.amount > 0 else None

    def mix(self, frame: Frame, size: Size, config: StreamConfig) -> Frame:
        """A frame, fitted to the ``size`` that is rendered, with the last picture in it."""
        last, amount = self._last, min(MOST, max(0.0, self.amount))
        if last is None or not self.acts(config) or frame.pixels.ndim != 3 or frame.pixels.dtype != np.uint8:
            return frame
        pixels = place(Size.of(frame.pixels), size, config.fit).apply(np.ascontiguousarray(frame.pixels[..., :3]))
        if last.shape != pixels.shape:
            return frame
        zoom, turn = min(ZOOM[1], max(ZOOM[0], self.zoom)), min(TURN[1], max(TURN[0], self.turn))
        right, down = (min(PAN[1], max(PAN[0], each)) for each in (self.right, self.down))
        moved = Motion.turned(size, zoom, turn, right, down).warp(last, border=cv2.BORDER_REFLECT)
        return replace(frame, pixels=cv2.addWeighted(pixels, 1 - amount, moved, amount, 0))
