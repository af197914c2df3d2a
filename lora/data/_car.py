"""Cars on their ground: bodies traced, wheels cut analytically, paint that mirrors the sky."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from ._camera import Rays
from ._canvas import Canvas, ground_distance, paint_ground, paint_hills
from ._car_form import Bodies
from ._car_surface import Hits, Painted, body_colours, wheel_colours
from ._noise import blurred, unit
from ._table import Table

if TYPE_CHECKING:
    from ._scene import Scene

PAINTS = {"red": (0.66, 0.03, 0.03), "orange": (0.86, 0.28, 0.02), "yellow": (0.86, 0.64, 0.03)}
PAINTS |= {"green": (0.05, 0.34, 0.08), "teal": (0.02, 0.42, 0.42), "blue": (0.03, 0.12, 0.60)}
PAINTS |= {"purple": (0.28, 0.05, 0.43), "white": (0.82, 0.82, 0.82), "black": (0.025, 0.025, 0.03)}
PAINTS |= {"silver": (0.45, 0.47, 0.50), "brown": (0.20, 0.09, 0.04), "beige": (0.66, 0.55, 0.38)}
PAINTS |= {"gold": (0.62, 0.42, 0.10), "grey": (0.16, 0.165, 0.175), "pink": (0.84, 0.34, 0.46)}
PAINTS |= {"navy": (0.02, 0.04, 0.17)}
FINISHES = {  # diffuse, mirror head on and at a glance, tint of the mirror, sharpness and strength of the sun's spot
    "glossy": (0.93, 0.06, 1.0, 0.0, 220.0, 1.6),
    "metallic": (0.75, 0.70, 0.5, 1.0, 28.0, 0.35),
    "matte": (0.95, 0.04, 0.0, 0.0, 8.0, 0.05),
    "two-tone": (0.93, 0.06, 1.0, 0.0, 220.0, 1.6),
    "chrome": (0.25, 1.5, 0.6, 1.0, 120.0, 0.8),
}
STEPS = 40  # of sphere tracing
NEAR = 0.002  # metres to a surface that count as hit
SHADOW = (144, 96)  # points of the grid on which a shadow is worked out
SHADOW_SPAN = (7.0, 4.4)  # metres to both sides that it spans


def paint_cars(canvas: Canvas, scenes: Sequence[Scene], light: Table, rays: Rays) -> None:
    """Paint hills, ground and car; ``light`` is the table of the scenes."""
    device = canvas.colour.device
    p = Table.of([{**scene.shape, **_paint_of(scene)} for scene in scenes], device)
    bodies = Bodies([scene.shape for scene in scenes], device)
    wide = light.over_pictures()
    paint_hills(canvas, scenes, wide, rays, p.over_pictures())
    _paint_floor(canvas, scenes, wide, rays, bodies, p)
    _paint_body_and_wheels(canvas, light, rays, bodies, p)


def _paint_of(scene: Scene) -> dict[str, float | tuple[float, ...]]:
    diffuse, ahead, glance, tint, sharp, spot = FINISHES[scene.tags["finish"]]
    finish = {"diffuse": diffuse, "ahead": ahead, "glance": glance, "tint": tint, "sharp": sharp, "spot": spot}
    finish["two_tone"] = float(scene.tags["finish"] == "two-tone")
    return {"paint": PAINTS[scene.tags["colour"]], **finish}


def _paint_floor(canvas: Canvas, scenes: Sequence[Scene], light: Table, rays: Rays, bodies: Bodies, p: Table) -> None:
    """Ground, with the car's shadow and the dark below it worked out on a grid and looked up."""
    point = rays.camera.over_pictures().eye + rays.direction * ground_distance(rays).clamp_max(200.0)  # (3, B, S, S)
    shade = _shade_grid(rays, bodies, p)  # (B, 2, H, W)
    grid = torch.stack([point[0] / SHADOW_SPAN[0], point[2] / SHADOW_SPAN[1]], -1)
    found = F.grid_sample(1 - shade, grid, align_corners=True)  # beyond the grid is 0: no shade
    wide = p.over_pictures()
    contact = _wheel_contact(point, wide)
    sunlit, open_sky = 1 - found[:, 0], (1 - found[:, 1]) * contact
    marks = ((point[2].abs() - 2.6).abs() < 0.07) & (wide.marks > 0) & (rays.above < -0.01)
    paint_ground(canvas, scenes, light, rays, sunlit * (0.4 + 0.6 * contact), open_sky, marks)


def _wheel_contact(point: Tensor, p: Table) -> Tensor:
    """(B, S, S): 1, and darker where a wheel stands."""
    beside = ((point[2].abs() - p.width + 0.16) / 0.22) ** 2
    ahead = torch.minimum((point[0] - p.front).abs(), (point[0] - p.rear).abs()) / 0.30
    return 1 - 0.75 * torch.exp(-(beside + ahead * ahead) * 1.2)


def _shade_grid(rays: Rays, bodies: Bodies, p: Table) -> Tensor:
    """(B, 2, H, W): share of the sun, and of the sky, that reaches the ground."""
    columns, rows = SHADOW
    count, device = rays.direction.shape[1], rays.direction.device
    x = torch.linspace(-SHADOW_SPAN[0], SHADOW_SPAN[0], columns, device=device)
    z = torch.linspace(-SHADOW_SPAN[1], SHADOW_SPAN[1], rows, device=device)
    flat = torch.stack(
        [x.expand(rows, columns), torch.zeros(rows, columns, device=device), z[:, None].expand(rows, columns)]
    )
    point = flat.reshape(3, 1, -1).expand(3, count, -1).reshape(3, -1)  # (3, B * H * W)
    car = torch.arange(count, device=device).repeat_interleave(rows * columns)
    each = p.at(car)
    sun = rays.camera.at(car).sun
    sunlit, far = torch.ones_like(point[0]), torch.full_like(point[0], 0.05)
    for _ in range(14):
        distance = bodies.distance(point + sun * far, car, each)
        sunlit = torch.minimum(sunlit, (7 * (distance + 0.02) / far).clamp(0, 1))
        far = far + distance.clamp(0.08, 0.5)
    above = point + point.new_tensor([0, 0.12, 0])[:, None]
    open_sky = 0.30 + 0.70 * (bodies.distance(above, car, each) / 0.55).clamp(0, 1) ** 0.6
    both = torch.stack([sunlit, open_sky]).view(2, count, rows, columns).transpose(0, 1)
    return blurred(both.reshape(-1, 1, rows, columns)).view(count, 2, rows, columns)


