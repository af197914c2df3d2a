"""Marching ants: the border of a selection, which flickers on its line."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np

from .pieces import CENTRED, Box, differing, distance, is_inside, is_thin, pieces, way_of

FLICKER = (3, 3.3)  # so many changes of a pixel within so many seconds are marching ants; GIMP's are the slowest
ALONG = 2  # changes are enough along a line that marches already
STEP = 0.1  # share of their line that changes as they march on; a stroke across it is less
SMALL = 64  # pixels: no larger are the cursors that tools draw
SPREAD = 15  # pixels between two places of an outline that is moved fast
TIGHT = 0.05  # of its size: how far from the pointer the middle of an outline that does not lag may be
FAR = 8  # pixels of a way along which an outline changes an area
PAUSE = 0.6  # seconds between two steps of their march
SHOWN = 0.15  # share of their line that differs from what is below it
STILL = 2.0  # seconds of rest after which ants that no longer march are taken as they are


class Ants:
    """Thin lines that flicker, as the border of a selection does."""

    def __init__(self) -> None:
        self._changes: deque[tuple[float, np.ndarray]] = deque()  # when, and which pixels, as flat indices
        self._count: np.ndarray | None = None
        self._held: np.ndarray | None = None
        self._line: np.ndarray | None = None  # the same, but without what is beside them
        self._seen_at = -np.inf
        self._stood_since = -np.inf

    @property
    def alive(self) -> bool:
        return self._held is not None

    def watch(self, picture: np.ndarray, last: np.ndarray, now: float, trail: list[tuple[int, int]]) -> bool:
        """Count what changed since the picture before; along a short ``trail``, but for what goes with the pointer.

        True when there are more of them now.
        """
        changed = differing(picture, last)
        along = np.zeros_like(changed)  # what lies on a line that marches
        belongs, way = (_is_mark, trail) if _goes_far(trail) else (_along, way_of(trail))
        for part, box in pieces(changed):
            x, y, width, height = box
            inside = slice(y, y + height), slice(x, x + width)
            if not is_thin(part) or any(belongs(place, box) for place in way):
                changed[inside][part] = 0
            elif self._held is not None and self._held[inside][part].any():
                along[inside] |= part
        count = self._count = np.zeros(changed.shape, np.uint8) if self._count is None else self._count
        if changed.any():
            self._changes.append((now, np.flatnonzero(changed)))
            count += changed
        while self._changes and now - self._changes[0][0] > FLICKER[1]:
            count.reshape(-1)[self._changes.popleft()[1]] -= 1
        march = (count >= FLICKER[0]).astype(np.uint8)
        if self._held is not None and self._line is not None:
            march[self._held] &= changed[self._held]
            if int(changed[self._held].sum()) >= STEP * int(self._line.sum()):
                self._stood_since = now
                march |= along & (count >= ALONG)
        if march.any():
            march &= ~self._swept(count)
        if not march.any():
            return False
        wide = cv2.dilate(march, np.ones((5, 5))) > 0
        self._seen_at = now
        more = self._held is None or bool((wide & ~self._held).any())
        self._held = wide if self._held is None else self._held | wide
        self._line = march > 0 if self._line is None else self._line | (march > 0)
        return more

    def _swept(self, count: np.ndarray) -> np.ndarray:
        """Where what changed lately is as wide as an area: a hand drew there to and fro, or an outline went with it.

        Ants stay on their line. ``(H, W)`` uint8 0 or 1.
        """
        seen = (count > 0).astype(np.uint8)
        if self._held is not None:
            seen[self._held] = 0
        swept = np.zeros_like(seen)
        x, y, width, height = cv2.boundingRect(seen)
        if not width:
            return swept
        wide = cv2.copyMakeBorder(
            seen[y : y + height, x : x + width], SPREAD, SPREAD, SPREAD, SPREAD, cv2.BORDER_CONSTANT
        )
        closed = cv2.morphologyEx(wide, cv2.MORPH_CLOSE, np.ones((SPREAD, SPREAD), np.uint8))
        for part, (left, top, across, down) in pieces(closed[SPREAD:-SPREAD, SPREAD:-SPREAD]):
            if not is_thin(part):
                swept[y + top : y + top + down, x + left : x + left + across] |= part
        return swept

    def held(self, picture: np.ndarray, given: np.ndarray, now: float, busy: bool) -> np.ndarray | None:
        """Where they march: ``(H, W)`` bool; None: nowhere.

        They are gone when ``picture`` shows there what was ``given``, or when they have stood still since the pointer
        rests: while it is ``busy``, moves or draws, GIMP has no time for them.
        """
        if busy:
            self._stood_since = now
        if self._held is None or self._line is None or now - self._seen_at <= PAUSE:
            return self._held
        gone = float((picture[self._line] != given[self._line]).any(1).mean()) < SHOWN
        if gone or now - max(self._seen_at, self._stood_since) > STILL:
            self._held = self._line = None
        return self._held


def _goes_far(trail: list[tuple[int, int]]) -> bool:
    """Whether an outline that goes along leaves no thin trace."""
    return any(max(each) - min(each) >= FAR for each in zip(*trail, strict=True))


def _along(place: tuple[int, int], box: Box) -> bool:
    """Whether a group of pixels lies around the pointer."""
    x, y, width, height = box
    most = max(width, height)
    return most < SMALL or distance(place, (x + width / 2, y + height / 2)) < CENTRED * most


def _is_mark(place: tuple[int, int], box: Box) -> bool:
    """Whether a group of pixels is just an outline or a cursor at a place of the pointer, for it is about as high as
    wide, and its middle is there."""
    x, y, width, height = box
    most = max(width, height)
    if most < SMALL:
        return is_inside(place, box)
    slack = max(4, TIGHT * most)
    return abs(width - height) <= 2 * slack and distance(place, (x + width / 2, y + height / 2)) <= slack
