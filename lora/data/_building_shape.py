"""The form of a building: its measures, its solids, what stands around it, and the view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from . import _building_styles as styles
from ._camera import View, box_corners
from ._draws import Draws
from ._solids import (
    BALCONY,
    BEAM,
    BLOCK,
    CHIMNEY,
    FLAT,
    GLAZED,
    PATH,
    ROOF,
    STONE,
    WALL,
    WATER,
    Parts,
    Solid,  # fmt: skip
)
from ._yard import FENCE_GROUP, yard, yard_shape
from .grammar import NONE

STOREYS = {"house": 2.9, "cottage": 2.6, "apartment block": 3.0, "skyscraper": 3.4, "warehouse": 4.8}  # metres
FLOORS = {"house": (2, 2), "cottage": (1, 1), "apartment block": (3, 6), "skyscraper": (8, 12), "warehouse": (1, 1)}
WIDTHS = {"house": (8, 11), "cottage": (6, 8.5), "apartment block": (11, 18), "skyscraper": (13, 19)}
WIDTHS |= {"warehouse": (14, 20)}
SPACINGS = {"house": 2.4, "cottage": 2.4, "apartment block": 2.7, "skyscraper": 3.3, "warehouse": 4.0}
FRONTAL = 0.3  # of buildings are seen as people draw them first: from their front
FLAT_ONES = (PATH, WATER)


def building_shape(draws: Draws, tags: Mapping[str, str]) -> tuple[dict[str, float], View]:
    """Measures of a building of a style, what stands around it, and the view."""
    style = tags["style"]
    shape = styles.measures(draws, style) if style in styles.STYLES else _plain_measures(draws, tags)
    built = _built(shape, tags)
    x0, x1, _, top, z0, z1 = (
        f(v) for f, v in zip((min, max) * 3, zip(*(s.box for s in built), strict=True), strict=True)
    )
    if style in ("bridge", "suspension bridge"):
        low, high = (-shape["width"] / 2, -shape["depth"]), (shape["width"] / 2, shape["depth"])
    else:
        low, high = (x0, z0), (x1, z1)
    shape |= yard_shape(draws, tags, low, high, _door_x(shape, style), top)
    hills = {"mountains": (0.13, 0.20), "a forest": (0.05, 0.09), "a city": (0.07, 0.15)}.get(
        tags["behind"], (0.05, 0.10)
    )
    shape["hills"] = 0.0 if tags["behind"] == NONE else draws.between("hills", *hills)
    shape["hills_at"] = draws.unit("hills at")
    return shape, _view(draws, style, built, shape)


def _door_x(shape: Mapping[str, float], style: str) -> float:
    """Where the way to the door begins."""
    if style in ("house", "cottage"):
        columns = max(1, round(shape["width"] / shape["spacing"]))
        return -shape["width"] / 2 + (columns // 2 + 0.5) * shape["width"] / columns
    if style == "villa":
        return (0.08 * shape["width"] / 2 + 0.5) * (1 if shape["s0"] > 0.5 else -1)
    return 0.0


def _plain_measures(draws: Draws, tags: Mapping[str, str]) -> dict[str, float]:
    style, roof = tags["style"], tags["roof"]
    floors = draws.whole("floors", *FLOORS[style])
    width = draws.between("width", *WIDTHS[style])
    depth = width * draws.between("depth", 0.60, 0.85)
    front = roof == "gable" and draws.chance("gable to the front", 0.35)
    home = style in ("house", "cottage")
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
        "chimney": float(home and draws.chance("chimney", 0.6)),
        "chimney_at": draws.between("chimney at", -0.5, 0.4),
        "tower": draws.between("tower size", 0.5, 0.7) * (style == "skyscraper" and draws.chance("tower", 0.5)),
        "balconies": 0.0 if tags["balconies"] == NONE else draws.between("balcony width", 0.5, 0.8),
        "dormers": float(home and roof == "gable" and not front and draws.chance("dormers", 0.45)),
        "porch": float(home and draws.chance("porch", 0.35)),
    }
    if style == "house" and draws.chance("annex", 0.5):
        shape["annex"] = draws.between("annex width", 0.45, 0.65) * (1 if draws.chance("annex right", 0.5) else -1)
    return shape


def _rise(draws: Draws, style: str, roof: str, half: float) -> float:
    """Metres that a roof rises over half the width that it spans."""
    if roof == "flat":
        return 0.0
    low, high = (0.45, 0.75) if roof == "gable" else (0.40, 0.62)
    return draws.between("rise", low, high) * half * (0.6 if style == "warehouse" else 1.0)


def _view(draws: Draws, style: str, parts: list[Solid], shape: Mapping[str, float]) -> View:
    hand = 1 if draws.chance("looks right", 0.5) else -1
    field = draws.between("field", 0.5, 0.8)
    if style == "street":
        eye = draws.between("eye", 1.7, 3.4)
        yaw, aside = hand * draws.between("yaw", 0.0, 0.07), draws.between("eye aside", -1.6, 1.6)
        view = View(
            yaw, draws.between("pitch", -0.02, 0.02), 10.0, (aside, eye, 0.0), draws.between("field", 0.95, 1.2)
        )
        return replace(view, place=(0.0, draws.between("lower", -0.08, 0.06)))
    boxes = [part.box for part in parts if part.kind not in FLAT_ONES]
    x0, x1, y0, y1, z0, z1 = zip(*boxes, strict=True)
    low, high = (min(x0), min(y0), min(z0)), (max(x1), max(y1), max(z1))
    if style in ("bridge", "suspension bridge"):
        reach = (0.5 if style == "bridge" else 0.62) * shape["width"]
        low, high = (-reach, 0.0, low[2]), (reach, high[1], high[2])
    frontal = draws.chance("frontal", FRONTAL)
    yaw = draws.between("yaw", 0.30, 0.85) * hand
    pitch = draws.between("pitch", 0.02, 0.20)
    if frontal:
        yaw, pitch = hand * draws.between("yaw", 0.0, 0.06), draws.between("pitch", 0.0, 0.07)
    if high[1] > 15:
        pitch *= 0.4
    view = View(yaw, pitch, 3 * (high[1] + high[0]), (0.0, high[1] * 0.46, 0.0), field)
    fill = draws.between("fill", 0.54, 0.74) if frontal else draws.between("fill", 0.58, 0.84)
    fill = min(0.95, fill * 1.2) if style in ("bridge", "suspension bridge") else fill
    view = view.around(box_corners(low, high), (fill, min(fill, 0.8)))
    return replace(view, place=(draws.between("aside", -0.07, 0.07), draws.between("lower", -0.06, 0.03)))


def solids(shape: Mapping[str, float], tags: Mapping[str, str]) -> list[Solid]:
    """All parts of a building and of its yard; the first is its main walls."""
    parts = Parts(_built(shape, tags))
    yard(parts, shape, tags)
    return parts.solids


def covered(shape: Mapping[str, float], tags: Mapping[str, str]) -> list[tuple[float, float, float, float]]:
    """x and z from where to where of everything that stands or lies on the ground; no grass grows there."""
    low = (solid.box for solid in solids(shape, tags) if solid.box[2] < 0.5 and solid.group != FENCE_GROUP)
    return [(x0, x1, z0, z1) for x0, x1, _, _, z0, z1 in low]


def _built(shape: Mapping[str, float], tags: Mapping[str, str]) -> list[Solid]:
    if tags["style"] in styles.STYLES:
        return styles.solids(tags["style"], shape, tags["roof"]).solids
    roof, parts = tags["roof"], Parts()
    x, z, height, storey = shape["width"] / 2, shape["depth"] / 2, shape["height"], shape["storey"]
    spacing = shape["spacing"]
    parts.box(WALL, (-x, x), (0.0, height), (-z, z), floors=shape["floors"], spacing=spacing, door=5)
    if roof == "gable":
        parts.pitched((-x, x), (-z, z), height, shape["rise"], shape["gable_front"] > 0)
    elif roof == "hip":
        over = 0.5
        parts.box(FLAT, (-x - over, x + over), (height - 0.16, height), (-z - over, z + over))
        rise = shape["rise"] * (1 + over / min(x, z))
        parts.pyramid(ROOF, (-x - over, x + over), (height, height + rise), (-z - over, z + over))
    else:
        parts.box(FLAT, (-x - 0.15, x + 0.15), (height, height + 0.45), (-z - 0.15, z + 0.15))
    if shape["annex"]:
        reach = x + abs(shape["annex"]) * x * 1.2
        near, far = (x, reach) if shape["annex"] > 0 else (-reach, -x)
        parts.box(WALL, (near, far), (0.0, storey), (-0.6 * z, 0.85 * z), spacing=spacing)
        parts.box(FLAT, (near - 0.15, far + 0.15), (storey, storey + 0.28), (-0.6 * z - 0.18, 0.85 * z + 0.18))
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
    if shape["dormers"]:
        _dormers(parts, x, z, shape)
    if shape["porch"]:
        _porch(parts, _door_x(shape, tags["style"]), z)
    return parts.solids


def _balconies(parts: Parts, half: float, z: float, shape: Mapping[str, float]) -> None:
    """One on every floor but the lowest; on towers on every second one."""
    every = 2 if shape["floors"] > 7 else 1
    for floor in range(1, int(shape["floors"]), every):
        level = floor * shape["storey"]
        parts.box(BALCONY, (-half, half), (level - 0.1, level + 0.95), (z, z + 1.1))


def _dormers(parts: Parts, x: float, z: float, shape: Mapping[str, float]) -> None:
    """Two little houses in the front slope of a roof."""
    low = shape["height"] + 0.28 * shape["rise"]
    high = shape["height"] + 0.82 * shape["rise"]
    front = z * (1 - 0.26)
    for hand in (-1, 1):
        at = hand * 0.45 * x
        parts.box(BLOCK, (at - 0.75, at + 0.75), (low, high - 0.35), (0.0, front))
        parts.pitched((at - 0.75, at + 0.75), (0.0, front), high - 0.35, 0.55, True, 0.18)
        parts.box(GLAZED, (at - 0.45, at + 0.45), (low + 0.28, high - 0.5), (front - 0.03, front + 0.04), spacing=0.45)


def _porch(parts: Parts, door: float, z: float) -> None:
    """A roof on two posts before the door, and its floor."""
    parts.box(STONE, (door - 1.5, door + 1.5), (0.0, 0.16), (z, z + 1.7))
    for hand in (-1, 1):
        post = door + hand * 1.3
        parts.box(BEAM, (post - 0.07, post + 0.07), (0.16, 2.45), (z + 1.45, z + 1.59))
    parts.box(FLAT, (door - 1.6, door + 1.6), (2.45, 2.65), (z, z + 1.8))