def _within(rays: Rays, p: Table) -> tuple[Tensor, Tensor, Tensor]:
    """Indices (N,) of the rays that meet a car's box, and from where to where, (N,) metres."""
    eye, direction = rays.camera.over_pictures().eye, rays.direction
    wide = p.over_pictures()
    near = torch.zeros_like(direction[0])
    far = torch.full_like(near, 1e9)
    half, roof, width = wide.half + 0.06, wide.roof + 0.12, wide.width + 0.20
    for axis, (low, high) in enumerate([(-half, half), (0 * roof, roof), (-width, width)]):
        inverse = 1 / torch.where(direction[axis].abs() < 1e-5, 1e-5, direction[axis])
        one, other = (low - eye[axis]) * inverse, (high - eye[axis]) * inverse
        near = torch.maximum(near, torch.minimum(one, other))
        far = torch.minimum(far, torch.maximum(one, other))
    index = (near < far).flatten().nonzero()[:, 0]
    return index, near.flatten()[index], far.flatten()[index]


def _traced(bodies: Bodies, eye: Tensor, direction: Tensor, near: Tensor, far: Tensor, car: Tensor, p: Table) -> Tensor:
    """(N,) metres to the body along each ray; inf where it is missed. Rays that are done are left out now and then."""
    result = torch.full_like(near, torch.inf)
    active = torch.arange(len(near), device=near.device)
    each, at = p, near
    for turn in range(STEPS):
        distance = bodies.distance(eye + direction * at, car, each)
        at = at + distance * 0.9
        if turn % 4 != 3 and turn != STEPS - 1:
            continue
        hit = distance.abs() < NEAR
        result[active[hit]] = at[hit]
        on = (~hit & (at < far)).nonzero()[:, 0]
        if turn == STEPS - 1:
            grazed = on[distance[on] < 4 * NEAR]
            result[active[grazed]] = at[grazed]
        active, at, far, car = active[on], at[on], far[on], car[on]
        eye, direction, each = eye[:, on], direction[:, on], each.at(on)
        if not len(active):
            break
    return result


def _normals(bodies: Bodies, point: Tensor, car: Tensor, p: Table) -> Tensor:
    """(3, N) unit vectors, from four samples around each point (3, N)."""
    total = torch.zeros_like(point)
    for corner in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
        offset = point.new_tensor(corner)[:, None]
        total = total + offset * bodies.distance(point + 0.012 * offset, car, p)
    return unit(total)


def _self_shadow(bodies: Bodies, point: Tensor, normal: Tensor, sun: Tensor, car: Tensor, p: Table) -> Tensor:
    """(N,) share of the sun that the car itself lets through."""
    begin = point + normal * 0.02
    sunlit, far = torch.ones_like(point[0]), torch.full_like(point[0], 0.06)
    for _ in range(5):
        distance = bodies.distance(begin + sun * far, car, p)
        sunlit = torch.minimum(sunlit, (9 * distance / far).clamp(0, 1))
        far = far + distance.clamp(0.06, 0.45)
    return sunlit


def _paint_body_and_wheels(canvas: Canvas, light: Table, rays: Rays, bodies: Bodies, p: Table) -> None:
    side = rays.direction.shape[-1]
    index, near, far = _within(rays, p)
    if not len(index):  # it is out of the picture
        return
    car = index // (side * side)
    direction = rays.direction.reshape(3, -1)[:, index]
    camera, each = rays.camera.at(car), p.at(car)
    distance = _traced(bodies, camera.eye, direction, near, far, car, each)
    hits = Hits(direction, distance, camera, light.at(car), each)
    along = rays.along.reshape(-1)[index]
    hit = distance.isfinite().nonzero()[:, 0]
    if len(hit):
        _paint_body(canvas, bodies, hits.some(hit), car[hit], index[hit], along[hit])
    shown, painted, distance, normal = wheel_colours(hits)
    _put(canvas, index[shown], painted, distance * along[shown], normal)


def _paint_body(canvas: Canvas, bodies: Bodies, hits: Hits, car: Tensor, where: Tensor, along: Tensor) -> None:
    point = hits.point
    normal = _normals(bodies, point, car, hits.p)
    sunlit = _self_shadow(bodies, point, normal, hits.camera.sun, car, hits.p)
    painted = body_colours(hits, normal, sunlit, bodies.form(point, car, hits.p))
    _put(canvas, where, painted, hits.distance * along, normal)


def _put(canvas: Canvas, where: Tensor, painted: Painted, depth: Tensor, normal: Tensor) -> None:
    """Write N pixels; ``where`` (N,) counts through all pictures."""
    canvas.colour.view(3, -1)[:, where] = painted.colour
    canvas.label.view(-1)[where] = painted.label
    canvas.part.view(-1)[where] = painted.part
    canvas.stroke.view(-1)[where] = painted.stroke
    canvas.depth.view(-1)[where] = depth
    canvas.normal.view(3, -1)[:, where] = normal
