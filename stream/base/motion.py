"""Where each pixel of a picture was in an earlier one, and what the earlier one looks like from there."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from .frame import Size


class Motion(NamedTuple):
    """Where each pixel of a picture was in an earlier one."""

    flow: np.ndarray
    """(H, W, 2) float32: what is seen at (x, y) was at (x + flow[0], y + flow[1]), in pixels."""
    seen: np.ndarray
    """(H, W) bool: whether it could be seen there; False where it lay outside, or behind something."""

    @classmethod
    def turned(cls, size: Size, zoom: float, turn: float, right: float = 0.0, down: float = 0.0) -> Motion:
        """Of a picture that grew by the factor ``zoom`` and turned by ``turn`` degrees, against the clock, around its
        middle, and then went by shares of its sides to the ``right`` and ``down``."""
        middle = ((size.width - 1) / 2, (size.height - 1) / 2)
        matrix = cv2.getRotationMatrix2D(middle, turn, zoom)
        matrix[:, 2] += right * size.width, down * size.height
        back = cv2.invertAffineTransform(matrix)
        x, y = places(*size)
        here = cv2.merge([x, y])
        there = cv2.transform(here, back).astype(np.float32)
        return cls(there - here, inside(there[..., 0], there[..., 1], size))

    def warp(self, pixels: np.ndarray, interpolation: int = cv2.INTER_LINEAR, border: int | None = None) -> np.ndarray:
        """The earlier picture, (H, W) or (H, W, C), as it is seen from where the later one is. ``interpolation`` and
        ``border`` are OpenCV's; where nothing was, the picture's edge goes on."""
        x, y = places(*Size.of(self.flow))
        kept = cv2.BORDER_REPLICATE if border is None else border
        return cv2.remap(pixels, x + self.flow[..., 0], y + self.flow[..., 1], interpolation, borderMode=kept)

    def at(self, size: Size) -> Motion:
        """The same of the pictures at another size."""
        own = Size.of(self.flow)
        if own == size:
            return self
        scale = np.array([size.width / own.width, size.height / own.height], np.float32)
        flow = cv2.resize(self.flow, size, interpolation=cv2.INTER_AREA) * scale
        seen = cv2.resize(self.seen.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA) > 127
        return Motion(flow, seen)


def inside(x: np.ndarray, y: np.ndarray, size: Size) -> np.ndarray:
    """Whether each place lies in a picture, (H, W) bool."""
    return (x > -0.5) & (x < size.width - 0.5) & (y > -0.5) & (y < size.height - 0.5)


@lru_cache(maxsize=4)
def places(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Where every pixel is: its column and its row, (H, W) float32 each; not to be changed."""
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return x, y
