"""Marching ants: the border of a selection, which flickers on its line."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np

from .pieces import CENTRED, Box, differing, distance, is_thin, pieces, way_of

FLICKER = (3, 1.5)  # so many changes of a pixel within so many seconds are marching ants
SMALL = 64  # pixels: no larger are the cursors that tools draw
SPREAD = 15  # pixels between two places of an outline that is moved fast
FAR = 8  # pixels of a way along which an outline changes an area
STILL = 2.0  # seconds after which ants that no longer march are taken as they are


class Ants:
    """Thin lines that flicker, as the border of a selection does."""

    def __init__(self) -> None:
        self._masks: deque[tuple[float, np.ndarray]] = deque()
        self._count: np.ndarray | None = None
        self._held: np.ndarray | None = None
        self._seen_at = -np.inf
        self.new = False  # there are more of them than before

    @property
    def alive(self) -> bool:
        return self._held is not None

    def watch(self, picture: np.ndarray, last: np.ndarray, now: float, trail: list[tuple[int, int]]) -> None:
        """Count what changed since the picture before; along a short ``trail``, but for what goes with the pointer."""
        changed = differing(picture, last)
        way = [] if _goes_far(trail) else way_of(trail)
        for part, box in pieces(changed):
            if not is_thin(part) or any(_along(place, box) for place in way):
                x, y, width, height = box
                changed[y : y + height, x : x + width][part] = 0
        count = self._count = np.zeros(changed.shape, np.uint8) if self._count is None else self._count
        if changed.any():
            self._masks.append((now, changed))
            count += changed
        while self._masks and now - self._masks[0][0] > FLICKER[1]:
            count -= self._masks.popleft()[1]
        march = (count >= FLICKER[0]).astype(np.uint8)
        if self._held is not None:
            march[self._held] &= changed[self._held]
        if march.any():
            march &= ~self._swept(count)
        if march.any():
            wide = cv2.dilate(march, np.ones((5, 5))) > 0
            self._seen_at = now
            self.new = self._held is None or bool((wide & ~self._held).any())
            self._held = wide if self._held is None else self._held | wide

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

    def held(self, now: float) -> np.ndarray | None:
        """Where they march: ``(H, W)`` bool; None: nowhere."""
        if self._held is not None and now - self._seen_at > STILL:
            self._held = None
        return self._held


def _goes_far(trail: list[tuple[int, int]]) -> bool:
    """Whether an outline that goes along leaves no thin trace."""
    return any(max(each) - min(each) >= FAR for each in zip(*trail, strict=True))


def _along(place: tuple[int, int], box: Box) -> bool:
    """Whether a group of pixels lies around the pointer."""
    x, y, width, height = box
    most = max(width, height)
    return most < SMALL or distance(place, (x + width / 2, y + height / 2)) < CENTRED * most
