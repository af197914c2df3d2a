"""Things for the path tracer, as in photographs of products: on their ground, in soft light, the rest out of focus."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import torch

from ._blender import Stage, turned
from ._camera import View
from ._scene import Scene
from ._shader import Colour, Shader
from ._solid_mesh import Faces, Shell
from ._thing import EDGE, WALL, WALL_PART, surface
from ._thing_neon import tube, tubes
from ._thing_parts import DARK, MAIN, SECOND
from ._thing_shape import FINE, colour_of, numbers, solid_of
from ._thing_words import NONE, TABLE
from ._trace_ground import FAR, GROUND, asphalt, grass, hills, sand, snow, tufts
from ._trace_light import haze, light
from ._trace_matter import dark, fur, glowing, matter
from .grammar import STUDIO
from .palette import NUMBER

HAIRS, HAIR = 110_000, 0.021  # of plush: how many, and how long in metres
CLEAR = ("glass", "ice")
BLUR = 0.006  # of the picture's side: how far what is very far away is out of focus


def build_thing(stage: Stage, scene: Scene) -> None:
    """Put a thing on the stage, with what it stands on and its light."""
    _light(stage, scene)
    _ground(stage, scene)
    material = scene.tags["material"]
    parts, shells, _ = solid_of(scene, FINE)
    second = scene.tags["colour"] if scene.tags["second"] == NONE else scene.tags["second"]
    colours = {MAIN: scene.tags["colour"], SECOND: second}
    made = {slot: matter(stage, material, colour) for slot, colour in colours.items()}
    made[DARK] = dark(stage, material)
    hair = {slot: fur(stage, colour) for slot, colour in colours.items()} if material == "plush" else {}
    slots = [colour_of(part, scene) for part in parts]
    total = sum(_area(shell) for shell, slot in zip(shells, slots, strict=True) if slot in hair)
    for index, (number, shell, slot) in enumerate(zip(numbers(parts), shells, slots, strict=True)):
        stage.shell("thing", shell, made[slot], "thing", number)
        if slot in hair:
            count = int(HAIRS * min(1.0, total / 2.2) * _area(shell) / total)
            _fur(stage, scene, shell, hair[slot], count, number, scene.seed * 101 + index)
    if material == "neon":
        gas = glowing(stage, scene.tags["colour"])
        for line in tubes(parts):
            stage.shell("tube", tube(line), gas, "thing", numbers(parts)[0])
    if material in CLEAR:
        cycles = stage.scene.cycles
        cycles.max_bounces, cycles.transmission_bounces = 8, 8


# --- ground and light


def _ground(stage: Stage, scene: Scene) -> None:
    name = scene.tags["ground"]
    if name == STUDIO:
        _sweep(stage, scene.view)
        return
    if name == TABLE:
        _table(stage, scene.view)
        return
    air = haze(scene.tags["time"])
    plain = Faces()
    plain.polygon([(-FAR, 0, FAR), (FAR, 0, FAR), (FAR, 0, -FAR), (-FAR, 0, -FAR)])
    material = {"road": asphalt, "grass": grass, "sand": sand, "snow": snow}[name](stage, air)
    stage.faces("ground", plain, material, "ground", GROUND)
    if name == "grass":
        tufts(stage, scene.seed, scene.view, 0.05, lambda p: np.ones(len(p), bool))
    if scene.shape["hills"] > 0:
        hills(stage, scene.view, scene.shape["hills"], scene.shape["hills_at"], name, air)


def _frame(view: View, aside: float, up: float, toward: float) -> tuple[float, float, float]:
    """A point to the right of the thing, up, and towards the viewer, as the viewer has it."""
    right = view.axes[0]
    ahead = (math.sin(view.yaw), math.cos(view.yaw))
    return aside * right[0] + toward * ahead[0], up, aside * right[2] + toward * ahead[1]


def _sheet(view: View, profile: list[tuple[float, float]], half: float) -> Faces:
    """A profile of (towards the viewer, up) drawn out to both sides."""
    sheet = Faces()
    for (a, y0), (b, y1) in pairwise(profile):
        sheet.polygon([_frame(view, *at) for at in ((-half, y0, a), (half, y0, a), (half, y1, b), (-half, y1, b))])
    return sheet


def _sweep(stage: Stage, view: View) -> None:
    """A sheet of paper that bends up into a wall behind."""
    bend = [(-2.2 - 2.2 * math.sin(a), 2.2 - 2.2 * math.cos(a)) for a in np.linspace(0, math.pi / 2, 24)]
    sheet = _sheet(view, [(14.0, 0.0), *bend, (-4.4, 14.0)], 16.0)
    s = Shader(stage, "sweep")
    material = s.done(s.surface(Base_Color=(0.60, 0.60, 0.605), Roughness=0.55, IOR_Level=0.2))
    stage.faces("sweep", sheet, material, "ground", 0, smooth=60)


def _table(stage: Stage, view: View) -> None:
    """A table of oiled wood, and a plastered wall far behind it."""
    s = Shader(stage, "table")
    turn = s.node("Mapping", {"Vector": s.place(), "Rotation": (0.0, 0.0, -view.yaw)}, vector_type="TEXTURE").outputs[0]
    plank = s.math("FLOOR", s.math("MULTIPLY", s.node("SeparateXYZ", {0: turn}).outputs[1], 1.15))
    own = s.node("TexWhiteNoise", {"W": plank}, noise_dimensions="1D").outputs[0]
    shift = s.node("CombineXYZ", {0: s.math("MULTIPLY", own, 17.0), 1: 0.0, 2: own}).outputs[0]
    at = s.node("VectorMath", {0: turn, 1: shift}, operation="ADD").outputs[0]
    bent = s.noise(s.scaled(at, (0.22, 1.6, 1.0)), 1.6, 4, 0.5)
    late = s.between(s.math("FRACT", s.math("MULTIPLY", bent, 13.0)), 0.25, 0.97)
    fibre = s.noise(s.scaled(at, (1.4, 46.0, 1.0)), 1.0, 4, 0.6)
    tone = s.mix(s.math("MULTIPLY", late, 0.55), (0.30, 0.155, 0.068), (0.135, 0.060, 0.024))
    tone = s.shaded(s.shaded(tone, fibre, 0.75, 1.2), own, 0.85, 1.1)
    height = s.math("ADD", fibre, s.math("MULTIPLY", late, -0.3))
    stain = s.noise(at, 2.2, 5)
    material = s.done(
        s.surface(
            Base_Color=tone,
            Roughness=s.between(stain, 0.3, 0.7, 0.30, 0.46),
            IOR_Level=0.4,
            Normal=s.bump(height, 0.0025),
        )
    )
    top = _sheet(view, [(9.0, 0.0), (-EDGE + 0.01, 0.0), (-EDGE, -0.01), (-EDGE, -0.12)], 12.0)
    stage.faces("table", top, material, "table", GROUND)
    s = Shader(stage, "wall")
    at = s.place()
    tone = s.shaded((0.44, 0.41, 0.37), s.noise(at, 0.35, 4), 0.80, 1.12)
    material = s.done(s.surface(Base_Color=tone, Roughness=0.95, IOR_Level=0.1))
    stage.faces("wall", _sheet(view, [(-WALL, -6.0), (-WALL, 9.0)], 20.0), material, "wall", WALL_PART)


LAMPLIT = ("night", "dusk")
ROOMS: dict[str, tuple[Colour, Colour, float]] = {  # the room's light, the colour of its window or lamp, and watts
    "day": ((0.21, 0.23, 0.26), (1.0, 0.97, 0.92), 205.0),
    "sunset": ((0.20, 0.15, 0.16), (1.0, 0.50, 0.20), 215.0),
    "morning": ((0.20, 0.20, 0.21), (1.0, 0.80, 0.56), 215.0),
    "dusk": ((0.045, 0.055, 0.11), (1.0, 0.62, 0.32), 62.0),
    "overcast": ((0.27, 0.30, 0.34), (0.86, 0.93, 1.0), 130.0),
    "night": ((0.014, 0.018, 0.034), (1.0, 0.60, 0.28), 44.0),
}


def _light(stage: Stage, scene: Scene) -> None:
    time, view = scene.tags["time"], scene.view
    if time != STUDIO and scene.tags["ground"] != TABLE:
        light(stage, scene)
        return
    world = Shader(stage, "room", world=True)
    up = world.node("SeparateXYZ", {0: world.node("TexCoord").outputs["Generated"]}).outputs[2]
    if time == STUDIO:
        low, high = (0.07, 0.07, 0.073), (0.19, 0.193, 0.197)
    else:
        high = ROOMS[time][0]
        low = tuple(0.35 * value for value in high)
    tone = world.mix(world.between(up, -0.6, 0.9), low, high)
    stage.scene.world = world.done(world.node("Background", {"Color": tone, "Strength": 1.0}).outputs[0])
    middle = (0.0, 0.4, 0.0)

    def lamp(aside: float, above: float, toward: float, watts: float, wide: float, high: float, colour: Colour) -> None:
        place = _frame(view, aside, above, toward)
        stage.lamp("AREA", place, middle, watts, wide, shape="RECTANGLE", size_y=high, color=tuple(colour))

    if time == STUDIO:
        lamp(-2.2, 2.7, 1.7, 118.0, 1.5, 1.5, (1.0, 0.99, 0.97))
        lamp(2.9, 1.4, 1.4, 14.0, 1.2, 2.6, (0.96, 0.98, 1.0))
        lamp(1.4, 2.4, -2.4, 46.0, 2.2, 0.6, (1.0, 1.0, 1.0))
        lamp(0.0, 4.2, -1.2, 50.0, 4.0, 3.0, (1.0, 1.0, 1.0))
        return
    _, tint, watts = ROOMS[time]
    watts *= 0.2 if scene.tags["material"] == "neon" else 1.0
    size = 0.55 if time in LAMPLIT else 1.5
    lamp(-2.6, 2.1 if time != "sunset" else 1.3, 1.5, watts, size, size * 1.5, tint)
    if time not in LAMPLIT:
        lamp(-2.4, 1.6, -1.9, 0.35 * watts, 0.7, 1.8, tint)


# --- fur


def _area(shell: Shell) -> float:
    a, b, c = (shell.points[shell.triangles[:, k]] for k in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def _fur(stage: Stage, scene: Scene, shell: Shell, material: Any, count: int, number: int, seed: int) -> None:
    """Hairs all over a surface that lie a little, as they were stroked."""
    rng = np.random.default_rng(seed)
    a, b, c = (shell.triangles[:, k] for k in range(3))
    areas = np.linalg.norm(np.cross(shell.points[b] - shell.points[a], shell.points[c] - shell.points[a]), axis=1)
    which = rng.choice(len(areas), max(8, count), p=areas / areas.sum())
    u, v = rng.random((2, len(which), 1))
    over = u + v > 1
    u, v = np.where(over, 1 - u, u), np.where(over, 1 - v, v)
    root, normal = (
        each[a[which]] * (1 - u - v) + each[b[which]] * u + each[c[which]] * v for each in (shell.points, shell.normals)
    )
    seen = ((np.array(scene.view.eye) - root) * normal).sum(1) > -0.5
    root, normal = root[seen], normal[seen]
    lie = np.array([0.0, -0.55, 0.0]) + 0.5 * np.sin(root * 9.0 + seed % 7)[:, [1, 2, 0]]
    way = normal + 0.45 * lie + rng.normal(0, 0.28, root.shape)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    long = HAIR * rng.uniform(0.55, 1.15, (len(root), 1))
    bend = np.array([0.0, -0.35, 0.0]) * long
    points = np.stack([root, root + 0.5 * long * way + 0.2 * bend, root + long * way + bend], 1).reshape(-1, 3)
    curves = stage.bpy.data.hair_curves.new("fur")
    curves.add_curves([3] * len(root))
    curves.points.foreach_set("position", turned(points).astype(np.float32).ravel())
    radius = np.tile(np.array([0.0014, 0.0011, 0.0004], np.float32), len(root))
    curves.points.foreach_set("radius", radius)
    curves.materials.append(material)
    thing = stage.bpy.data.objects.new("fur", curves)
    thing.pass_index = stage.number("thing", number)
    stage.scene.collection.objects.link(thing)


# --- the picture


def finished(seen: dict[str, np.ndarray], scene: Scene) -> dict[str, np.ndarray]:
    """What was rendered, with a background out of focus and a thing whose parts are exact: "exact" (S, S) bool, and
    where creases are drawn, "stroke" (S, S) bool.

    Hair, and glass that shows what is behind it, have no clean borders of their own.
    """
    size = len(seen["depth"])
    found, stroke = surface(scene, size, torch.device("cpu"), FINE)
    parts, _, _ = solid_of(scene, FINE)
    result = {name: value.copy() for name, value in seen.items()}
    result["light"] = _blurred(seen, scene)
    thing = seen["label"] == NUMBER["thing"]
    exact = np.zeros(size * size, bool)
    exact[found.pixel.numpy()] = True
    fringe = thing & ~exact.reshape(size, size)
    if fringe.any():  # becomes what is beside it
        _, nearest = cv2.distanceTransformWithLabels(
            thing.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        back = np.zeros(nearest.max() + 1, np.int64)
        back[nearest[~thing]] = np.flatnonzero(~thing.ravel())
        for name in ("depth", "normal", "part", "label"):
            flat = result[name].reshape(size * size, -1)
            flat[fringe.ravel()] = flat[back[nearest[fringe]]]
    at = found.pixel.numpy()
    result["part"].reshape(-1)[at] = np.array(numbers(parts), np.int32)[found.part.numpy()]
    result["label"].reshape(-1)[at] = NUMBER["thing"]
    result["depth"].reshape(-1)[at] = found.depth.numpy()
    result["normal"].reshape(-1, 3)[at] = found.normal.numpy().T
    return result | {"exact": exact.reshape(size, size), "stroke": stroke.numpy()}


def _blurred(seen: dict[str, np.ndarray], scene: Scene) -> np.ndarray:
    """(S, S, 3) light, where what is far behind the thing is out of focus and the thing is not."""
    colour, depth = seen["light"].astype(np.float32), seen["depth"]
    focus = scene.view.distance
    behind = (seen["label"] != NUMBER["thing"]).astype(np.float32)
    share = np.clip(1 - (focus + 0.5) / np.maximum(depth, 1e-3), 0, 1)  # of the blur that the farthest has
    result = colour.copy()
    for level in (0.33, 0.66, 1.0):
        radius = level * BLUR * len(colour)
        weight = cv2.GaussianBlur(behind, (0, 0), radius)[..., None]
        soft = cv2.GaussianBlur(colour * behind[..., None], (0, 0), radius) / np.maximum(weight, 1e-3)
        blend = np.clip((share - (level - 0.33)) / 0.33, 0, 1) * behind
        result += (soft - result) * blend[..., None]
    return result
