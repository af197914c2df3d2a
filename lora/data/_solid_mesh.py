"""Meshes for a path tracer: made of distances, cut along fields, put together from boxes and planes; all in numpy.

Points are in metres as in ``_camera.View``: x to the right, y up, z towards the viewer.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

Point = tuple[float, ...]  # three of them


def surface_nets(
    values: np.ndarray, origin: Sequence[float] | np.ndarray, cell: float
) -> tuple[np.ndarray, np.ndarray]:
    """The surface where a field (X, Y, Z) is 0, negative inside: points (N, 3) and triangles (M, 3).

    ``origin`` is where the first value lies, ``cell`` metres lie between two (Gibson, "Constrained elastic surface
    nets", 1998).
    """
    inside = values < 0
    shape = np.array(values.shape) - 1
    total, count = np.zeros((*shape, 3), np.float32), np.zeros(shape, np.int32)
    corners = [np.array(corner) for corner in itertools.product((0, 1), repeat=3)]

    def at(array: np.ndarray, corner: np.ndarray) -> np.ndarray:
        return array[tuple(slice(c, c + n) for c, n in zip(corner, shape, strict=True))]

    for corner in corners:
        for axis in np.flatnonzero(corner == 0):
            other = corner.copy()
            other[axis] = 1
            a, b = at(values, corner), at(values, other)
            crossed = at(inside, corner) != at(inside, other)
            share = np.where(crossed, a / np.where(crossed, a - b, 1), 0).astype(np.float32)
            for k in range(3):
                total[..., k] += np.where(crossed, corner[k] + (share if k == axis else 0), 0)
            count += crossed
    cells = np.argwhere(count > 0)
    number = np.full(shape, -1, np.int64)
    number[tuple(cells.T)] = np.arange(len(cells))
    here = tuple(cells.T)
    points = (cells + total[here] / count[here][:, None]) * cell + np.asarray(origin, np.float32)
    return points.astype(np.float32), _net_faces(inside, number)


def _net_faces(inside: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Two triangles for every edge of the grid that the surface crosses."""
    found = []
    for axis in range(3):
        one, two = [k for k in range(3) if k != axis]
        low = inside[tuple(slice(0, -1) if k == axis else slice(1, -1) for k in range(3))]
        high = inside[tuple(slice(1, None) if k == axis else slice(1, -1) for k in range(3))]
        place = np.argwhere(low != high)
        place[:, [one, two]] += 1
        outwards = inside[tuple(place.T)] ^ (axis == 1)
        ring = []
        for da, db in ((1, 1), (0, 1), (0, 0), (1, 0)):
            at = place.copy()
            at[:, one] -= da
            at[:, two] -= db
            ring.append(number[tuple(at.T)])
        quad = np.stack(ring, 1)
        quad = np.where(outwards[:, None], quad, quad[:, ::-1])
        found += [quad[:, [0, 1, 2]], quad[:, [0, 2, 3]]]
    return np.concatenate(found)


@dataclass(frozen=True, eq=False)
class Shell:
    """A surface of triangles whose points know things."""

    known: np.ndarray
    """(N, K) float32: position, normal, and whatever else; all of it is interpolated where a triangle is cut."""
    triangles: np.ndarray
    """(M, 3) int64."""

    @property
    def points(self) -> np.ndarray:
        """(N, 3)."""
        return self.known[:, :3]

    @property
    def normals(self) -> np.ndarray:
        """(N, 3)."""
        return self.known[:, 3:6]

    def cut(self, inside: np.ndarray) -> tuple[Shell, Shell]:
        """What lies where ``inside`` (N,) is above 0, and the rest; triangles are cut where it is 0."""
        sign = inside[self.triangles] > 0  # (M, 3)
        many = sign.sum(1)
        whole = [self.triangles[many == 3], self.triangles[many == 0]]
        mixed, sign, many = (each[(many == 1) | (many == 2)] for each in (self.triangles, sign, many))
        alone = np.where(many == 1, sign.argmax(1), (~sign).argmax(1))
        rows = np.arange(len(mixed))
        a, b, c = (mixed[rows, (alone + k) % 3] for k in range(3))
        new, base = [], len(self.known)
        ends = []
        for other in (b, c):
            gap = inside[a] - inside[other]
            share = (inside[a] / np.where(gap == 0, 1, gap)).clip(0, 1)[:, None]
            new.append(self.known[a] + (self.known[other] - self.known[a]) * share)
            ends.append(np.arange(len(a)) + base)
            base += len(a)
        p, q = ends
        known = np.concatenate([self.known, *new]).astype(np.float32)
        tips = np.stack([a, p, q], 1)
        rest = np.concatenate([np.stack([p, b, c], 1), np.stack([p, c, q], 1)])
        twice = np.concatenate([many, many])
        results = []
        for wanted, kept in ((1, whole[0]), (2, whole[1])):
            triangles = np.concatenate([kept, tips[many == wanted], rest[twice != wanted]])
            results.append(Shell(known, triangles).tidied())
        return results[0], results[1]

    def tidied(self) -> Shell:
        """Without points that no triangle uses."""
        used, back = np.unique(self.triangles, return_inverse=True)
        return Shell(self.known[used], back.reshape(-1, 3))

    def moved(self, outwards: float) -> Shell:
        """All points moved along their normals, in metres."""
        known = self.known.copy()
        known[:, :3] += known[:, 3:6] * outwards
        return Shell(known, self.triangles)


@dataclass
class Faces:
    """Polygons that are put together: points and the numbers of each face's points."""

    points: list[Point] = field(default_factory=list)
    faces: list[tuple[int, ...]] = field(default_factory=list)

    def polygon(self, corners: Sequence[Point]) -> None:
        """One flat face, anticlockwise as seen from outside."""
        start = len(self.points)
        self.points += [tuple(map(float, corner)) for corner in corners]
        self.faces.append(tuple(range(start, start + len(corners))))

    def box(self, low: Point, high: Point) -> None:
        """A box with sides along the axes."""
        start = len(self.points)
        self.points += [(x, y, z) for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
        rings = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
        self.faces += [tuple(start + corner for corner in ring) for ring in rings]

    def convex(self, planes: Sequence[tuple[float, float, float, float]]) -> dict[int, int]:
        """What is inside all planes (n, w), where n . p + w < 0; gives the plane of each face that was added."""
        start, found = len(self.faces), {}
        for number, corners in _sides(planes).items():
            found[len(self.faces) - start] = number
            self.polygon(corners)
        return found

    def lathe(self, profile: Sequence[tuple[float, float]], around: int, centre: Point, hand: float = 1.0) -> None:
        """A ring turned around the z axis of ``centre``; the profile has (radius, z) from one end to the other."""
        start, count = len(self.points), len(profile)
        for step in range(around):
            angle = 2 * math.pi * step / around
            for radius, along in profile:
                x, y = radius * math.cos(angle), radius * math.sin(angle)
                self.points.append((centre[0] + x, centre[1] + y, centre[2] + hand * along))
        for step in range(around):
            one, two = start + step * count, start + (step + 1) % around * count
            for k in range(count - 1):
                ring = (one + k, two + k, two + k + 1, one + k + 1)
                self.faces.append(ring if hand > 0 else ring[::-1])

    @classmethod
    def grid(cls, points: np.ndarray, closed: bool = False) -> Faces:
        """Quads between points (rows, columns, 3); ``closed`` joins the last column to the first."""
        rows, columns = points.shape[:2]
        number = np.arange(rows * columns).reshape(rows, columns)
        last = columns if closed else columns - 1
        one, two = number[:, :last], np.roll(number, -1, 1)[:, :last]
        quads = np.stack([one[:-1], two[:-1], two[1:], one[1:]], -1).reshape(-1, 4)
        return cls([*map(tuple, points.reshape(-1, 3).tolist())], [*map(tuple, quads.tolist())])

    def changed(self, change: Callable[[np.ndarray], np.ndarray]) -> Faces:
        """The same faces with other points: ``change`` takes and gives (N, 3)."""
        moved = change(np.array(self.points, np.float32).reshape(-1, 3))
        return Faces([tuple(map(float, point)) for point in moved], list(self.faces))

    def joined(self, other: Faces) -> Faces:
        """Both together."""
        shift = len(self.points)
        return Faces(self.points + other.points, self.faces + [tuple(n + shift for n in face) for face in other.faces])


def _sides(planes: Sequence[tuple[float, float, float, float]]) -> dict[int, list[Point]]:
    """The corners of each plane's face, anticlockwise from outside."""
    normals = np.array([plane[:3] for plane in planes])
    away = np.array([plane[3] for plane in planes])
    corners: dict[int, list[np.ndarray]] = {}
    for three in itertools.combinations(range(len(planes)), 3):
        n = normals[list(three)]
        if abs(np.linalg.det(n)) < 1e-6:
            continue
        point = np.linalg.solve(n, -away[list(three)])
        if (normals @ point + away < 1e-5).all():
            for number in three:
                known = corners.setdefault(number, [])
                if all(np.abs(point - other).max() > 1e-5 for other in known):
                    known.append(point)
    found = {}
    for number, points in corners.items():
        if len(points) < 3:
            continue
        middle = np.mean(points, 0)
        normal = normals[number] / np.linalg.norm(normals[number])
        right = points[0] - middle
        up = np.cross(normal, right)
        turn = [math.atan2((p - middle) @ up, (p - middle) @ right) for p in points]
        found[number] = [tuple(map(float, points[k])) for k in np.argsort(turn)]
    return found
