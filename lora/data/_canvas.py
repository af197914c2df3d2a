"""What a picture is painted on: colour, class, lines, depth and normal of every pixel; and the background of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ._camera import Rays
from ._light import sky
from ._noise import mix, noise, scatter, step
from ._place_words import BEHIND_CLASSES
from ._table import Table
from .grammar import INSIDE
from .palette import NUMBER

if TYPE_CHECKING:
    from ._scene import Scene

HILLS_AWAY = 800.0  # metres
_HILL_TINTS = {"road": (0.20, 0.30, 0.22), "grass": (0.14, 0.30, 0.14), "sand": (0.55, 0.40, 0.28)}
_BEHIND_TINTS = {"a forest": (0.07, 0.17, 0.07), "mountains": (0.36, 0.36, 0.42), "a city": (0.42, 0.42, 0.45)}
_HILL_TINTS |= {"snow": (0.72, 0.77, 0.86), **dict.fromkeys((*INSIDE, "table"), (0.0, 0.0, 0.0))}
_HILL_TINTS |= dict.fromkeys(("city street", "mountain road", "coast"), (0.20, 0.30, 0.22))


@dataclass(eq=False)
class Canvas:
    """B pictures in the making, S x S pixels; everything is painted over in place."""

    colour: Tensor
    """(3, B, S, S) linear light."""
    label: Tensor
    """(B, S, S) uint8, see ``palette.NUMBER``."""
    part: Tensor
    """(B, S, S) int32; there is a line wherever neighbours differ."""
    stroke: Tensor
    """(B, S, S) bool: lines that are no border of parts."""
    depth: Tensor
    """(B, S, S) metres along the view axis; inf in the sky."""
    normal: Tensor
    """(3, B, S, S) in the world."""

    @classmethod
    def of_sky(cls, light: Table, rays: Rays) -> Canvas:
        """Nothing but sky, whose normal looks at the camera; ``light`` is over pictures."""
        colour = sky(light, rays.across, rays.above)
        shape = colour.shape[1:]
        empty = torch.zeros(shape, device=colour.device)
        facing = -rays.camera.over_pictures().forward
        return cls(
            colour,
            empty.to(torch.uint8),
            empty.to(torch.int32),
            empty.bool(),
            torch.full_like(empty, torch.inf),
            facing.expand_as(colour).clone(),
        )

    def paint(
        self, where: Tensor, colour: Tensor, label: str, part: int | Tensor, depth: Tensor | float, normal: Tensor
    ) -> None:
        """Paint over ``where`` (B, S, S) bool; the others broadcast to (3, B, S, S) or (B, S, S)."""
        self.colour = torch.where(where, colour, self.colour)
        self.label = self.label.masked_fill(where, NUMBER[label])
        self.part = torch.where(where, part, self.part)
        self.stroke = self.stroke & ~where
        self.depth = torch.where(where, depth, self.depth)
        self.normal = torch.where(where, normal, self.normal)


def hill_height(across: Tensor, height: Tensor, place: Tensor) -> Tensor:
    """(B, 1, S) picture sizes above the horizon; ``place`` says which of all hills."""
    return height * (0.55 + 0.28 * noise("smooth", across * 0.22 + place, place * 0.37 + 0 * across)).clamp_min(0.25)


def paint_hills(canvas: Canvas, scenes: Sequence[Scene], light: Table, rays: Rays, shape: Table) -> None:
    """What closes the picture behind a thing, as its scene's ``hills`` and ``hills_at`` say: hills, or what its tag
    ``behind`` says; ``light`` and ``shape`` are over pictures."""
    camera = rays.camera.over_pictures()
    lying = 0.8 * camera.level.new_tensor([0, 1, 0])[:, None, None, None] - 0.6 * camera.level
    names = [scene.tags.get("behind", "hills") for scene in scenes]
    for name in dict.fromkeys(names):
        if name not in BEHIND_CLASSES:
            continue
        height, folds = _behind(name, rays.across, rays.above, shape)
        own = torch.tensor([each == name for each in names], device=height.device)[:, None, None]
        here = (rays.above > 0) & (rays.above < height) & (shape.hills > 0) & own
        tints = [_BEHIND_TINTS.get(name, _HILL_TINTS[scene.tags["ground"]]) for scene in scenes]
        bare = torch.tensor(tints, device=height.device).T[..., None, None]
        colour = bare * (light.ambient * 0.9 + 0.3 * light.strength) * (1 + folds)
        colour = mix(colour, light.horizon, 0.45 - 0.12 * (rays.above / height.clamp_min(1e-3)))
        canvas.paint(here, colour, BEHIND_CLASSES[name], 2, HILLS_AWAY, lying)


def _behind(name: str, across: Tensor, above: Tensor, shape: Table) -> tuple[Tensor, Tensor]:
    """(B, 1, S) picture sizes above the horizon, and (B, S, S) how much brighter it is where."""
    at = shape.hills_at
    if name == "a city":
        cell = (across * 17 + 9 * at).floor()
        top = shape.hills * (0.25 + 0.75 * scatter(cell, cell + (7 * at).floor()))
        panes = ((above * 110) % 1 > 0.5) & ((across * 120) % 1 > 0.45)
        return top, 0.35 * scatter(cell, cell + 3) - 0.15 * panes
    if name == "a forest":
        top = shape.hills * (0.72 + 0.05 * noise("soft", across * 0.5 + at, at + 0 * across))
        top = top * (1 + 0.13 * (torch.sin(across * 83 + 9 * at).abs() + 0.5 * torch.sin(across * 47 + 5 * at).abs()))
        return top, 0.22 * noise("fine", across * 0.9, (top - above) * 1.2)
    if name == "mountains":
        top = shape.hills * (0.62 + 0.30 * noise("soft", across * 0.22 + at, 0.3 + 0 * across)).clamp_min(0.2)
        return top, 0.30 * noise("soft", across * 0.9 + 0.3 * (top - above), (top - above) * 0.8)
    top = hill_height(across, shape.hills, at)
    return top, 0.10 * noise("soft", across * 0.8 + 0.13, (top - above) * 1.7)


def ground_colour(names: Sequence[str], light: Table, across: Tensor, above: Tensor) -> Tensor:
    """(3, B, S, S): the bare colour of each picture's ground.

    The texture follows from the place in the picture alone, as if every camera stood at the same height.
    """
    size = across.shape[-1]
    away = 1 / (-above).clamp_min(0.004)  # (B, S, 1), as if in metres
    result = (light.ground + 0 * above + 0 * across).contiguous()  # (3, B, S, S)
    for name in dict.fromkeys(names):
        rows = [index for index, each in enumerate(names) if each == name]
        if name not in INSIDE:
            beside = across.expand(len(names), -1, -1)[rows]
            shade = _TEXTURES[name](beside * away[rows], away[rows] + 0 * beside, away[rows], size)
            result[:, rows] = (result[:, rows] * shade).clamp(0, 1)
    return result


def _seen(away: Tensor, detail: float, size: int) -> Tensor:
    """1 where a texture's finest grain spans a pixel, towards 0 where it would only flicker."""
    return 1 / (1 + (away * away * detail * 512 / size / 5) ** 2)


