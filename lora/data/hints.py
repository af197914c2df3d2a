"""What a person paints under the lines: classes of things, the colours that they should have, or nothing yet.

A control image has white lines over paint. Where the paint is exactly the colour of a class, it says what is there;
any other colour says how that place should look; black leaves it open. Colours are kept between the black of "open"
and the white of lines, see ``adapters/paint.py``.
"""

from __future__ import annotations

import cv2
import numpy as np

from ...adapters.paint import as_paint, over
from .palette import colours

COARSE = 128  # pixels a side in which areas are told apart; a network trains faster than these are counted at 512
LEAST_AREA = 0.002  # of the picture; what is smaller nobody paints
WHOLE, PARTLY = 0.3, 0.7  # chances: everything is painted in one way; what is painted is a blob inside its area
DECIDED = 0.55  # of areas, where not everything is painted
JITTER = 10.0  # levels by which a painted colour misses the one that is meant


def painted(picture: np.ndarray, labels: np.ndarray, rng: np.random.Generator, coloured: float) -> np.ndarray:
    """Paint under a drawing as somebody might have laid it, (H, W, 3) uint8 RGB, black where nothing is painted.

    ``picture`` (H, W, 3) uint8 is what it shall become, ``labels`` (H, W) uint8 its classes; ``coloured``, 0 to 1, is
    how often an area has its mean colour in the picture rather than that of its class. In a third of all calls
    everything is painted in one way, else area by area: open, class or colour, and often not up to its border.
    """
    whole = rng.random() < WHOLE
    same = rng.random() < coloured
    paint = np.zeros_like(picture)
    table = colours()
    for area, name in _areas(labels):
        if not whole and rng.random() >= DECIDED:
            continue
        chance, off, brighter = rng.random(), rng.normal(0, JITTER / 2, 3), rng.normal(0, JITTER)
        tone = table[name]
        if same if whole else chance < coloured:
            tone = as_paint((np.array(cv2.mean(picture, area)[:3]) + off + brighter).clip(0, 255).astype(np.uint8))
        if not whole and rng.random() < PARTLY:
            area = _blob(area, rng)
        paint[area > 0] = tone
    return paint


def hinted(lines: np.ndarray, area: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """A control image (H, W, 3) uint8 of ``lines`` (H, W) uint8 in which an ``area`` (H, W) bool is painted, to become
    of a ``colour`` (3,) uint8 RGB."""
    paint = np.zeros((*lines.shape, 3), np.uint8)
    paint[area] = as_paint(colour)
    return over(lines, paint)


def _areas(labels: np.ndarray) -> list[tuple[np.ndarray, int]]:
    """(mask (H, W) uint8, class) of every connected area that is large enough to be painted, the largest first."""
    found = []
    coarse = np.ascontiguousarray(labels[:: max(1, len(labels) // COARSE), :: max(1, labels.shape[1] // COARSE)])
    for name in np.unique(coarse).tolist():
        here = (labels == name).astype(np.uint8)
        count, number, stats, _ = cv2.connectedComponentsWithStats((coarse == name).astype(np.uint8), connectivity=4)
        for each in range(1, count):
            size = int(stats[each, cv2.CC_STAT_AREA])
            if size >= LEAST_AREA * coarse.size:
                mask = cv2.resize(
                    (number == each).astype(np.uint8), labels.shape[::-1], interpolation=cv2.INTER_NEAREST
                )
                found.append((size, mask & here, name))
    return [(mask, name) for _, mask, name in sorted(found, key=lambda one: -one[0])]


def _blob(area: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Part of an area, with a border of its own: a few broad strokes through it."""
    rows, columns = np.nonzero(area)
    stroke = np.zeros_like(area)
    width = max(3, round(len(area) * rng.uniform(0.02, 0.10)))
    for _ in range(int(rng.integers(1, 5))):
        places = rng.integers(0, len(rows), int(rng.integers(2, 5)))
        points = np.stack([columns[places], rows[places]], 1).astype(np.int32)
        cv2.polylines(stroke, [points], False, 1, width, cv2.LINE_8)
    return stroke * area if rng.random() < 0.7 else stroke
