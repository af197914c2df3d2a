"""Plants, fruit, signs, letters, and outlines that are nothing in particular."""

from __future__ import annotations

import functools
import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ._thing_parts import (
    SECOND,
    Ball,
    Form,
    Part,
    Plate,
    Ring,
    Rings,
    Turned,
    capsule,
    closed,
    contours,
    ellipse,
    merged,
    open_curve,
    polygon,
    tube,
    turned_ring,
)

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabdefghkmnpqrst&?"
DIGITS = "0123456789"


# --- plants and fruit


def leaf(f: Form) -> list[Part]:
    w, bend, teeth = f.u(0.2, 0.36), f.u(-0.08, 0.08), f.u(0, 1) < 0.4
    t = np.linspace(0, 1, 60)
    half = w * np.sin(np.pi * t ** f.u(0.6, 1.0)) ** 0.9 * (1 + (0.1 * np.sign(np.sin(t * 40)) if teeth else 0))
    mid = np.stack([bend * np.sin(np.pi * t), 0.1 + 0.9 * t], 1)
    ring = np.concatenate([mid + half[:, None] * (1, 0), (mid - half[:, None] * (1, 0))[::-1]])
    veins = [mid[3:57:6]]
    for k in range(12, 50, 9):
        for s in (-1, 1):
            veins.append(np.array([mid[k], mid[min(k + 8, 59)] + (s * half[k] * 0.75, 0)]))
    stem = tube([(0, 0.14), (-bend * 0.5, 0.05), (-bend, 0)], [0.02, 0.018, 0.016])
    return [Plate(stem), Plate(merged(ring), 0, 0.4, creases=tuple(veins))]


def _petals(f: Form, x: float, y: float, size: float) -> list[Part]:
    count, wide = f.whole(5, 9), f.u(0.75, 1.15)
    parts: list[Part] = []
    start = f.u(0, 1)
    for k in range(count):
        a = 2 * math.pi * (k + start) / count
        r = size * 0.62
        ring = ellipse(x + r * math.cos(a), y + r * math.sin(a), size * 0.44, size * wide * 1.5 / count + 0.02, a)
        parts.append(Plate([ring], 0.012 * (k % 2), 0.4))
    return [*parts, Ball(x, y, (size * 0.3, size * 0.3, size * 0.22), 0.02, SECOND)]


def flower(f: Form) -> list[Part]:
    y, size = f.u(0.68, 0.78), f.u(0.2, 0.28)
    stem = tube([(f.u(-0.1, 0.1), 0), (f.u(-0.06, 0.06), y * 0.5), (0, y)], [0.024, 0.022, 0.02])
    parts: list[Part] = [Plate(stem, -0.03, colour=SECOND)]
    for s in (-1, 1)[: f.whole(1, 2)]:
        up = f.u(0.12, 0.25)
        parts.append(
            Plate(
                [
                    closed(
                        [
                            (0, up),
                            (0, up),
                            (s * 0.16, up + 0.02),
                            (s * 0.3, up + 0.16),
                            (s * 0.3, up + 0.16),
                            (s * 0.12, up + 0.14),
                        ]
                    )
                ],
                -0.03,
                0.35,
                colour=SECOND,
            )
        )
    return [*parts, *_petals(f, 0, y, size)]


def _pot(f: Form, wide: float, high: float) -> Turned:
    r = wide * f.u(0.65, 0.85)
    line = [
        (0.0, 0.0),
        (r, 0.0),
        (wide * 0.95, high * 0.78),
        (wide * 1.08, high * 0.79),
        (wide * 1.1, high),
        (wide * 0.98, high),
        (wide * 0.95, high - 0.04),
        (0.0, high - 0.04),
    ]
    return Turned(np.array(line), colour=SECOND)


