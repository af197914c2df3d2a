"""A blueprint: white lines on cyanotype blue, heavy around the figure, fine inside it, over a faint grid."""

from __future__ import annotations

import numpy as np

from ._craft import colour, grain, mixed, ramp, soft, step
from ._seen import ABOVE, Seen

BLUE = ((0.0, colour(8, 30, 78)), (0.5, colour(20, 64, 134)), (1.0, colour(74, 128, 192)))
WHITE, FINE, FAINT = colour(240, 247, 255), colour(176, 208, 243), colour(126, 170, 222)
CELLS = 16  # of the grid along a side; every fourth line is heavier


def blueprint(seen: Seen) -> np.ndarray:
    """Tone from light and shade, lines of three weights: outline, parts, and what is finer than the drawing."""
    unit, side = seen.unit, len(seen.lines)
    inside = soft(seen.solid.astype(np.float32), 1.0 * unit)
    tone = 0.40 + (0.26 + 0.95 * inside) * (seen.modelled - 0.5) + (0.07 + 0.10 * seen.relief) * inside
    tone = tone - 0.04 * seen.among(*ABOVE) + 0.012 * grain(side, 3 * unit, 11) + 0.022 * grain(side, 90 * unit, 12)
    shown = mixed(ramp(tone, *BLUE), FAINT, _grid(side))
    shown = mixed(shown, FINE, 0.42 * _detail(seen) * (0.25 + 0.75 * inside))
    shown = mixed(shown, FINE, 0.90 * seen.pen)
    heavy = step(0.35, 0.70, soft(seen.ink, 1.0 * unit)) * seen.outer
    return mixed(shown, WHITE, heavy)


def _grid(side: int) -> np.ndarray:
    """(side, side) 0 to 1."""
    place = (np.arange(side) + 0.5) / side * CELLS
    away = np.abs(place - np.round(place)) * side / CELLS
    fine = np.clip(1.2 - away, 0, 1) * np.where(np.round(place) % 4 == 0, 0.24, 0.11)
    return np.maximum(fine[:, None], fine[None]).astype(np.float32)


def _detail(seen: Seen) -> np.ndarray:
    """(H, H) 0 to 1: what a fine pen adds, by a difference of Gaussians (Winnemöller et al. 2012)."""
    light = np.log2(seen.light + 0.06)
    near, far = soft(light, 0.9 * seen.unit), soft(light, 1.7 * seen.unit)
    return step(0.045, 0.16, far - near) * (1 - seen.ink)
