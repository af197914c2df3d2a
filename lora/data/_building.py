"""Buildings on their ground: rays are cut with convex solids, walls get windows and doors, trees stand beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from ._building_shape import solids
from ._building_surface import FIRST_PART, Surface
from ._camera import Rays
from ._canvas import Canvas, ground_distance, paint_ground, paint_hills
from ._facade import COLOURS, MATERIAL_NUMBERS, TILES
from ._noise import dot, step
from ._solids import BLOCK, WALL, WHOLE, Solid, first_parts
from ._table import Table
from ._tree import paint_trees

if TYPE_CHECKING:
    from ._scene import Scene

NOWHERE = (0.0, 0.0, 0.0, 1.0)  # a plane with nothing inside
EVERYWHERE = (0.0, 0.0, 0.0, -1.0)
TREE_PART = 9000


@dataclass(frozen=True, eq=False)
class _Solids:
    """The solids of B buildings, filled up to the same number K."""

    planes: Tensor
    """(K, F, 4, B)."""
    faces: tuple[int, ...]
    """How many of the F faces each of the K solids has at most."""
    table: Table
    """Numbers of each solid, B * K columns: kind, x0 to z1, floors, spacing, door."""
    count: int

    @classmethod
    def of(cls, scenes: Sequence[Scene], device: torch.device) -> _Solids:
        buildings = [solids(scene.shape, scene.tags) for scene in scenes]
        count = max(len(building) for building in buildings)
        empty = Solid((NOWHERE,), WALL, (0.0, 0.0, 0.0, 0.0, 0.0, 0.0))
        numbers, filled = [], [building + [empty] * (count - len(building)) for building in buildings]
        faces = tuple(max(len(building[k].planes) for building in filled) for k in range(count))
        planes = [
            [[*solid.planes, *[EVERYWHERE] * (max(faces) - len(solid.planes))] for solid in building]
            for building in filled
        ]
        for building in filled:
            for solid, part in zip(building, first_parts(building, FIRST_PART), strict=True):
                box = dict(zip(("x0", "x1", "y0", "y1", "z0", "z1"), solid.box, strict=True))
                more = {"kind": float(solid.kind), "floors": solid.floors, "spacing": solid.spacing}
                more |= {"door": float(solid.door), "part": float(part), "whole": float(solid.kind in WHOLE)}
                numbers.append(box | more)
        every = torch.tensor(planes, dtype=torch.float32, device=device)  # (B, K, F, 4)
        return cls(every.permute(1, 2, 3, 0).contiguous(), faces, Table.of(numbers, device), count)


@dataclass(frozen=True, eq=False)
class _Seen:
    """What every pixel sees of buildings and of the ground; (3, B, S, S) and (B, S, S)."""

    point: Tensor
    normal: Tensor
    sunlit: Tensor
    distance: Tensor  # metres along the ray
    solid: Tensor  # its number; -1: the ground
    face: Tensor


def paint_buildings(canvas: Canvas, scenes: Sequence[Scene], light: Table, rays: Rays) -> None:
    """Paint hills, ground, building and trees; ``light`` is the table of the scenes."""
    device = canvas.colour.device
    p = Table.of([_numbers(scene) for scene in scenes], device)
    parts = _Solids.of(scenes, device)
    wide, shape = light.over_pictures(), p.over_pictures()
    paint_hills(canvas, scenes, wide, rays, shape)
    eye, sun = rays.camera.over_pictures().eye, rays.camera.over_pictures().sun
    distance, solid, face = _met(parts, eye, rays.direction)
    normal = _normal(parts, solid, face)
    far = torch.where(solid >= 0, distance, ground_distance(rays).clamp_max(400.0))
    point = eye + rays.direction * far  # (3, B, S, S)
    sunlit = _sunlit(parts, point + 0.02 * normal, sun)
    trees = range(max(int(scene.shape["trees"]) for scene in scenes))
    ground_sun = sunlit
    for number in trees:
        ground_sun = ground_sun * _tree_shade(shape, number, point, sun)
    paint_ground(canvas, scenes, wide, rays, ground_sun, _open_sky(parts, len(scenes), point))
    _paint_faces(canvas, parts, light, rays, p, _Seen(point, normal, sunlit, far, solid, face))
    names = [scene.tags["trees"] for scene in scenes]
    for number in trees:
        _paint_tree(canvas, wide, rays, shape, ("tree", number), names)
    for number in range(max(int(scene.shape["bushes"]) for scene in scenes)):
        _paint_tree(canvas, wide, rays, shape, ("bush", number), ["bushes"] * len(scenes))


def _numbers(scene: Scene) -> dict[str, float | tuple[float, ...]]:
    """What a scene's painter has to know; colours are (r, g, b)."""
    tags = scene.tags
    style = {"warehouse": 1.0, "apartment block": 2.0, "skyscraper": 2.0, "castle": 3.0}.get(tags["style"], 0.0)
    return {
        **{name: value for name, value in scene.shape.items() if name.startswith(("tree", "bush", "hills"))},
        "gable_front": scene.shape.get("gable_front", 0.0),
        "colour": COLOURS[tags["colour"]],
        "material": float(MATERIAL_NUMBERS[tags["material"]]),
        "tile": TILES[tags["roof"]],
        "style": style,
        "eaves": float(tags["roof"] in ("gable", "hip")),
        "gable": float(tags["roof"] == "gable"),
    }


