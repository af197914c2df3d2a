"""How near pictures are to each other: noise, structure, edges."""

from __future__ import annotations

import cv2
import numpy as np


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal to noise in dB of (..., 3) uint8 pictures; 100 where they are equal."""
    error = float(((a.astype(np.float64) - b) ** 2).mean())
    return float(min(100.0, 10 * np.log10(255.0**2 / error))) if error else 100.0


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Structural similarity of the luma of (H, W, 3) uint8 RGB pictures, 1 where equal (Wang et al. 2004)."""
    x, y = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float64) for picture in (a, b))

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(values, (11, 11), 1.5)

    mx, my = mean(x), mean(y)
    vx, vy, both = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float((((2 * mx * my + c1) * (2 * both + c2)) / ((mx * mx + my * my + c1) * (vx + vy + c2))).mean())


def edge_f1(got: np.ndarray, expected: np.ndarray, tolerance: int = 2) -> float:
    """F1 of the edges of one (H, W, 3) uint8 RGB picture against another's, ``tolerance`` pixels apart at most.

    Edges are Canny's (thresholds 40 and 100) after a blur of sigma 1. Two pictures without any agree.
    """
    found, wanted = (edges(picture) for picture in (got, expected))
    if not found.any() and not wanted.any():
        return 1.0
    precision, recall = covered(found, wanted, tolerance), covered(wanted, found, tolerance)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def edges(picture: np.ndarray) -> np.ndarray:
    """Where a (H, W, 3) uint8 RGB picture has edges, (H, W) bool; see ``edge_f1``."""
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return cv2.Canny(cv2.GaussianBlur(gray, (0, 0), 1.0), 40, 100) > 0


def covered(some: np.ndarray, by: np.ndarray, tolerance: int) -> float:
    """The part of ``some`` edges (H, W) bool that others are near to, 0 to 1; 0 where either has none."""
    if not some.any() or not by.any():
        return 0.0
    side = 2 * tolerance + 1
    near = cv2.dilate(by.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    return float(near[some].mean())
