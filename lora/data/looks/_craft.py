"""What several looks paint with: brushes that keep edges, grains, thresholds. Values are float32, lengths in pixels."""

from __future__ import annotations

import functools
import itertools

import cv2
import numpy as np


def soft(values: np.ndarray, sigma: float) -> np.ndarray:
    """Blurred; what is very broad is blurred at a smaller size, which nobody can tell."""
    side = len(values)
    if sigma > 12 and side >= 128:
        small = cv2.resize(values, (side // 4, side // 4), interpolation=cv2.INTER_AREA)
        return cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / 4), (side, side), interpolation=cv2.INTER_LINEAR)
    return cv2.GaussianBlur(values, (0, 0), max(sigma, 0.3))


def step(low: float, high: float, values: np.ndarray) -> np.ndarray:
    """0 below ``low``, 1 above ``high``, smooth between."""
    share = np.clip((values - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def grown(mask: np.ndarray, radius: float) -> np.ndarray:
    """(H, W) uint8, larger by a radius."""
    side = 2 * max(1, round(radius)) + 1
    return cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))


def painted(values: np.ndarray, radius: float) -> np.ndarray:
    """(H, W) or (H, W, 3) with a round brush: even inside, sharp at edges.

    Of eight spots around a pixel the most even ones count (Kuwahara et al. 1976, as Papari et al. 2007 weigh them).
    """
    reach = max(1, round(radius))
    grey = values if values.ndim == 2 else values.mean(2)
    mean, grey_mean = soft(values, 0.55 * reach), soft(grey, 0.55 * reach)
    spread = np.maximum(soft(grey * grey, 0.55 * reach) - grey_mean * grey_mean, 0)
    weight = 1 / (spread + 2e-5) ** 2
    mean, weight = (cv2.copyMakeBorder(each, reach, reach, reach, reach, cv2.BORDER_REFLECT) for each in (mean, weight))
    height, width = grey.shape
    total, weights = np.zeros_like(values), np.zeros_like(grey)
    slant = max(1, round(0.7 * reach))
    for x, y in ((reach, 0), (-reach, 0), (0, reach), (0, -reach), *itertools.product((-slant, slant), repeat=2)):
        there = np.s_[reach + y : reach + y + height, reach + x : reach + x + width]
        total += mean[there] * (weight[there] if values.ndim == 2 else weight[there][..., None])
        weights += weight[there]
    return total / (weights if values.ndim == 2 else weights[..., None])


def evened(values: np.ndarray, radius: float, contrast: float) -> np.ndarray:
    """(H, W) without what varies by less than ``contrast`` within a radius (guided filter, He et al. 2010)."""
    side = 2 * max(1, round(radius)) + 1
    box = lambda each: cv2.boxFilter(each, cv2.CV_32F, (side, side), borderType=cv2.BORDER_REFLECT)
    mean = box(values)
    spread = np.maximum(box(values * values) - mean * mean, 0)
    keep = spread / (spread + contrast * contrast)
    return box(keep) * values + box(mean - keep * mean)


@functools.lru_cache(maxsize=32)
def grain(side: int, size: float, seed: int) -> np.ndarray:
    """(side, side) float32 with mean 0 and deviation 1: spots of about ``size`` pixels, the same in every picture."""
    cells = max(2, round(side / max(size, 1.0)))
    spots = np.random.default_rng(seed).normal(size=(cells, cells)).astype(np.float32)
    found = cv2.resize(spots, (side, side), interpolation=cv2.INTER_CUBIC)
    found = (found - found.mean()) / found.std()
    found.setflags(write=False)
    return found


def mixed(one: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(H, W, 3): ``one`` where the share (H, W) is 0, ``other`` where it is 1; both are (H, W, 3) or colours (3,)."""
    part = np.asarray(share, np.float32)[..., None]
    return one * (1 - part) + other * part


def colour(*levels: int) -> np.ndarray:
    """(3,) float32, 0 to 1, of levels up to 255."""
    return np.array(levels, np.float32) / 255


def ramp(values: np.ndarray, *stops: tuple[float, np.ndarray]) -> np.ndarray:
    """(H, W, 3): colours by values, straight from stop to stop."""
    places = [place for place, _ in stops]
    return np.stack([np.interp(values, places, [each[c] for _, each in stops]) for c in range(3)], -1).astype(
        np.float32
    )


def lit(values: np.ndarray, wanted: float) -> np.ndarray:
    """Values (H, W, 3), 0 to 1, developed so that the middle of their light comes near to ``wanted``."""
    middle = float(np.median(values.mean(2)))
    return values ** float(np.clip(np.log(wanted) / np.log(np.clip(middle, 0.02, 0.98)), 0.4, 1.35))


def saturated(values: np.ndarray, gain: float) -> np.ndarray:
    """Colours further from their grey."""
    grey = values.mean(2, keepdims=True)
    return np.clip(grey + (values - grey) * gain, 0, 1)
