"""The light of each time for the path tracer: sky, clouds, stars, sun, moon, lamps of a studio, and the exposure."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ._blender import Stage
from ._camera import View
from ._scene import Scene
from ._shader import Shader
from ._solid_mesh import Faces
from ._sun import PART as DISC
from ._trace_rooms import light_room
from .grammar import INSIDE, STUDIO, SUNNY

Colour = tuple[float, float, float]


class Hour(NamedTuple):
    """How a time is lit; colours are linear, strengths for an exposure of 0 stops."""

    zenith: Colour
    middle: Colour
    horizon: Colour
    lit: Colour  # clouds in the sun
    shade: Colour  # and from below
    sun: Colour
    strength: float
    height: float  # degrees above the horizon
    angle: float  # degrees
    exposure: float
    air: float  # how far one sees, against clear air


HOURS = {
    "day": Hour((0.050, 0.150, 0.46), (0.16, 0.34, 0.70), (0.56, 0.72, 0.90), (1.50, 1.45, 1.38), (0.42, 0.50, 0.62),
                (1.0, 0.93, 0.82), 4.8, 40.0, 0.6, 0.55, 1.0),
    "morning": Hour((0.070, 0.170, 0.42), (0.30, 0.44, 0.66), (0.95, 0.74, 0.50), (1.55, 1.22, 0.88),
                    (0.42, 0.43, 0.54), (1.0, 0.76, 0.50), 4.6, 22.0, 0.8, 0.55, 0.55),
    "sunset": Hour((0.060, 0.105, 0.32), (0.22, 0.21, 0.36), (0.92, 0.36, 0.12), (1.75, 0.62, 0.24),
                   (0.24, 0.17, 0.27), (1.0, 0.60, 0.30), 6.8, 14.0, 1.0, 0.55, 0.7),
    "dusk": Hour((0.018, 0.038, 0.130), (0.085, 0.100, 0.23), (0.50, 0.24, 0.19), (0.42, 0.15, 0.13),
                 (0.030, 0.036, 0.085), (1.0, 0.66, 0.62), 0.60, 25.0, 60.0, 1.55, 0.7),
    "overcast": Hour((0.66, 0.69, 0.74), (0.60, 0.63, 0.68), (0.54, 0.57, 0.61), (0.80, 0.83, 0.87), (0.36, 0.39, 0.43),
                     (0.95, 0.97, 1.0), 0.8, 50.0, 40.0, 0.92, 0.6),
    "fog": Hour((0.60, 0.63, 0.66), (0.60, 0.63, 0.66), (0.60, 0.63, 0.66), (0.60, 0.63, 0.66), (0.60, 0.63, 0.66),
                (0.97, 0.97, 1.0), 0.6, 50.0, 60.0, 0.72, 0.030),
    "rain": Hour((0.27, 0.30, 0.34), (0.27, 0.30, 0.34), (0.31, 0.335, 0.37), (0.42, 0.45, 0.49), (0.13, 0.145, 0.165),
                 (0.95, 0.97, 1.0), 0.25, 50.0, 60.0, 1.35, 0.14),
    "night": Hour((0.003, 0.006, 0.019), (0.006, 0.012, 0.034), (0.020, 0.031, 0.068), (0.014, 0.019, 0.036),
                  (0.006, 0.008, 0.016), (0.55, 0.70, 1.0), 1.15, 42.0, 1.0, 1.75, 0.8),
}  # fmt: skip
FILL = {"morning": (0.0, 0.02, 0.06), "sunset": (0.0, 0.10, 0.26), "dusk": (0.020, 0.095, 0.185)}
"""Light from above at a low sun, on top of the sky that is seen: shadows stay cool, and leaves and grass green."""
COVERED = ("overcast", "rain", "fog")
WET = ("rain",)
INSIDE_EXPOSURE = {STUDIO: 0.45, "showroom": 1.15, "garage": 2.2}
STARS = 150.0


DISC_AWAY = 6e4  # metres
DISCS = {"day": ((1.0, 0.94, 0.80), 40.0), "morning": ((1.0, 0.86, 0.60), 34.0), "sunset": ((1.0, 0.60, 0.24), 26.0),
         "dusk": ((1.0, 0.36, 0.14), 2.2), "overcast": ((1.0, 0.98, 0.94), 3.0),
         "night": ((0.80, 0.88, 1.0), 0.38)}  # fmt: skip
CORE = 0.34  # of a drawn sun's radius: what is the sun itself; around it the sky is bleached


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
    if scene.tags["time"] != "night":
        # The circle that people draw is larger than any sun: inside it is the sun, and light around it.
        apart = shader.node("VectorMath", {0: shader.place(), 1: _centre(view, x, y)}, operation="DISTANCE").outputs[1]
        share = shader.math("DIVIDE", apart, DISC_AWAY * size * spread)
        core = CORE if size > 0.035 else 0.7
        inner = shader.between(share, core - 0.04, core + 0.04, 1.0, 0.0)
        bleached = shader.math("EXPONENT", shader.math("MULTIPLY", share, -2.6))
        far = shader.math("MULTIPLY", bleached, shader.between(share, 0.5, 1.0, 1.0, 0.0))
        halo = shader.node("Emission", {"Color": colour, "Strength": 1.1 + 0.02 * strength}).outputs[0]
        clear = shader.node("BsdfTransparent").outputs[0]
        halo = shader.node("MixShader", {0: shader.math("MULTIPLY", far, 1.5, clamp=True), 1: clear, 2: halo}).outputs[
            0
        ]
        glow = shader.node("MixShader", {0: inner, 1: halo, 2: glow}).outputs[0]
        stage.scene.view_layers[0].pass_alpha_threshold = 0.0  # all of it is the circle
    thing = stage.faces("disc", disc, shader.done(glow), "sky", DISC)
    thing.visible_diffuse = thing.visible_glossy = thing.visible_shadow = False


def _centre(view: View, x: float, y: float) -> tuple[float, float, float]:
    """Where the disc's middle is, as Blender has it."""
    a, b, c = (e + DISC_AWAY * (f + x * r + y * u)
               for e, f, r, u in zip(view.eye, view.axes[2], view.axes[0], view.axes[1], strict=True))  # fmt: skip
    return a, -c, b


