"""Wheels for the path tracer: tyres, rims of several designs, brakes, and the dark around them."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from ._blender import Stage
from ._car_styles import SPOKES
from ._scene import Scene
from ._shader import Shader, plain
from ._solid_mesh import Faces

RIM = 0.735  # of a wheel's radius
Point = tuple[float, float, float]


def put_wheels(stage: Stage, scene: Scene, part: int) -> None:
    """Four wheels in their houses; ``part`` is the first one's number."""
    s = scene.shape
    r = s["wheel"]
    rubber, disc = _rubber(stage), plain(stage, "disc", (0.30, 0.29, 0.28), 0.32, 1.0)
    bright = s["spokes"] != SPOKES["multi"]
    alloy = plain(
        stage, "alloy", (0.60, 0.61, 0.63) if bright else (0.045, 0.046, 0.048), 0.20, 1.0 if bright else 0.6, 0.5
    )
    dark = plain(stage, "hub", (0.012, 0.012, 0.012), 0.6)
    calliper = plain(stage, "calliper", (0.35, 0.012, 0.01) if s["low"] else (0.10, 0.10, 0.105), 0.35, coat=0.6)
    rim = RIM * r if not s["round"] else 0.62 * r
    tyre = [(rim - 0.01, -0.10), (rim + 0.010, -0.112), (0.5 * (rim + r), -0.124), (0.93 * r, -0.119),
            (0.975 * r, -0.104), (r, -0.082)]  # fmt: skip
    for k in range(4):  # grooves around the tread
        at = -0.06 + 0.04 * k
        tyre += [(r, at - 0.008), (r - 0.008, at - 0.006), (r - 0.008, at + 0.006), (r, at + 0.008)]
    tyre += [(radius, -z) for radius, z in tyre[:6][::-1]]
    barrel = [(rim - 0.040, -0.10), (rim - 0.030, 0.060), (rim - 0.020, 0.094), (rim - 0.008, 0.106)]
    barrel += [(rim + 0.003, 0.113), (rim + 0.007, 0.106), (rim, -0.10)]
    for hand in (1, -1):
        for number, x in enumerate((s["front"], s["rear"])):
            centre = (x, r, hand * (s["width"] + 0.3 * s["flare"] - 0.028 - 0.118))
            here = part + 4 * number + 2 * (hand > 0)
            ring, metal, brake, back = Faces(), Faces(), Faces(), Faces()
            ring.lathe(tyre, 80, centre, hand)
            metal.lathe(barrel, 72, centre, hand)
            metal.lathe([(0.001, 0.090), (0.10 * r, 0.088), (0.17 * r, 0.078), (0.185 * r, 0.060)], 32, centre, hand)
            brake.lathe([(0.001, 0.005), (0.18 * r, 0.005), (0.18 * r, -0.005), (0.60 * r, -0.005), (0.60 * r, -0.03)],
                        56, centre, hand)  # fmt: skip
            back.lathe([(0.001, -0.06), (rim, -0.06)], 32, centre, hand)
            design = _disc if s["spokes"] == SPOKES["disc"] else _spokes
            metal = metal.joined(design(int(s["spokes"]), rim, centre, hand, number + 0.31 * hand))
            grip = Faces()
            _grip(grip, 0.46 * r, 0.63 * r, centre, hand)
            stage.faces("tyre", ring, rubber, "wheel", here, smooth=50)
            stage.faces("rim", metal, alloy, "wheel", here + 1, smooth=35)
            stage.faces("brake", brake, disc, "wheel", here + 1, smooth=35)
            stage.faces("grip", grip, calliper, "wheel", here + 1, smooth=35)
            stage.faces("back", back, dark, "wheel", here + 1)
            stage.faces("house", _house(s, x, hand), dark, "body", 20)


def _house(s: Any, x: float, hand: float) -> Faces:
    """The inside of a wing: an arch closed towards the car's middle."""
    radius, house = s["wheel"] * 1.15, Faces()
    outer, inner = hand * (s["width"] - 0.08), hand * (s["width"] - 0.36)
    ring = [
        (x + radius * math.cos(a), s["wheel"] + radius * math.sin(a)) for a in np.linspace(-0.35, math.pi + 0.35, 28)
    ]
    for (x0, y0), (x1, y1) in pairwise(ring):
        house.polygon([(x0, y0, outer), (x1, y1, outer), (x1, y1, inner), (x0, y0, inner)])
    house.polygon([(a, b, inner) for a, b in ring])
    return house


