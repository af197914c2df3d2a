"""Line and wash: pencil, washes whose pigment gathers at their edges, blooms, and the white of rough paper as light."""

from __future__ import annotations

import cv2
import numpy as np

from ._craft import colour, grain, lit, mixed, painted, saturated, soft
from ._seen import ABOVE, FLOOR, WATER, Seen

PAPER, PENCIL = colour(252, 249, 241), colour(54, 46, 48)
WHITE = 0.16  # density that the paper's white has taken away


def watercolour(seen: Seen) -> np.ndarray:
    """Density of pigment, as Bousseau et al. (2006) let it vary: by edges, by turbulence, by the grain of the paper."""
    unit, side = seen.unit, len(seen.lines)
    base = painted(saturated(lit(seen.values, 0.64), 1.3), 6 * unit)
    base = _wobbled(base, 2.2 * unit)
    density = np.clip(-np.log(np.clip(base, 0.03, 1)) - WHITE, 0, 2.0)
    away = cv2.distanceTransform((seen.ink < 0.5).astype(np.uint8), cv2.DIST_L2, 5) / unit
    rim = np.exp(-(((away - 2.5) / 2.6) ** 2)).astype(np.float32)
    dry = np.exp(-((away / 1.6) ** 2)).astype(np.float32)
    broad = soft(base.mean(2), 5 * unit) - base.mean(2)
    gathered = np.clip(broad, 0, 0.12) / 0.12
    wet = soft(seen.among(*ABOVE, *FLOOR, *WATER).astype(np.float32), 2 * unit)
    flow = soft(seen.light, 24 * unit) * 3 + 0.30 * grain(side, 90 * unit, 1) + 0.05 * grain(side, 20 * unit, 2)
    bloom = (flow % 1.0) ** 4  # pigment that was pushed along, up to where it dried
    much = 1 + 0.55 * rim + 0.45 * gathered + (0.08 + 0.22 * wet) * (soft(bloom, 1.0 * unit) - 0.2) - 0.5 * dry
    rough = 0.6 * grain(side, 2.2 * unit, 3) + 0.4 * grain(side, 5 * unit, 4)
    graded = 1 - 0.75 * seen.skyline * soft(seen.among(*ABOVE).astype(np.float32), unit)
    much = much * graded + 0.085 * rough + 0.06 * grain(side, 34 * unit, 5)
    density = density * much[..., None]
    shade = 1 + 0.010 * (rough - np.roll(rough, 1, (0, 1)))
    shown = PAPER * np.exp(-density) * shade[..., None]
    return mixed(shown, PENCIL, seen.pen * (0.86 + 0.10 * seen.outer))


def _wobbled(values: np.ndarray, much: float) -> np.ndarray:
    """As a wet brush has it, which does not keep to the pencil."""
    side = len(values)
    y, x = np.mgrid[:side, :side].astype(np.float32)
    size = 16 * side / 512
    return cv2.remap(values, x + much * grain(side, size, 6), y + much * grain(side, size, 7), cv2.INTER_LINEAR,
                     borderMode=cv2.BORDER_REFLECT)  # fmt: skip
