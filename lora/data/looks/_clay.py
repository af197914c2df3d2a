"""A model of bare pale clay in soft light, with all that is around it."""

from __future__ import annotations

import numpy as np

from ._craft import colour, mixed, ramp, soft
from ._seen import ABOVE, Seen

PALE = ((0.0, colour(58, 51, 52)), (0.3, colour(128, 116, 111)), (0.6, colour(205, 195, 185)),
        (0.85, colour(241, 235, 227)), (1.0, colour(255, 253, 249)))  # fmt: skip
BACKDROP = colour(238, 234, 228)


def clay(seen: Seen) -> np.ndarray:
    """One bare material: soft light, dark where it is deep, a groove along every line."""
    crevice = soft(seen.ink, 6 * seen.unit)
    light = (seen.modelled - 0.5) * 1.05 + 0.64 + 0.16 * seen.relief
    shown = ramp(light * (1 - 0.30 * crevice) * (1 - 0.62 * seen.pen), *PALE)
    above = soft(seen.among(*ABOVE).astype(np.float32), 1.0 * seen.unit)
    sheet = 1.04 + 0.16 * (seen.form - 0.5) + 0.10 * seen.relief - 0.16 * seen.skyline
    sheet = np.clip(sheet, 0, 1.07) * (1 - 0.12 * crevice) * (1 - 0.50 * seen.pen)
    return mixed(shown, BACKDROP * sheet[..., None], above)
