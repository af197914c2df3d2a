"""Where a scene is seen from, and the rays of a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ._noise import unit
from ._table import Table

Point = tuple[float, float, float]
SUN = (-0.62, 0.72, 0.50)  # to the right, up, towards the camera: the light comes from the left, over the shoulder
SUNS = {"none": SUN, "left": SUN, "right": (0.62, 0.72, 0.50), "behind": (-0.52, 0.66, -0.62)}


@dataclass(frozen=True)
class View:
    """A camera that looks at ``target`` from ``distance`` metres, without leaning.

    The world has x to the right, y up and z towards the viewer at ``yaw`` 0; a greater yaw walks to the right around
    the target, a greater pitch looks down more. Angles are in radians, ``field`` is what the picture spans. ``centre``
    is what lies at ``place``; both are in picture sizes from the middle, to the right and up.
    """

    yaw: float
    pitch: float
    distance: float
    target: Point
    field: float
    centre: tuple[float, float] = (0.0, 0.0)
    place: tuple[float, float] = (0.0, 0.0)
    sun: Point = SUN
    """Where the light comes from: to the right, up, towards the camera."""

    @property
    def axes(self) -> tuple[Point, Point, Point]:
        """Unit vectors to the right, up and forward."""
        sin_yaw, cos_yaw, sin_pitch, cos_pitch = (
            math.sin(self.yaw),
            math.cos(self.yaw),
            math.sin(self.pitch),
            math.cos(self.pitch),
        )
        right = (cos_yaw, 0.0, -sin_yaw)
        up = (-sin_yaw * sin_pitch, cos_pitch, -cos_yaw * sin_pitch)
        return right, up, (-sin_yaw * cos_pitch, -sin_pitch, -cos_yaw * cos_pitch)

    @property
    def eye(self) -> Point:
        """Where the camera is; never below half a metre."""
        x, y, z = (point - self.distance * ahead for point, ahead in zip(self.target, self.axes[2], strict=True))
        return x, max(y, 0.5), z

    @property
    def horizon(self) -> float:
        """Height of the horizon in the picture, in picture sizes from the middle upwards."""
        level = math.tan(self.pitch) / (2 * math.tan(self.field / 2))
        return level - self.centre[1] + self.place[1]

    def around(self, corners: Sequence[Point], fill: tuple[float, float]) -> View:
        """The same direction, from where ``corners`` fill at most these parts of the picture's width and height."""
        axes = self.axes
        offsets = [
            [_dot([a - b for a, b in zip(corner, self.target, strict=True)], axis) for axis in axes]
            for corner in corners
        ]
        spread = 2 * math.tan(self.field / 2)
        distance = self.distance
        for _ in range(8):
            across = [x / (spread * max(ahead + distance, 1e-3)) for x, _, ahead in offsets]
            above = [y / (spread * max(ahead + distance, 1e-3)) for _, y, ahead in offsets]
            distance *= max((max(across) - min(across)) / fill[0], (max(above) - min(above)) / fill[1])
        centre = ((max(across) + min(across)) / 2, (max(above) + min(above)) / 2)
        return replace(self, distance=distance, centre=centre)


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def box_corners(low: Point, high: Point) -> list[Point]:
    """The eight corners of a box."""
    return [(x, y, z) for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]


@dataclass(frozen=True, eq=False)
class Rays:
    """The rays of B pictures of S x S pixels."""

    direction: Tensor
    """(3, B, S, S) unit vectors in the world."""
    along: Tensor
    """(B, S, S) share of a ray's length that goes along the view axis."""
    across: Tensor
    """(1, 1, S) picture sizes to the right of the picture's middle."""
    above: Tensor
    """(B, S, 1) picture sizes above the horizon."""
    camera: Table
    """eye, right, up, forward, level, sun (3, B); pixel (B,): metres that a pixel spans at one metre."""


def rays(views: Sequence[View], size: int, device: torch.device) -> Rays:
    """The rays through the middles of all pixels."""
    numbers = []
    for view in views:
        right, up, forward = view.axes
        level = (-math.sin(view.yaw), 0.0, -math.cos(view.yaw))
        a, b, c = view.sun
        sun = [a * r + b * u - c * f for r, u, f in zip(right, (0, 1, 0), level, strict=True)]
        length = math.hypot(*sun)
        spread = 2 * math.tan(view.field / 2)
        numbers.append(
            {
                "eye": view.eye,
                "right": right,
                "up": up,
                "forward": forward,
                "level": level,
                "sun": [value / length for value in sun],
                "spread": spread,
                "pixel": spread / size,
                "centre": view.centre,
                "place": view.place,
                "horizon": view.horizon,
            }
        )
    camera = Table.of(numbers, device)
    each = camera.over_pictures()
    middle = (torch.arange(size, device=device, dtype=torch.float32) + 0.5) / size - 0.5  # (S,)
    to_right, upwards = middle.view(1, 1, size), -middle.view(1, size, 1)
    x = (to_right - each.place[0] + each.centre[0]) * each.spread  # (B, 1, S)
    y = (upwards - each.place[1] + each.centre[1]) * each.spread  # (B, S, 1)
    along = torch.rsqrt(1 + x * x + y * y)  # (B, S, S)
    direction = unit(each.forward + x * each.right + y * each.up)  # (3, B, S, S)
    return Rays(direction, along, to_right, upwards - each.horizon, camera)
