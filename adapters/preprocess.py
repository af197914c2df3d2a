"""Preprocessors: a drawing or photo becomes the condition image that a ControlNet expects, white lines on black.

Each is a pure function of one picture, ``(H, W, 3)`` uint8 RGB -> ``(H, W, 3)`` uint8 RGB, on OpenCV alone. Lengths are
given in pixels of a 256 x 256 picture and grow with the picture, so that a drawing means the same at every size.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from pydantic import Field, model_validator

from ..stream.base.passes import Passes
from .flats import painted
from .lines import Lines, draw_lines, draw_marks, find_lines, stretch, thin, without_specks
from .paint import BRIGHTEST, as_paint, over
from .preprocessor import Preprocessor
from .tone import Paper, find_paper, largest, scalar

WORKING_WIDTH = 2.5  # pixels that a line has at the size at which lines are looked for


class Nothing(Preprocessor):
    """The picture is the condition already."""

    finds_lines = False

    def _make(self, pixels: np.ndarray) -> np.ndarray:
        return pixels


class Invert(Preprocessor):
    """Black for white and white for black."""

    finds_lines = False

    def _make(self, pixels: np.ndarray) -> np.ndarray:
        return cv2.bitwise_not(pixels)


class Canny(Preprocessor):
    """Edges one pixel wide (Canny, 1986), over the strongest colour channel."""

    low_threshold: float | None = Field(None, ge=0, le=2000)
    """Gradient above which an edge goes on, in OpenCV's units; None: 0.4 of the high threshold."""
    high_threshold: float | None = Field(None, ge=1, le=2000)
    """Gradient above which an edge starts, in OpenCV's units; None: found with Otsu's method (1979)."""
    blur: float = Field(0.8, ge=0, le=16)
    """Standard deviation of the blur before it, in pixels at 256 x 256."""

    @model_validator(mode="after")
    def _ordered(self) -> Canny:
        low, high = self.low_threshold, self.high_threshold
        if low is not None and high is not None and low > high:
            raise ValueError(f"low_threshold: got {low:g}, expected at most high_threshold = {high:g}")
        return self

    def _make(self, pixels: np.ndarray) -> np.ndarray:
        sigma = self.blur * _scale(pixels)
        smooth = cv2.GaussianBlur(pixels, (0, 0), sigma) if sigma > 0.2 else pixels
        dx = cv2.Sobel(smooth, cv2.CV_16S, 1, 0, borderType=cv2.BORDER_REPLICATE)
        dy = cv2.Sobel(smooth, cv2.CV_16S, 0, 1, borderType=cv2.BORDER_REPLICATE)
        high = self.high_threshold
        if high is None:
            high = max(_otsu_gradient(dx, dy), self.low_threshold or 0)
        low = 0.4 * high if self.low_threshold is None else self.low_threshold
        return cv2.Canny(dx, dy, low, high)


class Scribble(Preprocessor):
    """A drawing's lines at one steady width: strokes by their middle, painted areas by their outline.

    Finds ink on light, dark and middle paper, even or unevenly lit. Strokes are what a top-hat finds, thinned and drawn
    again; borders of areas come from Canny.
    """

    threshold: float = Field(0.1, ge=0.01, le=0.9)
    """Contrast from which ink is seen, 0 to 1. Paper with grain raises it."""
    line_width: float = Field(2.5, ge=0.5, le=16)
    """Width of the lines, in pixels at 256 x 256; never below about 1.5 pixels of the picture."""
    max_stroke: float = Field(9.0, ge=2, le=64)
    """Width up to which ink is a stroke, in pixels at 256 x 256; what is wider gets an outline."""
    specks: float = Field(4.0, ge=0, le=64)
    """Lines shorter than this are dropped, in pixels at 256 x 256."""

    def _make(self, pixels: np.ndarray) -> np.ndarray:
        work, unit = _at_working_size(pixels, self.line_width)
        found, centres = _centres(pixels, work, unit, self.max_stroke, self.threshold, self.specks)
        width = self.line_width * unit
        lines = draw_marks(found.contrast, centres, width)
        if found.borders is not None:
            lines = cv2.max(lines, draw_lines(cv2.min(found.borders, centres), width))
        return _at_size_of(pixels, lines)


