"""A page as somebody paints it who has no time: a blob or two for each thing, and a few lines."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from ...adapters import open_preprocessor
from ...adapters.palettes import open_palette

LEAST_AREA = 0.004  # of the picture; what is smaller nobody paints in a hurry
INK = (20, 20, 20)


def condition_of(page: np.ndarray, params: dict[str, Any]) -> np.ndarray:
    """What a model reads of a page, (H, W, 3) uint8 both, by the ``palette`` preprocessor with these ``params``."""
    return open_preprocessor("palette", params)(page)


def painted_page(labels: np.ndarray, lines: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A page (H, W, 3) uint8 RGB on which a hand painted blobs where ``labels`` (H, W) uint8 has its larger areas, in
    the paints of ink-tiny's palette, on white; ``lines`` (H, W) uint8, white on black, lie over them in ink.

    A blob is broad strokes through an area that stop short of its border or go over it, with the edge of a soft brush.
    """
    paints = open_palette("ink-tiny").paints()[0].astype(np.float32)
    page = np.full((*labels.shape, 3), 255, np.float32)
    for place in np.argsort(-np.bincount(labels.ravel(), minlength=len(paints)), kind="stable").tolist():
        count, numbers, stats, _ = cv2.connectedComponentsWithStats((labels == place).astype(np.uint8), connectivity=4)
        for area in range(1, count):
            if stats[area, cv2.CC_STAT_AREA] >= LEAST_AREA * labels.size:
                cover = _blob((numbers == area).astype(np.uint8), rng)
                page += (paints[place] - page) * cover[..., None]
    page += (np.array(INK, np.float32) - page) * (lines[..., None] / np.float32(255))
    return page.round().clip(0, 255).astype(np.uint8)


def _blob(area: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """How much paint there is on each pixel, (H, W) float32 in [0, 1], once a hand has been over an area."""
    depth = cv2.distanceTransform(cv2.copyMakeBorder(area, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0), cv2.DIST_L2, 3)
    depth = depth[1:-1, 1:-1]
    width = max(4, round(1.6 * float(depth.max())))  # of the brush: about as broad as the area
    width = min(width, len(area) // 5)
    rows, columns = np.nonzero(depth >= min(0.4 * width, 0.8 * depth.max()))
    cover = np.zeros(area.shape, np.uint8)
    strokes = 2 + min(6, int(area.sum() / (3 * width * width)))
    for _ in range(strokes):
        places = rng.integers(0, len(rows), 3)
        points = np.stack([columns[places], rows[places]], 1) + rng.normal(0, 1.0, (3, 2))
        stroke = np.zeros_like(cover)
        cv2.polylines(stroke, [points.round().astype(np.int32)], False, 255, width, cv2.LINE_AA)
        inside = (stroke > 0) & (area > 0)
        if 2 * inside.sum() > (stroke > 0).sum():  # no hand crosses what is not its thing
            cover = cv2.max(cover, stroke)
    return cv2.GaussianBlur(cover, (0, 0), 0.8).astype(np.float32) / 255
