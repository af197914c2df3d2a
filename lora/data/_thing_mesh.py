"""Parts of things as surfaces of triangles; all in numpy.

A round part is inflated as a soap film over its outline is: its height is the root of the solution of Poisson's
equation, so that a strip becomes half a tube and a disc half a ball.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from ._solid_mesh import Shell
from ._thing_parts import Ball, Part, Plate, Ring, Turned

CREASE_WIDTH, CREASE_DEPTH = 0.009, 0.016  # of a thing that is 1 large
FINE = 4  # points in a grid's cell at which distances are measured


def meshes(parts: Sequence[Part], cell: float) -> list[Shell]:
    """A surface for each part, with positions and normals; ``cell`` is how coarse it may be."""
    found: list[Shell] = []
    for part in parts:
        if isinstance(part, Plate):
            found.append(_plate(part, cell))
        elif isinstance(part, Turned):
            found.append(_turned(part, cell))
        else:
            found.append(_ball(part, _front(found, part.x, part.y) if part.z is None else part.z, cell))
    return [_outwards(shell) for shell in found]


def _outwards(shell: Shell) -> Shell:
    """With all triangles anticlockwise as seen from outside."""
    a, b, c = (shell.points[shell.triangles[:, k]] for k in range(3))
    facing = np.cross(b - a, c - a)
    wrong = (facing * shell.normals[shell.triangles].sum(1)).sum(1) < 0
    triangles = np.where(wrong[:, None], shell.triangles[:, ::-1], shell.triangles)
    return Shell(shell.known, triangles[(facing**2).sum(1) > 0])


def crease_points(parts: Sequence[Part], shells: Sequence[Shell]) -> np.ndarray:
    """(N, 3) points along the creases of all parts, close to each other, on their surfaces."""
    found = [np.zeros((0, 3))]
    for part, shell in zip(parts, shells, strict=True):
        for crease in part.creases if isinstance(part, Plate) else ():
            front = shell.points[(shell.points[:, 2] >= part.z) & (shell.normals[:, 2] > 0.02)]
            if len(front):
                found.append(_on(_dense(crease, 0.002), front))
    return np.concatenate(found)


def _on(line: Ring, front: np.ndarray) -> np.ndarray:
    """(M, 3) those points of a line (N, 2) that a surface's points (P, 3) lie under, on them."""
    cell = 0.012
    low = np.minimum(front[:, :2].min(0), line.min(0)) - 3 * cell
    columns, rows = (int(length / cell) + 4 for length in np.maximum(front[:, :2].max(0), line.max(0)) - low)
    total, count = np.zeros((rows, columns), np.float32), np.zeros((rows, columns), np.float32)
    x, y = ((front[:, :2] - low) / cell).astype(int).T
    np.add.at(total, (y, x), front[:, 2])
    np.add.at(count, (y, x), 1)
    near = cv2.GaussianBlur(count, (0, 0), 0.5)
    height = cv2.GaussianBlur(total, (0, 0), 0.5) / np.maximum(near, 1e-6)
    x, y = ((line - low) / cell).astype(int).T
    on = near[y, x] > 0.02
    return np.concatenate([line, height[y, x, None]], 1)[on]


def _dense(line: Ring, apart: float) -> Ring:
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.linspace(0, length[-1], max(2, int(length[-1] / apart)))
    return np.stack([np.interp(at, length, line[:, k]) for k in (0, 1)], 1)


def _front(shells: Sequence[Shell], x: float, y: float) -> float:
    """How far towards the viewer the surface is at a place."""
    best = 0.0
    for shell in shells:
        gap = np.hypot(shell.points[:, 0] - x, shell.points[:, 1] - y)
        near = gap < 0.03
        if near.any():
            best = max(best, float(shell.points[near, 2].max()))
    return best


# --- plates


