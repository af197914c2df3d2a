"""Whether a frame differs from the last rendered one: one stroke is enough, the noise of a camera is not.

The Stochastic Similarity Filter of StreamDiffusion (arXiv 2312.12491) takes the cosine of two whole frames and draws
a random number. A black stroke of 100 x 3 px on a white page of 512 x 512 px has a cosine of 0.998 there (values in
[-1, 1]), so it is mostly skipped. Here the most changed spot decides, wherever it lies, and nothing is left to chance.
"""

from __future__ import annotations

import cv2
import numpy as np

TILE = 8  # side of the spot in pixels: a one pixel wide line fills an eighth of it
NOISE = 3  # levels of 255: differences up to this are taken for noise of a sensor


def similarity(a: np.ndarray, b: np.ndarray) -> float:
    """1 minus the largest mean difference over all 8 x 8 px windows and channels, in [0, 1].

    ``a``, ``b``: ``(H, W, 3)`` uint8 of one size. The windows lie at every position, so that a stroke cannot hide by
    straddling two of them. Of each pixel's absolute difference the first 3 levels are left out as noise, so a slow
    drift is seen once it exceeds them. A line one pixel wide that is 12 levels darker than its paper gives 0.9956;
    independent noise of sigma 1 on both pictures gives 0.9993, above the default threshold of 0.998. JPEG makes such
    noise coarser (0.99 at quality 90, 0.98 at 75): a camera that compresses needs a lower threshold to come to rest.
    """
    excess = cv2.subtract(cv2.absdiff(a, b), np.full(4, NOISE, np.float64))  # one for each channel; stops at 0
    height, width, channels = excess.shape
    left, top, across, down = cv2.boundingRect(excess.reshape(height, width * channels))
    if not across:
        return 1.0
    first, last = left // channels, (left + across - 1) // channels
    part = excess[top : top + down, first : last + 1]
    # Around the bounding box all differences are 0, as the constant border says.
    sums = cv2.boxFilter(part, cv2.CV_16U, (TILE, TILE), normalize=False, borderType=cv2.BORDER_CONSTANT)
    return 1.0 - float(sums.max()) / (TILE * TILE * 255)


class Gate:
    """Compares frames with the last rendered one, not with the last seen one: so small changes add up until they count.

    ``threshold``: a frame at least this similar is unchanged; 1 means that only noise is, None that nothing is.
    ``max_skip``: after this many unchanged frames in a row the next counts as changed all the same; None means never.
    One gate belongs to one thread.
    """

    def __init__(self, threshold: float | None = 0.998, max_skip: int | None = None) -> None:
        self._threshold = threshold
        self._max_skip = max_skip
        self._rendered: np.ndarray | None = None
        self._skipped = 0

    def changed(self, pixels: np.ndarray) -> bool:
        """Whether ``pixels``, ``(H, W, 3)`` uint8, should be rendered. A frame of another size always should."""
        if self._threshold is None or self._rendered is None or self._rendered.shape != pixels.shape:
            return True
        if self._max_skip is not None and self._skipped >= self._max_skip:
            return True
        if similarity(self._rendered, pixels) < self._threshold:
            return True
        self._skipped += 1
        return False

    def accept(self, pixels: np.ndarray) -> None:
        """Remember ``pixels`` as rendered. They are copied, so the caller may go on using the array."""
        self._skipped = 0
        if self._threshold is None:
            return
        if self._rendered is None or self._rendered.shape != pixels.shape:
            self._rendered = pixels.copy()
        else:
            np.copyto(self._rendered, pixels)

    def reset(self) -> None:
        """Forget the rendered frame: the next one counts as changed."""
        self._rendered = None
        self._skipped = 0
