"""Trees and bushes of several kinds, always seen from their front: crowns of leaves, needles or twigs on trunks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ._camera import SUN
from ._canvas import Canvas
from ._noise import noise, step, unit
from ._table import Table


class Looks(NamedTuple):
    """How one kind looks; measures in tree heights, colours linear."""

    middle: float
    """Height of the middle of its crown."""
    wide: float
    high: float
    """Radii of its crown."""
    trunk: float
    """Half of the trunk's breadth."""
    bark: tuple[float, float, float]
    leaf: tuple[float, float, float]
    form: str = "round"


KINDS = {
    "trees": Looks(0.63, 0.33, 0.37, 0.026, (0.15, 0.095, 0.055), (0.10, 0.27, 0.07)),
    "birches": Looks(0.60, 0.21, 0.40, 0.015, (0.72, 0.70, 0.66), (0.17, 0.30, 0.07)),
    "conifers": Looks(0.53, 0.25, 0.47, 0.018, (0.16, 0.10, 0.06), (0.05, 0.17, 0.08), "cone"),
    "palms": Looks(0.86, 0.30, 0.20, 0.020, (0.30, 0.23, 0.15), (0.12, 0.27, 0.06), "palm"),
    "bare trees": Looks(0.62, 0.33, 0.38, 0.024, (0.17, 0.12, 0.09), (0.17, 0.12, 0.09), "bare"),
    "bushes": Looks(0.44, 0.62, 0.56, 0.0, (0.1, 0.1, 0.1), (0.09, 0.24, 0.06)),
}


def paint_trees(
    canvas: Canvas,
    light: Table,
    names: Sequence[str],
    across: Tensor,
    up: Tensor,
    height: Tensor,
    turn: Tensor,
    there: Tensor,
    far: Tensor,
    level: Tensor,
    part: int,
) -> None:
    """Paint one tree in each picture, of the kind that ``names`` say, where ``there`` (B, S, S) bool allows it.

    ``far`` is its distance in metres, (B, S, S) or less; ``across`` and ``up`` are measured from its foot, in units of
    ``height``; the camera looks along ``level`` (3, B, 1, 1). A tree has ``part`` for its trunk and ``part`` + 1.
    """
    for name in dict.fromkeys(names):
        if name not in KINDS:
            continue
        own = torch.tensor([each == name for each in names], device=there.device)[:, None, None]
        _paint(canvas, light, KINDS[name], across / height, up / height, turn, there & own, far, level, part,
               "bush" if name == "bushes" else "tree")  # fmt: skip


def _paint(canvas: Canvas, light: Table, looks: Looks, x: Tensor, y: Tensor, turn: Tensor, there: Tensor, far: Tensor,
           level: Tensor, part: int, label: str) -> None:  # fmt: skip
    a, b = x / looks.wide, (y - looks.middle) / looks.high
    lean = 0.10 * torch.sin(turn) * y * y if looks.form == "palm" else 0.0
    if looks.trunk:
        top = 0.62 if looks.form in ("round", "bare") else 0.86
        trunk = there & ((x - lean).abs() < looks.trunk * (1.3 - 0.6 * y)) & (y > 0) & (y < top)
        canvas.paint(trunk, _bark(light, looks, x / (looks.trunk * 1.3)), label, part, far, -level)
    inside, sunlit = _FORMS[looks.form](a - lean / looks.wide, b, turn)
    towards = (1 - a * a - b * b).clamp_min(0).sqrt()
    inside = inside & there & (y > 0)
    canvas.paint(inside, _leaves(light, looks, sunlit, b), label, part + 1, far, bulge(a, b, towards, level))


def bulge(a: Tensor, b: Tensor, towards: Tensor, level: Tensor) -> Tensor:
    """(3, B, S, S): normals in the world of a round thing, ``a`` and ``b`` (B, S, S) radii to the right and up of its
    middle, ``towards`` radii before it."""
    right = torch.stack([-level[2], torch.zeros_like(level[0]), level[0]])
    upwards = level.new_tensor([0, 1, 0])[:, None, None, None]
    return unit(a * right + b * upwards - (towards + 0.05) * level)


def _round(a: Tensor, b: Tensor, turn: Tensor) -> tuple[Tensor, Tensor]:
    """Where a crown is, and how the sun falls on it.

    ``a`` and ``b`` (..., H, W) are distances from its middle in radii, to the right and up; ``turn`` (...) in radians
    tells one tree from another. Returns bool and 0 to about 1.3, both (..., H, W).
    """
    angle = torch.atan2(b, a)
    edge = 1 + 0.06 * torch.cos(5 * angle + turn) + 0.045 * torch.cos(8 * angle + 1.7 * turn + 1)
    edge = edge + 0.03 * torch.cos(13 * angle + 2.3 * turn) + 0.018 * torch.cos(21 * angle + 0.7 * turn)
    outwards = torch.hypot(a, b) / edge
    towards = (1 - outwards * outwards).clamp_min(0).sqrt()
    return outwards < 1, _sunlit(a, b, towards, turn)


