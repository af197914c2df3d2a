"""Cars from the side, from a few measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .hand import Stroke
from .shapes import Subject, behind, loop, ring

GROUND = 0.70  # where the wheels stand, in units
FILL = 0.84  # of the paper's width


@dataclass(frozen=True)
class Measures:
    """A car in metres; x forward from the middle, heights above the ground."""

    length: float
    clearance: float
    nose: float
    cowl: float  # height of the foot of the windscreen
    belt: float  # height of the lower edge of the windows
    roof: float
    screen_foot: float  # x
    screen_top: float  # x
    roof_end: float  # x
    rear_foot: float  # x, where the rear window or tailgate meets the body
    wheel: float  # radius


class _Side:
    """Side view: metres to units, the nose to the right."""

    def __init__(self, m: Measures, lift: float = 0.0) -> None:
        self.scale = FILL / m.length
        self.ground = GROUND + lift

    def __call__(self, *points: tuple[float, float]) -> np.ndarray:
        return np.array([(0.5 + x * self.scale, self.ground - y * self.scale) for x, y in points])


def _car(
    name: str,
    prompts: tuple[str, ...],
    m: Measures,
    horizon: float,
    doors: int,
    glass: int,
    pillar: float | None = None,
    bed: bool = False,
) -> Subject:
    at, h = _Side(m), m.length / 2
    stretch = m.length / 4.6
    front, rear = h - 0.85 * stretch, -h + 0.95 * stretch
    middle = (m.screen_top + m.roof_end) / 2 - 0.02 if pillar is None else pillar
    outline = at(*_outline(m))
    wheel, apron = 1.06 * m.wheel, m.clearance + 0.02
    lamp = ((h - 0.38, m.nose - 0.12), (h - 0.08, m.nose - 0.15), (h - 0.06, m.nose - 0.29), (h - 0.31, m.nose - 0.26))
    tail = (
        (-h + 0.06, m.belt - 0.15),
        (-h + 0.24, m.belt - 0.16),
        (-h + 0.22, m.belt - 0.37),
        (-h + 0.05, m.belt - 0.37),
    )
    strokes = [
        *behind("horizon", [(0.0, horizon), (1.0, horizon - 0.006)], outline),
        *behind("hills", _hill_line(horizon), outline),
        Stroke("body", outline, "soft", 1.08, ends=0.2),
        ring("rear wheel", at((rear, m.wheel))[0], m.wheel * at.scale),
        ring("front wheel", at((front, m.wheel))[0], m.wheel * at.scale),
        Stroke("sill", at((rear + wheel, m.clearance), (front - wheel, m.clearance)), ends=0.2),
        Stroke("rear apron", at((-h + 0.09, apron), (rear - wheel, apron)), ends=0.1),
        Stroke("front apron", at((front + wheel, apron), (h - 0.09, apron)), ends=0.1),
        *_windows(at, m, middle, glass),
    ]
    if bed:
        strokes.append(
            Stroke("bed, inner edge", at((m.rear_foot, m.belt - 0.12), (-h + 0.16, m.belt - 0.12)), ends=0.3)
        )
    strokes += _doors(at, m, middle, doors, rear, front)
    strokes += [
        ring("rear rim", at((rear, m.wheel))[0], 0.58 * m.wheel * at.scale, start=20.0),
        ring("front rim", at((front, m.wheel))[0], 0.58 * m.wheel * at.scale, start=20.0),
        loop("headlamp", at(*lamp), "soft", 0.9),
        loop("tail lamp", at(*tail), "soft", 0.9),
    ]
    return Subject(name, prompts, tuple(strokes))


def _outline(m: Measures) -> list[tuple[float, float]]:
    """From the rear bumper over the roof to the front bumper. Corners that stay sharp are given twice."""
    h, top = m.length / 2, (m.screen_top + m.roof_end) / 2
    points = [(-h + 0.09, m.clearance + 0.02), (-h + 0.02, m.clearance + 0.1), (-h, 0.62)]
    if m.rear_foot < -h + 0.35:  # a tailgate goes straight up
        points += [(-h + 0.02, m.belt), (m.rear_foot, m.belt + 0.1)]
    else:
        points += [(-h, m.belt - 0.08), (-h + 0.08, m.belt), (m.rear_foot - 0.1, m.belt), (m.rear_foot, m.belt)]
    points += [(m.roof_end, m.roof - 0.03), (m.roof_end + 0.1, m.roof), (top, m.roof + 0.04)]
    points += [(m.screen_top - 0.05, m.roof), (m.screen_top + 0.05, m.roof - 0.05), (m.screen_foot, m.cowl)]
    points += [(m.screen_foot + 0.12, m.cowl - 0.02), (h - 0.30, m.nose + 0.01), (h - 0.06, m.nose - 0.10)]
    return [*points, (h, m.nose - 0.26), (h, m.clearance + 0.16), (h - 0.09, m.clearance + 0.02)]


def _hill_line(horizon: float) -> list[tuple[float, float]]:
    x = np.linspace(0.0, 1.0, 25)
    y = horizon - 0.055 + 0.016 * np.sin(5.2 * x + 0.6) + 0.008 * np.sin(11.0 * x)
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _windows(at: _Side, m: Measures, middle: float, count: int) -> list[Stroke]:
    low, high = m.belt + 0.05, m.roof - 0.14
    slope = (m.screen_foot - m.screen_top) / (m.roof - m.cowl)
    foot, top = m.screen_foot - 0.10 - slope * (low - m.cowl), m.screen_top - 0.06
    corners = [((foot, low), (top, high), (middle + 0.05, high + 0.01), (middle + 0.05, low))]
    end_low, end_high = m.rear_foot + 0.30, m.roof_end + 0.12
    split = (middle + m.roof_end) / 2 - 0.12
    if count == 2:
        corners.append(((middle - 0.05, low), (middle - 0.05, high + 0.01), (end_high, high - 0.02), (end_low, low)))
    elif count == 3:
        corners.append(((middle - 0.05, low), (middle - 0.05, high + 0.01), (split + 0.05, high), (split + 0.05, low)))
        corners.append(((split - 0.05, low), (split - 0.05, high), (end_high, high - 0.03), (end_low, low)))
    names = ("front window", "rear window", "quarter window")
    return [loop(name, at(*each), weight=0.92) for name, each in zip(names, corners, strict=False)]


def _doors(at: _Side, m: Measures, middle: float, count: int, rear: float, front: float) -> list[Stroke]:
    low, half = m.clearance + 0.16, (m.belt + m.clearance) / 2
    first = min(m.screen_foot - 0.12, front - 1.3 * m.wheel)
    edges: list[tuple[str, Sequence[tuple[float, float]]]] = [
        ("front", ((first, m.belt - 0.03), (first + 0.04, half), (first - 0.01, low)))
    ]
    edges.append(("middle", ((middle, m.belt), (middle + 0.03, half), (middle, low))))
    end = middle
    if count == 2:
        arch = rear + 1.2 * m.wheel
        end = max(m.roof_end - 0.02, arch - 0.12)
        edges.append(("rear", ((end, m.belt), (end, m.belt - 0.18), (arch - 0.02, low + 0.20), (arch + 0.08, low))))
        end = arch + 0.08
    strokes = [Stroke(f"door, {name} edge", at(*points), "smooth", 0.85, 0.4) for name, points in edges]
    strokes.append(Stroke("doors, lower edge", at((end, low), (first, low)), weight=0.85, ends=0.4))
    for number, edge in enumerate([middle, max(m.roof_end - 0.02, rear + 1.08 * m.wheel)][:count]):
        handle = at((edge + 0.10, m.belt - 0.13), (edge + 0.28, m.belt - 0.125))
        strokes.append(Stroke(f"handle {number + 1}", handle, weight=0.9, ends=0.2))
    return strokes


def sedan() -> Subject:
    m = Measures(4.6, 0.20, 0.76, 0.97, 1.00, 1.48, 0.98, 0.25, -0.80, -1.60, 0.34)
    prompts = (
        "a glossy blue sedan car, side view, on road, sunset",
        "a metallic red sedan car, side view, on grass, day",
    )
    return _car("sedan", prompts, m, horizon=0.50, doors=2, glass=2)


def suv() -> Subject:
    m = Measures(4.6, 0.30, 1.00, 1.13, 1.16, 1.78, 1.00, 0.50, -1.80, -2.16, 0.39)
    prompts = (
        "a matte green suv car, side view, on sand, day",
        "a glossy orange suv car, side view, on snow, overcast",
    )
    return _car("suv", prompts, m, horizon=0.47, doors=2, glass=3)


def van() -> Subject:
    m = Measures(4.9, 0.24, 0.98, 1.22, 1.18, 2.05, 1.82, 1.10, -2.20, -2.40, 0.36)
    prompts = (
        "a glossy yellow van car, side view, on road, day",
        "a matte white van car, side view, on grass, overcast",
    )
    return _car("van", prompts, m, horizon=0.47, doors=1, glass=1, pillar=0.20)


def pickup() -> Subject:
    m = Measures(5.3, 0.36, 1.00, 1.16, 1.15, 1.84, 1.15, 0.65, -0.45, -0.66, 0.42)
    prompts = (
        "a glossy red pickup car, side view, on snow, day",
        "a metallic teal pickup car, side view, on sand, sunset",
    )
    return _car("pickup", prompts, m, horizon=0.49, doors=1, glass=1, bed=True)
