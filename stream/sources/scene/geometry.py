"""What a scene is made of: triangles, each of a colour and of a thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...base.errors import SourceUnavailable

MOST_FACES = 2_000_000
MOST_THINGS = 65_535  # ids have 16 bits


@dataclass(frozen=True, eq=False)
class Stage:
    """What of a scene is looked at, and how. Lengths are the scene's."""

    middle: np.ndarray
    """(3,) float64: what is looked at."""
    reach: float
    """How far around it there is something to be seen."""
    height: float = 22.0
    """How far above the horizon the eye of an orbit is, in degrees."""
    path: np.ndarray | None = None
    """(M, 3) float64: places that a camera goes through, round and round; None: a ring around the middle."""
    inwards: bool = True
    """Whether it looks at the middle from there, or ahead."""
    near: float | None = None
    """The depth that is white on the path; None: that of an orbit."""


@dataclass(frozen=True, eq=False)
class Geometry:
    """N triangles of a scene that stands still; y is up. Raises SourceUnavailable for what cannot be drawn."""

    points: np.ndarray
    """(N, 3, 3) float32: corners of each triangle."""
    normals: np.ndarray
    """(N, 3, 3) float32 unit vectors at the corners; faces are seen from both sides."""
    colours: np.ndarray
    """(N, 3) uint8 RGB."""
    ids: np.ndarray
    """(N,) uint16: which thing each triangle belongs to, from 1."""
    names: Mapping[int, str]
    """What the things are, by their ids."""
    stage: Stage | None = None
    """How it is to be looked at; None: all of it is."""

    def __post_init__(self) -> None:
        check_faces(len(self.points))
        wrong = int((~np.isfinite(self.points)).any(axis=(1, 2)).sum())
        if wrong:
            raise SourceUnavailable(
                f"scene: {wrong} of {len(self.points)} faces have corners that are no numbers (NaN or infinite); "
                "export the mesh again, or clean it up: in Blender, Mesh > Clean Up > Delete Loose"
            )
        if not self.staged.reach > 0:
            raise SourceUnavailable("scene: all corners are in one place, expected something that has a size")

    @cached_property
    def staged(self) -> Stage:
        """How it is looked at: as it says, or all of it, from outside."""
        if self.stage is not None:
            return self.stage
        low, high = self.points.min(axis=(0, 1)), self.points.max(axis=(0, 1))
        middle = (low.astype(float) + high) / 2
        return Stage(middle, float(np.linalg.norm(self.points - middle.astype(np.float32), axis=-1).max()))


def check_faces(count: int) -> None:
    """Raises SourceUnavailable for a number of faces that cannot be drawn live."""
    if count == 0:
        raise SourceUnavailable(
            "scene: the mesh has no faces, only points or curves; export triangles: in Blender, convert it to a mesh"
        )
    if count > MOST_FACES:
        raise SourceUnavailable(
            f"scene: got {count:,} faces, expected at most {MOST_FACES:,}; make it simpler: in Blender, add the "
            "modifier Decimate and export again with modifiers applied"
        )


class Builder:
    """Collects triangles, thing by thing."""

    def __init__(self) -> None:
        self._parts: list[tuple[np.ndarray, np.ndarray, np.ndarray, int]] = []
        self._names: dict[int, str] = {}

    def thing(self, name: str) -> int:
        """The id of a new thing that is called ``name``."""
        self._names[len(self._names) + 1] = name
        return len(self._names)

    def add(self, thing: int, points: np.ndarray, colour: Sequence[int] | np.ndarray, smooth: bool = False) -> None:
        """Triangles (N, 3, 3) of a thing, in a ``colour`` or one for each; ``smooth``: without creases between them."""
        points = np.asarray(points, np.float64).reshape(-1, 3, 3)
        normals = smooth_normals(points) if smooth else np.repeat(face_normals(points)[:, None], 3, 1)
        colours = np.broadcast_to(np.asarray(colour, np.uint8), (len(points), 3))
        self._parts.append((points, normals, colours, thing))

    def quads(self, thing: int, corners: np.ndarray, colour: Sequence[int] | np.ndarray) -> None:
        """Flat quadrilaterals (N, 4, 3), their corners in order."""
        corners = np.asarray(corners, np.float64).reshape(-1, 4, 3)
        self.add(thing, np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]]), colour)

    def box(self, thing: int, low: Sequence[float], high: Sequence[float], colour: Sequence[int]) -> None:
        """A box with its sides along the axes."""
        (a, b, c), (d, e, f) = low, high
        p = np.array([[x, y, z] for x in (a, d) for y in (b, e) for z in (c, f)])
        self.quads(
            thing, p[[[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]], colour
        )

    def grid(self, thing: int, points: np.ndarray, colour: Sequence[int] | np.ndarray, smooth: bool = True) -> None:
        """A surface through (U, V, 3) points; ``colour`` is one, or (U - 1, V - 1, 3)."""
        a, b, c, d = points[:-1, :-1], points[1:, :-1], points[1:, 1:], points[:-1, 1:]
        both = np.concatenate([np.stack([a, b, c], 2).reshape(-1, 3, 3), np.stack([a, c, d], 2).reshape(-1, 3, 3)])
        colours = np.asarray(colour, np.uint8)
        self.add(thing, both, colours if colours.ndim == 1 else np.tile(colours.reshape(-1, 3), (2, 1)), smooth)

    def patch(
        self, thing: int, points: np.ndarray, normals: np.ndarray, colours: np.ndarray, cells: np.ndarray
    ) -> None:
        """Those ``cells`` (U - 1, V - 1) bool of a surface, whose normals (U, V, 3) are known, in colours of cells."""
        rows, columns = np.nonzero(cells)
        corner = [(rows, columns), (rows + 1, columns), (rows + 1, columns + 1), (rows, columns + 1)]
        for three in ((0, 1, 2), (0, 2, 3)):
            where = [corner[each] for each in three]
            at, up = (np.stack([field[each] for each in where], 1) for field in (points, normals))
            self._parts.append((at, up, colours[rows, columns], thing))

    def made(self, stage: Stage | None = None) -> Geometry:
        """All of it."""
        return Geometry(
            np.concatenate([each[0] for each in self._parts]).astype(np.float32),
            np.concatenate([each[1] for each in self._parts]).astype(np.float32),
            np.concatenate([each[2] for each in self._parts]),
            np.concatenate([np.full(len(each[0]), each[3], np.uint16) for each in self._parts]),
            dict(self._names),
            stage,
        )


def face_normals(points: np.ndarray) -> np.ndarray:
    """Unit normals (N, 3) of triangles (N, 3, 3); up for those without a surface."""
    normals = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    return np.where(length > 0, normals / np.maximum(length, 1e-30), [0.0, 1.0, 0.0])


def smooth_normals(points: np.ndarray) -> np.ndarray:
    """Unit normals (N, 3, 3) at the corners of triangles: the mean of those that meet there, by their surfaces."""
    weighted = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])  # as long as the surface is large
    size = float(np.ptp(points.reshape(-1, 3), axis=0).max()) or 1.0
    places = np.round(points.reshape(-1, 3) / size * 1e5).astype(np.int64)
    _, where = np.unique(places, axis=0, return_inverse=True)
    where = where.reshape(-1)
    total = np.zeros((where.max() + 1, 3))
    np.add.at(total, where, np.repeat(weighted, 3, axis=0))
    length = np.linalg.norm(total, axis=-1, keepdims=True)
    unit = np.where(length > 0, total / np.maximum(length, 1e-30), [0.0, 1.0, 0.0])
    return unit[where].reshape(-1, 3, 3)
