"""Land far off for the path tracer: mountains that water has worn, hills, dunes, cliffs; fans before the camera."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from ._blender import Stage
from ._camera import View
from ._shader import Shader
from ._solid_mesh import Faces

COLUMNS, ROWS = 640, 200  # of a mountain's grid


def fractal(rng: np.random.Generator, rows: int, columns: int, cells: tuple[float, float], octaves: int, rough: float,
            ridged: bool = False, worn: float = 0.0) -> np.ndarray:  # fmt: skip
    """(rows, columns) about -1 to 1: noise of several octaves; ``ridged`` has sharp crests (Musgrave).

    ``worn`` above 0 leaves out small forms where large ones are steep, as running water does (Quilez).
    """
    total, weight, size = np.zeros((rows, columns), np.float32), np.float32(1), 1.0
    slope = np.zeros((2, rows, columns), np.float32)
    for octave in range(octaves):
        shape = [max(4, int(each * 2**octave)) + 4 for each in cells]
        values = rng.standard_normal(shape).astype(np.float32) * 0.6
        wide = cv2.resize(values, (columns + 64, rows + 64), interpolation=cv2.INTER_CUBIC)[32:-32, 32:-32]
        if worn:
            down, aside = np.gradient(wide * size)
            slope += np.stack([down * rows / cells[0], aside * columns / cells[1]])
        held = 1 / (1 + worn * (slope**2).sum(0)) if worn else np.float32(1)
        if ridged:
            wide = 1 - 2 * np.abs(wide)
            total += size * wide * weight * held
            weight = (0.5 + 0.5 * wide).clip(0.15, 1)
        else:
            total += size * wide * held
        size *= rough
    return total


def fan(view: View, turn: np.ndarray, away: np.ndarray, up: np.ndarray) -> Faces:
    """A grid of ``up`` (R, C) metres, ``away`` (R, 1) or (R, C) metres from the eye, ``turn`` (C,) radians aside."""
    eye, angle = view.eye, view.yaw - turn
    points = np.stack([eye[0] - away * np.sin(angle), up, eye[2] - away * np.cos(angle)], -1)
    return Faces.grid(points)


def mountains(stage: Stage, rng: np.random.Generator, view: View, height: float, air: Any, part: int) -> None:
    """Ranges behind each other, the highest peaks ``height`` times as high as they are far."""
    turn, share = np.linspace(-1.0, 1.0, COLUMNS), np.linspace(0, 1, ROWS)[:, None]
    away = 1300.0 + 4400.0 * share**1.25
    ridges = fractal(rng, ROWS, COLUMNS, (2.6, 6.0), 7, 0.47, True, 0.010)
    large = fractal(rng, ROWS, COLUMNS, (1.4, 3.0), 2, 0.4)
    field = (0.42 + 0.30 * ridges + 0.22 * large).clip(0.02, None) ** 1.15
    grows = np.sin(np.pi * (0.04 + 0.72 * share)) ** 1.1
    up = height * 1.05 * field * grows * away
    up[0] = -3.0
    stage.faces("land", fan(view, turn, away, up), _rock_and_snow(stage, air, height), "mountain", part, smooth=180)


def hills(stage: Stage, rng: np.random.Generator, view: View, height: float, air: Any, part: int) -> None:
    """Meadows with woods that roll towards the horizon."""
    turn, share = np.linspace(-1.0, 1.0, COLUMNS), np.linspace(0, 1, ROWS)[:, None]
    away = 150.0 + 1500.0 * share**1.3
    field = (0.55 + 0.35 * fractal(rng, ROWS, COLUMNS, (3.0, 5.0), 4, 0.36)).clip(0.05, None)
    up = height * share**0.7 * field * away
    up[0] = -3.0
    stage.faces("land", fan(view, turn, away, up), _meadows(stage, air), "hill", part, smooth=180)


def dunes(stage: Stage, rng: np.random.Generator, view: View, height: float, material: Any, part: int) -> None:
    """Dunes with one steep side each, which end in a crest."""
    turn, share = np.linspace(-1.0, 1.0, COLUMNS), np.linspace(0, 1, ROWS)[:, None]
    away = 55.0 + 900.0 * share**1.6
    bend = fractal(rng, ROWS, COLUMNS, (2.0, 3.0), 3, 0.45)
    size = 0.62 + 0.38 * fractal(rng, ROWS, COLUMNS, (3.0, 4.0), 2, 0.5)
    wave = (7.5 * share**0.75 + 1.1 * bend + 0.8 * turn) % 1.0
    crest = np.where(wave < 0.72, (wave / 0.72) ** 1.5, ((1 - wave) / 0.28) ** 1.1)
    crest = cv2.GaussianBlur(crest.astype(np.float32), (0, 0), 1.2)
    up = (
        height
        * (0.25 + 0.85 * crest * size.clip(0.15, None))
        * share.clip(0.02, 1) ** 0.45
        * away
        * (1.15 - 0.55 * share)
    )
    up *= (share * 9.0).clip(0, 1)
    up[0] = -0.3
    stage.faces("dunes", fan(view, turn, away, up), material, "sand", part, smooth=180)


def cliffs(stage: Stage, rng: np.random.Generator, view: View, shape: Any, spread: float, air: Any, part: int) -> None:
    """A headland of layered rock that falls into the sea on one side of the picture."""
    columns, profile = 420, ((0.0, -0.02), (0.012, 0.16), (0.03, 0.42), (0.05, 0.60), (0.065, 0.82), (0.09, 0.96),
                             (0.2, 1.02), (0.9, 1.05), (1.6, 0.9))  # fmt: skip
    turn = np.linspace(-0.75, 0.75, columns)
    x = np.tan(turn) / spread * shape["cliff_side"]
    inwards = ((x + 0.05 * fractal(rng, 8, columns, (2, 3), 3, 0.5)[4] - 0.02) / 0.14).clip(0, 1)
    line = (
        shape["cliff_high"]
        * inwards**2
        * (3 - 2 * inwards)
        * (0.85 + 0.12 * fractal(rng, 8, columns, (2, 7), 5, 0.5)[4])
    )
    rows = 90
    at = np.interp(np.linspace(0, 1, rows), np.linspace(0, 1, len(profile)), [p[0] for p in profile])[:, None]
    high = np.interp(np.linspace(0, 1, rows), np.linspace(0, 1, len(profile)), [p[1] for p in profile])[:, None]
    broken = fractal(rng, rows, columns, (7.0, 26.0), 5, 0.55, True)
    near = view.eye[1] / (0.050 * spread)
    away = near * (1 + 0.7 * at + 0.022 * broken * (high < 0.98) + 0.05 * (1 - line / shape["cliff_high"]))
    up = high * line * spread * near * (1 + 0.04 * broken) - 0.4
    s = Shader(stage, "cliff")
    place = s.place()
    layer, rough = s.noise(s.scaled(place, (0.15, 0.15, 1.0)), 0.45, 7, 0.6), s.noise(place, 0.35, 8, 0.62)
    tone = s.mix(s.between(layer, 0.36, 0.64), (0.10, 0.085, 0.07), (0.36, 0.32, 0.27))
    tone = s.shaded(tone, rough, 0.7, 1.25)
    steep = s.node("SeparateXYZ", {0: s.node("NewGeometry").outputs["Normal"]}).outputs[2]
    grass = s.shaded((0.065, 0.105, 0.025), s.noise(place, 1.2, 6), 0.7, 1.3)
    tone = s.mix(s.between(steep, 0.62, 0.80), tone, grass)
    made = s.surface(Base_Color=tone, Roughness=0.9, Normal=s.bump(s.math("ADD", layer, rough), 1.4))
    stage.faces("cliff", fan(view, turn, away, up), s.done(s.hazed(made, air, 3000.0)), "rock", part, smooth=45)


def _rock_and_snow(stage: Stage, air: Any, tall: float) -> Any:
    """Snow where it can lie and is high, rock elsewhere, dark woods at the foot; ``tall`` as in ``mountains``."""
    s = Shader(stage, "mountain")
    at = s.place()
    steep = s.node("SeparateXYZ", {0: s.node("NewGeometry").outputs["Normal"]}).outputs[2]
    height = s.math("DIVIDE", s.node("SeparateXYZ", {0: at}).outputs[2], 3900.0 * tall)
    rough, fine = s.noise(at, 0.004, 9, 0.62), s.noise(at, 0.03, 6, 0.65)
    layer = s.noise(s.scaled(at, (0.2, 0.2, 1.0)), 0.02, 5)
    rock = s.mix(s.between(layer, 0.35, 0.65), (0.075, 0.072, 0.074), (0.19, 0.18, 0.18))
    rock = s.shaded(rock, fine, 0.7, 1.3)
    wood = s.shaded((0.026, 0.042, 0.024), s.cells(at, 0.06), 1.5, 0.5)
    edge = s.math("ADD", height, s.math("MULTIPLY", s.math("SUBTRACT", rough, 0.5), 0.35))
    base = s.mix(s.between(edge, 0.13, 0.26), wood, rock)
    lies = s.math("ADD", steep, s.math("MULTIPLY", s.math("SUBTRACT", fine, 0.5), 0.45))
    white = s.math("MULTIPLY", s.between(lies, 0.48, 0.66), s.between(edge, 0.22, 0.48))
    tone = s.mix(white, base, (0.82, 0.86, 0.92))
    normal = s.bump(s.math("ADD", rough, s.math("MULTIPLY", fine, 0.3)), 50.0)
    return s.done(s.hazed(s.surface(Base_Color=tone, Roughness=0.85, Normal=normal), air, 13000.0, 0.85))


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
