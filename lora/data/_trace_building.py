"""Buildings for the path tracer: the solids of ``_building_shape`` with real openings, frames, sills and gutters."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ._blender import Stage
from ._building_shape import solids
from ._scene import Scene
from ._shader import Shader, plain
from ._solid_mesh import Faces, Point
from ._solids import BALCONY, CHIMNEY, FLAT, ROOF, WALL, Solid, first_parts
from ._trace_dress import Dress
from ._trace_glass import pane
from ._trace_light import haze
from ._trace_plants import Grove
from .grammar import NONE

WINDOW, DOOR, TREE, BUSH, FIRST = 10, 11, 12, 24, 40  # parts; those of the solids follow from FIRST on
DEEP = 0.16  # metres that windows lie behind the wall
BAR = 0.055  # metres: the breadth of a frame
GLASS_BAR = 0.045


@dataclass(frozen=True)
class Side:
    """One side of a solid: u runs along it, v upwards, out is away from it."""

    corner: Point
    along: Point
    out: Point
    width: float
    height: float

    def at(self, u: float, v: float, out: float = 0.0) -> Point:
        """A point of the world."""
        (x, y, z), (ax, _, az), (ox, _, oz) = self.corner, self.along, self.out
        return x + ax * u + ox * out, y + v, z + az * u + oz * out

    def box(self, faces: Faces, u: tuple[float, float], v: tuple[float, float], out: tuple[float, float]) -> None:
        """A box before the side."""
        a, b = self.at(u[0], v[0], out[0]), self.at(u[1], v[1], out[1])
        low = (min(a[0], b[0]), min(a[1], b[1]), min(a[2], b[2]))
        faces.box(low, (max(a[0], b[0]), max(a[1], b[1]), max(a[2], b[2])))


def sides(solid: Solid) -> dict[int, Side]:
    """The four upright sides of a box by the number of their plane."""
    x0, x1, y0, y1, z0, z1 = solid.box
    wide, deep, high = x1 - x0, z1 - z0, y1 - y0
    return {
        0: Side((x1, y0, z1), (0, 0, -1), (1, 0, 0), deep, high),
        1: Side((x0, y0, z0), (0, 0, 1), (-1, 0, 0), deep, high),
        4: Side((x0, y0, z1), (1, 0, 0), (0, 0, 1), wide, high),
        5: Side((x1, y0, z0), (-1, 0, 0), (0, 0, -1), wide, high),
    }


Rectangle = tuple[float, float, float, float]  # u and v from where to where


def plan(side: Side, solid: Solid, style: str, glass: bool, door: bool) -> tuple[list[Rectangle], Rectangle | None]:
    """Windows, and the entrance, of one side; laid out as ``_facade.openings`` does."""
    hall, block = style == "warehouse", style in ("apartment block", "skyscraper")
    columns = 1 if side.width < 1.6 else max(1, round(side.width / solid.spacing))
    cell, storey = side.width / columns, (side.height - 0.25) / solid.floors
    low, high = (0.60 if hall else 0.28 if block else 0.32), (0.84 if hall else 0.80)
    low, high = (0.07, 0.94) if glass else (low, high)
    half = 0.46 if glass else 0.34 if hall else 0.27
    entrance, at = None, (columns // 2 + 0.5) * cell
    reach, top = (2.1, 3.3) if hall else (1.1, 2.5) if block else (0.58, 2.15)
    if door:
        entrance = (at - reach, at + reach, 0.0, min(top, side.height - 0.3))
    found = []
    for row in range(int(solid.floors)):
        for column in range(columns):
            middle = (column + 0.5) * cell
            if entrance and row == 0 and abs(middle - at) < reach + 0.3 + half * cell:
                continue
            found.append((middle - half * cell, middle + half * cell, (row + low) * storey, (row + high) * storey))
    return found, entrance


def pierced(side: Side, holes: list[Rectangle]) -> Faces:
    """The side's wall around its holes, with their reveals."""
    wall = Faces()
    across = sorted({0.0, side.width, *(edge for hole in holes for edge in hole[:2])})
    upwards = sorted({0.0, side.height, *(edge for hole in holes for edge in hole[2:])})
    for v0, v1 in pairwise(upwards):
        begin: float | None = None
        for u0, u1 in pairwise(across):
            u, v = (u0 + u1) / 2, (v0 + v1) / 2
            hole = any(a < u < b and c < v < d for a, b, c, d in holes)
            begin = u0 if begin is None and not hole else begin
            if begin is not None and (hole or u1 == across[-1]):
                end = u0 if hole else u1
                wall.polygon([side.at(begin, v0), side.at(end, v0), side.at(end, v1), side.at(begin, v1)])
                begin = None
    for a, b, c, d in holes:
        for (u0, v0), (u1, v1) in (((a, c), (b, c)), ((b, c), (b, d)), ((b, d), (a, d)), ((a, d), (a, c))):
            wall.polygon([side.at(u0, v0), side.at(u0, v0, -DEEP), side.at(u1, v1, -DEEP), side.at(u1, v1)][::-1])
    return wall


