"""Buildings for the path tracer: the solids of ``_building_shape`` with real openings, frames, sills and gutters."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ._blender import Stage
from ._building_shape import ATTIC, BALCONY, CHIMNEY, FLAT, ROOF, WALL, Solid, solids
from ._scene import Scene
from ._shader import Shader, plain
from ._solid_mesh import Faces, Point
from ._trace_plants import tree
from ._trace_walls import roof_material, wall_material

FIRST, WINDOW, DOOR, TREE = 30, 10, 11, 12  # parts; those of the walls follow from the first on, in tens
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
        self.frames, self.panes, self.sills, self.doors, self.steps, self.rails = (Faces() for _ in range(6))
        self.trim = Faces()


def build_building(stage: Stage, scene: Scene) -> None:
    """Put a scene's building, and the trees beside it, on the stage."""
    parts, made = _Parts(), solids(scene.shape, scene.tags["roof"])
    material, glass = scene.tags["material"], scene.tags["material"] == "glass"
    walls = {
        turned: wall_material(stage, material, scene.tags["colour"], scene.tags["style"], turned)
        for turned in (False, True)
    }
    tops = {turned: roof_material(stage, scene.tags["roof"], turned) for turned in (False, True)}
    for number, solid in enumerate(made):
        base = FIRST + 10 * number
        if solid.kind == WALL:
            _walls(stage, scene, solid, base, walls, parts, glass)
        elif solid.kind == BALCONY:
            _balcony(parts, solid)
        else:
            _shaped(stage, scene, solid, base, walls, tops)
    _fittings(stage, scene, parts, glass)
    for number in range(int(scene.shape["trees"])):
        x, z, high = (scene.shape[f"tree{number}_{name}"] for name in ("x", "z", "height"))
        tree(stage, (x, 0.0, z), 1.5 * high, scene.seed + number, TREE + 2 * number)


def _walls(stage: Stage, scene: Scene, solid: Solid, base: int, walls: Any, parts: _Parts, glass: bool) -> None:
    for face, side in sides(solid).items():
        holes, entrance = plan(side, solid, scene.tags["style"], glass, solid.door and face == 4)
        wall = pierced(side, holes + ([entrance] if entrance else []))
        stage.faces("wall", wall, walls[face in (0, 1)], "wall", base + face)
        for number, hole in enumerate(holes):
            _window(parts, side, hole, glass, scene.tags["style"] == "warehouse", number)
        if entrance:
            _door(parts, side, entrance, scene.tags["style"])
    if solid.box[2] < 0.1:  # a base course around the foot
        for side in sides(solid).values():
            if not glass:
                side.box(parts.trim, (-0.03, side.width + 0.03), (0.0, 0.32), (-0.02, 0.035))


def _window(parts: _Parts, side: Side, hole: Rectangle, glass: bool, hall: bool, number: int) -> None:
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
    tilt = 0.012 * (((number * 7919) % 13) / 6 - 1)  # no two panes mirror the same
    corners = [side.at(u, v, back - 0.01 + tilt * ((u > um) - 0.5) * 0.6) for u, v in
               ((u0, v0), (u1, v0), (u1, v1), (u0, v1))]  # fmt: skip
    parts.panes.polygon(corners)


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


def _shaped(stage: Stage, scene: Scene, solid: Solid, base: int, walls: Any, tops: Any) -> None:
    """Attics, roofs, slabs and chimneys: what is inside a solid's planes."""
    whole = Faces()
    order = whole.convex(solid.planes)
    gable = scene.tags["roof"] == "gable"
    groups: dict[tuple[Any, str, int], Faces] = {}
    stone = plain(stage, "slab", (0.30, 0.29, 0.28), 0.85)
    for index, plane in order.items():
        normal = solid.planes[plane][:3]
        sideways = abs(normal[0]) > abs(normal[2])
        if solid.kind == ATTIC:
            material, label = walls[sideways], "wall"
            part = FIRST + ({True: 0 if normal[0] > 0 else 1, False: 4 if normal[2] > 0 else 5}[sideways])
        elif solid.kind == ROOF:
            material = tops[sideways] if normal[1] > 0.2 else stone
            label, part = "roof", base if gable else base + plane
        elif solid.kind == CHIMNEY:
            material, label, part = walls[sideways], "trim", base + plane
        else:
            material, label, part = stone, "roof", base + plane
        corners = [whole.points[k] for k in whole.faces[index]]
        groups.setdefault((material, label, part), Faces()).polygon(corners)
    for (material, label, part), faces in groups.items():
        stage.faces("shape", faces, material, label, part)
    x0, x1, _, y1, z0, z1 = solid.box
    if solid.kind == CHIMNEY:
        cap = Faces()
        cap.box((x0 - 0.08, y1 - 0.16, z0 - 0.08), (x1 + 0.08, y1, z1 + 0.08))
        stage.faces("cap", cap, stone, "trim", base + 7, bevel=0.02)
    if solid.kind == FLAT and scene.tags["roof"] == "flat":  # a parapet around the roof
        edge = Faces()
        for a, b, c, d in (
            (x0, x1, z1 - 0.3, z1),
            (x0, x1, z0, z0 + 0.3),
            (x0, x0 + 0.3, z0, z1),
            (x1 - 0.3, x1, z0, z1),
        ):
            edge.box((a, y1 - 0.02, c), (b, y1 + 0.35, d))
        stage.faces("parapet", edge, stone, "roof", base + 2, bevel=0.03)
    if solid.kind == ROOF and gable:
        _gutter(stage, solid, base)


