"""The strokes that drawings are made of: circles, outlines, trees, a horizon that goes behind things.

Coordinates are units of the paper's side, x to the right, y downwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .hand import Kind, Stroke

Points = Sequence[tuple[float, float]] | np.ndarray


@dataclass(frozen=True)
class Subject:
    """A drawing, and prompts that suit it; the first one fits it best."""

    name: str
    prompts: tuple[str, ...]
    strokes: tuple[Stroke, ...]


def ring(name: str, middle: np.ndarray, radius: float, start: float = 200.0) -> Stroke:
    """A circle in one go, from ``start`` degrees, a little more than once round."""
    angle = np.radians(np.linspace(start, start + 385.0, 40))
    drift = radius * np.linspace(1.0, 0.965, 40)
    return Stroke(name, middle + np.stack([np.cos(angle), np.sin(angle)], 1) * drift[:, None], "smooth", ends=0.0)


def loop(name: str, corners: Points, kind: Kind = "straight", weight: float = 1.0) -> Stroke:
    """A closed outline: back to where it began."""
    points = np.asarray(corners, np.float64)
    return Stroke(name, np.concatenate([points, points[:1]]), kind, weight, 0.6)


def crown(name: str, x: float, y: float, rx: float, ry: float, seed: int) -> Stroke:
    """The leaves of a tree: a cloud of uneven lobes, drawn in one go from the trunk round and back."""
    random = np.random.default_rng(seed)
    shares = np.cumsum(random.uniform(0.6, 1.5, int(random.integers(8, 11))))
    corners = np.radians(100.0) + 2 * np.pi * shares / shares[-1]
    points = []
    for start, end in zip(corners, [*corners[1:], corners[0] + 2 * np.pi], strict=True):
        for share in np.linspace(0.0, 1.0, 6, endpoint=False):
            angle = start + (end - start) * share
            bulge = 0.87 + 0.26 * (end - start) * np.sin(np.pi * share) ** 0.6
            points.append((x + rx * bulge * np.cos(angle), y + ry * bulge * np.sin(angle)))
    return Stroke(name, np.array([*points, points[0]]), "smooth", ends=0.3)


def tree(name: str, x: float, foot: float, height: float, seed: int) -> list[Stroke]:
    """Crown and trunk of a tree that stands at ``(x, foot)``."""
    radius = 0.33 * height
    top, trunk = foot - 0.62 * height, 0.035 * height
    under = foot - 0.285 * height
    return [
        crown(f"{name}, crown", x, top, radius, 1.08 * radius, seed),
        Stroke(f"{name}, trunk left", np.array([(x - trunk, under), (x - 1.15 * trunk, foot)]), "smooth"),
        Stroke(f"{name}, trunk right", np.array([(x + trunk, under), (x + 1.2 * trunk, foot - 0.004)]), "smooth"),
    ]


def behind(name: str, line: Points, *fronts: np.ndarray) -> list[Stroke]:
    """A line from left to right, left out inside the outlines (``(N, 2)``, closed) of what stands before it."""
    points = np.asarray(line, np.float64)
    x = np.linspace(points[0, 0], points[-1, 0], 241)
    y = np.interp(x, points[:, 0], points[:, 1])
    hidden = np.zeros(len(x), np.bool_)
    for front in fronts:
        hidden |= _inside(np.stack([x, y], 1), front)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (~hidden).astype(int), [0]])))
    strokes = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start > 6:
            some = np.unique(np.linspace(start, end - 1, max(3, (end - start) // 6)).round().astype(int))
            strokes.append(Stroke(f"{name} {len(strokes) + 1}", np.stack([x[some], y[some]], 1), "smooth", ends=0.1))
    return strokes


def _inside(points: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """Which of ``(N, 2)`` points lie inside a closed outline ``(M, 2)``: an odd number of sides lie to their right."""
    start, end = outline[None], np.roll(outline, -1, axis=0)[None]
    x, y = points[:, :1], points[:, 1:]
    crosses = (start[..., 1] <= y) != (end[..., 1] <= y)
    rise = np.where(crosses, end[..., 1] - start[..., 1], 1.0)
    at = start[..., 0] + (y - start[..., 1]) / rise * (end[..., 0] - start[..., 0])
    return (crosses & (at > x)).sum(axis=1) % 2 == 1
