"""What a look may see of a scene, and how a hand takes it apart: parts, form, outlines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np

from ..palette import NUMBER
from ._craft import evened, grown, soft, step

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
FIGURES = {  # a class that only such a picture has much of -> what its figure is made of
    "thing": ("thing",),
    "body": ("body", "glass", "wheel", "light", "trim"),
    "wall": ("wall", "roof", "window", "door", "balcony", "trim", "house", "glass", "light"),
}
ABOVE = ("sky", "cloud")
WATER = ("sea", "river", "lake")
DEEPER = {"glass": 0.12, "window": 0.14, "wheel": 0.16, "door": 0.06, "light": -0.06, "roof": 0.02, "tree": 0.05,
          "bush": 0.05, "sea": 0.03, "lake": 0.03, "river": 0.03, "road": 0.04}  # fmt: skip
PLANTS = ("grass", "flowers", "tree", "bush")
FLOOR = ("ground", "road", "path", "table", "sand", "grass", "snow", "flowers")


@dataclass(frozen=True, eq=False)
class Seen:
    """Everything of one scene that a picture and its drawing show; all arrays are H x H, whoever painted them."""

    picture: np.ndarray
    """(H, H, 3) uint8 RGB."""
    lines: np.ndarray
    """(H, H) uint8, exact, white on black."""
    labels: np.ndarray
    """(H, H) uint8, classes."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """What it shows, by name."""

    @property
    def unit(self) -> float:
        """Pixels to a unit: a picture is 512 units wide."""
        return len(self.lines) / 512

    @cached_property
    def values(self) -> np.ndarray:
        """(H, H, 3) float32 RGB, 0 to 1."""
        return self.picture.astype(np.float32) / 255

    @cached_property
    def light(self) -> np.ndarray:
        """(H, H) float32, 0 to 1: how light it is."""
        return self.values @ LUMA

    def among(self, *names: str) -> np.ndarray:
        """(H, H) bool: what is of one of these classes."""
        return np.isin(self.labels, [NUMBER[name] for name in names])

    @cached_property
    def figure(self) -> np.ndarray:
        """(H, H) bool: what the picture is of, where it is of one thing; nothing in a landscape."""
        for first, names in FIGURES.items():
            if self.among(first).mean() > 0.005:
                return self.among(*names)
        return np.zeros(self.labels.shape, bool)

    @cached_property
    def solid(self) -> np.ndarray:
        """(H, H) bool: the figure; in a landscape, all that stands before the sky."""
        return self.figure if self.figure.any() else ~self.among(*ABOVE)

    @cached_property
    def parts(self) -> np.ndarray:
        """(H, H) int32: pieces of one class that hang together, numbered from 0."""
        found = np.zeros(self.labels.shape, np.int32)
        first = 0
        for number in np.unique(self.labels):
            count, pieces = cv2.connectedComponents((self.labels == number).astype(np.uint8), connectivity=4)
            found = np.where(pieces > 0, pieces + (first - 1), found)
            first += count - 1
        return found

    def mean_of_parts(self, values: np.ndarray) -> np.ndarray:
        """(H, H) or (H, H, C) float32: of every pixel's part the mean."""
        flat, number = values.reshape(self.parts.size, -1), self.parts.ravel()
        sizes = np.maximum(np.bincount(number), 1)
        means = np.stack([np.bincount(number, each) / sizes for each in flat.T], -1)
        return means[number].reshape(values.shape).astype(np.float32)

    @cached_property
    def form(self) -> np.ndarray:
        """(H, H) float32, 0 to 1, in the middle 0.5: light and shade without the colour of what they lie on.

        Every part is held against its own mean, as the eye does it, and texture is smoothed away.
        """
        stops = np.log2(soft(self.light, 0.8 * self.unit) + 0.03)
        stops -= self.mean_of_parts(stops)
        growing = soft(self.among(*PLANTS).astype(np.float32), 2 * self.unit)
        leafless = soft(stops, 7 * self.unit)
        stops = evened(stops * (1 - growing) + 0.55 * leafless * growing, 7 * self.unit, 0.45)
        return 1 / (1 + np.exp(-1.6 * stops))

    @cached_property
    def modelled(self) -> np.ndarray:
        """(H, H) float32, 0 to 1: the form, and a part's own depth, so that glass and wheels are told from a body."""
        deeper = np.zeros(self.labels.shape, np.float32)
        for name, share in DEEPER.items():
            deeper += self.among(name) * np.float32(share)
        return np.clip(self.form - soft(deeper, self.unit), 0, 1)

    @cached_property
    def pen(self) -> np.ndarray:
        """(H, H) float32, 0 to 1: the lines as a fine pen draws them, half as wide."""
        crowd = step(0.55, 0.95, soft(self.ink, 4.5 * self.unit))
        low = 0.55 - 0.12 * max(0.0, 1 - self.unit)  # in small pictures no pen is finer than a pixel
        # Where lines run together, they let see what is there.
        return step(low, low + 0.29, soft(self.ink, 1.3 * self.unit)) * (1 - 0.45 * crowd)

    @cached_property
    def ink(self) -> np.ndarray:
        """(H, H) float32, 0 to 1: the lines in their whole width."""
        return self.lines.astype(np.float32) / 255

    @cached_property
    def outer(self) -> np.ndarray:
        """(H, H) float32, 0 to 1: how near it is to the outline of the figure, or of what stands before the sky."""
        solid = self.solid.astype(np.uint8)
        wide = grown(solid, 4 * self.unit) - (1 - grown(1 - solid, 4 * self.unit))
        return soft(wide.astype(np.float32), 1.5 * self.unit)

    @cached_property
    def skyline(self) -> np.ndarray:
        """(H, H) float32, 0 to 1: low high in the sky, and higher where something stands before it."""
        return np.clip(soft((~self.among(*ABOVE)).astype(np.float32), 44 * self.unit), 0, 1)

    @cached_property
    def disc(self) -> np.ndarray:
        """(H, H) float32, 0 to 1: the sun or the moon, which is a circle that is drawn in the sky."""
        sky = self.among("sky") & (self.lines < 128)
        count, pieces, about, _ = cv2.connectedComponentsWithStats(sky.astype(np.uint8), connectivity=4)
        found = np.zeros(sky.shape, np.float32)
        for piece in range(1, count):
            _, _, width, height, area = about[piece] / self.unit
            round_one = abs(width - height) < 0.15 * width and 0.7 < area / self.unit / (width * height) < 0.86
            if round_one and 10 < width < 100:
                found[pieces == piece] = 1
        return soft(found, 0.8 * self.unit)

    @cached_property
    def relief(self) -> np.ndarray:
        """(H, H) float32, about -1 to 1: light from the left above on edges that are rounded along every line."""
        away = cv2.distanceTransform((self.lines < 128).astype(np.uint8), cv2.DIST_L2, 5) / self.unit
        height = soft(1 - np.exp(-away / 5).astype(np.float32), 1.2 * self.unit)
        across, down = (cv2.Sobel(height, cv2.CV_32F, *way, ksize=3) / 8 * self.unit for way in ((1, 0), (0, 1)))
        return np.clip((across * 0.6 + down * 0.8) * 6, -1, 1)
