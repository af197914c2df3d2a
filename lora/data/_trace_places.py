"""Where cars are shown besides bare ground: a street in a city, a road in the mountains, a road at the sea."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._blender import Stage
from ._scene import Scene
from ._shader import Shader, plain
from ._solid_mesh import Faces

HOUSES, SEA, PEAKS, RAIL, LAMPS = 600, 6, 5, 9, 10  # parts; a car has those from 19 to 120
ROAD = 3.4  # metres from a road's middle to its edge
FRONTS = ((0.40, 0.36, 0.31), (0.34, 0.20, 0.14), (0.46, 0.43, 0.38), (0.25, 0.25, 0.26), (0.36, 0.30, 0.22))


def far_side(scene: Scene) -> tuple[float, ...]:
    """Sides of a road that a camera sees: the far one, or both where it looks along the road."""
    across = math.cos(scene.view.yaw)
    return (-math.copysign(1.0, across),) if abs(across) > 0.42 else (-1.0, 1.0)


# --- a city


def street(stage: Stage, scene: Scene, pavement: Any) -> None:
    """Pavements, fronts of houses with windows, street lamps."""
    rng = np.random.default_rng(scene.seed)
    lit = scene.tags["time"] in ("night", "dusk")
    paving, posts, heads = Faces(), Faces(), Faces()
    number = 0
    for hand in far_side(scene):
        edge, back = hand * ROAD, hand * (ROAD + 4.2)
        low, high = sorted((edge, back + hand * 40))
        paving.box((-150, -0.05, low), (150, 0.13, high))
        at = -70.0 + rng.uniform(0, 8)
        while at < 70:
            wide = float(rng.uniform(9, 17))
            if hand < 0 or hand > 0:
                _front(stage, rng, at, at + wide, back, hand, number, lit)
            number += 1
            at += wide
        for x in np.arange(-52, 53, 15.0) + rng.uniform(-4, 4):
            z = edge + hand * 0.6
            posts.box((x - 0.06, 0.1, z - 0.06), (x + 0.06, 5.4, z + 0.06))
            ends = sorted((z, z - hand * 1.2))
            posts.box((x - 0.04, 5.34, ends[0]), (x + 0.04, 5.42, ends[1]))
            heads.box((x - 0.13, 5.28, z - hand * 1.0 - 0.3), (x + 0.13, 5.35, z - hand * 1.0 + 0.3))
            if lit and abs(x) < 24:
                stage.lamp("SPOT", (x, 5.2, z - hand * 1.0), (x, 0.0, z - hand * 1.0), 420.0, 0.15, spot_size=2.3,
                           spot_blend=0.6, color=(1.0, 0.74, 0.44))  # fmt: skip
    stage.faces("pavement", paving, pavement, "ground", 8, bevel=0.02)
    stage.faces("posts", posts, plain(stage, "iron", (0.02, 0.022, 0.024), 0.45), "trim", LAMPS, bevel=0.01)
    glow = plain(stage, "lamp head", (1.0, 0.80, 0.52), 0.4, glow=14.0 if lit else 0.0)
    stage.faces("heads", heads, glow, "trim", LAMPS)


def _front(stage: Stage, rng: np.random.Generator, low: float, high: float, z: float, hand: float, number: int,
           lit: bool) -> None:  # fmt: skip
    """One house's front: a plinth with shops, floors of windows in deep reveals, a cornice."""
    floors, storey = int(rng.integers(3, 6)), float(rng.uniform(3.0, 3.5))
    ground = 4.2
    top = ground + floors * storey
    count = max(2, round((high - low) / rng.uniform(2.4, 3.2)))
    step = (high - low) / count
    walls, panes, frames = Faces(), Faces(), Faces()
    wide, tall = 0.5 * step * rng.uniform(0.45, 0.62), storey * rng.uniform(0.50, 0.62)
    deep = hand * 0.22

    def quad(faces: Faces, x0: float, x1: float, y0: float, y1: float, at: float) -> None:
        ring = [(x0, y0, at), (x1, y0, at), (x1, y1, at), (x0, y1, at)]
        faces.polygon(ring if hand < 0 else ring[::-1])

    rows = [(0.55, 3.3, 0.5 * step - 0.25)] + [(ground + k * storey + 0.25 * (storey - tall) + 0.4,
            ground + k * storey + 0.25 * (storey - tall) + 0.4 + tall, wide) for k in range(floors)]  # fmt: skip
    before = 0.0
    for y0, y1, half in rows:
        quad(walls, low, high, before, y0, z)
        x = low
        for k in range(count):
            middle = low + (k + 0.5) * step
            quad(walls, x, middle - half, y0, y1, z)
            x = middle + half
            quad(panes, middle - half, x, y0, y1, z + deep)
            for a, b in ((middle - half, middle - half + 0.06), (x - 0.06, x), (middle - 0.03, middle + 0.03)):
                ends = sorted((z + deep, z + deep - hand * 0.05))
                frames.box((a, y0, ends[0]), (b, y1, ends[1]))
            ends = sorted((z - hand * 0.10, z + deep))
            walls.box((middle - half - 0.1, y0 - 0.12, ends[0]), (x + 0.1, y0, ends[1]))
            for a in (middle - half, x):  # reveals
                ends = sorted((z, z + deep))
                walls.box((a - 0.01, y0, ends[0]), (a + 0.01, y1, ends[1]))
        quad(walls, x, high, y0, y1, z)
        before = y1
    quad(walls, low, high, before, top, z)
    for y, out, thick in ((top, 0.45, 0.4), (ground - 0.25, 0.18, 0.25)):
        ends = sorted((z - hand * out, z + hand * 0.5))
        walls.box((low, y, ends[0]), (high, y + thick, ends[1]))
    ends = sorted((z + hand * 0.5, z + hand * 9))
    walls.box((low, 0, ends[0]), (high, top, ends[1]))
    part = HOUSES + 3 * number
    stage.faces("front", walls, _plaster(stage, FRONTS[int(rng.integers(len(FRONTS)))], low), "wall", part)
    stage.faces("frames", frames, plain(stage, "frames", (0.30, 0.29, 0.27), 0.5), "window", part + 1)
    stage.faces("panes", panes, _panes(stage, step, low, lit), "window", part + 1)


