"""The classes of things that scenes are made of, each with its colour, and the control image that is drawn from both.

A control image has white lines over paint: black where nothing is painted, a class's colour at 70 % brightness, or any
other colour, which says how that place should look. Paint is darker than lines and brighter than black, so that a line
is seen on everything and black paint is paint.
"""

from __future__ import annotations

import numpy as np

from ...adapters.paint import BRIGHTEST, over
from ...adapters.palettes import open_palette

CLASSES: dict[str, tuple[int, int, int]] = {  # name -> RGB, 0 to 255; the order is the number of the class
    each.name: each.paint for each in open_palette("ink-tiny").things
}
NUMBER = {name: number for number, name in enumerate(CLASSES)}
BRIGHTNESS = BRIGHTEST / 255


def colours() -> np.ndarray:
    """(classes, 3) uint8: the colour of each class as it appears in a control image."""
    return (np.array(list(CLASSES.values()), np.float32) * BRIGHTNESS).round().astype(np.uint8)


def control_image(lines: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
    """(H, W, 3) uint8 RGB of ``lines`` (H, W) uint8, white on black, over black or over the colours of ``labels``."""
    return over(lines, None if labels is None else colours()[labels])
