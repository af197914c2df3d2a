"""Vessels, shoes and furniture, put together from plates, turned profiles and balls."""

from __future__ import annotations

import math

import numpy as np

from ._thing_parts import (
    SECOND,
    Ball,
    Form,
    Part,
    Plate,
    Ring,
    Turned,
    box,
    capsule,
    closed,
    ellipse,
    merged,
    open_curve,
    polygon,
    tube,
)


def _vessel(outer: list[tuple[float, float]], wall: float, floor: float, count: int = 60) -> Ring:
    """A profile that goes up outside, over a rounded rim, and down inside."""
    line = open_curve(outer, count)
    way = np.gradient(line, axis=0)
    way /= np.linalg.norm(way, axis=1, keepdims=True).clip(1e-9)
    inner = line + np.stack([-way[:, 1], way[:, 0]], 1) * wall
    inner = inner[(inner[:, 1] > floor) & (inner[:, 0] > 0.005)][::-1]
    top = line[-1]
    t = np.linspace(0, math.pi, 8)[1:-1, None]
    middle = (top + inner[0]) / 2
    rim = middle + (top - middle) * np.cos(t) + way[-1] * (wall / 2) * np.sin(t)
    foot = np.array([[0.0, line[0, 1]]])
    return np.concatenate([foot, line, rim, inner, [[0.0, floor]]])


def cup(f: Form) -> list[Part]:
    r, h = f.u(0.26, 0.34), f.u(0.5, 0.7)
    foot, lip = f.u(0.6, 1.0), f.u(1.0, 1.15)
    profile = _vessel(
        [(r * foot, 0.0), (r * (foot + 0.06), 0.04), (r * f.u(0.95, 1.05), h * 0.5), (r * lip, h)], 0.03, 0.04
    )
    way = 1 if f.chance(0.5) else -1
    y, b = h * f.u(0.48, 0.58), f.u(0.13, 0.18)
    ring = merged(ellipse(way * r * 1.02, y, 0.2, b), holes=[ellipse(way * r * 1.02, y, 0.2 - 0.06, b - 0.06)])
    parts: list[Part] = [Plate(ring, 0, 1.0), Turned(profile)]
    if f.chance(0.4):
        parts.insert(
            0, Turned(_vessel([(0.22, -0.05), (0.3, -0.04), (f.u(0.46, 0.56), 0.03)], 0.025, -0.03), colour=SECOND)
        )
    return parts


def bottle(f: Form) -> list[Part]:
    r, h = f.u(0.15, 0.22), f.u(0.5, 0.65)
    n, top = r * f.u(0.28, 0.42), 1.0
    line = np.concatenate(
        [
            [(0.0, 0.0)],
            open_curve(
                [
                    (r * 0.85, 0.0),
                    (r, 0.05),
                    (r, h * 0.6),
                    (r, h),
                    (n * 1.2, h + (top - h) * f.u(0.4, 0.6)),
                    (n, top - 0.1),
                    (n, top),
                ],
                80,
            ),
            [(0.0, top)],
        ]
    )
    ring = np.array(
        [
            (0.0, top - 0.1),
            (n * 1.25, top - 0.1),
            (n * 1.3, top - 0.085),
            (n * 1.3, top + 0.02),
            (n * 1.2, top + 0.04),
            (0.0, top + 0.04),
        ]
    )
    parts: list[Part] = [Turned(line), Turned(ring, colour=SECOND)]
    if f.chance(0.5):
        low, high = h * 0.2, h * f.u(0.65, 0.85)
        parts.append(Turned(np.array([(0.0, low), (r * 1.015, low), (r * 1.015, high), (0.0, high)]), colour=SECOND))
    return parts


def vase(f: Form) -> list[Part]:
    belly, at = f.u(0.24, 0.38), f.u(0.3, 0.62)
    neck, lip = f.u(0.08, 0.16), f.u(0.12, 0.24)
    outer = [(f.u(0.12, 0.2), 0.0), (belly * 0.85, at * 0.5), (belly, at), (neck, f.u(0.78, 0.86)), (lip, 1.0)]
    profile = _vessel(outer, 0.025, 0.04, 80)
    parts: list[Part] = [Turned(profile)]
    if f.chance(0.3):
        for side in (-1, 1):
            parts.append(
                Plate(
                    tube(
                        [
                            (side * neck * 1.1, 0.85),
                            (side * (belly + 0.06), 0.82),
                            (side * (belly + 0.07), at + 0.1),
                            (side * belly * 0.85, at + 0.08),
                        ],
                        [0.03, 0.028, 0.03, 0.03],
                    ),
                    colour=SECOND,
                )
            )
    return parts


