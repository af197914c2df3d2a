"""Animals on four legs, put together from capsules and ellipses; seen from the side they look to the left."""

from __future__ import annotations

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


def cat(f: Form) -> list[Part]:
    if f.chance(0.5):
        return _cat_sitting(f)
    s = f.u(0.5, 0.66)
    head = f.u(0.18, 0.23)
    hx, hy = -s - 0.06, f.u(0.62, 0.72)
    torso = [
        capsule(-s * 0.75, 0.45, s * 0.7, 0.46, f.u(0.17, 0.21), f.u(0.17, 0.22)),
        ellipse(hx, hy, head, 0.9 * head),
    ]
    torso += [capsule(-s * 0.75, 0.5, hx, hy - 0.05, 0.15, 0.11)]
    for side in (-1, 1):
        torso.append(
            polygon(
                [
                    (hx + side * 0.95 * head, hy + 0.3 * head),
                    (hx + side * 0.7 * head, hy + f.u(1.5, 1.8) * head),
                    (hx + side * 0.12 * head, hy + 0.75 * head),
                ],
                0.04,
            )
        )
    tail = tube(
        [(s * 0.75, 0.5), (s * 1.15, f.u(0.5, 0.7)), (s * f.u(1.05, 1.35), f.u(0.85, 1.1))], [0.065, 0.055, 0.045]
    )
    leg = f.u(0.065, 0.085)
    near = [
        Plate([capsule(x, 0.38, x + f.u(-0.05, 0.05), leg, leg * 1.35, leg)], 0.13, 1.0) for x in (-s * 0.72, s * 0.7)
    ]
    far = [
        Plate([capsule(x, 0.38, x + f.u(-0.05, 0.05), leg, leg * 1.35, leg)], -0.13, 1.0) for x in (-s * 0.5, s * 0.48)
    ]
    face = (_smile(hx - 0.03, hy - 0.3 * head, 0.3 * head, 0.12 * head),)
    body = Plate(merged(*torso, soft=0.03), 0, 1.05, creases=face)
    eyes = [_eye(hx + side * 0.38 * head - 0.03, hy + 0.12 * head, 0.14 * head) for side in (-1, 1)]
    nose = Ball(hx - 0.03, hy - 0.18 * head, (0.12 * head, 0.09 * head, 0.08 * head), colour=SECOND)
    return [*far, Plate(tail, 0.0, 1.0), body, *near, *eyes, nose]


def _cat_sitting(f: Form) -> list[Part]:
    head, wide = f.u(0.22, 0.28), f.u(0.24, 0.31)
    hy = f.u(0.72, 0.82)
    shapes = [ellipse(0, 0.27, wide, 0.28), capsule(0, 0.3, 0, hy - 0.1, 0.22, 0.13), ellipse(0, hy, head, 0.86 * head)]
    for side in (-1, 1):
        shapes.append(
            polygon(
                [
                    (side * 0.95 * head, hy + 0.25 * head),
                    (side * 0.72 * head, hy + f.u(1.35, 1.65) * head),
                    (side * 0.1 * head, hy + 0.7 * head),
                ],
                0.04,
            )
        )
    way = 1 if f.chance(0.5) else -1
    tail = tube([(way * 0.2, 0.08), (way * 0.5, 0.06), (way * f.u(0.5, 0.62), f.u(0.25, 0.5))], [0.06, 0.055, 0.045])
    legs = [Plate([capsule(x, 0.36, x, 0.06, 0.075, 0.065)], 0.2, 1.0) for x in (-0.085, 0.085)]
    chest = Plate([ellipse(0, 0.46, 0.1, 0.14)], 0.14, 1.0, colour=SECOND)
    body = Plate(merged(*shapes, soft=0.03), 0, 1.1, creases=(_smile(0, hy - 0.4 * head, 0.28 * head, 0.14 * head),))
    eyes = [_eye(side * 0.4 * head, hy + 0.05 * head, 0.15 * head) for side in (-1, 1)]
    return [
        Plate(tail, -0.06, 1.0),
        body,
        chest,
        *legs,
        *eyes,
        Ball(0, hy - 0.25 * head, (0.1 * head, 0.075 * head, 0.07 * head), colour=SECOND),
    ]


