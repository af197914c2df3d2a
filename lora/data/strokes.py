"""From a picture of lines to strokes: what moves of a pen would have drawn it, and in which order.

Lines are thinned (Guo and Hall, 1989), cut where they branch, followed, joined across a branch where they go straight
on, and simplified (Ramer 1972; Douglas and Peucker 1973). Points are ``(x, y)`` in pixels, the middle of the first
pixel is ``(0, 0)``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np

from ...adapters.lines import thin
from ...adapters.tone import scalar

SEEN = 136  # level from which a pixel belongs to a line; beyond the halo of soft edges
STRAIGHT_ON = np.cos(np.radians(35))  # lines that meet at less of a bend are one stroke
SHORTEST = 3.0  # pixels at 256 x 256; what is shorter is no stroke
_CROSS = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, eq=False)
class Stroke:
    """One move of the pen: ``points`` is (N, 2) float32, N at least 2; a closed one ends where it begins."""

    points: np.ndarray
    closed: bool = False
    horizon: bool = False
    """A nearly level line that leaves the picture at its left or right."""

    @property
    def length(self) -> float:
        """In pixels."""
        return float(np.hypot(*np.diff(self.points, axis=0).T).sum())


@dataclass(eq=False)
class _Path:
    """Pixels in a row, and at which junction (0: none) each end lies."""

    points: np.ndarray  # (N, 2) float32
    closed: bool
    hubs: tuple[int, int] = (0, 0)


def scale_of(lines: np.ndarray) -> float:
    """Pixels of this picture for one pixel at 256 x 256."""
    return (lines.shape[0] * lines.shape[1]) ** 0.5 / 256


def trace(lines: np.ndarray) -> list[Stroke]:
    """The strokes of ``lines`` (H, W) uint8, white on black, in the order in which a person would draw them."""
    unit = scale_of(lines)
    marks = cv2.compare(lines, scalar(SEEN), cv2.CMP_GE)
    centres = thin(marks, max(5, round(6 * unit)))
    paths, middles = _follow(centres)
    joined = _joined(paths, middles, 7 * unit, lines.shape[1])
    found = [_simplified(path, unit) for path in joined]
    return _ordered([stroke for stroke in found if stroke.length >= SHORTEST * unit], marks, unit)


def _branches() -> np.ndarray:
    """(256,): 255 where the eight neighbours of a pixel, bit i clockwise from N, are three lines or more."""
    ring = (np.arange(256)[:, None] >> np.arange(8)) & 1
    starts = ((ring == 0) & (np.roll(ring, -1, 1) == 1)).sum(1)
    return np.where(starts >= 3, 255, 0).astype(np.uint8)


_AROUND = np.array([[128, 1, 2], [64, 0, 4], [32, 16, 8]], np.float32)
_BRANCHES = _branches()


def _follow(centres: np.ndarray) -> tuple[list[_Path], np.ndarray]:
    """Lines between junctions, and the middle of every junction: (junctions + 1, 2), of which the first is nothing.

    Without its junctions every connected piece is a path or a ring, whose contour runs there and back, or once around.
    """
    framed = cv2.copyMakeBorder(centres, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    around = cv2.filter2D(cv2.min(framed, scalar(1)), cv2.CV_8U, _AROUND, borderType=cv2.BORDER_CONSTANT)
    hubs = cv2.dilate(cv2.min(cv2.LUT(around, _BRANCHES), framed), _CROSS)
    _, labels, _, middles = cv2.connectedComponentsWithStats(hubs, ltype=cv2.CV_16U)
    near = cv2.dilate(labels, _CROSS)
    pieces = cv2.bitwise_and(framed, cv2.bitwise_not(hubs))
    contours, hierarchy = cv2.findContours(pieces, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    paths = []
    for contour, (_, _, _, parent) in zip(contours, [] if hierarchy is None else hierarchy[0], strict=True):
        if parent >= 0:
            continue
        for points, closed in _unfolded(contour[:, 0]):
            first, last = (0 if closed else int(near[y, x]) for x, y in (points[0], points[-1]))
            paths.append(_Path(points.astype(np.float32) - 1, closed, (first, last)))
    return paths, middles.astype(np.float32) - 1


def _unfolded(contour: np.ndarray) -> Iterator[tuple[np.ndarray, bool]]:
    """The paths (N, 2) that a contour (M, 2) of a line one pixel wide runs along, and whether each is closed."""
    if len(contour) < 3:
        yield contour, False
        return
    turns = np.flatnonzero((np.roll(contour, 1, 0) == np.roll(contour, -1, 0)).all(1))
    if len(turns):
        contour = np.roll(contour, -turns[0], 0)
    way = np.concatenate([contour, contour[:1]])
    if len(turns) < 2:
        yield way, True
        return
    stops = [*(turns - turns[0]), len(contour)]
    if len(turns) == 2 and 2 * stops[1] == len(contour):
        yield way[: stops[1] + 1], False
        return
    seen: set[tuple[int, int]] = set()
    for start, stop in pairwise(stops):
        fresh = [tuple(point) not in seen for point in way[start : stop + 1].tolist()]
        seen.update(map(tuple, way[start : stop + 1].tolist()))
        if sum(fresh) > 1:
            first = max(0, fresh.index(True) - 1)
            last = len(fresh) - fresh[::-1].index(True)
            yield way[start + first : start + last], False


def _joined(paths: list[_Path], middles: np.ndarray, reach: float, width: int) -> list[_Path]:
    """Paths that go straight on across a junction become one; other ends are led to the junction's middle.

    A level line from the left or right of the picture is not joined to what it meets: a horizon ends at what hides it.
    """
    meeting: dict[int, list[tuple[int, int]]] = {}
    for index, path in enumerate(paths):
        for end, hub in enumerate(path.hubs):
            if hub:
                meeting.setdefault(hub, []).append((index, end))
    partner: dict[tuple[int, int], tuple[int, int]] = {}
    for hub, ends in meeting.items():
        outward = np.array([_direction(paths[index].points, end, reach) for index, end in ends])
        bends = -(outward @ outward.T)
        np.fill_diagonal(bends, -1.0)
        alone = [number for number, (index, _) in enumerate(ends) if _comes_in(paths[index].points, reach, width)]
        bends[alone] = bends[:, alone] = -1.0
        while len(ends) > 1 and bends.max() > STRAIGHT_ON:
            one, other = (int(number) for number in np.unravel_index(bends.argmax(), bends.shape))
            partner[ends[one]], partner[ends[other]] = ends[other], ends[one]
            bends[[one, other]] = bends[:, [one, other]] = -1.0
        for index, end in ends:
            if (index, end) not in partner:
                path = paths[index]
                parts = [middles[hub][None], path.points] if end == 0 else [path.points, middles[hub][None]]
                path.points = np.concatenate(parts)
    return _chained(paths, partner)


def _comes_in(points: np.ndarray, reach: float, width: int) -> bool:
    low, high = points.min(0), points.max(0)
    at_side = low[0] < 0.4 * reach or high[0] > width - 1 - 0.4 * reach
    return bool(at_side and high[1] - low[1] <= max(0.5 * reach, 0.12 * (high[0] - low[0])))


def _direction(points: np.ndarray, end: int, reach: float) -> np.ndarray:
    """The unit vector in which a path leaves at its end 0 or 1."""
    steps = min(len(points) - 1, max(1, round(reach)))
    way = points[0] - points[steps] if end == 0 else points[-1] - points[-1 - steps]
    return way / max(float(np.hypot(*way)), 1e-6)


def _chained(paths: list[_Path], partner: dict[tuple[int, int], tuple[int, int]]) -> list[_Path]:
    left = dict.fromkeys(range(len(paths)))
    made = []
    # Chains are begun at their loose ends; what is left then are rings.
    for first in [end for index in range(len(paths)) for end in ((index, 0), (index, 1)) if end not in partner] + [
        (index, 0) for index in range(len(paths))
    ]:
        if first[0] not in left:
            continue
        parts, here = [], first
        while here[0] in left:
            index, end = here
            del left[index]
            parts.append(paths[index].points if end == 0 else paths[index].points[::-1])
            here = partner.get((index, 1 - end), here)
        ring = first in partner
        points = np.concatenate([*parts, parts[0][:1]] if ring else parts)
        made.append(_Path(points, len(points) > 3 and bool((points[0] == points[-1]).all())))
    return made


def _simplified(path: _Path, unit: float) -> Stroke:
    """The corners of a path, at most a pixel from it; small shapes are kept more exactly, so that rings stay round."""
    points = path.points
    if len(points) > 4:
        smooth = points.copy()  # the steps of a line of pixels are no corners
        smooth[1:-1] = 0.25 * points[:-2] + 0.5 * points[1:-1] + 0.25 * points[2:]
        points = smooth
    extent = float(np.ptp(points, axis=0).max())
    epsilon = float(np.clip(0.025 * extent, 0.45, 0.9 * max(unit, 0.5)))
    # A ring has no two ends to begin with, so it is cut at the point that is farthest from its first.
    far = int(np.hypot(*(points - points[0]).T).argmax()) if path.closed else 0
    halves = [points[: far + 1], points[far:]] if far else [points]
    corners = np.concatenate([cv2.approxPolyDP(half[:, None], epsilon, False)[:, 0] for half in halves])
    if far:
        corners = corners[np.append(True, (np.diff(corners, axis=0) != 0).any(1))]
    if len(corners) < 2:
        corners = np.repeat(corners, 2, 0)
    return Stroke(corners, path.closed)


def _ordered(strokes: list[Stroke], marks: np.ndarray, unit: float) -> list[Stroke]:
    """Outlines first, the long ones before the short; then one part after another, the large before the small."""
    if not strokes:
        return []
    outside, parts = _outside(marks, unit)
    height, width = marks.shape
    middles = [stroke.points[len(stroke.points) // 2] for stroke in strokes]
    sizes: dict[int, float] = {}
    keys = []
    for number, (stroke, middle) in enumerate(zip(strokes, middles, strict=True)):
        outline = _share(stroke.points, outside) > 0.5
        strokes[number] = replace(stroke, horizon=_is_horizon(stroke.points, width, height, unit))
        x, y = np.clip(np.round(middle), 0, (width - 1, height - 1)).astype(int)
        part = -1 if outline else int(parts[y, x])
        sizes[part] = sizes.get(part, 0.0) + stroke.length
        keys.append(part)
    order = sorted(
        range(len(strokes)),
        key=lambda number: (keys[number] != -1, -sizes[keys[number]], keys[number], -strokes[number].length),
    )
    return [strokes[number] for number in order]


def _outside(marks: np.ndarray, unit: float) -> tuple[np.ndarray, np.ndarray]:
    """What is seen from outside the drawing, (H, W) uint8, and the numbers of the parts inside, (H, W) int32."""
    reach = 2 * max(1, round(1.5 * unit)) + 1
    wide = np.ones((reach, reach), np.uint8)
    page = cv2.copyMakeBorder(cv2.dilate(marks, _CROSS), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(page, None, (0, 0), 128)
    outside = cv2.dilate(
        cv2.compare(page, scalar(128), cv2.CMP_EQ)[1:-1, 1:-1], np.ones((reach + 4, reach + 4), np.uint8)
    )
    inside = cv2.bitwise_and(cv2.dilate(marks, wide), cv2.bitwise_not(outside))
    return outside, cv2.connectedComponents(inside)[1]


def _share(points: np.ndarray, mask: np.ndarray) -> float:
    """The part of a polyline that lies where the mask is set, 0 to 1."""
    between = (points[:-1, None] + (points[1:] - points[:-1])[:, None] * np.linspace(0, 1, 5)[:, None]).reshape(-1, 2)
    columns, rows = np.round(between).astype(int).T
    height, width = mask.shape
    weights = np.repeat(np.hypot(*np.diff(points, axis=0).T), 5) + 1e-6
    return float(np.average(mask[rows.clip(0, height - 1), columns.clip(0, width - 1)] > 0, weights=weights))


def _is_horizon(points: np.ndarray, width: int, height: int, unit: float) -> bool:
    """Level, long enough, away from the upper and lower border, and at the left or right one."""
    low, high = points.min(0), points.max(0)
    leaves = low[0] <= 0.02 * width or high[0] >= 0.98 * width
    level = high[1] - low[1] <= max(3.0 * unit, 0.12 * (high[0] - low[0]))
    return bool(leaves and level and high[0] - low[0] >= 0.06 * width and 0.15 * height < low[1] < 0.9 * height)