def bowl(f: Form) -> list[Part]:
    r, h = f.u(0.42, 0.52), f.u(0.26, 0.42)
    return [Turned(_vessel([(r * 0.4, 0.0), (r * 0.42, 0.05), (r * 0.85, h * 0.5), (r, h)], 0.03, 0.07))]


def teapot(f: Form) -> list[Part]:
    r, h = f.u(0.3, 0.36), f.u(0.4, 0.55)
    body = np.concatenate(
        [
            [(0.0, 0.0)],
            open_curve([(r * 0.65, 0.0), (r * 0.98, h * 0.3), (r, h * 0.6), (r * 0.7, h * 0.95), (r * 0.5, h)], 60),
            [(0.0, h)],
        ]
    )
    lid = np.concatenate(
        [
            [(0.0, h - 0.01)],
            open_curve([(r * 0.56, h - 0.005), (r * 0.5, h + 0.035), (r * 0.15, h + 0.08)], 30),
            [(0.0, h + 0.085)],
        ]
    )
    spout = tube(
        [(-r * 0.75, h * 0.3), (-r - 0.14, h * 0.45), (-r - f.u(0.2, 0.28), h * f.u(0.85, 1.02))], [0.095, 0.06, 0.04]
    )
    handle = tube(
        [(r * 0.75, h * 0.82), (r + 0.2, h * 0.86), (r + f.u(0.2, 0.28), h * 0.45), (r * 0.88, h * 0.28)], [0.035] * 4
    )
    return [
        Plate(spout),
        Plate(handle),
        Turned(body),
        Turned(lid, colour=SECOND),
        Ball(0, h + 0.11, (0.05, 0.045, 0.05), 0.0, SECOND),
    ]


def lamp(f: Form) -> list[Part]:
    if f.chance(0.35):  # with an arm
        a, b = (-0.05, 0.48 + f.u(0, 0.1)), (0.2, 0.9)
        foot = np.array([(0.0, 0.0), (0.2, 0.0), (0.21, 0.02), (0.2, 0.045), (0.0, 0.055)])
        head = polygon([(0.16, 0.93), (0.28, 0.83), (0.0 + f.u(-0.05, 0.02), 0.62), (-0.2, 0.82)], 0.03)
        arms = [Plate([capsule(0.15, 0.04, *a, 0.022)], 0), Plate([capsule(*a, *b, 0.022)], 0.03)]
        return [Turned(foot, 0.15), *arms, Ball(*a, (0.035,) * 3, 0.02, 0), Plate([head], 0.0, 1.0, colour=SECOND)]
    low, top, wide = f.u(0.45, 0.58), 1.0, f.u(0.26, 0.38)
    narrow = wide * f.u(0.5, 1.0)
    base = [
        (f.u(0.13, 0.2), 0.0),
        (f.u(0.06, 0.2), 0.1),
        (f.u(0.04, 0.18), low * 0.5),
        (0.03, low * 0.9),
        (0.03, low + 0.1),
    ]
    stand = np.concatenate([[(0.0, 0.0)], open_curve(base, 60), [(0.0, low + 0.1)]])
    shade = np.array([(0.0, low), (wide, low), (narrow, top), (narrow - 0.02, top), (0.0, top - 0.02)])
    return [Turned(stand), Turned(shade, colour=SECOND)]


def shoe(f: Form) -> list[Part]:
    long, back = f.u(0.92, 1.05), f.u(0.36, 0.46)
    toe = f.u(0.17, 0.24)
    upper = closed(
        [
            (0.0, 0.05),
            (0.0, 0.05),
            (-0.01, back * 0.6),
            (0.02, back),
            (0.02, back),
            (0.3, back - 0.04),
            (0.36, back - 0.02),
            (0.36, back - 0.02),
            (0.58, toe + 0.1),
            (0.82 * long, toe),
            (long, 0.12),
            (long, 0.05),
            (long, 0.05),
        ]
    )
    sole = polygon([(-0.03, 0), (long + 0.02, 0), (long + 0.03, 0.07), (0.6, 0.06), (0.3, 0.075), (-0.04, 0.08)], 0.03)
    laces = tuple(
        open_curve([(0.34 + 0.075 * k, back - 0.13 - 0.05 * k), (0.4 + 0.075 * k, back - 0.04 - 0.05 * k)], 8)
        for k in range(4)
    )
    cap = open_curve([(0.78 * long, 0.07), (0.74 * long, 0.13), (0.76 * long, toe + 0.01)], 20)
    heel = open_curve([(0.14, 0.08), (0.17, 0.2), (0.1, back - 0.02)], 20)
    stripe = Plate([polygon([(0.28, 0.09), (0.4, 0.09), (0.46, 0.24), (0.36, 0.26)], 0.02)], 0.13, 0.5, colour=SECOND)
    return [Plate([sole], 0, 0.16, 0.03, SECOND), Plate([upper], 0, 0.85, creases=(*laces, cap, heel)), stripe]