class Paint(Scribble):
    """Those lines over what is painted, in its colours, on black: for models that were trained to read both."""

    def _make(self, pixels: np.ndarray) -> np.ndarray:
        areas = painted(pixels) > 0.5
        return over(super()._make(pixels), as_paint(pixels) * areas[..., None])

    def lines(self, made: np.ndarray) -> np.ndarray:
        whiter = stretch(made.min(axis=2), BRIGHTEST, 255.0)
        return cv2.cvtColor(whiter, cv2.COLOR_GRAY2RGB)


class Edges(Scribble):
    """The edges of the things in a 3D scene, exactly, at one steady width; else what ``scribble`` finds."""

    def _from(self, passes: Passes) -> np.ndarray | None:
        edges = passes.lines()
        return None if edges is None else draw_lines(edges, self.line_width * _scale(edges))


class Lineart(Preprocessor):
    """The drawing's own lines with their widths and greys, white on black: paper taken away, contrast stretched."""

    threshold: float = Field(0.03, ge=0.0, le=0.5)
    """Contrast up to which a pixel is paper, 0 to 1. Paper with grain raises it."""
    stretch: bool = True
    """Bring the strongest lines to full white."""
    areas: Literal["outline", "keep"] = "outline"
    """What becomes of painted areas: only their borders, or as they are."""

    def _make(self, pixels: np.ndarray) -> np.ndarray:
        paper = find_paper(pixels)
        ink = None if paper is None else self._ink(pixels, paper)
        if ink is not None and self.areas == "keep":
            return ink
        work, unit = _at_working_size(pixels, WORKING_WIDTH)
        found = find_lines(work, paper, _reach(9 * unit), 0.1)
        if found.gaps is None and ink is not None:
            return ink
        lines = _at_size_of(pixels, found.strokes)
        if ink is not None:
            lines = cv2.min(ink, stretch(lines, 0, 64))
        if found.gaps is None or found.borders is None:
            return lines
        borders = draw_lines(without_specks(found.borders, found.borders, 4 * unit), 1.8 * unit)
        return cv2.max(lines, _at_size_of(pixels, cv2.max(found.gaps, borders)))

    def _ink(self, pixels: np.ndarray, paper: Paper) -> np.ndarray:
        """How much each pixel differs from the paper, ``(H, W)`` uint8."""
        low = 255 * self.threshold + 2.5 * paper.noise
        if paper.surface is None:
            ink = largest(cv2.absdiff(pixels, scalar(*paper.colour)))
        else:
            tone = paper.tone(*pixels.shape[:2])
            ink = largest(cv2.divide(cv2.absdiff(pixels, tone), cv2.max(tone, cv2.bitwise_not(tone)), scale=255))
        high = 255.0
        if self.stretch:
            counts = cv2.calcHist([ink], [0], None, [256], [0, 256]).ravel()
            counts[: min(255, int(low) + 1)] = 0
            most = np.searchsorted(np.cumsum(counts), 0.9 * counts.sum())
            # A picture without lines must not have its grain turned into some.
            high = float(np.clip(most, low + 32, 255))
        return stretch(ink, low, max(high, low + 1))


