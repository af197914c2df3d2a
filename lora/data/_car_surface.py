"""What a car's surface is made of where a ray meets it: paint, glass, lamps, trim; and its wheels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from ._car_shape import cabin_width
from ._light import surroundings
from ._noise import dot, mirrored, mix, step, unit
from ._table import Table
from .palette import NUMBER

PAINT, WINDOW, WINDSCREEN, REAR_WINDOW, HEADLAMP, TAIL_LAMP, GRILLE, SILL, WELL, BED, PLATE = range(100, 111)
WHEEL_WIDTH = 0.25  # metres
TYRE, RIM = 120, 121  # parts of the first wheel; each other one has numbers of its own
RIM_SHARE = 0.68  # of a wheel's radius


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


def body_colours(hits: Hits, normal: Tensor, sunlit: Tensor, parts: tuple[Tensor, ...]) -> Painted:
    """N points on the body, from their normals (3, N), share of the sun (N,), and distances as ``Bodies.parts``."""
    light, (x, y, _) = hits.light, hits.point
    part, stroke, handle = _parts(hits, normal, parts)
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
    dark = colour.new_tensor([0.035, 0.035, 0.038])[:, None] * (0.6 + 0.8 * light.ambient) * (0.4 + 0.6 * sunlit)
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
    colour = p.paint * (facing * light.sun + around * light.sky_light) * p.diffuse
    share = p.ahead + p.glance * (0.05 + 0.95 * glance**5)
    colour = colour + mirror * share * mix(torch.ones_like(p.paint), p.paint * 0.45 + 0.05, p.tint)
    spot = dot(normal, unit(sun - hits.direction)).clamp(0, 1) ** p.sharp
    colour = colour + spot * p.spot * sunlit * light.strength * mix(light.sun, p.paint, 0.5 * p.tint)
    # A car's lower half sees the dark ground and its own shadow.
    return colour * (0.35 + 0.65 * step(0.0, 0.6, hits.point[1]))


def _parts(hits: Hits, normal: Tensor, parts: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Part (N,) int32 of each point, and whether it is in a seam or on a door handle (N,) bool."""
    p, (x, y, z) = hits.p, hits.point
    z = z.abs()
    _, in_body, in_cabin, cabin_profile, arches = parts
    part = torch.full(x.shape, PAINT, dtype=torch.int32, device=x.device)
    cabin = in_cabin < in_body - 0.005
    sideways = normal[2].abs() > 0.62
    middle = torch.where(p.van > 0, p.screen_top - 0.75, (p.screen_top + p.roof_end) / 2 - 0.02)
    last = torch.where(p.wagon > 0, (p.roof_end + middle) / 2 - 0.1, p.roof_end - 0.02)
    pillar = ((x - middle).abs() < 0.035) | (((x - last).abs() < 0.03) & (p.four_doors > 0))
    window = cabin & sideways & (cabin_profile < -0.075) & (y > p.belt + 0.05) & ~pillar
    window &= (p.van == 0) | (x > middle)
    part = part.masked_fill(window, WINDOW)
    inner = cabin_width(y, p) - 0.07
    ahead = cabin & (z < inner)
    part = part.masked_fill(ahead & (normal[0] > 0.30) & (y > p.cowl + 0.03) & (y < p.roof - 0.07), WINDSCREEN)
    part = part.masked_fill(ahead & (normal[0] < -0.28) & (y > p.belt + 0.06) & (y < p.roof - 0.09), REAR_WINDOW)
    low = p.nose - 0.27
    lamp = ~cabin & (x > p.half - 0.38) & (y > low) & (y < p.nose - 0.09) & (z > 0.45)
    part = part.masked_fill(lamp, HEADLAMP)
    tail = ~cabin & (x < -p.half + 0.22) & (y > p.belt - 0.37) & (y < p.belt - 0.14) & (z > 0.50)
    part = part.masked_fill(tail, TAIL_LAMP)
    front = ~cabin & (x > p.half - 0.3) & (normal[0] > 0.5)
    part = part.masked_fill(front & (y > low + 0.02) & (y < p.nose - 0.12) & (z < 0.40), GRILLE)
    part = part.masked_fill(front & (y > p.clearance + 0.14) & (y < p.clearance + 0.25) & (z < 0.62), GRILLE)
    back = ~cabin & (x < -p.half + 0.2) & (normal[0] < -0.5)
    plate_at = torch.where(back, p.belt - 0.40, p.clearance + 0.33)
    part = part.masked_fill((front | back) & ((y - plate_at).abs() < 0.055) & (z < 0.26), PLATE)
    part = part.masked_fill(~cabin & (y < p.clearance + 0.10), SILL)
    well = (arches < 0.012) & (z < p.width - 0.06) & (z < 0.9) & ((normal[2].abs() < 0.5) | (z < 0.62))
    part = part.masked_fill(well & ~cabin, WELL)
    bed = (p.pickup > 0) & (x < p.rear_foot - 0.16) & (x > -p.half + 0.13) & (z < p.width - 0.2) & ~cabin
    part = part.masked_fill(bed & (y > 0.6), BED)
    stroke, handle = _seams(hits, sideways & ~cabin & (part == PAINT), middle, arches)
    return part, stroke, handle


def _seams(hits: Hits, flank: Tensor, middle: Tensor, arches: Tensor) -> tuple[Tensor, Tensor]:
    """Where doors end, and their handles; (N,) bool."""
    p, (x, y, _) = hits.p, hits.point
    wide = (0.8 * hits.camera.pixel * hits.distance).clamp_min(0.013)  # never thinner than a pixel
    bend = 0.04 * torch.sin(y * 3)
    first, last = p.screen_foot - 0.12, p.roof_end - 0.02
    end = torch.where(p.four_doors > 0, last, middle)
    high = flank & (y > p.clearance + 0.16) & (arches > 0.06)
    upright = torch.minimum((x - first - bend).abs(), (x - middle - bend).abs())
    upright = torch.minimum(upright, (x - end - bend).abs())
    below = ((y - p.clearance - 0.16).abs() < wide * 0.8) & (x < first) & (x > end) & (arches > 0.05) & flank
    handle = torch.minimum((x - middle - 0.18).abs(), (x - end - 0.18).abs()) < 0.085
    return (high & (upright < wide)) | below, handle & ((y - p.belt + 0.13).abs() < 0.024) & flank


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
    turn = torch.atan2(y, x) / (2 * math.pi) * p.spokes
    spoke = ((turn - turn.floor()) - 0.5).abs() < 0.22 + 0.12 * (share < 0.25)
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
