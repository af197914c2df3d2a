"""The whole sheet of paper, also while the artist works on a detail of it that fills the view.

The sheet is remembered as it was when all of it was seen. When a part of it is seen larger, that part is searched for
in the remembered sheet, and from then on what changes in it is laid in there. What cannot be told surely is not laid
in: then the sheet stays as it was.
"""

from __future__ import annotations

import cv2
import numpy as np

from .canvas import Sheet
from .pieces import same
from .register import Place, find_place, structure

CHANGED = 10  # levels by which a pixel of the reduced part must have changed
BORN = 48  # levels by which what was drawn unseen differs from everything near it
MOVED = 0.15  # share of the edges that both went and came, when the part has moved
EDGE = 3  # pixels of a view that a program may draw a frame in
FEW = 40  # edge pixels; fewer tell nothing
EMPTY = 0.0005  # share of edges in a sheet on which nothing is drawn
TRIES = 3  # to find a part that rests
WAIT = 0.7  # seconds between them
ENOUGH = 1.08  # how much less of a sheet may be seen, by its sides
LARGER = 1.04  # scale of a detail, at least, where the sheet was never seen whole


class Lock:
    """The sheet as it is given: whole. ``lost``: a part of it is seen, and nobody can tell which."""

    def __init__(self) -> None:
        self.lost = False
        self._whole: np.ndarray | None = None  # the sheet as it was seen last, or put together since
        self._complete = False  # it was seen in one piece, with all its borders
        self._endless = True  # no border was ever seen
        self._direct = True  # what is seen is what is given
        self._place: Place | None = None  # where the part lies in the whole
        self._seen: Sheet | None = None
        self._part: np.ndarray | None = None
        self._first: np.ndarray | None = None  # the reduced part as it was when it was found
        self._base: np.ndarray | None = None  # the whole at that time
        self._tries = 0
        self._tried_at = -np.inf

    def take(
        self, part: np.ndarray, picture: np.ndarray, sheet: Sheet, stirred: bool, rests: bool, now: float
    ) -> np.ndarray:
        """The whole sheet, ``(H, W, 3)`` uint8 RGB, from what is seen of it.

        ``part`` is ``sheet.rect`` of ``picture``, without what belongs to the pointer. ``stirred`` says that another
        part may be seen than before, ``rests`` that the picture is the same as the one before; ``now`` is in seconds.
        """
        fresh, self._part = part is not self._part, part
        self._endless &= sheet.surround is None
        moved = self._seen is None or sheet.rect != self._seen.rect or stirred
        self._seen = sheet
        whole = self._whole
        if whole is None or not sheet.cut or self._endless or (self._direct and not moved):
            return self._give(part, sheet)
        if moved and self._complete and _as_much(sheet, whole):
            return self._give(part, sheet)
        if moved:
            if self._direct and float(structure(whole).mean()) < EMPTY:
                return self._give(part, sheet)  # nothing is lost
            self._leave()
        if self._place is None:
            if rests and self._tries < TRIES and now - self._tried_at >= WAIT:
                self._search(part, picture, sheet, now)
            if self._place is None and self._tries and not self._complete:
                return self._give(part, sheet)
        elif fresh:
            self._lay(part, self._place)
        assert self._whole is not None
        return self._whole

    def _give(self, part: np.ndarray, sheet: Sheet) -> np.ndarray:
        """Take what is seen as the sheet."""
        self._complete = any(sheet.free)
        self._whole, self._direct, self._place, self.lost = part, True, None, False
        return part

    def _leave(self) -> None:
        self._direct, self._place, self._tries, self._tried_at = False, None, 0, -np.inf

    def _search(self, part: np.ndarray, picture: np.ndarray, sheet: Sheet, now: float) -> None:
        """Find the part in the whole, and take what was drawn while nobody could tell where."""
        assert self._whole is not None
        self._tries, self._tried_at = self._tries + 1, now
        view, rect = sheet.view, sheet.rect
        left, top = view.x + EDGE, view.y + EDGE
        shown = picture[top : view.y + view.height - EDGE, left : view.x + view.width - EDGE]
        found = find_place(self._whole, shown, sheet.surround)
        if found is not None and not self._complete and found.scale < LARGER:
            found = None
        self.lost = found is None
        if found is None:
            return
        self._place = place = found.moved((rect.x - left, rect.y - top))
        first = place.reduced(part)
        rows, columns = place.inside(self._whole, first)
        before = self._whole[rows, columns]
        first = first[: before.shape[0], : before.shape[1]]
        around = np.ones((5, 5), np.uint8)
        off = np.maximum(
            cv2.subtract(first, cv2.dilate(before, around)), cv2.subtract(cv2.erode(before, around), first)
        )
        born = cv2.morphologyEx((off.max(2) > BORN).astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
        if born.any():
            mask = cv2.dilate(born, around) > 0
            self._whole = self._whole.copy()
            self._whole[rows, columns][mask] = first[mask]
        self._first, self._base = first, self._whole

    def _lay(self, part: np.ndarray, place: Place) -> None:
        """Lay what changed since the part was found into the whole."""
        assert self._base is not None and self._first is not None
        now = place.reduced(part)[: self._first.shape[0], : self._first.shape[1]]
        wide = lambda edges: cv2.dilate(edges.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        here, there = structure(now), structure(self._first)
        gone, come = int((there & ~wide(here)).sum()), int((here & ~wide(there)).sum())
        if min(gone, come) > max(FEW, MOVED * int(there.sum())):
            self._leave()
            return
        rows, columns = place.inside(self._base, self._first)
        changed = cv2.absdiff(now, self._first).max(2) > CHANGED
        whole = self._base.copy()
        whole[rows, columns][changed] = now[changed]
        if self._whole is None or not same(whole, self._whole):
            self._whole = whole


def _as_much(sheet: Sheet, whole: np.ndarray) -> bool:
    """Whether as much is seen of a sheet as before, in whatever size: where both borders are seen, they tell."""
    across, down = sheet.free
    if across == down:
        return across
    ratio = sheet.rect.width / sheet.rect.height * whole.shape[0] / whole.shape[1]
    return (ratio if across else 1 / ratio) <= ENOUGH
