"""Where the sheet of paper is in a picture of a paint program's window.

What is known of such windows: everything but the view of the drawing is painted in the theme's colour, which is the one
seen most in the menu bar and in the status bar; the view is the largest rectangle with straight borders that is free of
that colour; inside it the sheet lies on a surround of one flat colour, or fills it. So the search is for rectangles all
four sides of which are straight steps of colour, from the largest to smaller ones.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from ...base.frame import Rect, Size
from .lines import Lines

SMALLEST_VIEW = 0.12  # of the window's area: docks are no larger
FLAT = 0.965  # share of a surround that has its colour; the rest are pointers, guides and shadows
STRIP = 32  # pixels: rulers, scroll bars and frames are no thicker
TRIED = 8000  # rectangles that are looked at closely; the largest are taken
DOCK = 0.3  # share of a rectangle: docks and palettes are no larger
THEME_FREE = 0.03  # share of a view that may have the theme's colour
PLAIN = 0.99  # share of those that has one colour where there is neither
GREY, BRIGHTEST = 12, 246  # levels: how much colour a surround may have, and how light it may be
WHITE = 254  # level of paper that is white; nothing else beside a line is
LEAST = 64  # pixels of a window each way
MARGIN = 16  # pixels of a surround, at least
FRAME = 2  # pixels of a dashed frame around the sheet
BANDS = (24, 14)  # pixels of the menu bar and of the status bar that are looked at


class Sheet(NamedTuple):
    """A sheet of paper in a picture of a window."""

    rect: Rect
    """What is seen of it."""
    view: Rect
    """The part of the window that shows the drawing: sheet and surround."""
    surround: tuple[int, int, int] | None
    """The colour around the sheet; None: it fills the view."""
    sure: float
    """How certain it is, 0 to 1: the share of its borders that is there."""

    @property
    def free(self) -> tuple[bool, bool]:
        """Whether both the left and the right border of the sheet are seen, and both the upper and the lower one."""
        rect, view = self.rect, self.view
        across = rect.x > view.x + FRAME and rect.x + rect.width + FRAME < view.x + view.width
        return across, rect.y > view.y + FRAME and rect.y + rect.height + FRAME < view.y + view.height

    @property
    def cut(self) -> bool:
        """Whether the view may show a part of the sheet only: the sheet reaches a border of the view."""
        return not all(self.free)


def find_sheet(picture: np.ndarray, known: Sheet | None = None) -> Sheet | None:
    """Find it in ``(H, W, 3)`` uint8 RGB; None where nothing looks like a sheet in a paint program.

    ``known`` is where it was before: the view that it was in is taken again if it is still there, whatever is drawn.
    """
    if min(picture.shape[:2]) < LEAST:
        return None
    codes = _codes(picture)
    lines = Lines(picture)
    surround = known.surround if known else None
    bands = codes[: BANDS[0]], codes[-BANDS[1] :]
    themes = [_theme(band) for band in bands]
    # A window that was all view may have been one that had not painted its bars yet.
    if known is not None and known.view.size != Size.of(picture):
        view = _same_view(codes, lines, known.view, [theme for theme in themes if theme is not None])
        if view is not None:
            return _in_view(codes, lines, view, surround)
    for theme in themes:
        view = None if theme is None else _find_view(codes, lines, theme)
        if view is not None:
            return _in_view(codes, lines, view, surround)
    if themes == [None, None]:
        # No menu bar and no status bar: the program shows the drawing alone.
        whole = np.array([0, 0, picture.shape[1], picture.shape[0]])
        return _in_view(codes, lines, _View(whole, 1.0, whole, None), surround)
    return None


class _View(NamedTuple):
    """The part of a window that shows the drawing."""

    rect: np.ndarray
    """``(4,)`` left, top, right, bottom."""
    sure: float
    """The share of its borders that is there."""
    inner: np.ndarray
    """The same without the surround at its borders."""
    surround: int | None
    """The colour of that."""


def _same_view(codes: np.ndarray, lines: Lines, view: Rect, themes: list[int]) -> _View | None:
    """The view that was there before, within the pixels by which its borders may be told otherwise.

    Where a scroll bar has come since, which a zoom brings, it is another view.
    """
    before = np.array([view.x, view.y, view.x + view.width, view.y + view.height])
    away = np.abs(lines.rects - before).max(1, initial=0)
    if not len(away) or away.min() > FRAME:
        return None
    place = int(away.argmin())
    if any(_no_drawing(strip, 0, theme) for strip in _strips(codes, lines, place) for theme in themes):
        return None
    return _View(lines.rects[place], float(lines.borders[place]), lines.rects[place], None)


def _strips(codes: np.ndarray, lines: Lines, place: int) -> list[np.ndarray]:
    """What lies between the borders of a rectangle and lines along them, as near as a scroll bar's; those end before
    the corner."""
    left, top, right, bottom = lines.rects[place]
    part = codes[top:bottom, left:right]
    rows, columns = lines.cuts(place, STRIP)
    rows, columns = rows - top, columns - left
    ends = [part[:row] for row in rows if MARGIN // 2 < row <= STRIP]
    ends += [part[row:] for row in rows if MARGIN // 2 < len(part) - row <= STRIP]
    ends += [part[:, :column] for column in columns if MARGIN // 2 < column <= STRIP]
    return ends + [part[:, column:] for column in columns if MARGIN // 2 < part.shape[1] - column <= STRIP]


def _theme(band: np.ndarray) -> int | None:
    """The colour that a bar at the window's edge shows most; None where it has no other."""
    colours, counts = np.unique(band, return_counts=True)
    return None if counts.max() > PLAIN * band.size else int(colours[counts.argmax()])