def _plate(part: Plate, cell: float) -> Shell:
    points = np.concatenate(part.rings)
    low, high = points.min(0) - 2 * cell, points.max(0) + 2 * cell
    columns, rows = (math.ceil(length / cell) + 1 for length in high - low)
    away = _distance(part.rings, low, cell, rows, columns)  # (rows, columns), positive inside
    x, y = np.meshgrid(low[0] + cell * np.arange(columns), low[1] + cell * np.arange(rows))
    up, slope = _flat(part, away, cell) if part.bevel else _round(part, away, cell)
    if part.creases:
        dip = _dips(part.creases, low, cell, rows, columns) * np.clip(away / (2 * cell), 0, 1)
        dip = np.minimum(dip, 0.6 * np.maximum(up, 0))
        up = up - dip
        down_y, down_x = np.gradient(dip, cell)
        slope = slope + slope[..., 2:] * np.stack([down_x, down_y, 0 * dip], -1)
    known = np.concatenate([np.stack([x, y, up], -1), slope, away[..., None]], -1).reshape(-1, 7)
    grid = Shell(known.astype(np.float32), _grid(rows, columns))
    inside, _ = grid.cut(known[:, 6])
    k = inside.known
    edge = k[:, 6] < 0.02 * cell
    if not part.bevel:
        k[edge, 2] = 0.0
        k[edge, 5] = 0.0
    length = np.linalg.norm(k[:, 3:6], axis=1, keepdims=True)
    k[:, 3:6] = np.where(length > 1e-6, k[:, 3:6] / length.clip(1e-9), (0.0, 0.0, 1.0))
    back = k.copy()
    back[:, 2] *= -1
    back[:, 5] *= -1
    count = len(k)
    faces = [inside.triangles, inside.triangles[:, ::-1] + count]
    known = [k, back]
    if part.bevel:
        wall, strips = _wall(k, inside.triangles, 2 * count)
        known.append(wall)
        faces.append(strips)
    all_known = np.concatenate(known)[:, :6]
    all_known[:, 2] += part.z
    return Shell(np.ascontiguousarray(all_known), np.concatenate(faces))


def _grid(rows: int, columns: int) -> np.ndarray:
    n = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = n[:-1, :-1].ravel(), n[:-1, 1:].ravel(), n[1:, 1:].ravel(), n[1:, :-1].ravel()
    return np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def _pixels(rings: Sequence[Ring], low: np.ndarray, cell: float) -> list[np.ndarray]:
    """In sixteenths of fine cells, as OpenCV wants them."""
    return [np.round(((ring - low) / cell * FINE + (FINE - 1) / 2) * 16).astype(np.int32) for ring in rings]


def _distance(rings: Sequence[Ring], low: np.ndarray, cell: float, rows: int, columns: int) -> np.ndarray:
    """(rows, columns) how far inside a grid's points are; negative outside."""
    mask = np.zeros((rows * FINE, columns * FINE), np.uint8)
    cv2.fillPoly(mask, _pixels(rings, low, cell), 1, cv2.LINE_8, 4)
    inner = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    outer = cv2.distanceTransform(1 - mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    both = np.where(mask > 0, inner - 0.5, 0.5 - outer)
    return cv2.resize(cv2.GaussianBlur(both, (0, 0), 1.0), (columns, rows), interpolation=cv2.INTER_AREA) * cell / FINE


def _dips(lines: Sequence[Ring], low: np.ndarray, cell: float, rows: int, columns: int) -> np.ndarray:
    """(rows, columns) how deep creases are."""
    mask = np.ones((rows * FINE, columns * FINE), np.uint8)
    cv2.polylines(mask, _pixels(lines, low, cell), False, 0, 1, cv2.LINE_8, 4)
    away = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) * cell / FINE
    away = cv2.resize(away, (columns, rows), interpolation=cv2.INTER_AREA)
    return CREASE_DEPTH * np.exp(-((away / max(CREASE_WIDTH, cell)) ** 2))


def _round(part: Plate, away: np.ndarray, cell: float) -> tuple[np.ndarray, np.ndarray]:
    """Heights and normals (..., 3), not of unit length."""
    film = _film(away, cell)
    up = part.thick * np.sqrt(np.maximum(film, 0))
    by_y, by_x = np.gradient(film, cell)
    square = part.thick**2
    return up, np.stack([-square * by_x, -square * by_y, 2 * up], -1)