def boot(f: Form) -> list[Part]:
    high, long = f.u(0.75, 1.0), f.u(0.62, 0.75)
    shaft = closed(
        [
            (0.0, 0.06),
            (0.0, 0.06),
            (0.03, 0.3),
            (-0.02, high),
            (-0.02, high),
            (0.32, high + f.u(-0.03, 0.05)),
            (0.32, high),
            (0.3, 0.4),
            (0.42, 0.28),
            (long - 0.08, 0.22),
            (long, 0.12),
            (long, 0.06),
            (long, 0.06),
        ]
    )
    heel = f.u(0.03, 0.1)
    sole = polygon([(-0.02, -heel), (0.2, -heel), (0.24, 0.0), (long, 0.0), (long + 0.03, 0.07), (-0.03, 0.07)], 0.02)
    cuff = Plate([box(-0.05, high - 0.12, 0.35, high + 0.02, 0.03)], 0, 0.19, 0.05, SECOND)
    seam = (
        open_curve([(0.02, 0.24), (0.2, 0.28), (0.42, 0.26)], 20),
        open_curve([(long * 0.72, 0.07), (long * 0.68, 0.15), (long * 0.72, 0.23)], 16),
    )
    return [
        Plate([sole], 0, 0.16, 0.02, SECOND),
        Plate([shaft], 0, 0.9, creases=seam),
        *([cuff] if f.chance(0.6) else []),
    ]


def chair(f: Form) -> list[Part]:
    w, d, seat, top = f.u(0.2, 0.27), f.u(0.2, 0.26), f.u(0.4, 0.5), 1.0
    t = f.u(0.02, 0.04)
    legs: list[Part] = [
        Plate([box(x - t, 0, x + t, seat, 0.005)], z, t, 0.008) for z in (-d + t, d - t) for x in (-w + t, w - t)
    ]
    posts: list[Part] = [Plate([box(x - t, seat, x + t, top, 0.01)], -d + t, t, 0.008) for x in (-w + t, w - t)]
    bars: list[Part] = []
    if f.chance(0.5):
        count = f.whole(1, 3)
        for k in range(count):
            y = seat + (top - seat) * (k + 1) / (count + 0.6)
            bars.append(Plate([box(-w + t, y - 0.04, w - t, y + 0.04, 0.015)], -d + t, t * 0.6, 0.006, SECOND))
    else:
        back = box(-w, seat + f.u(0.08, 0.25), w, top + 0.03, f.u(0.02, 0.15))
        bars.append(Plate([back], -d + t, t * 0.8, 0.012, SECOND))
    return [
        *legs[:2],
        *posts,
        *bars,
        *legs[2:],
        Plate([box(-w, seat - 0.02, w, seat + f.u(0.03, 0.07), 0.015)], 0, d, 0.015, SECOND),
    ]


def stool(f: Form) -> list[Part]:
    r, h = f.u(0.24, 0.34), f.u(0.6, 0.95)
    t, spread = f.u(0.025, 0.04), f.u(0.02, 0.14)
    seat = np.array([(0.0, h), (r - 0.02, h), (r, h + 0.02), (r, h + 0.05), (r - 0.02, h + 0.07), (0.0, h + 0.075)])
    parts: list[Part] = []
    for z in (-1, 1):
        for x in (-1, 1):
            foot = x * (r * 0.62 + spread)
            parts.append(Plate([capsule(foot, t, x * r * 0.6, h, t * 0.8, t)], z * r * 0.55))
        y = h * f.u(0.25, 0.5)
        parts.append(
            Plate(
                [capsule(-r * 0.62 - spread * (1 - y / h), y, r * 0.62 + spread * (1 - y / h), y, t * 0.6)],
                z * r * 0.55,
            )
        )
    return [*parts, Turned(seat, colour=SECOND)]
