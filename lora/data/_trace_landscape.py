"""Landscapes for the path tracer: what ``_landscape_shape`` says in picture sizes, as land of real depth."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from . import _trace_land as land
from ._blender import Stage
from ._camera import View
from ._landscape_shape import EYE, band_middle, lake_edge
from ._place_words import COASTS, ground_of
from ._scene import Scene
from ._shader import Shader
from ._solid_mesh import Faces
from ._trace_bounds import hedge_or_fence
from ._trace_ground import FAR, grass, sand, snow, tufts
from ._trace_light import haze
from ._trace_meadow import flowers, lay_ways, village
from ._trace_plants import LEAVES, Grove

LARGE = 4.0  # times as large as the scene's own metres, so that its trees are trees and not bushes
GROUND, SEA, RIDGE, ROCK, BUSH, TREE = 8, 6, 4, 20, 40, 80  # parts, as the fast painter has them


def seen_large(view: View) -> View:
    """The view from LARGE times as high."""
    x, y, z = view.target
    return replace(view, target=(x * LARGE, y * LARGE, z * LARGE))


def build_landscape(stage: Stage, scene: Scene) -> None:
    """Put a landscape on the stage; it is to be seen by ``seen_large`` of its view."""
    stage.air = min(1.0, 3.0 * stage.air)  # in fog, one sees as much of a large country as of a yard
    air, spread = haze(scene.tags["time"]), 2 * math.tan(scene.view.field / 2)
    high, view, far = EYE * LARGE, seen_large(scene.view), scene.tags["far"]
    sea = far in COASTS
    shore = high / (scene.shape["shore"] * spread) if sea else FAR
    rng = np.random.default_rng(int(scene.shape["ridge_at"] * 1e9))
    if sea:
        _sea(stage, shore, scene, air)
        if far == "cliffs":
            land.cliffs(stage, rng, view, scene.shape, spread, air, 7)
    elif far == "snowy mountains":
        land.mountains(stage, rng, view, 0.34 * spread, air, RIDGE)
    elif far == "a forest":
        _forest(stage, scene, view)
    elif far == "dunes":
        land.dunes(stage, rng, view, 0.11 * spread, sand(stage, air), RIDGE)
    else:
        land.hills(stage, rng, view, 0.115 * spread, air, RIDGE)
    _near(stage, scene, shore if sea else None, air)
    lay_ways(stage, scene, LARGE, air)
    if scene.shape["houses"]:
        village(stage, scene, LARGE)
    for number in range(int(scene.shape["rocks"])):
        x, foot, size = (scene.shape[f"rock{number}_{name}"] for name in ("x", "foot", "size"))
        away = high / (-foot * spread)
        _rock(stage, (x * spread * away, -away), size * spread * away, scene.seed * 31 + number, ROCK + number)
    if scene.shape["fence"]:
        hedge_or_fence(stage, scene, LARGE)
    for kind, name, part in (("bush", "bushes", BUSH), ("tree", scene.tags["trees"], TREE)):
        many = int(scene.shape["bushes" if kind == "bush" else "trees"])
        if not many:
            continue
        grove = Grove(stage, name, scene.seed * 17, LEAVES if kind == "tree" else 5000)
        for number in range(many):
            x, foot, tall, turn = (scene.shape[f"{kind}{number}_{each}"] for each in ("x", "foot", "height", "turn"))
            away = high / (-foot * spread)
            grove.plant((x * spread * away, 0.0, -away), tall * spread * away, part + 2 * number, turn)


def _forest(stage: Stage, scene: Scene, view: View) -> None:
    """The edge of a wood."""
    rng = np.random.default_rng(scene.seed + 5)
    count, half = 520, view.field / 2 + 0.25
    away = 95.0 + 75.0 * rng.random(count) ** 1.5
    turn = np.linspace(-half, half, count) + rng.normal(scale=0.012, size=count)
    points = np.stack([away * np.sin(turn), 0 * away, -away * np.cos(turn)], 1)
    name = scene.tags["trees"] if scene.tags["trees"] in ("conifers", "birches") else "trees"
    name = "conifers" if scene.tags["near"] == "snow" else name
    sizes = rng.uniform(12.0, 18.5, count)
    points[:, 1] = -0.2 * sizes  # bushes hide the trunks at the edge of a wood
    Grove(stage, name, scene.seed, 4500).wood(points, sizes, RIDGE)


# --- far


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
    name = label = ground_of(scene.tags)
    material = {"grass": grass, "sand": sand, "snow": snow, "flowers": grass}[name](stage, air)
    ground = Faces()
    line = None
    if shore is None:
        ground.polygon([(-FAR, 0, 60), (FAR, 0, 60), (FAR, 0, -1400), (-FAR, 0, -1400)])
    else:
        line = coast(scene, shore)
        for (x0, z0), (x1, z1) in pairwise(line):
            ground.polygon([(x0, 0.0, 60), (x1, 0.0, 60), (x1, 0.0, -z1 + 7), (x0, 0.0, -z0 + 7)])
            ground.polygon([(x0, 0.0, -z0 + 7), (x1, 0.0, -z1 + 7), (x1, -0.4, -z1 - 2), (x0, -0.4, -z0 - 2)])
    stage.faces("near", ground, material, label, GROUND)
    if name in ("grass", "flowers"):
        reach = None if line is None else np.array(line)

        def grows(at: np.ndarray) -> np.ndarray:
            clear = _dry(scene, at)
            if reach is None:
                return clear
            return clear & (-at[:, 2] < np.interp(at[:, 0], reach[:, 0], reach[:, 1]) - 7.5)

        tufts(stage, scene.seed, seen_large(scene.view), 0.20, grows, 5.0, label, GROUND)
        if name == "flowers":
            flowers(stage, scene, seen_large(scene.view), grows, GROUND, 1.6)


def _dry(scene: Scene, at: np.ndarray) -> np.ndarray:
    """(N,) bool: which of ``at`` (N, 3) are in no lake, river, road or path."""
    shape, spread = scene.shape, 2 * math.tan(scene.view.field / 2)
    away = np.maximum(-at[:, 2], 0.1)
    x, e = at[:, 0] / (away * spread), -EYE * LARGE / (away * spread)
    dry = np.ones(len(at), bool)
    if shape["lake"]:
        a, b = (x - shape["lake_x"]) / shape["lake_wide"], (e - shape["lake_y"]) / shape["lake_high"]
        dry &= np.hypot(a, b) > 1.08 * lake_edge(shape, np.arctan2(b, a))
    if shape["band"]:
        middle = np.array([band_middle(shape, each) for each in (away / LARGE).tolist()]) * LARGE
        dry &= np.abs(at[:, 0] - middle) > 1.3 * shape["band"] * LARGE
    return dry


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
    radius *= 1 + 0.02 * land.fractal(rng, rows, columns, (6, 10), 3, 0.5)
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
