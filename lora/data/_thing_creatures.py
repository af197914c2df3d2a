"""Birds, fish, what creeps, and toys with faces, put together from capsules and ellipses."""

from __future__ import annotations

import math

import numpy as np

from ._thing_parts import (
    SECOND,
    Ball,
    Form,
    Part,
    Plate,
    box,
    capsule,
    closed,
    ellipse,
    merged,
    open_curve,
    polygon,
    tube,
)


def _eye(x: float, y: float, size: float, colour: int = 2) -> Ball:
    return Ball(x, y, (size, size, 0.7 * size), colour=colour)


def _smile(x: float, y: float, wide: float, deep: float) -> np.ndarray:
    return open_curve([(x - wide, y), (x, y - deep), (x + wide, y)], 24)


def bird(f: Form) -> list[Part]:
    b, lean = f.u(0.27, 0.34), f.u(0.2, 0.5)
    hx, hy = -f.u(0.22, 0.32), 0.72 + f.u(0, 0.1)
    r = f.u(0.15, 0.19)
    shapes = [ellipse(0, 0.45, b * 1.25, b * 0.9, -lean * 0.7), ellipse(hx, hy, r, r)]
    tail = polygon(
        [(b, 0.42), (b + f.u(0.32, 0.45), 0.26 - lean * 0.25), (b + 0.35, 0.14 - lean * 0.2), (b * 0.8, 0.25)], 0.05
    )
    wing = [(-0.14, 0.55), (0.08, 0.6), (0.3, 0.42), (b + 0.22, 0.24), (0.2, 0.27), (-0.08, 0.36)]
    feathers = tuple(
        open_curve(
            [
                (0.05 + 0.08 * k, 0.3 + 0.015 * k),
                (0.14 + 0.09 * k, 0.35 - 0.01 * k),
                (0.22 + 0.09 * k, 0.36 - 0.04 * k),
            ],
            16,
        )
        for k in range(2)
    )
    beak = Plate(
        [polygon([(hx - r * 0.8, hy + 0.05), (hx - r - f.u(0.1, 0.2), hy - 0.02), (hx - r * 0.8, hy - 0.07)], 0.015)],
        0,
        0.9,
        colour=SECOND,
    )
    legs = [
        Plate(merged(capsule(x, 0.26, x, 0.02, 0.02), capsule(x, 0.02, x - 0.1, 0.02, 0.018)), z, 1.0, colour=SECOND)
        for x, z in ((0.06, -0.07), (-0.02, 0.07))
    ]
    return [
        Plate([tail], 0, 0.5),
        *legs,
        beak,
        Plate(merged(*shapes, soft=0.03), 0, 1.05),
        Plate([closed(wing)], 0.2, 0.5, colour=SECOND if f.chance(0.4) else 0, creases=feathers),
        _eye(hx - 0.05, hy + 0.04, 0.026),
    ]


def fish(f: Form) -> list[Part]:
    a, b = f.u(0.42, 0.52), f.u(0.2, 0.33)
    y = 0.45
    body = closed(
        [
            (-a, y),
            (-a * 0.5, y + b * 0.85),
            (0, y + b),
            (a * 0.6, y + b * 0.5),
            (a, y + 0.05),
            (a, y - 0.05),
            (a * 0.6, y - b * 0.5),
            (0, y - b),
            (-a * 0.5, y - b * 0.85),
        ]
    )
    t = f.u(0.2, 0.32)
    tail = closed(
        [
            (a * 0.9, y + 0.03),
            (a + 0.2, y + t),
            (a + 0.32, y + t * 0.9),
            (a + f.u(0.15, 0.24), y),
            (a + 0.32, y - t * 0.9),
            (a + 0.2, y - t),
            (a * 0.9, y - 0.03),
        ]
    )
    fin = closed(
        [(-a * 0.3, y + b * 0.85), (0.05, y + b + f.u(0.1, 0.22)), (a * 0.5, y + b * 0.75), (a * 0.35, y + b * 0.45)]
    )
    low = closed([(0.0, y - b * 0.85), (0.12, y - b - 0.12), (a * 0.45, y - b * 0.7)])
    side = Plate(
        [closed([(-0.08, y - 0.03), (0.14, y + 0.05), (0.2, y - 0.08), (0.08, y - 0.14)])], b * 0.78, 0.4, colour=SECOND
    )
    gill = open_curve([(-a * 0.42, y + b * 0.6), (-a * 0.33, y), (-a * 0.42, y - b * 0.6)], 24)
    mouth = open_curve([(-a, y - 0.03), (-a * 0.83, y - 0.06)], 10)
    scales = (
        tuple(open_curve([(x, y + 0.09), (x + 0.06, y + 0.02), (x, y - 0.05)], 14) for x in (0.0, 0.14, 0.27))
        if f.chance(0.5)
        else ()
    )
    rays = tuple(open_curve([(a + 0.05, y + k * 0.03), (a + 0.2, y + k * t * 0.5)], 12) for k in (-1, 1))
    return [
        Plate([tail], 0, 0.35, colour=SECOND, creases=rays),
        Plate([fin], 0, 0.35, colour=SECOND),
        Plate([low], 0, 0.35, colour=SECOND),
        Plate([body], 0, 0.8, creases=(gill, mouth, *scales)),
        side,
        _eye(-a * 0.66, y + b * 0.25, 0.038),
    ]


