"""Landscapes for the path tracer: what ``_landscape_shape`` says in picture sizes, as land of real depth."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import cv2
import numpy as np

from ._blender import Stage
from ._camera import View
from ._landscape import CLASSES, EYE
from ._scene import Scene
from ._shader import Shader
from ._solid_mesh import Faces
from ._trace_ground import FAR, grass, sand, snow, tufts
from ._trace_light import haze
from ._trace_plants import tree

LARGE = 4.0  # times as large as the scene's own metres, so that its trees are trees and not bushes
GROUND, SEA, RIDGE, ROCK, TREE = 8, 6, 4, 20, 40  # parts, as the fast painter has them
COLUMNS, ROWS = 520, 150  # of a mountain's grid


def seen_large(view: View) -> View:
    """The view from LARGE times as high."""
    x, y, z = view.target
    return replace(view, target=(x * LARGE, y * LARGE, z * LARGE))


def build_landscape(stage: Stage, scene: Scene) -> None:
    """Put a landscape on the stage; it is to be seen by ``seen_large`` of its view."""
    air, spread = haze(scene.tags["time"]), 2 * math.tan(scene.view.field / 2)
    high = EYE * LARGE
    sea = scene.tags["far"] == "the sea"
    shore = high / (scene.shape["shore"] * spread) if sea else FAR
    rng = np.random.default_rng(int(scene.shape["ridge_at"] * 1e9))
    if sea:
        _sea(stage, shore, scene, air)
    else:
        _land(stage, rng, scene.tags["far"] == "snowy mountains", spread, air)
    _near(stage, scene, shore if sea else None, air)
    for number in range(int(scene.shape["rocks"])):
        x, foot, size = (scene.shape[f"rock{number}_{name}"] for name in ("x", "foot", "size"))
        away = high / (-foot * spread)
        _rock(stage, (x * spread * away, -away), size * spread * away, scene.seed * 31 + number, ROCK + number)
    for number in range(int(scene.shape["trees"])):
        x, foot, tall = (scene.shape[f"tree{number}_{name}"] for name in ("x", "foot", "height"))
        away = high / (-foot * spread)
        at = (x * spread * away, 0.0, -away)
        tree(stage, at, tall * spread * away, scene.seed * 17 + number, TREE + 2 * number)


# --- far


def fractal(rng: np.random.Generator, rows: int, columns: int, cells: tuple[float, float], octaves: int, rough: float,
            ridged: bool = False) -> np.ndarray:  # fmt: skip
    """(rows, columns) about -1 to 1: noise of several octaves; ``ridged`` has sharp crests (Musgrave)."""
    total, weight, size = np.zeros((rows, columns), np.float32), np.float32(1), 1.0
    for octave in range(octaves):
        shape = [max(4, int(each * 2**octave)) + 4 for each in cells]
        values = rng.standard_normal(shape).astype(np.float32) * 0.6
        wide = cv2.resize(values, (columns + 64, rows + 64), interpolation=cv2.INTER_CUBIC)[32:-32, 32:-32]
        if ridged:
            wide = 1 - 2 * np.abs(wide)
            total += size * wide * weight
            weight = (0.5 + 0.5 * wide).clip(0.15, 1)
        else:
            total += size * wide
        size *= rough
    return total


def _land(stage: Stage, rng: np.random.Generator, mountains: bool, spread: float, air: Any) -> None:
    """A field of mountains or hills, a fan before the camera."""
    near, far = (1300.0, 5200.0) if mountains else (150.0, 1500.0)
    turn = np.linspace(-1.0, 1.0, COLUMNS)
    share = np.linspace(0, 1, ROWS)[:, None]
    away = near + (far - near) * share**1.3
    if mountains:
        field = fractal(rng, ROWS, COLUMNS, (3.0, 6.0), 6, 0.44, True)
        field = (0.55 + 0.40 * field).clip(0, None) ** 1.1
        tall = 0.30 * np.sin(np.pi * share.clip(0, 0.92)) ** 0.8
    else:
        field = (0.55 + 0.35 * fractal(rng, ROWS, COLUMNS, (3.0, 5.0), 3, 0.38)).clip(0.05, None)
        tall = 0.105 * share**0.7
    up = (tall * field) * spread * away
    up[0] = -3.0
    points = np.stack([away * np.sin(turn), up, -away * np.cos(turn)], -1)
    land = Faces.grid(points)
    material = _rock_and_snow(stage, air, spread) if mountains else _meadows(stage, air)
    stage.faces("land", land, material, "mountain" if mountains else "hill", RIDGE, smooth=180)


def _rock_and_snow(stage: Stage, air: Any, spread: float) -> Any:
    """Snow where it can lie and is high, rock elsewhere, dark woods at the foot."""
    s = Shader(stage, "mountain")
    at = s.place()
    steep = s.node("SeparateXYZ", {0: s.node("NewGeometry").outputs["Normal"]}).outputs[2]
    height = s.math("DIVIDE", s.node("SeparateXYZ", {0: at}).outputs[2], 1000.0 * spread)
    rough, fine = s.noise(at, 0.004, 9, 0.62), s.noise(at, 0.03, 6, 0.65)
    layer = s.noise(s.scaled(at, (0.2, 0.2, 1.0)), 0.02, 5)
    rock = s.mix(s.between(layer, 0.35, 0.65), (0.085, 0.078, 0.075), (0.21, 0.19, 0.18))
    rock = s.shaded(rock, fine, 0.7, 1.3)
    wood = s.shaded((0.035, 0.052, 0.030), fine, 0.6, 1.5)
    edge = s.math("ADD", height, s.math("MULTIPLY", s.math("SUBTRACT", rough, 0.5), 0.35))
    base = s.mix(s.between(edge, 0.16, 0.34), wood, rock)
    lies = s.math("ADD", steep, s.math("MULTIPLY", s.math("SUBTRACT", fine, 0.5), 0.45))
    white = s.math("MULTIPLY", s.between(lies, 0.50, 0.66), s.between(edge, 0.20, 0.42))
    tone = s.mix(white, base, (0.82, 0.86, 0.92))
    normal = s.bump(s.math("ADD", rough, s.math("MULTIPLY", fine, 0.3)), 60.0)
    return s.done(s.hazed(s.surface(Base_Color=tone, Roughness=0.85, Normal=normal), air, 9000.0, 0.85))


def _meadows(stage: Stage, air: Any) -> Any:
    """Meadows with woods on them."""
    s = Shader(stage, "hills")
    at = s.place()
    woods = s.between(s.noise(at, 0.009, 5, 0.5), 0.49, 0.54)
    crown = s.cells(at, 0.16)
    field = s.noise(at, 0.005, 3)
    meadow = s.mix(s.between(field, 0.35, 0.65), (0.070, 0.125, 0.028), (0.155, 0.175, 0.055))
    meadow = s.shaded(meadow, s.noise(at, 0.25, 6), 0.82, 1.16)
    wood = s.shaded((0.030, 0.062, 0.020), s.math("SUBTRACT", 1.0, crown), 0.35, 1.45)
    tone = s.mix(woods, meadow, wood)
    height = s.math("MULTIPLY", woods, s.math("SUBTRACT", 1.4, crown))
    made = s.surface(Base_Color=tone, Roughness=0.9, IOR_Level=0.1, Normal=s.bump(height, 6.0))
    return s.done(s.hazed(made, air, 2600.0, 0.85))


def _sea(stage: Stage, shore: float, scene: Scene, air: Any) -> None:
    water = Faces()
    water.polygon([(-2e4, -0.25, 0), (2e4, -0.25, 0), (2e4, -0.25, -3e4), (-2e4, -0.25, -3e4)])
    s = Shader(stage, "sea")
    at = s.place()
    long = s.noise(s.scaled(at, (0.35, 1.0, 1.0)), 0.16, 5, 0.6)
    small = s.noise(s.scaled(at, (0.6, 1.0, 1.0)), 1.1, 4, 0.6)
    near = s.between(s.node("CameraData").outputs["View Distance"], shore * 0.9, shore * 2.6)
    tone = s.mix(near, (0.020, 0.145, 0.150), (0.004, 0.030, 0.055))
    normal = s.bump(s.math("ADD", long, s.math("MULTIPLY", small, 0.22)), 1.9)
    made = s.surface(Base_Color=tone, Roughness=0.07, IOR_Level=0.5, Normal=normal)
    stage.faces("sea", water, s.done(s.hazed(made, air, 5000.0, 0.6)), "sea", SEA)
    foam = Faces()
    line = coast(scene, shore)
    for deep, wide in ((0.2, 1.6), (4.5, 0.8)):
        for (x0, z0), (x1, z1) in pairwise(line):
            foam.polygon([(x0, -0.20, -z0 - deep), (x1, -0.20, -z1 - deep),
                          (x1, -0.20, -z1 - deep - wide), (x0, -0.20, -z0 - deep - wide)])  # fmt: skip
    s = Shader(stage, "foam")
    holes = s.noise(s.place(), 1.3, 7, 0.68)
    share = s.between(holes, 0.44, 0.56)
    white = s.surface(Base_Color=(0.80, 0.83, 0.84), Roughness=0.8)
    clear = s.node("BsdfTransparent").outputs[0]
    stage.faces("foam", foam, s.done(s.node("MixShader", {0: share, 1: clear, 2: white}).outputs[0]), "sea", SEA)


def coast(scene: Scene, shore: float) -> list[tuple[float, float]]:
    """(aside, away) in metres from the left to the right of a shore."""
    rng = np.random.default_rng(scene.seed)
    x = np.linspace(-1.6 * shore - 20, 1.6 * shore + 20, 160)
    bend = np.sum([np.sin(x / shore * k * 2.2 + rng.uniform(0, 7)) / k for k in (1, 2, 3.7)], 0)
    return [(float(a), float(b)) for a, b in zip(x, shore * (1 + 0.045 * bend), strict=True)]


# --- near


def _near(stage: Stage, scene: Scene, shore: float | None, air: Any) -> None:
    name = scene.tags["near"]
    material = {"grass": grass, "sand": sand, "snow": snow, "rocks": sand}[name](stage, air)
    ground = Faces()
    label = CLASSES[name]
    line = None
    if shore is None:
        ground.polygon([(-FAR, 0, 60), (FAR, 0, 60), (FAR, 0, -1400), (-FAR, 0, -1400)])
    else:
        line = coast(scene, shore)
        for (x0, z0), (x1, z1) in pairwise(line):
            ground.polygon([(x0, 0.0, 60), (x1, 0.0, 60), (x1, 0.0, -z1 + 7), (x0, 0.0, -z0 + 7)])
            ground.polygon([(x0, 0.0, -z0 + 7), (x1, 0.0, -z1 + 7), (x1, -0.4, -z1 - 2), (x0, -0.4, -z0 - 2)])
    stage.faces("near", ground, material, label, GROUND)
    if name == "grass":
        reach = None if line is None else np.array(line)

        def grows(at: np.ndarray) -> np.ndarray:
            if reach is None:
                return np.ones(len(at), bool)
            return -at[:, 2] < np.interp(at[:, 0], reach[:, 0], reach[:, 1]) - 7.5

        tufts(stage, scene.seed, seen_large(scene.view), 0.20, grows, 5.0, label, GROUND)


def _rock(stage: Stage, at: tuple[float, float], size: float, seed: int, part: int) -> None:
    """A boulder: a ball that planes have been cut off."""
    rng = np.random.default_rng(seed)
    columns, rows = 72, 40
    turn = np.linspace(0, 2 * np.pi, columns, endpoint=False)
    rise = np.linspace(-0.5 * np.pi, 0.5 * np.pi, rows)[:, None]
    way = np.stack([np.cos(rise) * np.cos(turn), np.sin(rise) + 0 * turn, np.cos(rise) * np.sin(turn)], -1)
    radius = np.ones((rows, columns))
    for _ in range(22):
        n = rng.normal(size=3)
        n /= np.linalg.norm(n)
        facing = way @ n
        radius = np.minimum(radius, np.where(facing > 0.05, rng.uniform(0.66, 0.92) / np.maximum(facing, 0.05), 9))
    radius *= 1 + 0.02 * fractal(rng, rows, columns, (6, 10), 3, 0.5)
    points = way * radius[..., None] * np.array([1.38, 0.98, 1.15]) * size
    points += np.array([at[0], 0.42 * size, at[1]])
    rock = Faces.grid(points[:, ::-1], closed=True)
    s = Shader(stage, "rock")
    place = s.place(1 / size)
    rough, fine = s.noise(place, 1.6, 8, 0.62), s.noise(place, 9.0, 6, 0.65)
    tone = s.mix(s.between(rough, 0.35, 0.65), (0.13, 0.12, 0.11), (0.30, 0.28, 0.25))
    tone = s.shaded(tone, fine, 0.75, 1.25)
    up = s.node("SeparateXYZ", {0: s.node("NewGeometry").outputs["Normal"]}).outputs[2]
    moss = s.math("MULTIPLY", s.between(up, 0.5, 0.85), s.between(s.noise(place, 3.0, 5), 0.5, 0.62))
    tone = s.mix(s.math("MULTIPLY", moss, 0.7), tone, (0.075, 0.088, 0.030))
    height = s.math("ADD", rough, s.math("MULTIPLY", fine, 0.35))
    material = s.done(s.surface(Base_Color=tone, Roughness=0.9, Normal=s.bump(height, 0.12 * size)))
    stage.faces("rock", rock, material, "rock", part, smooth=28)
