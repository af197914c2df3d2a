"""What a car's surface is made of where a ray meets it: paint, glass, lamps, trim; and its wheels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from . import _car_panels as panels
from ._car_form import Form
from ._car_panels import Surface
from ._car_styles import SPOKES
from ._light import surroundings
from ._noise import dot, mirrored, mix, step, unit
from ._table import Table
from .palette import NUMBER

PAINT, WINDOW, WINDSCREEN, REAR_WINDOW, HEADLAMP, TAIL_LAMP, GRILLE, SILL, WELL, BED, PLATE = range(100, 111)
WHEEL_WIDTH = 0.25  # metres
TYRE, RIM = 120, 121  # parts of the first wheel; each other one has numbers of its own
RIM_SHARE = 0.72  # of a wheel's radius
_FIELDS = {WINDOW: panels.side_window, WINDSCREEN: panels.windscreen, REAR_WINDOW: panels.rear_window,
           HEADLAMP: panels.headlamp, TAIL_LAMP: panels.tail_lamp, GRILLE: panels.grille, PLATE: panels.plate,
           BED: panels.bed}  # fmt: skip
_BARS = {"five": 5.0, "twin": 10.0, "multi": 16.0, "mesh": 12.0, "disc": 6.0}


@dataclass(frozen=True, eq=False)
class Hits:
    """N rays that may meet a car; tables have one column for each ray."""

    direction: Tensor
    """(3, N) unit vectors."""
    distance: Tensor
    """(N,) metres."""
    camera: Table
    light: Table
    p: Table

    @property
    def point(self) -> Tensor:
        """(3, N) where they end."""
        return self.camera.eye + self.direction * self.distance

    def some(self, index: Tensor) -> Hits:
        """Those at ``index`` (M,) int64."""
        tables = (table.at(index) for table in (self.camera, self.light, self.p))
        return Hits(self.direction[:, index], self.distance[index], *tables)


class Painted(NamedTuple):
    """What N points look like."""

    colour: Tensor
    """(3, N) linear light."""
    label: Tensor
    """(N,) uint8."""
    part: Tensor
    """(N,) int32."""
    stroke: Tensor
    """(N,) bool."""


def body_colours(hits: Hits, normal: Tensor, sunlit: Tensor, form: Form) -> Painted:
    """N points on the body, from their normals (3, N), share of the sun (N,), and the form's distances there."""
    light, (x, y, _) = hits.light, hits.point
    part, stroke, handle = _parts(hits, Surface.of(hits.point, normal, form, hits.p))
    mirror = surroundings(light, mirrored(hits.direction, normal))
    glance = (1 + dot(hits.direction, normal)).clamp(0, 1)
    colour = _painted(hits, normal, sunlit, mirror, glance)
    colour = torch.where(stroke, colour * 0.35, colour)
    colour = torch.where(handle, colour * 0.5 + 0.18 * light.ambient, colour)
    glass = (part == WINDOW) | (part == WINDSCREEN) | (part == REAR_WINDOW)
    pane = colour.new_tensor([0.03, 0.035, 0.04])[:, None] + mirror * (0.16 + 0.84 * glance**4)
    colour = torch.where(glass, pane, colour)
    white = mix(
        colour.new_tensor([0.80, 0.83, 0.86])[:, None], colour.new_tensor([1.6, 1.5, 1.1])[:, None], light.night
    )
    colour = torch.where(part == HEADLAMP, white * (0.55 + 0.45 * mirror), colour)
    glow = colour.new_tensor([0.65, 0.03, 0.03])[:, None] * (0.8 + 0.8 * light.night)
    colour = torch.where(part == TAIL_LAMP, glow + 0.10 * mirror, colour)
    trim = (part == GRILLE) | (part == SILL) | (part == WELL) | (part == BED)
    dark = colour.new_tensor([0.045, 0.045, 0.048])[:, None] * (0.6 + 0.8 * light.ambient) * (0.4 + 0.6 * sunlit)
    slats = 1 + 0.9 * (torch.sin(y * 75) > 0.2) * (part == GRILLE)
    colour = torch.where(trim, dark * slats, colour)
    plate = colour.new_tensor([0.70, 0.70, 0.66])[:, None] * (light.ambient + 0.35 * light.strength * sunlit)
    colour = torch.where(part == PLATE, plate, colour)
    label = torch.full(x.shape, NUMBER["body"], dtype=torch.uint8, device=x.device)
    label = label.masked_fill(glass, NUMBER["glass"]).masked_fill(trim | (part == PLATE), NUMBER["trim"])
    label = label.masked_fill((part == HEADLAMP) | (part == TAIL_LAMP), NUMBER["light"])
    # Nobody draws the dark edge below a body twice.
    part = torch.where(part == SILL, PAINT, part)
    return Painted(colour, label, torch.where(handle, part + 50, part), stroke)


