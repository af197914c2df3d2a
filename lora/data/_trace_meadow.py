"""What lies in the ground of a landscape for the path tracer: lake, river, road, path, a village and flowers."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from ._blender import Stage
from ._landscape_shape import EYE, band_middle, lake_edge
from ._place_words import ground_of
from ._scene import Scene
from ._shader import Shader, plain
from ._solid_mesh import Faces
from ._trace_ground import asphalt, concrete, worn_paint
from ._trace_walls import roof_material
from ._trace_water import water
from .grammar import LAMPS_ON

PART, HOUSE = 12, 60  # as the fast painter has them
FLOWERS = 5200
PETALS = ((0.62, 0.045, 0.035), (0.80, 0.74, 0.70), (0.72, 0.46, 0.03), (0.26, 0.09, 0.48))
WALLS = ((0.66, 0.63, 0.57), (0.60, 0.47, 0.31), (0.38, 0.12, 0.08), (0.58, 0.57, 0.55), (0.52, 0.37, 0.15))


def lay_ways(stage: Stage, scene: Scene, large: float, air: Any) -> None:
    """A lake, or what winds to the viewer; ``large`` is how many times the scene's metres everything is."""
    shape, spread = scene.shape, 2 * math.tan(scene.view.field / 2)
    if shape["lake"]:
        turn = np.linspace(0, 2 * np.pi, 240, endpoint=False)
        edge = lake_edge(shape, turn)
        for grow, y, material, part in (
            (1.06, 0.015, shore(stage, air), 8),
            (1.0, 0.03, water(stage, air, 0.10, 1.6), PART),
        ):
            e = (shape["lake_y"] + grow * shape["lake_high"] * edge * np.sin(turn)).clip(None, -0.004)
            x = shape["lake_x"] + grow * shape["lake_wide"] * edge * np.cos(turn)
            away = EYE * large / (-e * spread)
            lake = Faces()
            lake.polygon([(float(a), y, float(b)) for a, b in zip(x * spread * away, -away, strict=True)])
            stage.faces("lake", lake, material, "lake" if part == PART else _near(scene), part)
    if shape["band"]:
        name = "river" if scene.tags["water"] == "a river" else "road" if scene.tags["way"] == "a road" else "path"
        away = np.geomspace(0.9, 310.0, 220)
        middle = np.array([band_middle(shape, each) for each in away.tolist()])
        made = {
            "river": lambda: water(stage, air, 0.12, 1.3),
            "road": lambda: asphalt(stage, air),
            "path": lambda: dirt(stage, air),
        }
        edge = {"river": 1.35, "road": 1.16, "path": 1.25}[name]
        _strip(
            stage, away * large, middle * large, edge * shape["band"] * large, 0.015, shore(stage, air), _near(scene), 8
        )
        _strip(stage, away * large, middle * large, shape["band"] * large, 0.035, made[name](), name, PART + 1)
        if name == "road":
            paint, dashes = worn_paint(stage, air), Faces()
            for start in np.arange(1.2, 120.0, 2.4).tolist():
                ends = np.linspace(start, start + 1.3, 4).tolist()
                for a, b in pairwise(ends):
                    ma, mb, half = band_middle(shape, a) * large, band_middle(shape, b) * large, 0.07
                    dashes.polygon([(ma - half, 0.045, -a * large), (ma + half, 0.045, -a * large),
                                    (mb + half, 0.045, -b * large), (mb - half, 0.045, -b * large)])  # fmt: skip
            stage.faces("dashes", dashes, paint, "road", PART + 1)


def _near(scene: Scene) -> str:
    return ground_of(scene.tags)


def _strip(
    stage: Stage, away: np.ndarray, middle: np.ndarray, half: float, y: float, material: Any, label: str, part: int
) -> None:
    rows = np.stack([np.stack([middle + hand * half, 0 * away + y, -away], -1) for hand in (-1, 1)], 1)
    stage.faces("strip", Faces.grid(rows), material, label, part)


def shore(stage: Stage, air: Any) -> Any:
    """Gravel and bare earth beside water and roads."""
    s = Shader(stage, "shore")
    at = s.place()
    stones, stain = s.cells(at, 5.0), s.noise(at, 0.6, 6)
    tone = s.mix(s.between(stain, 0.35, 0.65), (0.11, 0.088, 0.060), (0.24, 0.205, 0.155))
    tone = s.shaded(tone, stones, 0.7, 1.25)
    made = s.surface(Base_Color=tone, Roughness=0.9, Normal=s.bump(s.math("SUBTRACT", 1.0, stones), 0.05))
    return s.done(s.hazed(made, air, 1900.0))


def dirt(stage: Stage, air: Any) -> Any:
    """A trodden way."""
    s = Shader(stage, "path")
    at = s.place()
    stain, grain = s.noise(at, 0.5, 6), s.noise(at, 14.0, 6, 0.68)
    tone = s.mix(s.between(stain, 0.35, 0.65), (0.20, 0.145, 0.088), (0.36, 0.275, 0.18))
    tone = s.shaded(tone, grain, 0.72, 1.25)
    return s.done(s.hazed(s.surface(Base_Color=tone, Roughness=0.92, Normal=s.bump(grain, 0.04)), air, 1900.0))


