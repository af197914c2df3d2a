"""Where on a car's surface its windows, lamps, grilles, plates and gaps are, for both painters.

Every function gives a field (N,) in metres that is above 0 on the part and 0 at its border.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ._car_form import Form
from ._car_styles import GRILLES, LAMPS, TAILS
from ._table import Table

SEAM = 0.0078  # metres: half of a gap between panels


class Surface(NamedTuple):
    """N points on a car: where they are, their normals, and the distances of the surfaces around."""

    x: Tensor
    y: Tensor
    z: Tensor
    """From the middle, never below 0."""
    normal: Tensor
    """(3, N); the third part looks outwards."""
    form: Form
    p: Table

    @classmethod
    def of(cls, point: Tensor, normal: Tensor, form: Form, p: Table) -> Surface:
        """From points and normals (3, N) in the world."""
        hand = point[2].sign()
        outwards = torch.stack([normal[0], normal[1], normal[2] * hand])
        return cls(point[0], point[1], point[2].abs(), outwards, form, p)


def _least(*fields: Tensor) -> Tensor:
    result = fields[0]
    for each in fields[1:]:
        result = torch.minimum(result, each)
    return result


def _box(dx: Tensor, dy: Tensor, radius: float) -> Tensor:
    """A box with round corners; ``dx`` and ``dy`` are how far inside each pair of sides."""
    a, b = (radius - dx).clamp_min(0), (radius - dy).clamp_min(0)
    return torch.minimum(torch.minimum(dx, dy), radius - (a * a + b * b).sqrt())


def on_cabin(s: Surface) -> Tensor:
    """The glass house."""
    return s.form.body - s.form.cabin - 0.004


def pillars(s: Surface) -> list[Tensor]:
    """Distances from the middles of the pillars between the side windows."""
    p, lean = s.p, 0.12 * (s.y - s.p.belt)
    none = torch.full_like(s.x, 9.0)
    second = torch.where((p.four_doors > 0) & (p.pickup == 0), (s.x - rear_door(p) + lean).abs(), none)
    long = torch.where(p.limousine > 0, (s.x - p.middle + 0.85).abs(), none)
    fourth = torch.where(p.limousine > 0, (s.x - p.middle + 1.62).abs(), none)
    bus = torch.where(p.bus > 0, (torch.remainder(s.x - p.front, 1.42) - 0.71).abs(), none)
    middle = torch.where(p.bus > 0, none, (s.x - p.middle + 0.5 * lean).abs() - 0.012)
    return [middle, second, long, fourth, bus]


def rear_door(p: Table) -> Tensor:
    """x of where the rear door's glass ends."""
    long = torch.where(p.limousine > 0, p.rear + 0.52, p.rear + 0.36)
    return torch.maximum(torch.where(p.upright > 0, p.rear + 0.20, long), p.glass_end + 0.28)


def side_window(s: Surface) -> Tensor:
    p, f = s.p, s.form
    rail = 0.070 - 0.012 * p.low + 0.02 * p.bus
    field = _least(on_cabin(s), f.glass_side + 0.05, -rail - f.roof, s.y - f.belt - 0.030, s.y - p.belt + 0.02)
    kink = torch.where(p.upright > 0, 0.18, torch.where(p.low > 0, 0.55, 0.34)) * (s.y - p.belt)
    last = torch.where(p.bus > 0, 0.10 - p.half, p.glass_end)
    field = _least(field, s.x - last - kink, p.screen_foot - 0.17 + 9 * p.bus - s.x)
    for each in pillars(s):
        field = torch.minimum(field, each - 0.024)
    field = torch.where(p.van > 0, torch.minimum(field, s.x - p.middle), field)
    return torch.where(p.roadster > 0, torch.full_like(field, -1.0), field)


def windscreen(s: Surface) -> Tensor:
    p, f = s.p, s.form
    pillar = 0.055 + 0.015 * p.upright + 0.02 * p.bus
    field = _least(on_cabin(s), -pillar - f.glass_side, f.along - p.screen_top - 0.01 * p.upright, s.y - f.belt - 0.02)
    high = torch.where(p.bus > 0, p.roof - 0.62 - s.y, p.roof - 0.052 - s.y)
    return _least(field, high, torch.where(p.roadster > 0, (s.normal[0] - 0.1) * 0.3, torch.ones_like(high)))