def cactus(f: Form) -> list[Part]:
    r, top = f.u(0.11, 0.15), f.u(0.85, 1.05)
    pot = _pot(f, 0.22, 0.26)
    shapes = [capsule(0, 0.15, 0, top - r, r)]
    for s in (-1, 1)[: f.whole(1, 2)]:
        y, reach, b = f.u(0.4, 0.62), f.u(0.22, 0.3), f.u(0.055, 0.08)
        shapes += tube(
            [(s * 0.05, y), (s * (reach - 0.03), y + 0.01), (s * reach, y + 0.08), (s * reach, y + f.u(0.16, 0.3))],
            [b] * 4,
        )
    ribs = tuple(open_curve([(x, 0.26), (x * 1.02, 0.5), (x, top - r * 0.9)], 30) for x in (-r * 0.5, 0, r * 0.5))
    return [Plate(merged(*shapes, soft=0.015), 0, 1.0, creases=ribs), pot]


def plant(f: Form) -> list[Part]:
    parts: list[Part] = []
    count = f.whole(5, 9)
    for k in range(count):
        a = math.pi * (0.16 + 0.68 * (k + f.u(0.2, 0.8)) / count)
        long, wide = f.u(0.4, 0.68), f.u(0.05, 0.1)
        t = np.linspace(0, 1, 30)
        droop = 0.22 * math.cos(a) * t**2
        mid = np.stack([long * np.cos(a) * t + droop, 0.28 + long * np.sin(a) * t - abs(math.cos(a)) * 0.22 * t**2], 1)
        way = np.gradient(mid, axis=0)
        side = np.stack([-way[:, 1], way[:, 0]], 1) / np.linalg.norm(way, axis=1, keepdims=True)
        half = wide * np.sin(np.pi * (0.06 + 0.94 * t))[:, None] ** 0.8
        ring = np.concatenate([mid + side * half, (mid - side * half)[::-1]])
        parts.append(Plate([ring], f.u(-0.12, 0.12), 0.4, creases=(mid[4:26:4],)))
    return [*parts, _pot(f, f.u(0.18, 0.26), f.u(0.26, 0.36))]


def mushroom(f: Form) -> list[Part]:
    r, h, s = f.u(0.34, 0.46), f.u(0.24, 0.4), f.u(0.08, 0.14)
    y = f.u(0.4, 0.55)
    stem = np.concatenate(
        [
            [(0.0, 0.0)],
            open_curve([(s * 1.3, 0.0), (s * 1.1, y * 0.4), (s, y * 0.9), (s, y + 0.05)], 40),
            [(0.0, y + 0.05)],
        ]
    )
    t = np.linspace(0, 0.5 * math.pi, 30)
    cap = np.concatenate([[(0.0, y + 0.03), (r * 0.9, y - 0.01)], np.stack([r * np.cos(t), y + h * np.sin(t)], 1)])
    parts: list[Part] = [Turned(stem, colour=SECOND), Turned(cap)]
    for x, up in ((-0.5, 0.3), (0.0, 0.55), (0.45, 0.3), (-0.1, 0.14)):
        radius = f.u(0.035, 0.07)
        parts.append(Ball(x * r, y + up * h, (radius, radius * 0.9, radius * 0.6), None, SECOND))
    return parts


def _stalk(y: float, lean: float) -> Plate:
    return Plate(tube([(0, y - 0.08), (lean * 0.3, y + 0.04), (lean, y + 0.14)], [0.022, 0.02, 0.024]), colour=SECOND)


def apple(f: Form) -> list[Part]:
    r, h = f.u(0.36, 0.42), f.u(0.62, 0.72)
    line = open_curve(
        [
            (0.0, 0.05),
            (r * 0.45, 0.0),
            (r * 0.9, h * 0.3),
            (r, h * 0.65),
            (r * 0.6, h),
            (0.12, h * 0.97),
            (0.0, h * 0.86),
        ],
        80,
    )
    leaf_ring = closed(
        [(0.02, h + 0.02), (0.02, h + 0.02), (0.1, h + 0.12), (0.26, h + 0.15), (0.26, h + 0.15), (0.17, h + 0.03)]
    )
    return [
        Turned(line),
        _stalk(h, f.u(-0.06, 0.06)),
        *([Plate([leaf_ring], 0, 0.4, colour=SECOND)] if f.chance(0.7) else []),
    ]


