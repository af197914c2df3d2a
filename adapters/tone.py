"""Finding bare paper: which colour of a drawing, if any, is its paper, and how that colour varies over the sheet."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from ..stream.base.errors import FrameError

MIN_SIDE = 8  # pixels; smaller is no drawing
GRID = 48  # paper is looked for on at most GRID x GRID samples
REACH = 12  # levels by which a sample may differ from the paper's colour in any channel
ENOUGH = 0.45  # score from which a colour is paper, see find_paper


@dataclass(frozen=True, eq=False)
class Paper:
    """The bare paper of one drawing."""

    colour: tuple[int, int, int]  # RGB, 0..255
    share: float  # part of the picture that is bare paper, 0..1
    noise: float  # CIELAB distance from the paper's tone that 98 % of the bare paper stays within
    surface: np.ndarray | None = None  # (6, 3) coefficients of an uneven tone, see _terms; None for an even one

    def tone(self, height: int, width: int) -> np.ndarray:
        """The paper's colour at every pixel, ``(height, width, 3)`` uint8 RGB."""
        if self.surface is None:
            return np.full((height, width, 3), self.colour, np.uint8)
        cells = 24  # the surface is quadratic, so straight lines between so few cells stay within a level of it
        coarse = (_terms(cells, cells) @ self.surface).reshape(cells, cells, 3)
        coarse = np.clip(coarse + 0.5, 0, 255).astype(np.uint8)
        return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)


def check_pixels(pixels: np.ndarray) -> None:
    """Raise FrameError unless ``pixels`` is an ``(H, W, 3)`` uint8 array of at least 8 x 8 pixels."""
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        got = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        raise FrameError(f"picture: got {got}, expected uint8 (H, W, 3) RGB, as inkstream.stream.as_rgb makes it")
    if min(pixels.shape[:2]) < MIN_SIDE:
        size = f"{pixels.shape[1]}x{pixels.shape[0]}"
        raise FrameError(f"picture: got {size} pixels, expected at least {MIN_SIDE}x{MIN_SIDE}")


def scalar(*levels: float) -> np.ndarray:
    """A number, or one for each channel, for OpenCV's functions of two pictures, whose type stubs want an array."""
    return np.array([*levels, 0.0, 0.0, 0.0, 0.0][:4])[:, None]


def largest(picture: np.ndarray) -> np.ndarray:
    """The largest channel of each pixel, ``(H, W)``."""
    if picture.ndim == 2:
        return picture
    first, second, third = cv2.split(picture)
    return cv2.max(cv2.max(first, second), third)


def smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """0 up to ``low``, 1 from ``high`` on, and a smooth cubic between them."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def find_paper(pixels: np.ndarray) -> Paper | None:
    """Find the dominant flat colour of an ``(H, W, 3)`` uint8 RGB picture, or None when there is no paper.

    A colour's score is the mean of its share of the picture and its share of the border, plus a prior: light, nearly
    neutral colours are likelier to be paper than saturated ones (from +0.3 down to -0.15), so that a canvas half
    filled with dark paint keeps its white paper. The colour with the best score is paper when it is

    - even (within a level on average), covers 5 % and scores 0.45, or
    - uneven, as on a photographed sheet: the samples on a quadratic surface of tones, fitted outwards from the best
      colour, are coherent, cover 40 % and score 0.55; the surface spans at most 140 levels and is not saturated.

    A photo, a strong gradient, a texture, noise, and a painting that fills its canvas have no paper.
    Raises FrameError for anything but an ``(H, W, 3)`` uint8 array of at least 8 x 8 pixels.
    """
    check_pixels(pixels)
    samples = _samples(pixels)
    rows, columns = samples.shape[:2]
    ring = _ring(rows, columns)
    flat = samples.reshape(-1, 3)
    colour, score = _best_colour(flat, ring)
    near, deviation = _near(samples, colour)
    if near.any():
        colour = _mode(flat[near])
        near, deviation = _near(samples, colour)
    share = float(near.mean())
    if share < 0.05:
        return None
    red, green, blue = (int(level + 0.5) for level in colour)
    rgb = (red, green, blue)
    spread = deviation[near]
    if spread.mean() <= 1.0:
        if score < ENOUGH:
            return None
        noise = _noise(flat[near], np.broadcast_to(colour, (len(spread), 3))) if spread.any() else 0.0
        return Paper(rgb, share, noise)
    prior = float(_prior(colour[None])[0])
    if share < 0.12 or prior < 0.05:
        return None
    values = flat.astype(np.float32)
    surface, near = _fit_surface(values, near, rows, columns)
    tone = _terms(rows, columns) @ surface
    share = float(near.mean())
    score = 0.5 * (share + float(near[ring].mean())) + prior
    if share < 0.4 or score < ENOUGH + 0.1 or np.ptp(tone, axis=0).max() > 140:
        return None
    if not _is_coherent(near.reshape(rows, columns)):
        return None
    return Paper(rgb, share, _noise(flat[near], tone[near]), surface)


def _samples(pixels: np.ndarray) -> np.ndarray:
    """Pixels of a regular grid, ``(rows, columns, 3)``, unmixed, so that an even colour stays exactly even."""
    steps = [max(1, -(-side // GRID)) for side in pixels.shape[:2]]
    return np.ascontiguousarray(pixels[steps[0] // 2 :: steps[0], steps[1] // 2 :: steps[1]])


@lru_cache(maxsize=8)
def _ring(rows: int, columns: int) -> np.ndarray:
    """``(rows * columns,)`` bool: the samples along the border."""
    ring = np.zeros((rows, columns), bool)
    ring[[0, -1]] = True
    ring[:, [0, -1]] = True
    return ring.ravel()


def _near(samples: np.ndarray, colour: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which samples lie within REACH of a colour, and the largest difference of each in levels: both ``(N,)``."""
    red, green, blue = (float(int(level + 0.5)) for level in colour)
    deviation = largest(cv2.absdiff(samples, scalar(red, green, blue))).ravel()
    return deviation <= REACH, deviation