class _Parts:
    """Faces that are collected by what they are made of, so that a building is a few meshes."""

    def __init__(self) -> None:
        self.frames, self.sills, self.doors, self.steps, self.rails, self.trim = (Faces() for _ in range(6))
        self.panes = {turned: Faces() for turned in (False, True)}


def build_building(stage: Stage, scene: Scene) -> None:
    """Put a scene's building, and what stands around it, on the stage."""
    parts, made = _Parts(), solids(scene.shape, scene.tags)
    glass = scene.tags["material"] == "glass"
    air = haze(scene.tags["time"])
    dress = Dress(stage, scene, air)
    walls = {turned: dress.of(WALL, turned) for turned in (False, True)}
    for solid, base in zip(made, first_parts(made, FIRST), strict=True):
        if solid.kind == WALL:
            _walls(stage, scene, solid, base, walls, parts, glass)
        elif solid.kind == BALCONY:
            _balcony(parts, solid)
        else:
            dress.put(solid, base)
            _finish(stage, scene, solid, base)
    _fittings(stage, scene, parts, glass)
    for kind, name, first in (("tree", scene.tags["trees"], TREE), ("bush", scene.tags["plants"], BUSH)):
        count = int(scene.shape["trees" if kind == "tree" else "bushes"])
        if not count:
            continue
        grove = Grove(stage, name, scene.seed, 17000 if kind == "tree" else 5000)
        for number in range(count):
            x, z, high, turn = (scene.shape[f"{kind}{number}_{name}"] for name in ("x", "z", "height", "turn"))
            grove.plant((x, 0.0, z), high, first + 2 * number, turn)


def _walls(stage: Stage, scene: Scene, solid: Solid, base: int, walls: Any, parts: _Parts, glass: bool) -> None:
    style = scene.tags["style"]
    for face, side in sides(solid).items():
        holes, entrance = plan(side, solid, style, glass, solid.door == face + 1)
        wall = pierced(side, holes + ([entrance] if entrance else []))
        made = stage.faces("wall", wall, walls[face in (0, 1)], "wall", base + face)
        if made is not None:
            made.color = _own_tone(scene, base)
        for number, hole in enumerate(holes):
            _window(parts, side, hole, glass, style == "warehouse", number, face in (0, 1))
        if entrance:
            _door(parts, side, entrance, style)
        if not glass and style in ("apartment block", "street") and solid.floors > 2:  # a cornice over the lowest floor
            level = (side.height - 0.25) / solid.floors
            side.box(parts.sills, (-0.06, side.width + 0.06), (level - 0.02, level + 0.16), (-0.02, 0.09))
    if solid.box[2] < 0.1:  # a base course around the foot
        for side in sides(solid).values():
            if not glass:
                side.box(parts.trim, (-0.03, side.width + 0.03), (0.0, 0.32), (-0.02, 0.035))


def _own_tone(scene: Scene, base: int) -> tuple[float, float, float, float]:
    """What the colour of one house of a street is multiplied by."""
    rng = np.random.default_rng((scene.seed, base))
    light, warm = rng.uniform(0.62, 1.22), rng.uniform(-0.09, 0.09)
    return light * (1 + warm), light, light * (1 - 1.3 * warm), 1.0


