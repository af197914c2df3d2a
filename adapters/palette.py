"""The palette preprocessor: painted classes as networks read them, with what was drawn on them."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from pydantic import Field, PrivateAttr, field_validator

from ..stream.base.errors import ConfigError
from ..stream.base.passes import Passes
from ..stream.base.terminal import NOTE, notes
from .flood import run_on
from .lines import draw_lines, stretch
from .paint import BRIGHTEST, as_paint, over
from .palettes import open_palette
from .preprocess import Scribble
from .scene import classes_of
from .snap import Painted, drawn_on, edges_of, read_paint

STRANGE = 0.02  # of the picture: so much paint that is of no class is said
_STRANGE = (
    "palette {name}: nothing on the canvas has a colour of its {count} classes, so the picture goes on without them; "
    "paint with its swatches (inkstream palette export {name}), opaque, and capture without a colour filter"
)


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
    bare: Literal["open", "near"] = "open"
    """What nobody painted: left open, or, of pages with paint on a third or more, the class beside it, up to a line."""
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
        width = self.line_width * _unit(lines)
        return over(draw_lines(lines, width), paint if self._gives == "both" else None)

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
        if self._gives == "colours" and self.bare == "open":
            return self._colours(found, found.labels)
        lines = super()._make(drawn_on(pixels, found))
        labels = run_on(found, lines) if self.bare == "near" else found.labels
        if self._gives == "colours":
            return self._colours(found, labels)
        edges = draw_lines(edges_of(found, self.borders), self.line_width * _unit(pixels))
        lines = cv2.max(lines, edges)
        return over(lines, None if self._gives == "lines" else self._colours(found, labels))

    def _colours(self, found: Painted, labels: np.ndarray) -> np.ndarray:
        paint = open_palette(self.palette).network(self.classes)[labels]
        if self.hints == "paint":
            paint[found.hints] = as_paint(found.under[found.hints])
        return paint


def _unit(pixels: np.ndarray) -> float:
    """Pixels of this picture for one pixel at 256 x 256."""
    return (pixels.shape[0] * pixels.shape[1]) ** 0.5 / 256
