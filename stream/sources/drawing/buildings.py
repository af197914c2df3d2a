"""Buildings seen over a corner, in true perspective: measured in metres, projected onto the paper."""

from __future__ import annotations

import math

import cv2
import numpy as np

from .hand import Stroke
from .shapes import Subject, behind, loop, tree

FIELD = 0.6  # radians that the paper spans
Point = tuple[float, float, float]  # metres: x along the front, y up, z towards the viewer


class View:
    """A camera that looks at ``(0, aim, 0)`` from ``distance`` metres; angles in radians.

    The picture is then moved to the right by ``aside`` units.
    """

    def __init__(self, yaw: float, pitch: float, distance: float, aim: float, aside: float = 0.0) -> None:
        forward = -np.array([math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)])
        self._eye = np.array([0.0, aim, 0.0]) - forward * distance
        right = np.cross(forward, [0.0, 1.0, 0.0])
        self._right = right / np.linalg.norm(right)
        self._up = np.cross(self._right, forward)
        self._forward = forward
        self._zoom = 0.5 / math.tan(FIELD / 2)
        self._middle = 0.5 + aside

    def __call__(self, *points: Point) -> np.ndarray:
        """``(N, 2)`` units of the paper."""
        rays = np.array(points, np.float64) - self._eye
        depth = rays @ self._forward
        across, up = rays @ self._right / depth, rays @ self._up / depth
        return np.stack([self._middle + across * self._zoom, 0.5 - up * self._zoom], 1)

    def horizon(self, above: float = 0.0) -> float:
        """Height on the paper of what is infinitely far away, ``above`` radians over the horizon."""
        level = self._forward * [1.0, 0.0, 1.0]
        level = level / np.linalg.norm(level) + [0.0, math.tan(above), 0.0]
        return float(0.5 - level @ self._up / (level @ self._forward) * self._zoom)


def _background(view: View, solid: np.ndarray, *crowns: np.ndarray) -> list[Stroke]:
    """Horizon and hills behind everything inside the hull of ``solid`` (``(N, 2)`` units) and behind trees."""
    hull = cv2.convexHull(solid.astype(np.float32))[:, 0].astype(np.float64)
    hull = hull.mean(axis=0) + (hull - hull.mean(axis=0)) * 1.03  # a line that grazes a roof looks like a mistake
    low, x = view.horizon(), np.linspace(0.0, 1.0, 25)
    hills = view.horizon(0.045) + 0.012 * np.sin(4.3 * x + 2.0) + 0.006 * np.sin(10.0 * x)
    return [
        *behind("horizon", [(0.0, low), (1.0, low + 0.005)], hull, *crowns),
        *behind("hills", np.stack([x, hills], 1), hull, *crowns),
    ]


def _walls(view: View, x: float, z: float, height: float) -> list[Stroke]:
    """The two walls that are seen: the front (at ``+z``) and the right one (at ``+x``)."""
    return [
        Stroke("left edge", view((-x, height, z), (-x, 0, z)), ends=0.5),
        Stroke("front, foot", view((-x, 0, z), (x, 0, z)), ends=0.8),
        Stroke("corner", view((x, height, z), (x, 0, z)), weight=1.08, ends=0.5),
        Stroke("side, foot", view((x, 0, z), (x, 0, -z)), ends=0.8),
        Stroke("right edge", view((x, height, -z), (x, 0, -z)), ends=0.5),
    ]


def _front(view: View, name: str, x: float, y: float, width: float, height: float, z: float) -> Stroke:
    """A rectangle on the front wall; ``x, y`` is its middle."""
    left, right, low, high = x - width / 2, x + width / 2, y - height / 2, y + height / 2
    return loop(name, view((left, high, z), (right, high, z), (right, low, z), (left, low, z)), weight=0.9)


def _side(view: View, name: str, z: float, y: float, width: float, height: float, x: float) -> Stroke:
    """A rectangle on the right wall."""
    near, far, low, high = z + width / 2, z - width / 2, y - height / 2, y + height / 2
    return loop(name, view((x, high, near), (x, high, far), (x, low, far), (x, low, near)), weight=0.9)


def _door(view: View, x: float, z: float, width: float = 1.1, height: float = 2.1) -> Stroke:
    left, right = x - width / 2, x + width / 2
    return Stroke("door", view((left, 0, z), (left, height, z), (right, height, z), (right, 0, z)), ends=0.3)


def _gable_roof(view: View, x: float, z: float, eave: float, rise: float) -> tuple[list[Stroke], np.ndarray]:
    """A roof with its ridge along the front; also the corners of its outline."""
    over, out = 0.40, 0.45
    front_left, front_right = (-x - over, eave, z + out), (x + over, eave, z + out)
    back_right = (x + over, eave, -z - out)
    ridge_left, ridge_right = (-x - over, eave + rise, 0.0), (x + over, eave + rise, 0.0)
    strokes = [
        Stroke("eave", view(front_left, front_right), weight=1.05, ends=0.8),
        Stroke("roof, left slope", view(front_left, ridge_left), ends=0.8),
        Stroke("ridge", view(ridge_left, ridge_right), weight=1.05, ends=0.9),
        Stroke("gable, near slope", view(ridge_right, front_right), ends=0.8),
        Stroke("gable, far slope", view(ridge_right, back_right), ends=0.9),
    ]
    return strokes, view(front_left, ridge_left, ridge_right, front_right, back_right)


def _chimney(view: View, x: float, z: float, low: float, high: float) -> list[Stroke]:
    w = 0.42
    left, near, far = (x - w, low, z + w), (x + w, low, z + w), (x + w, low, z - w)
    top = [(x - w, high, z + w), (x + w, high, z + w), (x + w, high, z - w)]
    return [
        Stroke("chimney", view(left, top[0], top[1], near), ends=0.0),
        Stroke("chimney, side", view(top[1], top[2], far), ends=0.0),
    ]


