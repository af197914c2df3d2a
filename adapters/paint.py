"""White lines over paint: the condition image of models that read colours beside lines.

Paint is kept between the black of what nobody painted and the white of lines: a line is seen on everything, and black
paint is paint.
"""

from __future__ import annotations

import numpy as np

BRIGHTEST = 178.5  # level of white paint
DARKEST = 30.0  # level of black paint
_LEVELS = (DARKEST + np.arange(256) * (BRIGHTEST - DARKEST) / 255).round().astype(np.uint8)


def as_paint(colours: np.ndarray) -> np.ndarray:
    """Colours uint8 of any shape as paint that asks for them, uint8 of the same shape."""
    return _LEVELS[colours]


def over(lines: np.ndarray, paint: np.ndarray | None) -> np.ndarray:
    """(H, W, 3) uint8 RGB of ``lines`` (H, W) uint8, white on black, over ``paint`` (H, W, 3) uint8 or over black."""
    share = lines.astype(np.float32)[..., None] / 255
    below = 0.0 if paint is None else paint.astype(np.float32) * (1 - share)
    return np.broadcast_to(255 * share + below, (*lines.shape, 3)).round().astype(np.uint8)
