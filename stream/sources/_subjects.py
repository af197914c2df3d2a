"""What the demo draws: cars, buildings and landscapes, stroke by stroke, in the order a person would.

Each subject begins with the horizon, because a drawing without one leaves a model guessing where the ground is. Lines
stop where something in front hides them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ._hand import Stroke

Points = Sequence[tuple[float, float]] | np.ndarray


@dataclass(frozen=True)
class Subject:
    """A drawing, and prompts that suit it; the first one fits it best."""

    name: str
    prompts: tuple[str, ...]
    strokes: tuple[Stroke, ...]


def ring(name: str, x: float, y: float, rx: float, ry: float | None = None, start: float = 200.0) -> Stroke:
    """A circle or ellipse in one go, from ``start`` degrees, a little more than once round."""
    angle = np.radians(np.linspace(start, start + 385.0, 40))
    drift = np.linspace(1.0, 0.965, 40)
    radii = np.array([rx, rx if ry is None else ry])
    return Stroke(name, [x, y] + np.stack([np.cos(angle), np.sin(angle)], 1) * radii * drift[:, None], "smooth", ends=0.0)


def loop(name: str, corners: Points, kind: str = "straight", weight: float = 1.0) -> Stroke:
    """A closed outline: back to where it began."""
    points = np.asarray(corners, np.float64)
    return Stroke(name, np.concatenate([points, points[:1]]), kind, weight, 0.6)


def crown(name: str, x: float, y: float, rx: float, ry: float, seed: int) -> Stroke:
    """The leaves of a tree: a cloud of uneven lobes, drawn in one go from the trunk round and back."""
    random = np.random.default_rng(seed)
    lobes = int(random.integers(8, 11))
    corners = np.sort(np.radians(100 + np.linspace(0, 360, lobes, endpoint=False) + random.uniform(-9, 9, lobes)))
    points = []
    for start, end in zip(corners, [*corners[1:], corners[0] + 2 * np.pi], strict=True):
        for share in np.linspace(0.0, 1.0, 6, endpoint=False):
            angle = start + (end - start) * share
            bulge = 0.86 + 0.20 * np.sin(np.pi * share) ** 0.6
            points.append((x + rx * bulge * np.cos(angle), y + ry * bulge * np.sin(angle)))
    return Stroke(name, np.array([*points, points[0]]), "smooth", ends=0.3)


def tree(name: str, x: float, foot: float, height: float, seed: int) -> list[Stroke]:
    """Crown and trunk of a tree that stands at ``(x, foot)``."""
    radius = 0.33 * height
    top, trunk = foot - 0.62 * height, 0.035 * height
    under = foot - 0.34 * height
    return [
        crown(f"{name}, crown", x, top, radius, 1.08 * radius, seed),
        Stroke(f"{name}, trunk left", np.array([(x - trunk, under), (x - 1.15 * trunk, foot)]), "smooth"),
        Stroke(f"{name}, trunk right", np.array([(x + trunk, under), (x + 1.2 * trunk, foot - 0.004)]), "smooth"),
    ]


def behind(name: str, line: Points, front: Points) -> list[Stroke]:
    """A line from the left edge to the right, left out where the outline ``front`` hides it."""
    points, outline = np.asarray(line, np.float64), np.asarray(front, np.float64)
    x = np.linspace(-0.02, 1.02, 209)
    y = np.interp(x, points[:, 0], points[:, 1])
    crossing = [_span(outline, float(level)) for level in y]
    seen = np.array([not span or not span[0] <= at <= span[1] for at, span in zip(x, crossing, strict=True)])
    strokes, edges = [], np.flatnonzero(np.diff(np.concatenate([[0], seen.astype(int), [0]])))
    for index, (start, end) in enumerate(zip(edges[::2], edges[1::2], strict=True)):
        if end - start > 4:
            part = np.stack([x[start:end:4], y[start:end:4]], 1)
            strokes.append(Stroke(f"{name} {index + 1}", np.concatenate([part, [[x[end - 1], y[end - 1]]]]), "smooth", ends=0.2))
    return strokes


def _span(outline: np.ndarray, level: float) -> tuple[float, float] | None:
    """The leftmost and rightmost place where a closed outline crosses the height ``level``."""
    start, end = outline, np.roll(outline, -1, axis=0)
    crosses = (start[:, 1] <= level) != (end[:, 1] <= level)
    if not crosses.any():
        return None
    start, end = start[crosses], end[crosses]
    at = start[:, 0] + (level - start[:, 1]) / (end[:, 1] - start[:, 1]) * (end[:, 0] - start[:, 0])
    return float(at.min()), float(at.max())
