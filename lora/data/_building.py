"""Buildings on their ground: rays are cut with convex solids, walls get windows and doors, trees stand beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from . import _building_shape as shapes
from ._building_shape import ATTIC, BALCONY, CHIMNEY, FACES, FLAT, ROOF, WALL, solids
from ._camera import Rays
from ._canvas import Canvas, ground_distance, paint_ground, paint_hills
from ._facade import COLOURS, MATERIAL_NUMBERS, TILES, openings, tile_colour, wall_colour
from ._light import surroundings
from ._noise import dot, mirrored, mix, step, unit
from ._table import Table
from ._tree import bark, crown, leaves
from .palette import NUMBER

if TYPE_CHECKING:
    from .scenes import Scene

NOWHERE = (0.0, 0.0, 0.0, 1.0)  # a plane with nothing inside
EVERYWHERE = (0.0, 0.0, 0.0, -1.0)
LEAST_WINDOW = 4.0  # pixels; nobody draws smaller ones
WINDOW_PART, DOOR_PART, INNER_PART, TREE_PART = 1000, 1001, 1002, 2000


@dataclass(frozen=True, eq=False)
class _Solids:
    """The solids of B buildings, filled up to the same number K."""

    planes: Tensor
    """(K, FACES, 4, B)."""
    table: Table
    """Numbers of each solid, B * K columns: kind, x0 to z1, floors, spacing, door."""
    count: int

    @classmethod
    def of(cls, scenes: Sequence[Scene], device: torch.device) -> _Solids:
        buildings = [solids(scene.shape, scene.tags["roof"]) for scene in scenes]
        count = max(len(building) for building in buildings)
        planes, numbers = [], []
        for building in buildings:
            empty = shapes.Solid((NOWHERE,), WALL, (0.0,) * 6)
            filled = building + [empty] * (count - len(building))
            planes.append([[*solid.planes, *[EVERYWHERE] * (FACES - len(solid.planes))] for solid in filled])
            for solid in filled:
                box = dict(zip(("x0", "x1", "y0", "y1", "z0", "z1"), solid.box, strict=True))
                more = {"kind": float(solid.kind), "floors": solid.floors, "spacing": solid.spacing}
                numbers.append({**box, **more, "door": float(solid.door)})
        every = torch.tensor(planes, dtype=torch.float32, device=device)  # (B, K, FACES, 4)
        return cls(every.permute(1, 2, 3, 0).contiguous(), Table.of(numbers, device), count)


def paint_buildings(canvas: Canvas, scenes: Sequence[Scene], light: Table, rays: Rays) -> None:
    """Paint hills, ground, building and trees; ``light`` is the table of the scenes."""
    device = canvas.colour.device
    p = Table.of([_numbers(scene) for scene in scenes], device)
    parts = _Solids.of(scenes, device)
    wide, shape = light.over_pictures(), p.over_pictures()
    paint_hills(canvas, scenes, wide, rays, shape)
    eye, sun = rays.camera.over_pictures().eye, rays.camera.over_pictures().sun
    distance, solid, face = _met(parts, eye, rays.direction)
    hit = solid >= 0
    normal = _normal(parts, solid, face)
    far = torch.where(hit, distance, ground_distance(rays).clamp_max(400.0))
    point = eye + rays.direction * far  # (3, B, S, S)
    sunlit = _sunlit(parts, point + 0.02 * normal, sun)
    trees = range(max(int(scene.shape["trees"]) for scene in scenes))
    ground_sun = sunlit
    for number in trees:
        ground_sun = ground_sun * _tree_shade(shape, number, point, sun)
    paint_ground(canvas, scenes, wide, rays, ground_sun, _open_sky(parts, len(scenes), point))
    index = hit.flatten().nonzero()[:, 0]
    _paint_faces(canvas, index, parts, light, rays, p, point, normal, sunlit, distance, solid, face)
    for number in trees:
        _paint_tree(canvas, wide, rays, shape, number)


def _numbers(scene: Scene) -> dict[str, float | tuple[float, ...]]:
    """What a scene's painter has to know; colours are (r, g, b)."""
    tags = scene.tags
    style = {"warehouse": 1.0, "apartment block": 2.0, "skyscraper": 2.0}.get(tags["style"], 0.0)
    return {
        **scene.shape,
        "colour": COLOURS[tags["colour"]],
        "material": float(MATERIAL_NUMBERS[tags["material"]]),
        "tile": TILES[tags["roof"]],
        "style": style,
        "eaves": float(tags["roof"] != "flat"),
    }


