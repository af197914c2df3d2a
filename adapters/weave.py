"""One picture made of two that show almost the same: one that is held, and was moved here, and one that is new.

Mixed as they are, they give mud: what was moved again and again is soft, and texture that a network paints to the
screen instead of to the things lies elsewhere in each of them. So tone and detail go apart. Tone is mixed. Detail is
mixed where both have the same, or hardly any; elsewhere it is the new one's. What its variance lost is given back, as
in histogram-preserving blending (Heitz and Neyret, 2018). And nothing is held that is darker or lighter than all that
the new one has around, as temporal antialiasing does it: what a thing left behind beside itself goes.
"""

from __future__ import annotations

import cv2
import numpy as np

DETAIL = 1.5  # pixels, a standard deviation: what is finer is detail
SPOT = 11  # pixels: the side of a spot in which details are compared
ALIKE = 0.3, 0.7  # correlation of two details: they have nothing to do with each other, or are the same
SEEN = 4.0, 8.0  # levels, standard deviation: so little detail may be mixed whatever it is, so much not
FAINT = 0.5  # levels squared that are none
MOST = 1.4  # times that detail is made stronger
AROUND, SLACK = np.ones((7, 7), np.uint8), 8.0  # what is around, and levels that may be held beyond it


def weave(new: np.ndarray, held: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32 of 0 to 255, all of them; ``share`` (H, W) in [0, 1] is how much of ``new`` there must be."""
    held = np.clip(held, cv2.erode(new, AROUND) - SLACK, cv2.dilate(new, AROUND) + SLACK)
    tone, tone_held = (cv2.GaussianBlur(each, (0, 0), DETAIL) for each in (new, held))
    detail, detail_held = new - tone, held - tone_held
    grey, grey_held = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (detail, detail_held))
    there, there_held = _around(grey * grey), _around(grey_held * grey_held)
    alike = _around(grey * grey_held) / cv2.sqrt((there + FAINT) * (there_held + FAINT))
    same = np.maximum(_between(alike, *ALIKE), 1 - _between(cv2.sqrt(there), *SEEN))
    kept = 1 - share
    detail += (detail_held - detail) * (kept * same)[..., None]
    grey = cv2.cvtColor(detail, cv2.COLOR_RGB2GRAY)
    lost = np.clip(cv2.sqrt((there + FAINT) / (_around(grey * grey) + FAINT)), 1.0, MOST) - 1
    gain = 1 + lost * np.minimum(2 * kept, 1.0)  # what is all new has lost nothing
    tone += (tone_held - tone) * kept[..., None] + detail * gain[..., None]
    return np.clip(tone, 0.0, 255.0)


def _around(values: np.ndarray) -> np.ndarray:
    return cv2.blur(values, (SPOT, SPOT))


def _between(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 up to ``low``, 1 from ``high`` on."""
    return np.clip((values - low) / (high - low), 0.0, 1.0)
