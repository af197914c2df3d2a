"""Things of neon: flat dark plates, one before the other, with a tube along what is seen of outlines and creases."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ._solid_mesh import Shell
from ._thing_parts import Part, Plate, Ring, Rings, Turned, ellipse

APART, THICK = 0.006, 0.010  # metres from one plate to the next, and half as thick as one is
RADIUS = 0.010  # metres, of a tube
_CELLS = 600  # of a metre, where it is worked out what hides what


def flattened(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Each part as a plate, the first one behind all others."""
    found: list[Part] = []
    for index, part in enumerate(parts):
        creases = part.creases if isinstance(part, Plate) else ()
        found.append(Plate(_outline(part), APART * index, THICK, 0.004, part.colour, creases))
    return tuple(found)


def _outline(part: Part) -> Rings:
    if isinstance(part, Plate):
        return part.rings
    if isinstance(part, Turned):
        high, radius = part.profile[:, 1], part.profile[:, 0]
        outer = [k for k in range(len(high)) if radius[k] >= _widest(part.profile, float(high[k])) - 1e-3]
        line = part.profile[outer]
        ring = np.concatenate([line, line[::-1] * (-1, 1)])
        return [ring + np.array([part.x, 0.0])]
    return [ellipse(part.x, part.y, part.radii[0], part.radii[1])]


def _widest(profile: Ring, height: float) -> float:
    """The largest radius that a profile has at a height."""
    a, b = profile[:-1], profile[1:]
    low, high = np.minimum(a[:, 1], b[:, 1]), np.maximum(a[:, 1], b[:, 1])
    here = (low <= height + 1e-6) & (high >= height - 1e-6)
    gap = np.where(np.abs(b[:, 1] - a[:, 1]) < 1e-9, 1, b[:, 1] - a[:, 1])
    share = ((height - a[:, 1]) / gap).clip(0, 1)
    at = np.where(np.abs(b[:, 1] - a[:, 1]) < 1e-9, np.maximum(a[:, 0], b[:, 0]), a[:, 0] + share * (b[:, 0] - a[:, 0]))
    return float(at[here].max())


def tubes(parts: Sequence[Part]) -> list[np.ndarray]:
    """Lines (N, 3) that are not hidden by a part before them; the first point is given again where one is closed."""
    plates = [part for part in parts if isinstance(part, Plate)]
    points = np.concatenate([ring for part in plates for ring in part.rings])
    low = points.min(0) - 0.05
    wide, high = (int(length * _CELLS) + 1 for length in points.max(0) + 0.05 - low)
    hidden = np.zeros((high, wide), np.uint8)
    found: list[np.ndarray] = []
    for part in reversed(plates):
        lines = [np.concatenate([ring, ring[:1]]) for ring in part.rings]
        for line in (*lines, *part.creases):
            found += [_at(some, part.z + THICK) for some in _seen(line, hidden, low)]
        rings = [np.round((ring - low) * _CELLS).astype(np.int32) for ring in part.rings]
        mask = np.zeros_like(hidden)
        cv2.fillPoly(mask, rings, 1)
        hidden |= mask
    return found


def _at(line: Ring, z: float) -> np.ndarray:
    return np.concatenate([line, np.full((len(line), 1), z)], 1)


def _seen(line: Ring, hidden: np.ndarray, low: np.ndarray) -> list[Ring]:
    """The stretches of a line that nothing hides."""
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.linspace(0, length[-1], max(3, int(length[-1] / 0.008)))
    dense = np.stack([np.interp(at, length, line[:, k]) for k in (0, 1)], 1)
    x, y = np.round((dense - low) * _CELLS).astype(int).T
    free = hidden[y.clip(0, hidden.shape[0] - 1), x.clip(0, hidden.shape[1] - 1)] == 0
    ends = np.flatnonzero(np.diff(np.concatenate([[0], free.astype(int), [0]])))
    return [dense[a:b] for a, b in zip(ends[::2], ends[1::2], strict=True) if b - a > 3]


def tube(line: np.ndarray, radius: float = RADIUS, around: int = 8) -> Shell:
    """A line (N, 3) at one depth as a tube."""
    way = np.gradient(line[:, :2], axis=0)
    way /= np.linalg.norm(way, axis=1, keepdims=True).clip(1e-9)
    side = np.stack([-way[:, 1], way[:, 0], 0 * way[:, 0]], 1)[:, None]
    turn = np.linspace(0, 2 * np.pi, around, endpoint=False)[:, None]
    normal = side * np.cos(turn) + np.array([0.0, 0.0, 1.0]) * np.sin(turn)  # (N, around, 3)
    points = line[:, None] + radius * normal
    n = np.arange(len(line) * around).reshape(len(line), around)
    a, b = n[:-1], n[1:]
    c, d = np.roll(b, -1, 1), np.roll(a, -1, 1)
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    return Shell(np.concatenate([points, normal], -1).reshape(-1, 6).astype(np.float32), faces)
