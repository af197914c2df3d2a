"""One training pair, and what every set of pairs can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture, drawings of it, and what it is. All arrays have the same height and width."""

    picture: np.ndarray
    """(H, W, 3) uint8 RGB."""
    sketch: np.ndarray
    """(H, W) uint8, as a person would draw it: white lines (255) on black."""
    captions: tuple[str, ...]
    """At least one; all of them are true of the picture."""
    clean: np.ndarray | None = None
    """(H, W) uint8, its exact lines, white on black."""
    labels: np.ndarray | None = None
    """(H, W) uint8, the class of every pixel, an index of ``palette.CLASSES``."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """What it shows, by name: kind, style, colour, material, view, ground, time and so on."""


class Samples(Protocol):
    """A set of pairs in a fixed order."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Sample: ...
