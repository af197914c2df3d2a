"""Which class each painted pixel is: paint on a screen is antialiased, soft at its borders, noisy, and has lines on it.

A class is on the canvas where an area of at least ``REACH`` pixels each way has its paint all over, and where that area
is even: a soft border between two other paints may pass through it, in a narrow band or a ramp, and is no such area.
Everything else is given to the nearest of those areas, bare paper and other colours included: by its colour where it is
a mixture of two that are near, by its place alone where something was drawn over it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from .flats import BARE, is_filled
from .palettes import open_palette
from .paper import fill_bare
from .tone import find_paper, largest, scalar

UNDECIDED = 255  # of labels
EXACT = 3  # levels by which a paint may be missed
REACH = 3.0  # pixels at 256 x 256: half of the narrowest area
UNEVEN = 2.8  # variance in levels from which an area of one paint is a ramp: one through all of it has 4
RAMP = 8  # levels across the reach, from which another colour is no area but a soft border
HINT = 24  # levels from paper, and from ink, from which a colour is one
MIXED = 30.0  # levels that a mixture may be off the line between its two colours
LINE = 5.0  # pixels at 256 x 256: the width up to which ink is a line
FAR = 48  # pixels at 256 x 256: as far as a soft border goes
MISSED = 1.6  # levels, as a mean over an area: capture spares no pixel, but it spares the mean
LEAST = 0.0008  # of the picture: the smallest area that shows that a colour is on the canvas
MOST_HINTS = 12
CANDIDATES = 3  # areas around a pixel that it may belong to
LARGEST = 512  # pixels of the longer side at which pictures are read


@dataclass(frozen=True, eq=False)
class Painted:
    """What a picture's paint says, each (H, W).

    ``labels`` uint8 are places in the palette, ``UNDECIDED`` where there is none; ``second`` bool: painted as another
    thing of its class; ``hints`` bool: painted in a colour that is no class; ``under`` (H, W, 3) uint8 RGB: the paint
    and the paper as they would be without anything drawn over them.
    """

    labels: np.ndarray
    second: np.ndarray
    hints: np.ndarray
    under: np.ndarray

    @property
    def classes(self) -> list[int]:
        """The places in the palette that are on the canvas."""
        return [int(each) for each in np.flatnonzero(np.bincount(self.labels.ravel(), minlength=256)[:UNDECIDED])]


@dataclass(frozen=True, eq=False)
class _Kinds:
    """What there is to choose from: (K,) places in the palette or ``UNDECIDED``, second, hint; (K, 3) float32 colours;
    ``sure`` (H, W) uint8 is 0 where nothing is, else 1 + the kind."""

    labels: np.ndarray
    second: np.ndarray
    hints: np.ndarray
    colours: np.ndarray
    sure: np.ndarray


def read_paint(pixels: np.ndarray, palette: str) -> Painted:
    """What is painted in a picture (H, W, 3) uint8 RGB with the paints of this palette.

    It is read at up to 512 pixels of its longer side. Raises ConfigError for a palette that there is not.
    """
    height, width = pixels.shape[:2]
    shrink = max(height, width) / LARGEST
    small = pixels
    if shrink > 1:
        size = (max(8, round(width / shrink)), max(8, round(height / shrink)))
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    found = _read(small, palette)
    if small is pixels:
        return found
    labels, second, hints, under = (
        cv2.resize(each.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
        for each in (found.labels, found.second, found.hints, found.under)
    )
    return Painted(labels, second.view(bool), hints.view(bool), under)


def without_classes(image: np.ndarray, found: Painted) -> np.ndarray:
    """``image`` (H, W, 3) uint8 with undecided content where classes are painted: a paint says what is there, and not
    which colour it has. Other colours stay as they are."""
    return fill_bare(image, (found.labels == UNDECIDED).astype(np.float32)) if found.classes else image


def drawn_on(pixels: np.ndarray, found: Painted) -> np.ndarray:
    """What was drawn on the paint, dark on white, (H, W, 3) uint8: what is darker, or lighter, than all paint near it.

    So the border between two paints is no line, however soft it is.
    """
    near = np.ones((2 * max(1, round(0.8 * (pixels.shape[0] * pixels.shape[1]) ** 0.5 / 256)) + 1,) * 2, np.uint8)
    darkest, lightest = cv2.erode(found.under, near), cv2.dilate(found.under, near)
    darker = cv2.divide(cv2.subtract(darkest, pixels), cv2.max(darkest, scalar(96, 96, 96)), scale=255)
    lighter = cv2.divide(
        cv2.subtract(pixels, lightest), cv2.max(cv2.bitwise_not(lightest), scalar(96, 96, 96)), scale=255
    )
    return cv2.cvtColor(cv2.bitwise_not(largest(cv2.max(darker, lighter))), cv2.COLOR_GRAY2RGB)


def edges_of(found: Painted, borders: bool) -> np.ndarray:
    """Where two things touch, (H, W) uint8, one pixel wide, 255 or 0: two paints of one class, or, where ``borders``
    are wanted, two classes."""
    labels, second = found.labels, found.second.view(np.uint8)
    edges = np.zeros(labels.shape, np.uint8)
    for a, b, at in (
        ((slice(None), slice(None, -1)), (slice(None), slice(1, None)), (slice(None), slice(None, -1))),
        ((slice(None, -1), slice(None)), (slice(1, None), slice(None)), (slice(None, -1), slice(None))),
    ):
        same = labels[a] == labels[b]
        parted = same & (second[a] != second[b])
        if borders:
            parted |= ~same
        edges[at][parted] = 255
    return edges


def _read(pixels: np.ndarray, palette: str) -> Painted:
    scale = (pixels.shape[0] * pixels.shape[1]) ** 0.5 / 256
    even = cv2.medianBlur(pixels, 5)
    kinds = _kinds(pixels, even, palette, max(1, round(REACH * scale / 2)))
    kind, under = _spread(even, kinds, scale)
    tables = np.zeros((3, 256), np.uint8)
    tables[0] = UNDECIDED
    tables[:, 1 : len(kinds.labels) + 1] = kinds.labels, kinds.second, kinds.hints
    labels, second, hints = (cv2.LUT(kind, table) for table in tables)
    return Painted(labels, second.view(bool), hints.view(bool), under)


def _kinds(pixels: np.ndarray, even: np.ndarray, palette: str, reach: int) -> _Kinds:
    """The areas that leave no doubt: of paints, of bare paper, of other colours."""
    paints = open_palette(palette).paints().reshape(-1, 3)
    count = len(paints) // 2
    near = _nearest_paint(even, palette)  # (H, W) uint16, 0: none
    square = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    core = (near > 0) & (cv2.dilate(near, square) == near) & (cv2.erode(near, square) == near)
    areas = _areas(core, square)
    good = _even_areas(even, areas, paints, near)
    areas[~good[areas]] = 0
    present = np.flatnonzero(np.bincount(near[::2, ::2][areas[::2, ::2] > 0], minlength=2))
    present = present[present > 0] - 1
    labels, colours = [*(present % count).tolist()], [*paints[present].astype(np.float32)]
    second, hints = [*(present >= count).tolist()], [False] * len(labels)
    number = np.zeros(2 * count + 1, np.uint8)
    number[present + 1] = 1 + np.arange(len(present))
    sure = number[near]
    small = np.ones((3, 3), np.uint8)  # what is on the canvas may be in narrow places, too
    narrow = (cv2.dilate(sure, small) == sure) & (cv2.erode(sure, small) == sure)
    sure[(areas == 0) & (cv2.dilate(narrow.view(np.uint8), small) == 0)] = 0
    paper = find_paper(pixels)
    if paper is None or is_filled(paper.colour) or _is_paint(paper.colour, paints):
        tone, noise = np.full_like(even, 255), 0.0  # most of the sheet is painted over: what is left of it is white
    else:
        tone, noise = paper.tone(*sure.shape), paper.noise
    away = largest(cv2.absdiff(even, tone))
    bare = (away <= max(255 - BARE, round(2 * noise))) & (sure == 0)
    if bare.any():
        labels, second, hints = [*labels, UNDECIDED], [*second, False], [*hints, False]
        colours.append(tone[bare][0].astype(np.float32))
        sure[bare] = len(labels)
    open_to_hints = (away > HINT) & (sure == 0)
    for colour, place in _other_colours(even, open_to_hints, square, np.array(colours).reshape(-1, 3)):
        near_to = int(np.abs(paints - colour).max(axis=1).argmin())
        known = np.abs(paints[near_to] - colour).max() <= EXACT  # the paint of a class, in more noise than most
        labels = [*labels, near_to % count if known else UNDECIDED]
        second, hints, colours = [*second, known and near_to >= count], [*hints, not known], [*colours, colour]
        sure[place] = len(labels)
    made = (np.array(labels, np.uint8), np.array(second, bool), np.array(hints, bool))
    return _Kinds(*made, np.array(colours, np.float32).reshape(-1, 3), sure)


def _is_paint(colour: tuple[int, int, int], paints: np.ndarray) -> bool:
    return bool((np.abs(paints.astype(int) - colour).max(axis=1) <= EXACT).any())


@cache
def _near(palette: str) -> np.ndarray:
    """(256^3,) uint16: for each colour, R + 256 G + 65536 B, 1 + the place of the only paint that is near, else 0."""
    table = np.zeros((256, 256, 256), np.uint16)  # memory is taken only where something is written
    for place, paint in enumerate(open_palette(palette).paints().reshape(-1, 3).astype(int), 1):
        low, high = np.maximum(paint - EXACT, 0), paint + EXACT + 1
        table[low[2] : high[2], low[1] : high[1], low[0] : high[0]] = place
    return table.ravel()


def _nearest_paint(even: np.ndarray, palette: str) -> np.ndarray:
    """1 + the place of the paint that each pixel has, (H, W) uint16; 0 for none."""
    colour = cv2.cvtColor(even, cv2.COLOR_RGB2RGBA).view("<u4")[..., 0] & 0xFFFFFF
    return np.take(_near(palette), colour)


def _areas(core: np.ndarray, square: np.ndarray) -> np.ndarray:
    """Numbers (H, W) uint16 of the areas that have these cores, grown back to what they were cut from."""
    _, numbers = cv2.connectedComponents(core.astype(np.uint8), connectivity=8, ltype=cv2.CV_16U)
    return cv2.dilate(numbers, square)


def _even_areas(even: np.ndarray, areas: np.ndarray, paints: np.ndarray, near: np.ndarray) -> np.ndarray:
    """(areas + 1,) bool: which of them are no ramps. Every second pixel of every second row is asked."""
    few = areas[::2, ::2]
    inside = few > 0
    numbers = few[inside]
    most = int(areas.max()) + 1
    count = np.bincount(numbers, minlength=most)
    off = even[::2, ::2][inside].astype(np.float32) - paints[near[::2, ::2][inside].astype(np.intp) - 1]
    varied, missed = np.zeros(most), np.zeros(most)
    for channel in range(3):
        total = np.bincount(numbers, off[:, channel], most)
        squares = np.bincount(numbers, np.square(off[:, channel]), most)
        each = np.maximum(count, 1)
        varied = np.maximum(varied, squares / each - np.square(total / each))
        missed = np.maximum(missed, np.abs(total / each))
    good = (varied <= UNEVEN) & (missed <= MISSED) & (4 * count >= LEAST * near.size)
    good[0] = False
    return good


def _other_colours(
    even: np.ndarray, where: np.ndarray, square: np.ndarray, known: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(colour (3,) float32, where (H, W) bool) of areas of one colour that is none of the ``known`` (K, 3), the largest
    first; soft borders between two of the known are left out."""
    if not where.any():
        return []
    ramp = largest(cv2.morphologyEx(even, cv2.MORPH_GRADIENT, square))
    core = cv2.erode((where & (ramp <= RAMP)).astype(np.uint8), square)
    areas = _areas(core, square)
    areas[~where] = 0
    sizes = np.bincount(areas.ravel())
    sizes[0] = 0
    order = np.argsort(-sizes, kind="stable")[:MOST_HINTS]
    found = []
    for number in order[sizes[order] >= LEAST * where.size].tolist():
        place = areas == number
        values = even[place].astype(np.float32)
        if values.var(axis=0).max() <= 4 or not _between(values.mean(axis=0), known):
            found.append((np.median(values, axis=0), place))
    return found