def toward_sun(view: View, height: float) -> tuple[float, float, float]:
    """The direction to the sun, on the side where the view has it, ``height`` degrees up."""
    right, _, _ = view.axes
    level = (-math.sin(view.yaw), 0.0, -math.cos(view.yaw))
    flat = math.hypot(view.sun[0], view.sun[2])
    up, out = math.sin(math.radians(height)), math.cos(math.radians(height)) / flat
    x, z = (out * (view.sun[0] * right[k] - view.sun[2] * level[k]) for k in (0, 2))
    return x, up, z


def light(stage: Stage, scene: Scene) -> None:
    """Light a stage, and hang its sky."""
    time, view = scene.tags["time"], scene.view
    if time in INSIDE:
        light_room(stage, time, view)
        return
    hour = HOURS[time]
    stage.air, stage.wet, stage.haze = hour.air, time in WET, haze(time)
    sun = toward_sun(view, hour.height)
    stage.sun(sun, hour.sun, hour.strength, hour.angle)
    stage.scene.world = _sky(stage, hour, scene, sun)


def _sky(stage: Stage, hour: Hour, scene: Scene, sun: tuple[float, float, float]) -> object:
    """A gradient with a glow at the sun's side, and clouds that stay where they are in the picture."""
    view, time = scene.view, scene.tags["time"]
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
    # Opposite a low sun the sky is not as warm.
    toward = world.node("VectorMath", {0: direction, 1: (sun[0], -sun[2], sun[1])}, operation="DOT_PRODUCT").outputs[1]
    near = world.math("MAXIMUM", toward, 0.0)
    if time in ("morning", "sunset", "dusk"):
        cool = world.between(toward, -0.5, 0.75, 0.62, 0.0)
        colour = world.mix(cool, colour, [1.3 * value for value in hour.middle])
    if time in SUNNY:
        air = world.math("MULTIPLY", world.math("POWER", near, 9.0), 0.30)
        rays = world.math("MULTIPLY", world.math("POWER", near, 120.0), 1.6)
        colour = world.mix(world.math("ADD", air, rays), colour, [2.2 * value for value in hour.sun], "ADD")
    if time in COVERED:
        colour = _cover(world, hour, parts, colour) if time != "fog" else colour
    elif time != "night":
        colour = _wisps(world, hour, parts, colour, 0.55 if scene.tags.get("sky") == "clear sky" else 0.8)
        if scene.tags.get("sky") == "cloudy sky":
            colour = _heaps(world, hour, turn, parts, near, view, colour)
    else:
        point = world.cells(turn, STARS, "F1")
        chosen = world.noise(turn, 61.0, 0.0)
        star = world.math("MULTIPLY", world.between(point, 0.15, 0.05), world.between(chosen, 0.56, 0.72))
        star = world.math("MULTIPLY", star, world.between(parts[2], 0.02, 0.2))
        colour = world.mix(star, colour, (0.9, 0.95, 1.0))
    below = world.between(parts[2], -0.03, 0.0)
    ground = [0.45 * value for value in hour.horizon]
    colour = world.mix(below, ground, colour)
    if time in FILL:
        path = world.node("LightPath").outputs
        seen = world.math("MAXIMUM", path["Is Camera Ray"], path["Is Glossy Ray"])
        lights = world.math("MULTIPLY", world.math("SUBTRACT", 1.0, seen), world.between(parts[2], 0.0, 0.5))
        colour = world.mix(lights, colour, FILL[time], "ADD")
    world.owner.cycles.sampling_method, world.owner.cycles.sample_map_resolution = "MANUAL", 256
    return world.done(world.node("Background", {"Color": colour, "Strength": 1.0}).outputs[0])


