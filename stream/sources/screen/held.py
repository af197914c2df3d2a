"""What a captured picture shows where nothing can be seen now: what was there before, else white paper."""

from __future__ import annotations

import cv2
import numpy as np

from ...base.frame import Rect, Size


class Held:
    """The last picture that was kept, and how a part that can be seen is laid into it."""

    def __init__(self) -> None:
        self._known: np.ndarray | None = None

    def keep(self, picture: np.ndarray) -> None:
        """Remember ``(H, W, 3)`` uint8 RGB."""
        self._known = picture.copy()

    def lay(self, part: np.ndarray, area: Rect, visible: Rect, hidden: np.ndarray | None) -> np.ndarray:
        """Lay ``part``, the pixels of ``visible``, into a picture of ``area``, which contains it.

        ``hidden`` says what of the area must not be taken from it: ``(H, W)`` bool, one for each unit of the desktop;
        None: nothing. On a Retina screen ``part`` has several pixels for each unit.
        """
        scale = part.shape[1] / visible.width
        size = Size(round(area.width * scale), round(area.height * scale))
        picture = np.full((size.height, size.width, 3), 255, np.uint8)
        if self._known is not None:
            height, width = min(size.height, self._known.shape[0]), min(size.width, self._known.shape[1])
            picture[:height, :width] = self._known[:height, :width]
        x, y = round((visible.x - area.x) * scale), round((visible.y - area.y) * scale)
        inside = picture[y : y + part.shape[0], x : x + part.shape[1]]
        part = part[: inside.shape[0], : inside.shape[1]]
        if hidden is None:
            inside[:] = part
            return picture
        clear = 1 - hidden.astype(np.uint8)
        clear = clear if scale == 1.0 else cv2.resize(clear, size, interpolation=cv2.INTER_NEAREST)
        cv2.copyTo(part, clear[y : y + part.shape[0], x : x + part.shape[1]], inside)
        return picture