def _box(x: float, z: float, height: float) -> list[Point]:
    return [(sx * x, y, sz * z) for sx in (-1, 1) for y in (0.0, height) for sz in (-1, 1)]


def house() -> Subject:
    x, z, height, rise = 4.6, 3.3, 6.0, 2.5
    view = View(0.62, 0.09, 27.0, 3.9)
    roof, outline = _gable_roof(view, x, z, height, rise)
    solid = np.concatenate([outline, view(*_box(x, z, height))])
    strokes = [*_background(view, solid), *_walls(view, x, z, height), *roof]
    strokes.append(_door(view, 0.0, z))
    for floor, y in enumerate((1.75, 4.5)):
        for place, at in enumerate((-2.9, 0.0, 2.9)):
            if floor or at:
                strokes.append(_front(view, f"window {floor * 3 + place + 1}", at, y, 1.35, 1.45, z))
        for place, at in enumerate((1.5, -1.5)):
            strokes.append(_side(view, f"side window {floor * 2 + place + 1}", at, y, 1.3, 1.45, x))
    strokes += _chimney(view, -1.6, -0.5, height + rise, height + rise + 1.1)
    prompts = (
        "a red brick house with a gable roof, on grass, day",
        "a blue wood house with a gable roof, on snow, night",
    )
    return Subject("house", prompts, tuple(strokes))


def cottage() -> Subject:
    x, z, height, rise = 3.7, 2.7, 2.8, 2.1
    view = View(0.50, 0.075, 21.0, 2.0, aside=0.06)
    roof, outline = _gable_roof(view, x, z, height, rise)
    beside = tree("tree", 0.075, 0.655, 0.20, 5)
    solid = np.concatenate([outline, view(*_box(x, z, height))])
    strokes = [*_background(view, solid, beside[0].points), *_walls(view, x, z, height), *roof]
    strokes += [
        _door(view, 0.2, z, 1.0, 2.0),
        _front(view, "left window", -2.1, 1.55, 1.3, 1.2, z),
        _front(view, "right window", 2.3, 1.55, 1.3, 1.2, z),
        _side(view, "side window", 0.0, 1.55, 1.5, 1.2, x),
        *_chimney(view, 1.3, -0.5, height + rise, height + rise + 0.8),
    ]
    strokes += beside
    prompts = (
        "a white wood cottage with a gable roof, on grass, sunset",
        "a grey stone cottage with a gable roof, on snow, day",
    )
    return Subject("cottage", prompts, tuple(strokes))


def _flat_roof(view: View, x: float, z: float, height: float, edge: float) -> list[Stroke]:
    a, b, c = (-x - 0.15, z + 0.15), (x + 0.15, z + 0.15), (x + 0.15, -z - 0.15)
    low = [(px, height, pz) for px, pz in (a, b, c)]
    high = [(px, height + edge, pz) for px, pz in (a, b, c)]
    return [
        Stroke("roof, lower edge", view(*low), weight=1.0, ends=0.5),
        Stroke("roof, upper edge", view(low[0], high[0], high[1], high[2], low[2]), weight=1.05, ends=0.3),
        Stroke("roof, corner", view(high[1], low[1]), ends=0.2),
    ]


def apartment_block() -> Subject:
    x, z, floors, storey = 6.2, 4.6, 4, 3.0
    height = floors * storey + 0.4
    view = View(0.55, 0.10, 38.0, 6.4)
    strokes = [*_background(view, view(*_box(x, z, height))), *_walls(view, x, z, height)]
    strokes += _flat_roof(view, x, z, height, 0.6)
    strokes.append(_door(view, 0.0, z, 1.9, 2.3))
    for floor in range(floors):
        y = floor * storey + 1.75
        for place, at in enumerate((-4.5, -1.5, 1.5, 4.5)):
            if floor or abs(at) > 2.0:
                strokes.append(_front(view, f"window {floor * 4 + place + 1}", at, y, 1.5, 1.55, z))
        for place, at in enumerate((2.2, -2.2)):
            strokes.append(_side(view, f"side window {floor * 2 + place + 1}", at, y, 1.7, 1.55, x))
    prompts = (
        "a beige concrete apartment block with a flat roof, on grass, day",
        "a red brick apartment block with a flat roof, on road, night",
    )
    return Subject("apartment_block", prompts, tuple(strokes))


def skyscraper() -> Subject:
    x, z, floors, storey = 5.4, 4.6, 11, 3.4
    height = floors * storey
    view = View(0.66, 0.05, 76.0, 19.5)
    strokes = [*_background(view, view(*_box(x, z, height))), *_walls(view, x, z, height)]
    strokes += _flat_roof(view, x, z, height, 0.9)
    for floor in range(1, floors):
        y = floor * storey
        strokes.append(Stroke(f"storey {floor}", view((-x, y, z), (x, y, z), (x, y, -z)), weight=0.85, ends=0.2))
    for number, at in enumerate((-2.7, 0.0, 2.7)):
        strokes.append(Stroke(f"front line {number + 1}", view((at, height, z), (at, 0, z)), weight=0.85, ends=0.2))
    for number, at in enumerate((1.5, -1.5)):
        strokes.append(Stroke(f"side line {number + 1}", view((x, height, at), (x, 0, at)), weight=0.85, ends=0.2))
    strokes += tree("left tree", 0.17, 0.90, 0.20, 3) + tree("right tree", 0.86, 0.88, 0.16, 8)
    prompts = (
        "a blue glass skyscraper with a flat roof, on grass, day",
        "a grey concrete skyscraper with a flat roof, on road, sunset",
    )
    return Subject("skyscraper", prompts, tuple(strokes))
