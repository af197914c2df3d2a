"""Wood and leaves of the trees that the path tracer knows, each one unit high; all in numpy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ._solid_mesh import Faces

Limb = tuple[np.ndarray, np.ndarray, float, float]  # from, to, and the radii there


class Plant(NamedTuple):
    """What a plant is made of: wood and leaves, either of which may be nothing."""

    wood: Faces
    leaves: Faces


def grown(name: str, seed: int, leaves: int) -> Plant:
    """A plant of a kind that ``grammar`` knows, with about so many ``leaves``."""
    return _KINDS[name](np.random.default_rng(seed), leaves)


def _quads(corners: np.ndarray) -> Faces:
    """(N, 4, 3) corners of N quads."""
    faces = np.arange(4 * len(corners)).reshape(-1, 4)
    return Faces([*map(tuple, corners.reshape(-1, 3).tolist())], [*map(tuple, faces.tolist())])


def _blades(rng: np.random.Generator, at: np.ndarray, facing: np.ndarray, size: np.ndarray, wide: float) -> np.ndarray:
    """(N, 4, 3): lozenges at ``at`` (N, 3) that look along ``facing`` (N, 3), ``size`` (N,) long."""
    facing = facing / np.linalg.norm(facing, axis=1, keepdims=True).clip(1e-6)
    along = np.cross(facing, rng.normal(size=at.shape))
    along /= np.linalg.norm(along, axis=1, keepdims=True).clip(1e-6)
    aside = np.cross(facing, along) * wide
    size = size[:, None]
    return np.stack([at - along * size, at + aside * size, at + along * size, at - aside * size], 1)


def _wood(limbs: list[Limb], around: int = 6) -> Faces:
    """Cones around limbs."""
    wood = Faces()
    turn = 2 * math.pi * np.arange(around) / around
    for begin, end, thick, thin in limbs:
        along = (end - begin) / max(float(np.linalg.norm(end - begin)), 1e-6)
        right = np.cross(along, (0.3, 0.1, 1.0))
        right /= np.linalg.norm(right)
        ring = np.cos(turn)[:, None] * right + np.sin(turn)[:, None] * np.cross(right, along)
        start = len(wood.points)
        wood.points += [*map(tuple, np.concatenate([begin + thick * ring, end + thin * ring]).tolist())]
        wood.faces += [(start + k, start + around + k, start + around + (k + 1) % around, start + (k + 1) % around)
                       for k in range(around)]  # fmt: skip
    return wood


def _forked(rng: np.random.Generator, middle: np.ndarray, radii: np.ndarray, boughs: int, twigs: int,
            trunk: float, thick: float) -> tuple[list[Limb], np.ndarray]:  # fmt: skip
    """A trunk with boughs that fork towards the surface of an ellipsoid; gives limbs, and (N, 3) ends of twigs."""
    lean = np.array([rng.uniform(-0.03, 0.03), 0.0, rng.uniform(-0.03, 0.03)])
    fork = np.array([0.0, trunk, 0.0]) + lean
    top = middle + np.array([lean[0], 0.3 * radii[1], lean[2]])
    foot, root = np.array([0.0, 0.02, 0.0]), np.array([0.0, -0.02, 0.0])
    limbs: list[Limb] = [(root, foot, 1.5 * thick, thick), (foot, fork, thick, 0.78 * thick)]
    limbs.append((fork, top, 0.74 * thick, 0.2 * thick))
    ends = []
    for k in range(boughs):
        share = (k + 0.5) / boughs
        start = fork + (top - fork) * (0.72 * share * rng.uniform(0.7, 1.15))
        turn, rise = 2.4 * k + rng.uniform(-0.4, 0.4), -0.55 + 2.0 * share + rng.uniform(-0.15, 0.15)
        way = np.array([math.cos(turn) * math.cos(rise), math.sin(rise), math.sin(turn) * math.cos(rise)])
        reach = middle + way * radii * rng.uniform(0.62, 0.86)
        half = start + (reach - start) * 0.55 + np.array([0.0, 0.02, 0.0])
        size = thick * (0.44 - 0.2 * share)
        limbs += [(start, half, size, 0.62 * size), (half, reach, 0.62 * size, 0.25 * size)]
        for _ in range(twigs):
            base = half + (reach - half) * rng.uniform(0.0, 1.0)
            out = rng.normal(size=3)
            out = out / np.linalg.norm(out) * 0.55 + way * 0.5 + np.array([0.0, 0.15, 0.0])
            tip = base + out * radii * rng.uniform(0.22, 0.42)
            away = (tip - middle) / radii
            far = float(np.linalg.norm(away))
            tip = middle + away / max(far, 1e-6) * min(far, rng.uniform(0.93, 1.05)) * radii
            limbs.append((base, tip, 0.2 * size + 0.0012, 0.001))
            ends += [tip, base + 0.6 * (tip - base)]
    return limbs, np.array(ends)


def _leafy(rng: np.random.Generator, count: int, middle: tuple[float, float, float], radii: tuple[float, float, float],
           boughs: int, twigs: int, trunk: float, thick: float, leaf: float, loose: float) -> Plant:  # fmt: skip
    centre, size = np.array(middle), np.array(radii)
    limbs, ends = _forked(rng, centre, size, boughs, twigs, trunk, thick)
    whose = rng.integers(0, len(ends), count)
    at = ends[whose] + rng.normal(size=(count, 3)) * loose * np.array([1.0, 0.7, 1.0])
    facing = (at - centre) / size + rng.normal(scale=0.7, size=(count, 3)) + np.array([0.0, 0.5, 0.0])
    return Plant(_wood(limbs), _quads(_blades(rng, at, facing, leaf * rng.uniform(0.6, 1.3, count), 0.5)))


def _broad(rng: np.random.Generator, count: int) -> Plant:
    """Round, broad or tall, with a crown that ends in a dome."""
    form = int(rng.integers(0, 3))
    wide, high, trunk = ((0.33, 0.36, 0.25), (0.40, 0.31, 0.30), (0.25, 0.40, 0.20))[form]
    wide *= rng.uniform(0.92, 1.08)
    crown = (wide, high, wide * rng.uniform(0.9, 1.1))
    return _leafy(rng, count, (0.0, 0.985 - high, 0.0), crown, 19, 11, trunk, 0.028, 0.0092, 0.030)


def _birch(rng: np.random.Generator, count: int) -> Plant:
    return _leafy(rng, int(count * 0.8), (0.0, 0.60, 0.0), (0.185, 0.38, 0.185), 16, 7, 0.30, 0.017, 0.0085, 0.030)


def _bush(rng: np.random.Generator, count: int) -> Plant:
    way = rng.normal(size=(count, 3))
    way[:, 1] = np.abs(way[:, 1])
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    bumps = (
        1
        + 0.16 * np.sin(5.1 * way[:, 0] + 1.3) * np.cos(4.3 * way[:, 2] + 0.4)
        + 0.10 * np.sin(9 * way[:, 1] + 7 * way[:, 0])
    )
    at = way * np.array([0.58, 0.92, 0.58]) * (bumps * (0.72 + 0.28 * rng.random(count) ** 0.5))[:, None]
    facing = way + rng.normal(scale=0.6, size=at.shape)
    return Plant(Faces(), _quads(_blades(rng, at, facing, 0.042 * rng.uniform(0.6, 1.3, count), 0.5)))


def _conifer(rng: np.random.Generator, count: int) -> Plant:
    limbs: list[Limb] = [(np.array([0.0, -0.02, 0.0]), np.array([0.0, 1.0, 0.0]), 0.021, 0.001)]
    blades, whorls = [], 34
    for k in range(whorls):
        share = k / whorls
        level, reach = 0.09 + 0.90 * share**0.92, 0.24 * (1 - share) ** 0.82 + 0.012
        arms = 9 if share < 0.7 else 6
        for arm in range(arms):
            turn = 2 * math.pi * arm / arms + 1.1 * k + rng.uniform(-0.25, 0.25)
            long = reach * rng.uniform(0.78, 1.1)
            out = np.array([math.cos(turn), 0.0, math.sin(turn)])
            begin = np.array([0.0, level, 0.0])
            end = begin + out * long + np.array([0.0, -0.30 * long + 0.10 * long * share, 0.0])
            if share < 0.8:
                limbs.append((begin, end, 0.004 * (1 - share) + 0.001, 0.0006))
            many = max(6, int(count / (whorls * 8) * (0.35 + 1.3 * (1 - share))))
            along = rng.random(many) ** 0.75
            at = begin + (end - begin) * along[:, None]
            at[:, 1] += 0.05 * long * np.sin(along * 3.0)
            side = np.cross(out, (0.0, 1.0, 0.0))
            hand = rng.choice([-1.0, 1.0], many)
            size = (0.30 * long * (1.05 - along * 0.75) + 0.010) * rng.uniform(0.7, 1.2, many)
            way = (
                out * 0.75
                + side * hand[:, None] * 0.8
                + np.array([0.0, -0.25, 0.0])
                + rng.normal(scale=0.12, size=(many, 3))
            )
            way /= np.linalg.norm(way, axis=1, keepdims=True)
            flat = np.cross(way, np.array([0.0, 1.0, 0.0]) + rng.normal(scale=0.35, size=(many, 3)))
            flat /= np.linalg.norm(flat, axis=1, keepdims=True)
            tip = at + way * size[:, None]
            thin = flat * (0.0055 + 0.04 * size[:, None])
            blades.append(np.stack([at - thin, at + thin, tip + 0.35 * thin, tip - 0.35 * thin], 1))
    return Plant(_wood(limbs, 5), _quads(np.concatenate(blades)))


def _palm(rng: np.random.Generator, count: int) -> Plant:
    bend = rng.uniform(-0.10, 0.10, 2)
    levels = np.linspace(0, 1, 10)
    trunk = np.stack([bend[0] * levels**2, 0.86 * levels - 0.02, bend[1] * levels**2], 1)
    radius = 0.024 * (1 - 0.35 * levels) + 0.012 * np.exp(-levels * 12)
    limbs: list[Limb] = [(trunk[k], trunk[k + 1], radius[k], radius[k + 1]) for k in range(9)]
    blades, fronds = [], 22
    for k in range(fronds):
        turn, rise = 2.4 * k + rng.uniform(-0.2, 0.2), rng.uniform(-0.15, 1.15)
        out, long = np.array([math.cos(turn), 0.0, math.sin(turn)]), rng.uniform(0.26, 0.34)
        share = np.linspace(0.05, 1, max(14, count // (fronds * 26)))
        angle = rise - 1.75 * share
        steps = np.stack([np.cos(angle), np.sin(angle)], 1) * long / len(share)
        flat = np.cumsum(steps, 0)
        spine = trunk[-1] + out * flat[:, :1] + np.array([0.0, 1.0, 0.0]) * flat[:, 1:]
        side = np.cross(out, (0.0, 1.0, 0.0))
        for hand in (-1.0, 1.0):
            size = 0.085 * np.sin(share * 2.9 + 0.2).clip(0.15) * rng.uniform(0.85, 1.1, len(share))
            way = hand * side + 0.75 * out + np.array([0.0, -0.45, 0.0]) + rng.normal(scale=0.08, size=spine.shape)
            way /= np.linalg.norm(way, axis=1, keepdims=True)
            tip, thin = spine + way * size[:, None], out * 0.0065
            blades.append(np.stack([spine - thin, spine + thin, tip + 0.2 * thin, tip - 0.2 * thin], 1))
        limbs += [(spine[n], spine[n + 1], 0.003, 0.002) for n in range(0, len(share) - 1, 2)]
    return Plant(_wood(limbs), _quads(np.concatenate(blades)))


def _bare(rng: np.random.Generator, count: int) -> Plant:
    limbs, ends = _forked(rng, np.array([0.0, 0.62, 0.0]), np.array([0.32, 0.37, 0.32]), 15, 7, 0.27, 0.028)
    twigs: list[Limb] = []
    for end in ends:
        for _ in range(3):
            way = (end - np.array([0.0, 0.45, 0.0])) * 0.22 + rng.normal(scale=0.035, size=3)
            twigs.append((end, end + way * rng.uniform(0.4, 0.9), 0.0018, 0.0007))
    thick = [limb for limb in limbs if limb[2] > 0.004]
    return Plant(_wood(thick, 6), _wood(twigs + [limb for limb in limbs if limb[2] <= 0.004], 4))


_KINDS: dict[str, Callable[[np.random.Generator, int], Plant]] = {
    "trees": _broad, "birches": _birch, "conifers": _conifer, "palms": _palm, "bare trees": _bare, "bushes": _bush,
}  # fmt: skip