def _find_view(codes: np.ndarray, lines: Lines, theme: int) -> _View | None:
    """The largest rectangle without the theme's colour that no line cuts.

    Where the surround has that colour, too, it is the sheet that is free of it; its view is what lies flat around it.
    """
    counts = cv2.integral((codes == theme).astype(np.uint8))
    rects, sides = lines.rects, lines.rects[:, 2:] - lines.rects[:, :2]
    free = np.flatnonzero(_inside(counts, rects) <= THEME_FREE * sides.prod(1))
    best, most = None, 0
    for place in free[:TRIED]:
        rect = rects[place]
        if most > 0 and best is not None and (rect[:2] >= best.rect[:2]).all() and (rect[2:] <= best.rect[2:]).all():
            continue  # a part of what was found
        if _is_cut(codes, lines, int(place), theme):
            continue
        view, surround = _widened(codes, rect)
        size = int((view[2:] - view[:2]).prod())
        if size > most:
            best, most = _View(view, float(lines.borders[place]), rect, surround), size
    return best if most >= SMALLEST_VIEW * codes.size else None


def _widened(codes: np.ndarray, rect: np.ndarray) -> tuple[np.ndarray, int | None]:
    """A rectangle ``(4,)`` with the surround beside it, as far as that is flat; and the colour of that."""
    left, top, right, bottom = rect.tolist()
    beside = (
        codes[top:bottom, :left][:, ::-1].T,
        codes[:top, left:right][::-1],
        codes[top:bottom, right:].T,
        codes[bottom:, left:right],
    )
    depths, colours = zip(*(_depth(each) for each in beside), strict=True)
    reach = np.array(depths)
    colour = colours[int(reach.argmax())] if reach.any() else None
    return rect + reach * (-1, -1, 1, 1), colour


