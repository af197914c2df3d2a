"""What things stand on in the path tracer: road, grass, sand, snow or a studio's sweep, with hills far off."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._blender import Stage
from ._building_shape import covered
from ._camera import View
from ._scene import Scene
from ._shader import Shader
from ._solid_mesh import Faces
from ._trace_light import haze
from ._trace_places import far_side, peaks, sea, street
from ._trace_rooms import lay_room
from .grammar import INSIDE

FAR = 4000.0  # metres to where the ground ends
HAZE = 1900.0  # metres in which air hides two thirds
BLADES = 26000  # tufts of grass
GROUND, HILLS, MARKS = 1, 2, 3  # parts, as the fast painter has them
ROAD = 3.4  # metres from a road's middle to its edge


def lay_ground(stage: Stage, scene: Scene, seed: int, size: float = 1.0) -> None:
    """The ground of a car or a building; ``size`` is how large the thing is against a car."""
    if scene.tags["time"] in INSIDE:
        lay_room(stage, scene)
        return
    name, air = scene.tags["ground"], haze(scene.tags["time"])
    if name in PLACES:
        _place(stage, scene, seed, name, air)
        return
    plain = Faces()
    reach = FAR
    plain.polygon([(-reach, 0, reach), (reach, 0, reach), (reach, 0, -reach), (-reach, 0, -reach)])
    if scene.tags.get("style") == "street":  # which has its own road
        stage.faces("ground", plain, asphalt(stage, air), "ground", GROUND)
    elif name == "road":
        turf = grass(stage, air, _coarse(scene))
        stage.faces("verge", plain.changed(lambda p: p - [0, 0.03, 0]), turf, "ground", GROUND)
        _road(stage, scene, air, size)
        _turf(stage, scene, size, lambda p: np.abs(p[:, 2] + _middle(scene)) > ROAD * size + 0.5)
    else:
        material = (
            grass(stage, air, _coarse(scene)) if name == "grass" else {"sand": sand, "snow": snow}[name](stage, air)
        )
        stage.faces("ground", plain, material, "ground", GROUND)
        if name == "grass":
            _turf(stage, scene, size, lambda p: np.ones(len(p), bool))
    if scene.shape["hills"] > 0 and scene.tags.get("behind", "hills") == "hills":
        hills(stage, scene.view, scene.shape["hills"], scene.shape["hills_at"], name, air)


def _coarse(scene: Scene) -> float:
    return max(1.0, scene.view.distance / 16.0)


def _turf(stage: Stage, scene: Scene, size: float, grows: Any) -> None:
    """Grass around a thing, but where its yard has other ground; from above nobody sees blades."""
    taken = covered(scene.shape, scene.tags) if scene.kind == "building" else []

    def free(p: np.ndarray) -> np.ndarray:
        found = grows(p)
        for x0, x1, z0, z1 in taken:
            found &= (p[:, 0] < x0) | (p[:, 0] > x1) | (p[:, 2] < z0) | (p[:, 2] > z1)
        return found

    above = max(1.0, scene.view.eye[1] / 4.0)  # from above, one sees clumps and not blades
    tufts(stage, scene.seed, scene.view, 0.055 * size**0.5 * above**0.7, free, 1.5 * above)


PLACES = ("city street", "mountain road", "coast")


def _place(stage: Stage, scene: Scene, seed: int, name: str, air: Any) -> None:
    """A road with what its name says beside it."""
    _road(stage, scene, air, 1.0, curbs=name != "mountain road")
    if name == "city street":
        street(stage, scene, concrete(stage, (0.30, 0.295, 0.285), air))
    behind = far_side(scene)
    verge = Faces()
    for hand in {-1.0, 1.0} - (set(behind) if name != "mountain road" else set()):
        low, high = sorted((hand * ROAD, hand * (FAR if name != "city street" else 60.0)))
        verge.polygon([(-FAR, -0.03, high), (FAR, -0.03, high), (FAR, -0.03, low), (-FAR, -0.03, low)])
    green = concrete(stage, (0.30, 0.295, 0.285), air) if name == "city street" else grass(stage, air)
    stage.faces("verge", verge, green, "ground", GROUND)
    if name == "coast":
        strip = Faces()
        for hand in behind:
            low, high = sorted((hand * ROAD, hand * (ROAD + 1.7)))
            strip.polygon([(-300, 0.0, high), (300, 0.0, high), (300, 0.0, low), (-300, 0.0, low)])
        stage.faces("walk", strip, sand(stage, air), "ground", 8)
        sea(stage, scene, air, HAZE)
    elif name == "mountain road":
        peaks(stage, scene, air, HAZE)
    if name != "city street":
        sides = {-1.0, 1.0} if name == "mountain road" else {-1.0, 1.0} - set(behind)
        tufts(stage, seed, scene.view, 0.055,
              lambda p: np.isin(np.sign(p[:, 2]), [*sides]) & (np.abs(p[:, 2]) > ROAD + 0.5))  # fmt: skip


def _middle(scene: Scene) -> float:
    """How far before the thing a road lies: cars stand on it, buildings behind it."""
    return 0.0 if scene.kind == "car" else -(scene.shape["depth"] / 2 + 6.0)


def _road(stage: Stage, scene: Scene, air: tuple[float, float, float], size: float, curbs: bool = True) -> None:
    z, edge = -_middle(scene), ROAD * size
    stage.faces("road", _strip(z - edge, z + edge, 0.0), asphalt(stage, air), "ground", GROUND)
    curb = Faces()
    for hand in (-1, 1):
        near = z + hand * edge
        curb.box((-300, -0.05, min(near, near + hand * 0.16)), (300, 0.09, max(near, near + hand * 0.16)))
    if curbs:
        stage.faces("curb", curb, concrete(stage, (0.42, 0.41, 0.39), air), "ground", GROUND, bevel=0.02)
    if scene.shape.get("marks", 1.0):
        paint = worn_paint(stage, air)
        for at in (-2.6, 2.6) if scene.kind == "car" else (0.0,):
            stage.faces("mark", _strip(z + at - 0.07, z + at + 0.07, 0.004), paint, "ground", MARKS)


def _strip(low: float, high: float, y: float) -> Faces:
    strip = Faces()
    strip.polygon([(-600, y, high), (600, y, high), (600, y, low), (-600, y, low)])
    return strip


# --- materials


def grass(stage: Stage, air: Any, coarse: float = 1.0) -> Any:
    """Turf: lush and dry meadows, clover, clumps, fine blades; it heaves a little. From far off, clumps that are
    ``coarse`` times as large are seen where near by there are blades."""
    s = Shader(stage, "grass")
    at = s.place()
    stain, fine = s.noise(at, 0.35, 6), s.noise(at, 34.0 / coarse, 8, 0.7)
    clump, heave = s.noise(at, 3.6 / coarse, 5, 0.68), s.noise(at, 0.22, 3, 0.5)
    colour = s.mix(s.between(stain, 0.33, 0.68), (0.026, 0.074, 0.011), (0.078, 0.138, 0.024))
    meadow = s.between(s.noise(at, 0.030, 3, 0.5, 0.8), 0.47, 0.56)
    colour = s.mix(s.math("MULTIPLY", meadow, 0.45), colour, (0.115, 0.160, 0.032))
    colour = s.mix(s.between(s.noise(at, 0.11, 4), 0.55, 0.75, 0, 0.5), colour, (0.135, 0.145, 0.046))
    clover = s.math("MULTIPLY", s.between(s.noise(at, 0.8, 5, 0.6, 0.5), 0.56, 0.62), 0.6)
    colour = s.mix(clover, colour, (0.022, 0.080, 0.022))
    colour = s.shaded(s.shaded(colour, clump, 0.50, 1.5), fine, 0.45, 1.6)
    level = s.node("SeparateXYZ", {0: s.node("NewGeometry").outputs["Incoming"]}).outputs[2]
    sides = s.between(level, 0.025, 0.06, 0.62, 1.0)  # from low down, one sees between the blades
    grey = s.node("CombineColor", {0: sides, 1: sides, 2: sides}).outputs[0]
    colour = s.mix(1.0, colour, grey, "MULTIPLY")
    normal = s.bump(s.math("ADD", fine, s.math("MULTIPLY", clump, 2.0)), 0.07, s.bump(heave, 0.8))
    return s.done(s.hazed(s.surface(Base_Color=colour, Roughness=0.75, IOR_Level=0.08, Normal=normal), air, HAZE))


def asphalt(stage: Stage, air: Any) -> Any:
    s = Shader(stage, "asphalt")
    at = s.place()
    grain, patch = s.noise(at, 90.0, 3, 0.7), s.noise(s.scaled(at, (0.16, 1, 1)), 0.8, 6)
    colour = s.mix(s.between(patch, 0.3, 0.7), (0.042, 0.043, 0.046), (0.082, 0.081, 0.080))
    colour = s.shaded(colour, grain, 0.65, 1.5)
    crack = s.cells(s.scaled(at, 1.0), 0.35, "DISTANCE_TO_EDGE")
    crack = s.math("ADD", crack, s.math("MULTIPLY", s.noise(at, 3.0, 4), 0.02))
    line = s.math("MULTIPLY", s.between(crack, 0.017, 0.011), s.between(s.noise(at, 0.25, 2), 0.5, 0.6))
    colour = s.mix(s.math("MULTIPLY", line, 0.7), colour, (0.012, 0.012, 0.012))
    rough, bumps = s.between(patch, 0.3, 0.7, 0.62, 0.85), 0.006
    if stage.wet:  # a film of water, and puddles where the road lies low
        pool = s.between(s.noise(s.scaled(at, (0.4, 1, 1)), 0.55, 4), 0.50, 0.60)
        colour, bumps = s.shaded(colour, 0.0, 0.5, 0.5), 0.0015
        rough = s.between(pool, 0.0, 1.0, 0.22, 0.02)
    made = s.surface(
        Base_Color=colour, Roughness=rough, Normal=s.bump(grain, bumps), IOR_Level=0.75 if stage.wet else 0.5
    )
    return s.done(s.hazed(made, air, HAZE))


def sand(stage: Stage, air: Any) -> Any:
    """Dunes, ripples and grain."""
    s = Shader(stage, "sand")
    at = s.place()
    dune, grain = s.noise(at, 0.16, 4), s.noise(at, 120.0, 3, 0.7)
    ripple = s.wave(s.scaled(at, (0.5, 1, 1)), 1.6, 6.5, "Y")
    seen = s.between(s.noise(at, 0.35, 3), 0.35, 0.6)
    ripple = s.math("MULTIPLY", ripple, seen)
    colour = s.mix(s.between(dune, 0.3, 0.7), (0.46, 0.30, 0.135), (0.64, 0.455, 0.235))
    colour = s.shaded(s.shaded(colour, grain, 0.82, 1.16), ripple, 0.96, 1.03)
    normal = s.bump(grain, 0.004, s.bump(ripple, 0.025, s.bump(dune, 0.9)))
    return s.done(s.hazed(s.surface(Base_Color=colour, Roughness=0.9, IOR_Level=0.2, Normal=normal), air, HAZE))


def snow(stage: Stage, air: Any) -> Any:
    s = Shader(stage, "snow")
    at = s.place()
    drift, grain = s.noise(s.scaled(at, (0.5, 1, 1)), 0.30, 5, 0.5, 0.4), s.noise(at, 45.0, 4, 0.65)
    colour = s.mix(s.between(drift, 0.3, 0.7), (0.70, 0.76, 0.86), (0.86, 0.88, 0.90))
    normal = s.bump(grain, 0.012, s.bump(drift, 0.9))
    return s.done(s.hazed(s.surface(Base_Color=colour, Roughness=0.55, IOR_Level=0.3, Normal=normal), air, HAZE))


def concrete(stage: Stage, colour: Any, air: Any = None) -> Any:
    """Grey with stains and pores."""
    s = Shader(stage, "concrete")
    at = s.place()
    stain, pore = s.noise(s.scaled(at, (1, 1, 0.35)), 0.7, 7, 0.6), s.noise(at, 28.0, 5, 0.65)
    shade = s.shaded(s.shaded(colour, stain, 0.74, 1.12), pore, 0.9, 1.08)
    made = s.surface(Base_Color=shade, Roughness=0.85, Normal=s.bump(pore, 0.01))
    return s.done(made if air is None else s.hazed(made, air, HAZE))


def worn_paint(stage: Stage, air: Any) -> Any:
    s = Shader(stage, "marking")
    worn = s.noise(s.place(), 22.0, 5, 0.7)
    colour = s.mix(s.between(worn, 0.55, 0.68), (0.62, 0.61, 0.58), (0.12, 0.12, 0.12))
    return s.done(s.hazed(s.surface(Base_Color=colour, Roughness=0.6), air, HAZE))


# --- plants and hills


def tuft(stage: Stage, seed: int, label: str, part: int, dry: float = 0.14) -> Any:
    """A handful of blades of grass, one unit high, with its material."""
    rng = np.random.default_rng(seed)
    blades = Faces()
    for _ in range(34):
        foot = rng.normal(0, 0.42, 2)
        lean, turn = rng.normal(0, 0.42, 2), rng.uniform(0, 2 * math.pi)
        high, wide = rng.uniform(0.45, 1.0), 0.045
        dx, dz = math.cos(turn) * wide, math.sin(turn) * wide
        x, z = foot
        mid = (x + lean[0] * 0.3, high * 0.6, z + lean[1] * 0.3)
        tip = (x + lean[0], high, z + lean[1])
        blades.polygon([(x - dx, 0, z - dz), (x + dx, 0, z + dz), (mid[0] + dx * 0.7, mid[1], mid[2] + dz * 0.7),
                        (mid[0] - dx * 0.7, mid[1], mid[2] - dz * 0.7)])  # fmt: skip
        blades.polygon([(mid[0] - dx * 0.7, mid[1], mid[2] - dz * 0.7),
                        (mid[0] + dx * 0.7, mid[1], mid[2] + dz * 0.7), tip])  # fmt: skip
    s = Shader(stage, "blades")
    chance = s.node("ObjectInfo").outputs["Random"]
    colour = s.mix(chance, (0.045, 0.105, 0.015), (0.105, 0.165, 0.035))
    colour = s.mix(s.between(chance, 1 - dry, 1.0, 0.0, 0.7), colour, (0.20, 0.18, 0.07))
    upper = s.surface(Base_Color=colour, Roughness=0.6, IOR_Level=0.3)
    through = s.node("BsdfTranslucent", {"Color": s.mix(0.5, colour, (0.16, 0.22, 0.04))}).outputs[0]
    material = s.done(s.node("MixShader", {0: 0.35, 1: upper, 2: through}).outputs[0])
    return stage.faces("tuft", blades, material, label, part)


def tufts(stage: Stage, seed: int, view: View, high: float, grows: Any, near: float = 1.5,
          label: str = "ground", part: int = GROUND) -> None:  # fmt: skip
    """Grass where the camera sees it: dense in front, thinner and coarser behind; ``grows`` (N, 3) -> (N,) bool."""
    rng = np.random.default_rng(seed)
    eye, half = view.eye, view.field / 2 + 0.12
    far = 26.0 * max(eye[1], 1.0)
    away = near * (far / near) ** rng.random(BLADES)
    turn = view.yaw + rng.uniform(-half, half, BLADES)
    at = np.stack([eye[0] - away * np.sin(turn), 0 * away, eye[2] - away * np.cos(turn)], 1)
    keep = grows(at)
    if not keep.any():
        return
    thing = tuft(stage, seed, label, part)
    sizes = high * rng.uniform(0.6, 1.4, BLADES) * (1 + away / 22.0)
    stage.copies(thing, at[keep], sizes[keep], seed, 0.15)


def ridge(rng: np.random.Generator, count: int, octaves: int, rough: float) -> np.ndarray:
    """(count,) a line of hills from 0 to 1, closed to a ring."""
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    line = np.zeros(count)
    for octave in range(octaves):
        for _ in range(3):
            line += rough**octave * np.cos(turn * round(4 * 1.9**octave * rng.uniform(0.7, 1.3)) + rng.uniform(0, 7))
    return (line - line.min()) / np.ptp(line)


def hills(stage: Stage, view: View, height: float, place: float, ground: str, air: Any) -> None:
    """A ring of wooded hills, ``height`` picture sizes above the horizon."""
    far, spread = 800.0, 2 * math.tan(view.field / 2)
    top = height * spread * far
    rng = np.random.default_rng(int(place * 1e6))
    around, rows = 720, 10
    line = 0.35 + 0.65 * ridge(rng, around, 6, 0.45)
    turn = np.linspace(0, 2 * np.pi, around, endpoint=False)
    share = np.linspace(0, 1, rows)[:, None]
    reach = far * (0.72 + 0.28 * share)
    high = top * line * np.sin(share * math.pi / 2) - 2.0 * (share == 0)
    ring = Faces.grid(
        np.stack([view.eye[0] + reach * np.sin(turn), high, view.eye[2] - reach * np.cos(turn)], -1), closed=True
    )
    s = Shader(stage, "hills")
    wood = s.cells(s.place(), 0.12) if ground in ("road", "grass") else s.noise(s.place(), 0.05, 6, 0.6)
    low, high = {
        "snow": ((0.22, 0.25, 0.30), (0.75, 0.80, 0.88)),
        "sand": ((0.20, 0.16, 0.09), (0.36, 0.27, 0.15)),
    }.get(ground, ((0.020, 0.045, 0.015), (0.07, 0.115, 0.035)))
    colour = s.mix(s.between(s.noise(s.place(), 0.012, 6), 0.38, 0.62), low, high)
    colour = s.shaded(colour, wood, 0.6, 1.25)
    made = s.surface(Base_Color=colour, Roughness=0.9, IOR_Level=0.1, Normal=s.bump(wood, 5.0))
    stage.faces("hills", ring, s.done(s.hazed(made, air, HAZE)), "hill", HILLS, smooth=180)
