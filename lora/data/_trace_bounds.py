"""What runs across the meadows of a landscape for the path tracer: a fence of posts and rails, or a hedge."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from ._blender import Stage
from ._landscape_shape import EYE, FENCE_HIGH, band_middle
from ._scene import Scene
from ._shader import Shader, plain
from ._solid_mesh import Faces
from ._trace_plants import leaf_cards, leaves_material

PART = 15  # as the fast painter has it
POSTS = 2.3  # metres between two


def hedge_or_fence(stage: Stage, scene: Scene, large: float) -> None:
    """What the tag ``fence`` says, with gaps for what winds to the viewer; ``large`` is how many times the scene's
    metres everything is."""
    shape, spread = scene.shape, 2 * math.tan(scene.view.field / 2)
    ends = []
    for x in (-0.68, 0.68):
        away = EYE * large / (-shape["fence_foot"] * (1 + shape["fence_slope"] * x) * spread)
        ends.append((x * spread * away, -away))
    (x0, z0), (x1, z1) = ends
    long = math.hypot(x1 - x0, z1 - z0)
    count = int(long / POSTS)
    share = np.linspace(0, 1, count + 1)
    at = np.stack([x0 + (x1 - x0) * share, z0 + (z1 - z0) * share], 1)
    free = np.ones(count + 1, bool)
    if shape["band"]:
        middle = np.array([band_middle(shape, each) for each in (-at[:, 1] / large).tolist()]) * large
        free = np.abs(at[:, 0] - middle) > 1.5 * shape["band"] * large
    high = FENCE_HIGH * EYE * large
    (_hedge if scene.tags["fence"] == "a hedge" else _fence)(stage, scene, at, free, high)


def _fence(stage: Stage, scene: Scene, at: np.ndarray, free: np.ndarray, high: float) -> None:
    rng = np.random.default_rng(scene.seed + 21)
    wood = Faces()
    for x, z in at[free].tolist():
        tall = high * rng.uniform(0.98, 1.10)
        wood.box((x - 0.11, -0.1, z - 0.11), (x + 0.11, tall, z + 0.11))
    for k, (a, b) in enumerate(pairwise(at.tolist())):
        if not (free[k] and free[k + 1]):
            continue
        for level in (0.40, 0.84):
            low, up = (level * high + rng.uniform(-0.03, 0.03) for _ in range(2))
            for z in (0.12, 0.16):
                wood.polygon([(a[0], low - 0.12, a[1] + z), (b[0], up - 0.12, b[1] + z),
                              (b[0], up + 0.12, b[1] + z), (a[0], low + 0.12, a[1] + z)])  # fmt: skip
    s = Shader(stage, "fence")
    grain = s.noise(s.place(), 3.0, 6, 0.65)
    tone = s.mix(s.between(grain, 0.35, 0.65), (0.17, 0.145, 0.115), (0.34, 0.31, 0.27))
    tone = s.shaded(tone, s.node("NewGeometry").outputs["Random Per Island"], 0.8, 1.2)
    stage.faces("fence", wood, s.done(s.surface(Base_Color=tone, Roughness=0.85)), "fence", PART)


def _hedge(stage: Stage, scene: Scene, at: np.ndarray, free: np.ndarray, high: float) -> None:
    (x0, z0), (x1, z1) = at[0].tolist(), at[-1].tolist()
    long = math.hypot(x1 - x0, z1 - z0)
    cos, sin = (x1 - x0) / long, (z1 - z0) / long

    def placed(p: np.ndarray) -> np.ndarray:
        return np.stack([x0 + p[:, 0] * cos - p[:, 2] * sin, p[:, 1], z0 + p[:, 0] * sin + p[:, 2] * cos], 1)

    inside, leaves = plain(stage, "inner hedge", (0.012, 0.022, 0.008), 1.0), leaves_material(stage, "bushes")
    step = long / (len(at) - 1)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], free.astype(int), [0]])))
    for a, b in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if b - a < 2:
            continue
        box = (a * step, (b - 1) * step, 0.0, high, -0.7, 0.7)
        inner = Faces()
        inner.box((box[0] + 0.1, 0.0, -0.6), (box[1] - 0.1, high - 0.1, 0.6))
        stage.faces("hedge", inner.changed(placed), inside, "bush", PART)
        cards = leaf_cards(box, scene.seed + a, 0.11, int(min(24000, 420 * (box[1] - box[0]))))
        stage.faces("hedge leaves", cards.changed(placed), leaves, "bush", PART)
