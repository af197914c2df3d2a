"""The classes of things that scenes are made of, each with its colour, and the control image that is drawn from both.

A control image has white lines over paint: black where nothing is painted, a class's colour at 70 % brightness, or any
other colour, which says how that place should look. Paint is darker than lines and brighter than black, so that a line
is seen on everything and black paint is paint.
"""

from __future__ import annotations

import numpy as np

from ...adapters.paint import BRIGHTEST, over

CLASSES: dict[str, tuple[int, int, int]] = {  # name -> RGB, 0 to 255; the order is the number of the class
    "sky": (120, 180, 255),
    "ground": (128, 128, 128),
    "hill": (90, 120, 90),
    "body": (220, 20, 60),
    "glass": (0, 220, 220),
    "wheel": (30, 30, 30),
    "light": (255, 240, 80),
    "wall": (200, 140, 90),
    "roof": (150, 60, 40),
    "window": (60, 90, 200),
    "door": (110, 60, 20),
    "balcony": (200, 200, 200),
    "tree": (0, 130, 40),
    "sea": (0, 60, 180),
    "sand": (240, 210, 140),
    "grass": (110, 200, 60),
    "rock": (100, 90, 80),
    "mountain": (150, 140, 170),
    "trim": (70, 0, 80),
    "cloud": (235, 235, 245),
    "river": (40, 140, 200),
    "lake": (30, 110, 160),
    "snow": (225, 240, 250),
    "flowers": (255, 120, 190),
    "bush": (60, 160, 20),
    "road": (90, 90, 110),
    "path": (190, 170, 120),
    "fence": (170, 110, 160),
    "house": (230, 80, 50),
    "thing": (160, 60, 255),
    "table": (255, 150, 0),
}
NUMBER = {name: number for number, name in enumerate(CLASSES)}
BRIGHTNESS = BRIGHTEST / 255


def colours() -> np.ndarray:
    """(classes, 3) uint8: the colour of each class as it appears in a control image."""
    return (np.array(list(CLASSES.values()), np.float32) * BRIGHTNESS).round().astype(np.uint8)


def control_image(lines: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
    """(H, W, 3) uint8 RGB of ``lines`` (H, W) uint8, white on black, over black or over the colours of ``labels``."""
    return over(lines, None if labels is None else colours()[labels])
