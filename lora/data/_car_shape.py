"""Measures of a car of a style, and where it is seen from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from ._camera import View, box_corners
from ._car_styles import DESIGNS, FOUR_DOORS, GRILLES, LAMPS, LOW, ROUND, SPOKES, STYLES, TAILS, UPRIGHT, Measures
from ._draws import Draws
from .grammar import INSIDE, STUDIO

YAWS = {  # radians around the car; 0 is its left side, then its front
    "side": (-0.14, 0.14),
    "front three-quarter": (0.50, 1.00),
    "rear three-quarter": (-1.00, -0.50),
    "front": (1.38, 1.57),
    "rear": (-1.57, -1.38),
}
_NEAR = 0.04  # of a measure, by which cars of a style differ


def car_shape(draws: Draws, tags: Mapping[str, str]) -> tuple[dict[str, float], View]:
    """Measures of a car of a style, what is behind it, and the view."""
    style = tags["style"]
    shape = _measures(draws, style)
    shape |= _designs(draws, style)
    ground = tags["ground"]
    open_country = ground not in (STUDIO, *INSIDE, "city street") and draws.chance("any hills", 0.85)
    shape["hills"] = draws.between("hills", 0.05, 0.10) if open_country else 0.0
    shape["hills_at"] = draws.unit("hills at")
    shape["marks"] = float(ground in ("road", "mountain road") and draws.chance("marks", 0.5))
    yaw = draws.between("yaw", *YAWS[tags["view"]])
    if draws.chance("looks left", 0.5):
        yaw = math.pi - yaw
    view = View(
        yaw,
        draws.between("pitch", 0.03, 0.20),
        8.0,
        (0.0, shape["roof"] * 0.46, 0.0),
        draws.between("field", 0.42, 0.66),
    )
    fill = draws.between("fill", 0.72, 0.95)
    half, width = shape["half"], shape["width"]
    view = view.around(box_corners((-half, 0.0, -width), (half, shape["roof"], width)), (fill, 0.74 * fill))
    free = (1 - fill) / 2
    place = (draws.between("aside", -0.8, 0.8) * free, draws.between("lower", -0.16, 0.02))
    return shape, replace(view, place=place)


def _measures(draws: Draws, style: str) -> dict[str, float]:
    """Where everything of a body is; x is counted from the middle of its length."""
    usual = STYLES[style]._asdict()
    m = Measures(**{name: value * draws.between(f"measure {name}", 1 - _NEAR, 1 + _NEAR)
                    for name, value in usual.items()})  # fmt: skip
    # What belongs together stays together.
    lift = m.belt / usual["belt"]
    m = m._replace(cowl=usual["cowl"] * lift, deck=usual["deck"] * lift, nose=usual["nose"] * lift,
                   foot=usual["foot"] + m.base - usual["base"])  # fmt: skip
    length = m.ahead + m.base + m.behind
    half = length / 2
    front = half - m.ahead
    rear = front - m.base
    foot = front - m.foot
    top = foot - m.run
    four = float(style in FOUR_DOORS)
    end, rear_foot = rear + m.roof_end, rear + m.rear_foot
    last = min(rear + (0.30 if four else 0.42), top - 0.9)  # where the side glass ends
    if style in UPRIGHT:
        last = rear_foot + 0.12
    middle = top - (0.52 if four else 0.80)
    if style == "limousine":
        middle = top - 0.50
    if style in LOW:
        middle = min(top - 0.30, foot - 1.38)
    if style == "van":
        middle = foot - 1.62
    kept = {name: getattr(m, name) for name in ("wheel", "width", "roof", "clearance", "nose", "cowl", "belt", "deck",
                                                "tumble", "shoulder", "flare", "crest")}  # fmt: skip
    return kept | {
        "length": length,
        "half": half,
        "front": front,
        "rear": rear,
        "screen_foot": foot,
        "screen_top": top,
        "roof_end": end,
        "rear_foot": rear_foot,
        "glass_end": last,
        "middle": middle,
        "four_doors": four,
        **{name: float(style == name) for name in ("pickup", "van", "roadster", "bus", "limousine")},
        "upright": float(style in UPRIGHT),
        "low": float(style in LOW),
        "round": float(style in ROUND),
        "race": float(style == "race car"),
        "mid_engine": float(style in ("supercar", "race car")),
    }


def _designs(draws: Draws, style: str) -> dict[str, float]:
    """Which of the style's wheels, lamps and grilles it has, as numbers."""
    wheels, heads, tails, grilles = DESIGNS[style]
    return {
        "spokes": float(SPOKES[draws.one_of("wheels", wheels)]),
        "head_design": float(LAMPS[draws.one_of("headlamps", heads)]),
        "tail_design": float(TAILS[draws.one_of("tail lamps", tails)]),
        "grille_design": float(GRILLES[draws.one_of("grille", grilles)]),
        "crease": draws.between("crease", 0.6, 1.3),
    }


def view_word(yaw: float) -> str:
    """What the view from a yaw is called."""
    forward = math.asin(max(-1.0, min(1.0, math.sin(yaw))))
    if abs(forward) < 0.32:
        return "side"
    where = "front" if forward > 0 else "rear"
    return where if abs(forward) > 1.2 else f"{where} three-quarter"