def _film(away: np.ndarray, cell: float) -> np.ndarray:
    """The solution of Poisson's equation with -2 inside and 0 on the outline; it goes on below 0 outside."""
    total = np.zeros((2, 2), np.float32)
    levels = [away]
    while min(levels[-1].shape) > 12:
        wide, high = (max(4, (length + 1) // 2) for length in levels[-1].shape[::-1])
        levels.append(cv2.resize(levels[-1], (wide, high), interpolation=cv2.INTER_AREA))
    for level in levels[::-1]:
        rows, columns = level.shape
        total = cv2.resize(total.astype(np.float32), (columns, rows), interpolation=cv2.INTER_LINEAR)
        size = cell * away.shape[1] / columns
        inside = (level / size).clip(0, 1).astype(np.float32)
        for _ in range(60):
            p = np.pad(total, 1)
            total = inside * 0.25 * (p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] + 2 * size * size)
    inside = (away > 0).astype(np.float32)
    ratio = inside * total / np.maximum(away, 0.7 * cell)
    ratio = cv2.GaussianBlur(ratio, (0, 0), 1.5) / np.maximum(cv2.GaussianBlur(inside, (0, 0), 1.5), 1e-3)
    share = np.clip((away / cell - 1) / 3, 0, 1)
    share = share * share * (3 - 2 * share)
    return share * cv2.GaussianBlur(total, (0, 0), 0.8) + (1 - share) * away * np.maximum(ratio, 0)


def _flat(part: Plate, away: np.ndarray, cell: float) -> tuple[np.ndarray, np.ndarray]:
    b = min(part.bevel, part.thick)
    share = ((b - away) / b).clip(0, 0.995)
    up = part.thick - b + b * np.sqrt(1 - share**2)
    by_y, by_x = np.gradient(away, cell)
    return up, np.stack([-by_x * share, -by_y * share, np.sqrt(1 - share**2)], -1)


def _wall(known: np.ndarray, triangles: np.ndarray, start: int) -> tuple[np.ndarray, np.ndarray]:
    """Quads from the edge of a front to that of its back."""
    edges = np.concatenate([triangles[:, [k, (k + 1) % 3]] for k in range(3)])
    key = np.sort(edges, 1)
    _, first, count = np.unique(key, axis=0, return_index=True, return_counts=True)
    ends = edges[first[count == 1]]  # (M, 2) in the sense of their triangles
    corners = known[ends]  # (M, 2, 7)
    out = corners[..., 3:6] * (1, 1, 0)
    length = np.linalg.norm(out, axis=-1, keepdims=True)
    way = corners[:, 1, :2] - corners[:, 0, :2]
    beside = np.stack([way[:, 1], -way[:, 0], 0 * way[:, 0]], 1)
    beside /= np.linalg.norm(beside, axis=1, keepdims=True).clip(1e-9)
    out = np.where(length > 0.1, out / length.clip(1e-6), beside[:, None])
    front = corners.copy()
    front[..., 3:6] = out
    back = front.copy()
    back[..., 2] *= -1
    n = len(ends)
    made = np.concatenate([front[:, 0], front[:, 1], back[:, 0], back[:, 1]])
    a, b, c, d = (start + n * k + np.arange(n) for k in range(4))
    return made, np.concatenate([np.stack([b, a, c], 1), np.stack([b, c, d], 1)])


# --- turned parts and balls


def _around(points: np.ndarray, normals: np.ndarray) -> Shell:
    """A closed grid (rows, columns, 3)."""
    rows, columns = points.shape[:2]
    n = np.arange(rows * columns).reshape(rows, columns)
    a, b = n, np.roll(n, -1, 1)
    quads = np.stack([a[:-1], b[:-1], b[1:], a[1:]], -1).reshape(-1, 4)
    faces = np.concatenate([quads[:, [0, 2, 1]], quads[:, [0, 3, 2]]])
    return Shell(np.concatenate([points, normals], -1).reshape(-1, 6).astype(np.float32), faces)


def _turned(part: Turned, cell: float) -> Shell:
    line = _dense(part.profile, 1.5 * cell)
    way = np.gradient(line, axis=0)
    way /= np.linalg.norm(way, axis=1, keepdims=True).clip(1e-9)
    columns = int(min(160, max(24, 2 * math.pi * line[:, 0].max() / (1.5 * cell))))
    t = np.linspace(0, 2 * math.pi, columns, endpoint=False)
    radius, high = line[:, :1], line[:, 1:]
    points = np.stack([part.x + radius * np.cos(t), high + 0 * t, part.z + radius * np.sin(t)], -1)
    outward, rise = way[:, 1:], -way[:, :1]
    normals = np.stack([outward * np.cos(t), rise + 0 * t, outward * np.sin(t)], -1)
    return _around(points, normals)


def _ball(part: Ball, z: float, cell: float) -> Shell:
    columns = int(min(48, max(16, 4 * max(part.radii) / cell)))
    t = np.linspace(0, 2 * math.pi, columns, endpoint=False)
    rise = np.linspace(-0.5 * math.pi, 0.5 * math.pi, columns // 2 + 1)[:, None]
    way = np.stack([np.cos(rise) * np.cos(t), np.sin(rise) + 0 * t, np.cos(rise) * np.sin(t)], -1)
    normals = way / np.array(part.radii)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    return _around(way * np.array(part.radii) + (part.x, part.y, z), normals)
