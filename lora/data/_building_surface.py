"""What a building's surface is made of where a ray meets it: walls, windows, doors, roofs, balconies, chimneys."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ._facade import MATERIAL_NUMBERS, Openings, openings, tile_colour, wall_colour
from ._light import surroundings
from ._noise import dot, mirrored, mix, noise, scatter, step, unit
from ._solids import (
    ATTIC,
    BALCONY,
    BEAM,
    BED,
    BLOCK,
    CHIMNEY,
    CONE,
    FENCE,
    FLAT,
    GLAZED,
    HEDGE,
    LABELS,
    LAMP,
    LEAF,
    MARK,  # fmt: skip
    MERLON,
    PATH,
    ROAD,
    ROOF,
    ROUND,
    STONE,
    WALL,
    WATER,
)
from ._table import Table
from .palette import NUMBER

LEAST_WINDOW = 4.0  # pixels; nobody draws smaller ones
FIRST_PART = 100  # of the faces of the first solid; those of the others follow
WINDOW_PART, DOOR_PART, INNER_PART = 8000, 8001, 8002
_TONES = {  # linear colours of kinds that have always the same
    BEAM: (0.30, 0.29, 0.28), LEAF: (0.23, 0.12, 0.06), STONE: (0.56, 0.53, 0.48), HEDGE: (0.07, 0.20, 0.05),
    FENCE: (0.70, 0.68, 0.62), PATH: (0.48, 0.42, 0.33), ROAD: (0.20, 0.20, 0.21), MARK: (0.70, 0.70, 0.66),
    LAMP: (1.1, 0.95, 0.6), BED: (0.13, 0.26, 0.07),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Surface:
    """N points on buildings: vectors (3, N), numbers (N,), tables with N columns."""

    point: Tensor
    normal: Tensor
    direction: Tensor
    sunlit: Tensor
    grain: Tensor  # metres that a pixel spans there
    span: Tensor  # metres that the picture spans there
    place: Tensor  # (2, N) picture sizes from the left and from the top
    light: Table
    p: Table
    own: Table  # of the solid
    face: Tensor
    sun: Tensor

    def painted(self) -> tuple[Tensor, Tensor, Tensor]:
        """Colours (3, N), labels (N,) uint8 and parts (N,) int32."""
        kind, (x, y, z) = self.own.kind, self.point
        sideways = self.normal[0].abs() > self.normal[2].abs()
        u = torch.where(sideways, z, x)
        lit = self._lit()
        level = self.normal[1].abs() < 0.1
        walls = ((kind == WALL) | (kind == ATTIC)) & level
        walls = walls | (kind == ROUND) | (kind == BLOCK) | (kind == MERLON)
        material = torch.where((self.p.material == MATERIAL_NUMBERS["glass"]) & (kind == ATTIC), 2.0, self.p.material)
        bare = wall_colour(material, self.p.colour, u, y, self.grain, self.place, self.span)
        # Walls are darker at their foot, and below the eaves.
        eaves = self.p.eaves * ((self.p.gable == 0) | (sideways == (self.p.gable_front > 0)))
        soft = (0.70 + 0.30 * step(0.0, 1.6, y)) * (1 - 0.30 * step(0.7, 0.0, self.own.y1 - y) * eaves)
        colour = bare * lit * torch.where(kind == WALL, soft, 1.0)
        numbers = [NUMBER[LABELS[each]] for each in range(len(LABELS))]
        label = torch.tensor(numbers, dtype=torch.uint8, device=y.device)[kind.long()]
        part = self._joined(kind)
        colour, label, part = self._with_openings(walls & (kind == WALL), u, lit, colour, label, part)
        colour, label, part = self._with_roof(kind, u, lit, colour, label, part)
        colour = self._others(kind, u, y, lit, colour)
        balcony = kind == BALCONY
        colour = torch.where(balcony, self._balcony(u, y) * lit, colour)
        chimney = kind == CHIMNEY
        stack = colour.new_tensor([0.42, 0.21, 0.16])[:, None] * (1 - 0.45 * (self.own.y1 - y < 0.22))
        colour = torch.where(chimney, stack * lit, colour)
        return colour, label, part

    def _joined(self, kind: Tensor) -> Tensor:
        """(N,) int32: parts, a gable's triangle the same as the wall below it: no line parts them."""
        x, z = self.normal[0], self.normal[2]
        side = torch.where(x.abs() > z.abs(), torch.where(x > 0, 0, 1), torch.where(z > 0, 4, 5))
        face = torch.where((kind == ATTIC) & (self.normal[1].abs() < 0.1), side.to(self.face.dtype), self.face)
        return self.own.part.to(torch.int32) + torch.where(self.own.whole > 0, 0, face).to(torch.int32)

    def _others(self, kind: Tensor, u: Tensor, y: Tensor, lit: Tensor, colour: Tensor) -> Tensor:
        """(3, N): what has one tone each, and panes, water and round roofs."""
        for each, tone in _TONES.items():
            here = kind == each
            if not here.any():
                continue
            grain = 1 + (0.16 * noise("fine", u * 0.35, y * 0.35 + self.point[2] * 0.2) if each in (HEDGE, PATH) else 0)
            boards = 1 - 0.3 * (torch.remainder(u, 0.24) < 0.03) if each == LEAF else 1.0
            bare = colour.new_tensor(tone)[:, None] * grain * boards
            colour = torch.where(here, bare * (lit if each != LAMP else torch.maximum(lit, self.light.lamps)), colour)
        a, b = u * 7, (y + 0.7 * self.point[2]) * 7
        bloom = (
            (kind == BED)
            & (torch.hypot(a - a.floor() - 0.5, b - b.floor() - 0.5) < 0.3)
            & (scatter(a.floor(), b.floor()) > 0.4)
        )
        colour = torch.where(bloom, colour.new_tensor([0.75, 0.12, 0.16])[:, None] * lit, colour)
        colour = torch.where(kind == CONE, tile_colour(self.p.tile, u, y, self.grain) * lit, colour)
        seen = surroundings(self.light, mirrored(self.direction, self.normal))
        dark = seen.new_tensor([0.05, 0.06, 0.07])[:, None] * (0.5 + self.light.ambient)
        pane = dark + 0.35 * seen
        warm = seen.new_tensor([1.15, 0.84, 0.42])[:, None]
        pane = mix(pane, warm, self.light.lamps)
        along = torch.remainder(u - torch.where(self.normal[0].abs() > 0.7, self.own.z0, self.own.x0), self.own.spacing)
        bar = ((along < 0.05) | (along > self.own.spacing - 0.05)) & (self.grain < 0.06)
        colour = torch.where(kind == GLAZED, torch.where(bar, 0.25 * lit, pane), colour)
        waves = noise("fine", self.point[0] * 0.05, self.point[2] * 0.12)
        water = mix(seen.new_tensor([0.03, 0.14, 0.18])[:, None] * self.light.ambient, seen, 0.5 + 0.12 * waves)
        return torch.where(kind == WATER, water, colour)

    def _lit(self) -> Tensor:
        """(3, N): the light that a surface gets."""
        facing = dot(self.normal, self.sun).clamp(0, 1) * self.sunlit
        around = self.light.ambient * (0.62 + 0.38 * self.normal[1])
        return facing * self.light.sun * 1.05 + around * self.light.sky_light

    def _with_openings(
        self, wall: Tensor, u: Tensor, lit: Tensor, colour: Tensor, label: Tensor, part: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        sideways = self.normal[0].abs() > self.normal[2].abs()
        begin = torch.where(sideways, self.own.z0, self.own.x0)
        end = torch.where(sideways, self.own.z1, self.own.x1)
        glass = self.p.material == MATERIAL_NUMBERS["glass"]
        plan = {
            "width": end - begin,
            "height": self.own.y1 - self.own.y0,
            "floors": self.own.floors,
            "spacing": self.own.spacing,
            "door": self.own.door == self.face + 1,
        }
        found = openings(u - begin, self.point[1] - self.own.y0, plan, self.p.style, glass)
        window, frame, door = wall & found.window, wall & found.frame, wall & found.door
        pane = self._pane(found, glass)
        colour = torch.where(window, pane, colour)
        white = colour.new_tensor([0.80, 0.80, 0.77])[:, None]
        metal = colour.new_tensor([0.30, 0.32, 0.34])[:, None]
        colour = torch.where(frame, torch.where(glass, metal, white) * lit, colour)
        colour = torch.where(wall & found.sill, white * 0.85 * lit, colour)
        boards = 1 - 0.25 * (torch.sin(self.point[1] * 14) > 0.9) * (self.p.style == 1)
        boards = boards * (1 - 0.3 * (torch.sin(u * 16) > 0.92) * (self.p.style == 0))
        colour = torch.where(door, colour.new_tensor([0.23, 0.12, 0.06])[:, None] * boards * lit, colour)
        colour = torch.where(wall & found.door_frame, white * 0.8 * lit, colour)
        slant = dot(self.normal, self.direction).abs()
        drawn = window & (found.size * slant.clamp_min(0.2) / self.grain > LEAST_WINDOW)
        label = label.masked_fill(window, NUMBER["window"]).masked_fill(door, NUMBER["door"])
        part = part.masked_fill(drawn, WINDOW_PART).masked_fill(door, DOOR_PART)
        return colour, label, part

    def _pane(self, found: Openings, glass: Tensor) -> Tensor:
        """(3, N): what panes show: the sky and the ground opposite, or at night the light in the room."""
        tilt = 0.04 * (found.hash - 0.5) * self.normal.new_tensor([1.0, 0.6, 1.0])[:, None]
        seen = surroundings(self.light, mirrored(self.direction, unit(self.normal + tilt)))
        glance = (1 + dot(self.direction, self.normal)).clamp(0, 1) ** 4
        share = torch.where(glass, 0.45, 0.25) + 0.65 * glance
        dark = seen.new_tensor([0.06, 0.07, 0.08])[:, None]
        tint = torch.where(glass, self.p.colour * 0.35, dark) * (0.5 + self.light.ambient)
        pane = tint + seen * share * torch.where(glass, mix(self.p.colour * 1.3, torch.ones_like(tint), 0.45), 1.0)
        room = ((found.up - found.low) / (found.high - found.low)).clamp(0, 1)
        warm = seen.new_tensor([1.20, 0.88, 0.45])[:, None] * (0.62 + 0.38 * room) * (0.86 + 0.14 * found.hash)
        warm = torch.where(glass, mix(pane, 0.18 * warm + 1.1 * self.p.colour, 0.7), warm)
        pane = mix(pane, warm, self.light.lamps)
        # The wall's thickness shades the top of a pane, and its left, where the light comes from.
        from_left = (found.across - 0.5 + found.half) / found.half
        shade = 0.45 * step(found.high - 0.07, found.high, found.up) + 0.2 * step(0.22, 0.0, from_left)
        return pane * (1 - shade * (1 - self.light.lamps) * torch.where(glass, 0.4, 1.0))

    def _with_roof(
        self, kind: Tensor, u: Tensor, lit: Tensor, colour: Tensor, label: Tensor, part: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        slope = (kind == ROOF) & (self.normal[1] > 0.12)
        board = (kind == ROOF) & ~slope
        tiles = tile_colour(self.p.tile, u, self.point[1], self.grain)
        colour = torch.where(slope, tiles * lit, colour)
        colour = torch.where(board, colour.new_tensor([0.50, 0.46, 0.40])[:, None] * lit, colour)
        # A gable roof's slabs are drawn by their outline only; a hip roof's slopes meet in lines.
        part = torch.where((kind == ROOF) & (self.p.gable > 0), self.own.part.to(torch.int32), part)
        flat = kind == FLAT
        top = flat & (self.normal[1] > 0.9)
        edge = torch.minimum(
            torch.minimum(self.point[0] - self.own.x0, self.own.x1 - self.point[0]),
            torch.minimum(self.point[2] - self.own.z0, self.own.z1 - self.point[2]),
        )
        inner = top & (edge > 0.45)
        grey = self.p.tile * torch.where(inner, 0.72, 1.0)
        colour = torch.where(flat, grey * lit, colour)
        part = part.masked_fill(inner, INNER_PART)
        return colour, label, part

    def _balcony(self, u: Tensor, y: Tensor) -> Tensor:
        """(3, N): rails over a slab."""
        up = y - self.own.y0
        seen = step(1.2, 2.4, 0.30 / self.grain)
        bars = mix(torch.full_like(u, 0.45), ((u % 0.30) < 0.11).float(), seen)
        solid = ((up < 0.20) | (up > 0.95)).float()
        share = torch.maximum(bars, solid)
        share = torch.where(self.normal[1] > 0.9, 0.7, share)
        return mix(u.new_tensor([0.27, 0.30, 0.33])[:, None], u.new_tensor([0.74, 0.74, 0.74])[:, None], share)
