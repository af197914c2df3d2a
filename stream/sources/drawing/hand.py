"""How a hand draws: from the idea of a stroke to points with times and widths, and from those to ink on paper.

Coordinates are units of the paper's side, x to the right, y downwards. Times are seconds, widths are in units too.
Speed falls at both ends of a stroke and where the path bends, after the two-thirds power law of handwriting
(Lacquaniti, Terzuolo & Viviani 1983).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import cv2
import numpy as np

Kind = Literal["straight", "soft", "smooth"]
STEP = 0.004  # spacing of points along a path
WIDTH = 0.0100  # of a line drawn with full pressure
INK = 26  # gray value of the ink, on white paper
FASTEST = 1.9  # units a second
REACH = 2.4  # units a second that the pen moves in the air
LIFT = 0.09  # seconds to lift the pen and put it down again


@dataclass(frozen=True)
class Stroke:
    """One movement of the pen, as it is meant. ``points`` is ``(N, 2)``, N at least 2.

    ``straight`` has corners, ``soft`` has rounded ones, ``smooth`` is a curve through all points. ``ends`` says how far
    the hand may shoot past both ends, 0 to 1.
    """

    name: str
    points: np.ndarray
    kind: Kind = "straight"
    weight: float = 1.0
    ends: float = 1.0


class Trace(NamedTuple):
    """One stroke as drawn: ``points`` ``(N, 2)``, ``times`` ``(N,)`` rising, ``widths`` ``(N,)``."""

    points: np.ndarray
    times: np.ndarray
    widths: np.ndarray


def draw_by_hand(strokes: Sequence[Stroke], random: np.random.Generator) -> Iterator[Trace]:
    """The strokes one after another, on one clock, the pen lifted in between.

    The same state of the generator gives the same drawing. Each stroke is worked out when it is asked for.
    """
    now, last = 0.35, np.array([0.5, 0.5])
    for stroke in strokes:
        points = _wobble(_shoot_past(_path(stroke), stroke, random), random)
        times = _timing(points, random)
        now += LIFT + float(np.hypot(*(points[0] - last))) / REACH
        yield Trace(points, times + now, _pressure(points, times, random) * stroke.weight)
        now, last = now + float(times[-1]), points[-1]


def _path(stroke: Stroke) -> np.ndarray:
    points = np.asarray(stroke.points, np.float64)
    if stroke.kind == "smooth" and len(points) > 2:
        return _resample(_catmull_rom(points))
    rounds = 2 if stroke.kind == "soft" else 1
    for _ in range(rounds):
        points = _cut_corners(points, 0.25 if stroke.kind == "soft" else 0.004)
    return _resample(points)


def _cut_corners(points: np.ndarray, cut: float) -> np.ndarray:
    """Chaikin's corner cutting, but the ends stay; a ``cut`` below 0.25 is a length, else a share of each side."""
    if len(points) < 3:
        return points
    start, end = points[:-1], points[1:]
    length = np.maximum(np.linalg.norm(end - start, axis=1, keepdims=True), 1e-9)
    share = np.full_like(length, cut) if cut >= 0.25 else np.minimum(cut / length, 0.25)
    near, far = start + (end - start) * share, end - (end - start) * share
    return np.concatenate([points[:1], np.stack([near, far], 1).reshape(-1, 2)[1:-1], points[-1:]])


def _catmull_rom(points: np.ndarray, per_side: int = 24) -> np.ndarray:
    """A curve through all points (Catmull & Rom 1974, uniform)."""
    closed = np.allclose(points[0], points[-1])
    before = points[-2] if closed else 2 * points[0] - points[1]
    after = points[1] if closed else 2 * points[-1] - points[-2]
    all_ = np.concatenate([before[None], points, after[None]])
    p0, p1, p2, p3 = (all_[index : len(all_) - 3 + index, None] for index in range(4))  # (N-1, 1, 2)
    t = np.linspace(0.0, 1.0, per_side, endpoint=False)[None, :, None]  # (1, T, 1)
    curve = 0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - 3 * p2 + p3 - p0) * t**3)
    return np.concatenate([curve.reshape(-1, 2), points[-1:]])


def _along(points: np.ndarray) -> np.ndarray:
    """Length of the path up to each point: ``(N,)``."""
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])


def _resample(points: np.ndarray) -> np.ndarray:
    """Points ``STEP`` apart."""
    along = _along(points)
    at = np.linspace(0.0, along[-1], max(4, round(along[-1] / STEP) + 1))
    return np.stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)], 1)


def _shoot_past(points: np.ndarray, stroke: Stroke, random: np.random.Generator) -> np.ndarray:
    """A quick hand starts a little before and stops a little after what it means."""
    length = _along(points)[-1]
    first, last = random.uniform(0.0, 1.0, 2) * stroke.ends * min(0.012, 0.05 * length)
    head = points[0] - points[min(3, len(points) - 1)]
    tail = points[-1] - points[max(-4, -len(points))]
    head, tail = (vector / max(float(np.hypot(*vector)), 1e-9) for vector in (head, tail))
    return _resample(np.concatenate([[points[0] + head * first], points, [points[-1] + tail * last]]))


