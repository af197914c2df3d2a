"""The form of a car: two side profiles with a width, and wheels.

A profile is a polygon whose corners are cut. Its signed distance is kept as a picture, and a body is what lies inside
both the profile and the width, with its edges rounded; bodies are then found by sphere tracing (Hart, 1996).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from ._camera import View, box_corners
from ._draws import Draws
from ._noise import blurred
from ._table import Table
from .grammar import STUDIO

MEASURES = (
    *("length", "clearance", "nose", "cowl", "belt", "roof", "screen_foot", "screen_top", "roof_end", "rear_foot"),
    *("wheel", "width"),
)
STYLES = {  # metres, x forward from the middle, heights above the ground; width and wheel are half of what is there
    "sedan": (4.6, 0.20, 0.74, 0.96, 1.00, 1.46, 0.95, 0.25, -0.80, -1.55, 0.33, 0.90),
    "coupe": (4.4, 0.17, 0.68, 0.86, 0.91, 1.34, 0.85, 0.10, -0.55, -1.75, 0.34, 0.92),
    "hatchback": (3.9, 0.20, 0.78, 0.98, 1.00, 1.50, 0.95, 0.35, -1.40, -1.82, 0.31, 0.86),
    "suv": (4.6, 0.30, 0.95, 1.12, 1.15, 1.76, 1.00, 0.50, -1.75, -2.12, 0.39, 0.95),
    "pickup": (5.3, 0.36, 1.00, 1.16, 1.15, 1.82, 1.15, 0.65, -0.45, -0.62, 0.42, 0.98),
    "van": (4.9, 0.24, 0.95, 1.22, 1.15, 2.05, 1.80, 1.05, -2.25, -2.38, 0.34, 0.96),
    "wagon": (4.7, 0.20, 0.74, 0.96, 1.00, 1.50, 0.95, 0.25, -1.75, -2.20, 0.33, 0.90),
}
FOUR_DOORS = ("sedan", "wagon", "suv", "hatchback")
UPRIGHT = ("van", "pickup", "suv")  # the cabin hardly narrows towards the roof
YAWS = {  # radians around the car; 0 is its left side, then its front
    "side": (-0.14, 0.14),
    "front three-quarter": (0.50, 1.00),
    "rear three-quarter": (-1.00, -0.50),
    "front": (1.38, 1.57),
    "rear": (-1.57, -1.38),
}
CELLS = 40  # of a profile's picture, for each metre
LEFT, RIGHT, LOW, HIGH = -3.2, 3.2, -0.5, 2.7  # metres that it spans


def car_shape(draws: Draws, tags: Mapping[str, str]) -> tuple[dict[str, float], View]:
    """Measures of a car of a style, what is behind it, and the view."""
    style = tags["style"]
    shape = {
        name: value * draws.between(f"measure {name}", 0.95, 1.05)
        for name, value in zip(MEASURES, STYLES[style], strict=True)
    }
    half, stretch = shape["length"] / 2, shape["length"] / 4.6
    shape["cowl"] = min(shape["cowl"], shape["belt"] + 0.06)
    shape["half"] = half
    shape["front"] = half - (0.9 if style == "van" else 0.85 * stretch)
    shape["rear"] = -half + 0.95 * stretch
    shape["four_doors"] = float(style in FOUR_DOORS)
    for name in ("pickup", "van", "wagon"):
        shape[name] = float(style == name)
    shape["narrowing"] = 0.75 if style in UPRIGHT else 1.0
    shape["spokes"] = 5.0 if style in ("coupe", "suv", "pickup") else 10.0
    open_country = tags["ground"] != STUDIO and draws.chance("any hills", 0.85)
    shape["hills"] = draws.between("hills", 0.05, 0.10) if open_country else 0.0
    shape["hills_at"] = draws.unit("hills at")
    shape["marks"] = float(tags["ground"] == "road" and draws.chance("marks", 0.5))
    yaw = draws.between("yaw", *YAWS[tags["view"]])
    if draws.chance("looks left", 0.5):
        yaw = math.pi - yaw
    view = View(
        yaw,
        draws.between("pitch", 0.03, 0.22),
        8.0,
        (0.0, shape["roof"] * 0.46, 0.0),
        draws.between("field", 0.45, 0.7),
    )
    fill = draws.between("fill", 0.70, 0.95)
    corners = box_corners((-half, 0.0, -shape["width"]), (half, shape["roof"], shape["width"]))
    view = view.around(corners, (fill, 0.74 * fill))
    free = (1 - fill) / 2
    place = (draws.between("aside", -0.8, 0.8) * free, draws.between("lower", -0.16, 0.02))
    return shape, replace(view, place=place)


def view_word(yaw: float) -> str:
    """What the view from a yaw is called."""
    forward = math.asin(max(-1.0, min(1.0, math.sin(yaw))))
    if abs(forward) < 0.32:
        return "side"
    where = "front" if forward > 0 else "rear"
    return where if abs(forward) > 1.2 else f"{where} three-quarter"


def _profiles(p: Table) -> tuple[Tensor, Tensor]:
    """Corners (M, 2, B) of the body's and of the cabin's polygon."""
    h, low, nose, belt, roof = p.half, p.clearance, p.nose, p.belt, p.roof
    foot, top, end, rear = p.screen_foot, p.screen_top, p.roof_end, p.rear_foot
    body = [
        (h - 0.10, low),
        (h, 0.30 + 0.4 * low),
        (h - 0.02, nose - 0.14),
        (h - 0.22, nose),
        (foot + 0.1, p.cowl),
        (foot - 0.3, p.cowl + 0.02),
        (rear, belt),
        (-h + 0.12, belt - 0.02),
        (-h, belt - 0.22),
        (-h + 0.03, 0.45 + 0 * h),
        (-h + 0.12, low + 0.03),
    ]
    front_foot, rear_foot = (foot + 0.12, p.cowl - 0.12), (rear - 0.05, belt - 0.15)
    cabin = [  # corners given twice stay sharp
        front_foot,
        front_foot,
        (top, roof - 0.03),
        ((top + end) / 2, roof + 0.01),
        (end, roof - 0.05),
        rear_foot,
        rear_foot,
    ]
    corners = [torch.stack([torch.stack(point) for point in each]) for each in (body, cabin)]
    return _corners_cut(corners[0]), _corners_cut(corners[1])


def _corners_cut(points: Tensor) -> Tensor:
    """Chaikin's corner cutting, twice: (M, 2, B) -> (4 M, 2, B)."""
    for _ in range(2):
        following = points.roll(-1, 0)
        points = torch.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], 1).flatten(0, 1)
    return points


