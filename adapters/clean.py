"""A rough sketch becomes line art: what a person who traces it on a new sheet would draw.

The classical way, without weights. Everything happens at the size at which the strokes are a few pixels wide: a
40-pixel brush is looked at from further away than a pencil.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from pydantic import Field

from .lines import area_borders, draw_lines, peeled, thin
from .pieces import Pieces, axes, hatching, pieces_of, rings, without
from .preprocessor import Preprocessor
from .sheet import drawn_on_sheet, is_light
from .tone import scalar

SIDE = 256  # the size at which a sheet is looked at; what a pencil draws is seen there
NARROW, WIDE = 6.0, 8.0  # pixels there; strokes wider than NARROW are looked at where they are WIDE
PENCIL = 4.0  # pixels at 256; nobody hatches or draws axes with what is broader
_NEAR = np.ones((3, 3), np.uint8)
_WIDE = np.ones((5, 5), np.uint8)


class Clean(Preprocessor):
    """Line art of a rough, photographed or scanned sketch, at one steady width."""

    line_width: float = Field(2.5, ge=0.5, le=16)
    """Width of the lines, in pixels at 256 x 256."""
    faint: float = Field(0.35, ge=0.0, le=0.9)
    """Lines with less of the ink than this, beside the strong ones, are construction and are dropped."""
    merge: float = Field(4.0, ge=0, le=16)
    """Strokes that are at most this far apart are one line, in pixels at 256 x 256."""
    gaps: float = Field(7.0, ge=0, le=64)
    """Gaps up to this are closed, in pixels at 256 x 256."""
    specks: float = Field(6.0, ge=0, le=64)
    """Loose lines shorter than this, and ends that stick out as far, are dropped, in pixels at 256 x 256."""
    hatching: bool = False
    """Whether strokes of a hatching stay."""
    axes: bool = False
    """Whether construction lines through the middle of circles stay."""

    def _make(self, pixels: np.ndarray) -> np.ndarray:
        height, width = pixels.shape[:2]
        shrink = max(1.0, (height * width) ** 0.5 / SIDE)
        size = (max(8, round(width / shrink)), max(8, round(height / shrink)))
        sheet = pixels if shrink == 1 else cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        unit = (size[0] * size[1]) ** 0.5 / 256
        marks = drawn_on_sheet(sheet, unit)
        lines = self._lines(sheet, marks, unit)
        lines = draw_lines(lines, self.line_width * unit)
        return (
            lines
            if lines.shape == (height, width)
            else cv2.resize(lines, (width, height), interpolation=cv2.INTER_CUBIC)
        )

    def _lines(self, sheet: np.ndarray, marks: np.ndarray, unit: float) -> np.ndarray:
        """Centre lines of what is drawn, ``(H, W)`` uint8, 0 or 255."""
        level = strong(marks)
        if level < 12:
            return np.zeros_like(marks)
        inked = cv2.compare(marks, scalar(max(8.0, 0.38 * level)), cv2.CMP_GE)
        wide = stroke_width(inked)
        shape = marks.shape
        if wide > NARROW:
            shrink = wide / WIDE
            size = (max(8, round(shape[1] / shrink)), max(8, round(shape[0] / shrink)))
            marks = cv2.resize(marks, size, interpolation=cv2.INTER_AREA)
            sheet = cv2.resize(sheet, size, interpolation=cv2.INTER_AREA)
            # The grain of chalk is gone now, and what is left between two brushes is seen better.
            inked = cv2.compare(marks, scalar(max(8.0, 0.45 * level)), cv2.CMP_GE)
            unit, wide = unit / shrink, WIDE
        inked = closed(inked)
        solid = areas(inked, max(wide, 6 * unit))
        if not self.hatching and wide < PENCIL * unit:
            inked = unhatched(inked, unit, wide)
        inked = merged(inked, self.merge * unit)
        drawn = inked if solid is None else cv2.bitwise_and(inked, cv2.bitwise_not(solid))
        borders = None if solid is None else self._borders(sheet, solid)
        lines = self._traced(drawn, borders, marks, level, unit, wide)
        if lines.shape == shape:
            return lines
        # The steps of a coarse line are rounded off while it grows.
        grown = cv2.resize(draw_lines(lines, 2.0), (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
        return thin(cv2.compare(grown, scalar(110), cv2.CMP_GE), 24)

    @staticmethod
    def _borders(sheet: np.ndarray, solid: np.ndarray) -> np.ndarray:
        """Between what is painted and the paper, and between two paints; one pixel wide."""
        # Paper that shines through between strokes is none of the borders.
        way = cv2.MORPH_OPEN if is_light(sheet) else cv2.MORPH_CLOSE
        found = area_borders(cv2.medianBlur(cv2.morphologyEx(sheet, way, _WIDE), 5), 12)
        return cv2.bitwise_and(found, cv2.dilate(solid, _WIDE))

    def _traced(
        self, drawn: np.ndarray, borders: np.ndarray | None, marks: np.ndarray, level: float, unit: float, wide: float
    ) -> np.ndarray:
        lines = peeled(drawn)
        if borders is not None:
            lines = thin(cv2.max(lines, cv2.bitwise_and(borders, cv2.bitwise_not(cv2.dilate(lines, _WIDE)))), 3)
        spur = max(0.5 * self.specks * unit, 0.7 * wide)
        for _ in range(2):
            found = pieces_of(lines)
            drop = (found.free > 0) & (found.count < spur) & found.joined
            drop |= ~found.joined & (found.free > 0) & (found.count + wide < self.specks * unit)
            lines = without(lines, found, drop)
        found = pieces_of(lines)
        drop = self._faint(found, marks, level)
        if not self.axes and wide < PENCIL * unit:
            drop |= axes(found, rings(found, unit), unit)
        lines = without(lines, found, drop)
        lines = thin(bridged(lines, max(self.gaps * unit, 2.0)), 3)
        found = pieces_of(lines)
        return without(
            lines, found, (found.free > 0) & (found.count < np.where(found.joined, 0.5 * spur, self.specks * unit))
        )

    def _faint(self, pieces: Pieces, marks: np.ndarray, level: float) -> np.ndarray:
        x, y = pieces.places.astype(int).T
        held = np.bincount(pieces.owner, cv2.dilate(marks, _NEAR)[y, x], len(pieces.count)) / np.maximum(
            1, pieces.count
        )
        return held < self.faint * level


def strong(marks: np.ndarray) -> float:
    """The level of a drawing's strong ink: that of the best tenth of what stands out at all."""
    counts = cv2.calcHist([marks], [0], None, [256], [0, 256]).ravel()
    counts[:12] = 0
    total = counts.sum()
    if total < 8:
        return 0.0
    return float(np.searchsorted(np.cumsum(counts), 0.9 * total))