def village(stage: Stage, scene: Scene, large: float) -> None:
    """Houses far off: walls, a roof, windows and a chimney."""
    spread = 2 * math.tan(scene.view.field / 2)
    night = scene.tags["time"] in LAMPS_ON
    panes = (
        plain(stage, "far panes", (1.0, 0.62, 0.28), 0.2, glow=1.3)
        if night
        else plain(stage, "far panes", (0.02, 0.023, 0.028), 0.08)
    )
    tiles = {turned: roof_material(stage, "gable", turned) for turned in (False, True)}
    for number in range(int(scene.shape["houses"])):
        x, foot, size, turn = (scene.shape[f"house{number}_{name}"] for name in ("x", "foot", "size", "turn"))
        away = EYE * large / (-foot * spread)
        size *= spread * away
        made = {"walls": Faces(), "roof": Faces(), "panes": Faces()}
        half, deep, eaves, top = 0.68 * size, 0.42 * size, 0.56 * size, size
        made["walls"].box((-half, -0.3, -deep), (half, eaves, deep))
        for side in (-half, half):
            made["walls"].polygon([(side, eaves, -deep), (side, eaves, deep), (side, top, 0.0)])
        over, thick = 1.09, 0.03 * size
        for hand in (-1, 1):
            low = eaves - 0.09 * (top - eaves)
            for up in (0.0, thick):
                foot = hand * deep * over
                made["roof"].polygon([(-half * over, low + up, foot), (half * over, low + up, foot),
                                      (half * over, top + up, 0.0), (-half * over, top + up, 0.0)][::hand])  # fmt: skip
        made["walls"].box((0.25 * half, eaves, -0.1 * deep), (0.45 * half, top + 0.12 * size, 0.25 * deep))
        for u in (-0.72, -0.26, 0.26, 0.72):
            for v in (0.16, 0.58) if size > 3 else (0.3,):
                a, b = u * half - 0.09 * half, u * half + 0.09 * half
                made["panes"].box((a, v * eaves, deep), (b, (v + 0.28) * eaves, deep + 0.012 * size))
        cos, sin = math.cos(turn), math.sin(turn)

        def placed(
            p: np.ndarray, cos: float = cos, sin: float = sin, at: tuple[float, float] = (x * spread * away, -away)
        ) -> np.ndarray:
            return np.stack([p[:, 0] * cos + p[:, 2] * sin + at[0], p[:, 1], p[:, 2] * cos - p[:, 0] * sin + at[1]], 1)

        part = HOUSE + 2 * number
        stage.faces("walls", made["walls"].changed(placed), concrete(stage, WALLS[number]), "house", part)
        stage.faces("panes", made["panes"].changed(placed), panes, "house", part)
        stage.faces("roof", made["roof"].changed(placed), tiles[False], "house", part + 1)


def flowers(stage: Stage, scene: Scene, view: Any, allowed: Any, part: int, size: float = 1.0) -> None:
    """Flowers of four colours in drifts, near the camera; ``allowed`` (N, 3) -> (N,) bool."""
    rng = np.random.default_rng(scene.seed + 11)
    half = view.field / 2 + 0.1
    for number, tint in enumerate(PETALS):
        count = FLOWERS // len(PETALS)
        away = 3.2 * 24.0 ** rng.random(count)
        turn = view.yaw + rng.uniform(-half, half, count)
        at = np.stack([view.eye[0] - away * np.sin(turn), 0 * away, view.eye[2] - away * np.cos(turn)], 1)
        drift = (
            np.sin(0.35 * at[:, 0] + 1.9 * number)
            + np.sin(0.28 * at[:, 2] + 0.9 * number)
            + rng.normal(scale=0.7, size=count)
        )
        at = at[(drift > 0.0) & allowed(at)]
        bloom = flower(stage, tint, number, part)
        stage.copies(
            bloom,
            at,
            0.30 * size * rng.uniform(0.7, 1.3, len(at)) * (1 + np.hypot(at[:, 0], at[:, 2]) / 60),
            number,
            0.2,
        )


def flower(stage: Stage, tint: tuple[float, float, float], seed: int, part: int) -> Any:
    """Three stems with a bloom each, one unit high."""
    rng = np.random.default_rng(seed)
    petals, stems = Faces(), Faces()
    for _ in range(3):
        x, z, high = rng.normal(0, 0.22), rng.normal(0, 0.22), rng.uniform(0.7, 1.05)
        lean = rng.normal(0, 0.12, 2)
        top = np.array([x + lean[0], high, z + lean[1]])
        stems.polygon([(x - 0.018, 0, z), (x + 0.018, 0, z), tuple(top.tolist())])
        stems.polygon([(x, 0.2 * high, z), (x + 0.16, 0.5 * high, z + 0.1), (x + 0.05, 0.25 * high, z - 0.05)])
        for k in range(7):
            ring = [(0.155, 0.0, 0.05), (0.178, 0.4, 0.02), (0.155, 0.8, 0.05)]
            turns = [2 * math.pi * (k + part_of) / 7 for _, part_of, _ in ring]
            edge = [top + np.array([reach * math.cos(a), lift, reach * math.sin(a)])
                    for (reach, _, lift), a in zip(ring, turns, strict=True)]  # fmt: skip
            petals.polygon([tuple(each.tolist()) for each in (top, *edge)])
    s = Shader(stage, "petals")
    colour = s.shaded(tint, s.node("ObjectInfo").outputs["Random"], 0.8, 1.2)
    green = plain(stage, "stems", (0.05, 0.11, 0.02), 0.6)
    both = petals.joined(stems)
    thing = stage.faces("flower", both, s.done(s.surface(Base_Color=colour, Roughness=0.6)), "flowers", part)
    thing.data.materials.append(green)
    thing.data.polygons.foreach_set(
        "material_index", np.array([0] * len(petals.faces) + [1] * len(stems.faces), np.int32)
    )
    return thing
