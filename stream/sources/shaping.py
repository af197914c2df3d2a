"""What a video file says about how its pictures are to be shown: shape of a pixel, turns, mirrors."""

from __future__ import annotations

import math
from fractions import Fraction

import cv2
import numpy as np

from ..base.errors import FrameError
from ..base.frame import MAX_SIDE, Size

SAME = 1e-3  # of a matrix: what is smaller than this part of the largest number is 0


def linear_part(matrix: bytes | None) -> np.ndarray | None:
    """The (2, 2) part of a display matrix that turns, mirrors and stretches (x, y); None where it says nothing.

    Nine numbers of 32 bits, as in ISO/IEC 14496-12, 8.2.2: (x', y') = (a x + c y, b x + d y), y downwards.
    """
    if matrix is None or len(matrix) < 36:
        return None
    a, b, _, c, d = np.frombuffer(matrix, np.int32, 5).astype(float) / (1 << 16)
    turn = np.array([[a, c], [b, d]])
    return turn if abs(np.linalg.det(turn)) > 1e-6 else None  # some programs write zeros


def shaped(pixels: np.ndarray, aspect: Fraction | None, turn: np.ndarray | None) -> np.ndarray:
    """The picture as it is meant: ``(H, W, 3)`` uint8, contiguous, with square pixels, turned and mirrored.

    ``aspect`` is width to height of a pixel; ``turn`` see ``linear_part``. Nothing gets smaller. Where a turn is none
    of 90 degrees, white paper lies around the picture. Raises FrameError for a side above 16,384 pixels.
    """
    wide = float(aspect) if aspect else 1.0
    whole = (np.eye(2) if turn is None else turn) @ np.diag([max(wide, 1.0), max(1 / wide, 1.0)])
    strength = np.abs(whole)
    crossed = strength[0, 0] < strength[1, 0]
    plain = strength[1, 0] + strength[0, 1] if not crossed else strength[0, 0] + strength[1, 1]
    if plain > SAME * strength.max():
        return _warped(pixels, whole)
    along, down = (whole[1, 0], whole[0, 1]) if crossed else (whole[0, 0], whole[1, 1])
    least = min(abs(along), abs(down))
    size = Size(round(pixels.shape[1] * abs(along) / least), round(pixels.shape[0] * abs(down) / least))
    if max(size) > MAX_SIDE:
        raise FrameError(f"got {size} pixels when they are square, expected at most {MAX_SIDE} a side")
    if size != Size.of(pixels):
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)
    pixels = pixels[:: -1 if down < 0 else 1, :: -1 if along < 0 else 1]
    return np.ascontiguousarray(pixels.swapaxes(0, 1) if crossed else pixels)


def _warped(pixels: np.ndarray, whole: np.ndarray) -> np.ndarray:
    whole = whole / np.linalg.svd(whole, compute_uv=False)[-1]
    height, width = pixels.shape[:2]
    corners = whole @ np.array([[0, width, 0, width], [0, 0, height, height]], float)
    low = corners.min(1)
    size = Size(*(math.ceil(side - 1e-6) for side in corners.max(1) - low))
    if max(size) > MAX_SIDE:
        raise FrameError(f"got {size} pixels when they are turned, expected at most {MAX_SIDE} a side")
    way = np.hstack([whole, (whole @ [0.5, 0.5] - low - 0.5)[:, None]])  # between middles of pixels
    return cv2.warpAffine(pixels, way, size, flags=cv2.INTER_LINEAR, borderValue=(255, 255, 255))