def turtle(f: Form) -> list[Part]:
    a, b = f.u(0.42, 0.52), f.u(0.32, 0.42)
    dome = closed(
        [
            (-a, 0.16),
            (-a, 0.16),
            (-a * 0.8, 0.16 + b * 0.6),
            (0, 0.16 + b),
            (a * 0.8, 0.16 + b * 0.6),
            (a, 0.16),
            (a, 0.16),
        ]
    )
    ribs = tuple(
        open_curve([(x * a, 0.18), (x * a * 0.92, 0.2 + b * 0.45), (x * a * 0.5, 0.12 + b * 0.92)], 24)
        for x in (-0.5, 0.0, 0.5)
    )
    across = open_curve([(-a * 0.85, 0.16 + b * 0.4), (0, 0.2 + b * 0.48), (a * 0.85, 0.16 + b * 0.4)], 32)
    hx, hy = -a - f.u(0.14, 0.22), f.u(0.28, 0.44)
    neck = merged(capsule(-a * 0.7, 0.2, hx, hy, 0.1, 0.1), ellipse(hx - 0.03, hy + 0.01, 0.125, 0.11), soft=0.02)
    mouth = open_curve([(hx - 0.15, hy - 0.03), (hx - 0.05, hy - 0.05)], 12)
    legs = [
        Plate([capsule(x, 0.2, x + f.u(-0.08, 0.02), 0.065, 0.1, 0.07)], z)
        for x, z in ((-a * 0.55, -0.2), (a * 0.55, -0.2), (-a * 0.66, 0.2), (a * 0.62, 0.2))
    ]
    return [
        *legs[:2],
        Plate([capsule(a * 0.9, 0.17, a + 0.14, 0.13, 0.05, 0.015)]),
        Plate(neck, 0, 1.0, creases=(mouth,)),
        *legs[2:],
        Plate([dome], 0, 0.95, colour=SECOND, creases=(*ribs, across)),
        _eye(hx - 0.06, hy + 0.05, 0.022),
    ]


def snail(f: Form) -> list[Part]:
    r, x, y = f.u(0.28, 0.36), f.u(0.02, 0.12), 0.0
    y = r + 0.1
    t = np.linspace(0, f.u(3.6, 4.8) * math.pi, 120)
    spiral = np.stack(
        [x + r * (1 - t / t[-1] * 0.92) * np.cos(t - 0.6), y + r * (1 - t / t[-1] * 0.92) * np.sin(t - 0.6)], 1
    )[14:]
    hx, hy = -0.55, f.u(0.36, 0.5)
    foot = merged(
        *tube([(0.62, 0.03), (0.1, 0.09), (-0.4, 0.1), (hx, hy)], [0.02, 0.09, 0.1, 0.09]),
        capsule(hx, hy, hx - f.u(0.02, 0.12), hy + 0.24, 0.035, 0.022),
        capsule(hx + 0.03, hy, hx + 0.1, hy + 0.22, 0.035, 0.022),
        soft=0.015,
    )
    mouth = _smile(hx - 0.03, hy - 0.03, 0.035, 0.02)
    return [
        Plate(foot, 0, 1.0, creases=(mouth,)),
        Plate([ellipse(x, y, r, r)], 0.0, 0.95, colour=SECOND, creases=(spiral,)),
        Ball(hx - 0.07, hy + 0.25, (0.032,) * 3, 0.0),
        Ball(hx + 0.1, hy + 0.23, (0.032,) * 3, 0.0),
    ]


