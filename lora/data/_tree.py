"""A tree: a round crown of leaves on a trunk, always seen from its front."""

from __future__ import annotations

import torch
from torch import Tensor

from ._camera import SUN
from ._canvas import Canvas
from ._noise import noise, step, unit
from ._table import Table

TRUNK = (0.15, 0.095, 0.055)
LEAVES = (0.10, 0.27, 0.07)


def paint_tree(
    canvas: Canvas,
    light: Table,
    across: Tensor,
    up: Tensor,
    height: Tensor,
    turn: Tensor,
    there: Tensor,
    far: Tensor,
    level: Tensor,
    part: int,
) -> None:
    """Paint a tree where ``there`` (B, S, S) bool allows it; ``far`` is its distance in metres, (B, S, S) or less.

    ``across`` and ``up`` are measured from its foot, in units of ``height``; the camera looks along ``level``
    (3, B, 1, 1).
    """
    radius = height * 0.34
    a, b = across / radius, (up - height * 0.66) / radius
    trunk = there & (across.abs() < height * 0.03 * (1.25 + 0.35 * b)) & (up > 0) & (b < 0)
    canvas.paint(trunk, _bark(light, across / (height * 0.035)), "tree", part, far, -level)
    inside, sunlit = _crown(a, b, turn)
    towards = (1 - a * a - b * b).clamp_min(0).sqrt()
    canvas.paint(inside & there, _leaves(light, sunlit, b), "tree", part + 10, far, bulge(a, b, towards, level))


def bulge(a: Tensor, b: Tensor, towards: Tensor, level: Tensor) -> Tensor:
    """(3, B, S, S): normals in the world of a round thing, ``a`` and ``b`` (B, S, S) radii to the right and up of its
    middle, ``towards`` radii before it."""
    right = torch.stack([-level[2], torch.zeros_like(level[0]), level[0]])
    upwards = level.new_tensor([0, 1, 0])[:, None, None, None]
    return unit(a * right + b * upwards - (towards + 0.05) * level)


def _crown(a: Tensor, b: Tensor, turn: Tensor) -> tuple[Tensor, Tensor]:
    """Where a crown is, and how the sun falls on it.

    ``a`` and ``b`` (..., H, W) are distances from its middle in radii, to the right and up; ``turn`` (...) in radians
    tells one tree from another. Returns bool and 0 to about 1.3, both (..., H, W).
    """
    angle = torch.atan2(b, a)
    edge = 1 + 0.06 * torch.cos(5 * angle + turn) + 0.045 * torch.cos(8 * angle + 1.7 * turn + 1)
    edge = edge + 0.03 * torch.cos(13 * angle + 2.3 * turn) + 0.018 * torch.cos(21 * angle + 0.7 * turn)
    outwards = torch.hypot(a, b) / edge
    leaves = noise("fine", a * 0.075 + 0.31 * turn, b * 0.075)
    boughs = noise("soft", a * 0.16 + 0.3 + 0.17 * turn, b * 0.16)
    towards = (1 - outwards * outwards).clamp_min(0).sqrt()
    length = sum(value * value for value in SUN) ** 0.5
    facing = (a * SUN[0] + b * SUN[1] + towards * SUN[2]) / length
    sunlit = (0.80 * facing + 0.30 * boughs + 0.20 * leaves + 0.20).clamp(0, 1.3)
    return outwards < 1, sunlit * step(-1.6, 0.4, b)


def _leaves(light: Table, sunlit: Tensor, b: Tensor) -> Tensor:
    """(3, ..., H, W): the colour of a crown; ``light`` is over pictures."""
    green = light.sun.new_tensor(LEAVES)[:, None, None, None]
    return green * (light.sun * 1.35 * sunlit + light.air * (0.75 + 0.45 * step(-1.0, 0.9, b)))


def _bark(light: Table, a: Tensor) -> Tensor:
    """(3, ..., H, W): the colour of a trunk at ``a`` trunk widths to the right of its middle."""
    brown = light.sun.new_tensor(TRUNK)[:, None, None, None]
    return brown * (light.sun * step(0.6, -0.5, a) + light.air)
