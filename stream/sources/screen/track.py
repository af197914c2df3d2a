"""The sheet of paper in a window, followed: found once, checked in every picture, searched for when it moved."""

from __future__ import annotations

import numpy as np

from ...base.frame import Rect, Size
from .canvas import LEAST, Sheet, find_sheet

SURE = 0.88  # how certain a sheet must be
GIVE_UP = 3.0  # seconds after a change of the window's size in which the sheet must be found again
AGREE = 0.12  # seconds between two searches that must find the same
AGAIN = 1.0  # seconds until a search that found nothing is tried again
SOON = 0.2  # the same in the first seconds, when a window is still being drawn
FIRST = 3.0  # seconds
BARE = 0.5  # seconds in which a window that is all sheet may be one that has not painted its bars yet
YOUNG = 1.0  # seconds in which what was found may be a part of what is still being painted
PROOFS = 2  # searches that must agree with what was found first
OUTSIDE = 0.25  # share of one side's surroundings that may change while the sheet stays: pointers and guides
INSIDE = 0.5  # share of the pixels along one side; a stroke along the border changes as many
GRID = 16  # pixels between those that are compared of everything
MOVED = 0.1  # share of them that a zoom or a scroll changes


class Tracker:
    """Where the sheet is in the pictures of one window.

    ``sheet`` is the last that was found, ``there`` says whether it is there now, ``stirred`` that much of the picture
    changed at once, so that another part of the sheet may be seen, and ``rests`` that hardly anything changes now.
    """

    def __init__(self) -> None:
        self.sheet: Sheet | None = None
        self.there = False
        self.stirred = False
        self.rests = False
        self._size: Size | None = None
        self._borders: list[np.ndarray] = []  # outside and inside of each side, as they were when it was found
        self._grid: np.ndarray | None = None  # of the last picture
        self._candidate: Sheet | None = None
        self._searched_at = -np.inf
        self._sized_at: float | None = None  # when the window got another size; None: the sheet was found since
        self._due = True  # a search is to be made
        self._proofs = PROOFS  # searches still to be made for a sheet as if nothing was known of it
        self._began = self._found_at = self._looked_at = -np.inf

    @property
    def unsure(self) -> bool:
        """Whether it was not found yet, or in a window that may still be about to paint itself."""
        if self.sheet is None:
            return True
        bare = self.sheet.rect.size == self._size and self._looked_at < self._found_at + BARE
        return bare or (self._due and self._looked_at < max(self._found_at, self._began) + YOUNG)

    def begin(self, now: float) -> None:
        """Pictures begin to come, at a time in seconds."""
        self._began = now

    def look(self, picture: np.ndarray, now: float, pressed: bool = False) -> None:
        """Check ``(H, W, 3)`` uint8 RGB at a time in seconds; once it was found, nothing is searched while a button is
        ``pressed``."""
        size, self._looked_at = Size.of(picture), now
        grid = picture[GRID // 2 :: GRID, GRID // 2 :: GRID]
        rests = self._grid is not None and grid.shape == self._grid.shape
        changed = float((grid != self._grid).any(2).mean()) if rests else 1.0
        self._grid, self.rests = grid.copy(), changed < MOVED / 10
        self._check(picture, size, changed, pressed)
        known = self.there and not self._due and size == self._size
        if self._proofs and known and self.rests and not pressed:
            if now - self._searched_at >= (AGREE if self._candidate else AGAIN):
                self._prove(picture, now)
            return
        if not self._due or (pressed and size == self._size and self.sheet is not None):
            return
        if size != self._size:  # whatever was known is void
            self._size, self._sized_at = size, now
            self._search(picture, now, sure=True)
            if min(size) < LEAST:
                self.sheet = None
        elif self.sheet is None and self._candidate is None:
            if now - self._searched_at >= (SOON if now - self._began < FIRST else AGAIN):
                self._search(picture, now, sure=True)
        elif self.rests and now - self._searched_at >= (AGREE if self._candidate or self.there else AGAIN):
            self._search(picture, now, sure=False)

    def _check(self, picture: np.ndarray, size: Size, changed: float, pressed: bool) -> None:
        """See whether its borders are still there."""
        if self.sheet is None:
            self._due |= changed > 0
            return
        if size != self._size or self._sized_at is not None:  # where it was says nothing in another size
            self._leave()
            return
        if changed >= MOVED and not pressed:
            self._due = self.stirred = True
        borders = _borders(picture, self.sheet.rect)
        differ = [_share(now, before) for now, before in zip(borders, self._borders, strict=True)]
        outside, inside = differ[:4], differ[4:]
        if max(outside) > OUTSIDE:
            self._leave()
        elif min(inside) > INSIDE and not pressed:
            # All of it has another colour, or it became smaller.
            found = find_sheet(picture, self.sheet)
            if found is None or not _near(found.rect, self.sheet.rect):
                self._leave()
            self._borders = borders
        elif max(inside) > INSIDE and not pressed:
            self._due = True

    def _leave(self) -> None:
        if self.there:
            self._searched_at, self._candidate = -np.inf, None
        self.there, self._due = False, True

    def _search(self, picture: np.ndarray, now: float, sure: bool) -> None:
        found = find_sheet(picture, self.sheet)
        self._searched_at = now
        if found is None or found.sure < SURE:
            self._candidate = None
            self._due = not self.there
            if not self.there and self._sized_at is not None and now - self._sized_at > GIVE_UP:
                self.sheet = None
            return
        same = self._candidate is not None and _near(self._candidate.rect, found.rect)
        if self.sheet is None:
            self._found_at, self._proofs = now, PROOFS
        if sure or same or (self.sheet is not None and self.there and _near(self.sheet.rect, found.rect)):
            self._take(picture, found)
        else:
            self._candidate = found

    def _prove(self, picture: np.ndarray, now: float) -> None:
        """Search as if nothing was known: the first picture may have been of a window that was half painted.

        What is known of a sheet keeps it while anything is drawn there, so a wrong one would stay.
        """
        found, self._searched_at = find_sheet(picture), now
        if found is None or found.sure < SURE or _near(found.rect, self.sheet.rect if self.sheet else found.rect):
            self._proofs -= 1
            self._candidate = None
        elif self._candidate is not None and _near(self._candidate.rect, found.rect):
            self._take(picture, found)
            self._found_at = now
        else:
            self._candidate = found

    def _take(self, picture: np.ndarray, found: Sheet) -> None:
        self.sheet, self.there, self._due, self._candidate = found, True, False, None
        self._sized_at = None
        self._borders = _borders(picture, found.rect)

    def settled(self) -> None:
        """What had stirred was looked at."""
        self.stirred = False


def _near(a: Rect, b: Rect) -> bool:
    return max(abs(one - other) for one, other in zip(a, b, strict=True)) <= 2


def _share(now: np.ndarray, before: np.ndarray) -> float:
    """How much of a line differs from before; 0 where there is no line."""
    return float((now != before).any(-1).mean()) if now.size and now.shape == before.shape else 0.0


def _borders(picture: np.ndarray, rect: Rect) -> list[np.ndarray]:
    """The lines of pixels outside of the four sides, then those inside; empty where the window ends."""
    height, width = picture.shape[:2]
    left, top, right, bottom = rect.x, rect.y, rect.x + rect.width, rect.y + rect.height
    rows, columns = slice(top, bottom), slice(left, right)
    lines = []
    for away in (1, 0):
        lines += [picture[max(0, top - away) : max(0, top - away) + 1, columns][0] if top >= away else picture[0, :0]]
        row, column = bottom - 1 + away, right - 1 + away
        lines += [picture[row, columns] if row < height else picture[0, :0]]
        lines += [picture[rows, left - away] if left >= away else picture[0, :0]]
        lines += [picture[rows, column] if column < width else picture[0, :0]]
    return [np.ascontiguousarray(line) for line in lines]