def _between(colour: np.ndarray, known: np.ndarray) -> bool:
    """Whether a colour is a mixture of two of the known (K, 3)."""
    for place, one in enumerate(known):
        line = known[place + 1 :] - one
        length = np.maximum(np.square(line).sum(axis=1), 1.0)
        share = np.clip(((colour - one) * line).sum(axis=1) / length, 0, 1)
        if len(line) and np.linalg.norm(one + share[:, None] * line - colour, axis=1).min() < MIXED / 3:
            return True
    return False


def _spread(even: np.ndarray, kinds: _Kinds, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Every pixel's kind, (H, W) uint8, 0 where none is near, and what lies ``under`` whatever is drawn, (H, W, 3)."""
    kind, under = kinds.sure.copy(), even.copy()
    places = np.flatnonzero(kind == 0)  # (N,)
    if not len(kinds.labels) or not len(places):
        return kind, under
    cell = max(1, round(2 * scale))  # areas are wider than that
    cells = kind[::cell, ::cell]
    rows, columns = np.divmod(places, kind.shape[1])
    home = rows // cell * cells.shape[1] + columns // cell
    asked = np.flatnonzero(np.bincount(home, minlength=cells.size))  # cells that have such pixels
    away = np.stack([_distance(cells, each, cell)[asked] for each in range(1, len(kinds.labels) + 1)])  # (K, cells)
    order = np.argsort(away, axis=0)[:CANDIDATES] if len(away) > 1 else np.zeros_like(away, np.intp)
    reached = np.take_along_axis(away, order, 0) <= FAR * scale
    number = np.zeros(cells.size, np.intp)
    number[asked] = np.arange(len(asked))
    home = number[home]
    near, reached = order[:, home], reached[:, home]  # (C, N) each
    value = even.reshape(-1, 3)[places].astype(np.float32)  # (N, 3)
    best, mixed, alike = _by_colour(value, kinds.colours, near, reached)
    mixed &= alike | ~_drawn(even, scale).ravel()[places]
    best[~mixed] = 0
    chosen = near[best, np.arange(len(places))]
    some = reached[best, np.arange(len(places))]
    kind.reshape(-1)[places] = np.where(some, chosen + 1, 0)
    drawn = some & ~mixed
    under.reshape(-1, 3)[places[drawn]] = kinds.colours[chosen[drawn]].round().astype(np.uint8)
    return kind, under


def _drawn(even: np.ndarray, scale: float) -> np.ndarray:
    """(H, W) bool: what is narrow, and darker or lighter than what is on both of its sides."""
    grey = cv2.cvtColor(even, cv2.COLOR_RGB2GRAY)
    square = np.ones((2 * max(2, round(LINE * scale / 2)) + 1,) * 2, np.uint8)
    darker = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, square)
    return cv2.max(darker, cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, square)) > HINT


