"""The outline that a program draws around the pointer: its shape, and what is below it while a stroke is drawn.

It hides the border of the very stroke that it belongs to. What it hides is known from when it was elsewhere, or it is
what lies nearest to it: ink, where that is as near as anything else.
"""

from __future__ import annotations

from itertools import islice

import cv2
import numpy as np

LINE = 24  # levels by which an outline differs from what is on both of its sides
SEEN = 0.4  # of its pixels that must differ so
MARGIN = 1  # pixels around an outline that is where the pointer is
LATE_MARGIN = 2  # pixels around one that may be at any of several places
RESTS = 0.1  # seconds after which the outline has come to a pointer that rests
FILL = 6  # pixels around an outline that say what is below it
FRESH = 24  # levels by which they must have changed
ALIKE = 0.7  # of an outline's pixels that lie on the one before
FAVOUR = (
    0.75  # pixels by which ink may be farther away than what is no ink: an outline lies at the border of its stroke
)


class Outline:
    """Its shape, and where it is."""

    def __init__(self) -> None:
        self._shape: tuple[np.ndarray, int, int] | None = None  # (h, w) bool, and its corner seen from the pointer
        self._guessed: np.ndarray | None = None  # (H, W) bool: what was never seen since it was hidden

    @property
    def known(self) -> bool:
        return self._shape is not None

    def learn(self, part: np.ndarray, left: int, top: int) -> None:
        """Remember the shape ``part``, ``(h, w)`` bool, at a corner seen from the pointer.

        Of the same one again nothing is learnt: after a stroke, a part of it looks like what it lies on.
        """
        if self._shape is not None:
            old, x, y = self._shape
            height, width = old.shape
            close = max(abs(left - x), abs(top - y), abs(part.shape[1] - width), abs(part.shape[0] - height)) <= 2
            if close:
                wide = cv2.dilate(np.pad(old, 4).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
                corner = top - y + 4, left - x + 4
                there = wide[corner[0] : corner[0] + part.shape[0], corner[1] : corner[1] + part.shape[1]]
                if int((there & part).sum()) >= ALIKE * int(part.sum()):
                    return
        self._shape = (part, left, top)

    def removed(
        self,
        picture: np.ndarray,
        given: np.ndarray,
        base: np.ndarray,
        trail: list[tuple[float, int, int]],
        now: float,
    ) -> np.ndarray:
        """The picture during a stroke, ``(H, W, 3)`` uint8, without it.

        ``given`` is what counted last, ``base`` what did before the stroke; ``trail`` the pointer's latest places, with
        their times in seconds.
        """
        places = [place[1:] for place in trail]
        ring = self._stamped(picture.shape, places[-1:], MARGIN)
        if now - trail[-1][0] < RESTS and not self._is_seen(picture, given, base, places[-1]):
            # There is one outline, and it may be late.
            late = (place for place in places[-2::-1] if self._is_seen(picture, given, base, place))
            ring |= self._stamped(picture.shape, list(islice(late, 1)), LATE_MARGIN)
        result, self._guessed = _filled(picture, given, base, ring, self._guessed)
        return result

    def _is_seen(self, picture: np.ndarray, given: np.ndarray, base: np.ndarray, place: tuple[int, int]) -> bool:
        """Whether it is drawn around a place: it differs from what would be there without it."""
        assert self._shape is not None
        part, left, top = self._shape
        reach = MARGIN + FILL
        rows = slice(max(0, place[1] + top - reach), max(0, place[1] + top + part.shape[0] + reach))
        columns = slice(max(0, place[0] + left - reach), max(0, place[0] + left + part.shape[1] + reach))
        seen, here = picture[rows, columns], (place[0] - columns.start, place[1] - rows.start)
        if not seen.size:
            return False
        ring, line = (self._stamped(seen.shape, [here], margin) for margin in (MARGIN, 0))
        without, _ = _filled(seen, given[rows, columns], base[rows, columns], ring, None)
        differs = cv2.absdiff(seen, without).max(2)[line] > LINE
        return bool(differs.size) and float(differs.mean()) >= SEEN

    def _stamped(self, shape: tuple[int, ...], places: list[tuple[int, int]], margin: int) -> np.ndarray:
        """Where it covers a picture when the pointer is at these places, and so many pixels around it."""
        ring = np.zeros(shape[:2], np.bool_)
        if self._shape is not None:
            part, left, top = self._shape
            size = (2 * margin + 1, 2 * margin + 1)
            wide = cv2.dilate(np.pad(part, margin).astype(np.uint8), np.ones(size, np.uint8)) > 0
            for x, y in places:
                _stamp(ring, wide, x + left - margin, y + top - margin)
        return ring


def _filled(
    picture: np.ndarray, given: np.ndarray, base: np.ndarray, ring: np.ndarray, guessed: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """The picture with other pixels in place of the ring's, and which of them are guessed, ``(H, W)`` bool.

    ``guessed`` says which pixels of ``given`` were.
    """
    if not ring.any() or ring.all():
        return (given if ring.any() else picture), None
    ys, xs = np.nonzero(ring)
    box = (
        slice(max(0, ys.min() - FILL), ys.max() + FILL + 1),
        slice(max(0, xs.min() - FILL), xs.max() + FILL + 1),
    )
    result = picture.copy()
    part, hidden, before, first = result[box], ring[box], given[box], base[box]
    unsure = np.zeros(hidden.shape, np.bool_) if guessed is None else guessed[box]
    drawn = ~hidden & (cv2.absdiff(part, first).max(2) > FRESH)
    nearest, far = _nearest(~hidden & ~drawn)
    ink, ink_far = _nearest(drawn)
    is_ink = ink_far[hidden] <= far[hidden] + FAVOUR
    source = np.where(is_ink, ink[hidden], nearest[hidden])
    now, earlier = part.reshape(-1, 3)[source], before.reshape(-1, 3)[source]
    changed = cv2.absdiff(now, earlier).max(1) > FRESH
    seen = ~changed & ~unsure[hidden] & ~(is_ink & (cv2.absdiff(before[hidden], first[hidden]).max(1) <= FRESH))
    gone = changed | unsure[hidden]  # an undo, or a guess that was wrong
    kept = np.where(gone[:, None], first[hidden], before[hidden])
    part[hidden] = np.where((is_ink & ~seen)[:, None], now, kept)
    guesses = np.zeros(ring.shape, np.bool_)
    guesses[box][hidden] = ~seen
    return result, guesses


def _nearest(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each pixel, which pixel of the mask is nearest, as a flat index, and how far it is: both ``(H, W)``."""
    if not mask.any():
        return np.zeros(mask.shape, np.intp), np.full(mask.shape, np.inf, np.float32)
    away = (~mask).astype(np.uint8)
    far, labels = cv2.distanceTransformWithLabels(away, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    numbers = np.asarray(labels, np.intp)
    places = np.zeros(int(numbers.max()) + 1, np.intp)  # each pixel of the mask has a number of its own
    places[numbers[mask]] = np.flatnonzero(mask)
    return places[numbers], np.asarray(far, np.float32)


def _stamp(mask: np.ndarray, part: np.ndarray, left: int, top: int) -> None:
    """Lay a small mask into a large one, as far as it lies inside."""
    height, width = mask.shape
    x, y = max(0, left), max(0, top)
    right, bottom = min(width, left + part.shape[1]), min(height, top + part.shape[0])
    if right > x and bottom > y:
        mask[y:bottom, x:right] |= part[y - top : bottom - top, x - left : right - left]
