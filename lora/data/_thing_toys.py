"""Toys, and things that one plays, wears or carries."""

from __future__ import annotations

import math

import numpy as np

from ._thing_parts import (
    SECOND,
    Ball,
    Form,
    Part,
    Plate,
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


def hat(f: Form) -> list[Part]:
    brim, r, h = f.u(0.42, 0.52), f.u(0.2, 0.28), f.u(0.24, 0.55)
    top = r * f.u(0.7, 1.1)
    if f.chance(0.25):  # a wizard's
        top, h = 0.015, f.u(0.6, 0.85)
    crown = [(r, 0.02), ((r + top) / 2, h * 0.5), (top, h - 0.03), (top * 0.9, h)]
    line = np.concatenate(
        [
            [(0.0, 0.0), (brim * 0.98, 0.0), (brim, 0.012), (brim * 0.98, 0.026), (r + 0.03, 0.03)],
            open_curve(crown, 40),
            [(0.0, h + 0.01)],
        ]
    )
    share = 0.18
    band = np.array(
        [(0.0, 0.04), (r * 1.03, 0.035), (r * 1.03 + (top - r) * share, 0.035 + h * 0.2), (0.0, 0.04 + h * 0.2)]
    )
    return [Turned(line), Turned(band, colour=SECOND)]


def umbrella(f: Form) -> list[Part]:
    r, rise = 0.5, f.u(0.28, 0.4)
    y = 0.6
    t = np.linspace(0, 0.5 * math.pi, 24)
    dome = np.stack([r * np.cos(t), y + rise * np.sin(t)], 1)
    line = np.concatenate([[(0.0, y + rise - 0.06)], dome[::-1][1:] * (0.97, 1.0) - (0, 0.02), dome])
    hook = tube(
        [(0, y), (0, 0.14), (0.03, 0.03), (0.1, 0.02), (0.14, f.u(0.07, 0.12))], [0.018, 0.02, 0.024, 0.024, 0.022]
    )
    ribs = [Plate([capsule(0, y + rise * 1.0, 0, y + rise + 0.07, 0.015, 0.008)], 0, 1.0, colour=SECOND)]
    return [Plate(hook, colour=SECOND), Turned(line), *ribs]


def guitar(f: Form) -> list[Part]:
    low, up, waist = f.u(0.21, 0.26), f.u(0.15, 0.19), f.u(0.11, 0.14)
    body = closed(
        [
            (0, 0.0),
            (low, 0.1),
            (low, 0.24),
            (waist, 0.38),
            (up, 0.5),
            (up * 0.8, 0.6),
            (0, 0.62),
            (-up * 0.8, 0.6),
            (-up, 0.5),
            (-waist, 0.38),
            (-low, 0.24),
            (-low, 0.1),
        ]
    )
    neck = box(-0.028, 0.4, 0.028, 1.15, 0.005)
    head = polygon([(-0.045, 1.13), (0.045, 1.13), (0.06, 1.3), (-0.06, 1.3)], 0.02)
    strings = tuple(np.array([(x, 0.2), (x, 1.15)]) for x in (-0.012, 0.012))
    frets = tuple(np.array([(-0.028, 0.66 + 0.08 * k), (0.028, 0.66 + 0.08 * k)]) for k in range(6))
    pegs: list[Part] = [Ball(s * 0.08, y, (0.022, 0.015, 0.015), 0.05, SECOND) for s in (-1, 1) for y in (1.18, 1.24)]
    hole = Plate([ellipse(0, 0.42, 0.065, 0.065)], 0.075, 0.006, 0.004, 2)
    bridge = Plate([box(-0.09, 0.17, 0.09, 0.205, 0.01)], 0.08, 0.015, 0.006, SECOND)
    return [
        Plate([body], 0, 0.075, 0.02),
        hole,
        bridge,
        Plate([neck], 0.07, 0.03, 0.01, SECOND, frets),
        Plate([head], 0.06, 0.025, 0.01, SECOND),
        *pegs,
        Plate([box(-0.016, 0.19, 0.016, 0.22)], 0.09, 0.012, 0.004, SECOND, strings[:0]),
    ]


def key(f: Form) -> list[Part]:
    r, long = f.u(0.17, 0.24), 0.95
    inner = r * f.u(0.45, 0.65)
    shapes = [ellipse(0, long - r, r, r), box(-0.045, 0, 0.045, long - r)]
    at = 0.03
    for _ in range(f.whole(2, 4)):
        wide = f.u(0.05, 0.09)
        shapes.append(box(0.03, at, f.u(0.12, 0.22), at + wide))
        at += wide + f.u(0.03, 0.06)
    return [Plate(merged(*shapes, holes=[ellipse(0, long - r, inner, inner)]), 0, 0.045, 0.02)]


def crown(f: Form) -> list[Part]:
    count, low, high = f.whole(3, 6) * 2, f.u(0.22, 0.32), f.u(0.5, 0.68)
    w = 0.42
    x = np.linspace(-w, w, count + 1)
    top = [(a * 1.12, high if k % 2 == 0 else low) for k, a in enumerate(x)]
    parts: list[Part] = [
        Plate(
            [polygon([(-w, 0), *top, (w, 0)])], 0, 0.75, creases=(open_curve([(-w, 0.11), (0, 0.09), (w, 0.11)], 30),)
        )
    ]
    parts += [Ball(a * 1.12, high + 0.02, (0.045,) * 3, 0.0, SECOND) for k, a in enumerate(x) if k % 2 == 0]
    return [*parts, *(Ball(a, 0.045, (0.036, 0.036, 0.03), None, SECOND) for a in (-0.24, 0.0, 0.24))]


def spoon(f: Form) -> list[Part]:
    a, b = f.u(0.12, 0.17), f.u(0.17, 0.22)
    rings = merged(
        ellipse(0, 1 - b, a, b),
        *tube([(0, 1 - b), (0.0, 0.5), (f.u(-0.03, 0.03), 0.06)], [0.05, 0.032, 0.055]),
        soft=0.02,
    )
    return [Plate(rings, 0, 0.6, creases=(ellipse(0, 1 - b, a * 0.72, b * 0.74)[[*list(range(64)), 0]],))]


def robot(f: Form) -> list[Part]:
    w, h = f.u(0.2, 0.28), f.u(0.32, 0.42)
    hw, hh = f.u(0.14, 0.22), f.u(0.16, 0.24)
    low, t = f.u(0.16, 0.3), f.u(0.055, 0.075)
    neck = low + h + 0.05
    parts: list[Part] = [Plate([box(x - t, 0.0, x + t, low + 0.02, 0.02)], 0, t, 0.02) for x in (-w * 0.5, w * 0.5)]
    parts += [
        Plate([box(x - t * 1.4, 0, x + t * 1.4, 0.07, 0.02)], 0.04, t * 1.9, 0.02, SECOND) for x in (-w * 0.5, w * 0.5)
    ]
    for side in (-1, 1):
        y = low + h * 0.8
        parts.append(Plate([capsule(side * (w + 0.05), y, side * (w + f.u(0.06, 0.2)), y - f.u(-0.15, 0.26), 0.05)], 0))
        parts.append(Ball(side * (w + 0.02), y, (0.07,) * 3, 0.0, SECOND))
    parts.append(Plate([box(-w, low, w, low + h, 0.04)], 0, w * 0.75, 0.03))
    parts.append(Plate([box(-0.05, low + h - 0.02, 0.05, neck + 0.03)], 0, 0.05, 0.02, SECOND))
    parts.append(Plate([box(-hw, neck, hw, neck + hh, 0.04)], 0, hw * 0.85, 0.03))
    parts.append(Plate([box(-w * 0.6, low + h * 0.35, w * 0.6, low + h * 0.82, 0.02)], w * 0.75, 0.02, 0.01, SECOND))
    parts += [Ball(x, low + h * 0.18, (0.03, 0.03, 0.02), w * 0.75) for x in (-0.08, 0, 0.08)]
    parts += [Ball(side * hw * 0.45, neck + hh * 0.62, (0.045, 0.045, 0.03), hw * 0.85) for side in (-1, 1)]
    parts.append(Plate([box(-hw * 0.5, neck + hh * 0.2, hw * 0.5, neck + hh * 0.3, 0.01)], hw * 0.85, 0.012, 0.006, 2))
    top = neck + hh
    return [*parts, Plate([capsule(0, top, 0, top + 0.1, 0.014)], 0), Ball(0, top + 0.12, (0.035,) * 3, 0.0, SECOND)]


def rocket(f: Form) -> list[Part]:
    r, at = f.u(0.15, 0.21), f.u(0.4, 0.55)
    line = np.concatenate(
        [[(0.0, 0.14)], open_curve([(r * 0.65, 0.14), (r * 0.95, 0.3), (r, at), (r * 0.62, 0.84), (0.0, 1.1)], 60)]
    )
    nose = line[line[:, 1] > 0.84] * (1.03, 1.0)
    tip = np.concatenate([[(0.0, nose[0, 1] - 0.01), (nose[0, 0], nose[0, 1] - 0.01)], nose])
    fin = [(r * 0.6, 0.42), (r + f.u(0.14, 0.22), 0.18), (r + f.u(0.14, 0.2), 0.0), (r * 0.6, 0.16)]
    jet = np.array([(0.0, 0.05), (r * 0.62, 0.05), (r * 0.45, 0.15), (0.0, 0.15)])
    parts: list[Part] = [Plate([polygon(fin, 0.04) * (s, 1)], 0, 0.025, 0.015, SECOND) for s in (-1, 1)]
    parts += [Turned(jet, colour=SECOND), Turned(line), Turned(tip, colour=SECOND)]
    parts.append(Plate([polygon([(-0.02, 0.36), (0.02, 0.36), (0.02, 0.02), (-0.02, 0.02)])], r, 0.03, 0.01, SECOND))
    for k in range(f.whole(1, 2)):
        y = at + 0.12 - 0.17 * k
        parts.append(Plate([ellipse(0, y, 0.075, 0.075)], r * 0.97, 0.03, 0.015, SECOND))
        parts.append(Plate([ellipse(0, y, 0.05, 0.05)], r * 0.97 + 0.02, 0.02, 0.01, 2))
    return parts


def boat(f: Form) -> list[Part]:
    a = f.u(0.45, 0.55)
    hull = closed(
        [
            (-a, 0.26),
            (-a, 0.26),
            (-a * 0.75, 0.06),
            (-a * 0.4, 0.0),
            (a * 0.4, 0.0),
            (a * 0.8, 0.08),
            (a * 1.1, 0.3),
            (a * 1.1, 0.3),
            (0.2, 0.24),
        ]
    )
    plank = open_curve([(-a * 0.92, 0.17), (0, 0.14), (a * 1.0, 0.19)], 40)
    parts: list[Part] = [Plate([hull], 0, 0.95, creases=(plank,))]
    if f.chance(0.6):
        top, x = f.u(0.95, 1.1), f.u(-0.08, 0.08)
        parts.append(Plate([capsule(x, 0.2, x, top, 0.02)], 0, colour=SECOND))
        parts.append(
            Plate(
                [
                    closed(
                        [
                            (x + 0.04, top - 0.02),
                            (x + 0.04, top - 0.02),
                            (x + 0.26, 0.62),
                            (a * 0.95, 0.36),
                            (a * 0.95, 0.36),
                            (x + 0.04, 0.36),
                            (x + 0.04, 0.36),
                        ]
                    )
                ],
                0.02,
                0.3,
                colour=SECOND,
            )
        )
        parts.append(
            Plate(
                [
                    closed(
                        [
                            (x - 0.04, top - 0.12),
                            (x - 0.04, top - 0.12),
                            (x - 0.2, 0.6),
                            (-a * 0.8, 0.38),
                            (-a * 0.8, 0.38),
                            (x - 0.04, 0.38),
                            (x - 0.04, 0.38),
                        ]
                    )
                ],
                0.02,
                0.3,
                colour=SECOND,
            )
        )
        return parts
    parts.append(Plate([box(-a * 0.55, 0.22, a * 0.45, 0.42, 0.02)], 0, 0.11, 0.02, SECOND))
    parts += [Plate([ellipse(x, 0.33, 0.045, 0.045)], 0.11, 0.015, 0.008, 2) for x in (-0.16, -0.02, 0.12)]
    x = f.u(-0.1, 0.08)
    return [*parts, Turned(np.array([(0.0, 0.4), (0.075, 0.4), (0.07, 0.7), (0.0, 0.71)]), x)]


def mask(f: Form) -> list[Part]:
    a, _b = f.u(0.34, 0.44), 0.52
    chin = f.u(0.4, 0.75)
    ring = closed(
        [
            (0, 1.04),
            (a * 0.8, 0.95),
            (a, 0.62),
            (a * 0.85, 0.32),
            (a * 0.5 * chin + 0.08, 0.06),
            (0, 0.0),
            (-a * 0.5 * chin - 0.08, 0.06),
            (-a * 0.85, 0.32),
            (-a, 0.62),
            (-a * 0.8, 0.95),
        ]
    )
    ex, ey, er = a * f.u(0.42, 0.52), f.u(0.56, 0.66), f.u(0.07, 0.11)
    holes = [ellipse(s * ex, ey, er * 1.25, er * f.u(0.5, 0.9), s * 0.2) for s in (-1, 1)]
    mw, my = a * f.u(0.35, 0.6), f.u(0.17, 0.25)
    curl = f.u(-0.08, 0.1)
    mouth = closed(
        [
            (-mw, my + curl),
            (0, my + 0.02),
            (mw, my + curl),
            (mw * 0.6, my - 0.05),
            (0, my - 0.075),
            (-mw * 0.6, my - 0.05),
        ]
    )
    brow = tuple(
        open_curve(
            [
                (s * (ex - 0.12), ey + er + f.u(0.02, 0.05)),
                (s * ex, ey + er + 0.075),
                (s * (ex + 0.13), ey + er + 0.02),
            ],
            20,
        )
        for s in (-1, 1)
    )
    cheeks = (
        tuple(open_curve([(s * 0.12, 0.42), (s * 0.2, 0.33), (s * (mw + 0.05), 0.2)], 20) for s in (-1, 1))
        if f.chance(0.5)
        else ()
    )
    nose = closed([(0, ey + 0.05), (0.045, 0.45), (0.085, 0.36), (0, 0.325), (-0.085, 0.36), (-0.045, 0.45)])
    parts: list[Part] = [
        Plate(merged(ring, holes=[*holes, mouth]), 0, 0.55, creases=(*brow, *cheeks)),
        Plate([nose], 0.16, 0.9),
    ]
    if f.chance(0.4):
        parts += [
            Plate([closed([(s * a * 0.6, 0.95), (s * a * 0.95, 1.3), (s * a * 1.0, 0.78)])], 0, 0.6, colour=SECOND)
            for s in (-1, 1)
        ]
    return [*parts, *(Plate([ellipse(s * a * 0.68, 0.36, 0.06, 0.055)], 0.12, 0.6, colour=SECOND) for s in (-1, 1))]
