"""What a landscape is: where everything lies, in picture sizes from the middle and from the horizon, and the view."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ._camera import View
from ._draws import Draws
from ._place_words import COASTS
from .grammar import NONE

FIELD = 0.8
EYE = 1.6  # metres above the ground
TREES, ROCKS, HOUSES, BUSHES = 9, 6, 5, 7  # at most
GROUP = 3  # trees that stand together, at most
FENCE_HIGH = 0.21  # of the eye's height; hedges are as high
BANDS = {"a river": (0.9, 1.5, 3.2), "a road": (0.75, 0.9, 1.6), "a path": (0.22, 0.32, 2.0)}
"""Half of the breadth of what winds to the viewer, from where to where, and how far it swings; in metres."""
_TALL = {"palms": 1.35, "conifers": 1.2, "birches": 1.0, "bare trees": 0.95}  # against other trees


def landscape_shape(draws: Draws, tags: Mapping[str, str]) -> tuple[dict[str, float], View]:
    """Where everything is, and the view."""
    horizon = draws.one_of("horizon at", {0.0: 0.5, -0.17: 0.25, 0.13: 0.25}) + draws.between("horizon", -0.07, 0.07)
    below = 0.5 + horizon  # what there is of the ground
    coast = tags["far"] in COASTS
    shape = {
        "ridge_at": draws.unit("ridge"),
        "shore": draws.between("shore", 0.12, 0.22),
        "rocks": float(draws.whole("rocks", 3, ROCKS)) if tags["near"] == "rocks" else 0.0,
        "trees": float(sum(_groups(draws))) if tags["trees"] != NONE else 0.0,
        "bushes": float(draws.whole("bushes", 3, BUSHES)) if tags["plants"] == "bushes" else 0.0,
        "fence": float(tags["fence"] != NONE),
        "houses": float(draws.whole("houses", 3, HOUSES)) if tags["houses"] != NONE else 0.0,
        "cliff_side": -1.0 if draws.chance("cliff left", 0.5) else 1.0,
        "cliff_high": draws.between("cliff high", 0.12, 0.26),
        **_band(draws, tags),
        **_lake(draws, tags, below),
    }
    nearest = max(
        shape["shore"] + 0.07 if coast else 0.0,
        0.03 - shape["lake_y"] + shape["lake_high"] if tags["water"] == "a lake" else 0.0,
    )
    nearest = min(nearest, 0.8 * below)
    shape |= _trees(draws, tags, shape, nearest, below)
    shape |= _middle_distance(draws, shape, nearest, below)
    for number in range(ROCKS):
        foot = max(draws.between(f"rock {number} foot", 0.55, 0.95) * below, nearest)
        shape[f"rock{number}_x"] = _beside(shape, draws.between(f"rock {number}", -0.48, 0.48), -foot)
        shape[f"rock{number}_foot"] = -foot
        shape[f"rock{number}_size"] = foot * draws.between(f"rock {number} size", 0.12, 0.30)
        shape[f"rock{number}_turn"] = draws.between(f"rock {number} turn", 0.0, 6.28)
    middle = draws.between("village", -0.25, 0.25)
    for number in range(HOUSES):
        foot = (
            nearest + (0.35 * below - nearest) * draws.between(f"house {number} foot", 0.12, 0.45)
            if nearest < 0.3 * below
            else nearest
        )
        x = middle + 0.105 * (number - 2) + draws.between(f"house {number}", -0.02, 0.02)
        shape[f"house{number}_x"] = _beside(shape, x, -foot)
        shape[f"house{number}_foot"] = -foot
        shape[f"house{number}_size"] = foot * draws.between(f"house {number} size", 0.75, 1.15)
        shape[f"house{number}_turn"] = draws.between(f"house {number} turn", -0.6, 0.6)
    return shape, View(0.0, 0.0, 0.0, (0.0, EYE, 0.0), FIELD, place=(0.0, horizon))


def _groups(draws: Draws) -> list[int]:
    """How many trees each group has, the nearest first."""
    count = draws.one_of("groups", {1: 0.25, 2: 0.40, 3: 0.35})
    return [draws.whole(f"group {group}", 1 if group == 0 else 2, GROUP) for group in range(count)]


def _trees(
    draws: Draws, tags: Mapping[str, str], shape: Mapping[str, float], nearest: float, below: float
) -> dict[str, float]:
    """Groups of trees, each in another third of the picture and the later ones far off."""
    found, sizes, number = {}, _groups(draws), 0
    sizes = [*sizes, TREES - sum(sizes)]  # those that are too many are drawn, too, and are never shown
    for group, size in enumerate(sizes):
        third = (group + draws.whole("first tree", 0, 2)) % 3
        low, high = ((0.26, 0.80), (0.10, 0.26), (0.05, 0.14))[min(group, 2)]
        middle = (third - 1) * 0.31 + draws.between(f"group {group} at", -0.13, 0.13)
        away = draws.between(f"group {group} foot", low, high)
        hand = 1 if draws.chance(f"group {group} grows right", 0.5) else -1
        for member in range(size):
            near = min(0.88, away * draws.between(f"tree {number} foot", 0.72, 1.30))
            foot = nearest + (below - nearest) * near
            tall = foot * draws.between(f"tree {number} height", 0.95, 1.75) * _TALL.get(tags["trees"], 1.0)
            apart = (0, 1, -1)[member % GROUP] * hand * draws.between(f"tree {number}", 0.42, 0.85)
            found[f"tree{number}_foot"] = -foot
            found[f"tree{number}_x"] = _beside(shape, middle + apart * min(tall, 0.42), -foot)
            found[f"tree{number}_height"] = tall
            found[f"tree{number}_turn"] = draws.between(f"tree {number} turn", 0.0, 6.28)
            number += 1
    return found


def _middle_distance(draws: Draws, shape: Mapping[str, float], nearest: float, below: float) -> dict[str, float]:
    """Bushes in two clumps, and where a fence or a hedge runs across the picture."""
    found = {
        "fence_foot": -(nearest + (below - nearest) * draws.between("fence", 0.20, 0.44)),
        "fence_slope": draws.between("fence's slope", -0.10, 0.10),
    }
    clumps = [draws.between(f"bushes {k}", -0.42, 0.42) for k in (0, 1)]
    depths = [draws.between(f"bushes {k} foot", *reach) for k, reach in ((0, (0.09, 0.2)), (1, (0.22, 0.5)))]
    for number in range(BUSHES):
        clump = number % 2
        foot = nearest + (below - nearest) * depths[clump] * draws.between(f"bush {number} foot", 0.8, 1.25)
        x = clumps[clump] + draws.between(f"bush {number}", -0.55, 0.55) * foot
        found[f"bush{number}_foot"] = -foot
        found[f"bush{number}_x"] = _beside(shape, x, -foot)
        found[f"bush{number}_height"] = foot * draws.between(f"bush {number} height", 0.16, 0.38)
        found[f"bush{number}_turn"] = draws.between(f"bush {number} turn", 0.0, 6.28)
    return found


def _band(draws: Draws, tags: Mapping[str, str]) -> dict[str, float]:
    """A river, a road or a path that comes from far to the viewer."""
    name = tags["water"] if tags["water"] == "a river" else tags["way"]
    low, high, swing = BANDS.get(name, (0.0, 0.0, 0.0))
    straight = name == "a road" and draws.chance("straight road", 0.5)
    return {
        "band": draws.between("band", low, high),
        "band_x": draws.between("band at", -1.2, 1.2),
        "band_far": draws.between("band far", -0.12, 0.12),
        "band_swing": 0.0 if straight else swing * draws.between("band swings", 0.6, 1.2),
        "band_long": draws.between("band's waves", 7.0, 12.0),
        "band_turn": draws.between("band's turn", 0.0, 6.28),
    }


def _lake(draws: Draws, tags: Mapping[str, str], below: float) -> dict[str, float]:
    """An ellipse of the picture below the horizon."""
    high = draws.between("lake high", 0.06, 0.15) * min(1.0, below / 0.4)
    return {
        "lake": float(tags["water"] == "a lake"),
        "lake_high": high,
        "lake_y": -(high + draws.between("lake below", 0.012, 0.03)),
        "lake_x": draws.between("lake at", -0.25, 0.25),
        "lake_wide": draws.between("lake wide", 0.38, 0.8),
    }


def lake_edge(shape: Mapping[str, float], turn: np.ndarray) -> np.ndarray:
    """(N,) how far a lake's shore is from its middle, against its ellipse, at angles ``turn`` (N,) in the picture."""
    at = 40.0 * shape["ridge_at"]
    bays = 0.16 * np.sin(2 * turn + at) + 0.12 * np.sin(3 * turn + 2.3 * at)
    bays += 0.08 * np.sin(5 * turn + 3.1 * at) + 0.05 * np.sin(9 * turn + 5.7 * at)
    return 1 + bays * np.where(np.sin(turn) < 0, 0.55, 1.0)  # less on the near side, where trees stand


def band_middle(shape: Mapping[str, float], away: float) -> float:
    """Metres to the right of the view axis of the middle of a band, ``away`` metres off."""
    share = min(1.0, away / 14.0)
    wave = math.sin(away / shape["band_long"] * 2.2 + shape["band_turn"]) - math.sin(shape["band_turn"])
    return shape["band_x"] * (1 - share) + shape["band_far"] * away * 0.8 + shape["band_swing"] * share * wave


def _beside(shape: Mapping[str, float], x: float, foot: float) -> float:
    """``x``, or where it would stand in a band, beside it."""
    if not shape["band"]:
        return x
    spread = 2 * math.tan(FIELD / 2)
    away = EYE / max(-foot * spread, 1e-3)
    middle, clear = band_middle(shape, away) / (away * spread), (shape["band"] + 0.35) / (away * spread)
    if abs(x - middle) >= clear:
        return x
    return middle + clear * (1 if x >= middle else -1)
