"""Whether colours are where they belong: hues of colour words, class colours, flat paintings.

Pictures are (H, W, 3) uint8 RGB, labels (H, W) uint8 (an index of ``palette.CLASSES``). Distances are CIE76: Euclidean
in CIELAB under D65, where about 2 is just seen.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

import cv2
import numpy as np

from ..data.palette import NUMBER
from ..data.sample import Sample

HUED = ("red", "orange", "yellow", "green", "teal", "blue", "purple")  # colour words that are told apart by hue
PAINTED = "body"  # the class that has the colour of the prompt, all of it
LEAST_PAINTED = 0.003  # of the picture; of less, nothing is said
LEAST_CLASS = 0.005  # of the picture; a class with less is not looked for
GREY = 0.005  # saturation times value, each 0 to 1; below it there is no hue
FLAT_COLOURS = 8  # of a painting whose picture has no labels

Hues = Mapping[tuple[str, str], float]  # (colour, time of day) -> degrees


def colour_of(sample: Sample) -> str:
    """The colour word that a sample is tagged with, in either spelling; empty where there is none."""
    return sample.tags.get("colour") or sample.tags.get("color") or ""


def painted(sample: Sample) -> np.ndarray | None:
    """Where the colour of the prompt is, (H, W) bool without its border; None where that is nowhere, or unknown."""
    if sample.labels is None:
        return None
    inside = cv2.erode((sample.labels == NUMBER[PAINTED]).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return inside if inside.mean() >= LEAST_PAINTED else None


def hue(picture: np.ndarray, where: np.ndarray) -> float:
    """Mean hue in degrees of the pixels where (H, W) bool holds, each weighted by its saturation times its value.

    NaN where these are grey or black on the whole.
    """
    h, s, v = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)[where].astype(np.float64).T
    angle = h * (math.pi / 90)  # OpenCV's hues are half degrees
    weight = s * v
    if weight.mean() < GREY * 255**2:
        return math.nan
    return math.degrees(math.atan2((weight * np.sin(angle)).sum(), (weight * np.cos(angle)).sum())) % 360


def learned_hues(samples: Iterable[Sample]) -> dict[tuple[str, str], float]:
    """The mean hue of each colour word under each time of day, from true pictures of things in that colour."""
    found: dict[tuple[str, str], list[float]] = {}
    for sample in samples:
        where, colour = painted(sample), colour_of(sample)
        if where is None or colour not in HUED:
            continue
        got = hue(sample.picture, where)
        if not math.isnan(got):
            found.setdefault((colour, sample.tags.get("time", "")), []).append(got)
    return {key: _mean_angle(angles) for key, angles in found.items()}


def nearest_hue(hues: Hues, time: str, got: float) -> str | None:
    """The colour word whose hue at this time of day is nearest to ``got`` degrees; None where there is none."""
    if math.isnan(got):
        return None
    apart = {colour: abs((got - each + 180) % 360 - 180) for (colour, when), each in hues.items() if when == time}
    return min(apart, key=apart.__getitem__) if apart else None


def swapped_colour(caption: str, old: str, new: str) -> str | None:
    """The caption with the colour word ``old`` replaced where it occurs first; None where it does not occur."""
    swapped, times = re.subn(rf"\b{re.escape(old)}\b", new, caption, count=1)
    return swapped if times else None


def lab(picture: np.ndarray) -> np.ndarray:
    """CIELAB, (H, W, 3) float32: L 0 to 100, a and b about -127 to 127."""
    return cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)


def class_colours(picture: np.ndarray, labels: np.ndarray) -> dict[int, np.ndarray]:
    """Up to four CIELAB colours (k, 3) of every class that covers at least 0.5 % of the picture.

    Four, because a wall has a bright and a dark side, and a window a frame: the class's pixels are halved twice at the
    median of the axis on which they differ most.
    """
    values = lab(picture)
    present = np.flatnonzero(np.bincount(labels.ravel()) >= LEAST_CLASS * labels.size)
    found = {}
    for each in present:
        parts = [values[labels == each]]
        for _ in range(2):
            parts = [half for part in parts for half in _halves(part)]
        found[int(each)] = np.stack([part.mean(0) for part in parts])
    return found


def segmented(picture: np.ndarray, colours: Mapping[int, np.ndarray]) -> np.ndarray:
    """Labels (H, W) uint8: for each pixel the class that has the colour nearest to it."""
    values = lab(picture)
    apart = [
        np.min([np.square(values - colour).sum(-1) for colour in each], axis=0) for each in colours.values()
    ]  # classes times (H, W)
    return np.array(list(colours), np.uint8)[np.argmin(apart, axis=0)]


def _halves(values: np.ndarray) -> list[np.ndarray]:
    """Colours (N, 3) in two halves; in one piece where they are all alike."""
    axis = values.var(0).argmax()
    above = values[:, axis] > np.median(values[:, axis])
    return [values[above], values[~above]] if above.any() else [values]


def class_ious(got: np.ndarray, expected: np.ndarray, classes: Iterable[int]) -> dict[int, float]:
    """Intersection over union of labels (H, W) for each class, 0 to 1."""
    found = {}
    for each in classes:
        a, b = got == each, expected == each
        found[each] = np.count_nonzero(a & b) / max(1, np.count_nonzero(a | b))
    return found


def flat_painting(picture: np.ndarray, labels: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """A picture as if painted with flat colours, and its regions (H, W) int: every region has its mean colour.

    Regions are the classes; without labels, the eight colours of a median cut of the blurred picture.
    """
    regions = _posterised(picture) if labels is None else labels
    means = {each: picture[regions == each].mean(0) for each in np.unique(regions)}
    painting = np.zeros_like(picture)
    for each, colour in means.items():
        painting[regions == each] = np.round(colour)
    return painting, regions.astype(int)


def recoloured(picture: np.ndarray) -> np.ndarray:
    """The same lightness in other colours: CIELAB's a and b turned by a quarter of a circle, as far as RGB goes."""
    light, a, b = cv2.split(lab(picture))
    turned = cv2.cvtColor(cv2.merge([light, -b, a]), cv2.COLOR_Lab2RGB)
    return np.clip(turned * 255 + 0.5, 0, 255).astype(np.uint8)


def region_distance(a: np.ndarray, b: np.ndarray, regions: np.ndarray) -> float:
    """CIE76 distance of two pictures' mean colours in each region, mean over the regions by their area."""
    x, y = lab(a), lab(b)
    total = sum(
        np.count_nonzero(inside) * float(np.linalg.norm(x[inside].mean(0) - y[inside].mean(0)))
        for inside in (regions == each for each in np.unique(regions))
    )
    return total / regions.size


def _posterised(picture: np.ndarray) -> np.ndarray:
    from PIL import Image

    blurred = cv2.GaussianBlur(picture, (0, 0), max(picture.shape[:2]) / 64)
    return np.asarray(Image.fromarray(blurred).quantize(FLAT_COLOURS, Image.Quantize.MEDIANCUT))


def _mean_angle(degrees: Iterable[float]) -> float:
    angles = np.radians(list(degrees))
    return math.degrees(math.atan2(np.sin(angles).mean(), np.cos(angles).mean())) % 360
