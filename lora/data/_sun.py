"""The sun, or the moon, where a scene has one in its sky. It lights nothing: all light comes from the left."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch

from ._camera import Rays
from ._canvas import Canvas
from ._draws import Draws
from ._noise import mix, step
from ._table import Table
from ._thing_words import TABLE
from .grammar import INSIDE, NONE, SUNNY

if TYPE_CHECKING:
    from ._scene import Scene

SHARE = 0.2  # of scenes with a sky
PART = 3
FEWEST, MOST = 8, 10  # lines around a sun, as people draw them
_COLOURS = {  # linear light of the disc
    "day": (1.7, 1.45, 0.55),
    "sunset": (1.8, 0.85, 0.22),
    "overcast": (1.15, 1.12, 1.0),
    "night": (0.85, 0.88, 0.92),
    "morning": (1.75, 1.3, 0.7),
    "dusk": (1.3, 0.55, 0.30),
    "fog": (1.05, 1.04, 1.0),
    "rain": (0.8, 0.82, 0.85),
    **dict.fromkeys(INSIDE, (0.0, 0.0, 0.0)),
}
_SUNLESS = ("fog", "rain", *INSIDE)


def sun_shape(draws: Draws, tags: Mapping[str, str]) -> dict[str, float]:
    """Where it is, in picture sizes from the middle, and its radius; 0 where there is none."""
    outside = tags["time"] not in _SUNLESS and tags.get("ground") != TABLE
    there = outside and draws.chance("sun", SHARE)
    rays = draws.whole("sun's rays", FEWEST, 2 * MOST - FEWEST + 1)  # the upper half of these: none
    across = draws.between("sun across", -0.43, 0.43)
    side = {"left": -abs(across), "right": abs(across)}.get(tags.get("light", NONE), across)
    return {
        "sun_x": side,
        "sun_y": draws.between("sun above", 0.20, 0.42),
        "sun_size": draws.between("sun's size", *_sizes(draws)) if there else 0.0,
        "sun_rays": float(rays) if there and tags["time"] in SUNNY and rays <= MOST else 0.0,
        "sun_turn": draws.between("sun's turn", 0.0, 2 * math.pi),
    }


def _sizes(draws: Draws) -> tuple[float, float]:
    """Half of all suns are small ones, as in a photograph, the others large, as people draw them."""
    return (0.022, 0.036) if draws.chance("small sun", 0.5) else (0.04, 0.075)


def paint_sun(canvas: Canvas, scenes: Sequence[Scene], rays: Rays) -> None:
    """Paint it on a canvas of nothing but sky."""
    if not any(scene.shape["sun_size"] for scene in scenes):
        return
    shape, x, y, apart = _places(scenes, rays)
    colours = torch.tensor([_COLOURS[scene.tags["time"]] for scene in scenes], device=canvas.colour.device)
    disc = colours.T[..., None, None]  # (3, B, 1, 1)
    there = shape.sun_size > 0
    glow = 0.45 * step(3.2, 1.0, apart / shape.sun_size.clamp_min(1e-3)) ** 2 * there
    canvas.colour = mix(canvas.colour, disc.expand_as(canvas.colour), glow)
    inside = there & (apart < shape.sun_size)
    sky = torch.full_like(canvas.depth, torch.inf)
    canvas.paint(inside, disc.expand_as(canvas.colour), "sky", PART, sky, canvas.normal)
    canvas.stroke = canvas.stroke | _drawn_rays(shape, x, y, apart)


def drawn_rays(scenes: Sequence[Scene], rays: Rays) -> torch.Tensor:
    """(B, S, S) bool: the lines around each scene's sun, as people draw them."""
    return _drawn_rays(*_places(scenes, rays))


def _places(scenes: Sequence[Scene], rays: Rays) -> tuple[Table, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Measures of each sun, and how far every pixel is from it: to the right (B, 1, S), up (B, S, 1), and in all."""
    names = ("sun_x", "sun_y", "sun_size", "sun_rays", "sun_turn")
    numbers = [{name: scene.shape[name] for name in names} for scene in scenes]
    shape = Table.of(numbers, rays.across.device).over_pictures()
    x = rays.across - shape.sun_x
    y = rays.above + rays.camera.over_pictures().horizon - shape.sun_y
    return shape, x, y, (x * x + y * y).sqrt()


def _drawn_rays(shape: Table, x: torch.Tensor, y: torch.Tensor, apart: torch.Tensor) -> torch.Tensor:
    """(B, S, S) bool: short lines that point away from it."""
    between = 2 * math.pi / shape.sun_rays.clamp_min(1)
    turned = torch.atan2(y.expand_as(apart), x.expand_as(apart)) - shape.sun_turn
    aside = (torch.remainder(turned / between + 0.5, 1) - 0.5) * between * apart
    reach = apart / shape.sun_size.clamp_min(1e-3)
    return (shape.sun_rays > 0) & (aside.abs() < 0.75 / apart.shape[-1]) & (reach > 1.35) & (reach < 1.85)