def pear(f: Form) -> list[Part]:
    r, n = f.u(0.28, 0.34), f.u(0.11, 0.16)
    line = open_curve(
        [(0.0, 0.02), (r * 0.5, 0.0), (r, 0.26), (r * 0.75, 0.5), (n, 0.72), (n * 0.7, 0.84), (0.0, 0.86)], 80
    )
    leaf_ring = closed([(0.02, 0.9), (0.02, 0.9), (0.1, 1.0), (0.28, 0.98), (0.28, 0.98), (0.16, 0.88)])
    return [
        Turned(line),
        _stalk(0.88, f.u(-0.06, 0.06)),
        *([Plate([leaf_ring], 0, 0.4, colour=SECOND)] if f.chance(0.6) else []),
    ]


def cherries(f: Form) -> list[Part]:
    r = f.u(0.16, 0.21)
    top = (f.u(0.0, 0.1), 0.95)
    parts: list[Part] = []
    for x, y in ((-0.22, r), (0.22, r + f.u(0.0, 0.1))):
        parts.append(Plate(tube([(x, y + r * 0.8), (x * 0.7, 0.65), top], [0.016, 0.015, 0.018]), 0, colour=SECOND))
        parts.append(Ball(x, y, (r, r * 0.96, r), 0.0, 0))
    ring = closed([(top[0], 0.93), (top[0], 0.93), (0.22, 1.02), (0.42, 0.9), (0.42, 0.9), (0.22, 0.86)])
    return [*parts, Plate([ring], 0, 0.4, colour=SECOND, creases=(open_curve([(0.14, 0.95), (0.36, 0.91)], 12),))]


# --- signs


def _solid(f: Form, rings: Rings, thick: float, **more: object) -> Plate:
    """Round, or flat with a bevel."""
    if f.chance(0.5):
        return Plate(rings, 0, f.u(0.14, 0.22) * thick * 2, f.u(0.015, 0.04), **more)  # type: ignore[arg-type]
    return Plate(rings, 0, f.u(0.75, 1.0), **more)  # type: ignore[arg-type]


def heart(f: Form) -> list[Part]:
    t = np.linspace(0, 2 * math.pi, 120, endpoint=False)
    x = 0.031 * f.u(0.9, 1.1) * 16 * np.sin(t) ** 3
    y = 0.031 * (13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) + 0.53
    return [_solid(f, merged(turned_ring(np.stack([x, y], 1), f.u(-0.12, 0.12))), 0.5)]


def star(f: Form) -> list[Part]:
    n, inner = f.whole(5, 7) if f.chance(0.3) else 5, f.u(0.4, 0.6)
    a = np.arange(2 * n) * math.pi / n + math.pi / 2 + f.u(-0.12, 0.12)
    r = np.where(np.arange(2 * n) % 2 == 0, 0.5, 0.5 * inner)
    return [_solid(f, [polygon(np.stack([r * np.cos(a), 0.5 + r * np.sin(a)], 1), f.u(0.02, 0.1))], 0.4)]


def arrow(f: Form) -> list[Part]:
    w, head, at = f.u(0.06, 0.13), f.u(0.24, 0.36), f.u(0.4, 0.62)
    ring = polygon([(0, -w), (at, -w), (at, -head), (1.0, 0), (at, head), (at, w), (0, w)], f.u(0.01, 0.05))
    turn = f.whole(0, 7) * math.pi / 4 + f.u(-0.1, 0.1)
    return [_solid(f, merged(turned_ring(ring, turn)), 0.4)]


def moon(f: Form) -> list[Part]:
    r, shift = 0.5, f.u(0.18, 0.3)
    way = 1 if f.chance(0.5) else -1
    ring = merged(ellipse(0, 0.5, r, r), holes=[ellipse(way * shift * 1.2, 0.56, r * 0.82, r * 0.82)])
    return [_solid(f, ring, 0.4)]