def _road(x: Tensor, z: Tensor, away: Tensor, size: int) -> Tensor:
    grain = noise("fine", x * 0.16, z * 0.16) * _seen(away, 0.16, size)
    return 1 + 0.06 * noise("soft", x * 0.05, z * 0.05) + 0.09 * grain


def _grass(x: Tensor, z: Tensor, away: Tensor, size: int) -> Tensor:
    blades = noise("fine", x * 0.21, z * 0.15) * _seen(away, 0.15, size)
    return 1 + 0.10 * noise("soft", x * 0.07 + 0.3, z * 0.06) + 0.16 * blades


def _sand(x: Tensor, z: Tensor, away: Tensor, size: int) -> Tensor:
    bend = noise("soft", x * 0.03, z * 0.03)
    ripples = torch.sin(z * 7 + x * 2.5 + 2.5 * bend) * _seen(away, 0.05, size)
    grain = noise("fine", x * 0.2, z * 0.2) * _seen(away, 0.2, size)
    return 1 + 0.05 * bend + 0.045 * ripples + 0.05 * grain


def _snow(x: Tensor, z: Tensor, away: Tensor, size: int) -> Tensor:
    dunes = noise("soft", x * 0.04, z * 0.06)
    return 0.97 + 0.05 * dunes + 0.02 * noise("fine", x * 0.2, z * 0.2) * _seen(away, 0.2, size)


def _wood(x: Tensor, z: Tensor, away: Tensor, size: int) -> Tensor:
    fibres = noise("fine", x * 0.012 + 0.2, z * 0.33) * _seen(away, 0.33, size)
    return 1 + 0.13 * noise("soft", x * 0.01, z * 0.11) + 0.08 * fibres


_TEXTURES = {
    **dict.fromkeys(("road", "city street", "mountain road", "coast"), _road),
    "grass": _grass,
    "sand": _sand,
    "snow": _snow,
    "rocks": _sand,
    "flowers": _grass,
    "table": _wood,
}


def haze(light: Table, colour: Tensor, above: Tensor) -> Tensor:
    """The ground's colour, paler towards the horizon."""
    return mix(colour, light.horizon * 0.92, step(0.09, 0.0, -above) * 0.75 * (1 - light.studio))


def paint_ground(
    canvas: Canvas,
    scenes: Sequence[Scene],
    light: Table,
    rays: Rays,
    sunlit: Tensor,
    open_sky: Tensor,
    marks: Tensor | None = None,
) -> None:
    """The plane that things stand on.

    ``sunlit`` (B, S, S) is how much of the sun, ``open_sky`` (B, S, S) how much of the sky reaches it; ``marks``
    (B, S, S) bool are white marks on it, which are drawn as lines, too.
    """
    here = (rays.above < 0).expand_as(sunlit)
    bare = ground_colour([scene.tags["ground"] for scene in scenes], light, rays.across, rays.above)
    camera = rays.camera.over_pictures()
    part = torch.ones_like(canvas.part)
    if marks is not None:
        bare = torch.where(marks, bare * 0.2 + 0.62, bare)
        part = torch.where(marks, part + 2, part)
    lit = bare * (light.sun * camera.sun[1] * sunlit + light.air * open_sky)
    lit = haze(light, lit, rays.above)
    floor = canvas.colour * (0.45 + 0.55 * open_sky) * (0.62 + 0.38 * sunlit)
    lit = mix(lit, floor, light.studio)
    # A studio's floor goes over into its backdrop; nobody draws a line there.
    part = torch.where(light.studio > 0, torch.zeros_like(part), part)
    canvas.paint(here, lit, "ground", part, ground_distance(rays) * rays.along, _upright(canvas.normal))


def _upright(like: Tensor) -> Tensor:
    return like.new_tensor([0, 1, 0])[:, None, None, None].expand_as(like)


def ground_distance(rays: Rays) -> Tensor:
    """(B, S, S) metres along each ray to the ground; beyond the horizon very far."""
    height = rays.camera.over_pictures().eye[1]
    return height / (-rays.direction[1]).clamp_min(1e-5)