def _gutter(stage: Stage, solid: Solid, base: int) -> None:
    x0, x1, y0, _, z0, z1 = solid.box
    slope = solid.planes[0]
    gutter = Faces()
    for x, z, along in ((x0, 0.0, False), (x1, 0.0, False)) if abs(slope[0]) > abs(slope[2]) else (
        (0.0, z0, True), (0.0, z1, True)):  # fmt: skip
        toward = slope[0] if not along else slope[2]
        if (x if not along else z) * toward <= 0:
            continue
        low = y0 - 0.34 * abs(toward) / max(slope[1], 0.1)
        if along:
            gutter.box((x0, low - 0.06, z - 0.05), (x1, low + 0.06, z + 0.08))
        else:
            gutter.box((x - 0.05, low - 0.06, z0), (x + 0.08, low + 0.06, z1))
    stage.faces("gutter", gutter, plain(stage, "zinc", (0.33, 0.34, 0.35), 0.4, 0.8), "roof", base, bevel=0.03)


def _fittings(stage: Stage, scene: Scene, parts: _Parts, glass: bool) -> None:
    night = scene.tags["time"] == "night"
    white, metal = (
        plain(stage, "frame", (0.72, 0.71, 0.68), 0.4),
        plain(stage, "mullion", (0.10, 0.105, 0.11), 0.3, 0.7),
    )
    slab = plain(stage, "slab", (0.42, 0.41, 0.39), 0.8)
    stage.faces("frames", parts.frames, metal if glass else white, "window", WINDOW, bevel=0.006)
    stage.faces("panes", parts.panes, _pane(stage, scene, night), "window", WINDOW)
    stage.faces("sills", parts.sills, slab, "wall", FIRST + 4, bevel=0.012)
    stage.faces("trim", parts.trim, plain(stage, "base", (0.20, 0.195, 0.19), 0.85), "wall", FIRST + 4, bevel=0.01)
    stage.faces("doors", parts.doors, _wood_door(stage), "door", DOOR, bevel=0.008)
    stage.faces("steps", parts.steps, slab, "balcony" if scene.shape["balconies"] else "wall", 8, bevel=0.02)
    stage.faces("rails", parts.rails, plain(stage, "rail", (0.08, 0.085, 0.09), 0.35, 0.8), "balcony", 9)


def _pane(stage: Stage, scene: Scene, night: bool) -> Any:
    """Mirrors the sky before a dark room with pale curtains; at night rooms are lit, each in its own way."""
    s = Shader(stage, "pane")
    at = s.place()
    room = s.node("NewGeometry").outputs["Random Per Island"]
    fold = s.wave(s.scaled(at, (1, 1, 0)), 4.5, 1.5, "DIAGONAL")
    curtain = s.math("GREATER_THAN", s.math("FRACT", s.math("MULTIPLY", room, 7.31)), 0.62)
    tints = {"blue": (0.035, 0.085, 0.16), "grey": (0.05, 0.055, 0.06), "green": (0.03, 0.085, 0.07)}
    dark = tints[scene.tags["colour"]] if scene.tags["material"] == "glass" else (0.012, 0.014, 0.017)
    colour = s.mix(s.math("MULTIPLY", curtain, 0.55), dark, s.shaded((0.30, 0.29, 0.27), fold, 0.6, 1.1))
    inputs: dict[str, Any] = {"Base_Color": dark if scene.tags["material"] == "glass" else colour, "Roughness": 0.03}
    if scene.tags["material"] == "glass":
        inputs |= {"Metallic": 0.55, "Base_Color": tuple(4.0 * value for value in dark)}
    if night:
        warm = s.mix(room, (1.0, 0.55, 0.20), (1.0, 0.78, 0.45))
        level = s.between(s.math("FRACT", s.math("MULTIPLY", room, 3.7)), 0.0, 1.0, 0.16, 0.42)
        storey = (scene.shape["height"] - 0.25) / scene.shape["floors"]
        up = s.math("FRACT", s.math("DIVIDE", s.node("SeparateXYZ", {0: at}).outputs[2], storey))
        drape = s.math("MULTIPLY", s.between(fold, 0.2, 0.8, 0.85, 1.0), s.between(up, 0.1, 0.9, 0.45, 1.15))
        if scene.tags["material"] == "glass":
            warm = s.mix(0.30, warm, [5.0 * value for value in dark])
        inputs |= {"Emission_Color": warm, "Emission_Strength": s.math("MULTIPLY", level, drape)}
    return s.done(s.surface(**inputs, Coat_Weight=1.0, Coat_Roughness=0.0))


def _wood_door(stage: Stage) -> Any:
    s = Shader(stage, "door")
    grain = s.noise(s.scaled(s.place(), (14, 14, 0.8)), 1.6, 6, 0.6)
    colour = s.mix(s.between(grain, 0.35, 0.65), (0.055, 0.022, 0.010), (0.145, 0.065, 0.028))
    return s.done(s.surface(Base_Color=colour, Roughness=0.4, Coat_Weight=0.3, Normal=s.bump(grain, 0.002)))
