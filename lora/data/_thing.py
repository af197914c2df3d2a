"""Things on their ground, quickly: triangles in a depth buffer, one light, its shadow, and what a mirror would see."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ._camera import Rays
from ._canvas import Canvas, ground_distance, paint_ground, paint_hills
from ._light import surroundings
from ._noise import blurred, dot, mirrored, mix, noise, step, unit
from ._table import Table
from ._thing_matter import DARK, MATTER, NEON, colour_in
from ._thing_parts import MAIN, SECOND
from ._thing_raster import seen_triangles
from ._thing_shape import COARSE, colour_of, numbers, solid_of
from ._thing_words import NONE, TABLE
from .palette import NUMBER

if TYPE_CHECKING:
    from ._scene import Scene

EDGE, WALL = 1.5, 3.2  # metres behind a thing: where a table ends, and where the wall is
WALL_PART = 5
WALL_TINT = (0.30, 0.285, 0.26)
SPAN, CELLS = 2.2, 112  # metres to both sides and points of the grid on which a shadow is worked out
TUBE = 0.012  # metres: half as wide as a tube of neon


class Surface(NamedTuple):
    """The pixels that see a thing: N of them."""

    pixel: Tensor
    """(N,) int64, counted row by row."""
    point: Tensor
    """(3, N) in the world."""
    normal: Tensor
    """(3, N) unit vectors in the world."""
    depth: Tensor
    """(N,) metres along the view axis."""
    part: Tensor
    """(N,) int64, the number of the part among the thing's."""


def paint_things(canvas: Canvas, scenes: Sequence[Scene], light: Table, rays: Rays) -> None:
    """Paint hills or a wall, the ground, and the thing; ``light`` is the table of the scenes."""
    device = canvas.colour.device
    shape = Table.of([{name: scene.shape[name] for name in ("hills", "hills_at")} for scene in scenes], device)
    wide = light.over_pictures()
    paint_hills(canvas, scenes, wide, rays, shape.over_pictures())
    shade = torch.stack([_shade(scene, rays, index) for index, scene in enumerate(scenes)])  # (B, 2, H, W)
    point = rays.camera.over_pictures().eye + rays.direction * ground_distance(rays).clamp_max(200.0)
    grid = torch.stack([point[0] / SPAN, point[2] / SPAN], -1)
    found = F.grid_sample(shade, grid, align_corners=True)
    paint_ground(canvas, scenes, wide, rays, 1 - found[:, 0], 1 - found[:, 1])
    _paint_wall(canvas, scenes, wide, rays, point)
    for index, scene in enumerate(scenes):
        _paint_thing(canvas, scene, light.at(torch.tensor([index], device=device)), rays, index)


def surface(scene: Scene, size: int, device: torch.device, cell: float = COARSE) -> tuple[Surface, Tensor]:
    """What the camera sees of a thing in ``size`` x ``size`` pixels, and (size, size) bool: its creases."""
    _parts, shells, creases = solid_of(scene, cell)
    points, faces, normals, of = [], [], [], []
    count = 0
    for index, shell in enumerate(shells):
        points.append(torch.from_numpy(shell.points.copy()))
        normals.append(torch.from_numpy(shell.normals.copy()))
        faces.append(torch.from_numpy(shell.triangles) + count)
        of.append(torch.full((len(shell.triangles),), index))
        count += len(shell.points)
    point, normal = (torch.cat(each).float().to(device) for each in (points, normals))  # (P, 3)
    face, part = torch.cat(faces).to(device), torch.cat(of).to(device)
    place = _projected(scene, point, size)  # (P, 3)
    pixel, triangle, shares = seen_triangles(place[face], size)
    chosen = face[triangle]  # (N, 3)
    at = (point[chosen] * shares[..., None]).sum(1).T
    facing = unit((normal[chosen] * shares[..., None]).sum(1).T)
    depth = (place[chosen][..., 2] * shares).sum(1)
    seen = Surface(pixel, at, facing, depth, part[triangle])
    stroke = _strokes(scene, torch.from_numpy(creases).float().to(device), seen, size)
    return seen, stroke


def _projected(scene: Scene, point: Tensor, size: int) -> Tensor:
    """(P, 3): pixels to the right and down, and metres along the view axis, of points (P, 3)."""
    view = scene.view
    right, up, forward = (point.new_tensor(axis) for axis in view.axes)
    apart = point - point.new_tensor(view.eye)
    depth = apart @ forward
    spread = 2 * math.tan(view.field / 2) * depth.clamp_min(1e-3)
    x = (apart @ right) / spread - view.centre[0] + view.place[0]
    y = (apart @ up) / spread - view.centre[1] + view.place[1]
    return torch.stack([(x + 0.5) * size, (0.5 - y) * size, depth], 1)


