"""Pictures to prepare, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

COLOURS = {"red": (190, 40, 40), "blue": (40, 80, 190), "green": (50, 140, 60), "yellow": (235, 205, 60)}


def thing(colour: str = "red", seed: int = 0, size: tuple[int, int] = (160, 120)) -> np.ndarray:
    """A house of boxes on white, where the seed says: (H, W, 3) uint8 RGB of ``size`` (W, H)."""
    picture = np.full((size[1], size[0], 3), 250, np.uint8)
    x, y = np.random.default_rng(seed).integers([20, 15], [60, 30]).tolist()
    width, height = 40 + 5 * (seed % 5), 55 - 4 * (seed % 4)
    cv2.rectangle(picture, (x, y + 20), (x + width, y + 20 + height), COLOURS[colour], -1)
    cv2.fillPoly(picture, [np.array([(x - 5, y + 20), (x + width // 2, y), (x + width + 5, y + 20)])], (120, 60, 40))
    cv2.rectangle(picture, (x + 10, y + 30), (x + 20 + seed % 3, y + 42), (40, 40, 60), -1)
    return picture


def save(path: Path, picture: np.ndarray, **options: Any) -> Path:
    """Write a picture in the format of its name, with its folder; gives the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, **options)
    return path