def _cut(parts: _Solids, k: int, origin: Tensor, direction: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where rays (3, B, S, S) go into solid k and out of it, metres, and the face (B, S, S) where they go in."""
    into = torch.full(torch.broadcast_shapes(origin.shape, direction.shape)[1:], -1e9, device=origin.device)
    out = torch.full_like(into, 1e9)
    face = torch.zeros_like(into, dtype=torch.int32)
    for number in range(FACES):
        n, w = parts.planes[k, number, :3, :, None, None], parts.planes[k, number, 3, :, None, None]
        speed = dot(direction, n)
        above = dot(origin, n) + w
        at = -above / torch.where(speed.abs() < 1e-7, 1e-7, speed)
        entering = (speed < 0) & (at > into)
        into = torch.where(entering, at, into)
        face = face.masked_fill(entering, number)
        out = torch.where((speed > 0) & (at < out), at, out)
        # Beside a plane, and along it, a ray is inside everywhere or nowhere.
        out = torch.where((speed.abs() < 1e-7) & (above > 0), -1e9, out)
    return into, out, face


def _met(parts: _Solids, eye: Tensor, direction: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Metres to the first solid, its number (-1: none), and its face; all (B, S, S)."""
    nearest = torch.full_like(direction[0], torch.inf)
    solid = torch.full_like(nearest, -1, dtype=torch.int32)
    face = torch.zeros_like(solid)
    for k in range(parts.count):
        into, out, side = _cut(parts, k, eye, direction)
        met = (into < out) & (into > 0) & (into < nearest)
        nearest = torch.where(met, into, nearest)
        solid = solid.masked_fill(met, k)
        face = torch.where(met, side, face)
    return nearest, solid, face


def _normal(parts: _Solids, solid: Tensor, face: Tensor) -> Tensor:
    """(3, B, S, S); upwards where there is no solid."""
    count = solid.shape[0]
    building = torch.arange(count, device=solid.device)[:, None, None]
    flat = parts.planes[:, :, :3].permute(2, 0, 1, 3).reshape(3, -1)  # (3, K * FACES * B)
    found = flat[:, (solid.clamp_min(0) * FACES + face) * count + building]
    return torch.where(solid >= 0, found, flat.new_tensor([0, 1, 0])[:, None, None, None])


def _sunlit(parts: _Solids, point: Tensor, sun: Tensor) -> Tensor:
    """(B, S, S): 1 in the sun, 0 in the shadow; thin parts throw thin shadows."""
    sunlit = torch.ones_like(point[0])
    for k in range(parts.count):
        into, out, _ = _cut(parts, k, point, sun)
        inside = (out - into.clamp_min(0.01)) / 0.25
        sunlit = torch.minimum(sunlit, 1 - inside.clamp(0, 1))
    return F.avg_pool2d(sunlit[:, None], 3, 1, 1, count_include_pad=False)[:, 0]


def _open_sky(parts: _Solids, count: int, point: Tensor) -> Tensor:
    """(B, S, S): how much of the sky the ground sees, less beside walls."""
    seen = torch.ones_like(point[0])
    for number in range(min(2, parts.count)):
        own = parts.table.at(torch.arange(count, device=point.device) * parts.count + number).over_pictures()
        wall = (own.kind == WALL) & (own.y0 <= 0) & (own.y1 > 0)
        x = torch.maximum(own.x0 - point[0], point[0] - own.x1).clamp_min(0)
        z = torch.maximum(own.z0 - point[2], point[2] - own.z1).clamp_min(0)
        near = (0.45 + 0.55 * (x * x + z * z).sqrt() / 2.2).clamp(0, 1)
        seen = torch.where(wall, torch.minimum(seen, near), seen)
    return seen


def _paint_faces(
    canvas: Canvas,
    index: Tensor,
    parts: _Solids,
    light: Table,
    rays: Rays,
    p: Table,
    point: Tensor,
    normal: Tensor,
    sunlit: Tensor,
    distance: Tensor,
    solid: Tensor,
    face: Tensor,
) -> None:
    """Shade the N pixels of ``index`` (N,), which counts through all pictures; the others are (..., B, S, S)."""
    side = sunlit.shape[-1]
    scene = index // (side * side)
    number, side_face = solid.reshape(-1)[index], face.reshape(-1)[index]
    far = distance.reshape(-1)[index]
    surface = _Surface(
        point=point.reshape(3, -1)[:, index],
        normal=normal.reshape(3, -1)[:, index],
        direction=rays.direction.reshape(3, -1)[:, index],
        sunlit=sunlit.reshape(-1)[index],
        grain=rays.camera.pixel[scene] * far,
        light=light.at(scene),
        p=p.at(scene),
        own=parts.table.at(scene * parts.count + number),
        part=number * 10 + side_face + 100,
        sun=rays.camera.at(scene).sun,
    )
    colour, label, part = surface.painted()
    canvas.colour.view(3, -1)[:, index] = colour
    canvas.label.view(-1)[index] = label
    canvas.part.view(-1)[index] = part
    canvas.depth.view(-1)[index] = far * rays.along.reshape(-1)[index]
    canvas.normal.view(3, -1)[:, index] = surface.normal


@dataclass(frozen=True, eq=False)
class _Surface:
    """N points on buildings: vectors (3, N), numbers (N,), tables with N columns."""

    point: Tensor
    normal: Tensor
    direction: Tensor
    sunlit: Tensor
    grain: Tensor  # metres that a pixel spans there
    light: Table
    p: Table
    own: Table  # of the solid
    part: Tensor
    sun: Tensor

    def painted(self) -> tuple[Tensor, Tensor, Tensor]:
        """Colours (3, N), labels (N,) uint8 and parts (N,) int32."""
        kind, (x, y, z) = self.own.kind, self.point
        sideways = self.normal[0].abs() > self.normal[2].abs()
        u = torch.where(sideways, z, x)
        lit = self._lit()
        level = self.normal[1].abs() < 0.1
        walls = ((kind == WALL) | (kind == ATTIC)) & level
        material = torch.where((self.p.material == MATERIAL_NUMBERS["glass"]) & (kind == ATTIC), 2.0, self.p.material)
        bare = wall_colour(material, self.p.colour, u, y, self.grain)
        # Walls are darker at their foot, and below the eaves.
        soft = (0.70 + 0.30 * step(0.0, 1.6, y)) * (1 - 0.30 * step(0.7, 0.0, self.own.y1 - y) * self.p.eaves)
        colour = bare * lit * torch.where(kind == WALL, soft, 1.0)
        label = torch.full(y.shape, NUMBER["wall"], dtype=torch.uint8, device=y.device)
        part = self.part.clone()
        colour, label, part = self._with_openings(walls & (kind == WALL), u, lit, colour, label, part)
        colour, label, part = self._with_roof(kind, u, lit, colour, label, part)
        balcony = kind == BALCONY
        colour = torch.where(balcony, self._balcony(u, y) * lit, colour)
        label = label.masked_fill(balcony, NUMBER["balcony"])
        chimney = kind == CHIMNEY
        stack = colour.new_tensor([0.42, 0.21, 0.16])[:, None] * (1 - 0.45 * (self.own.y1 - y < 0.22))
        colour = torch.where(chimney, stack * lit, colour)
        return colour, label.masked_fill(chimney, NUMBER["trim"]), part

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
            "door": (self.own.door > 0) & ~sideways & (self.normal[2] > 0),
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

    def _pane(self, found, glass: Tensor) -> Tensor:
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
        warm = torch.where(glass, mix(pane, 0.5 * warm + 0.7 * self.p.colour, 0.7), warm)
        pane = mix(pane, warm, self.light.night)
        # The wall's thickness shades the top of a pane, and its left, where the light comes from.
        from_left = (found.across - 0.5 + found.half) / found.half
        shade = 0.45 * step(found.high - 0.07, found.high, found.up) + 0.2 * step(0.22, 0.0, from_left)
        return pane * (1 - shade * (1 - self.light.night) * torch.where(glass, 0.4, 1.0))

    def _with_roof(
        self, kind: Tensor, u: Tensor, lit: Tensor, colour: Tensor, label: Tensor, part: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        slope = (kind == ROOF) & (self.normal[1] > 0.2)
        board = (kind == ROOF) & ~slope
        tiles = tile_colour(self.p.tile, u, self.point[1], self.grain)
        colour = torch.where(slope, tiles * lit, colour)
        colour = torch.where(board, colour.new_tensor([0.50, 0.46, 0.40])[:, None] * lit, colour)
        # A gable roof's slabs are drawn by their outline only; a hip roof's slopes meet in lines.
        gable = self.p.eaves * (self.own.y1 > self.own.y0) * (self.p.tile[0] > self.p.tile[2])
        part = torch.where((kind == ROOF) & (gable > 0), part - part % 10, part)
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
        return colour, label.masked_fill(flat | (kind == ROOF), NUMBER["roof"]), part

    def _balcony(self, u: Tensor, y: Tensor) -> Tensor:
        """(3, N): rails over a slab."""
        up = y - self.own.y0
        seen = step(1.2, 2.4, 0.30 / self.grain)
        bars = mix(torch.full_like(u, 0.45), ((u % 0.30) < 0.11).float(), seen)
        solid = ((up < 0.20) | (up > 0.95)).float()
        share = torch.maximum(bars, solid)
        share = torch.where(self.normal[1] > 0.9, 0.7, share)
        return mix(u.new_tensor([0.27, 0.30, 0.33])[:, None], u.new_tensor([0.74, 0.74, 0.74])[:, None], share)


def _place(shape: Table, number: int) -> tuple[Tensor, ...]:
    """x, z, height, turn of a tree, and whether it is there."""
    names = ("x", "z", "height", "turn")
    return (*(getattr(shape, f"tree{number}_{name}") for name in names), shape.trees > number)


def _tree_shade(shape: Table, number: int, point: Tensor, sun: Tensor) -> Tensor:
    """(B, S, S): 1, and less where a tree's crown is between the sun and ``point`` (3, B, S, S)."""
    x, z, height, _, there = _place(shape, number)
    away = torch.stack([point[0] - x, point[1] - 0.66 * height, point[2] - z])
    along = dot(away, sun)
    across = (dot(away, away) - along * along).clamp_min(0).sqrt()
    shade = step(0.40, 0.30, across / height) * (along < 0)
    return 1 - 0.75 * shade * there


def _paint_tree(canvas: Canvas, light: Table, rays: Rays, shape: Table, number: int) -> None:
    """A tree that faces the camera, hidden by what is nearer."""
    camera = rays.camera.over_pictures()
    x, z, height, turn, there = _place(shape, number)
    foot = torch.stack([x, torch.zeros_like(x), z]) - camera.eye
    level = dot(foot, camera.level)  # (B, 1, 1) metres to the tree's plane
    distance = level / dot(rays.direction, camera.level).clamp_min(1e-4)
    point = rays.direction * distance
    right = torch.stack([-camera.level[2], torch.zeros_like(x), camera.level[0]])
    across = dot(point, right) - dot(foot, right)
    up = point[1] + camera.eye[1]
    depth = distance * rays.along
    nearer = there & (level > 0.5) & (depth < canvas.depth * 1.02)
    radius = height * 0.34
    a, b = across / radius, (up - height * 0.66) / radius
    trunk = nearer & (across.abs() < height * 0.03 * (1.25 + 0.35 * b)) & (up > 0) & (b < 0)
    canvas.paint(trunk, bark(light, across / (height * 0.035)), "tree", TREE_PART + number, depth, -camera.level)
    inside, sunlit = crown(a, b, turn)
    round_ = (1 - a * a - b * b).clamp_min(0).sqrt()
    upwards = point.new_tensor([0, 1, 0])[:, None, None, None]
    normal = unit(a * right + b * upwards - (round_ + 0.05) * camera.level)
    canvas.paint(inside & nearer, leaves(light, sunlit, b), "tree", TREE_PART + 10 + number, depth, normal)
