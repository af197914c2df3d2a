"""A captured picture becomes what the model takes: fitted to size, its paper undecided, its condition images made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...adapters import open_preprocessor
from ...adapters.paper import fill_paper
from ..base.config import StreamConfig
from ..base.frame import FitMode, Size, place


@dataclass(frozen=True, eq=False)
class Prepared:
    """One frame, ready: ``fitted`` and ``image`` (H, W, 3) uint8 RGB, one condition picture for each ControlNet."""

    fitted: np.ndarray
    image: np.ndarray
    conditions: tuple[np.ndarray, ...]


class Preparer:
    """What a configuration does to a picture before any network sees it."""

    def __init__(self, config: StreamConfig) -> None:
        """Raises ConfigError when a preprocessor or one of its parameters is unknown."""
        self.size = Size(config.width, config.height)
        self.fit: FitMode = config.fit
        self.undecided = config.paper == "undecided" and config.mode == "img2img"
        self.preprocessors: tuple[Callable[[np.ndarray], np.ndarray], ...] = tuple(
            open_preprocessor(net.preprocessor, net.preprocessor_params) for net in config.controlnets if net.enabled
        )

    def fitted(self, pixels: np.ndarray) -> np.ndarray:
        """``pixels`` (any H, any W, 3) uint8 -> (H, W, 3) uint8 at the model's size."""
        return place(Size.of(pixels), self.size, self.fit).apply(pixels)

    def prepare(self, fitted: np.ndarray) -> Prepared:
        """Everything else, for a frame that will be rendered."""
        image = fill_paper(fitted) if self.undecided else fitted
        return Prepared(fitted, image, tuple(make(fitted) for make in self.preprocessors))
