"""What closes the picture behind a building in the path tracer: a forest, mountains or a city far off."""

from __future__ import annotations

import math

import numpy as np

from ._blender import Stage
from ._scene import Scene
from ._shader import Shader
from ._solid_mesh import Faces
from ._trace_ground import HILLS
from ._trace_land import mountains
from ._trace_light import haze
from ._trace_plants import Grove
from .grammar import LAMPS_ON

FOREST, CITY = (75.0, 130.0), 900.0  # metres
TREES = 420
SUNK = 0.2  # of a tree's height


def close_behind(stage: Stage, scene: Scene) -> None:
    """Put on the stage what the tag ``behind`` says; hills belong to the ground."""
    name = scene.tags["behind"]
    if name == "a forest":
        forest(stage, scene, FOREST, scene.shape["hills"], HILLS)
    elif name == "mountains":
        spread, view = 2 * math.tan(scene.view.field / 2), scene.view
        rng = np.random.default_rng(int(scene.shape["hills_at"] * 1e9))
        mountains(stage, rng, view, 1.9 * scene.shape["hills"] * spread, haze(scene.tags["time"]), HILLS)
    elif name == "a city":
        _city(stage, scene)


def forest(stage: Stage, scene: Scene, reach: tuple[float, float], height: float, part: int) -> None:
    """Trees between two distances in metres before the camera, about ``height`` picture sizes high."""
    view = scene.view
    rng = np.random.default_rng(scene.seed + 5)
    half, spread = view.field / 2 + 0.35, 2 * math.tan(view.field / 2)
    base = max(1.0, view.distance / 40.0)
    near, far = reach[0] * base + view.distance, reach[1] * base + view.distance
    away = near + (far - near) * rng.random(TREES) ** 1.4
    turn = view.yaw + np.linspace(-half, half, TREES) + rng.normal(scale=0.01, size=TREES)
    rng.shuffle(away)
    points = np.stack([view.eye[0] - away * np.sin(turn), 0 * away, view.eye[2] - away * np.cos(turn)], 1)
    top = height * spread * near + view.eye[1]
    sizes = 1.2 * top * rng.uniform(0.72, 1.08, TREES)
    points[:, 1] = -SUNK * sizes  # bushes hide the trunks at the edge of a wood
    name = scene.tags["trees"] if scene.tags["trees"] in ("conifers", "birches") else "trees"
    if scene.tags.get("ground", scene.tags.get("near")) == "snow":
        name = "conifers"
    Grove(stage, name, scene.seed, 3600).wood(points, sizes, part)


def _city(stage: Stage, scene: Scene) -> None:
    """Towers of many heights with rows of windows."""
    view = scene.view
    rng = np.random.default_rng(int(scene.shape["hills_at"] * 1e9))
    spread = 2 * math.tan(view.field / 2)
    blocks = Faces()
    for _ in range(120):
        turn = view.yaw + rng.uniform(-view.field / 2 - 0.15, view.field / 2 + 0.15)
        away = CITY * rng.uniform(0.85, 1.5)
        x, z = view.eye[0] - away * math.sin(turn), view.eye[2] - away * math.cos(turn)
        tall = scene.shape["hills"] * spread * away * rng.uniform(0.22, 1.0) ** 1.3
        wide, deep = rng.uniform(14, 38), rng.uniform(14, 30)
        blocks.box((x - wide / 2, -2.0, z - deep / 2), (x + wide / 2, tall, z + deep / 2))
        if rng.random() < 0.35:
            blocks.box((x - wide / 4, tall, z - deep / 4), (x + wide / 4, tall * 1.1, z + deep / 4))
    s = Shader(stage, "city")
    at = s.node("SeparateXYZ", {0: s.place()}).outputs
    row = s.math("LESS_THAN", s.math("FRACT", s.math("DIVIDE", at[2], 3.6)), 0.55)
    column = s.math("LESS_THAN", s.math("FRACT", s.math("DIVIDE", s.math("ADD", at[0], at[1]), 4.2)), 0.62)
    window = s.math("MULTIPLY", row, column)
    own = s.node("NewGeometry").outputs["Random Per Island"]
    wall = s.mix(own, (0.42, 0.40, 0.37), (0.16, 0.18, 0.21))
    tone = s.mix(s.math("MULTIPLY", window, 0.75), wall, (0.05, 0.065, 0.085))
    inputs = {"Base_Color": tone, "Roughness": 0.5}
    if scene.tags["time"] in LAMPS_ON:
        cell = s.node("VectorMath", {0: s.scaled(s.place(), (0.12, 0.12, 1 / 3.6))}, operation="FLOOR").outputs[0]
        lit = s.math("GREATER_THAN", s.node("TexWhiteNoise", {"Vector": cell}).outputs["Value"], 0.55)
        inputs |= {
            "Emission_Color": (1.0, 0.72, 0.40),
            "Emission_Strength": s.math("MULTIPLY", s.math("MULTIPLY", lit, window), 0.5),
        }
    made = s.hazed(s.surface(**inputs), haze(scene.tags["time"]), 1700.0)
    stage.faces("city", blocks, s.done(made), "house", HILLS)