def _window(parts: _Parts, side: Side, hole: Rectangle, glass: bool, hall: bool, number: int, turned: bool) -> None:
    u0, u1, v0, v1 = hole
    back, bar = -DEEP * (0.35 if glass else 0.75), GLASS_BAR if glass else BAR
    for u, v in (((u0, u1), (v0, v0 + bar)), ((u0, u1), (v1 - bar, v1)), ((u0, u0 + bar), (v0 + bar, v1 - bar)),
                 ((u1 - bar, u1), (v0 + bar, v1 - bar))):  # fmt: skip
        side.box(parts.frames, u, v, (back - 0.04, back + 0.03))
    um, vm = (u0 + u1) / 2, v0 + 0.62 * (v1 - v0)
    if not glass:
        side.box(parts.frames, (um - bar / 2, um + bar / 2), (v0 + bar, v1 - bar), (back - 0.03, back + 0.02))
        side.box(parts.frames, (u0 + bar, u1 - bar), (vm - bar / 3, vm + bar / 3), (back - 0.03, back + 0.015))
        if not hall:
            side.box(parts.sills, (u0 - 0.08, u1 + 0.08), (v0 - 0.09, v0), (-DEEP, 0.075))
            side.box(parts.sills, (u0 - 0.10, u1 + 0.10), (v1, v1 + 0.15), (-0.02, 0.035))
    tilt = 0.012 * (((number * 7919) % 13) / 6 - 1)  # no two panes mirror the same
    corners = [side.at(u, v, back - 0.01 + tilt * ((u > um) - 0.5) * 0.6) for u, v in
               ((u0, v0), (u1, v0), (u1, v1), (u0, v1))]  # fmt: skip
    parts.panes[turned].polygon(corners)


def _door(parts: _Parts, side: Side, hole: Rectangle, style: str) -> None:
    u0, u1, v0, v1 = hole
    back = -0.11
    for u, v in (((u0, u0 + 0.09), (v0, v1)), ((u1 - 0.09, u1), (v0, v1)), ((u0, u1), (v1 - 0.09, v1))):
        side.box(parts.frames, u, v, (back - 0.04, back + 0.06))
    leaves = 2 if u1 - u0 > 1.6 else 1
    wide = (u1 - u0 - 0.18) / leaves
    for k in range(leaves):
        a, b = u0 + 0.09 + k * wide + 0.008, u0 + 0.09 + (k + 1) * wide - 0.008
        side.box(parts.doors, (a, b), (v0 + 0.02, v1 - 0.10), (back - 0.05, back))
        for c, d in ((0.10, 0.46), (0.54, 0.92)):  # panels
            low, high = v0 + c * (v1 - v0 - 0.1), v0 + d * (v1 - v0 - 0.1)
            side.box(parts.doors, (a + 0.12 * wide, b - 0.12 * wide), (low, high), (back - 0.02, back + 0.022))
    if style != "warehouse":
        side.box(parts.steps, (u0 - 0.3, u1 + 0.3), (0.0, 0.14), (0.0, 0.75))
        side.box(parts.steps, (u0 - 0.3, u1 + 0.3), (v1 + 0.10, v1 + 0.20), (0.0, 0.85))


def _balcony(parts: _Parts, solid: Solid) -> None:
    x0, x1, y0, y1, z0, z1 = solid.box
    parts.steps.box((x0, y0, z0), (x1, y0 + 0.16, z1))
    top = 0.05
    parts.rails.box((x0, y1 - top, z1 - 0.05), (x1, y1, z1))
    for x in (x0, x1 - 0.05):
        parts.rails.box((x, y1 - top, z0), (x + 0.05, y1, z1))
    count = max(2, round((x1 - x0) / 0.14))
    for x in np.linspace(x0, x1 - 0.022, count).tolist():
        parts.rails.box((x, y0 + 0.16, z1 - 0.04), (x + 0.022, y1 - top, z1 - 0.018))
    for z in np.linspace(z0, z1 - 0.04, max(2, round((z1 - z0) / 0.14))).tolist():
        for x in (x0, x1 - 0.022):
            parts.rails.box((x, y0 + 0.16, z), (x + 0.022, y1 - top, z + 0.022))


