"""A car that needs no file, on a ground: a coupe, in metres, its nose towards +x."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .geometry import Builder, Geometry, Stage

LENGTH, WIDTH = 4.5, 1.86
AXLES, WHEEL = (-1.32, 1.38), 0.34
PAINTS = ((176, 32, 40), (38, 88, 150), (222, 140, 40), (60, 120, 84), (212, 214, 216))
GLASS, RUBBER, RIM, LAMP, DARK, GROUND = (
    (52, 72, 92),
    (32, 33, 36),
    (176, 180, 186),
    (250, 244, 206),
    (40, 42, 46),
    (122, 124, 128),
)
# Along the car: height of the sill, of the shoulder, and half of the width, from tail to nose.
SILL = ((-2.25, 0.42), (-1.9, 0.24), (1.9, 0.22), (2.25, 0.34))
SHOULDER = ((-2.25, 0.86), (-2.1, 0.94), (-1.2, 0.96), (-0.2, 0.9), (0.9, 0.86), (1.7, 0.74), (2.1, 0.6), (2.25, 0.48))
HALF = ((-2.25, 0.68), (-1.9, 0.86), (-1.3, 0.93), (0.0, 0.9), (1.4, 0.92), (1.9, 0.82), (2.25, 0.58))
# The cabin: where its edge is at the shoulder and at the roof, front and back.
ROOF = ((-1.9, 0.93), (-1.0, 1.22), (-0.4, 1.3), (0.1, 1.28), (0.55, 1.12), (1.05, 0.88))


def car(seed: int = 0) -> Geometry:
    """A coupe on a flat ground; the seed chooses its paint, and the path goes round it at the height of eyes."""
    build = Builder()
    paint = PAINTS[seed % len(PAINTS)]
    ground = build.thing("ground")
    turn = np.linspace(0, 2 * np.pi, 49)
    disc = [
        [(0, 0, 0), (40 * np.cos(b), 0, 40 * np.sin(b)), (40 * np.cos(a), 0, 40 * np.sin(a))] for a, b in pairwise(turn)
    ]
    build.add(ground, np.array(disc), GROUND)
    body = build.thing("body")
    build.grid(body, _body(), paint)
    for end in (0, -1):
        ring = _body()[end]
        fan = [[ring.mean(axis=0), a, b] for a, b in pairwise(ring)]
        build.add(body, np.array(fan), paint)
    _cabin(build, body, paint)
    _wheels(build)
    lights = build.thing("light")
    for side in (-1, 1):
        for nose, low, high, out, deep in ((2.1, 0.5, 0.6, 0.62, 0.32), (-2.2, 0.72, 0.84, 0.6, 0.34)):
            build.box(
                lights,
                (nose - 0.1, low, side * out - deep / 2),
                (nose + 0.1, high, side * out + deep / 2),
                LAMP if nose > 0 else (206, 40, 40),
            )
    way = np.linspace(0, 2 * np.pi, 10, endpoint=False)
    radius = 6.2 + 1.3 * np.sin(2 * way)
    places = np.stack([radius * np.cos(way), 1.5 + 0.8 * np.sin(way), radius * np.sin(way)], -1)
    return build.made(Stage(np.array([0.0, 0.62, 0.0]), 2.35, 9.0, places))


def _curve(points: tuple[tuple[float, float], ...], x: np.ndarray) -> np.ndarray:
    """A line through points, its corners rounded."""
    at, value = np.array(points).T
    fine = np.linspace(at[0], at[-1], 200)
    rough = np.interp(fine, at, value)
    kernel = np.ones(19) / 19
    smooth = np.convolve(np.pad(rough, 9, mode="edge"), kernel, mode="valid")
    return np.interp(x, fine, smooth)


def _body() -> np.ndarray:
    """Everything below the windows, as rings around the car from tail to nose: (stations, around, 3)."""
    x = np.linspace(-LENGTH / 2, LENGTH / 2, 45)
    low, high, half = _curve(SILL, x), _curve(SHOULDER, x), _curve(HALF, x)
    arch = np.zeros_like(x)
    for axle in AXLES:  # the sill rises around the wheels
        inside = np.clip(1 - ((x - axle) / (WHEEL + 0.09)) ** 2, 0, None)
        arch = np.maximum(arch, (WHEEL + 0.09) * np.sqrt(inside) + WHEEL - low * 1.0)
    low = np.where(arch > 0, np.maximum(low, low + arch - 0.02), low)
    # From the sill over the shoulder to the middle, then mirrored.
    share = np.array(
        [(0.0, 0.92), (0.12, 0.985), (0.45, 1.0), (0.7, 0.99), (0.86, 0.95), (0.95, 0.86), (1.0, 0.7), (1.02, 0.3)]
    )
    y = low[:, None] + (high - low)[:, None] * share[:, 0]
    z = half[:, None] * share[:, 1]
    right = np.stack([np.repeat(x[:, None], len(share), 1), y, z], -1)
    left = right[:, ::-1] * [1, 1, -1]
    return np.concatenate([right, left, right[:, :1]], axis=1)


def _cabin(build: Builder, body: int, paint: tuple[int, int, int]) -> None:
    """Glass all round under a painted roof, with pillars between the panes."""
    x = np.linspace(-1.9, 1.05, 31)
    top = _curve(ROOF, x)
    foot = _curve(SHOULDER, x) - 0.03
    top = np.maximum(top, foot + 0.002)
    rise = np.clip((top - foot) / 0.42, 0, 1)
    wide = _curve(HALF, x) * 0.9
    narrow = wide - 0.26 * rise  # the sides lean in
    share = np.array([0.0, 0.55, 0.86, 0.97, 1.0])
    lean = np.array([0.0, 0.5, 0.82, 0.97, 1.16])
    side = np.stack(
        [
            np.repeat(x[:, None], 5, 1),
            foot[:, None] + (top - foot)[:, None] * share,
            wide[:, None] + (narrow - wide)[:, None] * lean,
        ],
        -1,
    )
    middle = np.stack([x, top + 0.015 * rise, 0 * x], -1)[:, None]
    shell = np.concatenate([side, middle, side[:, ::-1] * [1, 1, -1]], axis=1)  # (31, 11, 3)
    build.grid(body, shell, paint)
    # Panes lie a hair outside of the shell, thing by thing, so that pillars stay between them.
    out = shell + 0.012 * _outwards(shell)
    glass = build.thing("glass")
    tall = rise > 0.35
    for part in ((x > -0.98) & (x < -0.25), (x > -0.16) & (x < 0.52)):
        for columns in (slice(0, 4), slice(7, 11)):
            rows = np.flatnonzero(part & tall)
            build.grid(glass, out[rows[0] : rows[-1] + 1, columns], GLASS)
    for name_rows in ((x > 0.34) & (x < 1.0), (x > -1.8) & (x < -1.05)):
        rows = np.flatnonzero(name_rows)
        build.grid(build.thing("glass"), out[rows[0] : rows[-1] + 1, 3:8], GLASS)


def _outwards(shell: np.ndarray) -> np.ndarray:
    along, across = np.gradient(shell, axis=0), np.gradient(shell, axis=1)
    normals = np.cross(across, along)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    middle = np.array([0.0, 0.8, 0.0])
    return np.where(((shell - middle) * normals).sum(-1, keepdims=True) < 0, -normals, normals)


def _wheels(build: Builder) -> None:
    turn = np.linspace(0, 2 * np.pi, 25)
    wheels, dark = build.thing("wheel"), build.thing("trim")
    for axle in AXLES:
        build.box(dark, (axle - 0.42, 0.2, -0.72), (axle + 0.42, 0.62, 0.72), DARK)
        for side in (-1, 1):
            inner, outer = side * 0.68, side * 0.92

            def ring(radius: float, z: float, axle: float = axle) -> np.ndarray:
                return np.stack([axle + radius * np.cos(turn), WHEEL + radius * np.sin(turn), 0 * turn + z], -1)

            build.grid(wheels, np.stack([ring(WHEEL, inner), ring(WHEEL, outer)]), RUBBER)
            build.grid(wheels, np.stack([ring(WHEEL, outer), ring(0.7 * WHEEL, outer)]), RUBBER, smooth=False)
            rim = build.thing("wheel")
            build.grid(rim, np.stack([ring(0.7 * WHEEL, outer), ring(0.02, outer + side * 0.01)]), RIM, smooth=False)
            hub = build.thing("wheel")
            build.grid(hub, np.stack([ring(0.2 * WHEEL, outer + side * 0.02), ring(0.01, outer + side * 0.03)]), DARK)