def dog(f: Form) -> list[Part]:
    s, high = f.u(0.45, 0.75), f.u(0.4, 0.55)
    hx, hy = -s - f.u(0.02, 0.12), high + f.u(0.3, 0.42)
    snout = f.u(0.16, 0.26)
    torso = [
        capsule(-s * 0.8, high, s * 0.75, high, f.u(0.17, 0.22), f.u(0.13, 0.2)),
        ellipse(hx, hy, 0.18, 0.17),
        capsule(-s * 0.8, high + 0.05, hx + 0.05, hy, 0.14, 0.12),
        capsule(hx, hy - 0.04, hx - snout, hy - 0.08, 0.11, 0.075),
    ]
    tail = tube(
        [(s * 0.85, high + 0.05), (s * 1.1, high + f.u(0.1, 0.3)), (s * 1.15, high + f.u(0.3, 0.5))], [0.06, 0.05, 0.03]
    )
    w = f.u(0.06, 0.085)

    def leg(x: float, z: float) -> Plate:
        return Plate(
            merged(capsule(x, high - 0.05, x, w, w * 1.4, w * 0.85), capsule(x, w * 0.8, x - 0.07, w * 0.8, w * 0.8)), z
        )

    ear = Plate(
        [capsule(hx + 0.08, hy + 0.1, hx + f.u(0.1, 0.2), hy - f.u(0.08, 0.16), 0.06, 0.075)], 0.13, 0.7, colour=SECOND
    )
    mouth = open_curve([(hx - snout, hy - 0.11), (hx - snout * 0.5, hy - 0.13), (hx - 0.05, hy - 0.1)], 20)
    parts: list[Part] = [
        leg(-s * 0.55, -0.12),
        leg(s * 0.55, -0.12),
        Plate(tail),
        Plate(merged(*torso, soft=0.03), 0, 1.05, creases=(mouth,)),
    ]
    parts += [leg(-s * 0.8, 0.12), leg(s * 0.74, 0.12), ear, _eye(hx - 0.07, hy + 0.05, 0.026)]
    return [*parts, Ball(hx - snout - 0.05, hy - 0.05, (0.04, 0.036, 0.045), 0.0)]


def rabbit(f: Form) -> list[Part]:
    head, hy = f.u(0.2, 0.25), f.u(0.62, 0.72)
    body = f.u(0.26, 0.33)
    shapes = [ellipse(0, body, body, body * 1.05), ellipse(0, hy, head, head * 0.92)]
    parts: list[Part] = []
    ears = f.u(0.28, 0.42)
    for side in (-1, 1):
        lean = side * f.u(0.02, 0.16)
        ear = capsule(side * 0.09, hy + 0.1, side * 0.1 + lean, hy + head * 0.7 + ears, 0.05, f.u(0.05, 0.07))
        parts.append(Plate([ear], -0.02, 0.75))
        parts.append(
            Plate(
                [capsule(side * 0.1, hy + 0.22, side * 0.1 + lean * 0.95, hy + head * 0.7 + ears * 0.95, 0.024, 0.034)],
                0.022,
                0.5,
                colour=SECOND,
            )
        )
    parts.append(
        Plate(merged(*shapes, soft=0.02), 0, 1.1, creases=(_smile(0, hy - 0.42 * head, 0.2 * head, 0.12 * head),))
    )
    for side in (-1, 1):
        parts.append(Plate([ellipse(side * body * 0.55, 0.075, 0.12, 0.075)], 0.24, 1.0))
        parts.append(
            Plate([capsule(side * body * 0.75, body * 1.35, side * body * 0.45, body * 0.95, 0.065, 0.06)], 0.19, 1.0)
        )
        parts.append(_eye(side * 0.42 * head, hy + 0.1 * head, 0.14 * head))
    parts.append(Plate([ellipse(0, body * 0.85, body * 0.5, body * 0.5)], 0.2, 0.5, colour=SECOND))
    return [*parts, Ball(0, hy - 0.15 * head, (0.12 * head, 0.09 * head, 0.08 * head), colour=SECOND)]