def _flat(world: Shader, parts: Any, lift: float) -> Any:
    """A layer of clouds seen from below; a greater ``lift`` keeps it from becoming streaks at the horizon."""
    spread = world.node("Math", {0: parts[2], 1: lift}, operation="ADD").outputs[0]
    return world.node(
        "CombineXYZ",
        {0: world.math("DIVIDE", parts[0], spread), 1: world.math("DIVIDE", parts[1], spread), 2: 0.0},
    ).outputs[0]


def _wisps(world: Shader, hour: Hour, parts: Any, colour: Any, share: float) -> Any:
    """Thin high clouds, far apart."""
    flat = world.scaled(_flat(world, parts, 0.14), (0.45, 1.0, 1.0))
    cover = world.noise(flat, 0.75, 9.0, 0.60, 0.45)
    thick = world.math("MULTIPLY", world.between(cover, 0.54, 0.80), world.between(parts[2], 0.02, 0.2))
    return world.mix(world.math("MULTIPLY", thick, share), colour, [0.75 * value for value in hour.lit])


def _cover(world: Shader, hour: Hour, parts: Any, colour: Any) -> Any:
    """A closed layer with soft structure."""
    flat = world.scaled(_flat(world, parts, 0.16), (0.6, 1.0, 1.0))
    large, small = world.noise(flat, 0.55, 5.0, 0.5, 0.3), world.noise(flat, 1.7, 7.0, 0.55, 0.2)
    dark = world.math("ADD", world.math("MULTIPLY", large, 0.7), world.math("MULTIPLY", small, 0.3))
    layer = world.mix(world.between(dark, 0.36, 0.64), hour.shade, hour.lit)
    return world.mix(world.math("MULTIPLY", world.between(parts[2], 0.0, 0.22), 0.85), colour, layer)


def _heaps(world: Shader, hour: Hour, turn: Any, parts: Any, near: Any, view: View, colour: Any) -> Any:
    """Cumulus: lumps with lit sides and shaded bases, smaller towards the horizon."""
    lift = world.node("Math", {0: parts[2], 1: 0.30}, operation="ADD").outputs[0]
    scale = world.math("DIVIDE", 1.0, lift)
    even = world.node("CombineXYZ", {0: scale, 1: scale, 2: world.math("MULTIPLY", scale, 2.3)}).outputs[0]
    place = world.node("VectorMath", {0: turn, 1: even}, operation="MULTIPLY").outputs[0]
    lumps = _lumps(world, place)
    length = math.hypot(*view.sun)
    aside = [0.085 * view.sun[0] / length, 0.03 * -view.sun[2] / length, 0.15 * view.sun[1] / length]
    behind = _lumps(world, world.node("VectorMath", {0: place, 1: tuple(aside)}, operation="ADD").outputs[0])
    there = world.math("MULTIPLY", world.between(lumps, 0.495, 0.565), world.between(parts[2], 0.012, 0.06))
    facing = world.between(world.math("SUBTRACT", lumps, behind), -0.075, 0.095)
    core = world.between(lumps, 0.56, 0.74, 1.0, 0.55)
    lit = world.math("MULTIPLY", facing, core)
    tone = world.mix(lit, hour.shade, hour.lit)
    rim = world.math("MULTIPLY", world.math("POWER", near, 6.0), world.between(lumps, 0.62, 0.53))
    tone = world.mix(rim, tone, [1.5 * value for value in hour.lit])
    far = world.between(parts[2], 0.0, 0.16, 0.55, 0.0)  # air before far ones
    tone = world.mix(far, tone, hour.horizon)
    return world.mix(world.math("MULTIPLY", there, 0.96), colour, tone)


def _lumps(world: Shader, place: Any) -> Any:
    large, fine = world.noise(place, 1.15, 3.0, 0.5, 0.1), world.noise(place, 4.2, 8.0, 0.58)
    return world.math("ADD", world.math("MULTIPLY", large, 0.72), world.math("MULTIPLY", fine, 0.28))


def exposure(time: str) -> float:
    """Stops."""
    return INSIDE_EXPOSURE[time] if time in INSIDE else HOURS[time].exposure


def haze(time: str) -> Colour:
    """The colour of far air."""
    hour = HOURS[time]
    share = 0.5 if time in FILL else 0.0  # a low sun colours the sky's rim more than the air before it
    low, high = hour.horizon, hour.middle
    return tuple(0.92 * (a + share * (b - a)) for a, b in zip(low, high, strict=True))  # type: ignore[return-value]
