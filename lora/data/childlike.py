"""Drawings of another hand than any training has seen: cars and houses of rectangles and circles, as children draw.

Nothing here comes from a rendered scene: no perspective, no shading, wheels as large as doors, a sun in the corner.
What they are for is to be looked at: does a model that learned from careful lines forgive these?
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .palette import NUMBER

KINDS = ("car", "house")
INK = 2  # pixels at 256


@dataclass(frozen=True, eq=False)
class Drawing:
    """White on black, with what each area stands for."""

    kind: str
    lines: np.ndarray
    """(H, W) uint8."""
    labels: np.ndarray
    """(H, W) uint8, classes."""


def childlike(seed: int, size: int = 256) -> Drawing:
    """A car where the seed is even, a house where it is odd; the same one for ever."""
    pencil = _Pencil(size, np.random.default_rng((seed, 77)))
    kind = KINDS[seed % 2]
    {"car": _car, "house": _house}[kind](pencil)
    return Drawing(kind, pencil.lines, pencil.labels)


class _Pencil:
    """Draws in units of the page, 0 to 1, y down; lines overshoot their corners, and circles do not quite close."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self.size, self.rng = size, rng
        self.lines = np.zeros((size, size), np.uint8)
        self.labels = np.full((size, size), NUMBER["sky"], np.uint8)

    def any(self, low: float, high: float) -> float:
        """A number between."""
        return float(self.rng.uniform(low, high))

    def stroke(self, points: list[tuple[float, float]]) -> None:
        """A line through points that a hand does not quite hit."""
        shaken = (np.array(points) + self.rng.normal(0, 0.003, (len(points), 2))) * self.size
        width = max(1, round(INK * self.size / 256))
        cv2.polylines(self.lines, [np.round(shaken * 16).astype(np.int32)], False, 255, width, cv2.LINE_AA, 4)

    def shape(self, corners: list[tuple[float, float]], name: str) -> None:
        """A closed shape of straight strokes, each a little too long."""
        area = np.round(np.array(corners) * self.size).astype(np.int32)
        cv2.fillPoly(self.labels, [area], NUMBER[name])
        for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
            more = self.any(0.0, 0.05)
            self.stroke([(x0, y0), (x1 + more * (x1 - x0), y1 + more * (y1 - y0))])

    def box(self, x: float, y: float, width: float, height: float, name: str) -> None:
        """A rectangle from its upper left corner."""
        self.shape([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], name)

    def ring(self, x: float, y: float, radius: float, name: str | None = None) -> None:
        """A circle around a middle; without a name nothing but a line."""
        if name is not None:
            middle = (round(x * self.size), round(y * self.size))
            cv2.circle(self.labels, middle, round(radius * self.size), NUMBER[name], -1)
        turn = np.linspace(0, 2 * np.pi * 0.99, 24) + self.any(0, 6)
        grown = radius * np.linspace(1, 1 + self.any(-0.06, 0.06), 24)
        self.stroke(list(zip(x + grown * np.cos(turn), y + grown * np.sin(turn), strict=True)))

    def horizon(self, y: float) -> None:
        """One line across the page, ground below it."""
        self.labels[round(y * self.size) :] = NUMBER["ground"]
        self.stroke([(0.0, y), (0.5, y + self.any(-0.01, 0.01)), (1.0, y)])


def _car(p: _Pencil) -> None:
    p.horizon(p.any(0.5, 0.6))
    left, width, floor = p.any(0.12, 0.2), p.any(0.58, 0.68), p.any(0.72, 0.78)
    body, cabin, wheel = p.any(0.14, 0.18), p.any(0.13, 0.17), p.any(0.065, 0.085)
    inset = p.any(0.12, 0.18)
    p.box(left, floor - body, width, body, "body")
    top = floor - body - cabin
    p.box(left + inset, top, width - 2 * inset, cabin, "body")
    half = (width - 2 * inset) / 2
    for start in (left + inset + 0.015, left + inset + half + 0.01):
        p.box(start, top + 0.025, half - 0.03, cabin - 0.04, "glass")
    for share in (0.2, 0.8):
        p.ring(left + share * width, floor, wheel, "wheel")
        p.ring(left + share * width, floor, wheel * 0.45)
    p.box(left + width - 0.03, floor - body + 0.03, 0.03, 0.035, "light")


def _house(p: _Pencil) -> None:
    p.horizon(p.any(0.7, 0.78))
    left, width, floor = p.any(0.22, 0.3), p.any(0.38, 0.48), p.any(0.84, 0.9)
    wall, roof = p.any(0.3, 0.36), p.any(0.16, 0.24)
    top = floor - wall
    p.box(left + 0.68 * width, top - 0.8 * roof, 0.07, 0.6 * roof, "trim")
    p.box(left, top, width, wall, "wall")
    p.shape([(left - 0.03, top), (left + width / 2, top - roof), (left + width + 0.03, top)], "roof")
    p.box(left + width / 2 - 0.045, floor - 0.17, 0.09, 0.17, "door")
    for share in (0.1, 0.66):
        x, y, side = left + share * width, top + 0.06, 0.24 * width
        p.box(x, y, side, side, "window")
        p.stroke([(x + side / 2, y), (x + side / 2, y + side)])
        p.stroke([(x, y + side / 2), (x + side, y + side / 2)])
    p.ring(0.86, 0.14, 0.07)
    if p.any(0, 1) < 0.6:
        p.box(0.86, floor - 0.14, 0.03, 0.14, "tree")
        p.ring(0.875, floor - 0.2, 0.08, "tree")
