"""Trees for the path tracer: boughs and thousands of leaves, made once and stood about."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._blender import Stage
from ._shader import Shader
from ._solid_mesh import Faces, Point

LEAVES = 15000
CROWN = 0.36  # of a tree's height: its radius


def tree(stage: Stage, at: Point, height: float, seed: int, part: int, leaf: float = 0.015) -> None:
    """A broad-leaved tree; ``leaf`` is a leaf's length in tree heights. Its crown has ``part`` + 1."""
    rng = np.random.default_rng(seed)
    blobs = _blobs(rng)
    wood = _wood(rng, blobs)
    crown = _crown(rng, blobs, leaf)

    def placed(points: np.ndarray) -> np.ndarray:
        return points * height + np.array(at, np.float32)

    stage.faces("trunk", wood.changed(placed), bark(stage), "tree", part, smooth=60)
    stage.faces("crown", crown.changed(placed), leaves(stage), "tree", part + 1)


def _blobs(rng: np.random.Generator) -> np.ndarray:
    """(N, 4) middles and radii of clusters of leaves, a tree being 1 high."""
    found = [(0.0, 0.64, 0.0, 0.20)]
    for k in range(18):
        turn = 2.4 * k + rng.uniform(-0.4, 0.4)
        up = -0.95 + 1.9 * (k + rng.random()) / 18
        out = CROWN * 0.70 * math.sqrt(max(0.0, 1 - 0.85 * up * up)) * rng.uniform(0.7, 1.1)
        found.append((out * math.cos(turn), 0.62 + 0.27 * up, out * math.sin(turn), rng.uniform(0.085, 0.15)))
    return np.array(found)


def _crown(rng: np.random.Generator, blobs: np.ndarray, leaf: float) -> Faces:
    share = blobs[:, 3] ** 2 / (blobs[:, 3] ** 2).sum()
    whose = rng.choice(len(blobs), LEAVES, p=share)
    way = rng.normal(size=(LEAVES, 3))
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    away = blobs[whose, 3] * (0.72 + 0.36 * rng.random(LEAVES))  # near the surface, with some astray
    at = blobs[whose, :3] + way * away[:, None] * np.array([1.0, 0.86, 1.0])
    facing = way + rng.normal(scale=0.55, size=(LEAVES, 3))
    facing /= np.linalg.norm(facing, axis=1, keepdims=True)
    along = np.cross(facing, rng.normal(size=(LEAVES, 3)))
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    aside = np.cross(facing, along)
    size = leaf * rng.uniform(0.7, 1.3, (LEAVES, 1))
    corners = np.stack([at - along * size, at + aside * size * 0.5, at + along * size, at - aside * size * 0.5], 1)
    faces = np.arange(4 * LEAVES).reshape(-1, 4)
    return Faces([*map(tuple, corners.reshape(-1, 3).tolist())], [*map(tuple, faces.tolist())])


def _wood(rng: np.random.Generator, blobs: np.ndarray) -> Faces:
    """A trunk that leans a little, and boughs into the clusters."""
    wood = Faces()
    fork = np.array([rng.uniform(-0.02, 0.02), 0.30, rng.uniform(-0.02, 0.02)])
    _limb(wood, np.array([0.0, -0.02, 0.0]), fork, 0.034, 0.022)
    _limb(wood, fork, blobs[0, :3], 0.022, 0.008)
    for blob in blobs[1:]:
        start = fork + (blobs[0, :3] - fork) * rng.uniform(0.0, 0.7)
        _limb(wood, start, blob[:3], 0.012, 0.004)
    return wood


def _limb(wood: Faces, begin: np.ndarray, end: np.ndarray, thick: float, thin: float, around: int = 8) -> None:
    along = (end - begin) / max(float(np.linalg.norm(end - begin)), 1e-6)
    right = np.cross(along, (0.3, 0.1, 1.0))
    right /= np.linalg.norm(right)
    up = np.cross(right, along)
    rings = []
    for at, radius in ((begin, thick), (end, thin)):
        turn = [2 * math.pi * k / around for k in range(around)]
        rings.append([at + radius * (math.cos(a) * right + math.sin(a) * up) for a in turn])
    for k in range(around):
        nxt = (k + 1) % around
        wood.polygon([tuple(each) for each in (rings[0][k], rings[1][k], rings[1][nxt], rings[0][nxt])])


def leaves(stage: Stage) -> Any:
    """Leaves that let some light through."""
    s = Shader(stage, "leaves")
    chance = s.noise(s.place(), 2.2, 3)
    colour = s.mix(s.between(chance, 0.35, 0.65), (0.030, 0.085, 0.014), (0.085, 0.165, 0.030))
    upper = s.surface(Base_Color=colour, Roughness=0.5, IOR_Level=0.35)
    through = s.node("BsdfTranslucent", {"Color": s.mix(0.5, colour, (0.14, 0.22, 0.02))}).outputs[0]
    return s.done(s.node("MixShader", {0: 0.30, 1: upper, 2: through}).outputs[0])


def bark(stage: Stage) -> Any:
    s = Shader(stage, "bark")
    at = s.scaled(s.place(), (1, 1, 0.22))
    rough = s.noise(at, 9.0, 6, 0.65)
    colour = s.mix(s.between(rough, 0.35, 0.65), (0.030, 0.020, 0.013), (0.125, 0.090, 0.062))
    return s.done(s.surface(Base_Color=colour, Roughness=0.9, Normal=s.bump(rough, 0.06)))