def cloud(f: Form) -> list[Part]:
    count = f.whole(3, 5)
    shapes = [capsule(-0.36, 0.14, 0.36, 0.14, 0.14)]
    for k in range(count):
        x = -0.36 + 0.72 * (k + 0.5) / count
        r = f.u(0.13, 0.2) + 0.1 * (1 - abs(x) / 0.4)
        shapes.append(ellipse(x, 0.2 + 0.4 * r, r, r))
    return [Plate(merged(*shapes, soft=0.01), 0, 0.9)]


@functools.cache
def _glyph(text: str) -> tuple[Ring, ...]:
    """Its rings, 1 high, by the font that comes with Pillow."""
    font = ImageFont.load_default(260)
    left, top, right, bottom = font.getbbox(text)
    image = Image.new("L", (int(right - left) + 60, int(bottom - top) + 60), 0)
    ImageDraw.Draw(image).text((30 - left, 30 - top), text, font=font, fill=255)
    rings = contours(np.asarray(image, np.float32), 127.5)
    high = max(float(ring[:, 1].max()) for ring in rings)
    size = high - min(float(ring[:, 1].min()) for ring in rings)
    return tuple(np.stack([ring[:, 0], high - ring[:, 1]], 1) / size for ring in rings)


def _written(f: Form, signs: str) -> list[Part]:
    rings = _glyph(signs[f.whole(0, len(signs) - 1)])
    bold, slant, wide = f.u(0.0, 0.07), f.u(-0.02, 0.22) if f.chance(0.4) else 0.0, f.u(0.85, 1.2)
    changed = []
    for ring in rings:
        way = np.roll(ring, -2, 0) - np.roll(ring, 2, 0)
        out = np.stack([way[:, 1], -way[:, 0]], 1) / np.linalg.norm(way, axis=1, keepdims=True).clip(1e-6)
        area = float(np.sum(ring[:, 0] * np.roll(ring[:, 1], -1) - ring[:, 1] * np.roll(ring[:, 0], -1)))
        hole = ring is not rings[0] and _within(ring[0], rings[0])
        out *= 1 if (area > 0) != hole else -1
        moved = ring + out * bold * (0.5 if hole else 1.0)
        changed.append(np.stack([(moved[:, 0] + slant * moved[:, 1]) * wide, moved[:, 1]], 1))
    return [_solid(f, changed, 0.4)]


def _within(point: np.ndarray, ring: Ring) -> bool:
    a, b = ring, np.roll(ring, -1, 0)
    crossing = (a[:, 1] > point[1]) != (b[:, 1] > point[1])
    at = a[:, 0] + (point[1] - a[:, 1]) / np.where(crossing, b[:, 1] - a[:, 1], 1) * (b[:, 0] - a[:, 0])
    return bool((crossing & (at > point[0])).sum() % 2)


def letter(f: Form) -> list[Part]:
    return _written(f, LETTERS)


def number(f: Form) -> list[Part]:
    return _written(f, DIGITS)


# --- whatever is drawn


