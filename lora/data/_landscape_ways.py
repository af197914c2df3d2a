"""What lies in the ground of a landscape: a lake, or a river, a road or a path that winds to the viewer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ._camera import Rays
from ._canvas import Canvas, ground_distance, haze
from ._landscape_shape import FENCE_HIGH
from ._noise import mix, noise, step
from ._table import Table

if TYPE_CHECKING:
    from ._scene import Scene

PART = 12
BOUND = 15
_BANDS = {"a river": "river", "a road": "road", "a path": "path"}
_TINTS = {"road": (0.21, 0.21, 0.22), "path": (0.46, 0.37, 0.25)}


def paint_water_and_ways(
    canvas: Canvas, scenes: Sequence[Scene], light: Table, rays: Rays, layers: Any, up: Tensor
) -> None:
    """Paint them on the ground; ``light`` is over pictures, ``layers`` are the landscape's coordinates."""
    x, e, shape = layers.x, layers.e, layers.shape
    depth = ground_distance(rays) * rays.along
    bank = 0.06 * noise("smooth", x * 0.4 + shape.ridge_at, 0.3 + 0 * x)
    apart = torch.hypot((x - shape.lake_x) / shape.lake_wide, (e - shape.lake_y) / shape.lake_high)
    lake = (shape.lake > 0) & (apart < 1 + bank) & (e < -0.004)
    canvas.paint(lake, _water(canvas, light, layers, 0.62), "lake", PART, depth, up)
    away = layers.distance(e)
    middle = _middle(shape, away)
    aside = (x * away * layers.spread - middle).abs()
    for words, label in _BANDS.items():
        own = torch.tensor([words in (s.tags["water"], s.tags["way"]) for s in scenes], device=x.device)[:, None, None]
        if not own.any():
            continue
        here = own & (e < -0.006) & (aside < shape.band)
        if label == "river":
            colour = _water(canvas, light, layers, 0.5)
        else:
            grain = noise("fine", x * away * 0.2, away * 0.2) * (1 / (1 + (away / 25) ** 2))
            bare = light.sun.new_tensor(_TINTS[label])[:, None, None, None] * (1 + 0.10 * grain)
            if label == "road":
                dash = (aside < 0.035 + 0.0006 * away) & ((away % 2.4) < 1.3)
                bare = torch.where(dash, 0.62, bare)
            colour = haze(light, bare * (light.sun * 0.72 + light.air), e)
        canvas.paint(here, colour, label, PART + 1, depth, up)


def paint_bounds(canvas: Canvas, scenes: Sequence[Scene], light: Table, layers: Any) -> None:
    """A fence of posts and rails, or a hedge, across each picture that has one; a gap where a river or a way is."""
    x, e, shape = layers.x, layers.e, layers.shape
    foot = shape.fence_foot * (1 + shape.fence_slope * x)
    far = layers.distance(foot)
    aside = (x * far * layers.spread - _middle(shape, far)).abs()
    free = (shape.fence > 0) & ((shape.band == 0) | (aside > 1.5 * shape.band)) & (far < canvas.depth * 1.05)
    high = -FENCE_HIGH * foot
    b = (e - foot) / high
    for words, label in (("a fence", "fence"), ("a hedge", "bush")):
        own = torch.tensor([scene.tags["fence"] == words for scene in scenes], device=x.device)[:, None, None]
        if not own.any():
            continue
        if label == "fence":
            post = (((x / (0.9 * high)) % 1) < 0.14) & (b < 1)
            there = (b > 0) & (post | ((b - 0.42).abs() < 0.09) | ((b - 0.82).abs() < 0.09))
            tint, shade = (0.45, 0.41, 0.35), 1.0
        else:
            top = 1.0 + 0.10 * noise("soft", x / high * 0.05, 0.4 + 0 * e)
            there = (b > 0) & (b < top)
            tint, shade = (0.08, 0.22, 0.06), 0.55 + 0.5 * b.clamp(0, 1) + 0.2 * noise("fine", x / high * 0.1, b * 0.1)
        colour = light.sun.new_tensor(tint)[:, None, None, None] * (0.75 * light.sun + light.air) * shade
        canvas.paint(own & free & there, colour.expand_as(canvas.colour), label, BOUND, far + 0 * e, -layers.level)


def _middle(shape: Table, away: Tensor) -> Tensor:
    """As ``_landscape_shape.band_middle``, for pixels."""
    share = (away / 14.0).clamp_max(1.0)
    wave = torch.sin(away / shape.band_long * 2.2 + shape.band_turn) - torch.sin(shape.band_turn)
    return shape.band_x * (1 - share) + shape.band_far * away * 0.8 + shape.band_swing * share * wave


def _water(canvas: Canvas, light: Table, layers: Any, mirror: float) -> Tensor:
    """(3, B, S, S): the sky, and what stands at the horizon, upside down."""
    x, e = layers.x, layers.e
    away = 1 / (-e).clamp_min(0.004)
    waves = noise("fine", x * away**0.8 * 0.07, away**0.8 * 0.30) / (1 + (away / 30) ** 2)
    sky = mix(light.horizon, light.zenith, ((-e) * 1.9 + 0.05 * waves).clamp(0, 1) ** 0.55)
    dark = light.sun.new_tensor([0.05, 0.09, 0.07])[:, None, None, None] * (light.ambient + 0.4 * light.strength)
    shore = step(0.10, 0.02, -e)
    return mix(dark, mix(sky, dark, 0.35 * shore), (mirror + 0.25 + 0.10 * waves).clamp(0, 1))
