"""How near a render is to its truth and to its sketch: pure functions of pictures, (H, W, 3) uint8 RGB.

``psnr`` and ``ssim`` are those that engines are judged by. An absolute edge F1 says little: a wrong picture that merely
has many lines reaches 0.4. What counts is the margin over drawings of other things.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np

from ...stream.base.measures import covered, edges, psnr, ssim

LINE = 110  # of 255: from this level on a sketch has a line
TOLERANCE = 2  # pixels
OTHERS = 8  # drawings of other things that one render is held against, at most
BEST_PSNR = 60.0  # dB; pictures nearer than that count as this near, so that one equal pair decides nothing


def nearness(picture: np.ndarray, truth: np.ndarray) -> float:
    """PSNR in dB, at most 60."""
    return min(BEST_PSNR, psnr(picture, truth))


def against_truth(
    picture: np.ndarray, truth: np.ndarray, sketch: np.ndarray, others: Sequence[np.ndarray]
) -> dict[str, float]:
    """A render held against the true picture, its sketch and ``others``: ``edge_margin`` only where there are some."""
    found = {"edge_f1": line_f1(picture, sketch), "psnr_db": nearness(picture, truth), "ssim": ssim(picture, truth)}
    return found | ({"edge_margin": edge_margin(picture, sketch, others)} if others else {})


def line_f1(picture: np.ndarray, sketch: np.ndarray, tolerance: int = TOLERANCE) -> float:
    """F1 of a picture's edges against the lines of ``sketch`` (H, W) uint8, white on black, 0 to 1.

    Edges are Canny's (1986; thresholds 40 and 100) after a blur of sigma 1; an edge and a line agree when they are at
    most ``tolerance`` pixels apart. No line and no edge agree too.
    """
    found, drawn = edges(picture), sketch > LINE
    if not found.any() and not drawn.any():
        return 1.0
    precision, recall = covered(found, drawn, tolerance), covered(drawn, found, tolerance)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def edge_margin(picture: np.ndarray, sketch: np.ndarray, others: Sequence[np.ndarray]) -> float:
    """``line_f1`` against the picture's own sketch, less its mean against sketches of other things: -1 to 1."""
    return line_f1(picture, sketch) - float(np.mean([line_f1(picture, other) for other in others]))


def others(index: int, pictures: Sequence[str], most: int = OTHERS) -> list[int]:
    """Which samples stand for other things than ``index``: the next ones of another picture, and round to the first.

    ``pictures`` says of each sample which picture it is of: several drawings of one are no others of each other.
    """
    count = len(pictures)
    around = ((index + step) % count for step in range(1, count))
    return [other for other in around if pictures[other] != pictures[index]][:most]


def sharpness(picture: np.ndarray) -> float:
    """Mean of the absolute Laplacian (3 x 3, four neighbours) of the luma, in levels of 255."""
    return float(np.abs(cv2.Laplacian(_luma(picture), cv2.CV_32F)).mean())


def flicker(renders: Sequence[np.ndarray], truths: Sequence[np.ndarray]) -> float:
    """How much the error of a sequence changes from picture to picture, in levels of 255.

    The error is render less truth, so that what moves in the truth is no flicker, and what is wrong in the same way
    in every picture is none either: mean over pixels and pairs of neighbours in time of |error(t + 1) - error(t)|.
    Raises ValueError for less than two pictures, or unequally many.
    """
    if len(renders) < 2:
        raise ValueError(f"flicker: got {len(renders)} pictures, expected at least 2")
    errors = [got.astype(np.int16) - wanted for got, wanted in zip(renders, truths, strict=True)]
    return mean_change(errors)


def mean_change(pictures: Sequence[np.ndarray]) -> float:
    """Mean absolute change from picture to picture, in levels of 255."""
    signed = [picture.astype(np.int16) for picture in pictures]
    return float(np.mean([np.abs(after - before).mean() for before, after in pairwise(signed)]))


def _luma(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