def rear_window(s: Surface) -> Tensor:
    p, f = s.p, s.form
    begin = torch.where((p.upright > 0) | (p.pickup > 0), p.roof_end + 0.02, p.roof_end - 0.10)
    low = torch.where(p.upright > 0, p.deck + 0.06, f.belt + 0.045)
    low = torch.where(p.mid_engine > 0, f.belt + 0.10, low)
    field = _least(on_cabin(s), -0.085 - f.glass_side, begin - f.along, s.y - low, p.roof - 0.10 - s.y)
    return torch.where(p.roadster > 0, torch.full_like(field, -1.0), field)


def _around_front(s: Surface) -> Tensor:
    """Metres from the middle around the corner of the nose."""
    return s.z + 0.85 * (s.p.half - s.x).clamp_min(0) - 0.10


def _around_rear(s: Surface) -> Tensor:
    return s.z + 0.85 * (s.p.half + s.x).clamp_min(0) - 0.08


def headlamp(s: Surface) -> Tensor:
    p, aside = s.p, _around_front(s)
    y = s.y - p.nose
    wide = p.width - 0.92
    inside = aside - 0.52 - wide
    low = 0.045 * p.low
    slim = _box(
        torch.minimum(inside, 0.62 - inside), _least(y + 0.155 - 0.13 * inside, 0.13 * inside - 0.075 - y), 0.02
    )
    drop = _box(torch.minimum(inside - 0.02, 0.60 - inside),
                _least(y + 0.20 - 0.16 * inside, 0.24 * inside - 0.085 + low - y), 0.055)  # fmt: skip
    at = 0.98 * p.width - 0.24
    ring = 0.105 - ((aside - at - 0.10) ** 2 + (y + 0.03) ** 2).sqrt()
    box = _box(torch.minimum(inside - 0.02, 0.42 - inside), _least(y + 0.20, -0.045 - y), 0.035)
    field = _chosen(p.head_design, [slim, drop, ring, box], LAMPS)
    ahead = s.x - p.half + 0.75
    return _least(field, ahead, s.form.arches - p.wheel * 1.17)


def tail_lamp(s: Surface) -> Tensor:
    p, aside = s.p, _around_rear(s)
    y = s.y - p.deck
    wide = p.width - 0.92
    inside = aside - 0.46 - wide
    slim = _box(torch.minimum(inside, 0.56 - inside), _least(y + 0.22 - 0.05 * inside, 0.05 * inside - 0.105 - y), 0.03)
    bar = _box(1.02 + wide - aside, _least(y + 0.165, -0.105 - y), 0.02)
    bar = torch.maximum(bar, _box(torch.minimum(inside - 0.02, 0.52 - inside), _least(y + 0.20, -0.10 - y), 0.025))
    tall = torch.where(p.pickup > 0, -0.02, 0.05) + 0 * y
    upright = _box(torch.minimum(inside - 0.22, 0.52 - inside), _least(y + 0.30, tall - y), 0.03)
    at = p.width - 0.28
    twin = torch.minimum((aside - at - 0.06).abs(), (aside - at + 0.16).abs())
    ring = 0.075 - (twin * twin + (y + 0.17) ** 2).sqrt()
    single = 0.075 - ((aside - at - 0.02) ** 2 + (y + 0.30) ** 2).sqrt()
    ring = torch.where(p.round > 0, single, ring)
    field = _chosen(p.tail_design, [slim, bar, upright, ring], TAILS)
    outside = torch.maximum(-s.normal[0], s.normal[2]) - 0.2  # not on the inner walls of a bed
    return _least(field, 0.50 - p.half - s.x, outside * 0.2)


def _chosen(number: Tensor, fields: list[Tensor], names: dict[str, int]) -> Tensor:
    result = fields[0]
    for value in range(1, len(names)):
        result = torch.where(number == value, fields[value], result)
    return result


def _fore(s: Surface) -> Tensor:
    return _least(s.x - s.p.half + 0.42, (s.normal[0] - 0.42) * 0.3)


