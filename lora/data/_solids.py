"""What buildings are put together from: convex solids, each the inside of planes, of kinds that say how they look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

Plane = tuple[float, float, float, float]  # n and w: inside is where n . point + w < 0
Span = tuple[float, float]
(WALL, ATTIC, ROOF, FLAT, BALCONY, CHIMNEY, ROUND, CONE, BLOCK, GLAZED, LEAF, STONE, HEDGE, FENCE, PATH, ROAD, WATER,
 BEAM, LAMP, MARK, MERLON, BED) = range(22)  # fmt: skip
LABELS = {
    WALL: "wall", ATTIC: "wall", ROOF: "roof", FLAT: "roof", BALCONY: "balcony", CHIMNEY: "trim", ROUND: "wall",
    CONE: "roof", BLOCK: "wall", GLAZED: "window", LEAF: "door", STONE: "wall", HEDGE: "bush", FENCE: "fence",
    PATH: "path", ROAD: "road", WATER: "river", BEAM: "trim", LAMP: "light", MARK: "road",
    MERLON: "wall", BED: "flowers",
}  # fmt: skip
WHOLE = (CONE, ROUND, FENCE, WATER, PATH, ROAD, LAMP, MARK, MERLON, BED)  # no line parts their faces
MOST_FACES = 10
SIDES = 8  # of what is round


def ends(a: float, b: float) -> Span:
    """From the lower of two numbers to the higher."""
    return min(a, b), max(a, b)


@dataclass(frozen=True)
class Solid:
    """A convex part; ``box`` is x, y and z from where to where, for what is laid out over its faces."""

    planes: tuple[Plane, ...]
    kind: int
    box: tuple[float, float, float, float, float, float]
    floors: float = 1.0
    spacing: float = 1.0
    door: int = 0
    """The face that has the door, counted from 1; 0: none."""
    group: int = 0
    """Solids of one group above 0 are one thing: no line parts them."""
    owner: int = -1
    """The number of the solid whose walls go on in this one, as in an attic."""
    round: tuple[float, float, float, float] | None = None
    """x and z of an upright axis, and the radii at the foot and at the top."""

    def turned(self) -> Solid:
        """The same with x and z exchanged."""
        x0, x1, y0, y1, z0, z1 = self.box
        planes = tuple((c, b, a, w) for a, b, c, w in self.planes)
        return replace(self, planes=planes, box=(z0, z1, y0, y1, x0, x1))

    def moved(self, x: float, y: float, z: float) -> Solid:
        """The same elsewhere."""
        x0, x1, y0, y1, z0, z1 = self.box
        planes = tuple((a, b, c, w - a * x - b * y - c * z) for a, b, c, w in self.planes)
        axis = None if self.round is None else (self.round[0] + x, self.round[1] + z, *self.round[2:])
        return replace(self, planes=planes, box=(x0 + x, x1 + x, y0 + y, y1 + y, z0 + z, z1 + z), round=axis)


@dataclass
class Parts:
    """Solids that are put together."""

    solids: list[Solid] = field(default_factory=list)

    def box(self, kind: int, x: Span, y: Span, z: Span, **more) -> None:
        """A box with sides along the axes."""
        planes = ((1.0, 0.0, 0.0, -x[1]), (-1.0, 0.0, 0.0, x[0]), (0.0, 1.0, 0.0, -y[1]), (0.0, -1.0, 0.0, y[0]))
        planes += ((0.0, 0.0, 1.0, -z[1]), (0.0, 0.0, -1.0, z[0]))
        self.solids.append(Solid(planes, kind, (*x, *y, *z), **more))

    def round(self, kind: int, at: Span, y: Span, foot: float, top: float, **more) -> None:
        """A column, a cone or what is between them, around an upright axis at (x, z)."""
        high, (x, z) = y[1] - y[0], at
        slope = (foot - top) / high
        length = math.hypot(1.0, slope)
        planes: list[Plane] = []
        for side in range(SIDES):
            turn = 2 * math.pi * (side + 0.5) / SIDES
            a, c = math.cos(turn), math.sin(turn)
            planes.append((a / length, slope / length, c / length, -(a * x + c * z + slope * y[0] + foot) / length))
        planes += [(0.0, -1.0, 0.0, y[0]), (0.0, 1.0, 0.0, -y[1])] if top > 0.01 else [(0.0, -1.0, 0.0, y[0])]
        wide = max(foot, top)
        box = (x - wide, x + wide, *y, z - wide, z + wide)
        self.solids.append(Solid(tuple(planes), kind, box, round=(x, z, foot, top), **more))

    def pyramid(self, kind: int, x: Span, y: Span, z: Span, **more) -> None:
        """Four slopes over a rectangle that meet in a point, or in a ridge over the longer side."""
        half = min(x[1] - x[0], z[1] - z[0]) / 2
        slope = (y[1] - y[0]) / half
        length = math.hypot(1.0, slope)
        planes: list[Plane] = [(0.0, -1.0, 0.0, y[0])]
        for nx, nz, edge in ((1, 0, x[1]), (-1, 0, -x[0]), (0, 1, z[1]), (0, -1, -z[0])):
            planes.append((slope * nx / length, 1 / length, slope * nz / length, -(slope * edge + y[0]) / length))
        self.solids.append(Solid(tuple(planes), kind, (*x, *y, *z), **more))

    def pointed(self, kind: int, x: Span, y: Span, z: Span, across: bool = False, **more) -> None:
        """An upright slab with a pointed top, as church windows have; ``across``: its broad side looks along x."""
        self.gabled(kind, x, y, z, 0.75 * ((z[1] - z[0]) if across else (x[1] - x[0])), across, **more)

    def gabled(self, kind: int, x: Span, y: Span, z: Span, rise: float, across: bool = False, **more) -> None:
        """A box whose top is a gable that looks along z, or, ``across``, along x; ``rise`` is its height in metres."""
        if across:
            inner = Parts()
            inner.gabled(kind, z, y, x, rise, **more)
            self.solids += [solid.turned() for solid in inner.solids]
            return
        half, middle, spring = (x[1] - x[0]) / 2, (x[0] + x[1]) / 2, y[1] - rise
        slope = rise / half
        length = math.hypot(1.0, slope)
        planes: list[Plane] = [(1.0, 0.0, 0.0, -x[1]), (-1.0, 0.0, 0.0, x[0]), (0.0, -1.0, 0.0, y[0])]
        planes += [(0.0, 0.0, 1.0, -z[1]), (0.0, 0.0, -1.0, z[0])]
        planes += [
            (h * slope / length, 1 / length, 0.0, -(h * slope * middle + spring + rise) / length) for h in (1, -1)
        ]
        self.solids.append(Solid(tuple(planes), kind, (*x, *y, *z), **more))

    def sloped(self, kind: int, x: Span, low: Span, high: Span, z: Span, **more) -> None:
        """A slab whose lower side goes from ``low[0]`` to ``low[1]`` along x, and its upper from ``high``."""
        wide = x[1] - x[0]
        planes: list[Plane] = [(1.0, 0.0, 0.0, -x[1]), (-1.0, 0.0, 0.0, x[0])]
        for (a, b), hand in ((high, 1.0), (low, -1.0)):
            slope = (b - a) / wide
            length = math.hypot(1.0, slope)
            planes.append((-hand * slope / length, hand / length, 0.0, -hand * (a - slope * x[0]) / length))
        planes += [(0.0, 0.0, 1.0, -z[1]), (0.0, 0.0, -1.0, z[0])]
        self.solids.append(Solid(tuple(planes), kind, (*x, min(low), max(high), *z), **more))

    def pitched(self, x: Span, z: Span, height: float, rise: float, front: bool, over: float = 0.38) -> None:
        """A gable roof over walls: an attic between two slabs that meet at the ridge and stand out over the walls.

        The ridge runs along x, or, with ``front``, along z.
        """
        owner = max((k for k, solid in enumerate(self.solids) if solid.kind in (WALL, BLOCK)), default=-1)
        half_x, half_z = (x[1] - x[0]) / 2, (z[1] - z[0]) / 2
        made = _gable(half_z if front else half_x, half_x if front else half_z, height, rise, over)
        made = [solid.turned() for solid in made] if front else made
        made = [replace(solid, owner=owner if solid.kind == ATTIC else -1) for solid in made]
        self.solids += [solid.moved((x[0] + x[1]) / 2, 0.0, (z[0] + z[1]) / 2) for solid in made]

    def battlements(self, x: Span, y: float, z: Span, size: float = 0.55, sides: Sequence[int] = (0, 1, 4, 5)) -> None:
        """Merlons along the edges of a flat top; ``sides`` are numbered as the faces of a box."""
        for side in sides:
            along = z if side in (0, 1) else x
            count = max(2, round((along[1] - along[0]) / (2.2 * size)))
            pitch = (along[1] - along[0] - size) / (count - 1)
            for k in range(count):
                a = along[0] + k * pitch
                if side in (0, 1):
                    edge = (x[1] - 0.4 * size, x[1]) if side == 0 else (x[0], x[0] + 0.4 * size)
                    self.box(MERLON, edge, (y, y + size), (a, a + size))
                else:
                    edge = (z[1] - 0.4 * size, z[1]) if side == 4 else (z[0], z[0] + 0.4 * size)
                    self.box(MERLON, (a, a + size), (y, y + size), edge)

    def crown(self, at: Span, y: float, radius: float, size: float = 0.55) -> None:
        """Merlons around the top of something round."""
        count = max(6, round(2 * math.pi * radius / (2.1 * size)))
        for k in range(count):
            turn = 2 * math.pi * (k + 0.25) / count
            cx, cz = at[0] + (radius - 0.2) * math.cos(turn), at[1] + (radius - 0.2) * math.sin(turn)
            self.box(MERLON, (cx - size / 2, cx + size / 2), (y, y + size), (cz - size / 2, cz + size / 2))


def first_parts(solids: Sequence[Solid], first: int) -> list[int]:
    """The number of the part of each solid's first face, from ``first`` on; those of its others follow."""
    found: list[int] = []
    groups: dict[int, int] = {}
    for solid in solids:
        if solid.owner >= 0:
            found.append(found[solid.owner])
        elif solid.group in groups:
            found.append(groups[solid.group])
        else:
            found.append(first)
            groups |= {solid.group: first} if solid.group else {}
            first += 1 if solid.kind in WHOLE else MOST_FACES
    return found


def _gable(x: float, z: float, height: float, rise: float, over: float) -> list[Solid]:
    slope = rise / z
    length = math.hypot(1.0, slope)
    top = height + slope * z
    thick = 0.17 * length
    sides = ((1.0, 0.0, 0.0, -x), (-1.0, 0.0, 0.0, -x), (0.0, -1.0, 0.0, height))
    slopes = tuple((0.0, 1.0 / length, hand * slope / length, -top / length) for hand in (1, -1))
    made = [Solid((*sides, *slopes), ATTIC, (-x, x, height, top, -z, z))]
    for hand in (1, -1):
        planes = (
            (0.0, 1.0 / length, hand * slope / length, -(top + thick) / length),
            (0.0, -1.0 / length, -hand * slope / length, (top + 0.01) / length),
            (0.0, 0.0, -float(hand), 0.0),
            (0.0, 0.0, float(hand), -(z + over)),
            (1.0, 0.0, 0.0, -(x + over)),
            (-1.0, 0.0, 0.0, -(x + over)),
        )
        made.append(Solid(planes, ROOF, (-x - over, x + over, height, top + thick, -z - over, z + over)))
    return made
