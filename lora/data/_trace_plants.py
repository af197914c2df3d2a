"""Trees and bushes for the path tracer: made once for a picture and stood about; leaves let light through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._blender import Stage
from ._shader import Shader
from ._solid_mesh import Faces, Point
from ._trace_species import Plant, grown

LEAVES = 22000  # of a tree near by
SHAPES = 2  # different ones of a kind in a picture
GREENS = {  # from where to where a leaf's colour varies
    "trees": ((0.026, 0.075, 0.013), (0.090, 0.175, 0.030)), "birches": ((0.075, 0.135, 0.022), (0.16, 0.20, 0.045)),
    "conifers": ((0.012, 0.038, 0.016), (0.034, 0.072, 0.030)), "palms": ((0.035, 0.085, 0.015), (0.10, 0.15, 0.03)),
    "bushes": ((0.024, 0.070, 0.012), (0.070, 0.135, 0.026)), "bare trees": ((0.05, 0.04, 0.03), (0.1, 0.08, 0.06)),
}  # fmt: skip
TONES = {  # what single trees of a kind lean to
    **dict.fromkeys(("trees", "bushes", "birches"), ((0.120, 0.170, 0.022), (0.022, 0.075, 0.026))),
    **dict.fromkeys(("conifers",), ((0.040, 0.070, 0.018), (0.014, 0.046, 0.034))),
    **dict.fromkeys(("palms",), ((0.10, 0.14, 0.03), (0.03, 0.08, 0.02))),
}


class Grove:
    """Plants of one kind; the first ones that are wanted are made, the others are the same ones turned."""

    def __init__(self, stage: Stage, name: str, seed: int, leaves: int = LEAVES) -> None:
        self.stage, self.name = stage, name
        self._seed, self._many = seed, leaves
        self._made: list[tuple[Any, Any]] = []
        self._bark = (birch_bark if name == "birches" else bark)(stage)
        self._leaves = self._bark if name == "bare trees" else leaves_material(stage, name)

    def plant(self, at: Point, height: float, part: int, turn: float) -> None:
        """One more; its wood has ``part``, its leaves ``part`` + 1."""
        kind = len(self._made) if len(self._made) < SHAPES else int(turn * 1000) % SHAPES
        label = "bush" if self.name == "bushes" else "tree"
        if kind == len(self._made):
            plant = grown(self.name, self._seed + kind, self._many)
            self._made.append(self._meshes(plant, label, part))
            for number, thing in enumerate(self._made[kind]):
                self.stage.put(thing, at, height, turn, label, part + number)
        else:
            for number, thing in enumerate(self._made[kind]):
                self.stage.again(thing, at, height, turn, label, part + number)

    def _meshes(self, plant: Plant, label: str, part: int) -> tuple[Any, Any]:
        wood = self.stage.faces("wood", plant.wood, self._bark, label, part, smooth=60)
        return wood, self.stage.faces("leaves", plant.leaves, self._leaves, label, part + 1)

    def wood(self, points: np.ndarray, heights: np.ndarray, part: int, kinds: int = 3) -> None:
        """A wood: at each of ``points`` (N, 3) one of a few trees, ``heights`` (N,) metres high; all are one part."""
        for kind in range(kinds):
            plant = grown(self.name, self._seed + 50 + kind, self._many)
            here = np.arange(len(points)) % kinds == kind
            for thing in self._meshes(plant, "tree", part):
                if thing is not None:
                    thing.pass_index = self.stage.number("tree", part)
                    self.stage.copies(thing, points[here], heights[here], self._seed + kind)


def leaf_cards(box: Sequence[float], seed: int, size: float, count: int) -> Faces:
    """Leaves on the sides and the top of a hedge; ``box`` is x, y and z from where to where."""
    rng = np.random.default_rng(seed)
    x0, x1, y0, y1, z0, z1 = box
    low, high = np.array([x0, y0, z0]), np.array([x1, y1, z1])
    at = low + rng.random((count, 3)) * (high - low)
    side = rng.choice(3, count, p=[0.12, 0.30, 0.58])
    hand = np.where(side == 1, 1, rng.choice([0, 1], count, p=[0.15, 0.85]))
    rows = np.arange(count)
    at[rows, side] = np.where(hand > 0, high[side], low[side]) + rng.normal(scale=0.05, size=count)
    facing = rng.normal(scale=0.6, size=(count, 3))
    facing[rows, side] += np.where(hand > 0, 1.0, -1.0)
    facing /= np.linalg.norm(facing, axis=1, keepdims=True)
    along = np.cross(facing, rng.normal(size=(count, 3)))
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    aside, long = np.cross(facing, along), size * rng.uniform(0.6, 1.3, (count, 1))
    corners = np.stack([at - along * long, at + aside * long * 0.5, at + along * long, at - aside * long * 0.5], 1)
    faces = np.arange(4 * count).reshape(-1, 4)
    return Faces([*map(tuple, corners.reshape(-1, 3).tolist())], [*map(tuple, faces.tolist())])


def leaves_material(stage: Stage, name: str) -> Any:
    """Leaves that let some light through; every tree has a tone of its own."""
    s = Shader(stage, "leaves")
    chance = s.node("NewGeometry").outputs["Random Per Island"]
    own = s.node("ObjectInfo").outputs["Random"]
    low, high = GREENS[name]
    colour = s.mix(chance, low, high)
    colour = s.mix(s.between(own, 0.35, 1.0, 0.0, 0.55), colour, TONES[name][0])  # one is yellower, another bluer
    colour = s.mix(s.between(own, 0.35, 0.0, 0.0, 0.45), colour, TONES[name][1])
    upper = s.surface(Base_Color=colour, Roughness=0.5, IOR_Level=0.35)
    through = s.node("BsdfTranslucent", {"Color": s.mix(0.5, colour, [1.6 * value for value in high])}).outputs[0]
    return s.done(s.node("MixShader", {0: 0.12 if name == "conifers" else 0.32, 1: upper, 2: through}).outputs[0])


def bark(stage: Stage) -> Any:
    s = Shader(stage, "bark")
    at = s.scaled(s.place(), (10, 10, 2.2))
    rough = s.noise(at, 9.0, 6, 0.65)
    colour = s.mix(s.between(rough, 0.35, 0.65), (0.030, 0.020, 0.013), (0.125, 0.090, 0.062))
    return s.done(s.surface(Base_Color=colour, Roughness=0.9, Normal=s.bump(rough, 0.06)))


def birch_bark(stage: Stage) -> Any:
    """White, with dark marks across, darker at the foot."""
    s = Shader(stage, "birch")
    at = s.place()
    marks = s.noise(s.scaled(at, (16, 16, 130)), 1.0, 4, 0.6)
    foot = s.between(s.node("SeparateXYZ", {0: at}).outputs[2], 0.0, 0.10, 1.0, 0.0)
    dark = s.math("MAXIMUM", s.between(marks, 0.56, 0.64), s.math("MULTIPLY", foot, 0.8))
    colour = s.mix(dark, (0.66, 0.64, 0.60), (0.035, 0.030, 0.028))
    return s.done(s.surface(Base_Color=colour, Roughness=0.7))