def _depth(beside: np.ndarray) -> tuple[int, int]:
    """How many lines beside a rectangle are flat, from the frame around it on, and their colour; the first is nearest.

    A few pixels are a margin between the view and what lies beside it.
    """
    beside = beside[FRAME:]
    if len(beside) < MARGIN - FRAME:
        return 0, 0
    colour = int(beside[0, beside.shape[1] // 2])
    if not _may_surround(colour) or np.mean(beside[: MARGIN - FRAME] == colour) < FLAT:
        return 0, 0
    ends = np.flatnonzero((beside == colour).mean(1) < FLAT)
    depth = FRAME + (int(ends[0]) if len(ends) else len(beside))
    return (depth, colour) if depth >= MARGIN else (0, 0)


def _is_cut(codes: np.ndarray, lines: Lines, place: int, theme: int) -> bool:
    """Whether a line goes all through a rectangle and leaves on one side what is no drawing."""
    left, top, right, bottom = lines.rects[place]
    part = codes[top:bottom, left:right]
    rows, columns = lines.cuts(place)
    strips = [part[: row - top] for row in rows if row - top <= STRIP]
    strips += [part[row - top :] for row in rows if bottom - row <= STRIP]
    strips += [part[:, : column - left] for column in columns if column - left <= STRIP]
    strips += [part[:, column - left :] for column in columns if right - column <= STRIP]
    if any(_is_bar(strip, theme) for strip in strips):
        return True
    pieces = [piece for row in rows - top for piece in (part[:row], part[row:])]
    pieces += [piece for column in columns - left for piece in (part[:, :column], part[:, column:])]
    return any(_no_drawing(piece[::3, ::3], piece.size / part.size, theme) for piece in pieces)


def _is_bar(strip: np.ndarray, theme: int) -> bool:
    """Whether a strip beside a line may be a ruler, a scroll bar or a frame: grey, or in the theme's colour."""
    if min(strip.shape) <= FRAME or float(np.mean(strip == theme)) >= THEME_FREE:
        return True
    colours, counts = np.unique(strip, return_counts=True)
    colour = _colour(colours[counts.argmax()])
    return max(colour) - min(colour) <= GREY and min(colour) < WHITE


def _no_drawing(piece: np.ndarray, share: float, theme: int) -> bool:
    """Whether a piece beside a line is a dock or a palette, or a surround."""
    return _one_grey(piece) or (share < DOCK and float(np.mean(piece == theme)) >= THEME_FREE)


def _one_grey(codes: np.ndarray) -> bool:
    """Whether a part has one colour nearly everywhere, and it may be that of a surround."""
    colour = int(codes[codes.shape[0] // 2, codes.shape[1] // 2])
    return _may_surround(colour) and float(np.mean(codes == colour)) >= FLAT


def _may_surround(code: int) -> bool:
    """Surrounds are grey, and darker than paper."""
    colour = _colour(code)
    return max(colour) - min(colour) <= GREY and max(colour) <= BRIGHTEST


def _in_view(codes: np.ndarray, lines: Lines, view: _View, surround: tuple[int, int, int] | None) -> Sheet:
    """The sheet on its surround, or the whole view."""
    left, top, right, bottom = inner = view.inner
    part = codes[top:bottom, left:right]
    ring = np.concatenate([part[1], part[-2], part[:, 1], part[:, -2]])
    colours, counts = np.unique(ring, return_counts=True)
    rects, sides = lines.rects, lines.rects[:, 2:] - lines.rects[:, :2]
    within = ((rects[:, :2] >= inner[:2]) & (rects[:, 2:] <= inner[2:])).all(1)
    within &= sides.prod(1) < part.size
    for code in colours[np.argsort(-counts)[:3]]:
        if _colour(code) != surround and not _may_surround(code):
            continue
        flat = cv2.integral((codes == code).astype(np.uint8))
        around = (_inside(flat, inner[None]) - _inside(flat, rects)) / np.maximum(1, part.size - sides.prod(1))
        good = np.flatnonzero(within & (around >= FLAT))
        if len(good):
            best = good[0]
            sheet = _trimmed(codes == code, rects[best])
            return _sheet(sheet, inner, _colour(code), min(view.sure, float(lines.borders[best])))
    return _sheet(inner, view.rect, None if view.surround is None else _colour(view.surround), view.sure)


def _trimmed(flat: np.ndarray, rect: np.ndarray) -> np.ndarray:
    """A rectangle ``(4,)`` without strips of the surround, which are narrow enough to pass for gaps in its borders."""
    left, top, right, bottom = rect
    part = flat[top:bottom, left:right]
    ends = [_content(part.mean(axis)) for axis in (1, 0)]
    (first, last), (begin, end) = ends
    return np.array([left + begin, top + first, left + end, top + last])


def _content(share: np.ndarray) -> tuple[int, int]:
    """From where to where lines are not flat, whatever the outermost ones are: those may be a frame around the view."""
    busy = np.flatnonzero(share[FRAME : len(share) - FRAME] < FLAT) + FRAME
    if not len(busy):
        return 0, len(share)
    first, last = int(busy[0]), int(busy[-1]) + 1
    return first if first > 2 * FRAME else 0, last if len(share) - last > 2 * FRAME else len(share)


def _sheet(rect: np.ndarray, view: np.ndarray, surround: tuple[int, int, int] | None, sure: float) -> Sheet:
    (left, top, right, bottom), seen = rect.tolist(), view.tolist()
    whole = Rect(seen[0], seen[1], seen[2] - seen[0], seen[3] - seen[1])
    return Sheet(Rect(left, top, right - left, bottom - top), whole, surround, sure)


def _codes(picture: np.ndarray) -> np.ndarray:
    """Each colour as one number: ``(H, W)`` int32."""
    packed = cv2.cvtColor(picture, cv2.COLOR_RGB2BGRA)
    packed[..., 3] = 0
    return packed.view(np.int32)[..., 0]


def _colour(code: int) -> tuple[int, int, int]:
    code = int(code)
    return code >> 16 & 255, code >> 8 & 255, code & 255


def _inside(counts: np.ndarray, rects: np.ndarray) -> np.ndarray:
    """How many of the counted pixels lie in each of ``(N, 4)`` rectangles, from an integral image."""
    left, top, right, bottom = rects.T
    return counts[bottom, right] - counts[top, right] - counts[bottom, left] + counts[top, left]