class SoftEdge(Preprocessor):
    """Soft edges, the stronger the brighter: the look of HED (Xie and Tu, 2015) without its network.

    Where edges are is decided at one scale (centre lines of strokes, Canny for the rest), how strong they are by the
    mean gradient at three.
    """

    threshold: float = Field(0.06, ge=0.01, le=0.9)
    """Contrast from which an edge is seen, 0 to 1."""
    line_width: float = Field(3.5, ge=0.5, le=16)
    """Width of the edges, in pixels at 256 x 256."""
    safe: bool = False
    """Only four even levels of brightness, so that nothing but edges can be read out of the greys."""

    def _make(self, pixels: np.ndarray) -> np.ndarray:
        work, unit = _at_working_size(pixels, WORKING_WIDTH)
        _, edges = _centres(pixels, work, unit, 9.0, self.threshold, 4.0)
        graded = cv2.min(edges, _strength(work))
        width = self.line_width * unit
        soft = cv2.max(draw_lines(graded, width), cv2.convertScaleAbs(draw_lines(graded, 2.2 * width), alpha=0.5))
        if self.safe:
            soft = cv2.LUT(soft, (np.arange(256) * 3 // 255 * 85).astype(np.uint8))
        return _at_size_of(pixels, soft)


def _scale(pixels: np.ndarray) -> float:
    """Pixels of this picture for one pixel at 256 x 256."""
    return (pixels.shape[0] * pixels.shape[1]) ** 0.5 / 256


def _reach(width: float) -> int:
    """The odd number of pixels above a width, at least 3."""
    return 2 * max(1, int(np.ceil(width / 2))) + 1


def _at_working_size(pixels: np.ndarray, line_width: float) -> tuple[np.ndarray, float]:
    """The picture at the size at which its lines are to be looked for, and that size's pixels for one at 256 x 256."""
    scale = _scale(pixels)
    shrink = scale * line_width / WORKING_WIDTH
    if shrink < 1.25:
        return pixels, scale
    height, width = (max(1, round(side / shrink)) for side in pixels.shape[:2])
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), scale / shrink


def _at_size_of(pixels: np.ndarray, lines: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    if lines.shape == (height, width):
        return lines
    return cv2.resize(lines, (width, height), interpolation=cv2.INTER_LINEAR)


def _centres(
    pixels: np.ndarray, work: np.ndarray, unit: float, max_stroke: float, threshold: float, specks: float
) -> tuple[Lines, np.ndarray]:
    """The lines of a picture at its working size, and all their centre lines and borders without specks."""
    reach = _reach(max_stroke * unit)
    found = find_lines(work, find_paper(pixels), reach, threshold)
    bodies = found.marks
    centres = thin(bodies, reach)
    if found.borders is not None:
        centres, bodies = cv2.max(centres, found.borders), cv2.max(bodies, found.borders)
    return found, without_specks(centres, bodies, specks * unit)


def _strength(pixels: np.ndarray) -> np.ndarray:
    """Mean gradient at three scales, ``(H, W)`` uint8, spread so that the centre of a stroke has its strength.

    The square root of the contrast, so that pencil is seen beside ink.
    """
    height, width = pixels.shape[:2]
    total = np.zeros((height, width), np.uint8)
    level = cv2.GaussianBlur(pixels, (3, 3), 0)
    for gain in (0.4, 0.55, 0.7):
        change = largest(cv2.morphologyEx(level, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)))
        total = cv2.scaleAdd(cv2.resize(change, (width, height), interpolation=cv2.INTER_LINEAR), gain, total)
        level = cv2.pyrDown(level)
    root = np.sqrt(np.arange(256) / 255) * 255 + 0.5
    return cv2.LUT(cv2.dilate(total, np.ones((5, 5), np.uint8)), root.astype(np.uint8))


def _otsu_gradient(dx: np.ndarray, dy: np.ndarray) -> float:
    """A high threshold for Canny: between the weak and the strong gradients of a picture, within [60, 400]."""
    size = largest(
        cv2.addWeighted(cv2.convertScaleAbs(dx, alpha=0.25), 1.0, cv2.convertScaleAbs(dy, alpha=0.25), 1.0, 0)
    )
    counts = cv2.calcHist([size], [0], None, [256], [0, 256]).ravel().astype(np.float64)
    counts[:8] = 0  # flat parts are most of a drawing, and say nothing about its edges
    if not counts.any():
        return 400.0
    levels = np.arange(256)
    below, total = np.cumsum(counts), counts.sum()
    moment = np.cumsum(counts * levels)
    between = (moment[-1] * below - moment * total) ** 2 / np.maximum(below * (total - below), 1)
    return float(np.clip(4 * 0.6 * int(np.argmax(between)), 60, 400))
