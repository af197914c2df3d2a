"""Film noir: one hard light, blacks that are black, a mist that outlines stand out from, wet ground, grain."""

from __future__ import annotations

import cv2
import numpy as np

from ._craft import colour, grain, ramp, soft, step
from ._seen import ABOVE, FLOOR, PLANTS, Seen

RED = np.array([0.52, 0.38, 0.10], np.float32)  # a red filter: leaves and skies are dark
SILVER = ((0.0, colour(6, 6, 8)), (0.25, colour(44, 45, 48)), (0.6, colour(146, 146, 145)),
          (1.0, colour(250, 248, 242)))  # fmt: skip
FAR = ("hill", "mountain", "tree", "house", "bush")
MIST, VEIL = 0.30, 0.42  # how light mist is, and how much of what is far it hides


def noir(seen: Seen) -> np.ndarray:
    """Light that falls is harder, light that fills is gone; edges in the dark have a rim of light."""
    unit = seen.unit
    above, floor, growing, far, shines = (
        seen.among(*names).astype(np.float32) for names in (ABOVE, FLOOR, PLANTS, FAR, ("window", "light"))
    )
    growing = soft(growing, 2 * unit)
    stops = np.log2(soft(seen.values @ RED, 0.6 * unit) + 0.03)
    textured = 1 / (1 + np.exp(-1.5 * (stops - seen.mean_of_parts(stops))))
    share = 0.62 - 0.45 * growing  # leaf by leaf, hard light is but noise
    hard = 0.02 + 0.93 * step(0.36, 0.76, share * textured + (1 - share) * seen.modelled)
    hard = hard * (1 - 0.35 * growing) * (1 - 0.4 * seen.among("wheel"))
    mist = seen.skyline * (1 - seen.skyline) * 4
    sky = np.clip(0.03 + 0.58 * mist**1.5 + 0.22 * (seen.form - 0.5), 0, 1)
    sky = np.maximum(sky, 0.9 * seen.disc)
    wet = 0.40 * hard + 0.42 * _reflected(np.where(above > 0, sky, hard) * (1 - floor), unit)
    shown = hard * (1 - floor) + wet * floor
    shown = shown + (sky - shown) * soft(above, unit)
    if seen.figure.any():
        shown = shown + (MIST - shown) * VEIL * soft(far, 2 * unit)
    shines = shines * step(0.45, 0.75, seen.light)
    shown = np.maximum(shown, 0.92 * shines) + 0.35 * soft(shines, 12 * unit)
    around = soft(shown, 3 * unit)
    dark = step(0.36, 0.30, around)
    line = 0.02 + dark * (around + 0.34)
    shown = shown + (line - shown) * 0.92 * seen.pen + 0.30 * dark * np.clip(seen.relief, 0, 1) ** 1.2
    return ramp(shown + 0.018 * grain(len(shown), 1.6 * unit, 21), *SILVER)


def _reflected(values: np.ndarray, unit: float) -> np.ndarray:
    """What stands above, smeared downwards, as wet ground gives it back."""
    for length in (40, 80):
        side = max(3, round(length * unit))
        values = cv2.boxFilter(values, cv2.CV_32F, (1, side), anchor=(0, side - 1), borderType=cv2.BORDER_CONSTANT)
    return soft(values, 2 * unit)