def _grip(faces: Faces, low: float, high: float, centre: Point, hand: float) -> None:
    """A brake calliper: a part of a ring behind the spokes."""
    angles = np.linspace(2.5, 3.5, 8)
    for a, b in pairwise(angles):
        ring = [(centre[0] + r * math.cos(t), centre[1] + r * math.sin(t), centre[2] + hand * 0.022)
                for r, t in ((low, a), (high, a), (high, b), (low, b))]  # fmt: skip
        faces.polygon(ring if hand > 0 else ring[::-1])


_BARS = {  # rows of bars: how many, how broad at hub and rim, how far their ends turn aside
    "five": ((5, 0.40, 0.26, 0.0),),
    "twin": ((5, 0.15, 0.11, 0.22), (5, 0.15, 0.11, -0.22)),
    "multi": ((16, 0.085, 0.06, 0.0),),
    "mesh": ((12, 0.075, 0.055, 0.30), (12, 0.075, 0.055, -0.30)),
}


def _spokes(design: int, rim: float, centre: Point, hand: float, turn: float) -> Faces:
    """Bars from the hub to the rim, hollowed a little."""
    spokes = Faces()
    name = next(each for each, number in SPOKES.items() if number == design)
    for count, broad, narrow, aside_by in _BARS[name]:
        for k in range(count):
            angle = 2 * math.pi * (k + turn) / count + 0.3
            rings = []
            for at, width, front, deep in ((0.16, broad, 0.086, 0.05), (0.55, 0.6 * broad + 0.4 * narrow, 0.074, 0.035),
                                           (0.985, narrow, 0.092, 0.03)):  # fmt: skip
                swung = angle + aside_by * max(at - 0.16, 0) * (1 if name == "mesh" else 0.9)
                out = np.array([math.cos(swung), math.sin(swung)])
                aside = np.array([-out[1], out[0]])
                section = [(-0.5, front - 0.016), (-0.30, front), (0.30, front), (0.5, front - 0.016),
                           (0.5, front - deep), (-0.5, front - deep)]  # fmt: skip
                rings.append([(*(centre[:2] + out * rim * at + aside * rim * share * width), centre[2] + hand * z)
                              for share, z in section])  # fmt: skip
            for one, two in pairwise(rings):
                for a in range(6):
                    b = (a + 1) % 6
                    ring = [one[a], two[a], two[b], one[b]]
                    spokes.polygon(ring if hand > 0 else ring[::-1])
    return spokes


def _disc(design: int, rim: float, centre: Point, hand: float, turn: float) -> Faces:
    """A pressed disc with a raised middle and slots at its border."""
    disc = Faces()
    disc.lathe([(0.10, 0.080), (0.36 * rim, 0.078), (0.50 * rim, 0.052), (0.70 * rim, 0.056), (0.76 * rim, 0.062)], 64,
               centre, hand)  # fmt: skip
    count = 12
    for k in range(count):
        a, b = (2 * math.pi * (k + turn + share) / count for share in (0.0, 0.58))
        for one, two in pairwise(np.linspace(a, b, 4)):
            ring = [(centre[0] + r * math.cos(t), centre[1] + r * math.sin(t), centre[2] + hand * z)
                    for r, z, t in ((0.76 * rim, 0.062, one), (rim - 0.01, 0.085, one), (rim - 0.01, 0.085, two),
                                    (0.76 * rim, 0.062, two))]  # fmt: skip
            disc.polygon(ring if hand > 0 else ring[::-1])
    return disc


def _rubber(stage: Stage) -> Any:
    s = Shader(stage, "tyre")
    return s.done(
        s.surface(Base_Color=(0.014, 0.014, 0.015), Roughness=0.58, Normal=s.bump(s.noise(s.place(), 80), 0.0015))
    )
