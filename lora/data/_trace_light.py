"""The light of each time for the path tracer: sky, clouds, stars, sun, moon, lamps of a studio, and the exposure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ._blender import Stage
from ._camera import SUN, View
from ._scene import Scene
from ._shader import Shader
from ._solid_mesh import Faces
from ._sun import PART as DISC
from .grammar import STUDIO

Colour = tuple[float, float, float]


class Hour(NamedTuple):
    """How a time is lit; colours are linear, strengths for an exposure of 0 stops."""

    zenith: Colour
    middle: Colour
    horizon: Colour
    cloud: Colour
    covered: tuple[float, float]  # noise below the first is clear sky, above the second cloud
    sun: Colour
    strength: float
    height: float  # degrees above the horizon
    angle: float  # degrees
    exposure: float


HOURS = {
    "day": Hour((0.07, 0.18, 0.50), (0.20, 0.38, 0.72), (0.62, 0.76, 0.92), (1.25, 1.22, 1.2), (0.52, 0.70),
                (1.0, 0.93, 0.82), 4.6, 40.0, 0.9, 0.55),
    "sunset": Hour((0.08, 0.13, 0.36), (0.30, 0.25, 0.42), (1.00, 0.44, 0.18), (1.15, 0.50, 0.33), (0.47, 0.68),
                   (1.0, 0.47, 0.18), 6.5, 17.0, 1.2, 0.55),
    "overcast": Hour((0.62, 0.66, 0.72), (0.56, 0.60, 0.65), (0.50, 0.53, 0.57), (0.34, 0.36, 0.39), (0.35, 0.75),
                     (0.95, 0.97, 1.0), 0.7, 50.0, 40.0, 0.75),
    "night": Hour((0.003, 0.006, 0.019), (0.006, 0.012, 0.034), (0.020, 0.031, 0.068), (0.014, 0.019, 0.036),
                  (0.55, 0.8), (0.55, 0.70, 1.0), 1.15, 42.0, 1.0, 1.75),
}  # fmt: skip
STUDIO_EXPOSURE = 0.5
STARS = 150.0


DISC_AWAY = 6e4  # metres
DISCS = {"day": ((1.0, 0.90, 0.62), 14.0), "sunset": ((1.0, 0.50, 0.16), 12.0), "overcast": ((1.0, 0.98, 0.92), 1.3),
         "night": ((0.80, 0.88, 1.0), 0.38)}  # fmt: skip


def hang_disc(stage: Stage, scene: Scene) -> None:
    """The sun, or the moon, of a scene that has one in its sky. Only the camera sees it: it lights nothing."""
    size, view = scene.shape["sun_size"], scene.view
    if not size:
        return
    spread = 2 * math.tan(view.field / 2)
    x, y = ((scene.shape[name] - view.place[k] + view.centre[k]) * spread for k, name in enumerate(("sun_x", "sun_y")))
    disc, steps = Faces(), 48
    corners = []
    for step in range(steps):
        turn = 2 * math.pi * step / steps
        a, b = x + size * spread * math.cos(turn), y + size * spread * math.sin(turn)
        corners.append([e + DISC_AWAY * (f + a * r + b * u) for e, f, r, u in
                        zip(view.eye, view.axes[2], view.axes[0], view.axes[1], strict=True)])  # fmt: skip
    disc.polygon(corners)
    shader = Shader(stage, "disc")
    colour, strength = DISCS[scene.tags["time"]]
    tone: Any = colour
    if scene.tags["time"] == "night":  # the moon has its seas
        seas = shader.noise(shader.place(1 / (DISC_AWAY * size * spread)), 1.1, 6, 0.55)
        tone = shader.shaded(colour, seas, 0.45, 1.1)
    glow = shader.node("Emission", {"Color": tone, "Strength": strength}).outputs[0]
    thing = stage.faces("disc", disc, shader.done(glow), "sky", DISC)
    thing.visible_diffuse = thing.visible_glossy = thing.visible_shadow = False


def toward_sun(view: View, height: float) -> tuple[float, float, float]:
    """The direction to the sun: from the left over the camera's shoulder, ``height`` degrees up."""
    right, _, _ = view.axes
    level = (-math.sin(view.yaw), 0.0, -math.cos(view.yaw))
    flat = math.hypot(SUN[0], SUN[2])
    up, out = math.sin(math.radians(height)), math.cos(math.radians(height)) / flat
    x, z = (out * (SUN[0] * right[k] - SUN[2] * level[k]) for k in (0, 2))
    return x, up, z


