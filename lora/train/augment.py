"""How a sample is varied: mirrored, its sketch unfinished or absent, its classes painted or not. Arrays (H, W) uint8.

A live canvas is always unfinished, so a network that only saw finished sketches smears while the person still draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from ..data.hand import drawn
from ..data.hints import painted
from ..data.palette import NUMBER, colours
from ..data.sample import Sample
from .config import DataConfig

BACKGROUND = ("sky", "ground", "hill", "sea", "sand", "grass", "rock", "mountain")
LINE = 64  # grey from which on a pixel counts as drawn


@dataclass(frozen=True, eq=False)
class Varied:
    """One sample as a step sees it."""

    picture: np.ndarray  # (H, W, 3) uint8
    lines: np.ndarray  # (H, W) uint8, white on black
    clean: np.ndarray | None  # (H, W) uint8, exact lines
    labels: np.ndarray | None  # (H, W) uint8
    paint: np.ndarray | None  # (H, W, 3) uint8, under the lines
    caption: str
    flipped: bool


def varied(sample: Sample, config: DataConfig, rng: np.random.Generator) -> Varied:
    """One variation of a sample; the same generator gives the same one."""
    chances = rng.random(6)
    lines = sample.clean if sample.clean is not None and chances[0] < config.clean else sample.sketch
    palette = chances[3] < config.palette
    paint = _paint(sample.picture, sample.labels, config, rng) if palette and sample.labels is not None else None
    blank = config.blank if paint is None else max(config.blank, config.palette_alone)
    if chances[1] < blank:
        lines = np.zeros_like(lines)
    elif chances[1] < blank + config.partial:
        lines = unfinished(lines, sample, rng, config.horizonless)
    caption = sample.captions[int(rng.integers(len(sample.captions)))]
    flipped = bool(chances[2] < config.flip)
    turned: Any = lambda array: array[:, ::-1] if flipped and array is not None else array
    return Varied(
        picture=turned(sample.picture),
        lines=turned(lines),
        clean=turned(sample.clean),
        labels=turned(sample.labels),
        paint=turned(paint),
        caption="" if chances[4] < config.caption_dropout else caption,
        flipped=flipped,
    )


def _paint(picture: np.ndarray, labels: np.ndarray, config: DataConfig, rng: np.random.Generator) -> np.ndarray:
    if config.painted and rng.random() < config.painted:
        return painted(picture, labels, rng, config.painted_colours)
    return colours()[labels]


def unfinished(lines: np.ndarray, sample: Sample, rng: np.random.Generator, horizonless: float = 0.5) -> np.ndarray:
    """The sketch at an earlier moment: a share ``horizonless`` lacks its horizon, the others what is not drawn yet.

    Where exact lines are known, two thirds of the first and a third of the others are drawn anew, all but the horizon
    or up to any stroke. The rest lose what stands behind things, or about a third of their lines, or one side.
    """
    if rng.random() < horizonless:
        if sample.clean is not None and rng.integers(3) > 0:
            return drawn(sample.clean, rng, horizon=False)
        if sample.labels is not None:
            return without_horizon(lines, sample.labels)
    kind = rng.integers(3)
    if kind == 2 and sample.clean is not None:
        return drawn(sample.clean, rng, complete=float(rng.uniform(0.3, 0.95)))
    return half_drawn(lines, rng) if kind == 1 else with_gaps(lines, rng)


def without_horizon(lines: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Only the lines at things that stand before the background; all lines where there is nothing but background."""
    things = ~np.isin(labels, [NUMBER[name] for name in BACKGROUND])
    if not things.any():
        return lines
    reach = max(3, round(lines.shape[0] * 0.024)) | 1
    near = cv2.dilate(things.astype(np.uint8), np.ones((reach, reach), np.uint8))
    return lines * near


def half_drawn(lines: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What is drawn up to a slanted front that leaves 30 to 80 % of the line pixels."""
    rows, columns = np.nonzero(lines >= LINE)
    if rows.size < 8:
        return lines
    angle = rng.uniform(0, 2 * np.pi)
    across, down = np.cos(angle), np.sin(angle)
    front = np.quantile(columns * across + rows * down, rng.uniform(0.3, 0.8))
    height, width = lines.shape
    place = np.arange(width)[None] * across + np.arange(height)[:, None] * down
    return np.where(place <= front, lines, 0).astype(np.uint8)


def with_gaps(lines: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The sketch with round pieces of it missing, a share of 20 to 45 % of its line pixels."""
    share = rng.uniform(0.2, 0.45)
    drawn = lines >= LINE
    rows, columns = np.nonzero(drawn)
    if rows.size < 8:
        return lines
    left, goal = drawn.astype(np.uint8), rows.size * (1 - share)
    for _ in range(64):
        at = int(rng.integers(rows.size))
        radius = int(rng.uniform(0.03, 0.12) * lines.shape[0])
        cv2.circle(left, (int(columns[at]), int(rows[at])), radius, 0, -1)
        if np.count_nonzero(left) <= goal:
            break
    erased = drawn & (left == 0)
    faint = cv2.dilate(erased.astype(np.uint8), np.ones((3, 3), np.uint8))  # the soft rim of what is gone
    return np.where((faint > 0) & (left == 0), 0, lines).astype(np.uint8)
