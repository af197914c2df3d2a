"""Preprocessors: a drawing or photo becomes the condition image that a ControlNet expects, white lines on black.

Each is a pure function of one picture, ``(H, W, 3)`` uint8 RGB -> ``(H, W, 3)`` uint8 RGB, on OpenCV alone. Lengths are
given in pixels of a 256 x 256 picture and grow with the picture, so that a drawing means the same at every size.
"""

from __future__ import annotations

from typing import Any, Literal

import cv2
import numpy as np
from pydantic import Field, PrivateAttr, ValidationError, field_validator, model_validator

from ..stream.base.errors import ConfigError
from ..stream.base.names import did_you_mean
from ..stream.base.passes import Passes
from ..stream.base.terminal import NOTE, notes
from ..stream.base.wording import ours
from .flats import painted
from .lines import Lines, draw_lines, draw_marks, find_lines, stretch, thin, without_specks
from .paint import BRIGHTEST, as_paint, over
from .palettes import open_palette
from .preprocessor import Preprocessor
from .scene import Depth, Normal, classes_of
from .snap import Painted, drawn_on, edges_of, read_paint
from .tone import Paper, find_paper, largest, scalar

WORKING_WIDTH = 2.5  # pixels that a line has at the size at which lines are looked for
STRANGE = 0.02  # of the picture: so much paint that is of no class is said
_STRANGE = (
    "palette {name}: nothing on the canvas has a colour of its {count} classes, so the picture goes on without them; "
    "paint with its swatches (inkstream palette export {name}), opaque, and capture without a colour filter"
)


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


class Palette(Scribble):
    """Painted classes as a network reads them, with the lines that were drawn on top; what nobody painted is black.

    Paint is snapped to the classes of a palette (``snap.read_paint``). Where two things of one class touch there is a
    line, if they were painted with the class's two paints, or parted by a line or a gap. The things of a 3D scene are
    of the classes that their names say.
    """

    palette: str = "ink-tiny"
    """ink-tiny, ade20k, coco, coco-stuff or cityscapes: inkstream palette show."""
    classes: int | None = Field(None, ge=1, le=255)
    """How many classes, from the first, the model knows, where it does not know all: others are their kin."""
    gives: Literal["auto", "both", "colours", "lines"] = "auto"
    """The colours of classes, lines, or lines over colours; auto: colours alone but for ink-tiny, which reads both."""
    borders: bool = False
    """Draw a line where two classes touch, too; else only what was drawn, and where two things of one class touch."""
    hints: Literal["open", "paint"] = "open"
    """Colours that are no class: left open, or as they are, for models that were trained to read them."""

    _said: bool = PrivateAttr(False)

    @field_validator("palette")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            return open_palette(name).name
        except ConfigError as error:
            raise ValueError(str(error)) from None

    @property
    def finds_lines(self) -> bool:
        return self._gives != "colours"

    @property
    def _gives(self) -> str:
        return self.gives if self.gives != "auto" else "both" if self.palette == "ink-tiny" else "colours"

    def lines(self, made: np.ndarray) -> np.ndarray:
        whiter = stretch(made.min(axis=2), BRIGHTEST, 255.0)
        return cv2.cvtColor(whiter, cv2.COLOR_GRAY2RGB)

    def _from(self, passes: Passes) -> np.ndarray | None:
        paint, lines = classes_of(passes, self.palette, self.classes), passes.lines()
        if paint is None or lines is None or self._gives == "colours":
            return paint
        return over(draw_lines(lines, self.line_width * _scale(lines)), paint if self._gives == "both" else None)

    def _make(self, pixels: np.ndarray) -> np.ndarray:
        return self.shown(pixels, read_paint(pixels, self.palette))

    def shown(self, pixels: np.ndarray, found: Painted) -> np.ndarray:
        """The condition image of a picture whose paint was ``found``, both (H, W, 3) uint8.

        Where something is painted, and nothing of it in a colour of the palette, that is said, once.
        """
        strange = not found.classes and found.hints.mean() > STRANGE
        if strange and not self._said:
            notes.log(NOTE, _STRANGE.format(name=self.palette, count=len(open_palette(self.palette).things)))
        self._said = strange
        if self._gives == "lines":
            return self._lines_of(pixels, found, None)
        paint = open_palette(self.palette).network(self.classes)[found.labels]
        if self.hints == "paint":
            paint[found.hints] = as_paint(found.under[found.hints])
        return paint if self._gives == "colours" else self._lines_of(pixels, found, paint)

    def _lines_of(self, pixels: np.ndarray, found: Painted, paint: np.ndarray | None) -> np.ndarray:
        lines = super()._make(drawn_on(pixels, found))
        edges = draw_lines(edges_of(found, self.borders), self.line_width * _scale(pixels))
        return over(cv2.max(lines, edges), paint)


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


PREPROCESSORS: dict[str, type[Preprocessor]] = {
    "none": Nothing,
    "canny": Canny,
    "scribble": Scribble,
    "paint": Paint,
    "palette": Palette,
    "lineart": Lineart,
    "softedge": SoftEdge,
    "invert": Invert,
    "edges": Edges,
    "depth": Depth,
    "normal": Normal,
}


def open_preprocessor(name: str, params: dict[str, Any] | None = None) -> Preprocessor:
    """Make a preprocessor from its name and parameters; both are checked at once.

    The result takes and gives ``(H, W, 3)`` uint8 RGB, and raises FrameError for anything else.
    Raises ConfigError for an unknown name or parameter, and for a value of the wrong type or out of range.
    """
    if not isinstance(name, str) or name not in PREPROCESSORS:
        known = ", ".join(PREPROCESSORS)
        raise ConfigError(f"preprocessor: got {name!r}, expected one of: {known}{did_you_mean(name, PREPROCESSORS)}")
    kind = PREPROCESSORS[name]
    if params is not None and not isinstance(params, dict):
        raise ConfigError(f"preprocessor {name}: got parameters {params!r}, expected a mapping; {_accepted(kind)}")
    try:
        return kind(**(params or {}))
    except ValidationError as error:
        raise ConfigError(*(f"preprocessor {name}: {text}" for text in _explain(kind, error))) from None


def _explain(kind: type[Preprocessor], error: ValidationError) -> list[str]:
    texts = []
    for fault in error.errors():
        key = str(fault["loc"][0]) if fault["loc"] else ""
        if fault["type"] == "extra_forbidden":
            texts.append(f"unknown parameter {key!r}; {_accepted(kind)}{did_you_mean(key, kind.model_fields)}")
        elif fault["type"] == "value_error":
            texts.append(fault["msg"].removeprefix("Value error, "))
        else:
            expected = ours(fault["msg"])
            texts.append(f"{key}: got {fault['input']!r}, {expected} (default {kind.model_fields[key].default})")
    return texts


def _accepted(kind: type[Preprocessor]) -> str:
    fields = [f"{name}={field.default}" for name, field in kind.model_fields.items()]
    return f"accepted are: {', '.join(fields)}" if fields else "it takes no parameters"


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