def horse(f: Form) -> list[Part]:
    s, high = f.u(0.42, 0.54), f.u(0.62, 0.72)
    hx, hy = -s - f.u(0.12, 0.2), high + f.u(0.38, 0.5)
    torso = [
        capsule(-s * 0.8, high, s * 0.75, high + 0.02, 0.185, 0.2),
        capsule(-s * 0.85, high + 0.08, hx + 0.1, hy, 0.15, 0.1),
        capsule(hx + 0.08, hy, hx - 0.14, hy - f.u(0.14, 0.22), 0.1, 0.065),
        polygon([(hx + 0.04, hy + 0.06), (hx + 0.07, hy + 0.2), (hx + 0.14, hy + 0.05)], 0.02),
    ]

    def leg(x: float, z: float) -> Plate:
        b = f.u(-0.06, 0.06)
        rings = merged(
            capsule(x, high - 0.05, x + b, 0.3, 0.1, 0.05),
            capsule(x + b, 0.3, x + b * 0.4, 0.06, 0.048, 0.042),
            box(x + b * 0.4 - 0.065, 0, x + b * 0.4 + 0.05, 0.075, 0.015),
        )
        return Plate(rings, z)

    mane = Plate(
        merged(
            *[
                ellipse(hx + 0.13 + 0.05 * k + 0.1 * t, hy + 0.1 - 0.1 * k, 0.075, 0.06, -0.9)
                for k in range(4)
                for t in (0,)
            ],
            soft=0.02,
        ),
        0.03,
        0.95,
        colour=SECOND,
    )
    tail = tube(
        [(s * 0.9, high + 0.12), (s + 0.2, high), (s + f.u(0.15, 0.28), high - f.u(0.25, 0.45))], [0.05, 0.075, 0.035]
    )
    parts: list[Part] = [
        leg(-s * 0.62, -0.11),
        leg(s * 0.62, -0.11),
        Plate(tail, 0, 1.0, colour=SECOND),
        Plate(merged(*torso, soft=0.04), 0, 1.0),
    ]
    return [*parts, mane, leg(-s * 0.85, 0.1), leg(s * 0.78, 0.1), _eye(hx + 0.01, hy - 0.01, 0.022)]


def elephant(f: Form) -> list[Part]:
    s, high = f.u(0.4, 0.5), f.u(0.52, 0.6)
    hx, hy = -s - 0.12, high + f.u(0.12, 0.22)
    torso = [ellipse(0, high, s, f.u(0.29, 0.34)), ellipse(hx, hy, 0.22, 0.22)]
    trunk = tube(
        [
            (hx - 0.12, hy - 0.02),
            (hx - 0.26, hy - 0.24),
            (hx - f.u(0.22, 0.3), 0.25),
            (hx - f.u(0.32, 0.5), f.u(0.2, 0.45)),
        ],
        [0.12, 0.085, 0.06, 0.045],
    )
    whole = merged(*torso, *trunk, soft=0.03)

    def leg(x: float, z: float) -> Plate:
        return Plate([polygon([(x - 0.1, 0), (x + 0.1, 0), (x + 0.115, 0.4), (x - 0.115, 0.4)], 0.04)], z, 1.0)

    ear = Plate(
        [
            closed(
                [
                    (hx + 0.05, hy + 0.2),
                    (hx + 0.27, hy + 0.18),
                    (hx + 0.32, hy - 0.08),
                    (hx + 0.17, hy - 0.26),
                    (hx + 0.06, hy - 0.06),
                ]
            )
        ],
        0.2,
        0.45,
        colour=SECOND,
    )
    tail = tube([(s * 0.95, high + 0.1), (s + 0.1, high - 0.05), (s + 0.08, high - 0.25)], [0.035, 0.025, 0.035])
    tusk = Plate(
        tube([(hx - 0.1, hy - 0.17), (hx - 0.2, hy - 0.3), (hx - 0.33, hy - 0.28)], [0.035, 0.028, 0.01]),
        0.11,
        1.0,
        colour=SECOND,
    )
    legs = [leg(-s * 0.45, -0.14), leg(s * 0.4, -0.14)]
    return [
        *legs,
        Plate(tail),
        Plate(whole, 0, 1.05),
        leg(-s * 0.7, 0.14),
        leg(s * 0.68, 0.14),
        ear,
        tusk,
        _eye(hx - 0.09, hy + 0.06, 0.024),
    ]


