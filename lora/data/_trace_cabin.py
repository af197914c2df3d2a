"""What is seen through a car's glass, and what is bolted to it: seats, wheel, dashboard; exhausts, a wing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._blender import Stage
from ._scene import Scene
from ._shader import plain
from ._solid_mesh import Faces


def furnish(stage: Stage, scene: Scene, part: int) -> None:
    """Seats, dashboard and steering wheel."""
    s = scene.shape
    leather = plain(stage, "leather", (0.055, 0.050, 0.046) if not s["roadster"] else (0.16, 0.065, 0.03), 0.5)
    dark = plain(stage, "dashboard", (0.020, 0.020, 0.022), 0.6)
    wide = s["width"] - s["shoulder"] - 0.16
    floor_at = 0.42 if s["roadster"] else s["belt"] - 0.42
    foot = s["screen_foot"]
    inside = Faces()
    behind = s["rear"] + 0.34 if s["roadster"] else max(s["rear_foot"] + 0.10, -s["half"] + 0.25)
    if s["pickup"]:
        behind = s["rear_foot"] + 0.12
    inside.box((behind, floor_at - 0.03, -wide), (foot - 0.2, floor_at, wide))
    inside.box((foot - 0.62, floor_at, -wide), (foot - 0.22, s["cowl"] - 0.03, wide))
    seats = Faces()
    top = min(s["belt"] + 0.14, s["roof"] - 0.34)
    places = [foot - 1.42 - 0.10 * s["low"]]
    if s["roadster"]:
        places, top = [s["rear"] + 0.62], s["belt"] + 0.02
    elif s["bus"]:
        places = [foot - 1.4 - 1.0 * k for k in range(8)]
    elif s["four_doors"]:
        places.append(min(s["rear"] + (0.36 if s["upright"] else 0.52), places[0] - 0.72))
    if s["limousine"]:
        places.append(places[0] - 1.1)
    places = [x for x in places if s["bus"] or s["roadster"] or x - 0.16 > s["rear_foot"] + 0.22 * (1 - s["upright"])]
    for number, x in enumerate(places):
        for z in (-0.40 * wide, 0.40 * wide) if wide < 1.1 else (-0.7, -0.25, 0.25, 0.7):
            _seat(
                seats,
                x,
                z,
                floor_at,
                top - 0.14 * (number > 0 and not s["bus"] and not s["upright"]),
                0.26 if wide < 1.1 else 0.2,
                s["roof"] - 0.16,
            )
    stage.faces("inside", inside, dark, "body", part, bevel=0.03)
    stage.faces("seats", seats, leather, "body", part + 40, smooth=50, bevel=0.045)
    _steering(stage, foot - 0.80, s["cowl"] + 0.02 - 0.03 * s["low"], -0.40 * wide, dark, part)
    if s["roadster"]:
        return
    mirror = Faces()
    x, y = s["screen_top"] + 0.02, s["roof"] - 0.17
    mirror.box((x - 0.12, y - 0.03, -0.11), (x - 0.09, y + 0.03, 0.11))
    stage.faces("inner mirror", mirror, dark, "body", part, bevel=0.01)


def _seat(seats: Faces, x: float, z: float, low: float, top: float, half: float, highest: float) -> None:
    """A back that leans, with a headrest."""
    lean = 0.30

    def tilted(points: np.ndarray) -> np.ndarray:
        points = points.copy()
        points[:, 0] -= lean * (points[:, 1] - low)
        return points

    back, rest = Faces(), Faces()
    back.box((x - 0.08, low, z - half), (x + 0.08, top, z + half))
    high = min(top + 0.20, highest)
    rest.box((x - 0.05, top + 0.03, z - 0.13), (x + 0.05, high, z + 0.13))
    seat = Faces()
    seat.box((x, low, z - half), (x + 0.50, low + 0.12, z + half))
    for part in (back.changed(tilted), rest.changed(tilted), seat):
        merged = seats.joined(part)
        seats.points, seats.faces = merged.points, merged.faces


def _steering(stage: Stage, x: float, y: float, z: float, material: Any, part: int) -> None:
    """A ring that leans towards the driver."""
    ring = Faces()
    around, section = np.meshgrid(np.linspace(0, 2 * math.pi, 32, endpoint=False), np.linspace(0, 2 * math.pi, 9))
    radius = 0.185 + 0.016 * np.cos(section)
    flat = np.stack([0.016 * np.sin(section), radius * np.sin(around), radius * np.cos(around)], -1)
    lean = np.array([[math.cos(0.45), math.sin(0.45), 0], [-math.sin(0.45), math.cos(0.45), 0], [0, 0, 1]])
    ring = Faces.grid(flat @ lean + [x, y, z], closed=True)
    stage.faces("steering", ring, material, "body", part, smooth=180)


def pipes(stage: Stage, scene: Scene, material: Any, part: int) -> None:
    """Ends of the exhaust."""
    s = scene.shape
    if s["bus"] or s["van"]:
        return
    ends = Faces()
    for z in (-0.52, 0.52) if not s["mid_engine"] else (-0.12, 0.12):
        pipe = Faces()
        profile = [(0.030, -0.10), (0.036, 0.0), (0.042, 0.012), (0.045, 0.0), (0.045, -0.16)]
        pipe.lathe(profile, 24, (0.0, 0.0, 0.0), -1.0)
        at = np.array([-s["half"] + 0.11 - 0.03 * s["low"], s["clearance"] + 0.085, z * s["width"] / 0.92])
        merged = ends.joined(pipe.changed(lambda p, at=at: p[:, [2, 1, 0]] * [1, 1, -1] + at))
        ends.points, ends.faces = merged.points, merged.faces
    stage.faces("exhaust", ends, material, "trim", part, smooth=40)


def wing(stage: Stage, scene: Scene, material: Any, part: int) -> None:
    """The rear wing and the splitter of a race car."""
    s = scene.shape
    blade, struts = Faces(), Faces()
    x, y, wide = -s["half"] + 0.05, s["roof"] - 0.06, s["width"] - 0.06
    section = [(0.0, 0.0), (0.10, 0.030), (0.24, 0.018), (0.34, -0.012), (0.22, -0.008), (0.10, 0.0)]
    points = np.array([[[x + a, y + b + 0.04, z] for a, b in section] for z in np.linspace(-wide, wide, 9)])
    blade = Faces.grid(points, closed=True)
    for hand in (-1, 1):
        struts.box((x - 0.04, y - 0.12, hand * wide - 0.012), (x + 0.38, y + 0.10, hand * wide + 0.012))
        struts.box((x + 0.08, s["deck"] - 0.06, hand * 0.42 - 0.015), (x + 0.24, y + 0.04, hand * 0.42 + 0.015))
    stage.faces("blade", blade, material, "body", part, smooth=60)
    stage.faces("struts", struts, material, "body", part + 1)
    splitter = Faces()
    splitter.box(
        (s["half"] - 0.35, s["clearance"] - 0.01, -s["width"] + 0.12),
        (s["half"] + 0.05, s["clearance"] + 0.015, s["width"] - 0.12),
    )
    stage.faces("splitter", splitter, material, "trim", part + 1, bevel=0.006)