def anything(f: Form) -> list[Part]:
    """A closed outline with lines in it, a hole, spots, or something that stands before it."""
    rings = [_wobbly, _lumps, _limbs, _corners][f.whole(0, 3)](f)
    ring = rings[0]
    low, size = ring.min(0), np.ptp(ring, axis=0)
    inside = [p for p in (low + size * (f.u(0.2, 0.8), f.u(0.2, 0.8)) for _ in range(14)) if _within(p, ring)]
    creases = []
    for _ in range(f.whole(0, 3)):
        if len(inside) > 3:
            some = [inside[f.whole(0, len(inside) - 1)] for _ in range(3)]
            creases.append(open_curve(some, 40))
    if f.chance(0.35):  # a line along the outline
        middle = ring.mean(0)
        some = (ring - middle) * f.u(0.6, 0.8) + middle
        creases.append(some[: int(len(some) * f.u(0.3, 0.9))])
    kept = tuple(line for line in (_clipped(each, ring) for each in creases) if len(line) > 6)
    more: list[Part] = []
    kind = f.u(0, 1)
    if inside and kind < 0.25:
        hole = inside[0]
        reach = float(np.linalg.norm(ring - hole, axis=1).min())
        if reach > 0.08:
            rings = [*rings, ellipse(hole[0], hole[1], reach * f.u(0.4, 0.65), reach * f.u(0.4, 0.65))]
    elif kind < 0.55:
        for p in inside[: f.whole(1, 4)]:
            r = min(0.06, 0.6 * float(np.linalg.norm(ring - p, axis=1).min()))
            if r > 0.02:
                more.append(Ball(p[0], p[1], (r, r * f.u(0.7, 1.0), r * 0.6), None, SECOND))
    elif inside and kind < 0.8:
        p, q = inside[0], inside[-1]
        other = capsule(p[0], p[1], q[0] + 0.001, q[1], f.u(0.05, 0.12), f.u(0.05, 0.12))
        more.append(Plate([other], 0.3 * float(size.min()), 0.9, colour=SECOND))
    flat = f.chance(0.3)
    body = Plate(rings, 0, f.u(0.08, 0.16) if flat else f.u(0.6, 1.05), f.u(0.02, 0.05) if flat else 0.0, creases=kept)
    return [body, *more]


def _clipped(line: Ring, ring: Ring) -> Ring:
    """The first stretch of a line that is inside."""
    inside = np.array([_within(p, ring) for p in line])
    if not inside.any():
        return line[:0]
    first = int(inside.argmax())
    out = np.flatnonzero(~inside[first:])
    return line[first : first + int(out[0]) if len(out) else len(line)]


def _wobbly(f: Form) -> Rings:
    t = np.linspace(0, 2 * math.pi, 200, endpoint=False)
    r = np.ones_like(t)
    for k in range(2, 8):
        r += f.u(0, 0.75) / k**1.1 * np.cos(k * t + f.u(0, 6.28))
    r = r.clip(0.28, None)
    return [np.stack([f.u(0.7, 1.3) * r * np.cos(t), r * np.sin(t)], 1) * 0.45]


def _lumps(f: Form) -> Rings:
    shapes = [ellipse(0, 0, f.u(0.2, 0.35), f.u(0.2, 0.35))]
    for _ in range(f.whole(2, 5)):
        a, reach = f.u(0, 6.28), f.u(0.2, 0.45)
        shapes.append(ellipse(reach * math.cos(a), reach * math.sin(a), f.u(0.1, 0.26), f.u(0.1, 0.26), f.u(0, 3)))
    return merged(*shapes, soft=f.u(0.02, 0.08))[:1]


def _limbs(f: Form) -> Rings:
    shapes = [ellipse(0, 0, f.u(0.16, 0.3), f.u(0.16, 0.3), f.u(0, 3))]
    start = f.u(0, 6.28)
    count = f.whole(3, 6)
    for k in range(count):
        a = start + 2 * math.pi * (k + f.u(-0.3, 0.3)) / count
        bend, reach = f.u(-0.5, 0.5), f.u(0.35, 0.6)
        points = [
            (0.1 * math.cos(a), 0.1 * math.sin(a)),
            (reach * 0.6 * math.cos(a), reach * 0.6 * math.sin(a)),
            (reach * math.cos(a + bend), reach * math.sin(a + bend)),
        ]
        shapes += tube(points, [f.u(0.07, 0.13), f.u(0.05, 0.1), f.u(0.025, 0.08)])
    return merged(*shapes, soft=f.u(0.01, 0.05))[:1]


def _corners(f: Form) -> Rings:
    count = f.whole(3, 8)
    points = []
    for k in range(count):
        a = 2 * math.pi * (k + f.u(-0.3, 0.3)) / count
        r = f.u(0.25, 0.55)
        points.append((r * math.cos(a), r * math.sin(a)))
    return [polygon(points, f.u(0.02, 0.12))]
