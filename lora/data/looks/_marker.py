"""A designer's marker rendering: a few layers of one colour over each other, white left as white, ink, gouache."""

from __future__ import annotations

import functools

import cv2
import numpy as np

from ._craft import colour, lit, mixed, painted, saturated, soft, step
from ._seen import ABOVE, LUMA, PLANTS, Seen

PAPER, INK, GOUACHE = colour(253, 251, 247), colour(26, 24, 30), colour(255, 255, 253)
PENCIL = colour(196, 204, 216)  # a white one, where ink would not be seen
LAYERS = ((0.78, 0.32), (0.62, 0.38), (0.46, 0.52), (0.31, 0.75), (0.18, 1.10))  # below so much light so much more ink
GREY = np.array([0.66, 0.62, 0.56], np.float32)  # density that black adds, layer by layer
WIDTH, LENGTH, SLOPE = 13, 26, -24  # of a stroke, in units, and its angle in degrees


def marker(seen: Seen) -> np.ndarray:
    """Layers end where light and shade do, in strokes; around a figure the ground is laid in, and then paper."""
    smooth = painted(lit(seen.values, 0.56), 5 * seen.unit)
    hue = painted(saturated(seen.values**0.85, 1.1), 5 * seen.unit)
    hue = 0.7 * seen.mean_of_parts(hue) + 0.3 * hue
    own = hue / np.maximum(hue.max(2, keepdims=True), 0.05)
    own = mixed(own, own.mean(2, keepdims=True), 0.3 * seen.among(*PLANTS))  # no marker is as green as grass
    tone = smooth.max(2) * 0.4 + smooth.mean(2) * 0.6
    tone = 0.6 * tone + 0.4 * _strokes(tone, seen.unit)
    laid = _laid(seen)
    amount = np.zeros_like(tone)
    for below, more in LAYERS:
        there = step(below + 0.012, below - 0.012, tone) * laid
        rim = np.clip(there - soft(there, 2.2 * seen.unit), 0, 1)  # ink gathers where a stroke ends
        amount += more * there * (1 + 0.55 * rim)
    amount += 0.42 * laid
    amount = (amount * (1 + _overlaps(len(tone), seen.unit)))[..., None]
    tint = -np.log(np.clip(own, 0.22, 0.98))
    density = tint * np.minimum(amount, 1.6) * 0.95 + GREY * amount * (0.16 + 0.20 * amount)
    shown = PAPER * np.exp(-density)
    dark = step(0.27, 0.19, soft(shown @ LUMA, 4 * seen.unit))
    shown = mixed(shown, GOUACHE, _gouache(seen, smooth))
    width = 0.9 * step(0.30, 0.62, soft(seen.ink, 1.0 * seen.unit)) * seen.outer
    pen = mixed(INK, PENCIL, dark)
    return mixed(shown, pen, np.maximum(seen.pen * 0.92, width))


def _strokes(values: np.ndarray, unit: float, uneven: float = 0.0) -> np.ndarray:
    """Values as broad strokes have them: of one level across a stroke, changing slowly along it, a little uneven."""
    side, size = len(values), _size(len(values))
    there = _turn(side)
    turned = cv2.warpAffine(values, there, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    rows, columns = (max(2, round(size / (each * unit))) for each in (WIDTH, LENGTH))
    few = cv2.resize(turned, (columns, rows), interpolation=cv2.INTER_AREA)
    few += uneven * np.random.default_rng(1).normal(size=(rows, 1)).astype(np.float32)
    back = cv2.resize(cv2.resize(few, (size, rows)), (size, size), interpolation=cv2.INTER_NEAREST)
    return soft(_back(back, there, side), 1.6 * unit)  # a tip is round


@functools.lru_cache(maxsize=4)
def _overlaps(side: int, unit: float) -> np.ndarray:
    """(side, side) float32 around 0: no two strokes are equally wet, and where two overlap there is more ink."""
    size = _size(side)
    rows = max(2, round(size / (WIDTH * unit)))
    rng = np.random.default_rng(2)
    place = (np.arange(size) + 0.5) / size * rows
    level = 0.05 * rng.normal(size=rows)[np.minimum(place.astype(int), rows - 1)]
    seam = 0.11 * np.clip(1.4 - np.abs(place - np.round(place)) * WIDTH * unit, 0, 1)
    field = np.repeat((level + seam).astype(np.float32)[:, None], size, 1)
    found = _back(field, _turn(side), side)
    found.setflags(write=False)
    return found


def _size(side: int) -> int:
    return round(side * 1.5)


def _turn(side: int) -> np.ndarray:
    there = cv2.getRotationMatrix2D((side / 2, side / 2), SLOPE, 1.0)
    there[:, 2] += (_size(side) - side) / 2
    return there


def _back(turned: np.ndarray, there: np.ndarray, side: int) -> np.ndarray:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(turned, there, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _laid(seen: Seen) -> np.ndarray:
    """(H, H) 0 to 1: where ink is laid at all; beyond the strokes around a figure paper stays white."""
    unit = seen.unit
    if not seen.figure.any():
        bright = _strokes(seen.light * seen.among(*ABOVE), unit)
        return 1 - step(0.62, 0.66, bright)
    near = cv2.GaussianBlur(seen.figure.astype(np.float32), (0, 0), sigmaX=38 * unit, sigmaY=11 * unit)
    return np.maximum(step(0.17, 0.20, _strokes(near, unit, 0.05)), seen.figure)


def _gouache(seen: Seen, smooth: np.ndarray) -> np.ndarray:
    """(H, H) 0 to 1: white paint, on what shines and under the upper edges of the figure."""
    tone = smooth.mean(2)
    shine = step(0.16, 0.20, tone - soft(tone, 14 * seen.unit)) * step(0.55, 0.62, tone)
    shift = np.array([[1, 0, 1.5 * seen.unit], [0, 1, 3.6 * seen.unit]], np.float32)
    below = cv2.warpAffine(seen.pen, shift, seen.pen.shape[::-1]) * step(0.05, 0.3, seen.relief)
    return np.clip(shine * 0.9 + below * seen.figure * 0.85, 0, 1)
