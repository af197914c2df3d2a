"""A sketch as ink or pencil on a sheet of paper, in the light of a room."""

from __future__ import annotations

import cv2
import numpy as np


def laid_on_paper(sketch: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A sketch (H, W) uint8, white on black, as ink on paper: (H, W, 3) uint8 RGB, dark on light.

    The paper has a tone, grain and uneven light, the ink a colour, and a pencil leaves the paper's grain.
    """
    height, width = sketch.shape
    paper = _PAPERS[rng.integers(len(_PAPERS))] + rng.normal(0.0, 3.0, 3)
    ink = _INKS[rng.integers(len(_INKS))] + rng.normal(0.0, 6.0, 3)
    grain = cv2.GaussianBlur(rng.normal(0.0, 1.0, (height, width)).astype(np.float32), (0, 0), 0.8)
    pencil = float(rng.choice([0.0, 0.5]))
    cover = sketch.astype(np.float32) / 255 * float(rng.uniform(0.75, 1.0))
    cover = np.clip(cover * (1 + pencil * grain), 0, 1)[..., None]
    page = (1 - cover) * paper.clip(0, 255) + cover * ink.clip(0, 255)  # (H, W, 3)
    page += float(rng.exponential(1.5)) * grain[..., None]
    return np.clip(page * _light(height, width, rng)[..., None] + 0.5, 0, 255).astype(np.uint8)


_PAPERS = np.array(
    [[255, 255, 255], [250, 250, 248], [247, 241, 228], [236, 232, 222], [226, 228, 232], [214, 208, 196]]
)
_INKS = np.array([[8, 8, 10], [45, 45, 50], [80, 80, 84], [24, 34, 96], [70, 40, 28], [110, 20, 24]])


def _light(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """(H, W) float32 up to 1: the same everywhere as on a scanner, or falling off as from a lamp at one side."""
    if rng.random() < 0.5:
        return np.ones((height, width), np.float32)
    direction, fall = rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.3)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    across = (np.cos(direction) * x + np.sin(direction) * y) / 2**0.5
    return 1 - fall * (0.5 + 0.5 * across) ** 1.5
