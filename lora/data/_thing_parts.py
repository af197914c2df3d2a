"""The parts that things are put together from, and the outlines of parts.

Everything is seen from the front: x to the right, y up, z towards the viewer. An outline is a list of rings (N, 2);
what lies in an odd number of them is inside.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from ._draws import Draws

Ring = np.ndarray  # (N, 2)
Rings = list[Ring]
Points = Sequence[Sequence[float]] | np.ndarray
MAIN, SECOND, DARK = range(3)  # the colours of parts: the one that is said first, the second, nearly black
GRID = 300  # points across an outline that is put together


@dataclass(frozen=True, eq=False)
class Plate:
    """An outline as a solid: round like a cushion, or flat with a bevel. It is the same in front and behind."""

    rings: Rings
    z: float = 0.0
    """Of its middle."""
    thick: float = 1.0
    """Round: 1 is as deep as it is wide; flat: half its thickness."""
    bevel: float = 0.0
    """Of a flat one; 0 makes it round."""
    colour: int = MAIN
    creases: tuple[Ring, ...] = ()
    """Lines in its front, (N, 2) each."""
    joins: bool = False
    """Whether it is one with the part before it, so that nobody draws a line between them."""


@dataclass(frozen=True, eq=False)
class Turned:
    """A profile turned around an upright axis."""

    profile: Ring
    """(N, 2) radius and height, from the axis below along the outside to the end."""
    x: float = 0.0
    z: float = 0.0
    colour: int = MAIN
    joins: bool = False


@dataclass(frozen=True, eq=False)
class Ball:
    """An ellipsoid with three radii; with no ``z`` it sits half sunk where the parts before it face the viewer."""

    x: float
    y: float
    radii: tuple[float, ...]
    z: float | None = None
    colour: int = DARK
    joins: bool = False


Part = Plate | Turned | Ball


@dataclass
class Form:
    """Random measures of one thing, one after the other."""

    draws: Draws
    count: int = field(default=0)

    def u(self, low: float, high: float) -> float:
        self.count += 1
        return self.draws.between(f"form {self.count}", low, high)

    def whole(self, low: int, high: int) -> int:
        self.count += 1
        return self.draws.whole(f"form {self.count}", low, high)

    def chance(self, share: float) -> bool:
        return self.u(0, 1) < share


# --- outlines


def ellipse(x: float, y: float, rx: float, ry: float, turn: float = 0.0, count: int = 64) -> Ring:
    """``turn`` in radians, anticlockwise."""
    t = np.linspace(0, 2 * math.pi, count, endpoint=False)
    return turned_ring(np.stack([rx * np.cos(t), ry * np.sin(t)], 1), turn) + np.array([x, y])


def turned_ring(ring: Ring, turn: float) -> Ring:
    c, s = math.cos(turn), math.sin(turn)
    return ring @ np.array([[c, s], [-s, c]])


def capsule(x0: float, y0: float, x1: float, y1: float, r0: float, r1: float | None = None) -> Ring:
    """From a round end of radius ``r0`` to another of ``r1``."""
    r1 = r0 if r1 is None else r1
    dx, dy = x1 - x0, y1 - y0
    length = max(math.hypot(dx, dy), 1e-6)
    turn = math.atan2(dy, dx)
    lean = math.acos(max(-0.99, min(0.99, (r0 - r1) / length)))
    one = np.linspace(turn + lean, turn + 2 * math.pi - lean, 24)
    two = np.linspace(turn - lean, turn + lean, 24)
    first = np.stack([x0 + r0 * np.cos(one), y0 + r0 * np.sin(one)], 1)
    return np.concatenate([first, np.stack([x1 + r1 * np.cos(two), y1 + r1 * np.sin(two)], 1)])


def tube(points: Points, radii: Sequence[float]) -> Rings:
    """Along a smooth line through ``points`` with a radius at each."""
    line, wide = open_curve(points), np.interp(np.linspace(0, 1, 40), np.linspace(0, 1, len(radii)), radii)
    points_of = [(float(x), float(y)) for x, y in line]
    return merged(
        *[capsule(*a, *b, r, s) for a, b, r, s in zip(points_of, points_of[1:], wide, wide[1:], strict=False)]
    )


def open_curve(points: Points, count: int = 40) -> Ring:
    """(count, 2) a smooth line through points (Catmull and Rom)."""
    p = np.asarray(points, float)
    p = np.concatenate([[2 * p[0] - p[1]], p, [2 * p[-1] - p[-2]]])
    return _catmull(p, np.linspace(0, len(p) - 3 - 1e-9, count))


def closed(points: Points, count: int = 120) -> Ring:
    """(count, 2) a smooth ring through points; a corner that is given twice stays sharp."""
    p = np.asarray(points, float)
    twice = (p == np.roll(p, -1, 0)).all(1)  # between a corner and itself a curve would loop
    p = np.concatenate([p[-1:], p, p[:2]])
    at = np.linspace(0, len(points) - 1e-9, count, endpoint=False)
    return _catmull(p, np.sort(np.concatenate([at[~twice[at.astype(int)]], np.flatnonzero(twice)])))


def _catmull(p: np.ndarray, at: np.ndarray) -> np.ndarray:
    k = at.astype(int)
    t = (at - k)[:, None]
    a, b, c, d = (p[k + n] for n in range(4))
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)


def polygon(points: Points, radius: float = 0.0) -> Ring:
    """Straight sides; corners are rounded off by about ``radius``."""
    p = np.asarray(points, float)
    if not radius:
        return p
    found = []
    for before, here, after in zip(np.roll(p, 1, 0), p, np.roll(p, -1, 0), strict=True):
        ends = []
        for other in (before, after):
            gap = other - here
            length = float(np.linalg.norm(gap))
            ends.append(here + gap * min(radius / max(length, 1e-9), 0.45))
        t = np.linspace(0, 1, 8)[:, None]
        found.append((1 - t) ** 2 * ends[0] + 2 * t * (1 - t) * here + t**2 * ends[1])
    return np.concatenate(found)


def box(x0: float, y0: float, x1: float, y1: float, radius: float = 0.0) -> Ring:
    return polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], radius)


def mirrored(ring: Ring) -> Ring:
    return ring * (-1, 1)


def merged(*rings: Ring, soft: float = 0.0, holes: Sequence[Ring] = ()) -> Rings:
    """The outline around all rings together; ``soft`` fills the corners where they meet, in the rings' own measure."""
    points = np.concatenate(rings)
    low, size = points.min(0), float(np.ptp(points, axis=0).max())
    margin = 12
    scale = (GRID - 2 * margin) / size
    shape = np.ceil(np.ptp(points, axis=0) * scale).astype(int)[::-1] + 2 * margin
    mask = np.zeros((int(shape[0]), int(shape[1])), np.uint8)
    for value, some in ((255, rings), (0, holes)):
        for ring in some:
            at = (ring - low) * scale + margin
            cv2.fillPoly(mask, [np.round(at * 16).astype(np.int32)], value, cv2.LINE_AA, 4)
    grey = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.0)
    if soft:
        wide = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), max(1.0, soft * scale))
        grey = np.maximum(grey, 1.25 * wide)
    return [(ring - margin) / scale + low for ring in contours(grey, 127.5)]


def contours(grey: np.ndarray, level: float) -> Rings:
    """Rings (N, 2) of x and y in pixels around what is above a level, smooth, the longest first."""
    found, _ = cv2.findContours((grey > level).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    rings = []
    for contour in sorted(found, key=len, reverse=True):
        if len(contour) < 12:
            continue
        ring = contour[:, 0].astype(np.float64)
        for _ in range(3):
            ring = 0.25 * np.roll(ring, 1, 0) + 0.5 * ring + 0.25 * np.roll(ring, -1, 0)
        rings.append(ring[:: max(1, len(ring) // 240)])
    return rings
