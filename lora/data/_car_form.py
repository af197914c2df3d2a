"""The form of a car: curves of its side view and plan, and the smooth surfaces that they make.

The body lies below its top line, between its sides, behind its nose and before its tail; the glass house lies below
the roof's line and between its leaning sides. Every one of these surfaces has its crown, and where two of them meet
there is an edge with a radius, as on real panels. Bodies are found by sphere tracing (Hart, 1996) or as a mesh.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ._table import Table

CELL = 0.01  # metres between two values of a curve
REACH = 0.6  # metres that curves go on beyond a car
HIGHEST = 3.6  # metres
Knot = tuple[float, float, float]  # x, y, and how far the corner is rounded: 0 sharp, 1 as far as it goes


class Form(NamedTuple):
    """Distances (N,) in metres, or thereabouts, of points from a car's surfaces; below 0 is inside."""

    all: Tensor
    body: Tensor
    cabin: Tensor
    top: Tensor
    side: Tensor
    front: Tensor
    rear: Tensor
    roof: Tensor
    glass_side: Tensor
    arches: Tensor  # from the openings for the wheels
    belt: Tensor  # height of the body's top line there
    along: Tensor  # x as the curved windscreen and rear window have it


def _smooth(knots: Sequence[Knot], at: np.ndarray) -> np.ndarray:
    """A curve (K,) whose corners are parabolas: straight ends, no bend that is not meant."""
    points = np.array([knot[:2] for knot in knots])
    path = [points[0]]
    share = np.linspace(0, 1, 17)[:, None]
    for before, here, after, soft in zip(points, points[1:], points[2:], [k[2] for k in knots[1:]], strict=False):
        a, b = here + (before - here) * 0.5 * soft, here + (after - here) * 0.5 * soft
        path += list((1 - share) ** 2 * a + 2 * share * (1 - share) * here + share**2 * b)
    path = np.array([*path, points[-1]])
    path = path[np.argsort(path[:, 0], kind="stable")]
    value = np.interp(at, path[:, 0], path[:, 1])
    kernel = np.exp(-0.5 * (np.arange(-4, 5) / 1.6) ** 2)
    padded = np.concatenate([2 * value[0] - value[4:0:-1], value, 2 * value[-1] - value[-2:-6:-1]])
    return np.convolve(padded, kernel / kernel.sum(), "valid")


def _top_line(s: Mapping[str, float]) -> list[Knot]:
    """Nose, bonnet, belt and tail, from the rear to the front."""
    h, front, rear, foot = s["half"], s["front"], s["rear"], s["screen_foot"]
    nose, cowl, belt, deck = s["nose"], s["cowl"], s["belt"], s["deck"]
    if s["bus"]:
        return [(-h - 1, belt, 1), (0, belt, 1), (h + 1, belt, 1)]
    knots: list[Knot]
    if s["round"]:
        knots = [(-h - 0.2, 0.40, 1), (-h + 0.02, 0.62, 1), (rear - 0.25, 0.90, 1), (rear + 0.6, belt, 1)]
    elif s["upright"]:
        knots = [(-h - 0.6, deck, 1), (rear, 0.5 * (belt + deck), 1)]
    elif s["pickup"]:
        knots = [(-h - 0.6, deck, 1), (rear, deck, 1), (rear + 1.0, belt, 1)]
    else:
        tail = deck + (0.01 if not s["mid_engine"] else 0.0)
        knots = [(-h - 0.5, tail - 0.16, 1), (-h + 0.08, tail, 0.35), (s["rear_foot"], deck - 0.01, 1),
                 (rear + 0.55, 0.55 * deck + 0.45 * belt, 1)]  # fmt: skip
    knots += [(0.5 * (foot + rear), belt, 1), (foot - 0.35, belt - 0.01, 1), (foot + 0.12, cowl, 1)]
    bulge = 0.62 if not s["round"] else 0.74
    knots += [(front + 0.05, nose + (cowl - nose) * bulge, 1), (h - 0.12, nose, 1), (h + 0.2, nose - 0.20, 1),
              (h + 0.7, nose - 0.6, 1)]  # fmt: skip
    return knots