def dinosaur(f: Form) -> list[Part]:
    if f.chance(0.5):  # with a long neck
        high, s = f.u(0.4, 0.5), f.u(0.36, 0.46)
        neck = [(-s * 0.7, high + 0.05), (-s - 0.2, high + 0.3), (-s - f.u(0.2, 0.34), high + f.u(0.55, 0.75))]
        hx, hy = neck[-1]
        shapes = [
            *tube(neck, [0.17, 0.09, 0.07]),
            ellipse(0, high, s, 0.24),
            capsule(hx, hy, hx - 0.14, hy - 0.03, 0.085, 0.06),
        ]
        tail = tube([(s * 0.6, high), (s + 0.3, high - 0.12), (s + f.u(0.6, 0.9), f.u(0.1, 0.35))], [0.18, 0.085, 0.02])
        body = Plate(
            merged(*shapes, *tail, soft=0.04),
            0,
            1.0,
            creases=(open_curve([(hx - 0.19, hy - 0.05), (hx - 0.07, hy - 0.06)], 12),),
        )
        legs = [
            Plate([capsule(x, high - 0.1, x, 0.075, 0.105, 0.08)], z)
            for x, z in ((-s * 0.4, -0.13), (s * 0.45, -0.13), (-s * 0.6, 0.13), (s * 0.62, 0.13))
        ]
        spots = [
            Plate(
                [ellipse(-0.2 * s + 0.35 * k * s, high + 0.11 + 0.03 * (k % 2), 0.05, 0.045)], 0.15, 0.8, colour=SECOND
            )
            for k in range(3)
        ]
        return [*legs[:2], body, *spots, *legs[2:], _eye(hx - 0.03, hy + 0.03, 0.022)]
    lean, hy = f.u(0.0, 0.12), f.u(0.92, 1.05)
    shapes = [
        capsule(0.05, 0.45, -0.12 - lean, 0.72, 0.21, 0.14),
        ellipse(-0.2 - lean, hy, 0.17, 0.14),
        capsule(-0.2 - lean, hy - 0.02, -0.42 - lean, hy - 0.05, 0.12, 0.09),
        capsule(-0.14 - lean, 0.72, -0.18 - lean, hy, 0.14, 0.11),
    ]
    tail = tube([(0.1, 0.42), (0.45, 0.22), (f.u(0.75, 0.95), f.u(0.05, 0.3))], [0.2, 0.12, 0.02])
    mouth = open_curve([(-0.5 - lean, hy - 0.07), (-0.35 - lean, hy - 0.09), (-0.2 - lean, hy - 0.06)], 20)
    spikes = [
        Plate([polygon([(x - 0.05, y), (x + 0.07, y + 0.09), (x + 0.08, y - 0.06)], 0.015)], 0, 0.5, colour=SECOND)
        for x, y in ((-0.06 - lean, hy + 0.03), (0.01 - lean, hy - 0.14), (0.1, 0.66), (0.24, 0.5), (0.38, 0.36))
    ]

    def leg(x: float, z: float) -> Plate:
        return Plate(
            merged(
                ellipse(x, 0.32, 0.13, 0.17),
                capsule(x + 0.04, 0.22, x + 0.02, 0.07, 0.075, 0.06),
                capsule(x + 0.02, 0.05, x - 0.12, 0.05, 0.05),
                soft=0.02,
            ),
            z,
        )

    arm = Plate([capsule(-0.2 - lean, 0.66, -0.36 - lean, 0.58, 0.05, 0.035)], 0.13)
    return [
        *spikes,
        leg(0.12, -0.12),
        Plate(merged(*shapes, *tail, soft=0.04), 0, 1.0, creases=(mouth,)),
        leg(0.04, 0.13),
        arm,
        _eye(-0.27 - lean, hy + 0.06, 0.028),
    ]


def pig(f: Form) -> list[Part]:
    s, high = f.u(0.36, 0.46), f.u(0.36, 0.42)
    hx, hy = -s - 0.05, high + 0.1
    torso = merged(ellipse(0, high, s, f.u(0.25, 0.3)), ellipse(hx, hy, 0.21, 0.2), soft=0.03)
    nose = Plate([ellipse(hx - 0.2, hy - 0.03, 0.07, 0.09)], 0.05, 1.2, colour=SECOND)
    ear = Plate(
        [polygon([(hx + 0.0, hy + 0.16), (hx - 0.06, hy + 0.3), (hx + 0.15, hy + 0.2)], 0.03)], 0.1, 0.7, colour=SECOND
    )
    tail = Plate(
        tube(
            [(s * 0.95, high + 0.08), (s + 0.1, high + 0.16), (s + 0.16, high + 0.06), (s + 0.08, high + 0.05)],
            [0.03, 0.025, 0.022, 0.015],
        )
    )
    legs = [
        Plate([polygon([(x - 0.075, 0), (x + 0.075, 0), (x + 0.09, 0.25), (x - 0.09, 0.25)], 0.03)], z)
        for x, z in ((-s * 0.4, -0.13), (s * 0.4, -0.13), (-s * 0.6, 0.13), (s * 0.62, 0.13))
    ]
    return [*legs[:2], tail, Plate(torso, 0, 1.1), *legs[2:], nose, ear, _eye(hx - 0.06, hy + 0.07, 0.024)]