def _painted(hits: Hits, normal: Tensor, sunlit: Tensor, mirror: Tensor, glance: Tensor) -> Tensor:
    """(3, N): paint in the light, with what it mirrors as its finish wants it."""
    light, p, sun = hits.light, hits.p, hits.camera.sun
    facing = dot(normal, sun).clamp(0, 1) * sunlit
    around = light.ambient * (0.55 + 0.45 * normal[1])
    roof = (p.two_tone > 0) & (hits.point[1] > p.belt + 0.03)  # black above the belt
    paint = torch.where(roof, 0.04 * torch.ones_like(p.paint), p.paint)
    colour = paint * (facing * light.sun + around * light.sky_light) * p.diffuse
    share = p.ahead + p.glance * (0.05 + 0.95 * glance**5)
    colour = colour + mirror * share * mix(torch.ones_like(p.paint), paint * 0.45 + 0.05, p.tint)
    spot = dot(normal, unit(sun - hits.direction)).clamp(0, 1) ** p.sharp
    colour = colour + spot * p.spot * sunlit * light.strength * mix(light.sun, paint, 0.5 * p.tint)
    # A car's lower half sees the dark ground and its own shadow.
    return colour * (0.35 + 0.65 * step(0.0, 0.6, hits.point[1]))


def _parts(hits: Hits, surface: Surface) -> tuple[Tensor, Tensor, Tensor]:
    """Part (N,) int32 of each point, and whether it is in a seam or on a door handle (N,) bool."""
    part = torch.full(surface.x.shape, PAINT, dtype=torch.int32, device=surface.x.device)
    cabin = surface.form.cabin < surface.form.body - 0.005
    part = part.masked_fill(panels.low_trim(surface) > 0, SILL)
    for number, field in _FIELDS.items():
        part = part.masked_fill(field(surface) > 0, number)
    well = (surface.form.arches < surface.p.wheel * 1.14) & (surface.z < surface.p.width - 0.07)
    well &= (surface.normal[2] < 0.5) | (surface.z < 0.62 * surface.p.width)
    part = part.masked_fill(well & ~cabin & (surface.z > surface.p.width - 0.42), WELL)
    plain = part == PAINT
    wide = (0.8 * hits.camera.pixel * hits.distance - panels.SEAM).clamp_min(0.007)  # never thinner than a pixel
    stroke = (panels.seams(surface) + wide > 0) & plain & ~cabin
    return part, stroke, (panels.handle(surface) > 0) & plain


