"""Buildings that are more than a box under a roof: castle, church, bridge, street and others, each put together once.

Every style has its measures, drawn by ``measures``, and the solids that follow from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ._building_works import bridge, street, suspension_bridge
from ._draws import Draws
from ._solids import BEAM, BLOCK, CONE, FLAT, GLAZED, LEAF, PATH, ROOF, ROUND, STONE, WALL, Parts, ends

Shape = Mapping[str, float]
SIZES = {  # width, depth as a part of it, height: from where to where, in metres
    "villa": ((12, 17), (0.5, 0.75), (6.2, 6.8)),
    "barn": ((9, 12), (1.1, 1.5), (4.0, 5.0)),
    "garage": ((6, 8), (0.8, 1.0), (2.9, 3.3)),
    "church": ((8, 10), (1.7, 2.1), (7.0, 9.0)),
    "castle": ((26, 34), (0.6, 0.8), (7.5, 9.5)),
    "tower": ((6.5, 8.5), (1.0, 1.0), (17, 24)),
    "lighthouse": ((5.5, 7.0), (1.0, 1.0), (18, 25)),
    "temple": ((15, 22), (0.6, 0.8), (7.0, 9.0)),
    "bridge": ((34, 46), (0.14, 0.18), (6.0, 8.5)),
    "suspension bridge": ((70, 100), (0.11, 0.13), (9.0, 12.0)),
    "street": ((9.0, 12.0), (1.0, 1.0), (9.5, 13.0)),
}
ROUND_ONES = ("tower", "lighthouse")


def measures(draws: Draws, style: str) -> dict[str, float]:
    """Numbers that ``solids`` of that style asks for."""
    width, depth, height = SIZES[style]
    wide = draws.between("width", *width)
    shape = {
        "width": wide,
        "depth": wide * draws.between("depth", *depth),
        "height": draws.between("height", *height),
        "floors": float({"villa": 2, "street": 3}.get(style, 1)),
        "storey": 3.2,
        "spacing": {"street": 2.2, "barn": 3.4, "church": 3.0}.get(style, 3.0),
        "rise": draws.between("rise", 0.55, 0.85),
    }
    return shape | {f"s{number}": draws.unit(f"style {number}") for number in range(12)}


def solids(style: str, shape: Shape, roof: str) -> Parts:
    """The parts of a building of one of these styles; its front looks along z."""
    parts = Parts()
    STYLES[style](parts, shape, roof)
    return parts


def _villa(p: Parts, s: Shape, roof: str) -> None:
    x, z, low = s["width"] / 2, s["depth"] / 2, s["height"] / 2
    hand = 1 if s["s0"] > 0.5 else -1

    def span(a: float, b: float) -> tuple[float, float]:
        return ends(a * hand, b * hand)

    p.box(BLOCK, span(-x, 0.25 * x), (0.0, low), (-z, z))
    p.box(BLOCK, span(0.25 * x, x), (0.0, low), (-z, 0.35 * z))
    p.box(FLAT, span(-x - 0.2, x + 0.3), (low, low + 0.35), (-z - 0.2, z + 0.9))
    top = 2 * low + 0.35
    left, right = -x + 0.5 * x * s["s1"], 0.6 * x
    p.box(BLOCK, span(left, right), (low + 0.35, top), (-z, 0.55 * z))
    p.box(FLAT, span(left - 0.5, right + 0.9), (top, top + 0.32), (-z - 0.3, 0.55 * z + 1.1))
    p.box(GLAZED, span(-0.86 * x, 0.02 * x), (0.12, low - 0.25), (z - 0.05, z + 0.05), spacing=1.5)
    p.box(GLAZED, span(0.36 * x, 0.9 * x), (0.12, low - 0.25), (0.35 * z - 0.05, 0.35 * z + 0.05), spacing=1.4)
    p.box(
        GLAZED, span(left + 0.6, right - 0.5), (low + 0.7, top - 0.25), (0.55 * z - 0.05, 0.55 * z + 0.05), spacing=1.4
    )
    p.box(GLAZED, span(-x - 0.05, -x + 0.05), (0.4, low - 0.5), (-0.4 * z, 0.6 * z), spacing=1.4)
    p.box(LEAF, span(0.08 * x, 0.08 * x + 1.05), (0.05, 2.35), (z - 0.04, z + 0.05))
    p.box(BEAM, span(x - 0.2, x), (0.0, low), (z + 0.4, z + 0.6))  # it carries the roof of the terrace
    p.box(STONE, span(-x - 0.6, x + 1.2), (0.0, 0.12), (0.3 * z, z + 2.6))


def _barn(p: Parts, s: Shape, roof: str) -> None:
    x, z, high = s["width"] / 2, s["depth"] / 2, s["height"]
    p.box(BLOCK, (-x, x), (0.0, high), (-z, z))
    p.pitched((-x, x), (-z, z), high, s["rise"] * x * 1.05, True, 0.5)
    p.box(LEAF, (-1.9, -0.03), (0.0, 3.3), (z - 0.04, z + 0.08))
    p.box(LEAF, (0.03, 1.9), (0.0, 3.3), (z - 0.04, z + 0.08))
    p.box(GLAZED, (-0.7, 0.7), (high + 0.2, high + 1.3), (z - 0.03, z + 0.05), spacing=0.7)
    for side in (-1, 1):
        p.box(GLAZED, (side * 0.68 * x - 0.55, side * 0.68 * x + 0.55), (1.3, 2.3), (z - 0.03, z + 0.05), spacing=0.55)
        for k in range(3):
            at = z * (-0.66 + 0.66 * k)
            p.box(GLAZED, (side * x - 0.05, side * x + 0.05), (1.5, 2.5), (at - 0.55, at + 0.55), spacing=0.55)


def _garage(p: Parts, s: Shape, roof: str) -> None:
    x, z, high = s["width"] / 2, s["depth"] / 2, s["height"]
    p.box(WALL, (-x, x), (0.0, high), (-z, z), spacing=3.4)
    if roof == "gable":
        p.pitched((-x, x), (-z, z), high, s["rise"] * x * 0.7, True)
    else:
        p.box(FLAT, (-x - 0.25, x + 0.25), (high, high + 0.35), (-z - 0.25, z + 0.35))
    doors = 2 if s["width"] > 6.8 else 1
    wide = (s["width"] - 0.9) / doors
    for k in range(doors):
        at = -x + 0.45 + (k + 0.5) * wide
        p.box(LEAF, (at - 0.44 * wide, at + 0.44 * wide), (0.0, 2.35), (z - 0.05, z + 0.05), spacing=0.5)
    p.box(PATH, (-x + 0.3, x - 0.3), (0.0, 0.04), (z, z + 5.0))


def _church(p: Parts, s: Shape, roof: str) -> None:
    x, z, high = s["width"] / 2, s["depth"] / 2, s["height"]
    p.box(BLOCK, (-x, x), (0.0, high), (-z, z))
    p.pitched((-x, x), (-z, z), high, s["rise"] * x * 1.35, True)
    half = 0.52 * x
    front = z + 1.2 * half
    top = high * (2.0 + 0.5 * s["s0"])
    p.box(BLOCK, (-half, half), (0.0, top), (front - 2 * half, front))
    middle, over = front - half, half + 0.15
    tip = top + (3.2 + 2.4 * s["s1"]) * half
    p.pyramid(ROOF, (-over, over), (top, tip), (middle - over, middle + over))
    p.pointed(LEAF, (-1.1, 1.1), (0.0, 3.6), (front - 0.05, front + 0.08))
    p.pointed(GLAZED, (-0.55, 0.55), (high * 0.72, high * 1.05), (front - 0.04, front + 0.05), spacing=0.55)
    bell, count = (top - 3.0, top - 0.7), max(3, round(2 * z / 3.4))
    p.pointed(GLAZED, (-0.5, 0.5), bell, (front - 0.04, front + 0.05), spacing=0.25)
    for hand in (-1, 1):
        p.pointed(GLAZED, _at(hand * half, 0.05), bell, _at(middle, 0.5), True, spacing=0.25)
        for k in range(count):
            at = -z + (k + 0.5) * 2 * z / count
            p.pointed(GLAZED, _at(hand * x, 0.05), (0.22 * high, 0.86 * high), _at(at, 0.6), True, spacing=0.6)
            if k:  # a buttress between two windows
                p.box(BLOCK, ends(hand * x, hand * (x + 0.6)), (0.0, 0.72 * high), _at(at - z / count, 0.35))
    p.box(STONE, (-1.7, 1.7), (0.0, 0.16), (front, front + 1.1))
    p.box(BEAM, (-0.07, 0.07), (tip - 0.2, tip + 1.3), _at(middle, 0.07))
    p.box(BEAM, (-0.4, 0.4), (tip + 0.7, tip + 0.84), _at(middle, 0.07))


def _at(middle: float, half: float) -> tuple[float, float]:
    return middle - half, middle + half


def _castle(p: Parts, s: Shape, roof: str) -> None:
    x, z, high = s["width"] / 2, s["depth"] / 2, s["height"]
    keep = high * (1.5 + 0.4 * s["s1"])
    p.box(WALL, (-0.36 * x, 0.36 * x), (0.0, keep), (-0.62 * z, 0.1 * z), floors=3.0, spacing=3.6)
    p.box(BLOCK, (-x, x), (0.0, high), (z - 1.2, z))
    for hand in (-1, 1):
        p.box(BLOCK, ends(hand * x, hand * (x - 1.2)), (0.0, high), (-z, z - 1.2))
    p.battlements((-x, x), high, (z - 1.2, z), 0.9, (4,))
    for hand in (0, 1):
        p.battlements((-x, x), high, (-z, z - 1.4), 0.9, (hand,))
    tall = high * (1.35 + 0.25 * s["s0"])
    radius = 0.105 * s["width"]
    square = s["s2"] > 0.6
    for sx in (-1, 1):
        for sz in (-1, 1):
            up = tall * (1.0 if sz > 0 else 1.12)
            _turret(p, (sx * x, sz * z), up, radius, roof, square)
    _gate(p, z, high)
    p.box(FLAT, (-0.36 * x, 0.36 * x), (keep, keep + 0.3), (-0.62 * z, 0.1 * z))
    if roof == "pointed":
        p.pyramid(ROOF, (-0.38 * x, 0.38 * x), (keep + 0.3, keep + 0.5 * x), (-0.64 * z, 0.12 * z))
    else:
        p.battlements((-0.36 * x, 0.36 * x), keep + 0.3, (-0.62 * z, 0.1 * z), 0.9)


def _turret(p: Parts, at: tuple[float, float], up: float, radius: float, roof: str, square: bool) -> None:
    x, z = (at[0] - radius, at[0] + radius), (at[1] - radius, at[1] + radius)
    if square:
        p.box(BLOCK, x, (0.0, up), z)
    else:
        p.round(ROUND, at, (0.0, up), radius, radius)
    p.pointed(GLAZED, (at[0] - 0.3, at[0] + 0.3), (0.66 * up, 0.66 * up + 1.7), (z[1] - 0.12, z[1] + 0.04), spacing=9.0)
    over = 1.16 * radius
    if roof == "flat":
        p.crown(at, up, radius, 0.8) if not square else p.battlements(x, up, z, 0.8)
    elif square:
        p.pyramid(ROOF, (at[0] - over, at[0] + over), (up, up + 2.3 * radius), (at[1] - over, at[1] + over))
    else:
        p.round(CONE, at, (up, up + 2.9 * radius), over, 0.0)
        tip = up + 2.9 * radius
        p.box(BEAM, (at[0] - 0.06, at[0] + 0.06), (tip - 0.3, tip + 1.6), (at[1] - 0.06, at[1] + 0.06))
        p.box(BEAM, (at[0] + 0.06, at[0] + 1.3), (tip + 0.8, tip + 1.5), (at[1] - 0.03, at[1] + 0.03))


def _gate(p: Parts, z: float, high: float) -> None:
    for hand in (-1, 1):
        p.box(BLOCK, ends(hand * 2.2, hand * 4.2), (0.0, high * 1.16), (z - 1.5, z + 0.9))
        p.battlements(ends(hand * 2.2, hand * 4.2), high * 1.16, (z - 1.5, z + 0.9), 0.7, (4, 0 if hand > 0 else 1))
    p.pointed(LEAF, (-1.7, 1.7), (0.0, min(5.2, 0.62 * high)), (z - 0.1, z + 0.1), spacing=0.45)


def _tower(p: Parts, s: Shape, roof: str) -> None:
    radius, high = s["width"] / 2, s["height"]
    p.round(ROUND, (0.0, 0.0), (0.0, high), radius, radius * 0.92)
    for level in range(3):
        at = high * (0.3 + 0.22 * level)
        turn = radius * (0.35 - 0.35 * level)
        p.pointed(
            GLAZED,
            (turn - 0.35, turn + 0.35),
            (at, at + 1.7),
            (radius * 0.5, radius * 0.985 - abs(turn) * 0.2),
            spacing=9.0,
        )
    p.pointed(LEAF, (-0.7, 0.7), (0.0, 2.6), (radius * 0.5, radius + 0.12))
    p.round(BLOCK, (0.0, 0.0), (high - 1.6, high), radius * 1.0, radius * 1.12)
    if roof == "pointed":
        p.round(CONE, (0.0, 0.0), (high, high + radius * (2.0 + s["s0"])), radius * 1.25, 0.0)
    else:
        p.crown((0.0, 0.0), high, radius * 1.1, 0.85)


def _lighthouse(p: Parts, s: Shape, roof: str) -> None:
    radius, high = s["width"] / 2, s["height"]
    top = radius * 0.62
    p.round(STONE, (0.0, 0.0), (0.0, 0.5), radius * 1.5, radius * 1.5)
    p.round(ROUND, (0.0, 0.0), (0.5, high), radius, top)
    p.round(STONE, (0.0, 0.0), (high, high + 0.35), top * 1.45, top * 1.45)
    p.round(GLAZED, (0.0, 0.0), (high + 0.35, high + 2.7), top * 0.8, top * 0.8, spacing=0.9)
    p.round(CONE, (0.0, 0.0), (high + 2.7, high + 3.4), top * 1.02, top * 0.6, group=9)
    p.round(CONE, (0.0, 0.0), (high + 3.4, high + 3.9), top * 0.6, top * 0.08, group=9)
    for level in range(3):
        at = high * (0.24 + 0.24 * level)
        here = radius + (top - radius) * (at + 0.7) / high
        p.box(GLAZED, (-0.4, 0.4), (at, at + 1.3), (here * 0.5, here + 0.03), spacing=0.4)
    p.box(LEAF, (-0.6, 0.6), (0.5, 2.7), (radius * 0.5, radius + 0.06))
    p.box(STONE, (-1.0, 1.0), (0.0, 0.25), (radius * 1.3, radius * 1.5 + 0.9))
    if s["s0"] > 0.5:  # a keeper's house
        side = 1 if s["s1"] > 0.5 else -1
        x = ends(side * radius * 1.2, side * (radius * 1.2 + 6.5))
        p.box(WALL, x, (0.0, 2.9), (-2.6, 2.0), spacing=2.4, door=5)
        p.pitched(x, (-2.6, 2.0), 2.9, 1.7, False)


def _temple(p: Parts, s: Shape, roof: str) -> None:
    x, z, high = s["width"] / 2, s["depth"] / 2, s["height"]
    base = 1.05
    for step in range(3):
        out = 1.5 - 0.5 * step
        p.box(STONE, (-x - out, x + out), (0.35 * step, 0.35 * (step + 1)), (-z - out, z + out))
    p.box(BLOCK, (-x + 2.2, x - 2.2), (base, high), (-z + 2.0, z - 2.4))
    p.box(LEAF, (-1.2, 1.2), (base, base + 4.2), (z - 2.44, z - 2.34))
    thick = 0.48
    count = 6 if s["s0"] > 0.4 else 4
    deep = max(3, round(s["depth"] / (s["width"] / (count - 1))))
    for k in range(count):
        at = -x + 0.7 + k * (s["width"] - 1.4) / (count - 1)
        _column(p, at, z - 0.7, base, high, thick)
    for hand in (-1, 1):
        for k in range(1, deep):
            _column(p, hand * (x - 0.7), z - 0.7 - k * (s["depth"] - 1.4) / (deep - 1 or 1), base, high, thick)
    p.box(STONE, (-x, x), (high, high + 1.0), (-z, z))
    p.box(STONE, (-x - 0.25, x + 0.25), (high + 1.0, high + 1.25), (-z - 0.25, z + 0.25))
    if roof == "gable":
        p.pitched((-x, x), (-z, z), high + 1.25, 0.42 * x, True, 0.35)
    else:
        p.box(FLAT, (-x + 0.4, x - 0.4), (high + 1.25, high + 1.8), (-z + 0.4, z - 0.4))


def _column(p: Parts, x: float, z: float, low: float, high: float, thick: float) -> None:
    p.round(ROUND, (x, z), (low + 0.25, high - 0.3), thick, thick * 0.84)
    p.box(STONE, (x - 1.3 * thick, x + 1.3 * thick), (low, low + 0.25), (z - 1.3 * thick, z + 1.3 * thick))
    p.box(STONE, (x - 1.25 * thick, x + 1.25 * thick), (high - 0.3, high), (z - 1.25 * thick, z + 1.25 * thick))


STYLES: dict[str, Callable[[Parts, Shape, str], None]] = {
    "villa": _villa, "barn": _barn, "garage": _garage, "church": _church, "castle": _castle, "tower": _tower,
    "lighthouse": _lighthouse, "temple": _temple, "bridge": bridge, "suspension bridge": suspension_bridge,
    "street": street,
}  # fmt: skip