def _finish(stage: Stage, scene: Scene, solid: Solid, base: int) -> None:
    """What a roof or a chimney has at its edges."""
    x0, x1, _, y1, z0, z1 = solid.box
    roof = scene.tags["roof"]
    stone = plain(stage, "slab", (0.30, 0.29, 0.28), 0.85)
    if solid.kind == CHIMNEY:
        cap = Faces()
        cap.box((x0 - 0.08, y1 - 0.16, z0 - 0.08), (x1 + 0.08, y1, z1 + 0.08))
        for hand in (-0.18, 0.18):  # pots
            cap.box(
                ((x0 + x1) / 2 + hand - 0.10, y1, (z0 + z1) / 2 - 0.1),
                ((x0 + x1) / 2 + hand + 0.10, y1 + 0.34, (z0 + z1) / 2 + 0.1),
            )
        stage.faces("cap", cap, stone, "trim", base + 7, bevel=0.02)
    if solid.kind == FLAT and roof == "flat" and scene.tags["style"] in ("apartment block", "skyscraper", "warehouse"):
        edge = Faces()  # a parapet around the roof
        for a, b, c, d in (
            (x0, x1, z1 - 0.3, z1),
            (x0, x1, z0, z0 + 0.3),
            (x0, x0 + 0.3, z0, z1),
            (x1 - 0.3, x1, z0, z1),
        ):
            edge.box((a, y1 - 0.02, c), (b, y1 + 0.35, d))
        stage.faces("parapet", edge, stone, "roof", base + 2, bevel=0.03)
        if scene.tags["style"] != "warehouse":  # what stands on every such roof
            box, middle = Faces(), (x0 + x1) / 2
            box.box((middle - 2.2, y1, z0 + 1.2), (middle + 1.6, y1 + 1.9, z0 + 4.2))
            stage.faces("lift", box, stone, "roof", base + 3, bevel=0.03)
    if solid.kind == ROOF and roof == "gable" and x1 - x0 > 2.5 and z1 - z0 > 2.5:
        _gutter(stage, solid, base)


def _gutter(stage: Stage, solid: Solid, base: int) -> None:
    x0, x1, y0, _, z0, z1 = solid.box
    mx, mz = (x0 + x1) / 2, (z0 + z1) / 2
    slope = solid.planes[0]
    gutter = Faces()
    for x, z, along in ((x0, 0.0, False), (x1, 0.0, False)) if abs(slope[0]) > abs(slope[2]) else (
        (0.0, z0, True), (0.0, z1, True)):  # fmt: skip
        toward = slope[0] if not along else slope[2]
        if (x - mx if not along else z - mz) * toward <= 0:
            continue
        low = y0 - 0.34 * abs(toward) / max(slope[1], 0.1)
        if along:
            gutter.box((x0, low - 0.06, z - 0.05), (x1, low + 0.06, z + 0.08))
        else:
            gutter.box((x - 0.05, low - 0.06, z0), (x + 0.08, low + 0.06, z1))
    stage.faces("gutter", gutter, plain(stage, "zinc", (0.33, 0.34, 0.35), 0.4, 0.8), "roof", base, bevel=0.03)


def _fittings(stage: Stage, scene: Scene, parts: _Parts, glass: bool) -> None:
    white, metal = (
        plain(stage, "frame", (0.72, 0.71, 0.68), 0.4),
        plain(stage, "mullion", (0.10, 0.105, 0.11), 0.3, 0.7),
    )
    slab = plain(stage, "slab", (0.42, 0.41, 0.39), 0.8)
    stage.faces("frames", parts.frames, metal if glass else white, "window", WINDOW, bevel=0.006)
    room = (2 * scene.shape["spacing"], (scene.shape["height"] - 0.25) / scene.shape["floors"])
    for turned, panes in parts.panes.items():
        stage.faces("panes", panes, pane(stage, scene, turned, room), "window", WINDOW)
    stage.faces("sills", parts.sills, slab, "wall", FIRST + 4, bevel=0.012)
    stage.faces("trim", parts.trim, plain(stage, "base", (0.20, 0.195, 0.19), 0.85), "wall", FIRST + 4, bevel=0.01)
    stage.faces("doors", parts.doors, _wood_door(stage), "door", DOOR, bevel=0.008)
    stage.faces("steps", parts.steps, slab, "balcony" if scene.tags["balconies"] != NONE else "wall", 8, bevel=0.02)
    stage.faces("rails", parts.rails, plain(stage, "rail", (0.08, 0.085, 0.09), 0.35, 0.8), "balcony", 9)


def _wood_door(stage: Stage) -> Any:
    s = Shader(stage, "door")
    grain = s.noise(s.scaled(s.place(), (14, 14, 0.8)), 1.6, 6, 0.6)
    colour = s.mix(s.between(grain, 0.35, 0.65), (0.055, 0.022, 0.010), (0.145, 0.065, 0.028))
    return s.done(s.surface(Base_Color=colour, Roughness=0.4, Coat_Weight=0.3, Normal=s.bump(grain, 0.002)))