def _strokes(scene: Scene, creases: Tensor, seen: Surface, size: int) -> Tensor:
    """(size, size) bool: where creases (P, 3) are, that nothing hides."""
    result = torch.zeros(size * size, dtype=torch.bool, device=creases.device)
    nearest = torch.full((size * size,), torch.inf, device=creases.device)
    nearest[seen.pixel] = seen.depth
    x, y, depth = _projected(scene, creases, size).unbind(1)
    inside = (x >= 0) & (x < size) & (y >= 0) & (y < size)
    pixel = y[inside].long() * size + x[inside].long()
    result[pixel[depth[inside] < nearest[pixel] + 0.035]] = True
    result &= nearest.isfinite()
    return result.view(size, size)


def _shade(scene: Scene, rays: Rays, index: int) -> Tensor:
    """(2, H, W): how much of the sun and of the sky a thing takes from the ground around it."""
    device = rays.direction.device
    _, shells, _ = solid_of(scene, COARSE)
    points = torch.cat([torch.from_numpy(shell.points.copy()) for shell in shells]).float().to(device)  # (P, 3)
    sun = rays.camera.sun[:, index]
    fallen = points - sun * (points[:, 1:2] / sun[1])
    cast = _dots(fallen[:, 0], fallen[:, 2], torch.ones_like(fallen[:, 0]))
    cast = (F.max_pool2d(cast, 5, 1, 2) > 0).float()
    low = (1 - points[:, 1] / 0.5).clamp(0, 1)
    near = F.max_pool2d(_dots(points[:, 0], points[:, 2], low), 3, 1, 1)
    for _ in range(2):
        cast = blurred(cast)
    for _ in range(8):
        near = blurred(near)
    return torch.cat([0.92 * cast[0], 0.75 * near[0]])


def _dots(x: Tensor, z: Tensor, value: Tensor) -> Tensor:
    """(1, 1, CELLS, CELLS): the largest value in each cell of the shadow's grid."""
    column, row = (((each / SPAN + 1) / 2 * (CELLS - 1)).round().long() for each in (x, z))
    inside = (column >= 0) & (column < CELLS) & (row >= 0) & (row < CELLS)
    grid = torch.zeros(CELLS * CELLS, device=x.device)
    grid.scatter_reduce_(0, (row * CELLS + column)[inside], value[inside], "amax")
    return grid.view(1, 1, CELLS, CELLS)


def _paint_wall(canvas: Canvas, scenes: Sequence[Scene], light: Table, rays: Rays, point: Tensor) -> None:
    """A wall behind tables, and the end of the table."""
    indoors = [scene.tags["ground"] == TABLE for scene in scenes]
    if not any(indoors):
        return
    camera = rays.camera.over_pictures()
    here = torch.tensor(indoors, device=point.device)[:, None, None]
    canvas.label[here.expand_as(canvas.label) & (canvas.label == NUMBER["ground"])] = NUMBER["table"]
    behind = (dot(point, camera.level) > EDGE) | (rays.above >= 0)
    ahead = dot(rays.direction, camera.level).clamp_min(1e-3)
    away = (WALL - dot(camera.eye, camera.level)) / ahead  # (B, S, S) metres along each ray
    fall = step(1.1, -0.3, (rays.across**2 + (rays.above - 0.1) ** 2).sqrt())
    tint = point.new_tensor(WALL_TINT)[:, None, None, None]
    colour = tint * (0.45 * light.sun * fall + light.air * 0.55)
    canvas.paint(here & behind, colour, "wall", WALL_PART, away * rays.along, -camera.level.expand_as(point))


def _paint_thing(canvas: Canvas, scene: Scene, light: Table, rays: Rays, index: int) -> None:
    size = rays.direction.shape[-1]
    parts, _, _ = solid_of(scene, COARSE)
    seen, stroke = surface(scene, size, canvas.colour.device)
    where = seen.pixel
    at = index * size * size + where
    known = torch.tensor(numbers(parts), dtype=torch.int32, device=where.device)
    slot = torch.tensor([colour_of(part, scene) for part in parts], device=where.device)[seen.part]
    canvas.stroke[index] |= stroke
    behind = canvas.colour.reshape(3, -1)[:, at]
    colour = _shaded(scene, light, rays, index, seen, slot, behind)
    if scene.tags["material"] == "neon":
        colour = _glowing(canvas, scene, known[seen.part], where, stroke, index, colour)
    canvas.colour.view(3, -1)[:, at] = colour
    canvas.label.view(-1)[at] = NUMBER["thing"]
    canvas.part.view(-1)[at] = known[seen.part]
    canvas.depth.view(-1)[at] = seen.depth
    canvas.normal.view(3, -1)[:, at] = seen.normal


