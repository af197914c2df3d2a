"""Finding a drawing's lines: strokes, gaps and the borders of painted areas.

Everything works on *ink*: an ``(H, W)`` or ``(H, W, 3)`` uint8 picture that is 0 on bare paper and grows with what was
put on it, whatever the paper's colour. Results are white on black, ``(H, W)`` uint8. All functions are pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from .tone import Paper, largest, scalar

LIGHT, DARK = 150, 90  # paper above LIGHT, or below DARK, is drawn on in one direction only
SEEN = 96  # level from which a mark is a line
_NEAR = np.ones((3, 3), np.uint8)
_WIDE = np.ones((5, 5), np.uint8)


@dataclass(frozen=True, eq=False)
class Lines:
    """What a drawing consists of, ``(H, W)`` uint8 each; ``gaps`` and ``borders`` are None when nothing is painted."""

    contrast: np.ndarray  # how far strokes and gaps stand out, with their own soft edges
    strokes: np.ndarray  # at their own width, 255 where their contrast is beyond doubt
    gaps: np.ndarray | None  # strokes of less ink: light lines across painted areas, the paper left between two of them
    borders: np.ndarray | None  # of painted areas, one pixel wide, 0 or 255

    @property
    def marks(self) -> np.ndarray:
        """Strokes and gaps together, 0 or 255, without the soft edges."""
        marks = self.strokes if self.gaps is None else cv2.max(self.strokes, self.gaps)
        return cv2.compare(marks, scalar(SEEN), cv2.CMP_GE)


def find_lines(pixels: np.ndarray, paper: Paper | None, reach: int, threshold: float) -> Lines:
    """Find the lines of an ``(H, W, 3)`` uint8 RGB picture.

    ``reach`` is the width in pixels (odd) up to which ink is a stroke rather than a painted area, ``threshold`` the
    contrast in [0, 1] from which ink is seen. Where grain or texture is everywhere, only what stands out of it counts.
    """
    ink = to_ink(pixels, paper)
    contrast, areas = split_strokes(ink, reach)
    low, high = 127 * threshold, 383 * threshold
    if paper is None:
        # A photo or a finished painting: soft edges everywhere, and what a top-hat sees in their slopes is no stroke.
        low, high = 255 * max(threshold, 0.1), 510 * max(threshold, 0.1)
    contrast = cv2.subtract(contrast, _texture(contrast, reach))
    strokes = stretch(contrast, low, high)
    if cv2.norm(areas, cv2.NORM_INF) <= 255 * threshold:
        return Lines(contrast, strokes, None, None)
    beside = cv2.dilate(cv2.compare(strokes, scalar(SEEN), cv2.CMP_GE), _WIDE)
    less, rest = split_strokes(cv2.bitwise_not(areas), max(3, reach // 4 * 2 + 1))
    # Light between two strokes is no line, and a stroke along an area is its border already.
    less = cv2.subtract(cv2.subtract(less, _texture(less, reach)), beside)
    gaps = stretch(less, low, high)
    beside = cv2.max(beside, cv2.dilate(cv2.compare(gaps, scalar(SEEN), cv2.CMP_GE), _WIDE))
    borders = cv2.subtract(area_borders(cv2.bitwise_not(rest), 255 * threshold), beside)
    return Lines(cv2.max(contrast, less), strokes, gaps, borders)


def _texture(contrast: np.ndarray, reach: int) -> np.ndarray:
    """What contrast there is all over a neighbourhood: grain of the paper, grass in a photo; ``(H, W)`` uint8.

    A median over cells, so that the few lines of a drawing do not count, and at most 48, so that many do not either.
    """
    height, width = contrast.shape
    size = (max(1, round(width / (1.5 * reach))), max(1, round(height / (1.5 * reach))))
    cells = cv2.resize(contrast, size, interpolation=cv2.INTER_AREA)
    if min(size) >= 5:
        cells = cv2.medianBlur(cells, 5)
    if not cells.any():
        return np.zeros_like(contrast)
    cells = cv2.min(cv2.convertScaleAbs(cells, alpha=2.2), scalar(48))
    return cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR)


def to_ink(pixels: np.ndarray, paper: Paper | None) -> np.ndarray:
    """``(H, W, 3)`` uint8 RGB -> ink: ``(H, W, 3)``, or ``(H, W)`` where all three channels are nearly the same.

    A channel of light paper is inverted, one of dark paper stays, one of middle paper becomes the distance from it.
    A photographed sheet is evened out first, and its channels are averaged against the camera's noise.
    Without paper the picture's median decides.
    """
    if paper is None:
        few = pixels[:: max(1, len(pixels) // 32), :: max(1, pixels.shape[1] // 32)]
        return cv2.GaussianBlur(_one_channel(pixels if np.median(few) < 128 else cv2.bitwise_not(pixels)), (3, 3), 0)
    if paper.surface is None:
        return _one_channel(cv2.absdiff(pixels, scalar(*_zero(np.array(paper.colour)))))
    level = max(paper.colour)
    even = cv2.divide(pixels, paper.tone(*pixels.shape[:2]), scale=float(level))
    # Unequal weights, so that colours as dark as one another stay apart.
    mean = cv2.transform(
        cv2.absdiff(even, scalar(*_zero(np.full(3, level)))), np.array([[0.4, 0.35, 0.25]], np.float32)
    )
    return cv2.GaussianBlur(mean, (3, 3), 0)


def _zero(paper: np.ndarray) -> np.ndarray:
    """The level of each channel at which there is no ink."""
    return np.where(paper >= LIGHT, 255.0, np.where(paper <= DARK, 0.0, paper))


def _one_channel(ink: np.ndarray) -> np.ndarray:
    first, second, third = cv2.split(ink)
    if cv2.norm(first, second, cv2.NORM_INF) <= 4 and cv2.norm(second, third, cv2.NORM_INF) <= 4:
        return second
    return ink


def split_strokes(ink: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Part ink into strokes, at most ``reach`` pixels wide, and the painted areas beneath: ``(strokes, areas)``.

    A white top-hat, whose opening is grown back into the corners that it had cut off the areas. Strokes are ``(H, W)``,
    in relation to the light that the area leaves (Weber contrast); areas keep their channels.
    """
    areas = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((reach, reach), np.uint8))
    if areas.any():
        for _ in range(max(1, reach // 5)):
            areas = cv2.min(cv2.dilate(areas, _WIDE), ink)
    strokes = cv2.divide(cv2.subtract(ink, areas), cv2.max(cv2.bitwise_not(areas), scalar(96)), scale=255)
    return largest(strokes), areas


def stretch(contrast: np.ndarray, low: float, high: float) -> np.ndarray:
    """Map ``low`` and less to 0, ``high`` and more to 255."""
    return cv2.convertScaleAbs(cv2.subtract(contrast, scalar(int(low))), alpha=255.0 / (high - int(low)))


def thin(marks: np.ndarray, reach: int) -> np.ndarray:
    """Thin marks (not 0) of up to ``reach`` pixels to connected lines one pixel wide, 0 or 255.

    Guo and Hall, "Parallel thinning with two-subiteration algorithms" (1989), by tables over the eight neighbours.
    """
    lines = cv2.min(marks, scalar(1))
    left = cv2.countNonZero(lines)
    for _ in range(reach):
        for keep in _GUO_HALL:
            around = cv2.filter2D(lines, cv2.CV_8U, _AROUND, borderType=cv2.BORDER_REPLICATE)
            lines = cv2.bitwise_and(lines, cv2.LUT(around, keep))
        before, left = left, cv2.countNonZero(lines)
        # The last few pixels are in the middle of crossings, where they do no harm.
        if before - left <= 0.003 * before:
            break
    return cv2.multiply(lines, scalar(255))


def peeled(marks: np.ndarray) -> np.ndarray:
    """Thin marks (not 0) of any width: as ``thin``, but in the order of the distance to their borders.

    So the lines of a wide brush keep their curves; ``thin`` alone makes diamonds of rings.
    """
    lines = cv2.min(marks, scalar(1))
    far = cv2.distanceTransform(lines, cv2.DIST_L2, 5)
    deepest = float(far.max())
    for depth in np.arange(1.0, deepest + 1, 0.5):
        deeper = cv2.compare(far, scalar(float(depth)), cv2.CMP_GT)
        for keep in _GUO_HALL:
            around = cv2.filter2D(lines, cv2.CV_8U, _AROUND, borderType=cv2.BORDER_REPLICATE)
            lines = cv2.bitwise_and(lines, cv2.max(cv2.LUT(around, keep), deeper))
    return thin(lines, 6)


def _guo_hall() -> tuple[np.ndarray, np.ndarray]:
    """For both sub-iterations: 1 where a pixel with these neighbours stays. Bit i is neighbour i, clockwise from N."""
    n, ne, e, se, s, sw, w, nw = ((np.arange(256) >> bit) & 1 == 1 for bit in range(8))
    crossings = sum((~a & (b | c)).astype(int) for a, b, c in ((n, ne, e), (e, se, s), (s, sw, w), (w, nw, n)))
    one = sum((a | b).astype(int) for a, b in ((nw, n), (ne, e), (se, s), (sw, w)))
    other = sum((a | b).astype(int) for a, b in ((n, ne), (e, se), (s, sw), (w, nw)))
    fewest = np.minimum(one, other)
    removable = (crossings == 1) & (fewest >= 2) & (fewest <= 3)
    first, second = (s | sw | ~nw) & w, (n | ne | ~se) & e
    return (~(removable & ~first)).astype(np.uint8), (~(removable & ~second)).astype(np.uint8)


_AROUND = np.array([[128, 1, 2], [64, 0, 4], [32, 16, 8]], np.float32)
_GUO_HALL = _guo_hall()


def area_borders(areas: np.ndarray, contrast: float) -> np.ndarray:
    """Borders between painted areas, one pixel wide, 0 or 255; ``contrast`` in levels. Canny over all channels."""
    smooth = cv2.GaussianBlur(areas, (3, 3), 0)
    dx = cv2.Sobel(smooth, cv2.CV_16S, 1, 0, borderType=cv2.BORDER_REPLICATE)
    dy = cv2.Sobel(smooth, cv2.CV_16S, 0, 1, borderType=cv2.BORDER_REPLICATE)
    return cv2.Canny(dx, dy, 2 * contrast, 4 * contrast)


def without_specks(lines: np.ndarray, bodies: np.ndarray, extent: float) -> np.ndarray:
    """Keep the lines that lie on connected ``bodies`` of at least ``extent`` pixels in either direction.

    Bodies are what is not 0; a gap of one pixel does not part them. Thin lines are judged by the marks they come from,
    because a dot's centre is a single pixel.
    """
    height, width = lines.shape
    half = cv2.resize(bodies, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)
    found: Any = cv2.connectedComponentsWithStats(half, connectivity=8)  # its stubs take labels for any numbers
    count, labels, stats, _ = found
    keep = np.full(count, 255, np.uint8)
    # A span of n cells is one of 2 n - 1 pixels on average.
    keep[2 * stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1) - 1 < extent] = 0
    keep[0] = 0
    kept = cv2.resize(np.take(keep, labels), (width, height), interpolation=cv2.INTER_NEAREST)
    return cv2.bitwise_and(lines, cv2.dilate(kept, _NEAR))


def draw_lines(centres: np.ndarray, width: float) -> np.ndarray:
    """Give lines one pixel wide a steady ``width`` in pixels (where they are half as bright), with soft edges."""
    sigma = max(0.45, 0.35 * width)
    kernel = 2 * int(np.ceil(2.2 * sigma)) + 1
    gain = 1.4 * sigma * (2 * np.pi) ** 0.5
    return cv2.convertScaleAbs(cv2.GaussianBlur(centres, (kernel, kernel), sigma), alpha=gain)


def draw_marks(contrast: np.ndarray, centres: np.ndarray, width: float) -> np.ndarray:
    """Redraw the marks that have these ``contrast`` and ``centres`` at a steady ``width`` in pixels.

    A mark that is not wider keeps its own antialiased course: its blurred profile, scaled to its own height, is cut
    where it has fallen to half. A wider one is held to the neighbourhood of its centre line.
    """
    sigma = max(0.6, 0.4 * width)
    kernel = 2 * int(np.ceil(2 * sigma)) + 1
    profile = cv2.GaussianBlur(contrast, (kernel, kernel), sigma)
    profile = cv2.divide(profile, cv2.dilate(profile, _WIDE), scale=255)
    return cv2.min(stretch(profile, 75, 180), draw_lines(centres, width + 0.75))
