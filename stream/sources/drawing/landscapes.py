"""Mountains, hills and the sea, with trees in front."""

from __future__ import annotations

import numpy as np

from .hand import Stroke
from .shapes import Subject, behind, tree

Heights = list[tuple[float, float]]


def _rolling(base: float, waves: list[tuple[float, float, float]]) -> np.ndarray:
    """A soft line from edge to edge: the sum of (size, turns across the paper, phase)."""
    x = np.linspace(-0.01, 1.01, 41)
    return np.stack([x, base + sum(size * np.sin(2 * np.pi * turns * x + phase) for size, turns, phase in waves)], 1)


def _trees(*placed: tuple[float, float, float, int]) -> tuple[list[Stroke], list[np.ndarray]]:
    """Trees at (x, foot, height, seed); also the outlines of their crowns, which hide what lies behind."""
    strokes: list[Stroke] = []
    crowns: list[np.ndarray] = []
    for number, (x, foot, height, seed) in enumerate(placed):
        parts = tree(f"tree {number + 1}", x, foot, height, seed)
        strokes += parts
        crowns.append(parts[0].points)
    return strokes, crowns


def mountains() -> Subject:
    trees, crowns = _trees((0.77, 0.93, 0.44, 5), (0.14, 0.81, 0.27, 8), (0.30, 0.74, 0.17, 2))
    ridge: Heights = [(-0.01, 0.43), (0.07, 0.36), (0.11, 0.375), (0.21, 0.235), (0.26, 0.29), (0.30, 0.275)]
    ridge += [
        (0.39, 0.385),
        (0.44, 0.36),
        (0.545, 0.20),
        (0.60, 0.265),
        (0.64, 0.25),
        (0.76, 0.40),
        (0.88, 0.31),
        (1.01, 0.42),
    ]
    snow: Heights = [
        (0.145, 0.325),
        (0.17, 0.345),
        (0.19, 0.32),
        (0.22, 0.35),
        (0.245, 0.325),
        (0.275, 0.34),
        (0.325, 0.31),
    ]
    peak: Heights = [
        (0.465, 0.32),
        (0.49, 0.335),
        (0.515, 0.305),
        (0.55, 0.345),
        (0.575, 0.315),
        (0.61, 0.34),
        (0.68, 0.30),
    ]
    strokes = [
        *behind("ground", _rolling(0.575, [(0.005, 1.3, 0.4), (0.003, 3.1, 1.0)]), *crowns),
        *_cut("mountains", ridge, crowns),
        *_cut("snow line, left", snow, crowns),
        *_cut("snow line, right", peak, crowns),
        *behind("foothills", _rolling(0.49, [(0.022, 1.1, 2.2), (0.012, 2.6, 0.3)]), *crowns),
        *trees,
    ]
    prompts = (
        "a landscape with snowy mountains, grass and trees, day",
        "a landscape with snowy mountains, snow and trees, sunset",
    )
    return Subject("mountains", prompts, tuple(strokes))


def coast() -> Subject:
    trees, crowns = _trees((0.70, 0.91, 0.64, 11), (0.22, 0.83, 0.27, 4))
    shore = _rolling(0.70, [(0.045, 0.8, 2.6), (0.010, 2.3, 0.4)])
    strokes = [
        *behind("horizon", [(-0.01, 0.462), (1.01, 0.458)], *crowns),
        *behind("shore", shore, *crowns),
        *trees,
    ]
    prompts = ("a landscape with the sea, sand and trees, day", "a landscape with the sea, sand and trees, sunset")
    return Subject("coast", prompts, tuple(strokes))


def hills() -> Subject:
    trees, crowns = _trees((0.22, 0.92, 0.52, 7), (0.60, 0.80, 0.26, 3), (0.83, 0.86, 0.36, 12))
    strokes = [
        *behind("ground", _rolling(0.585, [(0.006, 1.1, 1.2), (0.004, 2.7, 0.2)]), *crowns),
        *behind("far hills", _rolling(0.425, [(0.032, 0.9, 0.3), (0.014, 2.1, 1.1)]), *crowns),
        *behind("near hills", _rolling(0.505, [(0.026, 1.2, 3.6), (0.010, 2.4, 0.5)]), *crowns),
        *trees,
    ]
    prompts = (
        "a landscape with green hills, grass and trees, day",
        "a landscape with green hills, grass and trees, sunset",
    )
    return Subject("hills", prompts, tuple(strokes))


def _cut(name: str, line: Heights, crowns: list[np.ndarray]) -> list[Stroke]:
    """A line with corners, behind trees; only its hidden part is lost, its corners stay."""
    pieces = behind(name, line, *crowns)
    points = np.array(line)
    strokes = []
    for piece in pieces:
        left, right = piece.points[0], piece.points[-1]
        between = points[(points[:, 0] > left[0] + 1e-6) & (points[:, 0] < right[0] - 1e-6)]
        strokes.append(Stroke(piece.name, np.concatenate([[left], between, [right]]), "straight", ends=0.3))
    return strokes
