"""Lines out of pictures, sketches off their paper, and things into the middle of a square.

Lines are (H, W) uint8, white on black.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from ...adapters import find_paper, open_preprocessor
from ...adapters.lines import draw_lines, without_specks
from ...adapters.tone import scalar
from ...stream.base.frame import Rect
from .strokes import scale_of

MARGIN = 0.08  # of the square, on each side of an object
CLEAR = 10  # levels that an object's pixels differ from bare paper, beyond its noise
SMALLEST = 0.02  # of a side; an object smaller than this is dirt on the paper


def canny(picture: np.ndarray) -> np.ndarray:
    """Edges (Canny, 1986), drawn two pixels wide at 256 x 256, as a pen would."""
    edges = open_preprocessor("canny", {"blur": 1.2})(picture)[..., 0]
    return draw_lines(edges, 2.0 * scale_of(edges))


def xdog(picture: np.ndarray, k: float = 1.6, p: float = 14.0, epsilon: float = 0.7, phi: float = 9.0) -> np.ndarray:
    """Extended difference of Gaussians (Winnemöller, Kyprianidis and Olsen, 2012), of which only the lines are kept.

    Letters as in the paper: D = (1 + p) G(sigma) - p G(k sigma); 1 above epsilon, else 1 + tanh(phi (D - epsilon)).
    """
    # Half of the darkest channel, so that yellow stands out of white.
    both = cv2.addWeighted(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), 0.5, picture.min(2), 0.5, 0)
    grey = both.astype(np.float32) / 255
    unit = scale_of(grey)
    sigma = 1.1 * unit
    narrow, wide = cv2.GaussianBlur(grey, (0, 0), sigma), cv2.GaussianBlur(grey, (0, 0), k * sigma)
    # The paper thresholds light and shade as well; over the local mean only what stands out of it is left.
    mean = cv2.GaussianBlur(grey, (0, 0), 8 * unit)
    sharp = 1 + ((1 + p) * narrow - p * wide - mean) / (mean + 0.15)
    tone = np.where(sharp >= epsilon, 1.0, 1.0 + np.tanh(phi * (sharp - epsilon)))
    lines = np.round(255 * (1 - tone)).clip(0, 255).astype(np.uint8)
    return without_specks(lines, cv2.compare(lines, scalar(64), cv2.CMP_GE), 9 * unit)


def softedge(picture: np.ndarray) -> np.ndarray:
    """Soft edges, the stronger the brighter."""
    return open_preprocessor("softedge", {"threshold": 0.12, "line_width": 2.5})(picture)[..., 0]


def lineart(picture: np.ndarray) -> np.ndarray:
    """A drawing's own lines; of a photo its dark strokes and the borders of its areas."""
    return open_preprocessor("lineart")(picture)[..., 0]


METHODS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "canny": canny,
    "xdog": xdog,
    "softedge": softedge,
    "lineart": lineart,
}