def _mode(values: np.ndarray) -> np.ndarray:
    """The most common level of each channel of ``(N, 3)`` values; their mean where no level stands out."""
    counts = [np.bincount(values[:, channel], minlength=256) for channel in range(3)]
    if min(int(count.max()) for count in counts) > 0.5 * len(values):
        return np.array([count.argmax() for count in counts], np.float32)
    return values.mean(axis=0, dtype=np.float32)


def _is_coherent(near: np.ndarray) -> bool:
    """Whether most of the paper's samples have paper to their right: tells a sheet from a texture."""
    return bool((near[:, 1:] & near[:, :-1]).sum() >= 0.7 * max(1, near[:, :-1].sum()))


def _best_colour(flat: np.ndarray, ring: np.ndarray) -> tuple[np.ndarray, float]:
    """The likeliest paper colour of ``(N, 3)`` samples, as ``(3,)`` float32, and its score."""
    coarse = (flat >> 4).astype(np.intp)
    bins = (coarse[:, 0] << 8) | (coarse[:, 1] << 4) | coarse[:, 2]
    counts = np.bincount(bins, minlength=4096)
    used = np.flatnonzero(counts)
    border = np.bincount(bins[ring], minlength=4096)[used] / ring.sum()
    sums = np.stack([np.bincount(bins, flat[:, channel], 4096)[used] for channel in range(3)], axis=1)
    colours, counts = sums / counts[used, None], counts[used] / len(flat)
    top = np.argsort(-(counts + border), kind="stable")[:16]
    near = np.abs(colours[top, None] - colours[None]).max(axis=2) <= REACH  # (16, bins)
    weights = near * counts
    shares = weights.sum(axis=1)
    centres = weights @ colours / shares[:, None]
    scores = 0.5 * (shares + near @ border) + _prior(centres)
    best = int(np.argmax(scores))
    return centres[best].astype(np.float32), float(scores[best])


def _prior(colours: np.ndarray) -> np.ndarray:
    """How much likelier than others a colour is to be paper: ``(N, 3)`` RGB -> ``(N,)`` in [-0.15, 0.3]."""
    light = colours.mean(axis=1)
    chroma = colours.max(axis=1) - colours.min(axis=1)
    white = smoothstep(150, 230, light) * (1 - smoothstep(25, 70, chroma))
    black = 1 - smoothstep(10, 40, light)
    neutral = 1 - smoothstep(15, 40, chroma)
    return 0.25 * white + 0.1 * black + 0.05 * neutral - 0.15 * smoothstep(60, 120, chroma)


@lru_cache(maxsize=8)
def _terms(rows: int, columns: int) -> np.ndarray:
    """``(rows * columns, 6)``: 1, x, y, xx, xy, yy with x and y in [-1, 1] at cell centres."""
    y = ((np.arange(rows, dtype=np.float32) + 0.5) / rows * 2 - 1)[:, None] + np.zeros(columns, np.float32)
    x = ((np.arange(columns, dtype=np.float32) + 0.5) / columns * 2 - 1) + np.zeros((rows, 1), np.float32)
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)


def _fit_surface(values: np.ndarray, near: np.ndarray, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Fit the paper's tone to the samples on it, growing outwards from those near the dominant colour.

    Returns the ``(6, 3)`` coefficients and which of the ``(N, 3)`` values lie on the surface.
    """
    terms = _terms(rows, columns)
    some = np.arange(rows * columns).reshape(rows, columns)[::2, ::2].ravel()
    few, few_values, few_near = terms[some], values[some], near[some]
    surface = np.zeros((6, 3), np.float32)
    surface[0] = values[near].mean(axis=0)
    for _ in range(5):
        used = few[few_near]
        if len(used) < 12:
            break
        centre = few_values[few_near].mean(axis=0)
        # The small ridge keeps the surface even where no sample says otherwise.
        ridge = np.diag(np.array([1e-3] + [0.002 * len(used)] * 5, np.float32))
        surface = np.linalg.solve(used.T @ used + ridge, used.T @ (few_values[few_near] - centre))
        surface[0] += centre
        few_near = np.abs(few_values - few @ surface).max(axis=1) <= REACH * 1.25
    surface = surface.astype(np.float32)
    return surface, np.abs(values - terms @ surface).max(axis=1) <= REACH * 1.25


def _noise(flat: np.ndarray, tone: np.ndarray) -> float:
    """The CIE76 distance that 98 % of ``(N, 3)`` RGB levels keep to their ``(N, 3)`` tone."""
    lab = [
        cv2.cvtColor(rgb[None].astype(np.float32) * np.float32(1 / 255), cv2.COLOR_RGB2Lab)[0] for rgb in (flat, tone)
    ]
    distance = np.sort(np.linalg.norm(lab[0] - lab[1], axis=1))
    return float(distance[int(0.98 * (len(distance) - 1))])
