"""A night mood, made of any hour's picture as films were: moonlight is blue sunlight, and what can shine shines."""

from __future__ import annotations

import numpy as np

from ._craft import colour, mixed, painted, ramp, soft, step
from ._seen import ABOVE, LUMA, Seen

SKY = ((0.0, colour(7, 12, 34)), (0.35, colour(15, 27, 66)), (0.55, colour(44, 68, 128)), (1.0, colour(84, 108, 164)))
MOON, EDGE = np.array([0.40, 0.58, 0.98], np.float32), colour(54, 74, 120)
DISC = colour(226, 232, 240)
WINDOW, LAMP, TAIL = colour(255, 190, 98), colour(255, 236, 196), colour(255, 40, 26)
HALOS = ((0.012, 0.30), (0.04, 0.45), (0.11, 0.60))  # how wide, in sides of the picture, and how strong


def night(seen: Seen) -> np.ndarray:
    """Blue moonlight, warm windows and lamps, and a halo around everything that shines."""
    unit, side = seen.unit, len(seen.lines)
    above = seen.among(*ABOVE)
    middle = float(np.median(seen.light[~above])) if not above.all() else 0.4
    exposed = seen.values ** float(np.clip(np.log(0.42) / np.log(np.clip(middle, 0.03, 0.9)), 0.45, 1.5))
    grey = (exposed @ LUMA)[..., None]
    moonlit = (0.55 * exposed + 0.45 * grey) * MOON * (0.32 + 0.92 * grey)  # eyes see little colour at night
    sky = ramp(0.9 * seen.skyline + 0.22 * (seen.form - 0.5), *SKY)
    shown = mixed(moonlit, sky, soft(above.astype(np.float32), 0.8 * unit))
    shines, tint = _shining(seen)
    source = tint * shines[..., None]
    edge = np.clip(seen.relief, 0, 1) ** 1.5 * (1 - shines)
    shown = shown * (1 - 0.68 * seen.pen)[..., None] + edge[..., None] * EDGE
    fallen = soft(source, side * 0.06) * (0.5 + 2.0 * exposed)  # light that falls on what is near
    halo = np.sum([soft(source, side * wide) * much for wide, much in HALOS], 0)
    shown = 1 - (1 - np.clip(shown + fallen, 0, 1)) * (1 - np.clip(halo, 0, 0.6))
    return mixed(shown, source, 0.94 * shines)


def _shining(seen: Seen) -> tuple[np.ndarray, np.ndarray]:
    """(H, H) how much every place shines, 0 to 1, and (H, H, 3) in what colour."""
    within = painted(seen.light, 1.5 * seen.unit)
    window, light = seen.among("window"), seen.among("light")
    usual = max(float(within[window].mean()), 0.05) if window.any() else 1.0
    panes = window * (0.14 + 0.86 * step(0.35, 1.25, within / usual))  # where some are dark, they stay dark
    lamps = light * np.clip(0.45 + 0.55 * within / np.maximum(seen.mean_of_parts(within), 0.05), 0.5, 1)
    neon = seen.among("thing") * step(0.55, 0.9, seen.values.max(2)) * (seen.tags.get("material") == "neon")
    own = seen.mean_of_parts(seen.values)
    tint = mixed(WINDOW, mixed(LAMP, TAIL, step(0.18, 0.30, own[..., 0] - own[..., 1])), light)
    thin = 1 - 0.75 * seen.pen  # bars and frames stay dark
    shines = np.clip((panes + lamps) * thin + neon + seen.disc, 0, 1)
    return shines.astype(np.float32), mixed(mixed(tint, seen.values, neon), DISC, seen.disc)
