"""A page as it comes off a desk: exact lines drawn in search of them, hatched, with a broad brush, and photographed.

``hand`` draws what a tablet gives. These are the sketches that have to be cleaned before they are line art: what
``adapters.clean`` is judged on, in pairs with the exact lines that any cleaner should find. Lengths are pixels of a
256 x 256 picture and grow with the picture.
"""

from __future__ import annotations

from typing import Literal, get_args

import cv2
import numpy as np

from ...stream.base.errors import ConfigError
from .hand import Hand, draw
from .strokes import scale_of, trace

Roughness = Literal["searching", "hatched", "brush"]
BRUSH = 40 / 600 * 256  # a 40-pixel brush on a page of 600
PAPERS = ("white", "beige", "squared", "grain")


def rough(lines: np.ndarray, rng: np.random.Generator, how: Roughness, brush: float = BRUSH) -> np.ndarray:
    """A rough sketch of exact ``lines``: both (H, W) uint8, white on black.

    ``searching``: every stroke three times, none of them right; ``hatched``: that, with axes through what is round,
    lines that lead to its corners, and hatching in what they enclose; ``brush``: strokes ``brush`` pixels wide, the
    small ones left out. The same state of ``rng`` gives the same sketch. Raises ConfigError for another ``how``.
    """
    if how not in get_args(Roughness):
        raise ConfigError(f"how: got {how!r}, expected one of: {', '.join(get_args(Roughness))}")
    unit = scale_of(lines)
    shape = (lines.shape[0], lines.shape[1])
    strokes = trace(lines)
    if how == "brush":
        moves = [each.points / unit for each in strokes if each.length > brush * unit]
        return draw(moves, Hand(width=brush, waver=0.8, misplaced=0.8), rng, shape)
    hand = Hand(width=1.8, ink=225, pressure=0.4, waver=0.8, misplaced=1.1, warp=0.6, past=2.0)
    moves = [each.points / unit for each in strokes for _ in range(3 if each.length > 20 * unit else 1)]
    page = draw(moves, hand, rng, shape)
    if how == "hatched":
        lighter = Hand(width=1.5, ink=190, pressure=0.4, waver=0.3, misplaced=0.4)
        page = cv2.max(page, draw(_hatching(lines, unit, rng) + _axes(strokes, unit), lighter, rng, shape))
    return page


def _hatching(lines: np.ndarray, unit: float, rng: np.random.Generator) -> list[np.ndarray]:
    """Moves through the largest areas that the lines enclose, one direction each."""
    free = cv2.erode(cv2.compare(lines, np.array([[64.0], [0], [0], [0]]), cv2.CMP_LT), np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(free, connectivity=4)
    area = stats[:, cv2.CC_STAT_AREA]
    inner = [i for i in range(1, count) if 150 * unit**2 < area[i] < 0.12 * lines.size]
    moves = []
    for number in sorted(inner, key=lambda index: -area[index])[:3]:
        angle = np.radians(rng.uniform(40, 70))
        way, across = np.array([np.cos(angle), -np.sin(angle)]), np.array([np.sin(angle), np.cos(angle)])
        y, x = np.nonzero(labels == number)
        places = np.stack([x, y], 1)
        aside = places @ across
        for at in np.arange(aside.min() + 3 * unit, aside.max() - 2 * unit, 6.0 * unit):
            on = places[np.abs(aside - at) < 0.7] @ way
            if len(on) and 6 * unit < np.ptp(on) < 60 * unit:
                ends = (on.min() + 1.5 * unit, on.max() - 1.5 * unit)
                moves.append(np.array([end * way + at * across for end in ends]) / unit)
    return moves


def _axes(strokes: list, unit: float) -> list[np.ndarray]:
    """A level and an upright line through the middle of everything round."""
    moves = []
    for stroke in strokes:
        low, high = stroke.points.min(0), stroke.points.max(0)
        width, height = high - low
        if stroke.closed and 12 * unit < width < 80 * unit and 0.8 < height / max(width, 1) < 1.25:
            middle, reach = (low + high) / 2, 0.5 * width + 4 * unit
            moves += [np.array([middle - reach * way, middle + reach * way]) / unit for way in np.eye(2)]
    return moves


def on_paper(drawn: np.ndarray, rng: np.random.Generator, paper: str = "squared") -> np.ndarray:
    """A photograph of a drawing (H, W) uint8, white on black: (H, W, 3) uint8 RGB.

    ``paper`` is one of PAPERS; on ``squared`` it is a blue pencil. The light falls off to a corner, the edge of a
    shadow lies over the page, and the camera adds its noise. ``white`` is even. Raises ConfigError for another paper.
    """
    if paper not in PAPERS:
        raise ConfigError(f"paper: got {paper!r}, expected one of: {', '.join(PAPERS)}")
    height, width = drawn.shape
    unit = scale_of(drawn)
    tone, ink = {
        "white": ((255, 255, 255), (20, 20, 20)),
        "beige": ((226, 208, 180), (50, 45, 45)),
        "squared": ((244, 244, 240), (45, 70, 150)),
        "grain": ((235, 233, 228), (60, 60, 62)),
    }[paper]
    page = np.empty((height, width, 3), np.float32)
    page[:] = tone
    y, x = np.mgrid[:height, :width].astype(np.float32) / (256 * unit)
    if paper == "squared":
        turn = float(rng.uniform(-0.03, 0.03))
        for along in (x + turn * y, y - turn * x):
            off = np.abs((along * 256 / 9.0) % 1 - 0.5) * 9.0 * unit  # pixels from the printed line
            page -= np.array([60, 38, 12], np.float32) * np.clip(1.1 - off, 0, 1)[..., None]
    if paper == "grain":
        tooth = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 0.8 * unit)
        page += (tooth * 6.0 / max(float(tooth.std()), 1e-6))[..., None]
        drawn = np.clip(drawn * (1.0 + 0.25 * tooth / max(float(tooth.std()), 1e-6)), 0, 255)
    cover = (np.asarray(drawn, np.float32) / 255)[..., None]
    page += (np.array(ink, np.float32) - page) * (0.85 * cover if paper != "white" else cover)
    if paper != "white":
        light = 1.05 - 0.35 * np.hypot(x - rng.uniform(0, 1), y - rng.uniform(0, 1)).clip(0, 1)
        edge = x * 0.8 + y * 0.6 - float(rng.uniform(0.6, 0.9))
        light *= 1 - 0.28 / (1 + np.exp(-edge * 60))
        page = page * light[..., None] + rng.normal(0, 3.0, page.shape)
    return page.round().clip(0, 255).astype(np.uint8)
