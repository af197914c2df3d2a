"""Pairs whose pictures have more contrast at their edges than they had."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from ..data.sample import Part, Sample, Samples

SIGMA = 1.0  # pixels


class Sharpened(Part):
    """The same pairs, a share of their pictures with unsharp masking: a ``Samples`` itself.

    What a regression cannot know it averages, and a mean of pictures is a blurred one. The mean of sharpened pictures
    is the sharpened mean, so that a network that learns from them gives edges their contrast back by itself.
    """

    def __init__(self, samples: Samples, amount: float, share: float = 1.0) -> None:
        """``amount`` times the difference from a blurred picture is added; which pictures follows from their places."""
        super().__init__(samples, 0, len(samples))
        self.amount, self.share = amount, share

    def seen(self, index: int, sample: Sample) -> Sample:
        """The sample with its picture sharpened, or as it is."""
        if self.share < 1 and np.random.default_rng(index).random() >= self.share:
            return sample
        return replace(sample, picture=sharpened(sample.picture, self.amount))


def sharpened(picture: np.ndarray, amount: float) -> np.ndarray:
    """Unsharp masking of (H, W, 3) uint8: ``amount`` times the difference from a Gaussian blur on top, limited."""
    return cv2.addWeighted(picture, 1 + amount, cv2.GaussianBlur(picture, (0, 0), SIGMA), -amount, 0)