def _roof_line(s: Mapping[str, float]) -> list[Knot]:
    """Windscreen, roof and rear window, from the rear to the front."""
    foot, top, end, rear_foot = s["screen_foot"], s["screen_top"], s["roof_end"], s["rear_foot"]
    roof, cowl, deck, low = s["roof"], s["cowl"], s["deck"], 0.25
    slope = (roof - cowl - 0.03) / s_run(s)
    knots: list[Knot]
    if s["roadster"]:
        knots = [(top - 1.4, low, 1), (top - 0.16, low, 0), (top - 0.075, roof - 0.01, 0.02), (top, roof, 0.5)]
    elif s["upright"] or s["pickup"]:
        fall = (roof - 0.06 - deck) / max(end - rear_foot, 0.05)
        beyond = (deck - low) / fall
        knots = [(rear_foot - beyond, low, 0), (end, roof - 0.05, 0.22), (end + 0.35, roof - 0.005, 1)]
        knots += [(0.5 * (end + top) + 0.2, roof + 0.015, 1)]
    elif s["round"]:
        knots = [(rear_foot - 0.6, 0.42, 1), (rear_foot - 0.12, deck - 0.10, 1), (end - 0.30, roof - 0.14, 1),
                 (end + 0.28, roof + 0.06, 1)]  # fmt: skip
    else:
        fall = 0.10 if s["low"] else 0.075
        knots = [(rear_foot - 0.5, deck - 0.24, 1), (rear_foot - 0.06, deck - 0.035, 0.5),
                 (end - 0.10, roof - fall, 1), (0.40 * end + 0.60 * top, roof + 0.022, 1)]  # fmt: skip
    header = 0.8 if not s["upright"] else 0.7
    knots += [(top + 0.06, roof - 0.015, header), (foot, cowl - 0.01, 1), (foot + 0.6, cowl - 0.01 - 0.6 * slope, 1)]
    if s["bus"]:
        knots[-3:] = [(top + 0.03, roof - 0.02, 0.12), (foot, cowl, 0), (foot + 0.1, low, 0)]
    return knots


def s_run(s: Mapping[str, float]) -> float:
    """How far a windscreen goes back."""
    return s["screen_foot"] - s["screen_top"]


def _plan(s: Mapping[str, float]) -> list[Knot]:
    """Half the width, from the rear to the front."""
    h, w, front, rear = s["half"], s["width"], s["front"], s["rear"]
    if s["bus"]:
        return [(-h - 1, w, 1), (h + 1, w, 1)]
    nose = 0.10 if s["upright"] or s["pickup"] else 0.16
    tail = 0.05 if s["upright"] or s["pickup"] else 0.10
    if s["round"]:
        nose, tail = 0.30, 0.34
    return [(-h - 0.3, w - 2.2 * tail, 1), (-h + 0.25, w - 0.8 * tail, 1), (rear, w, 1), (0.1, w - 0.012, 1),
            (front - 0.05, w - 0.002, 1), (h - 0.30, w - nose, 1), (h + 0.3, w - 2.4 * nose, 1)]  # fmt: skip


def _glass_plan(s: Mapping[str, float]) -> list[Knot]:
    """Half the width of the glass house at its foot: it narrows to the front a little, and to the rear as a drop."""
    h, w = s["half"], s["width"] - s["shoulder"] - 0.02
    last = 0.015 if s["upright"] or s["pickup"] else 0.13 if s["low"] else 0.09
    if s["round"]:
        last = 0.20
    return [(-h - 0.3, w - 1.6 * last, 1), (s["rear"] - 0.2, w - last, 1), (s["rear"] + 0.9, w, 1),
            (s["screen_foot"] - 0.9, w, 1), (s["screen_foot"], w - 0.05, 1), (h + 0.3, w - 0.2, 1)]  # fmt: skip