def _cut(parts: _Solids, k: int, origin: Tensor, direction: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where rays (3, B, S, S) go into solid k and out of it, metres, and the face (B, S, S) where they go in."""
    into = torch.full(torch.broadcast_shapes(origin.shape, direction.shape)[1:], -1e9, device=origin.device)
    out = torch.full_like(into, 1e9)
    face = torch.zeros_like(into, dtype=torch.int32)
    for number in range(parts.faces[k]):
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
    flat = parts.planes[:, :, :3].permute(2, 0, 1, 3).reshape(3, -1)  # (3, K * F * B)
    found = flat[:, (solid.clamp_min(0) * max(parts.faces) + face) * count + building]
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
        wall = ((own.kind == WALL) | (own.kind == BLOCK)) & (own.y0 <= 0) & (own.y1 > 0)
        x = torch.maximum(own.x0 - point[0], point[0] - own.x1).clamp_min(0)
        z = torch.maximum(own.z0 - point[2], point[2] - own.z1).clamp_min(0)
        near = (0.45 + 0.55 * (x * x + z * z).sqrt() / 2.2).clamp(0, 1)
        seen = torch.where(wall, torch.minimum(seen, near), seen)
    return seen


def _paint_faces(canvas: Canvas, parts: _Solids, light: Table, rays: Rays, p: Table, seen: _Seen) -> None:
    """Shade the pixels that show a building; only these are worked on."""
    index = (seen.solid >= 0).flatten().nonzero()[:, 0]
    side = seen.sunlit.shape[-1]
    scene = index // (side * side)
    number, far = seen.solid.reshape(-1)[index], seen.distance.reshape(-1)[index]
    surface = Surface(
        point=seen.point.reshape(3, -1)[:, index],
        normal=seen.normal.reshape(3, -1)[:, index],
        direction=rays.direction.reshape(3, -1)[:, index],
        sunlit=seen.sunlit.reshape(-1)[index],
        grain=rays.camera.pixel[scene] * far,
        span=rays.camera.pixel[scene] * far * side,
        place=(torch.stack([index % side, index // side % side]) + 0.5) / side,
        light=light.at(scene),
        p=p.at(scene),
        own=parts.table.at(scene * parts.count + number),
        face=seen.face.reshape(-1)[index],
        sun=rays.camera.at(scene).sun,
    )
    colour, label, part = surface.painted()
    canvas.colour.view(3, -1)[:, index] = colour
    canvas.label.view(-1)[index] = label
    canvas.part.view(-1)[index] = part
    canvas.depth.view(-1)[index] = far * rays.along.reshape(-1)[index]
    canvas.normal.view(3, -1)[:, index] = surface.normal


def _place(shape: Table, kind: str, number: int) -> tuple[Tensor, ...]:
    """x, z, height, turn of a tree or a bush, and whether it is there."""
    names = ("x", "z", "height", "turn")
    there = (shape.trees if kind == "tree" else shape.bushes) > number
    return (*(getattr(shape, f"{kind}{number}_{name}") for name in names), there)


def _tree_shade(shape: Table, number: int, point: Tensor, sun: Tensor) -> Tensor:
    """(B, S, S): 1, and less where a tree's crown is between the sun and ``point`` (3, B, S, S)."""
    x, z, height, _, there = _place(shape, "tree", number)
    away = torch.stack([point[0] - x, point[1] - 0.66 * height, point[2] - z])
    along = dot(away, sun)
    across = (dot(away, away) - along * along).clamp_min(0).sqrt()
    shade = step(0.34, 0.24, across / height) * (along < 0)
    return 1 - 0.75 * shade * there


def _paint_tree(
    canvas: Canvas, light: Table, rays: Rays, shape: Table, which: tuple[str, int], names: Sequence[str]
) -> None:
    """A tree or a bush that faces the camera, hidden by what is nearer; ``names`` say what each scene's is."""
    camera = rays.camera.over_pictures()
    x, z, height, turn, there = _place(shape, *which)
    foot = torch.stack([x, torch.zeros_like(x), z]) - camera.eye
    level = dot(foot, camera.level)  # (B, 1, 1) metres to the tree's plane
    distance = level / dot(rays.direction, camera.level).clamp_min(1e-4)
    point = rays.direction * distance
    right = torch.stack([-camera.level[2], torch.zeros_like(x), camera.level[0]])
    across = dot(point, right) - dot(foot, right)
    up = point[1] + camera.eye[1]
    depth = distance * rays.along
    there = there & (level > 0.5) & (depth < canvas.depth * 1.02)
    part = TREE_PART + 2 * which[1] + (100 if which[0] == "bush" else 0)
    paint_trees(canvas, light, names, across, up, height, turn, there, depth, camera.level, part)
