"""The form of a building: convex solids, each the inside of up to six planes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ._camera import View, box_corners
from ._draws import Draws
from .grammar import NONE

Plane = tuple[float, float, float, float]  # n and w: inside is where n . point + w < 0
WALL, ATTIC, ROOF, FLAT, BALCONY, CHIMNEY = range(6)
FACES = 6
TREES = 2  # at most
STOREYS = {"house": 2.9, "cottage": 2.6, "apartment block": 3.0, "skyscraper": 3.4, "warehouse": 4.8}  # metres
FLOORS = {"house": (2, 2), "cottage": (1, 1), "apartment block": (3, 6), "skyscraper": (8, 12), "warehouse": (1, 1)}
WIDTHS = {"house": (8, 11), "cottage": (6, 8.5), "apartment block": (11, 18), "skyscraper": (13, 19)}
WIDTHS |= {"warehouse": (14, 20)}
SPACINGS = {"house": 2.4, "cottage": 2.4, "apartment block": 2.7, "skyscraper": 3.3, "warehouse": 4.0}


@dataclass(frozen=True)
class Solid:
    """A convex part; ``box`` is x, y and z from where to where, for what is laid out over its faces."""

    planes: tuple[Plane, ...]
    kind: int
    box: tuple[float, float, float, float, float, float]
    floors: float = 1.0
    spacing: float = 1.0
    door: bool = False

    def turned(self) -> Solid:
        """The same with x and z exchanged."""
        x0, x1, y0, y1, z0, z1 = self.box
        planes = tuple((c, b, a, w) for a, b, c, w in self.planes)
        return replace(self, planes=planes, box=(z0, z1, y0, y1, x0, x1))


@dataclass
class _Parts:
    solids: list[Solid] = field(default_factory=list)

    def box(self, kind: int, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], **more) -> None:
        planes = ((1.0, 0.0, 0.0, -x[1]), (-1.0, 0.0, 0.0, x[0]), (0.0, 1.0, 0.0, -y[1]), (0.0, -1.0, 0.0, y[0]))
        planes += ((0.0, 0.0, 1.0, -z[1]), (0.0, 0.0, -1.0, z[0]))
        self.solids.append(Solid(planes, kind, (*x, *y, *z), **more))


def building_shape(draws: Draws, tags: Mapping[str, str]) -> tuple[dict[str, float], View]:
    """Measures of a building of a style, what stands around it, and the view."""
    style, roof = tags["style"], tags["roof"]
    floors = draws.whole("floors", *FLOORS[style])
    width = draws.between("width", *WIDTHS[style])
    depth = width * draws.between("depth", 0.60, 0.85)
    front = roof == "gable" and draws.chance("gable to the front", 0.35)
    shape = {
        "floors": float(floors),
        "storey": STOREYS[style],
        "spacing": SPACINGS[style],
        "width": width,
        "depth": depth,
        "height": STOREYS[style] * floors + (0.5 if floors > 2 else 0.3),
        "gable_front": float(front),
        "rise": _rise(draws, style, roof, (width if front else depth) / 2),
        "annex": 0.0,
        "chimney": float(style in ("house", "cottage") and draws.chance("chimney", 0.6)),
        "chimney_at": draws.between("chimney at", -0.5, 0.4),
        "tower": draws.between("tower size", 0.5, 0.7) * (style == "skyscraper" and draws.chance("tower", 0.5)),
        "balconies": 0.0 if tags["balconies"] == NONE else draws.between("balcony width", 0.5, 0.8),
        "hills": draws.between("hills", 0.05, 0.10) * draws.chance("any hills", 0.85),
        "hills_at": draws.unit("hills at"),
        "trees": float(draws.whole("trees", 0, TREES)),
    }
    if style == "house" and draws.chance("annex", 0.5):
        shape["annex"] = draws.between("annex width", 0.45, 0.65) * (1 if draws.chance("annex right", 0.5) else -1)
    for number in range(TREES):
        hand = -1 if number == draws.whole("first tree", 0, 1) else 1
        beside = width / 2 + draws.between(f"tree {number}", 2.4, 4.5)
        shape[f"tree{number}_x"] = hand * (beside + (width * 0.6 if shape["annex"] * hand > 0 else 0.0))
        shape[f"tree{number}_z"] = depth * draws.between(f"tree {number} z", -0.6, 0.4)
        shape[f"tree{number}_height"] = draws.between(f"tree {number} height", 3.2, 5.5)
        shape[f"tree{number}_turn"] = draws.between(f"tree {number} turn", 0.0, 6.28)
    return shape, _view(draws, style, solids(shape, roof))


def _rise(draws: Draws, style: str, roof: str, half: float) -> float:
    """Metres that a roof rises over half the width that it spans."""
    if roof == "flat":
        return 0.0
    low, high = (0.45, 0.75) if roof == "gable" else (0.40, 0.62)
    return draws.between("rise", low, high) * half * (0.6 if style == "warehouse" else 1.0)


def _view(draws: Draws, style: str, parts: list[Solid]) -> View:
    x0, x1, y0, y1, z0, z1 = zip(*(part.box for part in parts), strict=True)
    low, high = (min(x0), min(y0), min(z0)), (max(x1), max(y1), max(z1))
    yaw = draws.between("yaw", 0.30, 0.85) * (1 if draws.chance("looks right", 0.5) else -1)
    pitch = draws.between("pitch", 0.02, 0.20) * (0.5 if style == "skyscraper" else 1.0)
    view = View(yaw, pitch, 3 * (high[1] + high[0]), (0.0, high[1] * 0.46, 0.0), draws.between("field", 0.5, 0.8))
    fill = draws.between("fill", 0.62, 0.86)
    view = view.around(box_corners(low, high), (fill, fill))
    place = (draws.between("aside", -0.07, 0.07), draws.between("lower", -0.06, 0.03))
    return replace(view, place=place)


def solids(shape: Mapping[str, float], roof: str) -> list[Solid]:
    """The parts of a building; the first is its main walls, the second the annex where there is one."""
    parts = _Parts()
    x, z, height, storey = shape["width"] / 2, shape["depth"] / 2, shape["height"], shape["storey"]
    spacing = shape["spacing"]
    parts.box(WALL, (-x, x), (0.0, height), (-z, z), floors=shape["floors"], spacing=spacing, door=True)
    if shape["annex"]:
        reach = x + abs(shape["annex"]) * x * 1.2
        near, far = (x, reach) if shape["annex"] > 0 else (-reach, -x)
        parts.box(WALL, (near, far), (0.0, storey), (-0.6 * z, 0.85 * z), spacing=spacing)
        parts.box(FLAT, (near - 0.15, far + 0.15), (storey, storey + 0.28), (-0.6 * z - 0.18, 0.85 * z + 0.18))
    if roof == "gable":
        _gable(parts, x, z, height, shape["rise"], shape["gable_front"] > 0)
    elif roof == "hip":
        _hip(parts, x, z, height, shape["rise"])
    else:
        parts.box(FLAT, (-x - 0.15, x + 0.15), (height, height + 0.45), (-z - 0.15, z + 0.15))
    if shape["chimney"]:
        middle = shape["chimney_at"] * x
        parts.box(CHIMNEY, (middle - 0.4, middle + 0.4), (height, height + shape["rise"] + 0.7), (-0.9, -0.1))
    if shape["tower"]:
        k = shape["tower"]
        parts.box(
            WALL, (-x * k, x * k), (height + 0.4, height + 2.2 * storey), (-z * k, z * k), floors=2.0, spacing=spacing
        )
    if shape["balconies"]:
        _balconies(parts, x * shape["balconies"], z, shape)
    return parts.solids


def _gable(parts: _Parts, x: float, z: float, height: float, rise: float, front: bool) -> None:
    """An attic between two slabs that meet at the ridge and stand out over the walls."""
    if front:
        x, z = z, x
    slope = rise / z
    length = math.hypot(1.0, slope)
    top = height + slope * z
    walls: list[Solid] = []
    over, thick = 0.38, 0.17 * length
    sides = ((1.0, 0.0, 0.0, -x), (-1.0, 0.0, 0.0, -x), (0.0, -1.0, 0.0, height))
    slopes = tuple((0.0, 1.0 / length, hand * slope / length, -top / length) for hand in (1, -1))
    walls.append(Solid((*sides, *slopes), ATTIC, (-x, x, height, top, -z, z)))
    for hand in (1, -1):
        planes = (
            (0.0, 1.0 / length, hand * slope / length, -(top + thick) / length),
            (0.0, -1.0 / length, -hand * slope / length, (top + 0.01) / length),
            (0.0, 0.0, -float(hand), 0.0),
            (0.0, 0.0, float(hand), -(z + over)),
            (1.0, 0.0, 0.0, -(x + over)),
            (-1.0, 0.0, 0.0, -(x + over)),
        )
        walls.append(Solid(planes, ROOF, (-x - over, x + over, height, top + thick, -z - over, z + over)))
    parts.solids += [wall.turned() for wall in walls] if front else walls


def _hip(parts: _Parts, x: float, z: float, height: float, rise: float) -> None:
    over = 0.5
    parts.box(FLAT, (-x - over, x + over), (height - 0.16, height), (-z - over, z + over))
    slope = rise / min(x, z)
    length = math.hypot(1.0, slope)
    planes: list[Plane] = [(0.0, -1.0, 0.0, height)]
    for nx, nz, edge in ((1, 0, x), (-1, 0, x), (0, 1, z), (0, -1, z)):
        planes.append(
            (slope * nx / length, 1 / length, slope * nz / length, -(slope * (edge + over) + height) / length)
        )
    box = (-x - over, x + over, height, height + rise + slope * over, -z - over, z + over)
    parts.solids.append(Solid(tuple(planes), ROOF, box))


def _balconies(parts: _Parts, half: float, z: float, shape: Mapping[str, float]) -> None:
    """One on every floor but the lowest; on towers on every second one."""
    every = 2 if shape["floors"] > 7 else 1
    for floor in range(1, int(shape["floors"]), every):
        level = floor * shape["storey"]
        parts.box(BALCONY, (-half, half), (level - 0.1, level + 0.95), (z, z + 1.1))