def _crease_line(s: Mapping[str, float]) -> list[Knot]:
    """Height of the line along the doors, where the side is widest; it rises to the rear."""
    h, belt, nose = s["half"], s["belt"], s["nose"]
    rise = 0.05 if s["upright"] else 0.02
    return [(-h - 0.5, belt - 0.11 + rise, 1), (s["rear"], belt - 0.12 + rise, 1), (s["front"], nose - 0.005, 1),
            (h + 0.5, nose - 0.10, 1)]  # fmt: skip


def _nose_line(s: Mapping[str, float]) -> list[Knot]:
    """How far the front stands back, by height."""
    c, n = s["clearance"], s["nose"]
    if s["bus"]:
        return [(0, 0.05, 1), (c + 0.1, 0.0, 1), (1.0, 0.0, 1), (s["roof"], 0.14, 1), (HIGHEST, 0.4, 1)]
    wedge = 0.30 if s["mid_engine"] else 0.16 if s["low"] else 0.09
    chin = 0.07 if s["low"] else 0.11
    if s["round"]:
        return [(0, 0.1, 1), (c, 0.10, 1), (0.40, 0.02, 1), (n, 0.22, 1), (n + 0.5, 0.9, 1), (HIGHEST, 3, 1)]
    return [(0, chin + 0.08, 1), (c, chin, 1), (c + 0.15, 0.015, 1), (c + 0.5 * (n - c), 0.0, 1),
            (n - 0.08, 0.35 * wedge, 1), (n + 0.12, wedge + 0.05, 1), (HIGHEST, 2.6, 1)]  # fmt: skip


def _tail_line(s: Mapping[str, float]) -> list[Knot]:
    """How far the tail stands back, by height."""
    c, d = s["clearance"], s["deck"]
    if s["upright"]:
        return [(0, 0.2, 1), (c, 0.13, 1), (c + 0.2, 0.01, 1), (0.6, 0.0, 1), (d, 0.03, 1), (HIGHEST, 0.3, 1)]
    if s["round"]:
        return [
            (0, 0.1, 1),
            (c, 0.10, 1),
            (0.38, 0.02, 1),
            (0.7, 0.18, 1),
            (1.1, 0.45, 1),
            (1.6, 0.9, 1),
            (HIGHEST, 3, 1),
        ]
    return [(0, 0.3, 1), (c, 0.20, 1), (c + 0.18, 0.05, 1), (c + 0.32, 0.0, 1), (d - 0.2, 0.045, 1),
            (d - 0.03, 0.0 if s["low"] else 0.02, 1), (HIGHEST, 0.2, 1)]  # fmt: skip


_ALONG = (_top_line, _roof_line, _plan, _glass_plan, _crease_line)
_UPWARDS = (_nose_line, _tail_line)


