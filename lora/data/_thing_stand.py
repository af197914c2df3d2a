"""How things of nothing but plates stand: what would fall over is tipped until it rests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from ._thing_parts import Ball, Part, Plate

TIPPED = math.radians(20)  # at most, for what has a name and is drawn upright
FREE = math.pi
_FLAT = 0.02  # of a thing's size: what is so little above the lowest point touches the ground, too
_SURE = 0.06  # of its size: how far inside of what it stands on its middle has to be


def stood(parts: Sequence[Part], most: float) -> list[Part]:
    """The same parts, turned in the picture by as little as makes them stand, and by no more than ``most`` radians.

    What has a part that is round about an upright axis stands as it is.
    """
    if any(not isinstance(part, Plate | Ball) for part in parts):
        return list(parts)
    points = np.concatenate([_outline(part) for part in parts])
    hull = cv2.convexHull(points.astype(np.float32))[:, 0].astype(np.float64)
    size, middle = float(np.ptp(hull, axis=0).max()), _middle(parts)
    if _rests(hull, middle, size):
        return list(parts)
    found = []
    for a, b in zip(hull, np.roll(hull, -1, 0), strict=True):
        if (b - a)[0] * (middle - a)[1] - (b - a)[1] * (middle - a)[0] < 0:
            a, b = b, a  # the thing lies to the left of its sides
        turn = -math.atan2(b[1] - a[1], b[0] - a[0])
        if abs(turn) <= most and _rests(_turned(hull, turn), _turned(middle[None], turn)[0], size):
            found.append(turn)
    if not found:
        return list(parts)
    turn = min(found, key=abs)
    return [_tipped(part, turn) for part in parts]


def _rests(hull: np.ndarray, middle: np.ndarray, size: float) -> bool:
    below = hull[hull[:, 1] < hull[:, 1].min() + _FLAT * size][:, 0]
    return float(below.min()) + _SURE * size < middle[0] < float(below.max()) - _SURE * size


def _outline(part: Part) -> np.ndarray:
    if isinstance(part, Plate):
        return np.concatenate(part.rings)
    assert isinstance(part, Ball)
    turn = np.linspace(0, 2 * math.pi, 24, endpoint=False)
    return np.stack([part.x + part.radii[0] * np.cos(turn), part.y + part.radii[1] * np.sin(turn)], 1)


def _middle(parts: Sequence[Part]) -> np.ndarray:
    """(2,) about where the weight is: the middle of all outlines, by their areas."""
    total, weight = np.zeros(2), 0.0
    for part in parts:
        ring = part.rings[0] if isinstance(part, Plate) else _outline(part)
        x, y = (ring - ring[0]).T
        cross = x * np.roll(y, -1) - np.roll(x, -1) * y
        area = float(cross.sum()) / 2
        if abs(area) < 1e-9:
            continue
        centre = np.array([((x + np.roll(x, -1)) * cross).sum(), ((y + np.roll(y, -1)) * cross).sum()]) / (6 * area)
        total += abs(area) * (centre + ring[0])
        weight += abs(area)
    return total / max(weight, 1e-9)


def _turned(points: np.ndarray, turn: float) -> np.ndarray:
    cos, sin = math.cos(turn), math.sin(turn)
    return points @ np.array([[cos, sin], [-sin, cos]])


def _tipped(part: Part, turn: float) -> Part:
    if isinstance(part, Plate):
        return replace(
            part,
            rings=[_turned(ring, turn) for ring in part.rings],
            creases=tuple(_turned(line, turn) for line in part.creases),
        )
    assert isinstance(part, Ball)
    x, y = _turned(np.array([[part.x, part.y]]), turn)[0].tolist()
    return replace(part, x=x, y=y)
