"""A car studio's model: brown clay that a blade has smoothed, black tape along its lines, a grey hall around it."""

from __future__ import annotations

import numpy as np

from ._craft import colour, mixed, ramp, soft, step
from ._seen import ABOVE, WATER, Seen

BROWN = ((0.0, colour(56, 35, 25)), (0.28, colour(100, 63, 43)), (0.55, colour(162, 110, 77)),
         (0.8, colour(203, 154, 115)), (0.93, colour(240, 214, 184)), (1.0, colour(255, 248, 234)))  # fmt: skip
HALL = ((0.0, colour(40, 42, 46)), (0.5, colour(138, 141, 145)), (1.0, colour(226, 228, 230)))
TAPE = colour(16, 15, 16)


def studio_clay(seen: Seen) -> np.ndarray:
    """The figure alone is of clay: crisp lights where a bar of light lies, and on every edge that looks at it."""
    form = seen.modelled
    light = (form - 0.5) * 1.15 + 0.46 + 0.20 * seen.relief
    sheen = step(0.045, 0.085, form - soft(form, 14 * seen.unit)) * step(0.45, 0.6, form) * 0.15
    edge = step(0.45, 0.80, seen.relief) * step(0.25, 0.5, form) * 0.24
    clay = ramp(np.clip(light, 0, 0.84) + sheen + edge, *BROWN)
    far = seen.among(*ABOVE, *WATER)
    hall = np.where(far, 0.86 - 0.42 * seen.skyline, 0.40 + 0.75 * (seen.form - 0.5)) + 0.07 * seen.relief
    solid = seen.solid & ~far
    shown = mixed(ramp(hall, *HALL), clay, soft(solid.astype(np.float32), 0.8 * seen.unit))
    return mixed(shown, TAPE, seen.pen * (0.80 + 0.15 * solid))
