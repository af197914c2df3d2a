"""Cars from the side, from a few measurements."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._hand import Stroke
from ._shapes import Subject, behind, loop, ring

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


def _car(name: str, prompts: tuple[str, ...], m: Measures, horizon: float, doors: int, glass: int, bed: bool) -> Subject:
    at, h = _Side(m), m.length / 2
    stretch = m.length / 4.6
    front, rear = h - 0.85 * stretch, -h + 0.95 * stretch
    middle = (m.screen_top + m.roof_end) / 2 - 0.02  # the pillar between the doors
    tail = [(-h + 0.10, m.clearance + 0.03), (-h + 0.02, 0.45), (-h, m.belt - 0.20), (-h + 0.10, m.belt - 0.01)]
    if not bed and m.rear_foot < -h + 0.35:  # a tailgate: straight up
        tail = [*tail[:2], (-h + 0.01, m.belt)]
    cabin = [(m.rear_foot, m.belt), (m.roof_end, m.roof - 0.05), ((m.screen_top + m.roof_end) / 2, m.roof + 0.03)]
    cabin += [(m.screen_top, m.roof - 0.04), (m.screen_foot + 0.05, m.cowl)]
    nose = [(h - 0.24, m.nose), (h - 0.02, m.nose - 0.14), (h, 0.42), (h - 0.08, m.clearance)]
    outline = at(*tail, *cabin, *nose)
    strokes = [
        *behind("horizon", [(0.0, horizon), (1.0, horizon - 0.006)], outline),
        *behind("hills", _hill_line(horizon), outline),
        Stroke("body", outline, "soft", 1.08, ends=0.3),
        ring("rear wheel", *at((rear, m.wheel))[0], m.wheel * at.scale),
        ring("front wheel", *at((front, m.wheel))[0], m.wheel * at.scale),
        Stroke("sill", at((rear + 1.1 * m.wheel, m.clearance), (front - 1.1 * m.wheel, m.clearance)), ends=0.3),
        Stroke("rear apron", at((-h + 0.10, m.clearance + 0.03), (rear - 1.05 * m.wheel, m.clearance + 0.01)), ends=0.2),
        Stroke("front apron", at((front + 1.05 * m.wheel, m.clearance + 0.01), (h - 0.08, m.clearance)), ends=0.2),
        *_windows(at, m, middle, glass),
    ]
    if bed:
        strokes.append(Stroke("bed edge", at((m.rear_foot - 0.1, m.belt - 0.02), (-h + 0.2, m.belt - 0.06)), ends=0.3))
    strokes += _doors(at, m, middle, doors, rear)
    strokes += [
        ring("rear rim", *at((rear, m.wheel))[0], 0.58 * m.wheel * at.scale, start=20.0),
        ring("front rim", *at((front, m.wheel))[0], 0.58 * m.wheel * at.scale, start=20.0),
        loop("headlamp", at((h - 0.36, m.nose - 0.11), (h - 0.07, m.nose - 0.15), (h - 0.05, m.nose - 0.28), (h - 0.30, m.nose - 0.25)), "soft", 0.9),
        loop("tail lamp", at((-h + 0.05, m.belt - 0.14), (-h + 0.24, m.belt - 0.15), (-h + 0.22, m.belt - 0.36), (-h + 0.05, m.belt - 0.36)), "soft", 0.9),
    ]
    return Subject(name, prompts, tuple(strokes))


def _hill_line(horizon: float) -> list[tuple[float, float]]:
    x = np.linspace(0.0, 1.0, 25)
    y = horizon - 0.055 + 0.016 * np.sin(5.2 * x + 0.6) + 0.008 * np.sin(11.0 * x)
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _windows(at: _Side, m: Measures, middle: float, count: int) -> list[Stroke]:
    low, high = m.belt + 0.06, m.roof - 0.11
    slope = (m.screen_foot - m.screen_top) / max(0.1, m.roof - m.cowl)
    foot = m.screen_top - 0.06 + slope * (high - low)
    strokes = [loop("front window", at((foot - 0.03, low), (m.screen_top - 0.05, high), (middle + 0.04, high), (middle + 0.04, low)), weight=0.95)]
    if count > 1:
        last = m.rear_foot + 0.24 if count == 2 else m.roof_end + 0.03
        top = m.roof_end + 0.10 if count == 2 else m.roof_end + 0.03
        strokes.append(loop("rear window", at((middle - 0.05, low), (middle - 0.05, high), (top, high - 0.02), (last, low)), weight=0.95))
    if count > 2:
        start = m.roof_end - 0.06
        strokes.append(loop("quarter window", at((start, low), (start, high - 0.02), (m.roof_end - 0.42, high - 0.04), (m.rear_foot + 0.16, low)), weight=0.95))
    return strokes


def _doors(at: _Side, m: Measures, middle: float, count: int, rear: float) -> list[Stroke]:
    low, first = m.clearance + 0.16, m.screen_foot - 0.14
    strokes = [
        Stroke("door, front edge", at((first, m.belt - 0.02), (first + 0.05, (m.belt + low) / 2), (first - 0.01, low)), "smooth", 0.85),
        Stroke("door, middle", at((middle, m.belt + 0.02), (middle + 0.03, (m.belt + low) / 2), (middle, low)), "smooth", 0.85),
    ]
    end = middle
    if count == 2:
        end = m.roof_end - 0.02
        arch = rear + 1.18 * m.wheel
        strokes.append(Stroke("door, rear edge", at((end, m.belt + 0.02), (end, m.belt - 0.25), (max(end - 0.05, arch), low + 0.22), (max(end, arch + 0.05), low)), "smooth", 0.85))
    strokes.append(Stroke("doors, lower edge", at((max(end, rear + 1.2 * m.wheel), low), (first, low)), weight=0.85))
    for number, edge in enumerate([middle, end][:count]):
        strokes.append(Stroke(f"handle {number + 1}", at((edge + 0.10, m.belt - 0.13), (edge + 0.28, m.belt - 0.13)), weight=0.9, ends=0.2))
    return strokes


def sedan() -> Subject:
    prompts = ("a glossy blue sedan car, side view, on road, sunset", "a metallic red sedan car, side view, on grass, day")
    return _car("sedan", prompts, Measures(4.6, 0.20, 0.74, 0.96, 1.00, 1.46, 0.95, 0.25, -0.80, -1.55, 0.34), 0.50, 2, 2, False)


def suv() -> Subject:
    prompts = ("a matte green suv car, side view, on sand, day", "a glossy orange suv car, side view, on snow, overcast")
    return _car("suv", prompts, Measures(4.6, 0.30, 0.95, 1.12, 1.15, 1.76, 1.00, 0.50, -1.75, -2.12, 0.39), 0.47, 2, 3, False)


def van() -> Subject:
    prompts = ("a glossy yellow van car, side view, on road, day", "a matte white van car, side view, on grass, overcast")
    return _car("van", prompts, Measures(4.9, 0.24, 0.95, 1.22, 1.15, 2.05, 1.80, 1.05, -2.25, -2.38, 0.36), 0.47, 1, 1, False)


def pickup() -> Subject:
    prompts = ("a glossy red pickup car, side view, on snow, day", "a metallic teal pickup car, side view, on sand, sunset")
    return _car("pickup", prompts, Measures(5.3, 0.36, 1.00, 1.16, 1.15, 1.82, 1.15, 0.65, -0.45, -0.62, 0.42), 0.49, 1, 1, True)