def _wobble(points: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Slow waves along the path, a slight bow, and a slightly wrong place: never a tremor."""
    along = _along(points)
    length = max(float(along[-1]), 1e-6)
    reach = min(1.0, length / 0.35)
    moved = points + random.normal(0.0, 0.0011, 2)
    for wave in (0.9, 0.42, 0.21):
        phase = random.uniform(0.0, 2 * np.pi, 2)
        size = random.normal(0.0, 0.0030 * wave * reach, 2)
        moved = moved + size * np.sin(2 * np.pi * along[:, None] / wave + phase)
    chord = points[-1] - points[0]
    across = np.array([-chord[1], chord[0]])
    bow = random.normal(0.0, 0.005) * np.sin(np.pi * along / length)
    return moved + across * bow[:, None]


def _timing(points: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Seconds at each point: ``(N,)``, from 0."""
    along = _along(points)
    length = float(along[-1])
    tangent = np.gradient(points, along + np.arange(len(along)) * 1e-9, axis=0)
    angle = np.unwrap(np.arctan2(tangent[:, 1], tangent[:, 0]))
    bend = np.abs(np.gradient(angle, along + np.arange(len(along)) * 1e-9))
    bend = cv2.GaussianBlur(bend[None].astype(np.float32), (0, 0), 2.0)[0]  # 1 / units
    # Long strokes are drawn faster (isochrony), short ones are never slow.
    fastest = min(FASTEST, 0.40 + 1.7 * np.sqrt(length)) * random.uniform(0.9, 1.1)
    speed = fastest / (1.0 + bend / 14.0) ** (1.0 / 3.0) / (1.0 + bend / 90.0)
    ramp = np.minimum(along, length - along) / min(0.06, 0.35 * length + 1e-6)
    speed = speed * (0.28 + 0.72 * np.clip(ramp, 0.0, 1.0) ** 0.6)
    slowest = (speed[1:] + speed[:-1]) / 2
    return np.concatenate([[0.0], np.cumsum(np.diff(along) / slowest)])


def _pressure(points: np.ndarray, times: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Width at each point: ``(N,)``. The pen lands, presses, and lifts; where it is slow the line is darker."""
    along = _along(points)
    length = float(along[-1])
    lands, lifts = along / min(0.022, 0.3 * length), (length - along) / min(0.045, 0.4 * length)
    taper = np.clip(lands, 0.0, 1.0) ** 0.5 * (0.35 + 0.65 * np.clip(lifts, 0.0, 1.0) ** 0.7)
    phase, strength = random.uniform(0.0, 2 * np.pi), random.uniform(0.03, 0.10)
    breath = 1.0 + strength * np.sin(2 * np.pi * along / 0.37 + phase)
    speed = np.gradient(along, times + np.arange(len(times)) * 1e-9)
    heavy = 1.08 - 0.16 * np.clip(speed / FASTEST, 0.0, 1.0)
    return WIDTH * (0.45 + 0.55 * taper) * breath * heavy


class Paper:
    """White paper of ``size`` x ``size`` pixels; drawing costs in proportion to what is drawn.

    ``picture`` is ``(size, size, 3)`` uint8 RGB. Ink is kept at a multiple of the size and averaged down, so that lines
    that cross or are drawn piece by piece show no seams.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.fine = 8 if size <= 320 else 4 if size <= 1024 else 2
        self.picture = np.full((size, size, 3), 255, np.uint8)
        self._ink = np.zeros((size * self.fine, size * self.fine), np.uint8)
        cover = np.arange(256, dtype=np.float32) / 255.0
        self._tone = np.round(255.0 + (INK - 255.0) * cover).astype(np.uint8)

    def clear(self) -> None:
        self.picture.fill(255)
        self._ink.fill(0)

    def draw(self, trace: Trace, start: int, end: int) -> None:
        """Draw the points ``start`` to ``end - 1`` of a trace, joined to the point before."""
        if end <= start:
            return
        scale = self.size * self.fine
        fixed = np.round(trace.points[max(0, start - 1) : end] * scale * 16).astype(np.int64)  # 1/16 pixels
        # OpenCV draws a line of even thickness one pixel wider than asked, one of odd thickness two.
        widths = np.round(trace.widths[max(0, start - 1) : end] * scale / 2).astype(np.int64) * 2
        for index in range(1, len(fixed)):
            here, there = tuple(fixed[index - 1].tolist()), tuple(fixed[index].tolist())
            cv2.line(self._ink, here, there, 255, max(2, int(widths[index])), cv2.LINE_8, 4)
        self._develop(fixed / (16 * self.fine), float(widths.max()) / self.fine)

    def _develop(self, points: np.ndarray, width: float) -> None:
        """Bring the ink around ``points`` (pixels of the picture) to the picture."""
        low = np.clip(np.floor(points.min(axis=0) - width - 1), 0, self.size).astype(int)
        high = np.clip(np.ceil(points.max(axis=0) + width + 1), 0, self.size).astype(int)
        (left, top), (right, bottom) = low.tolist(), high.tolist()
        if right <= left or bottom <= top:
            return
        fine = self._ink[top * self.fine : bottom * self.fine, left * self.fine : right * self.fine]
        cover = cv2.resize(fine, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
        self.picture[top:bottom, left:right] = cv2.LUT(cover, self._tone)[..., None]
