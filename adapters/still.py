"""Where a drawing has changed since the frame before, and when it rests: what may be held of the picture before."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from ..stream.base.motion import Motion
from .adapter import Passage
from .tone import largest, scalar

REACH = 24.0  # pixels of a 256 x 256 picture: so far from a change everything may change, half of it fully
FADES = 0.3  # of how much a spot may change, from frame to frame
FORGOTTEN = 0.1  # below this it may not
CUT = 0.5  # share of a picture that may change from which it is another one
CLEAN = 3.0  # levels: smaller differences of a pixel are none, also where there is no noise
SPOT = 5  # pixels of a spot, over which a faint line or a shadow counts
NORMAL = 0.6745  # median of what is normal, without its sign, in standard deviations
GRAIN, COARSE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32), 2.0  # compressed, noise is less fine
QUIET, OVER = 3, 8  # frames: a drawing that did not change in so many has rested; its picture goes over in so many


class Change(NamedTuple):
    """What may change of a picture, and how what is held of the one before is found in it."""

    may: np.ndarray
    """How much each cell of latents may change, (h, w) float32 in [0, 1]."""
    motion: Motion | None = None
    """Where everything was in the picture before; None: where it is."""
    new: np.ndarray | None = None
    """How new each pixel is, (H, W) float32 in [0, 1]; None: as its cell says."""


class Still:
    """Drawings, which change in places. Each is given, in its order; ``grid`` is the width and height of latents."""

    def __init__(self, grid: tuple[int, int]) -> None:
        self._grid = grid
        self._seen: np.ndarray | None = None  # the drawing, each pixel as it was when it last counted as changed
        self._changing: np.ndarray | None = None  # how much each cell may change, (h, w) in [0, 1]
        self._quiet = 0  # frames in a row that changed nothing

    def begin(self, picture: np.ndarray, frame: Passage) -> None:
        """Nothing before this one counts."""
        self._seen, self._quiet, self._changing = picture.copy(), 0, None

    def next(self, picture: np.ndarray, frame: Passage, steadiness: float) -> Change | None:
        """What may change in (H, W, 3) uint8; None where it is another picture, and nothing may be held."""
        if self._seen is None or self._seen.shape != picture.shape:
            return None
        changed = changes(picture, self._seen)
        cells = cv2.resize(changed, self._grid, interpolation=cv2.INTER_AREA)
        if cells.any():
            self._quiet = 0
            np.copyto(self._seen, picture, where=changed.astype(bool)[..., None])
            reach = REACH / 256 * max(self._grid)
            may = np.clip(2 - 2 * cv2.distanceTransform((cells == 0).astype(np.uint8), cv2.DIST_L2, 5) / reach, 0, 1)
        else:
            self._quiet += 1
            may = np.zeros(self._grid[::-1], np.float32)
        if self._changing is not None:
            lately = self._changing * FADES
            may = np.maximum(may, np.where(lately < FORGOTTEN, 0, lately))
        self._changing = may = may.astype(np.float32)
        return None if may.mean() > CUT else Change(self._rested(picture, may))

    def _rested(self, picture: np.ndarray, may: np.ndarray) -> np.ndarray:
        """Of a drawing that rests: equal steps from what is held to the render, and after the last nothing changes."""
        left = QUIET + OVER + 1 - self._quiet  # frames, this one included
        if self._quiet <= QUIET or left < 1:
            return may
        if left == 1:
            self._seen = picture.copy()
        return np.maximum(may, np.float32(1 / left))


def changes(picture: np.ndarray, seen: np.ndarray, moved: np.ndarray | None = None, lax: float = 0.0) -> np.ndarray:
    """Where two pictures (H, W, 3) uint8 differ by more than the noise between them: (H, W) uint8, 0 or 255.

    Most of what a camera sees stays as it is, so the middle of all differences says how much it sees by chance. Where
    something has ``moved``, (H, W) bool, edges never fit to the pixel: there a spot counts, from ``lax`` levels on.
    """
    apart = cv2.absdiff(picture, seen)
    noise = min(_middle(apart) / NORMAL, COARSE * _grain(picture) + 1)
    pixel, spot = max(CLEAN, 6.5 * noise), max(1.0, 2.0 * noise)
    by_pixel = cv2.compare(largest(apart), scalar(pixel), cv2.CMP_GT)
    signed = cv2.subtract(picture, seen, dtype=cv2.CV_16S)
    by_spot = np.abs(cv2.blur(signed.astype(np.float32), (SPOT, SPOT))).max(axis=2)
    if moved is None:
        return cv2.bitwise_or(by_pixel, (by_spot > spot).astype(np.uint8) * 255)
    by_pixel[moved] = 0
    return cv2.bitwise_or(by_pixel, (by_spot > np.where(moved, max(lax, spot), spot)).astype(np.uint8) * 255)


def _grain(picture: np.ndarray) -> float:
    """How much noise there may be between two pictures like this one, at most: levels, standard deviation. By what is
    finer than anything drawn (Immerkaer, 1996), so that of two pictures that differ all over it tells whether they may.
    """
    fine = cv2.filter2D(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_16S, GRAIN)
    return 2**0.5 * _middle(cv2.convertScaleAbs(fine)) / (6 * NORMAL)


def _middle(levels: np.ndarray) -> float:
    """The median of levels, uint8, between levels: 0 where most are 0."""
    counts = cv2.calcHist([levels.reshape(-1, 1)], [0], None, [256], [0, 256]).ravel()
    total = np.cumsum(counts)
    half = total[-1] / 2
    level = int(np.searchsorted(total, half))
    if level == 0:
        return 0.0
    return level - 0.5 + float((half - total[level - 1]) / max(counts[level], 1.0))