def stroke_width(inked: np.ndarray) -> float:
    """How wide the strokes are, in pixels: the median along their middle lines."""
    far = cv2.distanceTransform(inked, cv2.DIST_L2, 3)
    middles = far[(far >= cv2.dilate(far, _NEAR)) & (far > 0.9)]
    return float(2 * np.median(middles) - 1) if len(middles) else 1.0


def unhatched(inked: np.ndarray, unit: float, wide: float) -> np.ndarray:
    """Ink without the strokes of a hatching: before slits are filled, since a hatching is nothing but slits."""
    lines = thin(inked, 12)
    found = pieces_of(lines)
    drop = hatching(found, unit)
    if not drop.any():
        return inked
    kept = without(lines, found, drop)
    gone = cv2.subtract(lines, kept)
    reach = 2 * int(np.ceil(0.5 * wide + 0.5)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    return cv2.bitwise_and(inked, cv2.bitwise_or(cv2.bitwise_not(cv2.dilate(gone, kernel)), cv2.dilate(kept, _NEAR)))


def merged(inked: np.ndarray, apart: float) -> np.ndarray:
    """Strokes that search for one line made one: the slits between them are filled, small shapes between lines not."""
    found: Any = cv2.connectedComponentsWithStats(cv2.bitwise_not(inked), connectivity=4)
    _, labels, stats, _ = found
    longest = np.maximum(1, stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(1))
    # A slit is long for what it holds; a ring between two circles is not, since it goes there and back.
    slit = (stats[:, cv2.CC_STAT_AREA] < 0.6 * apart * longest) & (longest > 2 * apart)
    slit[0] = False
    return np.where(slit[labels], 255, inked).astype(np.uint8)


def closed(inked: np.ndarray) -> np.ndarray:
    """Ink without the pinholes that the grain of paper leaves in it."""
    made = cv2.morphologyEx(inked, cv2.MORPH_CLOSE, _NEAR)
    found: Any = cv2.connectedComponentsWithStats(cv2.bitwise_not(made), connectivity=4)
    _, labels, stats, _ = found
    grain = stats[:, cv2.CC_STAT_AREA] <= 3
    return np.where(grain[labels], 255, made).astype(np.uint8) if grain.any() else made


def areas(inked: np.ndarray, wide: float) -> np.ndarray | None:
    """What is painted rather than drawn: much wider than the strokes are; None where nothing is."""
    reach = 2 * round(1.3 * wide) + 3
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    core = cv2.morphologyEx(inked, cv2.MORPH_OPEN, kernel)
    if not core.any():
        return None
    return cv2.bitwise_and(cv2.dilate(core, np.ones((7, 7), np.uint8)), inked)


def bridged(lines: np.ndarray, reach: float) -> np.ndarray:
    """Loose ends that look at each other, or at a line, connected where they are at most ``reach`` pixels apart."""
    found = pieces_of(lines)
    seen = cv2.min(lines, scalar(1))
    lonely = (cv2.filter2D(seen, cv2.CV_8U, np.ones((3, 3), np.float32), borderType=cv2.BORDER_CONSTANT) == 2) & (
        lines > 0
    )
    rows, columns = np.nonzero(lonely & (found.labels > 0))
    if not 0 < len(rows) < 400:
        return lines
    ends = np.stack([columns, rows], 1).astype(float)
    owner = found.labels[rows, columns] - 1
    # Which way a line leaves at its end: away from its own pixels nearby.
    near = np.hypot(*(found.places[None] - ends[:, None]).transpose(2, 0, 1)) < 7
    near &= found.owner[None] == owner[:, None]
    weight = np.maximum(1, near.sum(1))[:, None]
    way = ends - (near[..., None] * found.places[None]).sum(1) / weight
    way /= np.maximum(1e-6, np.hypot(*way.T))[:, None]
    made = lines.copy()
    between = ends[None] - ends[:, None]
    far = np.hypot(between[..., 0], between[..., 1])
    ahead = (between * way[:, None]).sum(2) / np.maximum(far, 1e-6)
    cost = np.where((far <= reach) & (far > 0) & (ahead > 0.4) & (ahead.T > 0.4), far, np.inf)
    done = np.zeros(len(ends), bool)
    for one, other in np.argwhere(np.isfinite(cost))[np.argsort(cost[np.isfinite(cost)], kind="stable")]:
        if not done[one] and not done[other]:
            done[one] = done[other] = True
            cv2.line(made, tuple(ends[one].astype(int).tolist()), tuple(ends[other].astype(int).tolist()), 255)
    height, width = lines.shape
    for end, direction in zip(ends[~done], way[~done], strict=True):
        steps = end + direction * np.arange(2.0, 0.7 * reach + 1)[:, None]
        x, y = np.round(steps).astype(int).T
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        hits = np.flatnonzero(lines[y[inside], x[inside]])
        if len(hits):
            stop = (int(x[inside][hits[0]]), int(y[inside][hits[0]]))
            cv2.line(made, tuple(end.astype(int).tolist()), stop, 255)
    return made
