"""Pages as people paint them with a palette: antialiased shapes, soft brushes, lines on top, what a capture adds."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image

from inkstream.adapters.palettes import open_palette
from inkstream.adapters.snap import UNDECIDED

INK = 20.0  # level of the lines on top


def painted_page(seed: int, palette: str, side: int) -> tuple[np.ndarray, np.ndarray]:
    """A page (side, side, 3) uint8 RGB and what each of its pixels is, (side, side) uint8: places in the palette.

    A pixel is what covers at least half of it, lines left out. A third of all pages has noise, a third was a JPEG file;
    half of the shapes have soft borders, up to 40 pixels wide at 512 x 512.
    """
    rng, things = np.random.default_rng(seed), open_palette(palette).things
    page, truth = np.full((side, side, 3), 255, np.float32), np.full((side, side), UNDECIDED, np.uint8)
    for place in rng.choice(len(things), int(rng.integers(2, 9)), replace=False).tolist():
        cover = _shape(rng, side)
        page += (np.array(things[place].paint, np.float32) - page) * cover[..., None]
        truth[cover > 0.5] = place
    if rng.random() < 0.5:
        lines = np.zeros((2 * side, 2 * side), np.uint8)
        for _ in range(int(rng.integers(1, 6))):
            points = rng.integers(0, 2 * side, (int(rng.integers(2, 6)), 2)).astype(np.int32)
            cv2.polylines(lines, [points], False, 255, int(rng.integers(3, 9) * max(side / 512, 0.6)))
        page += (INK - page) * (_halved(lines)[..., None] / 255.0)
    captured = rng.random()
    if captured < 1 / 3:
        page += rng.normal(0, rng.uniform(0.5, 3), page.shape)
    pixels = page.round().clip(0, 255).astype(np.uint8)
    if captured > 2 / 3:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=int(rng.integers(70, 96)))
        pixels = np.array(Image.open(file).convert("RGB"))
    return pixels, truth


def _shape(rng: np.random.Generator, side: int) -> np.ndarray:
    """How much of each pixel a polygon, an ellipse or a broad stroke covers, (side, side) float32 in [0, 1]."""
    shape, scale = np.zeros((2 * side, 2 * side), np.uint8), side / 512
    kind = rng.integers(3)
    points = rng.integers(0, 2 * side, (int(rng.integers(3, 7)), 2)).astype(np.int32)
    if kind == 0:
        cv2.fillPoly(shape, [points], 255)
    elif kind == 1:
        axes = [int(each * scale) for each in rng.integers(50, 400, 2)]
        cv2.ellipse(shape, points[0].tolist(), axes, rng.uniform(0, 180), 0, 360, 255, -1)
    else:
        cv2.polylines(shape, [points[:4]], False, 255, int(rng.integers(40, 160) * scale))
    soft = rng.uniform(1, 9) * scale if rng.random() < 0.5 else 0.0
    reach = max(2, round(2 + 7 * soft))  # a soft brush has a middle, where it covers
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    cover = _halved(cv2.morphologyEx(shape, cv2.MORPH_OPEN, disc)).astype(np.float32) / 255
    return cv2.GaussianBlur(cover, (0, 0), soft) if soft else cover


def _halved(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