class Bodies:
    """The bodies of B cars; wheels are apart."""

    def __init__(self, shapes: Sequence[Mapping[str, float]], device: torch.device) -> None:
        reach = max(shape["half"] for shape in shapes) + REACH
        x = np.arange(-reach, reach + CELL, CELL)
        y = np.arange(0, HIGHEST, CELL)
        self._low = -reach
        along, upwards = [], []
        for shape in shapes:
            curves = [_smooth(make(shape), x) for make in _ALONG]
            slopes = [np.sqrt(1 + np.gradient(curve, CELL) ** 2) for curve in curves[:2]]
            along.append(np.stack([*curves, *slopes], 1))
            upwards.append(np.stack([_smooth(make(shape), y) for make in _UPWARDS], 1))
        self._along = torch.from_numpy(np.stack(along)).float().to(device)  # (B, X, 7)
        self._upwards = torch.from_numpy(np.stack(upwards)).float().to(device)  # (B, Y, 2)
        self._any = {name: any(shape[name] > 0 for shape in shapes) for name in ("pickup", "roadster", "crest")}

    @staticmethod
    def _looked_up(tables: Tensor, place: Tensor, car: Tensor) -> Tensor:
        """(C, N) values of tables (B, K, C) at ``place`` (N,) in cells."""
        rows = tables.shape[1]
        place = place.clamp(0, rows - 1.001)
        first = place.long()
        share = (place - first)[:, None]
        flat = tables.reshape(-1, tables.shape[2])
        index = first + car * rows
        one = flat.index_select(0, index)
        return (one + (flat.index_select(0, index + 1) - one) * share).T

    def form(self, point: Tensor, car: Tensor, p: Table, closed: bool = False) -> Form:
        """Distances at ``point`` (3, N); ``car`` (N,) says whose, ``p`` has a column for each point.

        ``closed`` leaves out mirrors, and the openings for wheels.
        """
        x, y, z = point[0], point[1], point[2].abs()
        top, _, plan, foot, crease, steep, _ = self._looked_up(self._along, (x - self._low) / CELL, car)
        nose, tail = self._looked_up(self._upwards, y / CELL, car)
        arches = torch.minimum(_apart(x - p.front, y - p.wheel), _apart(x - p.rear, y - p.wheel))
        share = z / p.width
        square = share * share
        # --- the body
        over = y - top + p.wheel * 0.14 * square + 0.03 * (1 - p.low) * square * square
        ridge = 0.014 * p.crease * _step((0.60 * p.width + 0.16 * (x - p.front) - z) / 0.05) * (x > p.screen_foot)
        over = over - ridge * (1 - p.round)
        if self._any["crest"]:
            near = torch.exp(-(((x - p.front) / 0.50) ** 2)) + 0.6 * torch.exp(-(((x - p.rear) / 0.55) ** 2))
            over = over - (p.crest + 0.02 * p.low) * near * _step((z - 0.48 * p.width) / 0.15)
        over = over / steep
        side = z - self._half_width(x, y, plan, crease, arches, p)
        bend = 0.10 + 0.10 * p.low + 0.12 * p.round * (x.abs() > 0) - 0.06 * p.bus
        round_ = bend * square + 0.16 * square * square * (1 - 0.7 * p.bus)
        lean = (1 + ((2 * bend * share + 0.64 * square * share) / p.width) ** 2).sqrt()
        ahead = (x - p.half + nose + round_) / lean
        behind = (-x - p.half + tail + 0.75 * round_) / lean
        below = p.clearance - y + 0.02 * square
        body = _rounded(over, side, 0.045 + 0.05 * p.round)
        body = _rounded(_rounded(body, ahead, 0.050), behind, 0.035 + 0.03 * p.upright)
        body = _rounded(body, below, 0.03)
        if self._any["pickup"]:
            ends = torch.maximum(x - (p.rear_foot - 0.14), -(x + p.half - 0.10))
            bed = torch.maximum(ends, torch.maximum(z - (p.width - 0.20), 0.72 - y))
            body = torch.where(p.pickup > 0, torch.maximum(body, -bed), body)
        if self._any["roadster"]:
            ends = torch.maximum(x - (p.screen_foot - 0.42), p.rear + 0.30 - x)
            seats = _rounded(ends, torch.maximum(z - (p.width - 0.20), 0.45 - y), 0.08)
            body = torch.where(p.roadster > 0, torch.maximum(body, -seats), body)
        if not closed:
            body = torch.maximum(body, -torch.maximum(arches - p.wheel * 1.13, p.width - 0.37 - z))
        # --- the glass house
        middle = 0.5 * (p.screen_top + p.roof_end)
        reach = (x - middle) / (0.5 * (p.screen_top - p.roof_end)).abs().clamp_min(0.3)
        bow = torch.where(x > middle, 0.17 + 0 * x, -0.10 - 0.05 * p.round) * reach.abs().clamp(0, 1)
        along = x + bow * square * (1 - 0.8 * p.bus)
        _, roof, _, _, _, _, lean = self._looked_up(self._along, (along - self._low) / CELL, car)
        above = (y - roof + 0.055 * square * (1 + p.round)) / lean
        high = (y - top).clamp_min(-0.3)
        aside = z - (foot - p.tumble * high * (1 + 0.35 * high))
        aside = aside / (1 + p.tumble * p.tumble).sqrt()
        cabin = _rounded(above, aside, 0.050 + 0.08 * p.round)
        cabin = torch.maximum(torch.maximum(cabin, top - 0.12 - y), torch.maximum(behind, x - p.screen_foot - 0.25))
        whole = _joined(body, cabin, 0.022 + 0.03 * p.round)
        if not closed:
            whole = torch.minimum(whole, _mirror(x, y, z, p, top))
        return Form(whole, body, cabin, over, side, ahead, behind, above, aside, arches, top, along)

    @staticmethod
    def _half_width(x: Tensor, y: Tensor, plan: Tensor, crease: Tensor, arches: Tensor, p: Table) -> Tensor:
        """Half the width: widest at the crease, hollow below it, over the sill again, out around the wheels."""
        sharp = 60.0
        below, above = F.softplus((crease - y) * sharp) / sharp, F.softplus((y - crease) * sharp) / sharp
        flat = 1 - p.bus
        width = plan - flat * (0.03 + 0.04 * p.crease) * below - flat * 0.16 * below * below
        width = width - flat * ((0.10 + 0.16 * p.crease) * above + 0.5 * above * above)
        away = arches / p.wheel
        hollow = torch.exp(-(((crease - 0.20 - y) / 0.10) ** 2)) * _step((away - 1.25) / 0.5)
        sill = torch.exp(-(((y - p.clearance - 0.07) / 0.075) ** 2)) * _step((away - 1.1) / 0.3)
        width = width + flat * (0.040 * sill - 0.016 * p.crease * hollow)
        low_side = _step((crease + 0.06 - y) / 0.2)
        wing = p.flare * _step((1.75 - away) / 0.55) * low_side
        lip = 0.012 * _step((1.215 - away) / 0.035)
        return width + wing + lip

    def distance(self, point: Tensor, car: Tensor, p: Table) -> Tensor:
        """(N,): distance of ``point`` (3, N) to the nearest surface of car ``car`` (N,)."""
        return self.form(point, car, p).all