def _tints(scene: Scene, slot: Tensor, like: Tensor) -> Tensor:
    """(3, N) the colour of each point's part."""
    material = scene.tags["material"]
    main = NEON if material == "neon" else colour_in(material, scene.tags["colour"])
    second = main if scene.tags["second"] == NONE or material == "neon" else colour_in(material, scene.tags["second"])
    known = like.new_tensor([main, second, DARK if material not in ("glass", "ice", "chrome", "gold") else main])
    return known[torch.where(slot == MAIN, 0, torch.where(slot == SECOND, 1, 2))].T


def _shaded(scene: Scene, light: Table, rays: Rays, index: int, seen: Surface, slot: Tensor, behind: Tensor) -> Tensor:
    """(3, N) linear light; ``behind`` (3, N) is what would be seen without the thing."""
    matter = MATTER[scene.tags["material"]]
    direction = rays.direction[:, index].reshape(3, -1)[:, seen.pixel]
    sun = rays.camera.sun[:, index, None]
    normal = seen.normal
    tint = _tints(scene, slot, normal)
    if matter.grain:
        x, y, z = seen.point
        long = 0.25 if scene.tags["material"] == "wood" else 1.0
        grain = noise("fine", x * 0.45 + 0.31 * z, y * 0.45 * long + 0.27 * z)
        tint = tint * (1 + matter.grain * grain).clamp(0.3, 1.7)
    falls = dot(normal, sun)
    sunlit = falls.clamp_min(0) if scene.tags["material"] != "plush" else ((falls + 0.35) / 1.35).clamp_min(0)
    low = step(-0.05, 0.35, seen.point[1])
    air = light.air * (0.62 + 0.38 * normal[1]) * (0.55 + 0.45 * low)
    bounce = light.ground * (0.5 - 0.5 * normal[1]) * (light.sun * 0.30 + light.air * 0.25)
    colour = tint * (matter.diffuse * (light.sun * 1.25 * sunlit + air) + bounce)
    half = unit(sun - direction)
    spot = dot(normal, half).clamp_min(0) ** matter.sharp * matter.spot
    mirror = surroundings(light, mirrored(direction, normal))
    glance = (1 + dot(direction, normal)).clamp(0, 1) ** 4
    tone = tint if matter.metal else torch.ones_like(tint)
    share = matter.mirror + (0.55 - 0.55 * matter.mirror) * glance * (matter.mirror > 0)
    colour = mix(colour, mirror * tone, share) + light.sun * spot * tone
    if matter.clear:
        through = matter.clear * (1 - 0.7 * glance)
        colour = colour + behind * tint * through
    return colour


def _glowing(
    canvas: Canvas, scene: Scene, part: Tensor, where: Tensor, stroke: Tensor, index: int, plate: Tensor
) -> Tensor:
    """(3, N): tubes along the outline and the creases of a dark plate; their glow falls on all around them."""
    size = stroke.shape[-1]
    whole = torch.zeros(size * size, dtype=torch.int32, device=part.device)
    whole[where] = part
    whole = whole.view(size, size)
    edge = stroke.clone()
    edge[:, 1:] |= whole[:, 1:] != whole[:, :-1]
    edge[1:] |= whole[1:] != whole[:-1]
    spread = 2 * math.tan(scene.view.field / 2) * scene.view.distance
    wide = max(1, round(TUBE / spread * size))
    tube = _spread(edge[None, None].float(), wide, F.max_pool2d)
    glow = _spread(tube, 2 * wide, F.avg_pool2d)
    far = tube
    for _ in range(3):
        far = _spread(far, 8 * wide, F.avg_pool2d)
    tint = plate.new_tensor(colour_in("neon", scene.tags["colour"]))
    halo = 0.35 * glow + 0.5 * far
    canvas.colour[:, index] += tint[:, None, None] * halo[0, 0]
    core = 0.35 + 1.5 * tint
    bright = mix(tint[:, None] * halo.view(1, -1), core[:, None], tube.view(1, -1))
    shown = tube.view(size, size) > 0
    canvas.colour[:, index] = torch.where(shown, core[:, None, None], canvas.colour[:, index])
    return plate + bright[:, where]


def _spread(values: Tensor, reach: int, pool: Callable[..., Tensor]) -> Tensor:
    """(1, 1, H, W): what a square of ``reach`` pixels to all sides gives, rows first and columns then."""
    across = pool(values, (1, 2 * reach + 1), 1, (0, reach))
    return pool(across, (2 * reach + 1, 1), 1, (reach, 0))