def clean_sketch(page: np.ndarray) -> np.ndarray:
    """A drawing (H, W, 3) uint8 RGB off its paper, scanned or photographed: (H, W) uint8, white on black.

    The paper's light is what is left when everything narrower than a twelfth of the page is closed over; the page is
    divided by it, and what is then not darker than the paper's own noise is nothing.
    """
    grey = cv2.cvtColor(page, cv2.COLOR_RGB2GRAY)
    if np.median(grey) < 110:  # chalk on a board
        grey = cv2.bitwise_not(grey)
    height, width = grey.shape
    small = cv2.resize(grey, (max(16, width * 192 // max(width, height)), max(16, height * 192 // max(width, height))))
    reach = max(5, max(small.shape) // 12 * 2 // 2 | 1)
    light = cv2.morphologyEx(small, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    light = cv2.GaussianBlur(light, (0, 0), reach / 2)
    light = cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR)
    ink = 1 - np.minimum(grey.astype(np.float32) / np.maximum(light, 1), 1)
    # Most of a page is paper, so the median of what differs from it is a measure of its grain.
    low = 0.05 + 4 * float(np.median(ink))
    strong = ink[ink > low]
    high = max(low + 0.15, float(np.percentile(strong, 75)) if strong.size else 1.0)
    return np.round(255 * np.clip((ink - low) / (high - low), 0, 1)).astype(np.uint8)


@dataclass(frozen=True)
class Square:
    """A square part of a picture, in its pixels; it may reach beyond the picture."""

    left: int
    top: int
    side: int

    def of_picture(self, picture: np.ndarray, size: int) -> np.ndarray:
        """That part of (H, W, 3) uint8, scaled: (size, size, 3). Beyond the picture its border goes on."""
        return self._scaled(picture, size, cv2.BORDER_REPLICATE)

    def of_lines(self, lines: np.ndarray, size: int) -> np.ndarray:
        """That part of (H, W) uint8, scaled: (size, size). Beyond the picture there is nothing."""
        return self._scaled(lines, size, cv2.BORDER_CONSTANT)

    def _scaled(self, picture: np.ndarray, size: int, border: int) -> np.ndarray:
        height, width = picture.shape[:2]
        right, bottom = self.left + self.side, self.top + self.side
        beyond = (max(0, -self.top), max(0, bottom - height), max(0, -self.left), max(0, right - width))
        part = picture[max(0, self.top) : bottom, max(0, self.left) : right]
        if any(beyond):
            part = cv2.copyMakeBorder(part, *beyond, border)
        smaller = size < self.side
        return cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)


def middle(picture: np.ndarray) -> Square:
    """The largest square in the middle of a picture."""
    height, width = picture.shape[:2]
    side = min(height, width)
    return Square((width - side) // 2, (height - side) // 2, side)


def centred(picture: np.ndarray) -> Square:
    """The square with a picture's object in its middle.

    An object that stands free on a plain background gets a margin around it, as far as the picture has it. Elsewhere it
    is the largest square inside the picture, there along its longer side where most edges are.
    """
    height, width = picture.shape[:2]
    box = object_box(picture)
    if box is not None and _stands_free(box, width, height):
        longest = max(box.width, box.height)
        side = max(longest, min(round(longest / (1 - 2 * MARGIN)), min(width, height)))
        left, top = round(box.x + (box.width - side) / 2), round(box.y + (box.height - side) / 2)
        if side <= width:
            left = min(max(left, 0), width - side)
        if side <= height:
            top = min(max(top, 0), height - side)
        return Square(left, top, side)
    side = min(width, height)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    edges = cv2.convertScaleAbs(cv2.Laplacian(cv2.GaussianBlur(grey, (0, 0), 1.5), cv2.CV_16S))
    total = np.concatenate([[0.0], np.cumsum(edges.sum(0 if width >= height else 1, dtype=np.float64))])
    inside = total[side:] - total[:-side]
    # Where several are as good as the best, the one nearest to the middle.
    good = np.flatnonzero(inside >= 0.98 * inside.max())
    start = int(good[np.abs(good - (len(inside) - 1) / 2).argmin()])
    return Square(start, 0, side) if width >= height else Square(0, start, side)


def _stands_free(box: Rect, width: int, height: int) -> bool:
    """Whether there is background on all four sides; a horizon, or what a border cuts, must not get a frame."""
    free = 0.01 * max(width, height)
    return min(box.x, box.y, width - box.x - box.width, height - box.y - box.height) > free


def object_box(picture: np.ndarray) -> Rect | None:
    """The box around what is not background, None where the background is not plain or there is nothing on it."""
    apart = foreground(picture)
    if apart is None:
        return None
    height, width = apart.shape
    apart = cv2.morphologyEx(apart, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(apart)
    least = SMALLEST * max(width, height)
    boxes = [stats[number] for number in range(1, count) if max(stats[number][2:4]) >= least]
    if not boxes:
        return None
    left, top = (min(int(box[axis]) for box in boxes) for axis in (0, 1))
    right, bottom = (max(int(box[axis] + box[axis + 2]) for box in boxes) for axis in (0, 1))
    return Rect(left, top, right - left, bottom - top)


def foreground(picture: np.ndarray) -> np.ndarray | None:
    """(H, W) uint8, 255 where a picture differs from its plain background; None where it has none."""
    paper = find_paper(picture)
    if paper is None:
        return None
    apart = cv2.absdiff(picture, paper.tone(*picture.shape[:2])).max(2)
    return cv2.compare(apart, scalar(CLEAR + 3 * paper.noise), cv2.CMP_GT)


def main_object(picture: np.ndarray) -> np.ndarray | None:
    """(H, W) uint8, not 0 where a small picture's main object is; None where there is none to be told apart.

    What differs from a plain background; elsewhere what differs from the colours along the border (GrabCut: Rother,
    Kolmogorov and Blake, 2004).
    """
    apart = foreground(picture)
    if apart is None:
        height, width = picture.shape[:2]
        mask = np.zeros((height, width), np.uint8)
        inner = (width // 8, height // 8, width - 2 * (width // 8), height - 2 * (height // 8))
        cv2.setRNGSeed(0)  # its clusters begin at random
        models = np.zeros((2, 65))
        cv2.grabCut(picture, mask, inner, models[:1].copy(), models[1:].copy(), 3, cv2.GC_INIT_WITH_RECT)
        apart = (mask & 1) * np.uint8(255)
    return apart if 0.02 < (apart > 0).mean() < 0.95 else None
