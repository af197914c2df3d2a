"""Bridges and streets: what is put together along a line."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ._solids import BEAM, BLOCK, CHIMNEY, FLAT, LAMP, MARK, PATH, ROAD, STONE, WALL, WATER, Parts, ends

Shape = Mapping[str, float]
HOUSES = 5  # on each side of a street


def bridge(p: Parts, s: Shape, roof: str) -> None:
    x, z, deck = s["width"] / 2, s["depth"] / 2, s["height"]
    arches = 3 if s["s0"] > 0.35 else 2
    pier = 1.8
    opening = (2 * x - 6.0 - (arches - 1) * pier) / arches
    crown = deck - 1.2
    radius = opening / 2
    flat = min(1.0, (crown - 0.6) / radius)
    begin = -x + 3.0
    p.box(BLOCK, (-x - 14, begin), (0.0, deck), (-z, z), group=1)
    for arch in range(arches):
        left = begin + arch * (opening + pier)
        steps = 8
        for k in range(steps):
            a, b = (left + opening * 0.5 * (1 - math.cos(math.pi * n / steps)) for n in (k, k + 1))
            low = [crown - radius * flat + radius * flat * math.sin(math.pi * n / steps) for n in (k, k + 1)]
            p.sloped(BLOCK, (a, b), (low[0], low[1]), (deck, deck), (-z, z), group=1)
        end = left + opening
        if arch < arches - 1:
            p.box(BLOCK, (end, end + pier), (0.0, deck), (-z, z), group=1)
            p.box(BLOCK, (end - 0.25, end + pier + 0.25), (0.0, crown - radius * flat), (-z - 0.5, z + 0.5), group=2)
    p.box(BLOCK, (x - 3.0, x + 14), (0.0, deck), (-z, z), group=1)
    for side in (-1, 1):
        edge = ends(side * (z + 0.15), side * (z - 0.25))
        p.box(STONE, (-x - 14, x + 14), (deck, deck + 0.95), edge)
    p.box(WATER, (begin - 0.6, x - 2.4), (-0.2, 0.03), (-160.0, 160.0))


def suspension_bridge(p: Parts, s: Shape, roof: str) -> None:
    x, z, deck = s["width"] / 2, s["depth"] / 2, s["height"]
    at, top = 0.56 * x, deck + 0.30 * s["width"] * (0.8 + 0.3 * s["s0"])
    p.box(BEAM, (-x - 40, x + 40), (deck, deck + 0.9), (-z, z))
    for hand in (-1, 1):
        for side in (-1, 1):
            leg = (side * (z - 0.2), side * (z + 1.0))
            p.box(BLOCK, (hand * at - 0.9, hand * at + 0.9), (0.0, top), ends(*leg))
        for level in (deck + 0.45 * (top - deck), top - 1.2):
            p.box(BLOCK, (hand * at - 0.7, hand * at + 0.7), (level, level + 1.2), (-z + 0.2, z - 0.2))
        p.box(STONE, (hand * at - 2.6, hand * at + 2.6), (0.0, 2.2), (-z - 2.4, z + 2.4))
    low = deck + 1.8
    for side in (-1, 1):
        lies = ends(side * (z + 0.15), side * (z + 0.5))
        steps = 12
        for k in range(steps):
            a, b = (-at + 2 * at * n / steps for n in (k, k + 1))
            ya, yb = (low + (top - low) * (u / at) ** 2 for u in (a, b))
            p.sloped(BEAM, (a, b), (ya - 0.25, yb - 0.25), (ya + 0.25, yb + 0.25), lies, group=20 + (side > 0))
            if k > 0 and yb - deck > 1.0:
                p.box(BEAM, (a - 0.07, a + 0.07), (deck, ya), (lies[0] + 0.1, lies[0] + 0.24), group=20 + (side > 0))
        for hand in (-1, 1):
            far = x + 30
            over = (top, deck + 0.9) if hand > 0 else (deck + 0.9, top)
            p.sloped(BEAM, ends(hand * at, hand * far), (over[0] - 0.25, over[1] - 0.25),
                     (over[0] + 0.25, over[1] + 0.25), lies, group=20 + (side > 0))  # fmt: skip
    p.box(WATER, (-x + 2, x - 2), (-0.2, 0.03), (-300.0, 300.0))


def street(p: Parts, s: Shape, roof: str) -> None:
    road, walk = s["width"] * 0.34, s["width"] * 0.52
    p.box(ROAD, (-road, road), (-0.1, 0.02), (-260.0, 12.0))
    for k in range(22):
        p.box(MARK, (-0.09, 0.09), (0.0, 0.035), (8.0 - 7.0 * k - 3.0, 8.0 - 7.0 * k))
    for hand in (-1, 1):
        p.box(PATH, ends(hand * road, hand * (walk + 0.5)), (-0.1, 0.16), (-260.0, 12.0))
        begin = 6.0
        for number in range(HOUSES):
            unit = s[f"s{number + (HOUSES if hand > 0 else 0)}"]
            long = 9.0 + 5.0 * unit + 3.0 * number
            floors = 2 + round(2 * ((unit * 7.3) % 1))
            high = floors * s["storey"] + 0.6 + 0.5 * unit
            x = ends(hand * walk, hand * (walk + 11.0))
            p.box(WALL, x, (0.0, high), (begin - long, begin), floors=float(floors), spacing=s["spacing"] + 0.5 * unit,
                  door=1 if hand < 0 else 2)  # fmt: skip
            if (unit * 3.7) % 1 > 0.4:
                p.pitched(x, (begin - long, begin), high, 2.6 + 1.5 * unit, True, 0.3)
            else:
                p.box(FLAT, (x[0] - 0.3, x[1] + 0.3), (high, high + 0.5), (begin - long + 0.02, begin - 0.02))
            if (unit * 11.1) % 1 > 0.5:
                cx = hand * (walk + 3.0)
                p.box(
                    CHIMNEY,
                    (cx - 0.45, cx + 0.45),
                    (high, high + 3.6),
                    (begin - 0.5 * long - 0.4, begin - 0.5 * long + 0.4),
                )
            begin -= long
        for k in range(3):
            at, post = -3.0 - 16.0 * k, hand * (road + 0.7)
            p.box(BEAM, (post - 0.06, post + 0.06), (0.0, 5.2), (at - 0.06, at + 0.06))
            p.box(LAMP, (post - 0.18, post + 0.18), (5.2, 5.65), (at - 0.18, at + 0.18))
    p.box(WALL, (-16.0, 16.0), (0.0, s["storey"] * 2.2), (begin - 9.0, begin - 1.0), floors=2.0, spacing=2.6)
    p.pitched((-16.0, 16.0), (begin - 9.0, begin - 1.0), s["storey"] * 2.2, 2.8, False)
