"""What things are made of, as numbers that both painters use: colours in linear light."""

from __future__ import annotations

from typing import NamedTuple

from ._thing_words import NONE

Colour = tuple[float, float, float]
TINTS: dict[str, Colour] = {
    "red": (0.60, 0.028, 0.028),
    "orange": (0.82, 0.22, 0.02),
    "yellow": (0.86, 0.58, 0.03),
    "green": (0.05, 0.29, 0.07),
    "teal": (0.02, 0.31, 0.31),
    "blue": (0.03, 0.11, 0.52),
    "purple": (0.22, 0.05, 0.38),
    "pink": (0.84, 0.27, 0.40),
    "white": (0.80, 0.79, 0.77),
    "black": (0.018, 0.018, 0.02),
    "grey": (0.27, 0.27, 0.275),
    "beige": (0.60, 0.46, 0.31),
    "brown": (0.20, 0.085, 0.035),
}
_OTHERWISE: dict[tuple[str, str], Colour] = {
    ("clay", "brown"): (0.42, 0.16, 0.075),
    ("clay", "grey"): (0.33, 0.32, 0.31),
    ("clay", "red"): (0.40, 0.075, 0.045),
    ("wood", "brown"): (0.21, 0.095, 0.040),
    ("wood", "beige"): (0.56, 0.37, 0.20),
    ("wood", "black"): (0.035, 0.030, 0.026),
    ("stone", "grey"): (0.30, 0.295, 0.285),
    ("stone", "beige"): (0.52, 0.43, 0.32),
    ("stone", "brown"): (0.25, 0.17, 0.11),
    ("marble", "green"): (0.045, 0.13, 0.08),
    ("bronze", NONE): (0.40, 0.20, 0.075),
    ("bronze", "green"): (0.17, 0.40, 0.31),
    ("gold", NONE): (1.0, 0.60, 0.18),
    ("chrome", NONE): (0.82, 0.83, 0.85),
    ("glass", NONE): (0.93, 0.97, 0.96),
    ("ice", NONE): (0.80, 0.92, 0.98),
    ("chocolate", NONE): (0.052, 0.019, 0.008),
    ("plush", "brown"): (0.34, 0.16, 0.07),
    ("fabric", "grey"): (0.22, 0.22, 0.23),
    ("glass", "purple"): (0.42, 0.12, 0.62),
}
DARK: Colour = (0.012, 0.011, 0.011)  # eyes and buttons


class Matter(NamedTuple):
    """How the fast painter shades it."""

    diffuse: float
    mirror: float  # head on; at a glance more
    metal: bool  # whether its mirror has its colour
    sharp: float  # of the sun's spot
    spot: float
    grain: float  # how much its colour varies
    clear: float = 0.0  # how much of what is behind it shines through


MATTER: dict[str, Matter] = {
    "clay": Matter(0.95, 0.0, False, 6, 0.04, 0.10),
    "plaster": Matter(0.97, 0.0, False, 4, 0.02, 0.03),
    "bronze": Matter(0.55, 0.55, True, 26, 0.55, 0.16),
    "gold": Matter(0.35, 0.80, True, 60, 1.1, 0.04),
    "chrome": Matter(0.06, 0.92, True, 120, 1.3, 0.0),
    "wood": Matter(0.92, 0.03, False, 18, 0.12, 0.30),
    "stone": Matter(0.95, 0.0, False, 4, 0.02, 0.26),
    "marble": Matter(0.88, 0.06, False, 70, 0.5, 0.20),
    "glass": Matter(0.16, 0.16, False, 160, 1.5, 0.0, 0.72),
    "ice": Matter(0.38, 0.10, False, 90, 0.9, 0.12, 0.45),
    "plastic": Matter(0.90, 0.06, False, 90, 0.8, 0.0),
    "ceramic": Matter(0.88, 0.09, False, 160, 1.1, 0.0),
    "plush": Matter(0.95, 0.0, False, 3, 0.05, 0.32),
    "fabric": Matter(0.95, 0.0, False, 3, 0.03, 0.16),
    "paper": Matter(0.97, 0.0, False, 4, 0.02, 0.05),
    "chocolate": Matter(0.88, 0.05, False, 30, 0.35, 0.03),
    "neon": Matter(0.0, 0.05, False, 40, 0.1, 0.0),
}
NEON: Colour = (0.014, 0.014, 0.017)  # the plate that its tubes lie on


def colour_in(material: str, colour: str) -> Colour:
    """What a colour's word means for a material; "none" is the material's own."""
    return _OTHERWISE.get((material, colour)) or TINTS[colour]
