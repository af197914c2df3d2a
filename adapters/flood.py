"""Paint that runs on to the lines of a drawing, so that a page of blobs becomes a page without gaps."""

from __future__ import annotations

import cv2
import numpy as np

from .snap import UNDECIDED, Painted

ENOUGH = 0.35  # of the page: with less paint than that, nobody knows what the rest shall be
FLOODED = 256  # pixels of the longer side at which it is done


def run_on(found: Painted, lines: np.ndarray) -> np.ndarray:
    """Labels (H, W) uint8 of a page on which each class has spread over what is bare beside it, up to ``lines`` (H, W)
    uint8, white on black, and to paint of other classes and colours. Where little is painted they are as they were.

    The watershed of Meyer (1992): all areas grow at the same pace, and pass lines last.
    """
    labels = found.labels
    if np.count_nonzero(labels != UNDECIDED) < ENOUGH * labels.size:
        return labels
    height, width = labels.shape
    shrink = max(1.0, max(height, width) / FLOODED)
    size = (round(width / shrink), round(height / shrink))
    marks = np.where(found.hints, UNDECIDED + 1, labels.astype(np.int32) + 1)
    marks[(labels == UNDECIDED) & ~found.hints] = 0
    small = cv2.resize(marks, size, interpolation=cv2.INTER_NEAREST) if shrink > 1 else marks
    ridges = cv2.resize(lines, size, interpolation=cv2.INTER_AREA) if shrink > 1 else lines
    grown = cv2.watershed(cv2.cvtColor(ridges, cv2.COLOR_GRAY2RGB), small.astype(np.int32))
    grown = grown.clip(0, UNDECIDED + 1).astype(np.uint16)
    for _ in range(2):  # the borders between areas, and the page's own
        grown = np.where(grown == 0, cv2.dilate(grown, np.ones((3, 3), np.uint8)), grown)
    grown = np.where((grown == 0) | (grown > UNDECIDED), UNDECIDED + 1, grown) - 1
    grown = cv2.resize(grown.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    return np.where((labels == UNDECIDED) & ~found.hints, grown, labels)