def _plaster(stage: Stage, colour: Any, shift: float) -> Any:
    s = Shader(stage, "front")
    at = s.place()
    stain, fine = s.noise(s.scaled(at, (1, 1, 0.4)), 0.5, 7, 0.6), s.noise(at, 16.0, 5, 0.65)
    shade = s.shaded(s.shaded(colour, stain, 0.78, 1.14), fine, 0.9, 1.1)
    return s.done(s.surface(Base_Color=shade, Roughness=0.85, Normal=s.bump(fine, 0.01)))


def _panes(stage: Stage, step: float, low: float, lit: bool) -> Any:
    """Dark rooms behind glass; some are lit in the evening."""
    s = Shader(stage, "panes")
    at = s.place()
    cell = s.node(
        "TexWhiteNoise", {"Vector": s.node("VectorMath", {0: at, 1: (1.6, 40.0, 3.3)}, operation="SNAP").outputs[0]}
    ).outputs[0]
    glow = s.math("MULTIPLY", s.between(cell, 0.55, 0.60), 0.42 if lit else 0.0)
    return s.done(s.surface(Base_Color=(0.014, 0.017, 0.020), Roughness=0.05, IOR_Level=0.8, Coat_Weight=0.6,
                            Emission_Color=(1.0, 0.70, 0.38), Emission_Strength=glow))  # fmt: skip


# --- mountains


def peaks(stage: Stage, scene: Scene, air: Any, haze: float) -> None:
    """A chain of mountains behind a road, with snow on their tops, and the road's rail."""
    rng = np.random.default_rng(scene.seed + 11)
    view = scene.view
    rows, columns = 120, 420
    turn = np.linspace(-0.75, 0.75, columns) * max(1.0, view.field / 0.55)
    away = np.geomspace(260.0, 2600.0, rows)
    field = _ridged(rng, turn[None] * 5.0, np.log(away)[:, None] * 4.2)
    share = np.linspace(0, 1, rows)[:, None]
    spread = 2 * math.tan(view.field / 2)
    high = spread * away[:, None] * (0.05 + 0.30 * share**0.8) * field * np.minimum(1, 6 * share) - 2.0
    angle = view.yaw + math.pi - turn
    x = view.eye[0] + away[:, None] * np.sin(angle)
    z = view.eye[2] + away[:, None] * np.cos(angle)
    land = Faces.grid(np.stack([x, high, z], -1))
    s = Shader(stage, "peaks")
    at, normal = s.place(), s.node("NewGeometry").outputs["Normal"]
    up = s.node("SeparateXYZ", {0: normal}).outputs[2]
    rough = s.noise(at, 0.05, 8, 0.62)
    rock = s.mix(s.between(rough, 0.35, 0.65), (0.055, 0.052, 0.05), (0.20, 0.185, 0.17))
    flat = s.math("ADD", up, s.math("MULTIPLY", s.math("SUBTRACT", rough, 0.5), 0.55))
    height = s.node("SeparateXYZ", {0: at}).outputs[2]
    line = 0.5 * float(high.max())
    tall = s.between(s.math("ADD", height, s.math("MULTIPLY", rough, 0.3 * line)), 0.8 * line, 1.3 * line)
    colour = s.mix(s.math("MULTIPLY", s.between(flat, 0.52, 0.72), tall), rock, (0.80, 0.83, 0.88))
    low = s.between(s.math("ADD", height, s.math("MULTIPLY", rough, 0.25 * line)), 0.25 * line, 0.6 * line, 1.0, 0.0)
    wood = s.mix(s.between(s.cells(at, 0.10), 0.1, 0.5), (0.030, 0.060, 0.020), (0.010, 0.024, 0.010))
    colour = s.mix(s.math("MULTIPLY", low, s.between(flat, 0.35, 0.6)), colour, wood)
    made = s.surface(Base_Color=colour, Roughness=0.9, IOR_Level=0.1, Normal=s.bump(rough, 14.0))
    stage.faces("peaks", land, s.done(s.hazed(made, air, 2.2 * haze)), "mountain", PEAKS, smooth=180)
    _rail(stage, scene)