def _distance_picture(points: Tensor) -> Tensor:
    """(B, H, W): signed distance in metres to the polygon with corners (M, 2, B), negative inside, softened."""
    device = points.device
    columns, rows = round((RIGHT - LEFT) * CELLS) + 1, round((HIGH - LOW) * CELLS) + 1
    x = torch.linspace(LEFT, RIGHT, columns, device=device).view(1, 1, -1)
    y = torch.linspace(LOW, HIGH, rows, device=device).view(1, -1, 1)
    nearest = x.new_full((points.shape[2], rows, columns), 1e9)
    inside = torch.zeros_like(nearest, dtype=torch.bool)
    for begin, end in zip(points, points.roll(-1, 0), strict=True):
        (bx, by), (ex, ey) = begin[:, :, None, None], end[:, :, None, None]
        px, py, dx, dy = x - bx, y - by, ex - bx, ey - by
        share = ((px * dx + py * dy) / (dx * dx + dy * dy).clamp_min(1e-9)).clamp(0, 1)
        nearest = torch.minimum(nearest, (px - dx * share) ** 2 + (py - dy * share) ** 2)
        inside ^= ((by > y) != (ey > y)) & (px < dx * py / torch.where(dy == 0, 1e-9, dy))
    distance = torch.where(inside, -nearest.sqrt(), nearest.sqrt())[:, None]
    return blurred(blurred(distance))[:, 0]


