"""Pictures that move all over, as those of a scene or a camera do: where everything was, and what nobody saw before.

A 3D scene knows it exactly (``Passes.motion_since``); for any other picture it is found by optical flow (Dense Inverse
Search: Kroeger et al., ECCV 2016), and only where the picture has changed at all: one stroke on still paper makes flow
see motion on a quarter of the paper.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..stream.base.config import STEADY
from ..stream.base.motion import Motion
from ..stream.base.passes import Passes
from .adapter import Passage
from .still import CUT, Change, Still, changes

KEPT = 0.88  # of what is held where something moves, from frame to frame, at the steadiness of auto
STANDS = 0.05  # pixels: what moves by less stands still
SLOWER = 0.25  # as much of that, where it stands still while something else moves
LAX = 20.0  # levels: a spot that differs by more from where it was is another thing
BESIDE = np.ones((3, 3), np.uint8)  # of what is new: edges are soft
AROUND = np.ones((9, 9), np.uint8)  # of what has changed: there optical flow counts


def kept_at(steadiness: float) -> float:
    """The share that is kept, from frame to frame: pictures are held for a time that grows as ``steadiness`` does."""
    time = KEPT / (1 - KEPT) * steadiness / STEADY
    return time / (1 + time)


class Moving(Still):
    """What moves is held for some frames only, because no picture survives being moved for long."""

    def __init__(self, grid: tuple[int, int]) -> None:
        super().__init__(grid)
        self._passes: Passes | None = None
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)

    def begin(self, picture: np.ndarray, frame: Passage) -> None:
        """See ``Still``."""
        super().begin(picture, frame)
        self._passes = frame.passes

    def next(self, picture: np.ndarray, frame: Passage, steadiness: float) -> Change | None:
        """See ``Still``."""
        seen = self._seen
        if seen is None or seen.shape != picture.shape:
            return None
        motion = self._motion(picture, seen, frame.passes)
        self._passes = frame.passes
        moved = np.hypot(motion.flow[..., 0], motion.flow[..., 1]) > STANDS
        was = motion.warp(seen)
        new = (changes(picture, was, moved, LAX) > 0) | ~motion.seen
        # What stands still stays as it was when it last changed, so that small changes add up.
        self._seen = np.where((moved | new)[..., None], picture, was)
        if new.mean() > CUT:
            return None
        if not moved.any() and not new.any():
            self._quiet += 1
            return Change(self._rested(picture, np.zeros(self._grid[::-1], np.float32)))
        self._quiet = 0
        goes, share = 1 - kept_at(steadiness), new.astype(np.float32)
        moves = cv2.resize(moved.astype(np.float32), self._grid, interpolation=cv2.INTER_AREA)
        fresh = cv2.resize(share, self._grid, interpolation=cv2.INTER_AREA)
        may = np.maximum(goes * (SLOWER + (1 - SLOWER) * moves), np.clip(2 * fresh, 0, 1))
        return Change(may.astype(np.float32), motion, cv2.blur(cv2.dilate(share, BESIDE), (3, 3)))

    def _motion(self, picture: np.ndarray, seen: np.ndarray, passes: Passes | None) -> Motion:
        if passes is not None and self._passes is not None:
            exact = passes.motion_since(self._passes)
            if exact is not None:
                return exact
        changed = changes(picture, seen)
        flow = np.zeros((*picture.shape[:2], 2), np.float32)
        if changed.any():
            now, before = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (picture, seen))
            found = self._flow.calc(now, before, flow.copy())
            np.copyto(flow, found, where=(cv2.dilate(changed, AROUND) > 0)[..., None])
        return Motion(flow, np.ones(picture.shape[:2], bool))