def _step(share: Tensor) -> Tensor:
    """0 below 0, 1 above 1, smooth between."""
    share = share.clamp(0, 1)
    return share * share * (3 - 2 * share)


def _apart(x: Tensor, y: Tensor) -> Tensor:
    return (x * x + y * y).sqrt()


def _rounded(a: Tensor, b: Tensor, radius: Tensor | float) -> Tensor:
    """Distance to what is inside both, with a rounded edge where they meet."""
    a, b = a + radius, b + radius
    outside = (a.clamp_min(0).square() + b.clamp_min(0).square()).sqrt()
    return torch.maximum(a, b).clamp_max(0) + outside - radius


def _joined(body: Tensor, cabin: Tensor, join: Tensor | float) -> Tensor:
    """Distance to what is inside either, with a fillet."""
    share = (0.5 + (0.5 / join) * (cabin - body)).clamp(0, 1)
    return cabin + (body - cabin) * share - join * share * (1 - share)


def _mirror(x: Tensor, y: Tensor, z: Tensor, p: Table, belt: Tensor) -> Tensor:
    """Distance to the outside mirrors, which are eggs."""
    a, b, c = (x - p.screen_foot + 0.42) / 0.07, (y - belt - 0.09) / 0.065, (z - p.width - 0.03) / 0.12
    return ((a * a + b * b + c * c).sqrt() - 1) * 0.065