class Bodies:
    """The bodies of B cars, as signed distances in metres; wheels are apart."""

    def __init__(self, p: Table, styles: Sequence[str]) -> None:
        pictures = torch.stack([_distance_picture(each) for each in _profiles(p)], 1)  # (B, 2, H, W)
        self._rows, self._columns = pictures.shape[2:]
        # One below the other, so that rays of different cars are looked up together.
        self._atlas = pictures.transpose(0, 1).reshape(1, 2, -1, self._columns).contiguous()  # (1, 2, B * H, W)
        self._any_pickup = "pickup" in styles

    def profiles(self, x: Tensor, y: Tensor, car: Tensor) -> tuple[Tensor, Tensor]:
        """(N,), (N,): distance to the body's and to the cabin's profile; ``car`` (N,) says whose."""
        column = ((x - LEFT) * (2 * CELLS / (self._columns - 1))) - 1
        row = ((y - LOW) * CELLS).clamp(0, self._rows - 1) + car * self._rows
        grid = torch.stack([column, row * (2 / (self._atlas.shape[2] - 1)) - 1], -1)
        found = F.grid_sample(self._atlas, grid.view(1, 1, -1, 2), padding_mode="border", align_corners=True)
        beyond = (LEFT - x).clamp_min(0) + (x - RIGHT).clamp_min(0) + (LOW - y).clamp_min(0) + (y - HIGH).clamp_min(0)
        return found[0, 0, 0] + beyond, found[0, 1, 0] + beyond

    def parts(self, point: Tensor, car: Tensor, p: Table) -> tuple[Tensor, ...]:
        """Distances (N,) at ``point`` (3, N): all, body, cabin, and the cabin's profile, and to the wheel arches."""
        x, y, z = point[0], point[1], point[2].abs()
        in_body, in_cabin = self.profiles(x, y, car)
        arches = torch.minimum(_apart(x - p.front, y - p.wheel), _apart(x - p.rear, y - p.wheel)) - p.wheel * 1.16
        body = _rounded(in_body, z - _body_width(x, y, p), 0.11)
        cabin = _rounded(in_cabin, (z - cabin_width(y, p)) * 0.95, 0.10)
        if self._any_pickup:
            ends = torch.maximum(x - (p.rear_foot - 0.18), -(x + p.half - 0.14))
            bed = torch.maximum(ends, torch.maximum(z - (p.width - 0.22), 0.75 - y))
            body = torch.where(p.pickup > 0, torch.maximum(body, -bed), body)
        body = torch.maximum(body, -torch.maximum(arches, 0.55 - z))
        join = 0.05
        share = (0.5 + (0.5 / join) * (cabin - body)).clamp(0, 1)
        both = cabin + (body - cabin) * share - join * share * (1 - share)
        return torch.minimum(both, _mirror(x, y, z, p)), body, cabin, in_cabin, arches

    def distance(self, point: Tensor, car: Tensor, p: Table) -> Tensor:
        """(N,): distance of ``point`` (3, N) to the nearest surface of car ``car`` (N,)."""
        return self.parts(point, car, p)[0]


def _apart(x: Tensor, y: Tensor) -> Tensor:
    return (x * x + y * y).sqrt()


def _rounded(a: Tensor, b: Tensor, radius: float) -> Tensor:
    """Distance to what is inside both, with a rounded edge where they meet."""
    a, b = a + radius, b + radius
    outside = (a.clamp_min(0).square() + b.clamp_min(0).square()).sqrt()
    return torch.maximum(a, b).clamp_max(0) + outside - radius


def _body_width(x: Tensor, y: Tensor, p: Table) -> Tensor:
    """Half the width: narrower at both ends, below the sills and above the shoulder, which is an edge."""
    along = (x / p.half) ** 2
    below = (0.5 - y).clamp(0, 0.5)
    shoulder = 0.012 * torch.tanh((y - 0.70) * 30) - 0.10 * (y - 0.72).clamp(-0.02, 0.6)
    return p.width - 0.11 * along * along - (0.10 + 0.06 * below) * below + shoulder


def cabin_width(y: Tensor, p: Table) -> Tensor:
    """(N,) half the width of the cabin at height ``y``."""
    upwards = ((y - p.belt) / (p.roof - p.belt)).clamp(-0.3, 1.1)
    return p.width - 0.10 - 0.30 * upwards * p.narrowing


def _mirror(x: Tensor, y: Tensor, z: Tensor, p: Table) -> Tensor:
    """Distance to the outside mirrors, which are eggs."""
    a, b, c = (x - p.screen_foot + 0.30) / 0.08, (y - p.belt - 0.10) / 0.07, (z - p.width + 0.01) / 0.15
    return ((a * a + b * b + c * c).sqrt() - 1) * 0.07
