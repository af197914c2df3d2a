"""What is painted, and not only drawn: areas of colour, with bare paper and thin lines left undecided."""

from __future__ import annotations

import cv2
import numpy as np

from .paper import fill_bare, ink_matte
from .tone import check_pixels, find_paper

THIN = 4.0  # pixels of a 256 x 256 picture: half the width up to which ink is a line, and not an area
BARE = 247  # level of the darkest channel from which a pixel is bare paper, where most of the paper is painted over
COLOURED = 22.0  # CIELAB chroma from which an area is painted in a colour: pencils and markers in grey have less
LOOKED_AT = 128  # pixels of the longer side at which that is looked for


def flats(pixels: np.ndarray) -> np.ndarray:
    """The painted areas on undecided content, see ``fill_paper``; ``(H, W, 3)`` uint8 RGB in and out."""
    return fill_bare(pixels, painted(pixels))


def painted(pixels: np.ndarray) -> np.ndarray:
    """How much each pixel is painted, ``(H, W)`` float32 in [0, 1]: ink that is wider than a line."""
    check_pixels(pixels)
    paper = find_paper(pixels)
    if paper is None:  # most of it is painted over
        ink = (pixels.min(axis=2) < BARE).astype(np.float32)
    else:
        ink = ink_matte(pixels, paper)
    reach = max(1, round(THIN * max(ink.shape) / 256))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    areas = cv2.morphologyEx((ink > 0.5).astype(np.uint8), cv2.MORPH_OPEN, disc)
    return ink * areas


def coloured(pixels: np.ndarray) -> float:
    """The share of a picture that is painted in colours, 0 to 1, bare paper and everything grey left out."""
    check_pixels(pixels)
    scale = min(1.0, LOOKED_AT / max(pixels.shape[:2]))
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else pixels
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2Lab).astype(np.float32) - 128
    paper = find_paper(small)
    around = np.zeros(2, np.float32)
    if paper is not None:
        around = (
            cv2.cvtColor(np.array([[paper.colour]], np.uint8), cv2.COLOR_RGB2Lab)[0, 0, 1:].astype(np.float32) - 128
        )
    chroma = np.hypot(lab[..., 1] - around[0], lab[..., 2] - around[1])
    return float(((chroma > COLOURED) & (painted(small) > 0.5)).mean())