def light(stage: Stage, time: str, view: View) -> None:
    """Light a stage, and hang its sky."""
    if time == STUDIO:
        _studio(stage, view)
        return
    hour = HOURS[time]
    stage.sun(toward_sun(view, hour.height), hour.sun, hour.strength, hour.angle)
    stage.scene.world = _sky(stage, hour, view, time == "night")


def _sky(stage: Stage, hour: Hour, view: View, night: bool) -> object:
    """A gradient with a glow at the sun's side, and clouds that stay where they are in the picture."""
    world = Shader(stage, "sky", world=True)
    direction = world.node("TexCoord").outputs["Generated"]
    turn = world.node("VectorRotate", {"Vector": direction, "Angle": -view.yaw}, rotation_type="Z_AXIS").outputs[0]
    parts = world.node("SeparateXYZ", {0: turn}).outputs
    height = world.math("MAXIMUM", parts[2], 0.0)
    ramp = world.node("ValToRGB", {0: world.math("POWER", height, 0.5)})
    stops = ramp.color_ramp.elements
    stops[0].position, stops[0].color = 0.0, (*hour.horizon, 1)
    stops[1].position, stops[1].color = 0.95, (*hour.zenith, 1)
    between = stops.new(0.5)
    between.color = (*hour.middle, 1)
    colour = ramp.outputs[0]
    spread = world.node("Math", {0: parts[2], 1: 0.10}, operation="ADD").outputs[0]
    flat = world.node(
        "CombineXYZ",
        {0: world.math("DIVIDE", parts[0], spread), 1: world.math("DIVIDE", parts[1], spread), 2: 0.0},
    ).outputs[0]
    cover = world.noise(world.scaled(flat, (0.55, 1.0, 1.0)), 0.55, 9.0, 0.56, 0.25)
    thick = world.math("MULTIPLY", world.between(cover, *hour.covered), world.between(parts[2], 0.015, 0.16))
    inner = world.noise(world.scaled(flat, (0.55, 1.0, 1.0)), 1.3, 6.0, 0.6)
    cloud = world.shaded(hour.cloud, inner, 1.12, 0.66)
    colour = world.mix(world.math("MULTIPLY", thick, 0.92), colour, cloud)
    if night:
        point = world.cells(turn, STARS, "F1")
        chosen = world.noise(turn, 61.0, 0.0)
        star = world.math("MULTIPLY", world.between(point, 0.15, 0.05), world.between(chosen, 0.56, 0.72))
        star = world.math("MULTIPLY", star, world.between(parts[2], 0.02, 0.2))
        colour = world.mix(star, colour, (0.9, 0.95, 1.0))
    below = world.between(parts[2], -0.03, 0.0)
    ground = [0.45 * value for value in hour.horizon]
    colour = world.mix(below, ground, colour)
    world.owner.cycles.sampling_method, world.owner.cycles.sample_map_resolution = "MANUAL", 256
    return world.done(world.node("Background", {"Color": colour, "Strength": 1.0}).outputs[0])


def _studio(stage: Stage, view: View) -> None:
    """Three large soft lamps, as for a picture in a catalogue."""
    world = Shader(stage, "studio", world=True)
    stage.scene.world = world.done(world.node("Background", {"Color": (0.20, 0.205, 0.21), "Strength": 1.0}).outputs[0])
    right, _, _ = view.axes
    toward = (math.sin(view.yaw), 0.0, math.cos(view.yaw))

    def at(aside: float, up: float, ahead: float) -> Sequence[float]:
        return [aside * right[0] + ahead * toward[0], up, aside * right[2] + ahead * toward[2]]

    stage.lamp("AREA", at(-1.0, 5.5, 0.5), (0.0, 0.5, 0.0), 620.0, 6.0, shape="RECTANGLE", size_y=3.0)
    stage.lamp("AREA", at(-6.5, 3.2, 4.0), (0.0, 0.6, 0.0), 360.0, 2.5, shape="RECTANGLE", size_y=4.0)
    stage.lamp("AREA", at(6.5, 2.2, -1.0), (0.0, 0.8, 0.0), 170.0, 1.2, shape="RECTANGLE", size_y=4.5)


def exposure(time: str) -> float:
    """Stops."""
    return STUDIO_EXPOSURE if time == STUDIO else HOURS[time].exposure


def haze(time: str) -> Colour:
    """The colour of far air."""
    horizon = HOURS[time].horizon
    return tuple(0.92 * value for value in horizon)  # type: ignore[return-value]
