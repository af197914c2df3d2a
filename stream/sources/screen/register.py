"""Where a part of a picture that is seen larger lies in that picture: its scale and its corner.

A search through all scales with blurred, reduced pictures (normalised cross-correlation), then a fit of scale and place
(enhanced correlation coefficient: Evangelidis and Psarakis 2008, as in OpenCV), then a check that what lines there are
lie on each other, and that they do so in one place only.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

COARSE = 224  # pixels of the larger side in the first search
FINE = 448  # and in the fit
STEP = 1.035  # between two scales
LARGEST = 24.0  # scale
SMALLEST = 10  # pixels of a reduced part
EDGE = 40  # levels between neighbours that make a line
LIKE = 0.6  # correlation that a place must have in the first search
MOST = 4  # places that are fitted
FLAT = 2.0  # levels of deviation; with less a part shows nothing
ALIKE = 0.85  # share of the lines that must lie on each other
LINES = 60  # pixels of line; with fewer no place is sure


class Place(NamedTuple):
    """``scale`` pixels of the part for each of the whole, and the part's corner in the whole."""

    scale: float
    x: float
    y: float

    def moved(self, corner: tuple[int, int]) -> Place:
        """The place of what lies at ``corner`` in the part."""
        return Place(self.scale, self.x + corner[0] / self.scale, self.y + corner[1] / self.scale)

    def reduced(self, part: np.ndarray) -> np.ndarray:
        """A part in the scale of the whole."""
        size = tuple(max(1, round(side / self.scale)) for side in part.shape[1::-1])
        smaller = self.scale > 1
        return cv2.resize(part, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)

    def inside(self, whole: np.ndarray, reduced: np.ndarray) -> tuple[slice, slice]:
        """The rows and columns of the whole that a reduced part covers."""
        x, y = min(max(0, round(self.x)), whole.shape[1] - 1), min(max(0, round(self.y)), whole.shape[0] - 1)
        bottom, right = min(whole.shape[0], y + reduced.shape[0]), min(whole.shape[1], x + reduced.shape[1])
        return slice(y, bottom), slice(x, right)


def structure(picture: np.ndarray) -> np.ndarray:
    """Where lines and borders are: ``(H, W)`` bool."""
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return cv2.morphologyEx(gray, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > EDGE


def find_place(whole: np.ndarray, part: np.ndarray, surround: tuple[int, int, int] | None) -> Place | None:
    """Find ``part`` in ``whole``, both ``(H, W, 3)`` uint8 RGB; None where that is not sure.

    ``surround`` is the colour around the whole, which the part may show, too. The part is as large as in the whole, or
    larger.
    """
    pad = 0
    if surround is not None:
        pad = round(0.5 * max(whole.shape[:2]))
        whole = cv2.copyMakeBorder(whole, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=surround)
    fitted: list[Place] = []
    for rough in _search(whole, part):
        place = _fit(whole, part, rough)
        if place is None or not _agrees(whole, part, place):
            continue
        if any(_elsewhere(place, other, part) for other in fitted):
            return None  # two places look alike
        fitted.append(place)
    return Place(fitted[0].scale, fitted[0].x - pad, fitted[0].y - pad) if fitted else None


def _elsewhere(a: Place, b: Place, part: np.ndarray) -> bool:
    """Whether two places differ by more than the same place found twice would."""
    height, width = part.shape[:2]
    away = max(abs(a.x - b.x), abs(a.y - b.y), abs(width / a.scale - width / b.scale))
    return away > 0.03 * max(width, height) / a.scale + 2


def _grey(picture: np.ndarray, scale: float, blur: float) -> np.ndarray:
    """A reduced grey picture, float32; the edges in it are as wide as ``blur`` says."""
    size = tuple(max(1, round(side * scale)) for side in picture.shape[1::-1])
    grey = cv2.resize(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(grey.astype(np.float32), (0, 0), blur)


def _search(whole: np.ndarray, part: np.ndarray) -> list[Place]:
    """Where it may be, the most likely first; no two nearly the same."""
    reduce = min(1.0, COARSE / max(whole.shape[:2]))
    large = _grey(whole, reduce, 1.5)
    least = max(part.shape[0] / whole.shape[0], part.shape[1] / whole.shape[1], 0.9)
    found: list[tuple[float, Place]] = []
    for number in range(math.ceil(math.log(LARGEST / least, STEP))):
        scale = least * STEP**number
        small = _grey(part, reduce / scale, 1.5)
        height, width = small.shape
        if min(width, height) < SMALLEST:
            break
        if width > large.shape[1] or height > large.shape[0] or float(small.std()) < FLAT:
            continue
        scores = cv2.matchTemplate(large, small, cv2.TM_CCOEFF_NORMED)
        for _ in range(2):
            _, score, _, (x, y) = cv2.minMaxLoc(scores)
            if score >= LIKE:
                found.append((score, Place(scale, x / reduce, y / reduce)))
            rows, columns = height // 6 + 3, width // 6 + 3
            scores[max(0, y - rows) : y + rows + 1, max(0, x - columns) : x + columns + 1] = -1
    places: list[Place] = []
    for _, place in sorted(found, key=lambda each: -each[0]):
        if all(_apart(place, other, part) for other in places):
            places.append(place)
    return places[:MOST]


def _apart(a: Place, b: Place, part: np.ndarray) -> bool:
    """Whether two rough places are so different that a fit from one does not lead to the other."""
    height, width = part.shape[0] / b.scale, part.shape[1] / b.scale
    ratio = b.scale / a.scale
    x, y = a.x - b.x + width * (ratio - 1) / 2, a.y - b.y + height * (ratio - 1) / 2  # between their middles
    return abs(math.log(ratio)) > 0.15 or abs(x) > width / 8 or abs(y) > height / 8


def _fit(whole: np.ndarray, part: np.ndarray, rough: Place) -> Place | None:
    """Scale and place to a fraction of a pixel."""
    height, width = part.shape[:2]
    reduce = min(1.0, FINE * rough.scale / max(height, width))  # of the whole; the part is brought to the same scale
    place = rough
    for blur in (3.0, 1.0):
        large, small = _grey(whole, reduce, blur), _grey(part, reduce / place.scale, blur)
        # From pixels of the small picture to those of the large one.
        warp = np.array([[1, 0, place.x * reduce], [0, 1, place.y * reduce]], np.float32)
        criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-5)
        every = np.ones(large.shape, np.uint8)
        try:
            _, warp = cv2.findTransformECC(small, large, warp, cv2.MOTION_AFFINE, criteria, every, 1)
        except cv2.error:  # it does not converge
            return None
        stretch = (warp[0, 0] + warp[1, 1]) / 2
        if abs(stretch - 1) > 0.08 or np.abs(warp[:, :2] - stretch * np.eye(2)).max() > 0.02:
            return None
        place = Place(float(place.scale / stretch), float(warp[0, 2] / reduce), float(warp[1, 2] / reduce))
    return place


def _agrees(whole: np.ndarray, part: np.ndarray, place: Place) -> bool:
    """Whether the lines of both lie on each other."""
    reduced = place.reduced(part)
    rows, columns = place.inside(whole, reduced)
    before = structure(whole[rows, columns])
    now = structure(reduced[: before.shape[0], : before.shape[1]])
    if min(int(before.sum()), int(now.sum())) < LINES:
        return False
    near = lambda mask: cv2.dilate(mask.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    shared = min(float(near(now)[before].mean()), float(near(before)[now].mean()))
    return shared >= ALIKE
