"""What the thin lines of a drawing consist of: pieces between junctions, and which of them are not the drawing itself.

Everything is counted for all pieces at once, so that a page full of them costs no more than a few lines. Lengths in
pixels of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from .tone import scalar

_NEAR = np.ones((3, 3), np.uint8)
_AROUND = np.array([[128, 1, 2], [64, 0, 4], [32, 16, 8]], np.float32)
_RING = (np.arange(256)[:, None] >> np.arange(8)) & 1
_LINES = (
    ((_RING == 0) & (np.roll(_RING, -1, 1) == 1)).sum(1).astype(np.uint8)
)  # that leave a pixel with these neighbours
_BINS = 24  # directions in which a ring is looked for


@dataclass(frozen=True, eq=False)
class Pieces:
    """Pieces of thin lines, N of them; arrays are ``(N,)`` unless said."""

    labels: np.ndarray  # (H, W) int32: the piece of a pixel + 1, or 0
    places: np.ndarray  # (P, 2) float32: x, y of every pixel of a piece
    owner: np.ndarray  # (P,): whose pixel that is
    count: np.ndarray  # pixels
    free: np.ndarray  # ends at which nothing else begins, 0 to 2
    joined: np.ndarray  # bool: an end at a junction
    middle: np.ndarray  # (N, 2)
    angle: np.ndarray  # direction of its longer axis, radians in (-pi/2, pi/2]
    span: np.ndarray  # length along it
    bend: np.ndarray  # standard deviation across it


def pieces_of(lines: np.ndarray) -> Pieces:
    """The pieces of ``lines`` (H, W) uint8, one pixel wide, 0 or 255."""
    seen = cv2.min(lines, scalar(1))
    around = cv2.filter2D(seen, cv2.CV_8U, _AROUND, borderType=cv2.BORDER_CONSTANT)
    leaving = cv2.multiply(cv2.LUT(around, _LINES), seen)
    hubs = cv2.dilate(cv2.compare(leaving, scalar(3), cv2.CMP_GE), _NEAR)
    inner = cv2.bitwise_and(lines, cv2.bitwise_not(hubs))
    found: Any = cv2.connectedComponents(inner, connectivity=8)  # its stubs take labels for any numbers
    total, labels = found
    rows, columns = np.nonzero(labels)
    owner = labels[rows, columns] - 1
    number = total - 1

    def add(values: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(owner, values, number)

    x, y = columns.astype(np.float64), rows.astype(np.float64)
    count = add()
    ends = leaving[rows, columns] <= 1
    beside = cv2.dilate(cv2.bitwise_and(hubs, lines), _NEAR)[rows, columns] != 0
    most = np.maximum(count, 1)
    middle = np.stack([add(x), add(y)], 1) / most[:, None]
    dx, dy = x - middle[owner, 0], y - middle[owner, 1]
    xx, xy, yy = add(dx * dx) / most, add(dx * dy) / most, add(dy * dy) / most
    angle = 0.5 * np.arctan2(2 * xy, xx - yy)
    root = np.hypot(xx - yy, 2 * xy)
    return Pieces(
        labels=labels,
        places=np.stack([x, y], 1),
        owner=owner,
        count=count,
        free=add((ends & ~beside).astype(float)).astype(int),
        joined=add(beside.astype(float)) > 0,
        middle=middle,
        angle=angle,
        span=np.sqrt(12 * np.maximum(0, (xx + yy + root) / 2)),
        bend=np.sqrt(np.maximum(0, (xx + yy - root) / 2)),
    )


def without(lines: np.ndarray, pieces: Pieces, drop: np.ndarray) -> np.ndarray:
    """The lines without the pieces that ``drop`` (N,) bool names."""
    gone = np.concatenate([[False], drop])
    return cv2.bitwise_and(lines, np.where(gone[pieces.labels], 0, 255).astype(np.uint8))


def straight(pieces: Pieces) -> np.ndarray:
    """Which pieces are straight, (N,) bool."""
    return pieces.bend < 0.35 + 0.03 * pieces.span


def turned(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How far two directions of lines are apart, radians in [0, pi/2]."""
    apart = np.abs(one - other) % np.pi
    return np.minimum(apart, np.pi - apart)


def hatching(pieces: Pieces, unit: float) -> np.ndarray:
    """Which pieces are strokes of a hatching, (N,) bool: five or more beside each other, alike, and loose at
    an end or slanting.

    The bars of a window or a fence end at its frame, level or upright; strokes of a hatching end where they like.
    """
    chosen = np.flatnonzero(straight(pieces) & (pieces.span > 3 * unit) & (pieces.span < 70 * unit))
    found = np.zeros(len(pieces.count), bool)
    if len(chosen) < 5:
        return found
    angle, span, middle = pieces.angle[chosen], pieces.span[chosen], pieces.middle[chosen]
    way = middle[None] - middle[:, None]
    along = np.abs(way[..., 0] * np.cos(angle)[:, None] + way[..., 1] * np.sin(angle)[:, None])
    across = np.abs(way[..., 1] * np.cos(angle)[:, None] - way[..., 0] * np.sin(angle)[:, None])
    shorter, longer = np.minimum(span[None], span[:, None]), np.maximum(span[None], span[:, None])
    alike = (turned(angle[None], angle[:, None]) < 0.22) & (longer < 2.2 * shorter + 3 * unit)
    # The next stroke of a hatching is about as near as the stroke is long, or nearer.
    beside = alike & (across > 1.5 * unit) & (across < np.minimum(1.1 * longer, 14 * unit)) & (along < 0.6 * longer)
    group = _groups(beside)
    size = np.bincount(group)
    loose = np.bincount(group, pieces.free[chosen] > 0)
    slanted = np.abs(turned(angle, np.array(0.0)) - np.pi / 4) < 0.49
    slanting = np.bincount(group, slanted)
    found[chosen] = ((size >= 5) & ((loose >= 0.5 * size) | (slanting >= 0.8 * size)))[group]
    return found


