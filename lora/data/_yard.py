"""What stands around a building: a path to its door, a fence or a hedge, trees, bushes and flowers."""

from __future__ import annotations

from collections.abc import Mapping

from ._draws import Draws
from ._solids import BED, FENCE, HEDGE, PATH, Parts, ends
from .grammar import NONE

TREES, BUSHES = 5, 5  # at most
HEIGHTS = {"trees": (5.5, 10.0), "conifers": (6.0, 12.0), "birches": (6.0, 10.0), "bare trees": (5.0, 8.5),
           "palms": (6.0, 9.5)}  # fmt: skip
FENCE_GROUP, PATH_GROUP = 40, 41
FENCE_HIGH, HEDGE_HIGH = 1.05, 1.25


def yard_shape(draws: Draws, tags: Mapping[str, str], low: tuple[float, float], high: tuple[float, float],
               door: float, top: float) -> dict[str, float]:  # fmt: skip
    """Where everything is; ``low`` and ``high`` are x and z of the corners of what is built, ``door`` is its x,
    and ``top`` metres its height."""
    front = high[1] + draws.between("yard before", 5.0, 8.0)
    shape = {
        "yard_x": high[0] - low[0] + draws.between("yard beside", 5.0, 10.0),
        "yard_front": front,
        "door_x": door,
        "door_z": high[1],
        "path_bend": draws.between("path bends", -1.6, 1.6),
        "trees": 0.0 if tags["trees"] == NONE else float(draws.whole("trees", 1, TREES)),
        "bushes": 0.0 if tags["plants"] != "bushes" else float(draws.whole("bushes", 2, BUSHES)),
    }
    size = max(1.0, (high[0] - low[0]) / 22.0)
    for number in range(TREES):
        hand = -1 if (number + draws.whole("first tree", 0, 1)) % 2 else 1
        beside = draws.between(f"tree {number}", 2.2, 7.0) * size
        shape[f"tree{number}_x"] = high[0] + beside if hand > 0 else low[0] - beside
        behind = number > 1 or draws.chance(f"tree {number} behind", 0.55)
        z = draws.between(f"tree {number} z", -1.9, 0.2) if behind else draws.between(f"tree {number} z", 0.0, 1.0)
        shape[f"tree{number}_z"] = z * (high[1] - low[1]) / 2 + (low[1] + high[1]) / 2
        tall = draws.between(f"tree {number} height", *HEIGHTS.get(tags["trees"], (5.0, 9.0)))
        shape[f"tree{number}_height"] = tall * max(1.0, min(1.8, (top / 9.0) ** 0.5))
        shape[f"tree{number}_turn"] = draws.between(f"tree {number} turn", 0.0, 6.28)
    for number in range(BUSHES):
        hand = -1 if number % 2 else 1
        along = door + hand * (1.6 + (number // 2 + 0.5) * draws.between(f"bush {number}", 1.3, 1.9))
        shape[f"bush{number}_x"] = along
        shape[f"bush{number}_z"] = high[1] + draws.between(f"bush {number} z", 0.7, 1.2)
        shape[f"bush{number}_height"] = draws.between(f"bush {number} height", 0.8, 1.5)
        shape[f"bush{number}_turn"] = draws.between(f"bush {number} turn", 0.0, 6.28)
    return shape


def yard(parts: Parts, shape: Mapping[str, float], tags: Mapping[str, str]) -> None:
    """Add the solids of path and fence."""
    door, begin, front = shape["door_x"], shape["door_z"], shape["yard_front"]
    if tags["path"] != NONE:
        steps, end = 8, front + 9.0
        for k in range(steps):
            a, b = (begin + (end - begin) * n / steps for n in (k, k + 1))
            aside = [door + shape["path_bend"] * (n / steps) ** 2 for n in (k, k + 1)]
            wide = 0.62 + 0.03 * k
            _slanted(parts, (a, b), (aside[0], aside[1]), wide)
    if tags["plants"] == "flowers":
        for hand in (-1, 1):
            x = ends(door + hand * 1.3, door + hand * min(4.2, 0.5 * shape["yard_x"] - 1.0))
            parts.box(BED, x, (0.0, 0.42), (begin + 0.35, begin + 1.15))
    half = shape["yard_x"] / 2
    gate = (door - 1.0, door + 1.0)
    if tags["fence"] == "a fence":
        for x0, x1 in ((-half, gate[0]), (gate[1], half)):
            for level in (0.30, 0.78):
                parts.box(FENCE, (x0, x1), (level, level + 0.12), (front - 0.03, front + 0.03), group=FENCE_GROUP)
            count = max(2, round((x1 - x0) / 0.42))
            for k in range(count + 1):
                at = x0 + (x1 - x0 - 0.14) * k / count
                parts.box(FENCE, (at, at + 0.14), (0.0, FENCE_HIGH), (front + 0.03, front + 0.07), group=FENCE_GROUP)
    elif tags["fence"] == "a hedge":
        for x in ((-half, gate[0]), (gate[1], half)):
            parts.box(HEDGE, x, (0.0, HEDGE_HIGH), (front - 0.4, front + 0.4))


def _slanted(parts: Parts, z: tuple[float, float], aside: tuple[float, float], wide: float) -> None:
    """A piece of a path from (aside[0], z[0]) to (aside[1], z[1])."""
    along = Parts()
    along.sloped(
        PATH, z, (aside[0] - wide, aside[1] - wide), (aside[0] + wide, aside[1] + wide), (0.0, 0.025), group=PATH_GROUP
    )
    for solid in along.solids:  # x, y and z of it are z, x and y of the path
        x0, x1, y0, y1, z0, z1 = solid.box
        planes = tuple((b, c, a, w) for a, b, c, w in solid.planes)
        parts.solids.append(type(solid)(planes, PATH, (y0, y1, z0, z1, x0, x1), group=PATH_GROUP))
