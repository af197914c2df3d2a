"""What is drawn on a sheet, however it came here: uneven light, grain, printed squares and a coloured pencil taken out.

``find_paper`` asks whether a picture has paper at all. Here that is known, so the light may vary as it likes.
"""

from __future__ import annotations

import cv2
import numpy as np

from .tone import find_paper, largest, scalar

CELL = 24  # pixels at 256 x 256; grain and printed squares are in nearly every cell of a page, a drawing is not
QUIET = 0.15  # share of the cells in which nothing is drawn, however full the page
DARK = 96  # median level below which a sheet is dark, and drawn on with light
_WIDEST = 48  # pixels at 256 x 256; ink that is narrower in any direction is not taken for a shadow


def drawn_on_sheet(pixels: np.ndarray, unit: float) -> np.ndarray:
    """How much of each pixel is drawn, ``(H, W)`` uint8: 0 on bare paper, 255 for what leaves no light of it.

    ``pixels`` is ``(H, W, 3)`` uint8 RGB, ``unit`` its pixels for one at 256 x 256.
    """
    paper = find_paper(pixels)
    if paper is not None and paper.surface is None:
        colour = np.array(paper.colour, np.float64)
        furthest = np.maximum(colour, 255 - colour)
        marks = largest(cv2.multiply(cv2.absdiff(pixels, scalar(*colour)), scalar(*(255 / furthest))))
    else:
        light = pixels if is_light(pixels) else cv2.bitwise_not(pixels)
        marks = largest(cv2.bitwise_not(cv2.divide(light, _light(light, unit), scale=255)))
    smooth = cv2.GaussianBlur(marks, (3, 3), 0)
    return _without_print(smooth, unit)


def is_light(pixels: np.ndarray) -> bool:
    """Whether a sheet, (H, W, 3) uint8, is lighter than what is drawn on it."""
    few = pixels[:: max(1, len(pixels) // 64), :: max(1, pixels.shape[1] // 64)]
    return bool(np.median(few) > DARK)


def _light(pixels: np.ndarray, unit: float) -> np.ndarray:
    """The sheet without what is drawn on it, ``(H, W, 3)`` uint8: a closing, which shadows and their edges survive."""
    height, width = pixels.shape[:2]
    shrink = max(1.0, 4 * unit)
    size = (max(8, round(width / shrink)), max(8, round(height / shrink)))
    small = cv2.medianBlur(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), 3)
    reach = 2 * max(1, round(_WIDEST * unit / shrink / 2)) + 1
    closed = cv2.morphologyEx(small, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    return cv2.resize(cv2.GaussianBlur(closed, (5, 5), 0), (width, height), interpolation=cv2.INTER_LINEAR)


def _without_print(marks: np.ndarray, unit: float) -> np.ndarray:
    """Marks less what the quietest parts of the page have too: grain, noise, printed squares."""
    side = max(4, round(CELL * unit))
    rows, columns = marks.shape[0] // side, marks.shape[1] // side
    if rows < 3 or columns < 3:
        return marks
    cells = marks[: rows * side, : columns * side].reshape(rows, side, columns, side).max(axis=(1, 3))
    everywhere = float(np.quantile(cells, QUIET))
    if everywhere < 3:
        return marks
    if float(cells.max()) < 1.8 * everywhere + 10:
        return np.zeros_like(marks)  # nothing but paper
    # Light and focus vary over a photograph, and so does the print.
    cut = 1.35 * everywhere + 3
    return cv2.subtract(marks, scalar(cut))