def _cone(a: Tensor, b: Tensor, turn: Tensor) -> tuple[Tensor, Tensor]:
    """A spruce: whorls that hang out over each other."""
    down = (1 - b) / 2  # 0 at the tip, 1 at the lowest whorl
    within = torch.remainder(down * 9 + 0.1 * torch.sin(turn), 1)
    edge = (down * 0.92 + 0.03) * (0.78 + 0.26 * within) * (1 + 0.06 * torch.sin(17 * a + turn))
    inside = (a.abs() < edge) & (down > 0) & (down < 1)
    share = (a / edge.clamp_min(1e-3)).clamp(-1, 1)
    towards = (1 - share * share).clamp_min(0).sqrt()
    return inside, _sunlit(share * 0.7, b * 0.3, towards, turn) * (0.72 + 0.4 * (1 - within))


def _palm(a: Tensor, b: Tensor, turn: Tensor) -> tuple[Tensor, Tensor]:
    """Fronds that bend down from the top of the trunk."""
    inside = torch.zeros_like(a + b, dtype=torch.bool)
    for k in range(9):
        reach = 0.62 + 0.38 * abs(k - 4) / 4 if k != 4 else 0.7
        way = -1.0 + 0.25 * k
        along = (a * (1 if way >= 0 else -1)).clamp_min(0) / max(abs(way), 0.22)
        lies = 0.95 * along * (1.0 - abs(way) * 0.4) - (0.55 + 0.75 * abs(way)) * along * along
        thick = 0.12 * (1 - along / max(reach, 0.1)).clamp_min(0) + 0.02
        inside = inside | ((b - lies).abs() < thick) & (along < reach) & ((a * way >= 0) if way else (a.abs() < 0.1))
    return inside, _sunlit(a * 0.5, b * 0.6, torch.full_like(a + b, 0.6), turn)


def _bare(a: Tensor, b: Tensor, turn: Tensor) -> tuple[Tensor, Tensor]:
    """Boughs that fork from the middle of the trunk."""
    inside = torch.zeros_like(a + b, dtype=torch.bool)
    for k in range(9):
        way = -1.15 + 0.29 * k
        start = -0.55 + 0.07 * ((k * 3) % 5)
        ahead = b - start
        bend = way * (ahead.clamp_min(0) ** 0.85) * (0.62 + 0.05 * torch.sin(turn + k))
        reach = 1.5 - 0.55 * abs(way) - 0.1 * (k % 2)
        thin = 0.055 * (1 - ahead / reach).clamp_min(0) + 0.012
        inside = inside | ((a - bend).abs() < thin) & (ahead > 0) & (ahead < reach)
        twig = bend + 0.5 * (1 if k % 2 else -1) * (ahead - 0.55 * reach).clamp_min(0)
        inside = inside | ((a - twig).abs() < 0.6 * thin) & (ahead > 0.55 * reach) & (ahead < reach)
    return inside, torch.full_like(a + b, 0.7)


_FORMS = {"round": _round, "cone": _cone, "palm": _palm, "bare": _bare}


def _sunlit(a: Tensor, b: Tensor, towards: Tensor, turn: Tensor) -> Tensor:
    leaves = noise("fine", a * 0.075 + 0.31 * turn, b * 0.075)
    boughs = noise("soft", a * 0.16 + 0.3 + 0.17 * turn, b * 0.16)
    length = sum(value * value for value in SUN) ** 0.5
    facing = (a * SUN[0] + b * SUN[1] + towards * SUN[2]) / length
    return (0.80 * facing + 0.30 * boughs + 0.20 * leaves + 0.20).clamp(0, 1.3) * step(-1.6, 0.4, b)


def _leaves(light: Table, looks: Looks, sunlit: Tensor, b: Tensor) -> Tensor:
    """(3, ..., H, W): the colour of a crown; ``light`` is over pictures."""
    green = light.sun.new_tensor(looks.leaf)[:, None, None, None]
    return green * (light.sun * 1.35 * sunlit + light.air * (0.75 + 0.45 * step(-1.0, 0.9, b)))


def _bark(light: Table, looks: Looks, a: Tensor) -> Tensor:
    """(3, ..., H, W): the colour of a trunk at ``a`` trunk widths to the right of its middle."""
    brown = light.sun.new_tensor(looks.bark)[:, None, None, None]
    return brown * (light.sun * step(0.6, -0.5, a) + light.air)