def _distance(cells: np.ndarray, kind: int, cell: int) -> np.ndarray:
    """How far each cell is from a kind, in pixels, (cells,) float32."""
    elsewhere = (cells != kind).astype(np.uint8)
    if elsewhere.all():
        return np.full(cells.size, np.inf, np.float32)
    return cv2.distanceTransform(elsewhere, cv2.DIST_L2, 3).ravel() * cell


def _by_colour(
    value: np.ndarray, colours: np.ndarray, near: np.ndarray, reached: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which of its candidates ``near`` (C, N), the nearest first, a colour (N, 3) belongs to, (N,); whether it lies
    between two that are ``reached`` or is like one of them, (N,) bool; and whether it is that one's own.

    Of several pairs that it may be a mixture of, the nearest counts.
    """
    best, mixed, alike = np.zeros(len(value), np.intp), np.zeros(len(value), bool), np.zeros(len(value), bool)
    left = np.arange(len(value))
    for other in range(1, len(near)):
        for one in range(other):
            start = colours[near[one, left]]
            line, rest = colours[near[other, left]] - start, value[left] - start
            length, first = np.maximum(_squares(line), 1.0), _squares(rest)
            along = np.einsum("nc,nc->n", rest, line)
            share = np.clip(along / length, 0, 1)
            off = first - share * (2 * along - share * length)
            fits = (off < MIXED**2) & reached[one, left] & reached[other, left]
            nearer = np.where(share <= 0.5, one, other)
            at = left[fits]
            best[at], mixed[at] = nearer[fits], True
            alike[at] = np.minimum(first, first - 2 * along + length)[fits] < (2 * EXACT) ** 2
            left = left[~fits]
    first = _squares(value[left] - colours[near[0, left]])
    mixed[left] = reached[0, left] & (first < MIXED**2)
    alike[left] = mixed[left] & (first < (2 * EXACT) ** 2)
    return best, mixed, alike


def _squares(values: np.ndarray) -> np.ndarray:
    """Squared lengths along the last axis."""
    return np.einsum("...c,...c->...", values, values)