def _groups(beside: np.ndarray) -> np.ndarray:
    """Which nodes of a graph (N, N) bool belong together: (N,) numbers."""
    group = np.arange(len(beside))
    while True:
        lowest = np.where(beside | beside.T, group[None], len(group)).min(1)
        after = np.minimum(group, lowest)
        if (after == group).all():
            return group
        group = after


def rings(pieces: Pieces, unit: float, most: int = 12) -> np.ndarray:
    """Circles that are drawn, whatever crosses them: ``(R, 3)`` x, y, radius.

    Kasa's fit (1976) to every piece, then to all that lies there, then a vote all around.
    """
    x, y = (pieces.places - pieces.middle[pieces.owner]).T
    number, count = len(pieces.count), np.maximum(pieces.count, 1)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(pieces.owner, values, number) / count

    square = x * x + y * y
    xx, xy, yy = mean(x * x), mean(x * y), mean(y * y)
    xz, yz, z = mean(x * square), mean(y * square), mean(square)
    root = xx * yy - xy * xy
    safe = np.where(np.abs(root) > 1e-9, root, 1.0)
    cx, cy = (xz * yy - yz * xy) / (2 * safe), (yz * xx - xz * xy) / (2 * safe)
    radius = np.sqrt(np.maximum(0, cx * cx + cy * cy + z))
    tried = (np.abs(root) > 1e-9) & (radius > 4 * unit) & (radius < 60 * unit) & (count > 0.5 * radius)
    off = np.hypot(x - cx[pieces.owner], y - cy[pieces.owner]) - radius[pieces.owner]
    tried &= np.sqrt(mean(off * off)) < 0.7 + 0.06 * radius
    found: list[np.ndarray] = []
    for index in sorted(np.flatnonzero(tried), key=lambda index: -pieces.count[index])[:most]:
        circle = np.array([pieces.middle[index, 0] + cx[index], pieces.middle[index, 1] + cy[index], radius[index]])
        if any(np.hypot(*(circle - other)[:2]) + abs(circle[2] - other[2]) < 0.3 * other[2] for other in found):
            continue
        for tolerance in (0.2, 0.1):  # an arc knows roughly where, all that lies there knows better
            on = np.abs(np.hypot(*(pieces.places - circle[:2]).T) - circle[2]) < unit + tolerance * circle[2]
            if on.sum() < 8:
                break
            circle = _fitted(pieces.places[on])
        dx, dy = (pieces.places - circle[:2]).T
        on = np.abs(np.hypot(dx, dy) - circle[2]) < 0.7 * unit + 0.08 * circle[2]
        seen = np.bincount(((np.arctan2(dy[on], dx[on]) / (2 * np.pi) + 0.5) * _BINS).astype(int) % _BINS, None, _BINS)
        if (seen > 0).mean() >= 0.85 and circle[2] > 4 * unit:
            found.append(circle)
    return np.array(found).reshape(-1, 3)


def _fitted(places: np.ndarray) -> np.ndarray:
    """The circle nearest to places (P, 2), by Kasa's fit: x, y, radius."""
    middle = places.mean(0)
    off = places - middle
    terms = np.column_stack([off, np.ones(len(off))])
    square = (off**2).sum(1)
    a, b, c = np.linalg.solve(terms.T @ terms + 1e-6 * np.eye(3), terms.T @ square)
    return np.array([middle[0] + a / 2, middle[1] + b / 2, np.sqrt(max(0.0, c + (a * a + b * b) / 4))])


def axes(pieces: Pieces, circles: np.ndarray, unit: float) -> np.ndarray:
    """Which pieces are construction lines through the middle of a circle, (N,) bool: one or two, level and upright.

    More directions than two are the spokes of a wheel, and stay.
    """
    found = np.zeros(len(pieces.count), bool)
    lines = straight(pieces) & (pieces.span > 2 * unit)
    for x, y, radius in circles:
        dx, dy = pieces.middle[:, 0] - x, pieces.middle[:, 1] - y
        aside = np.abs(dy * np.cos(pieces.angle) - dx * np.sin(pieces.angle))
        far = np.hypot(dx, dy)
        through = lines & (aside < 0.15 * radius + unit)
        inside = through & (far + 0.5 * pieces.span < 1.25 * radius)
        tilted = np.minimum(turned(pieces.angle, np.array(0.0)), turned(pieces.angle, np.array(np.pi / 2))) > 0.3
        if (inside & tilted & (pieces.span > 0.3 * radius)).any():
            continue
        beyond = (
            through
            & (pieces.free > 0)
            & (far - 0.5 * pieces.span > 0.7 * radius)
            & (far + 0.5 * pieces.span < 2.0 * radius)
        )
        found |= (inside | beyond) & ~tilted
    return found
