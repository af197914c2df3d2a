"""What a preprocessor is; ``preprocess`` has them all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict

from ..stream.base.passes import Passes
from .tone import check_pixels


class Preprocessor(BaseModel, ABC):
    """One preprocessor with its parameters: call it with a picture. Raises FrameError for anything but a picture."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    def __call__(self, pixels: np.ndarray, passes: Passes | None = None) -> np.ndarray:
        """``(H, W, 3)`` uint8 RGB in, the same shape and type out, C-contiguous.

        ``passes``, of the same size, are what the picture's source knows of it: who wants one of them takes it from
        there, and does not guess. Raises FrameError where something is wanted that nobody knows.
        """
        check_pixels(pixels)
        made = None if passes is None else self._from(passes)
        if made is None:
            made = self._make(np.ascontiguousarray(pixels))
        return made if made.ndim == 3 else cv2.cvtColor(made, cv2.COLOR_GRAY2RGB)

    finds_lines: ClassVar[bool] = True
    """Whether what it makes has the lines of a drawing, whatever it was drawn with."""

    def lines(self, made: np.ndarray) -> np.ndarray:
        """Only the lines of what it made, white on black: the same shape and type."""
        return made

    def _from(self, passes: Passes) -> np.ndarray | None:
        """The condition image from what is known; None where that is not enough, so that the picture is looked at."""
        return None

    @abstractmethod
    def _make(self, pixels: np.ndarray) -> np.ndarray:
        """The condition image, ``(H, W)`` or ``(H, W, 3)`` uint8, of a picture that was checked."""
