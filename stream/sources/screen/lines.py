"""Long straight steps of colour in a picture, and the rectangles between them."""

from __future__ import annotations

import cv2
import numpy as np

STEP = 4  # grey levels between neighbours that make an edge
GAP = 24  # pixels of a border that may be missing in one place: a stroke in the colour of the surround
RUN = 10  # pixels of a border without a gap; letters and icons have shorter straight lines
LINES = 72  # straight lines each way that are tried; the longest are taken
MOST = 40000  # rectangles that are looked at; the largest are taken
SMALLEST = 0.08  # of the window's side: no sheet is smaller
BORDER = 0.9  # share of each side of a rectangle that must be an edge
CUT = 0.97  # share of a rectangle's width that a line must cross to cut it


class Lines:
    """Long straight steps of colour in a picture, and the rectangles between them.

    ``rows`` and ``columns`` say before which pixel a line lies; the picture's own borders are lines, too.
    """

    def __init__(self, picture: np.ndarray) -> None:
        height, width = picture.shape[:2]
        step_down, step_right = _steps(picture, 0), _steps(picture, 1)
        across = _long_edges(step_down, step_right, SMALLEST * width)
        down = _long_edges(np.ascontiguousarray(step_right.T), np.ascontiguousarray(step_down.T), SMALLEST * height)
        self.rows, self.columns = _longest(across), _longest(down)
        self._row_pairs, self._column_pairs = (
            _pairs(self.rows, SMALLEST * height),
            _pairs(self.columns, SMALLEST * width),
        )
        self._across = _shares(across, self.rows, self._column_pairs)  # (rows, pairs of columns)
        self._down = _shares(down, self.columns, self._row_pairs)  # (columns, pairs of rows)
        self.rects, self.borders = self._rectangles()

    def _rectangles(self) -> tuple[np.ndarray, np.ndarray]:
        """``(N, 4)`` left, top, right, bottom, the largest first, and ``(N,)`` the least edge of their four sides."""
        rows, columns = self._row_pairs, self._column_pairs
        first, last = np.searchsorted(self.rows, rows)
        left, right = np.searchsorted(self.columns, columns)
        across, down = self._across >= BORDER, self._down >= BORDER
        across, down = across[first] & across[last], (down[left] & down[right]).T  # (pairs of rows, pairs of columns)
        few, many = np.flatnonzero(across.any(1) & down.any(1)), np.flatnonzero(across.any(0) & down.any(0))
        ys, xs = np.nonzero(across[np.ix_(few, many)] & down[np.ix_(few, many)])
        ys, xs = few[ys], many[xs]
        if len(ys) > MOST:  # ruled paper, or a table
            areas = (columns[1, xs] - columns[0, xs]) * (rows[1, ys] - rows[0, ys])
            largest = np.argpartition(-areas, MOST)[:MOST]
            ys, xs = ys[largest], xs[largest]
        rects = np.stack([columns[0, xs], rows[0, ys], columns[1, xs], rows[1, ys]], 1)
        shares = [self._across[first[ys], xs], self._across[last[ys], xs]]
        least = np.minimum.reduce([*shares, self._down[left[xs], ys], self._down[right[xs], ys]])
        sides = rects[:, 2:] - rects[:, :2]
        order = np.argsort(-sides.prod(1), kind="stable")
        self._of_rect = np.stack([ys, xs], 1)[order]
        return rects[order], least[order]

    def cuts(self, place: int, slack: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """The rows and the columns that go all through a rectangle, but for ``slack`` pixels."""
        left, top, right, bottom = self.rects[place]
        pair, other = self._of_rect[place]
        across, down = (min(CUT, 1 - slack / side) if slack else CUT for side in (right - left, bottom - top))
        rows = self.rows[(self.rows > top) & (self.rows < bottom) & (self._across[:, other] >= across)]
        return rows, self.columns[(self.columns > left) & (self.columns < right) & (self._down[:, pair] >= down)]


def _steps(picture: np.ndarray, axis: int) -> np.ndarray:
    """Where a pixel differs from the one before it along ``axis``: ``(H, W)`` uint8 0 or 1, 0 in the first."""
    result = np.zeros(picture.shape[:2], np.uint8)
    if axis == 0:
        step, place = cv2.absdiff(picture[1:], picture[:-1]), result[1:]
    else:
        step, place = cv2.absdiff(picture[:, 1:], picture[:, :-1]), result[:, 1:]
    red, green, blue = cv2.split(step)
    place[:] = cv2.max(cv2.max(red, green), blue) > STEP
    return result


def _long_edges(step: np.ndarray, along: np.ndarray, smallest: float) -> np.ndarray:
    """Long straight lines between two rows, from the steps to the next row and those along the row; uint8 0 or 1.

    Beside a line the colour stays the same for a while, above it or below: whatever a program draws around its view is
    flat. The texture of a painting has steps everywhere, and no such lines.
    """
    rough = along.copy()
    rough[1:] &= along[:-1]
    edges: np.ndarray = step & (1 - rough)
    edges = cv2.morphologyEx(edges, cv2.MORPH_OPEN, np.ones((1, RUN), np.uint8))
    edges = cv2.morphologyEx(edges, cv2.MORPH_CLOSE, np.ones((1, GAP), np.uint8))
    return cv2.morphologyEx(edges, cv2.MORPH_OPEN, np.ones((1, max(8, int(smallest / 2))), np.uint8))


def _longest(edges: np.ndarray) -> np.ndarray:
    """The places of the longest lines in ``(lines, pixels)``, rising, and the picture's own two borders."""
    total = edges.sum(1, dtype=np.int32)
    found = np.argsort(-total, kind="stable")[:LINES]
    found = found[total[found] >= SMALLEST * edges.shape[1] * BORDER]
    return np.unique(np.concatenate([[0], found, [len(edges)]]))


def _pairs(places: np.ndarray, smallest: float) -> np.ndarray:
    """Each two of them that are far enough apart, the lower one first: ``(2, N)``."""
    pairs = places[np.stack(np.triu_indices(len(places), 1))]
    return pairs[:, pairs[1] - pairs[0] >= smallest]


def _shares(edges: np.ndarray, places: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """How much of each stretch between a pair has a line, at each place: ``(places, pairs)``, 0 to 1."""
    lines = np.ones((len(places), edges.shape[1]), np.int32)
    inner = (places > 0) & (places < len(edges))
    lines[inner] = edges[places[inner]]
    sums = np.concatenate([np.zeros((len(places), 1), np.int32), lines.cumsum(1)], 1)
    return (sums[:, pairs[1]] - sums[:, pairs[0]]) / (pairs[1] - pairs[0])
