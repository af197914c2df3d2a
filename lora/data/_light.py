"""The light of each time: the sky, what surfaces get of it, and what they mirror."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from ._noise import mix, noise, scatter, step
from ._place_words import ground_of
from ._table import Table
from .grammar import INSIDE, LAMPS_ON, STUDIO

if TYPE_CHECKING:
    from ._scene import Scene

Colour = tuple[float, float, float]  # linear light


class Time(NamedTuple):
    """How a time looks; colours are linear."""

    zenith: Colour
    horizon: Colour
    sun: Colour
    strength: float  # of the sun
    ambient: float
    clouds: float


LIGHTS = {
    "day": Time((0.16, 0.40, 0.86), (0.76, 0.88, 0.98), (1.0, 0.95, 0.85), 1.0, 0.55, 0.85),
    "sunset": Time((0.22, 0.20, 0.48), (1.0, 0.55, 0.25), (1.0, 0.62, 0.35), 0.95, 0.42, 0.8),
    "overcast": Time((0.50, 0.55, 0.61), (0.80, 0.83, 0.86), (0.8, 0.82, 0.85), 0.30, 0.75, 0.7),
    "night": Time((0.015, 0.03, 0.11), (0.10, 0.14, 0.32), (0.60, 0.65, 0.85), 0.62, 0.43, 0.0),
    "morning": Time((0.26, 0.46, 0.78), (0.98, 0.86, 0.70), (1.0, 0.86, 0.66), 0.9, 0.5, 0.7),
    "dusk": Time((0.07, 0.10, 0.32), (0.72, 0.36, 0.34), (0.70, 0.60, 0.80), 0.45, 0.42, 0.6),
    "fog": Time((0.70, 0.72, 0.75), (0.80, 0.82, 0.84), (0.85, 0.86, 0.88), 0.2, 0.75, 0.0),
    "rain": Time((0.34, 0.38, 0.43), (0.56, 0.60, 0.64), (0.7, 0.72, 0.75), 0.15, 0.62, 0.7),
    STUDIO: Time((0.62, 0.63, 0.66), (0.86, 0.86, 0.87), (1.0, 1.0, 1.0), 0.7, 0.6, 0.0),
    "showroom": Time((0.86, 0.87, 0.88), (0.92, 0.92, 0.93), (1.0, 1.0, 1.0), 0.6, 0.7, 0.0),
    "garage": Time((0.16, 0.165, 0.18), (0.26, 0.265, 0.28), (0.9, 0.95, 1.0), 0.6, 0.42, 0.0),
}
CLOUDS = {"clear sky": 0.0, "cloudy sky": 1.0}  # of a sky that is said
BACKDROPS = {STUDIO: 0.80, "showroom": 0.93, "garage": 0.34}
GROUND_TINTS = {
    "road": (0.20, 0.20, 0.21),
    "grass": (0.13, 0.30, 0.06),
    "sand": (0.72, 0.56, 0.34),
    "snow": (0.84, 0.88, 0.94),
    **dict.fromkeys(("city street", "mountain road", "coast"), (0.20, 0.20, 0.21)),
    STUDIO: (0.62, 0.62, 0.64),
    "showroom": (0.74, 0.74, 0.75),
    "garage": (0.20, 0.20, 0.21),
    "table": (0.36, 0.20, 0.095),
    "rocks": (0.62, 0.50, 0.34),
    "flowers": (0.15, 0.31, 0.07),
}


def _between(a: Sequence[float], b: Sequence[float], share: float) -> list[float]:
    return [x + (y - x) * share for x, y in zip(a, b, strict=True)]


def light_of(scenes: Sequence[Scene], device: torch.device) -> Table:
    """Colours (3, B) zenith, horizon, sun (its strength included), sky_light, air (ambient light), ground; numbers (B,)
    ambient, strength, clouds, night, lamps, studio, backdrop."""
    numbers = []
    for scene in scenes:
        name = scene.tags["time"]
        time = LIGHTS[name]
        sky_light = _between(time.horizon, (1, 1, 1), 0.65)
        numbers.append(
            {
                "zenith": time.zenith,
                "horizon": time.horizon,
                "sun": [value * time.strength for value in time.sun],
                "sky_light": sky_light,
                "air": [value * time.ambient for value in _between(time.horizon, (1, 1, 1), 0.5)],
                "ground": GROUND_TINTS[scene.tags.get("ground") or ground_of(scene.tags)],
                "ambient": time.ambient,
                "strength": time.strength,
                "clouds": CLOUDS.get(scene.tags.get("sky", ""), time.clouds),
                "night": float(name == "night"),
                "lamps": float(name in LAMPS_ON),
                "studio": float(name in INSIDE),
                "backdrop": BACKDROPS.get(name, 0.0),
            }
        )
    return Table.of(numbers, device)


def sky(light: Table, across: Tensor, above: Tensor) -> Tensor:
    """(3, B, S, S): the sky, with the clouds or the stars that belong to its time.

    ``across`` (1, 1, S) and ``above`` (B, S, 1) are in picture sizes from the middle and from the horizon: clouds
    depend on the place in the picture alone. ``light`` is over pictures.
    """
    height = above.clamp_min(0)
    colour = mix(light.horizon, light.zenith, (height * 1.25).clamp(0, 1) ** 0.55) + 0 * across
    far = 1 / (height + 0.12)
    cover = noise("soft", across * far * 0.10 + 0.37, far * 0.16 + 0.05 + 0 * across)
    thick = step(0.1, 1.3, cover) * step(0.0, 0.07, height) * light.clouds
    white = mix(light.horizon, torch.ones_like(light.horizon), 0.5) * light.horizon.amax(0)
    shaded = white * (0.93 + 0.07 * step(0.4, 2.0, cover))
    colour = mix(colour, shaded, thick * 0.9)
    colour = colour + _stars(across, above) * light.night * step(0.03, 0.2, above)
    backdrop = light.backdrop - 0.22 * light.backdrop * step(0.15, 0.75, (across * across + (above - 0.1) ** 2).sqrt())
    return mix(colour, backdrop.expand(colour.shape), light.studio)


def _stars(across: Tensor, above: Tensor) -> Tensor:
    """(B, S, S): one star at most in each cell of a grid, some of them dim."""
    x, y = across * 13, above * 13
    column, row = x.floor(), y.floor()
    bright = scatter(column, row)
    aside, up = scatter(row + 7, column) * 0.8 + 0.1, scatter(column + 3, row + 11) * 0.8 + 0.1
    apart = ((x - column - aside) ** 2 + (y - row - up) ** 2).sqrt()
    return step(0.055, 0.02, apart) * step(0.55, 1.0, bright) * 0.9


def surroundings(light: Table, direction: Tensor) -> Tensor:
    """(3, ...) what a mirror sees in a direction (3, ...): sky above, ground below, dark trees at the horizon."""
    y = direction[1]
    above = mix(light.horizon, light.zenith, y.clamp(0, 1) ** 0.6)
    lamp = 1.1 * step(0.35, 0.42, y) * step(0.85, 0.75, y)
    above = mix(above, above * 0.55 + lamp, light.studio)
    below = light.ground * (0.35 + 0.4 * light.ambient) * (1 - 0.45 * step(0.0, -0.9, y))
    seen = mix(above, below, step(0.03, -0.03, y))
    dark = step(0.10, 0.04, y) * step(-0.10, -0.02, y) * (0.8 - 0.6 * light.studio)
    return seen * (1 - 0.65 * dark)


def developed(linear: Tensor) -> Tensor:
    """Linear light (...) as a picture from 0 to 1: highlights are held back, shadows lifted."""
    linear = linear.clamp(0, 4)
    return (linear / (1 + 0.18 * linear) * 1.12).clamp(0, 1) ** (1 / 1.35)
