"""What a path tracer's light becomes on film: glow, exposure, and AgX.

AgX is Troy Sobotka's view transform as Blender has it; the curve is Benjamin Wrensch's fit of it ("Minimal AgX
implementation", 2024), with the matrices that Filament and three.js use.
"""

from __future__ import annotations

import cv2
import numpy as np

TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0113], [0.0164, 0.0880, 0.8956]], np.float32)
FROM_2020 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32)
INSET = np.array(
    [
        [0.856627153315983, 0.0951212405381588, 0.0482516061458583],
        [0.137318972929847, 0.761241990602591, 0.101439036467562],
        [0.11189821299995, 0.0767994186031903, 0.811302368396859],
    ],
    np.float32,
)
OUTSET = np.array(
    [
        [1.1271005818144368, -0.11060664309660323, -0.016493938717834573],
        [-0.1413297634984383, 1.157823702216272, -0.016493938717834257],
        [-0.14132976349843826, -0.11060664309660294, 1.2519364065950405],
    ],
    np.float32,
)
DARKEST, BRIGHTEST = -12.47393, 4.026069  # stops
CURVE = (15.5, -40.14, 31.96, -6.868, 0.4298, 0.1191, -0.00232)
STREAKS = 0.055  # how bright rain is
GREY = np.array([0.2126, 0.7152, 0.0722], np.float32)
GLOW = ((0.006, 0.05), (0.025, 0.03), (0.08, 0.02))  # (part of the picture's side, share of the light)


def developed(light: np.ndarray, exposure: float = 0.0, punch: float = 1.0, colour: float = 1.0) -> np.ndarray:
    """Linear light (H, W, 3) as a picture (H, W, 3) float32 from 0 to 1.

    ``exposure`` is in stops; ``punch`` is the contrast and ``colour`` the saturation that AgX's output gets, 1 leaves
    it alone.
    """
    light = _glowing(light.astype(np.float32).clip(0, 4096) * np.float32(2**exposure))
    inside = np.log2((light @ TO_2020.T @ INSET.T).clip(1e-10, None))
    x = ((inside - DARKEST) / (BRIGHTEST - DARKEST)).clip(0, 1)
    curved = np.polyval(CURVE, x).astype(np.float32).clip(0, 1) ** np.float32(punch)
    grey = curved @ GREY
    curved = (grey[..., None] + (curved - grey[..., None]) * np.float32(colour)).clip(0, None)
    linear = ((curved @ OUTSET.T).clip(0, None) ** 2.2 @ FROM_2020.T).clip(0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055).astype(np.float32)


def _glowing(light: np.ndarray) -> np.ndarray:
    """What shines brighter than white spreads a little, as in every lens."""
    bright = np.minimum(light, 40.0) * (light.max(-1, keepdims=True) > 1.5)
    result = light
    for part, share in GLOW:
        result = result + share * cv2.GaussianBlur(bright, (0, 0), max(0.5, len(light) * part))
    return result


def rained(picture: np.ndarray, seed: int) -> np.ndarray:
    """A picture (H, W, 3) from 0 to 1 with falling rain in it: fine slanted streaks, near ones longer."""
    rng = np.random.default_rng(seed)
    side = len(picture)
    streaks = np.zeros((side, side), np.float32)
    for share, length, bright in ((0.004, 0.045, 1.0), (0.0012, 0.10, 1.6)):
        drops = (rng.random((side, side)) < share).astype(np.float32)
        reach = max(3, round(length * side)) | 1
        kernel = np.zeros((reach, reach), np.float32)
        cv2.line(kernel, (round(reach * 0.58), 0), (round(reach * 0.42), reach - 1), 1.0, 1, cv2.LINE_AA)
        streaks += bright * cv2.filter2D(drops, -1, kernel)
    streaks = cv2.GaussianBlur(streaks, (0, 0), 0.6 * side / 512)[..., None]
    return (picture + STREAKS * streaks * (1 - picture)).astype(np.float32)