def grille(s: Surface) -> Tensor:
    """The upper one, and the intake below."""
    p, z, y = s.p, s.z, s.y
    middle = p.clearance + 0.5 * (p.nose - p.clearance)
    high, low = p.nose - 0.105 - y, p.clearance + 0.105
    wide = _box(0.46 - 0.18 * (p.nose - y) - z, _least(high, y - middle - 0.035), 0.035)
    kidney = _box(_least(z - 0.018, 0.27 - z), _least(high + 0.01, y - middle - 0.05), 0.05)
    slot = _box(0.52 - z, _least(high + 0.01, y - p.nose + 0.165), 0.015)
    none = torch.full_like(z, -1.0)
    tall = _box(0.42 + 0.12 * (y - middle) - z, _least(high + 0.02, y - p.clearance - 0.27), 0.05)
    upper = _chosen(p.grille_design, [wide, kidney, slot, none, tall], GRILLES)
    upper = torch.where(p.round > 0, none, upper)
    tallest = torch.where(p.grille_design == GRILLES["upright"], p.clearance + 0.21, middle - 0.045)
    slant = 0.7 * (y - low)
    lower = _box(0.60 * p.width + 0.1 * p.low - slant * (1 - 2 * p.low) - z, _least(y - low, tallest - y), 0.03)
    vents = _box(_least(z - 0.70 * p.width - 0.05, 0.93 * p.width - z), _least(y - low - 0.02, middle + 0.03 - y), 0.03)
    lower = torch.maximum(lower, torch.where(p.low > 0, vents, none))
    lower = torch.where(p.round > 0, _box(0.34 - z, _least(y - low - 0.03, low + 0.10 - y), 0.03), lower)
    lower = torch.where(p.bus > 0, _box(0.7 - z, _least(y - 0.42, 0.66 - y), 0.03), lower)
    return torch.minimum(_fore(s), torch.maximum(upper, lower))


def plate_height(p: Table, behind: Tensor) -> Tensor:
    """Where a number plate's middle is."""
    front = torch.where(
        p.grille_design == GRILLES["upright"], p.clearance + 0.24, p.clearance + 0.48 * (p.nose - p.clearance)
    )
    low = torch.where(p.upright > 0, p.deck - 0.22, p.clearance + 0.36)
    low = torch.where((p.tail_design == TAILS["slim"]) & (p.low == 0), p.deck - 0.17, low)
    return torch.where(behind, low, front)


def plate(s: Surface) -> Tensor:
    at = plate_height(s.p, s.x < 0)
    end = _least(s.x.abs() - s.p.half + 0.30, (s.normal[0].abs() - 0.45) * 0.3)
    return _least(end, _box(0.26 - s.z, 0.056 - (s.y - at).abs(), 0.012))


def low_trim(s: Surface) -> Tensor:
    """What is dark below: sills, the splitter, the diffuser."""
    p = s.p
    behind = _least(p.clearance + 0.17 + 0.05 * p.low - s.y, 0.45 - p.half - s.x, 0.80 * p.width - s.z)
    return torch.maximum(p.clearance + 0.045 - s.y, behind)


def bed(s: Surface) -> Tensor:
    """The inside of a pickup's bed, and of an open car."""
    p = s.p
    none = torch.full_like(s.x, -1.0)
    loaded = _least(p.rear_foot - 0.13 - s.x, s.x + p.half - 0.095, p.width - 0.195 - s.z, s.y - 0.6)
    seats = _least(p.screen_foot - 0.41 - s.x, s.x - p.rear - 0.29, p.width - 0.195 - s.z, on_cabin(s) * -1 + 0.03)
    return torch.where(p.pickup > 0, loaded, torch.where(p.roadster > 0, seats, none))


def well(s: Surface) -> Tensor:
    """The openings for the wheels."""
    p = s.p
    return _least(p.wheel * 1.13 - s.form.arches, s.z - p.width + 0.37, s.form.side + 0.05)


