"""Where each region of a picture is: a class that was painted, a colour, or a mask that somebody made.

What is painted in a colour is an area: narrow bands of it, such as the soft border between two other paints, are none,
and lines that were drawn over it take nothing of it away. A mask is placed as frames are placed, so that it fits what
the model sees. Where regions lie over each other, each has its share.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from ..stream.base.conditioning import RegionConfig
from ..stream.base.errors import ConfigError, FrameError
from ..stream.base.frame import FitMode, Size, place
from ..stream.base.names import did_you_mean, short
from ..stream.base.passes import Passes
from ..stream.base.pictures import SUFFIXES, read_mask
from .palettes import open_palette
from .scene import labels_of
from .snap import LINE, Painted, read_paint
from .tone import largest, scalar

PAINTED_WITH = "ink-tiny"  # whose paints classes have, where no preprocessor reads another palette
NEAR = 24  # levels in any channel by which paint may miss its colour
NARROW = 4.0  # pixels at 256 x 256: what is not wider than that is no area


class Regions:
    """The regions of one configuration, in pictures of one size."""

    def __init__(self, regions: Sequence[RegionConfig], palette: str, size: Size, fit: FitMode, grid: Size) -> None:
        """``palette`` is what classes are of, ``grid`` the size of latents. Raises ConfigError for a class that is
        not there, and for a mask that cannot be read."""
        self._regions, self._palette, self._grid = tuple(regions), palette, grid
        self._labels = {index: self._class(index) for index, each in enumerate(regions) if _is_class(each)}
        self._masks: dict[int, np.ndarray] = {}
        for index, each in enumerate(regions):
            if each.file is not None:
                mask = _mask(index, each.file)
                self._masks[index] = place(Size.of(mask), size, fit).apply(mask, border=0)[..., 0]

    def shares(self, pixels: np.ndarray, paint: Painted | None = None, passes: Passes | None = None) -> np.ndarray:
        """How much of each latent's place is each region's, (R, h, w) float32, a sum of at most 1; the rest is the main
        prompt's.

        ``pixels`` (H, W, 3) uint8 RGB of the size that was said. Classes are those that the picture's source says, else
        what is painted: ``paint``, where that was read already in the same palette.
        """
        found = np.zeros((len(self._regions), *self._grid[::-1]), np.float32)
        labels: np.ndarray | None = None
        for index, region in enumerate(self._regions):
            if not region.prompt or not region.strength:
                continue
            if region.colour is not None:
                place_of = 255 * painted(pixels, region.colour).view(np.uint8)
            elif index in self._masks:
                place_of = self._masks[index]
            else:
                labels = self._read(pixels, paint, passes) if labels is None else labels
                place_of = cv2.compare(labels, scalar(self._labels[index]), cv2.CMP_EQ)
            cells = cv2.resize(place_of.astype(np.float32), self._grid, interpolation=cv2.INTER_AREA)
            found[index] = cells * (region.strength / 255)
        return found / np.maximum(found.sum(0), 1)

    def _read(self, pixels: np.ndarray, paint: Painted | None, passes: Passes | None) -> np.ndarray:
        """Places in the palette, (H, W) uint8."""
        said = None if passes is None else labels_of(passes, self._palette)
        return said if said is not None else (paint or read_paint(pixels, self._palette)).labels

    def _class(self, index: int) -> int:
        name, palette = self._regions[index].where, self._palette
        places = {each.name: place for place, each in enumerate(open_palette(palette).things)}
        if name in places:
            return places[name]
        hint = did_you_mean(name, places)
        raise ConfigError(
            f"regions.{index}.where: got {short(name)}, expected a class of the palette {palette}"
            f"{hint or f' (inkstream palette show {palette})'}, a colour such as #ff0000, or a file ({SUFFIXES[0]})"
        )


def painted(pixels: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Where areas of a picture (H, W, 3) uint8 RGB have this colour, or a line on it: (H, W) bool."""
    unit = (pixels.shape[0] * pixels.shape[1]) ** 0.5 / 256
    even = cv2.medianBlur(pixels, 5)
    near = (largest(cv2.absdiff(even, scalar(*colour))) <= NEAR).astype(np.uint8)
    near = cv2.morphologyEx(near, cv2.MORPH_OPEN, _square(NARROW * unit))
    return cv2.morphologyEx(near, cv2.MORPH_CLOSE, _square(2 * LINE * unit)).view(bool)


def _square(side: float) -> np.ndarray:
    return np.ones((2 * max(1, round(side / 2)) + 1,) * 2, np.uint8)


def _is_class(region: RegionConfig) -> bool:
    return region.colour is None and region.file is None


def _mask(index: int, file: str) -> np.ndarray:
    """(H, W, 3) uint8: white is the region's."""
    path = Path(os.path.expanduser(file))
    try:
        found = path.stat()
        return _read(path, found.st_mtime_ns, found.st_size)
    except FrameError as error:
        raise ConfigError(f"regions.{index}.where: {file}: {error}") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"regions.{index}.where: {file}: cannot be read: {error}") from error


@lru_cache(maxsize=8)
def _read(path: Path, changed: int, size: int) -> np.ndarray:
    """The same file is read once, until it has changed."""
    return cv2.cvtColor(read_mask(path), cv2.COLOR_GRAY2RGB)