def whale(f: Form) -> list[Part]:
    a, b = f.u(0.5, 0.6), f.u(0.26, 0.34)
    up = f.u(0.2, 0.35)
    body = closed(
        [
            (-a, 0.24),
            (-a * 0.75, 0.24 + b),
            (-a * 0.2, 0.3 + b),
            (a * 0.5, 0.34),
            (a * 0.95, 0.3 + up),
            (a * 1.05, 0.28 + up),
            (a * 0.9, 0.15),
            (a * 0.3, 0.0),
            (-a * 0.5, -0.02),
            (-a * 0.95, 0.08),
        ]
    )
    fluke = closed(
        [
            (a, 0.26 + up),
            (a * 0.72, 0.4 + up),
            (a * 0.85, 0.46 + up),
            (a * 1.06, 0.36 + up),
            (a * 1.3, 0.45 + up),
            (a * 1.36, 0.36 + up),
        ]
    )
    mouth = open_curve([(-a * 0.97, 0.2), (-a * 0.6, 0.14), (-a * 0.3, 0.22)], 24)
    grooves = tuple(
        open_curve([(-a * 0.8, 0.08 - 0.04 * k), (-a * 0.3, 0.05 - 0.03 * k), (0.05, 0.1 - 0.04 * k)], 24)
        for k in range(2)
    )
    fin = Plate(
        [closed([(-a * 0.15, 0.14), (a * 0.1, 0.1), (a * 0.2, -0.08), (-a * 0.02, 0.0)])], 0.2, 0.5, colour=SECOND
    )
    return [
        Plate([fluke], 0, 0.5, colour=SECOND),
        Plate([body], 0, 0.95, creases=(mouth, *grooves)),
        fin,
        _eye(-a * 0.5, 0.25, 0.026),
    ]


def duck(f: Form) -> list[Part]:
    b = f.u(0.36, 0.44)
    hx, hy, r = -f.u(0.2, 0.3), f.u(0.66, 0.76), f.u(0.18, 0.22)
    body = closed(
        [
            (-b, 0.3),
            (-b * 0.9, 0.1),
            (-b * 0.3, 0.0),
            (b * 0.6, 0.04),
            (b, 0.22),
            (b * 1.3, f.u(0.4, 0.52)),
            (b * 0.75, 0.42),
            (0.05, 0.4),
            (-b * 0.6, 0.46),
        ]
    )
    whole = merged(body, ellipse(hx, hy, r, r), capsule(hx, hy, hx + 0.04, 0.36, 0.14, 0.19), soft=0.03)
    beak = Plate(
        [
            closed(
                [
                    (hx - r * 0.75, hy + 0.05),
                    (hx - r - 0.15, hy + 0.01),
                    (hx - r - 0.17, hy - 0.04),
                    (hx - r * 0.75, hy - 0.08),
                ]
            )
        ],
        0,
        1.5,
        colour=SECOND,
        creases=(open_curve([(hx - r - 0.14, hy - 0.02), (hx - r * 0.8, hy - 0.015)], 12),),
    )
    wing = Plate(
        [closed([(-0.16, 0.34), (0.08, 0.38), (0.36, 0.32), (0.24, 0.18), (-0.04, 0.16)])],
        0.24,
        0.5,
        creases=(open_curve([(0.05, 0.24), (0.2, 0.25), (0.3, 0.29)], 16),),
    )
    return [beak, Plate(whole, 0, 1.05), wing, _eye(hx - 0.07, hy + 0.05, 0.03)]


def owl(f: Form) -> list[Part]:
    a, b = f.u(0.28, 0.35), f.u(0.42, 0.48)
    shapes = [ellipse(0, b, a, b)]
    for side in (-1, 1):
        shapes.append(
            polygon(
                [(side * a * 0.95, 1.55 * b), (side * a * 0.85, 2.0 * b + f.u(0.05, 0.14)), (side * a * 0.1, 1.9 * b)],
                0.04,
            )
        )
    belly = tuple(
        _smile(x, y, 0.05, 0.035) for x, y in ((-0.1, 0.42), (0.0, 0.42), (0.1, 0.42), (-0.05, 0.33), (0.05, 0.33))
    )
    parts: list[Part] = [Plate([ellipse(side * 0.11, 0.02, 0.08, 0.045)], 0.12, 1.0, colour=SECOND) for side in (-1, 1)]
    parts.append(Plate(merged(*shapes, soft=0.03), 0, 1.05, creases=belly))
    e = f.u(0.11, 0.14)
    for side in (-1, 1):
        parts.append(
            Plate(
                [
                    closed(
                        [
                            (side * a * 0.95, b * 1.3),
                            (side * a * 1.12, b * 0.8),
                            (side * a * 0.8, b * 0.25),
                            (side * a * 0.7, b * 0.9),
                        ]
                    )
                ],
                0.12,
                0.7,
            )
        )
        parts.append(Plate([ellipse(side * 0.125, b * 1.5, e, e)], 0.2, 0.5, colour=SECOND))
        parts.append(_eye(side * 0.12, b * 1.5, e * 0.45))
    return [
        *parts,
        Plate([polygon([(-0.045, b * 1.4), (0.045, b * 1.4), (0, b * 1.18)], 0.015)], 0.28, 1.0, colour=SECOND),
    ]


