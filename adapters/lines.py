"""Finding a drawing's lines: strokes, gaps and the borders of painted areas.

Everything works on *ink*: an ``(H, W, C)`` uint8 picture that is 0 on bare paper and grows with what was put on it,
whatever the paper's colour. Results are white on black, ``(H, W)`` uint8. All functions are pure.
"""

from __future__ import annotations

import cv2
import numpy as np

from .paper import Paper, find_paper

LIGHT, DARK = 150, 90  # a channel of the paper above LIGHT, or below DARK, is drawn on in one direction only
_NEAR = np.ones((3, 3), np.uint8)
_WIDE = np.ones((5, 5), np.uint8)


def to_ink(pixels: np.ndarray, paper: Paper | None) -> np.ndarray:
    """``(H, W, 3)`` uint8 RGB -> ink, ``(H, W, 3)``, or ``(H, W)`` where all three channels are the same.

    A channel of light paper is inverted, one of dark paper stays, one of middle paper becomes the distance from it.
    Without paper the picture's median decides.
    """
    if paper is None:
        dark = float(np.median(pixels[:: max(1, len(pixels) // 32)])) < 128
        ink = pixels if dark else cv2.bitwise_not(pixels)
    else:
        side = [255 if level >= LIGHT else 0 if level <= DARK else None for level in paper.colour]
        if None in side and paper.surface is not None:
            tone = paper.tone(*pixels.shape[:2])
            for channel, value in enumerate(side):
                if value is not None:
                    tone[..., channel] = value
            ink = cv2.absdiff(pixels, tone)
        else:
            level = [own if value is None else value for own, value in zip(paper.colour, side, strict=True)]
            ink = cv2.absdiff(pixels, (*level, 0))
    first, second, third = cv2.split(ink)
    if cv2.norm(first, second, cv2.NORM_INF) <= 4 and cv2.norm(second, third, cv2.NORM_INF) <= 4:
        return second
    return ink


def split_strokes(ink: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Part ink into strokes, at most ``reach`` pixels wide, and the painted areas beneath: ``(strokes, areas)``.

    A white top-hat, whose opening is grown back into the corners of the areas it had rounded off. Strokes are relative
    to the light that the area leaves (Weber contrast), at full colour: ``(H, W)``; areas keep their channels.
    """
    opened = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((reach, reach), np.uint8))
    if opened.any():
        for _ in range(max(1, reach // 5)):
            opened = cv2.min(cv2.dilate(opened, _WIDE), ink)
    strokes = cv2.subtract(ink, opened)
    strokes = cv2.divide(strokes, cv2.max(cv2.bitwise_not(opened), 96), scale=255)
    return largest(strokes), opened


def largest(picture: np.ndarray) -> np.ndarray:
    """The largest channel of each pixel, ``(H, W)``."""
    if picture.ndim == 2:
        return picture
    first, second, third = cv2.split(picture)
    return cv2.max(cv2.max(first, second), third)


def stretch(contrast: np.ndarray, low: float, high: float) -> np.ndarray:
    """Map ``low`` and less to 0, ``high`` and more to 255."""
    return cv2.LUT(contrast, np.clip((np.arange(256) - low) * (255.0 / (high - low)), 0, 255).astype(np.uint8))


def thin(mask: np.ndarray, passes: int) -> np.ndarray:
    """Thin a mask to connected lines one pixel wide, 0 or 255; at most ``passes`` pixels are taken from each side.

    Guo and Hall, "Parallel thinning with two-subiteration algorithms" (1989), by tables over the eight neighbours.
    """
    lines = cv2.min(mask, 1)
    for _ in range(passes):
        before = lines
        for keep in _GUO_HALL:
            around = cv2.filter2D(lines, cv2.CV_8U, _AROUND, borderType=cv2.BORDER_CONSTANT)
            lines = cv2.bitwise_and(lines, cv2.LUT(around, keep))
        if not cv2.countNonZero(cv2.absdiff(lines, before)):
            break
    return cv2.multiply(lines, 255)


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


_AROUND = np.float32([[128, 1, 2], [64, 0, 4], [32, 16, 8]])
_GUO_HALL = _guo_hall()


def draw_strokes(strokes: np.ndarray, centres: np.ndarray, width: float) -> np.ndarray:
    """Redraw strokes at a steady ``width`` in pixels around their ``centres`` (1 px wide, 255).

    A stroke that is not wider keeps its own antialiased course: its blurred profile, scaled to its own height, is cut
    where it has fallen to half. A wider one is held to the neighbourhood of its centre line.
    """
    sigma = max(0.6, 0.4 * width)
    kernel = 2 * int(np.ceil(2 * sigma)) + 1
    profile = cv2.GaussianBlur(strokes, (kernel, kernel), sigma)
    profile = cv2.divide(profile, cv2.dilate(profile, _WIDE), scale=255)
    return cv2.min(stretch(profile, 75, 180), draw_lines(centres, width + 0.75))


def area_borders(areas: np.ndarray, contrast: float) -> np.ndarray:
    """Borders between painted areas, one pixel wide: Canny over the strongest channel. ``contrast`` in levels."""
    smooth = cv2.GaussianBlur(areas, (3, 3), 0)
    dx, dy = (
        cv2.Sobel(smooth, cv2.CV_16S, *order, ksize=3, borderType=cv2.BORDER_REPLICATE) for order in ((1, 0), (0, 1))
    )
    return cv2.Canny(dx, dy, 2 * contrast, 4 * contrast)


def without_specks(lines: np.ndarray, extent: float, level: int = 64) -> np.ndarray:
    """Blank whatever is not connected to a line of at least ``level`` that spans ``extent`` pixels."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(cv2.compare(lines, level, cv2.CMP_GE), connectivity=8)
    keep = np.full(count, 255, np.uint8)
    keep[stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1) < extent] = 0
    keep[0] = 0
    return cv2.bitwise_and(lines, cv2.dilate(np.take(keep, labels), _NEAR))


def draw_lines(centres: np.ndarray, width: float) -> np.ndarray:
    """Give lines one pixel wide a steady ``width`` in pixels (where they are half as bright), with soft edges."""
    sigma = max(0.45, 0.35 * width)
    kernel = 2 * int(np.ceil(2.2 * sigma)) + 1
    gain = 1.4 * sigma * (2 * np.pi) ** 0.5
    return cv2.convertScaleAbs(cv2.GaussianBlur(centres, (kernel, kernel), sigma), alpha=gain)


def scribble(
    pixels: np.ndarray, threshold: float = 0.1, line_width: float = 2.5, max_stroke: float = 10.0, specks: float = 4.0
) -> np.ndarray:
    height, width = pixels.shape[:2]
    scale = (height * width) ** 0.5 / 256
    paper = find_paper(pixels)
    # the working size is the one at which lines are about 2.5 px wide
    shrink = max(1.0, scale * line_width / 2.5)
    if shrink >= 1.25:
        size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
        work = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    else:
        shrink, work = 1.0, pixels
    unit = scale / shrink  # pixels of the working size for one pixel at 256
    reach = 2 * max(1, int(max_stroke * unit / 2)) + 1
    if paper is not None and paper.surface is not None:
        work = cv2.divide(work, paper.tone(*work.shape[:2]), scale=220)
        paper = Paper((220,220,220), paper.share, paper.noise, None)
    ink = to_ink(work, paper)
    strokes, areas = split_strokes(ink, reach)
    med = lambda strokes: int(np.searchsorted(np.cumsum(cv2.calcHist([strokes], [0], None, [256], [0, 256])), strokes.size / 2))
    grain = med(strokes)
    if grain > 4:
        ink = cv2.GaussianBlur(ink, (3, 3), 0)
        strokes, areas = split_strokes(ink, reach)
        grain = med(strokes)
    low = max(0.5 * threshold * 255, 1.6 * grain)
    high = max(1.5 * threshold * 255, 2.6 * grain)
    marks = stretch(strokes, low, high)
    cen = thin(cv2.compare(marks, 96, cv2.CMP_GE), reach)
    w=line_width*unit
    if areas.max() > threshold * 255:
        gaps, beneath = split_strokes(cv2.bitwise_not(areas), reach)
        gaps = stretch(gaps, low, high)
        gcen = thin(cv2.compare(gaps, 96, cv2.CMP_GE), reach)
        borders = area_borders(cv2.bitwise_not(beneath), threshold * 255)
        borders[cv2.dilate(cv2.max(marks, gaps), _NEAR) > 64] = 0
        keep=without_specks(cv2.max(cv2.max(cen,gcen),borders), specks*unit)
        lines = cv2.max(cv2.max(draw_strokes(marks, cv2.min(cen,keep),w), draw_strokes(gaps, cv2.min(gcen,keep),w)), draw_lines(cv2.min(borders,keep),w))
    else:
        lines = draw_strokes(marks, without_specks(cen, specks * unit),w)
    if shrink > 1:
        lines = cv2.resize(lines, (width, height), interpolation=cv2.INTER_LINEAR)
    return lines