def _ridged(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Ridges from 0 to 1: sums of folded waves in random directions."""
    total, size = np.zeros(np.broadcast(x, y).shape), 1.0
    for octave in range(6):
        part = np.zeros_like(total)
        for _ in range(4):
            way = rng.uniform(0, 2 * math.pi)
            wave = rng.uniform(0.8, 1.25) * 1.9**octave * 0.8
            bend = 0.6 * np.sin(0.7 * wave * (y * math.cos(way) - x * math.sin(way)) + rng.uniform(0, 6))
            part += 1 - np.abs(np.sin(wave * (x * math.cos(way) + y * math.sin(way)) + bend + rng.uniform(0, 6)))
        total += size * part / 4
        size *= 0.46
    return (total - total.min()) / np.ptp(total)


def _rail(stage: Stage, scene: Scene) -> None:
    """A steel rail on posts along the far edge."""
    rail, posts = Faces(), Faces()
    for hand in far_side(scene):
        z = hand * (ROAD + 0.75)
        profile = [(0.42, 0.0), (0.47, 0.05), (0.53, 0.05), (0.57, 0.0), (0.61, 0.05), (0.67, 0.05), (0.72, 0.0)]
        points = np.array([[[x, y, z - hand * d] for y, d in profile] for x in (-160.0, 160.0)])
        made = rail.joined(Faces.grid(points))
        rail.points, rail.faces = made.points, made.faces
        for x in np.arange(-80, 81, 4.0):
            posts.box((x - 0.05, 0, z + hand * 0.02 - 0.04), (x + 0.05, 0.74, z + hand * 0.02 + 0.04))
    steel = plain(stage, "rail", (0.42, 0.43, 0.44), 0.38, 0.9)
    stage.faces("rail", rail, steel, "trim", RAIL, smooth=40)
    stage.faces("rail posts", posts, steel, "trim", RAIL)


# --- the sea


def sea(stage: Stage, scene: Scene, air: Any, haze: float) -> None:
    """Open water beyond a low wall at the road's far side."""
    s = Shader(stage, "sea")
    at = s.place()
    long = s.noise(s.scaled(at, (0.5, 1.0, 1.0)), 0.13, 5, 0.6)
    small = s.noise(s.scaled(at, (0.7, 1.0, 1.0)), 0.9, 5, 0.62)
    away = s.node("CameraData").outputs["View Distance"]
    tone = s.mix(s.between(away, 20.0, 130.0), (0.012, 0.10, 0.115), (0.004, 0.030, 0.055))
    foam = s.math("MULTIPLY", s.between(small, 0.64, 0.72), s.between(long, 0.50, 0.62))
    tone = s.mix(s.math("MULTIPLY", foam, 0.8), tone, (0.65, 0.70, 0.72))
    normal = s.bump(s.math("ADD", long, s.math("MULTIPLY", small, 0.25)), 1.6)
    made = s.surface(Base_Color=tone, Roughness=0.09, IOR_Level=0.5, Normal=normal)
    water = s.done(s.hazed(made, air, 2.6 * haze, 0.7))
    wall, surface = Faces(), Faces()
    for hand in far_side(scene):
        low, high = sorted((hand * (ROAD + 1.6), hand * (ROAD + 2.0)))
        wall.box((-300, -0.3, low), (300, 0.62, high))
        z0, z1 = sorted((hand * (ROAD + 1.8), hand * 3e4))
        surface.polygon([(-3e4, -1.6, z1), (3e4, -1.6, z1), (3e4, -1.6, z0), (-3e4, -1.6, z0)])
    stage.faces("sea", surface, water, "sea", SEA)
    s = Shader(stage, "sea wall")
    at = s.place()
    stone = s.cells(s.scaled(at, (1, 1, 1.5)), 1.6, "DISTANCE_TO_EDGE")
    grain = s.noise(at, 9.0, 6, 0.65)
    colour = s.shaded(s.mix(s.between(stone, 0.01, 0.05), (0.13, 0.12, 0.11), (0.36, 0.33, 0.29)), grain, 0.75, 1.2)
    stage.faces("sea wall", wall, s.done(s.surface(Base_Color=colour, Roughness=0.85, Normal=s.bump(stone, 0.04))),
                "rock", RAIL, bevel=0.04)  # fmt: skip
