"""Rooms in which cars are shown: a studio's sweep, a showroom with strips of light, a garage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ._blender import Stage
from ._camera import View
from ._scene import Scene
from ._shader import Shader, plain
from ._solid_mesh import Faces
from .grammar import STUDIO

WALL = 4  # the part of a room's walls; its floor is 0
CEILING = {"showroom": 4.6, "garage": 3.9}
REACH = 15.0  # metres from the middle to a room's walls


def _at(view: View, aside: float, up: float, ahead: float) -> list[float]:
    """A point of the room as the camera sees it: to the right, up, towards the camera."""
    right, _, _ = view.axes
    toward = (math.sin(view.yaw), 0.0, math.cos(view.yaw))
    return [aside * right[0] + ahead * toward[0], up, aside * right[2] + ahead * toward[2]]


def light_room(stage: Stage, name: str, view: View) -> None:
    """The lamps of a room."""
    around = {STUDIO: (0.17, 0.175, 0.18), "showroom": (0.30, 0.305, 0.315), "garage": (0.045, 0.048, 0.054)}[name]
    world = Shader(stage, name, world=True)
    stage.scene.world = world.done(world.node("Background", {"Color": around, "Strength": 1.0}).outputs[0])
    if name == STUDIO:
        lamps: list[tuple[Sequence[float], Sequence[float], float, float, float]] = [
            (_at(view, -0.6, 5.2, 0.2), (0.0, 0.5, 0.0), 640.0, 7.5, 2.2),
            (_at(view, -7.0, 3.0, 4.0), (0.0, 0.6, 0.0), 380.0, 1.4, 5.0),
            (_at(view, 7.0, 2.0, -1.5), (0.0, 0.8, 0.0), 170.0, 0.8, 5.0),
        ]
        for at, to, watts, wide, high in lamps:
            stage.lamp("AREA", at, to, watts, wide, shape="RECTANGLE", size_y=high)
        return
    tone, watts = {"showroom": ((1.0, 0.98, 0.95), 260.0), "garage": ((0.86, 0.93, 1.0), 150.0)}[name]
    up = CEILING[name] - 0.05
    for aside in (-5.4, -2.7, 0.0, 2.7, 5.4) if name == "showroom" else (-4.0, -1.6, 1.6, 4.0):
        at = _at(view, aside, up, 0.0)
        below = [at[0], 0.0, at[2]]
        stage.lamp("AREA", at, below, watts, 0.34 if name == "showroom" else 0.12, shape="RECTANGLE", size_y=13.0,
                   color=tone)  # fmt: skip


def lay_room(stage: Stage, scene: Scene) -> None:
    """The floor of a room, and its walls."""
    name = scene.tags["time"]
    if name == STUDIO:
        _sweep(stage, scene.view)
        return
    view, high = scene.view, CEILING[name]
    floor, walls, roof = Faces(), Faces(), Faces()
    r, near = REACH, REACH + 12
    corners = [(-r, -r), (r, -r), (r, near), (-r, near)]
    floor.polygon([tuple(_at(view, a, 0.0, b)) for a, b in reversed(corners)])
    roof.polygon([tuple(_at(view, a, high, b)) for a, b in corners])
    for (a0, b0), (a1, b1) in pairwise([*corners, corners[0]]):
        walls.polygon([tuple(_at(view, *at)) for at in ((a0, 0, b0), (a0, high, b0), (a1, high, b1), (a1, 0, b1))])
    stage.faces("floor", floor, _floor(stage, name), "ground", 0)
    stage.faces("walls", walls, _wall(stage, name), "ground", WALL)
    tone = 0.70 if name == "showroom" else 0.10
    stage.faces("ceiling", roof, plain(stage, "ceiling", (tone, tone, tone), 0.8), "ground", WALL)


def _floor(stage: Stage, name: str) -> Any:
    """Polished stone with joints, or sealed concrete with stains."""
    s = Shader(stage, "floor")
    at = s.place()
    if name == "showroom":
        cloud = s.noise(at, 0.5, 6)
        colour = s.mix(s.between(cloud, 0.3, 0.7), (0.40, 0.40, 0.405), (0.50, 0.50, 0.50))
        return s.done(s.surface(Base_Color=colour, Roughness=0.09, IOR_Level=0.55))
    stain, fine = s.noise(at, 0.7, 8, 0.6), s.noise(at, 14.0, 5, 0.65)
    colour = s.mix(s.between(stain, 0.3, 0.7), (0.070, 0.071, 0.074), (0.135, 0.134, 0.132))
    rough = s.between(stain, 0.35, 0.65, 0.10, 0.30)
    return s.done(s.surface(Base_Color=s.shaded(colour, fine, 0.85, 1.15), Roughness=rough, IOR_Level=0.6))


def _wall(stage: Stage, name: str) -> Any:
    s = Shader(stage, "wall")
    at = s.place()
    if name == "showroom":
        return s.done(s.surface(Base_Color=(0.62, 0.62, 0.63), Roughness=0.6))
    stain, pore = s.noise(at, 0.8, 7, 0.6), s.noise(at, 20.0, 5, 0.65)
    colour = s.shaded(s.shaded((0.24, 0.24, 0.245), stain, 0.7, 1.2), pore, 0.9, 1.1)
    return s.done(s.surface(Base_Color=colour, Roughness=0.8, Normal=s.bump(pore, 0.01)))


def _sweep(stage: Stage, view: View) -> None:
    """A floor that bends up into a wall behind."""
    shader = Shader(stage, "sweep")
    material = shader.done(shader.surface(Base_Color=(0.54, 0.545, 0.555), Roughness=0.55, IOR_Level=0.12))
    away = (-math.sin(view.yaw), -math.cos(view.yaw))
    right = view.axes[0]
    profile = [(60.0, 0.0), (-6.0, 0.0)]
    profile += [(-6.0 - 7 * math.sin(a), 7 - 7 * math.cos(a)) for a in np.linspace(0, math.pi / 2, 40)[1:]]
    profile += [(-13.0, 40.0)]
    floor = Faces()
    for (a, y0), (b, y1) in pairwise(profile):
        corners = []
        for ahead, y, aside in ((a, y0, -60), (a, y0, 60), (b, y1, 60), (b, y1, -60)):
            corners.append((right[0] * aside - away[0] * ahead, y, right[2] * aside - away[1] * ahead))
        floor.polygon(corners)
    stage.faces("sweep", floor, material, "ground", 0, smooth=180)
