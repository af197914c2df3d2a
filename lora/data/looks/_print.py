"""A screen print: flat shapes of few inks that are printed over each other, the drawing on top in the darkest."""

from __future__ import annotations

import cv2
import numpy as np

from ._craft import colour, lit, mixed, painted, saturated, soft, step
from ._seen import ABOVE, FLOOR, PLANTS, Seen

SMALL = ("window", "glass", "door", "wheel", "light")  # each of one colour
PAPER = colour(248, 238, 216)
INKS = {
    "straw": colour(246, 203, 112),
    "coral": colour(232, 104, 76),
    "teal": colour(92, 168, 166),
    "deep": colour(112, 178, 184),
    "navy": colour(26, 36, 72),
}


def printed(seen: Seen) -> np.ndarray:
    """Shapes by how light, how warm and how green they are; inks let through what is under them."""
    unit = seen.unit
    smooth = painted(saturated(lit(seen.values, 0.5), 1.2), 7 * unit)
    lab = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB)
    flat = seen.mean_of_parts(lab)
    broad = np.stack([soft(lab[..., each], (2.5, 6, 6)[each] * unit) for each in range(3)], -1)
    own = np.full(seen.labels.shape, 0.35, np.float32)
    for share, names in ((0.9, ABOVE), (0.7, FLOOR), (0.1, SMALL)):
        own[seen.among(*names)] = share
    own = own[..., None]
    lab = broad * own + flat * (1 - own)
    light = (0.7 * broad[..., 0] + 0.3 * flat[..., 0]) / 100
    a, b = (lab[..., each] - 0.35 * float(lab[..., each].mean()) for each in (1, 2))  # an evening is not all red
    colourful = np.hypot(a, b) > 9
    green = colourful & (a < -3) & (b > 4)
    red = colourful & (a > 0.55 * b) & (b > -8) & ~green
    yellow = colourful & (b > 0) & ~green & ~red
    cool = colourful & ~(green | red | yellow)
    below = lambda level: light < level
    shares = {
        "straw": (red & below(0.86)) | (yellow & below(0.84)) | (green & below(0.90)),
        "coral": (red & below(0.66)) | (yellow & below(0.50)),
        "teal": (green & below(0.68)) | (cool & below(0.74)) | (~colourful & below(0.62)) | below(0.40),
        "deep": (green & below(0.46)) | (cool & below(0.50)) | (~colourful & below(0.42)),
        "navy": below(0.26) & (below(0.15) | ~seen.among(*PLANTS, *FLOOR)),  # shade in leaves is no black
    }
    shown = PAPER
    for name, share in shares.items():
        covered = step(0.25, 0.75, soft(share.astype(np.float32), 1.6 * unit))  # the knife rounds corners
        shown = shown * mixed(np.ones(3, np.float32), INKS[name], covered)
    dark = soft((light < 0.26).astype(np.float32), 5 * unit) > 0.6
    key = np.where(dark[..., None], INKS["teal"], INKS["navy"])  # in the darkest ink, lines are left out
    return mixed(shown, key, step(0.4, 0.8, soft(seen.ink, 0.9 * unit)))
