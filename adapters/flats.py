"""What is painted, and not only drawn: areas of colour, with bare paper and thin lines left undecided."""

from __future__ import annotations

import math

import cv2
import numpy as np

from .paper import fill_bare, ink_matte
from .tone import Paper, check_pixels, find_paper

THIN = 4.0  # pixels of a 256 x 256 picture: half the width up to which ink is a line, and not an area
BARE = 247  # level of the darkest channel from which a pixel is bare paper, where most of the paper is painted over
COLOURED = 22.0  # CIELAB chroma from which an area is painted in a colour: pencils and markers in grey have less
WARM = (50.0, 100.0)  # degrees of hue in CIELAB: cream, kraft and other tinted papers
TINTED = 45.0  # chroma up to which a sheet of such a hue is bare; of another hue up to ``COLOURED``
ALIKE = 12  # levels between two colours of the same sheet
LOOKED_AT = 128  # pixels of the longer side at which that is looked for


def flats(pixels: np.ndarray) -> np.ndarray:
    """The painted areas on undecided content, see ``fill_paper``; ``(H, W, 3)`` uint8 RGB in and out."""
    return fill_bare(pixels, painted(pixels))


def painted(pixels: np.ndarray) -> np.ndarray:
    """How much each pixel is painted, ``(H, W)`` float32 in [0, 1]: ink that is wider than a line.

    A sheet that is filled with a colour that no paper has is painted all over.
    """
    check_pixels(pixels)
    paper = find_paper(pixels)
    return _areas(pixels, None if paper is None or is_filled(paper.colour) else paper)


def _areas(pixels: np.ndarray, paper: Paper | None) -> np.ndarray:
    """Ink that is wider than a line, on this paper; None: most of it is painted over."""
    if paper is None:
        ink = (pixels.min(axis=2) < BARE).astype(np.float32)
    else:
        ink = ink_matte(pixels, paper)
    reach = max(1, round(THIN * max(ink.shape) / 256))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    areas = cv2.morphologyEx((ink > 0.5).astype(np.uint8), cv2.MORPH_OPEN, disc)
    return ink * areas


def is_filled(colour: tuple[int, int, int]) -> bool:
    """Whether a sheet of this colour, RGB, was filled with paint: papers are white, grey, black, or tinted a little."""
    a, b = _chroma(np.array([[colour]], np.uint8))[0, 0].tolist()
    hue = math.degrees(math.atan2(b, a))
    return math.hypot(a, b) > (TINTED if WARM[0] <= hue <= WARM[1] else COLOURED)


def coloured(pixels: np.ndarray, began: tuple[int, int, int] | None = None) -> float:
    """The share of a picture that is painted in colours, 0 to 1, bare paper and everything grey left out.

    A sheet that is filled with a colour is painted, unless ``began``, RGB, says that its document began in that one.
    """
    check_pixels(pixels)
    scale = min(1.0, LOOKED_AT / max(pixels.shape[:2]))
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else pixels
    paper = find_paper(small)
    if paper is not None and is_filled(paper.colour) and not _alike(paper.colour, began):
        paper = None
    areas = _areas(small, paper)
    around = 0.0 if paper is None else _chroma(np.array([[paper.colour]], np.uint8))[0, 0]
    a, b = cv2.split(_chroma(small) - around)
    return float(((np.hypot(a, b) > COLOURED) & (areas > 0.5)).mean())


def _alike(colour: tuple[int, int, int], began: tuple[int, int, int] | None) -> bool:
    return began is not None and max(abs(one - other) for one, other in zip(colour, began, strict=True)) <= ALIKE


def _chroma(pixels: np.ndarray) -> np.ndarray:
    """CIELAB a and b: ``(H, W, 2)`` float32."""
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2Lab)[..., 1:].astype(np.float32) - 128
