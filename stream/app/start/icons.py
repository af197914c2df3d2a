"""The few icons of the start page and of the desktop, drawn by OpenCV: no file is needed for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import cv2
import numpy as np

FINER = 4  # drawn so much larger, and made smaller, which smooths every edge
Points = Sequence[tuple[float, float]]


class _Sheet:
    """A square on which is drawn in coordinates from 0 to 100."""

    def __init__(self, side: int) -> None:
        self.mask = np.zeros((side * FINER, side * FINER), np.uint8)
        self._scale = side * FINER / 100

    def area(self, points: Points, value: int = 255) -> None:
        cv2.fillPoly(self.mask, [self._placed(points)], value)

    def line(self, points: Points, width: float = 8, closed: bool = False) -> None:
        thick = max(1, round(width * self._scale))
        cv2.polylines(self.mask, [self._placed(points)], closed, 255, thick, cv2.LINE_AA)

    def circle(self, x: float, y: float, radius: float, width: float = -1, value: int = 255) -> None:
        thick = -1 if width < 0 else max(1, round(width * self._scale))
        centre = round(x * self._scale), round(y * self._scale)
        cv2.circle(self.mask, centre, round(radius * self._scale), value, thick, cv2.LINE_AA)

    def arc(self, begin: float, end: float, radius: float = 38, width: float = 8) -> None:
        centre, side = (round(50 * self._scale),) * 2, round(radius * self._scale)
        thick = max(1, round(width * self._scale))
        cv2.ellipse(self.mask, centre, (side, side), 0, begin, end, 255, thick, cv2.LINE_AA)

    def _placed(self, points: Points) -> np.ndarray:
        return np.round(np.array(points, np.float64) * self._scale).astype(np.int32)


def drop_outline(steps: int = 24) -> list[tuple[float, float]]:
    """A drop of ink, as the points of a polygon in coordinates from 0 to 100."""
    angles = np.linspace(np.radians(-25), np.radians(205), steps)
    round_part = [(50 + 27 * float(np.cos(angle)), 64 + 27 * float(np.sin(angle))) for angle in angles]
    return [(50.0, 6.0), *round_part]


def _drop(sheet: _Sheet) -> None:
    sheet.area(drop_outline())


def _pen(sheet: _Sheet) -> None:
    sheet.line([(10, 14), (90, 14), (90, 86), (10, 86)], 7, closed=True)
    sheet.line([(10, 30), (90, 30)], 7)
    sheet.line([(26, 70), (38, 50), (48, 64), (60, 46), (74, 70)], 6)


def _play(sheet: _Sheet) -> None:
    sheet.circle(50, 50, 42, 7)
    sheet.area([(40, 30), (40, 70), (72, 50)])


def _again(sheet: _Sheet) -> None:
    sheet.arc(-60, 215)
    sheet.area([(2, 40), (36, 40), (19, 16)])
    sheet.line([(50, 30), (50, 52), (66, 60)], 7)


def _check(sheet: _Sheet) -> None:
    sheet.circle(50, 50, 42, 7)
    sheet.line([(30, 52), (45, 66), (71, 36)], 9)


def _back(sheet: _Sheet) -> None:
    sheet.line([(66, 14), (30, 50), (66, 86)], 13)


def _part(sheet: _Sheet) -> None:
    for x, y in ((12, 12), (88, 12), (12, 88), (88, 88)):
        sheet.line([(x, y), (x + (26 if x < 50 else -26), y)], 8)
        sheet.line([(x, y), (x, y + (26 if y < 50 else -26))], 8)


def _dot(sheet: _Sheet) -> None:
    sheet.circle(50, 50, 46)


def _car(sheet: _Sheet) -> None:
    sheet.line([(6, 62), (8, 50), (26, 46), (40, 28), (66, 28), (80, 46), (94, 50), (94, 62)], 7, closed=True)
    for x in (28, 73):
        sheet.circle(x, 64, 15, value=0)
        sheet.circle(x, 64, 10, 7)


def _house(sheet: _Sheet) -> None:
    sheet.line([(8, 46), (50, 12), (92, 46)], 8)
    sheet.line([(18, 42), (18, 88), (82, 88), (82, 42)], 7)
    sheet.line([(42, 88), (42, 60), (58, 60), (58, 88)], 6)


def _hills(sheet: _Sheet) -> None:
    sheet.line([(4, 82), (34, 30), (52, 60), (64, 44), (96, 82)], 8, closed=True)
    sheet.circle(78, 22, 10)


_DRAWN: dict[str, Callable[[_Sheet], None]] = {
    "drop": _drop,
    "pen": _pen,
    "play": _play,
    "again": _again,
    "check": _check,
    "back": _back,
    "part": _part,
    "dot": _dot,
    "car": _car,
    "house": _house,
    "hills": _hills,
}


NAMES = tuple(_DRAWN)


@lru_cache(maxsize=256)
def icon(name: str, side: int, colour: tuple[int, int, int]) -> np.ndarray:
    """One of ``NAMES``: (side, side, 4) uint8 RGBA; do not change it."""
    sheet = _Sheet(side)
    _DRAWN[name](sheet)
    drawn = np.empty((side, side, 4), np.uint8)
    drawn[..., :3] = colour
    drawn[..., 3] = cv2.resize(sheet.mask, (side, side), interpolation=cv2.INTER_AREA)
    return drawn