def wheel_colours(hits: Hits) -> tuple[Tensor, Painted, Tensor, Tensor]:
    """The wheels that are nearer than ``hits.distance``.

    Returns which rays (M,) int64 meet one; what they look like there; how far it is (M,); and the normals (3, M).
    """
    p, eye, (dx, dy, dz) = hits.p, hits.camera.eye, hits.direction
    nearest = hits.distance.clone()
    number = torch.full(nearest.shape, -1, dtype=torch.int32, device=nearest.device)
    side, ahead, capped = torch.zeros_like(nearest), torch.zeros_like(nearest), torch.zeros_like(nearest)
    inverse = 1 / torch.where(dz.abs() < 1e-5, 1e-5, dz)
    y = eye[1] - p.wheel
    square = (dx * dx + dy * dy).clamp_min(1e-9)
    for each, (hand, place) in enumerate([(1, p.front), (1, p.rear), (-1, p.front), (-1, p.rear)]):
        x = eye[0] - place
        half = dx * x + dy * y
        root = half * half - square * (x * x + y * y - p.wheel * p.wheel)
        wide = root.clamp_min(0).sqrt()
        into, out = (-half - wide) / square, (-half + wide) / square
        outer = hand * (p.width - 0.05)
        one, other = (outer - eye[2]) * inverse, (outer - hand * WHEEL_WIDTH - eye[2]) * inverse
        cap, beyond = torch.minimum(one, other), torch.maximum(one, other)
        begin = torch.maximum(into, cap)
        met = (root > 0) & (begin < torch.minimum(out, beyond)) & (begin > 0) & (begin < nearest)
        nearest = torch.where(met, begin, nearest)
        number = number.masked_fill(met, each)
        side = torch.where(met, float(hand), side)
        ahead = torch.where(met, place, ahead)
        capped = torch.where(met, (cap > into).float() * torch.where(one < other, 1.0, -1.0), capped)
    shown = (number >= 0).nonzero()[:, 0]
    met = replace(hits, distance=nearest).some(shown)
    surface, normal = _wheel_surface(met, number[shown], side[shown], ahead[shown], capped[shown])
    return shown, surface, met.distance, normal


def _wheel_surface(hits: Hits, number: Tensor, side: Tensor, ahead: Tensor, capped: Tensor) -> tuple[Painted, Tensor]:
    """``capped`` (N,) is 1 on the outer face, -1 on the inner one, 0 on the tread."""
    light, p, point = hits.light, hits.p, hits.point
    x, y = point[0] - ahead, point[1] - p.wheel
    share = (x * x + y * y).sqrt() / p.wheel
    count = torch.zeros_like(x)
    for name, design in SPOKES.items():
        count = torch.where(p.spokes == design, _BARS[name], count)
    turn = torch.atan2(y, x) / (2 * math.pi) * count
    broad = torch.where(p.spokes == SPOKES["disc"], 0.44, 0.22)
    spoke = ((turn - turn.floor()) - 0.5).abs() < broad + 0.12 * (share < 0.25)
    outer = capped > 0
    rim = outer & (share < RIM_SHARE)
    metal = rim & (spoke | (share < 0.16) | (share > RIM_SHARE - 0.07))
    shade = torch.where(metal, 0.55, torch.where(rim, 0.07, 0.035))
    facing = (hits.camera.sun[2] * side).clamp_min(0)
    bright = light.strength * facing * 0.8 + light.ambient * 0.75
    bright = bright * (0.78 + 0.22 * y / p.wheel) * (0.45 + 0.55 * step(0.0, 0.35, point[1]))
    sidewall = outer & ((share - 0.84).abs() < 0.05)
    shade = shade + 0.02 * sidewall
    colour = shade * bright * shade.new_tensor([1.0, 1.0, 1.03])[:, None]
    tread = 0.03 * (light.ambient + 0.3 * light.strength) * torch.ones_like(colour)
    colour = torch.where(outer, colour, tread * (0.6 + 0.4 * step(0.0, 0.5, point[1])))
    label = torch.full(number.shape, NUMBER["wheel"], dtype=torch.uint8, device=number.device)
    part = TYRE + 10 * number + rim.to(torch.int32) * (RIM - TYRE)
    flat = torch.stack([0 * x, 0 * x, side * capped.sign()])
    round_ = torch.stack([x, y, 0 * x]) / (share * p.wheel).clamp_min(1e-3)
    normal = torch.where(capped != 0, flat, unit(round_))
    return Painted(colour, label, part, torch.zeros_like(rim)), normal