def teddy(f: Form) -> list[Part]:
    head, body = f.u(0.22, 0.27), f.u(0.24, 0.3)
    hy = 0.08 + 1.7 * body + 0.6 * head
    parts: list[Part] = []
    for side in (-1, 1):
        parts.append(Plate([ellipse(side * head * 0.8, hy + head * 0.72, head * 0.38, head * 0.38)], -0.02, 0.8))
        parts.append(
            Plate([ellipse(side * head * 0.8, hy + head * 0.74, head * 0.2, head * 0.2)], 0.05, 0.7, colour=SECOND)
        )
    parts.append(
        Plate(merged(ellipse(0, 0.08 + body * 0.95, body, body * 1.02), ellipse(0, hy, head, head * 0.9)), 0, 1.1)
    )
    drop = f.u(-0.25, 0.25)
    for side in (-1, 1):
        parts.append(
            Plate(
                [
                    capsule(
                        side * body * 0.75,
                        1.55 * body,
                        side * (body + 0.2),
                        1.1 * body + drop * side * 0 + drop * 0.5,
                        0.095,
                        0.085,
                    )
                ],
                0.1,
                1.0,
            )
        )
        parts.append(Plate([capsule(side * body * 0.5, 0.17, side * (body + 0.1), 0.11, 0.12, 0.11)], 0.17, 1.0))
        parts.append(Plate([ellipse(side * (body + 0.11), 0.11, 0.065, 0.068)], 0.25, 0.5, colour=SECOND))
        parts.append(_eye(side * head * 0.38, hy + head * 0.14, 0.03))
    smile = _smile(0, hy - head * 0.46, head * 0.14, head * 0.08)
    parts.append(
        Plate([ellipse(0, hy - head * 0.3, head * 0.42, head * 0.34)], 0.2, 0.75, colour=SECOND, creases=(smile,))
    )
    return [*parts, Ball(0, hy - head * 0.16, (head * 0.13, head * 0.09, head * 0.1))]


def snowman(f: Form) -> list[Part]:
    r = [f.u(0.26, 0.32), f.u(0.19, 0.23), f.u(0.14, 0.17)]
    y = [r[0] * 0.95]
    y += [y[0] + r[0] * 0.75 + r[1] * 0.75]
    y += [y[1] + r[1] * 0.75 + r[2] * 0.75]
    parts: list[Part] = [Ball(0, a, (b, b, b), 0.0, 0) for a, b in zip(y, r, strict=True)]
    parts += [_eye(side * 0.055, y[2] + 0.04, 0.02) for side in (-1, 1)]
    parts += [_eye(0, y[1] + k * 0.08, 0.022) for k in (-1, 0, 1)]
    parts.append(
        Plate(
            [polygon([(-0.01, y[2] + 0.025), (-0.01, y[2] - 0.025), (f.u(0.1, 0.2), y[2] - 0.02)], 0.006)],
            r[2],
            0.9,
            colour=SECOND,
        )
    )
    parts.append(
        Plate([box(-0.19, y[2] + r[2] * 0.75, 0.19, y[2] + r[2] * 0.75 + 0.035, 0.015)], 0, 2.8, colour=SECOND)
    )
    parts.append(
        Plate([box(-0.11, y[2] + r[2] * 0.8, 0.11, y[2] + r[2] * 0.8 + f.u(0.16, 0.24), 0.015)], 0, 1.0, colour=SECOND)
    )
    return [
        *parts,
        *(
            Plate(
                merged(capsule(s * r[1] * 0.8, y[1] + 0.03, s * (r[1] + 0.22), y[1] + f.u(0.05, 0.25), 0.018, 0.012)),
                colour=SECOND,
            )
            for s in (-1, 1)
        ),
    ]