def seams(s: Surface) -> Tensor:
    """Gaps between panels: doors, bonnet, bumpers, boot."""
    p, f, (x, y, z) = s.p, s.form, (s.x, s.y, s.z)
    nx, ny, nz = s.normal
    none = torch.full_like(x, -1.0)
    arches = f.arches - p.wheel * 1.13
    low = p.clearance + 0.115
    begin = torch.minimum(p.front - p.wheel * 1.13 - 0.14, p.screen_foot - 0.02)
    begin = torch.where(p.van > 0, p.front - p.wheel * 1.13 - 0.05, begin)
    bend = 0.05 * ((y - p.belt) / 0.5) ** 2
    lean = 0.06 * (y - p.belt)
    end = torch.where(p.four_doors > 0, p.rear + p.wheel * 1.13 - 0.10, p.middle)
    slope = torch.where((p.four_doors > 0) & (y > p.wheel), 0.30 * (y - p.belt), lean)
    upright = _least((x - begin - bend + 0.02).abs(), (x - p.middle + lean).abs())
    last = torch.where(p.four_doors > 0, (x - end + slope).abs(), upright)
    sliding = torch.where(p.van > 0, (x - p.middle + 1.12).abs(), last)
    upright = _least(upright, last, sliding)
    flank = _least((nz - 0.5) * 0.2, arches - 0.03, f.body + 0.05 - 0 * x)
    rim = _least(SEAM - (arches - 0.05).abs(), x - end, p.rear + p.wheel + 0.3 - x, y - low, end + 0.3 - x)
    door = _least(SEAM - upright, y - low, flank)
    sill = _least(SEAM - (y - low).abs(), begin + 0.05 - x, x - end, flank)
    rim = torch.where(p.four_doors > 0, _least(rim, (nz - 0.5) * 0.2), none)
    door = _least(torch.maximum(torch.maximum(door, sill), none), 1.0 - p.bus * 2 + 0 * x)
    across = 0.80 * p.width + 0.10 * (x - p.front)
    bonnet = _least(SEAM - (z - across).abs(), x - p.screen_foot, (ny - 0.35) * 0.2, p.half - 0.19 - x)
    edge = _least(SEAM - (x - p.half + 0.19 + 0.10 * z * z).abs(), across - z, (ny - 0.30) * 0.2)
    bonnet = torch.where(p.mid_engine + p.bus > 0, none, torch.maximum(bonnet, edge))
    split = p.front + p.wheel * 1.13 + 0.04 + 0.15 * (y - 0.6)
    bumper = _least(SEAM - (x - split).abs(), y - p.wheel, p.nose - 0.06 - y, (nz - 0.3) * 0.2)
    back = p.rear - p.wheel * 1.13 - 0.06 - 0.2 * (y - 0.6)
    bumper = torch.maximum(bumper, _least(SEAM - (x - back).abs(), y - p.wheel, p.deck - 0.20 - y, (nz - 0.3) * 0.2))
    lid_side = 0.72 * p.width
    lid = _least(SEAM - (z - lid_side).abs(), p.rear_foot - 0.08 - x, y - p.deck + 0.30, -0.05 - f.cabin * 0 + 0.1 * 1)
    lid = _least(lid, torch.maximum(ny, -nx) - 0.5)
    foot = _least(SEAM - (y - p.deck + 0.30).abs(), lid_side - z, (-nx - 0.4) * 0.2)
    tail = torch.where(p.upright + p.pickup > 0, torch.where(p.bus > 0, none, foot), torch.maximum(lid, foot))
    ends = torch.where(p.round > 0, none, torch.maximum(bumper, tail))
    result = torch.maximum(torch.maximum(torch.maximum(door, rim), bonnet), ends)
    return torch.minimum(result, torch.where(p.bus > 0, none, torch.ones_like(x)))


def handles(p: Table) -> list[tuple[Tensor, Tensor]]:
    """x and y of the middles of the door handles."""
    y = p.belt - 0.135
    front = p.middle + 0.17
    rear = torch.where((p.four_doors > 0), p.rear + p.wheel * 1.13 + 0.12, front)
    return [(front, y), (rear, y + 0.012)]


def handle(s: Surface) -> Tensor:
    """Where a door's handle is."""
    found = torch.full_like(s.x, -1.0)
    for x, y in handles(s.p):
        found = torch.maximum(found, _box(0.095 - (s.x - x).abs(), 0.018 - (s.y - y).abs(), 0.012))
    found = torch.where(s.p.bus > 0, torch.full_like(found, -1.0), found)
    return _least(found, (s.normal[2] - 0.5) * 0.2)
