"""What is drawn, cut out of the bare paper: for whoever lays the render over something else."""

from __future__ import annotations

import cv2
import numpy as np

from ..base.frame import Output, reduced

SIDE = 512  # of the picture in which it is looked for, at most
GAP = 1 / 80  # of the shorter side: gaps in a line up to this wide let no background in
SOFT = 1 / 400  # of the shorter side: how soft the edge is


def opacity(output: Output) -> np.ndarray:
    """How much of each pixel of the render is seen, (H, W) uint8: 255 on lines and in what they enclose, 0 outside.

    Outside is the bare paper that can be reached from the picture's border without crossing a line. All 255 where the
    drawing has no paper (a photo, a painted canvas), or did not come along.
    """
    from ...adapters import ink_matte  # few cut anything out, and a window is there sooner without

    height, width = output.pixels.shape[:2]
    if output.input is None:
        return np.full((height, width), 255, np.uint8)
    ink = (ink_matte(reduced(output.input, SIDE)) > 0.25).astype(np.uint8)
    reach = max(1, round(min(ink.shape) * GAP / 2))
    closer = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    around = 2 * reach + 2
    lines = cv2.dilate(np.pad(ink, around), closer)
    cv2.floodFill(lines, np.zeros((lines.shape[0] + 2, lines.shape[1] + 2), np.uint8), (0, 0), [2])  # from the border
    inside = cv2.erode((lines != 2).astype(np.uint8) * 255, closer)[around:-around, around:-around]
    inside = cv2.max(inside, 255 * ink)
    if inside.shape != (height, width):
        inside = cv2.resize(inside, (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.GaussianBlur(inside, (0, 0), max(0.5, SOFT * min(height, width)))


def over(output: Output, colour: tuple[int, int, int]) -> np.ndarray:
    """The render where something is drawn, else ``colour``: (H, W, 3) uint8 RGB."""
    seen = opacity(output)[..., None].astype(np.uint16)
    return ((output.pixels * seen + np.array(colour, np.uint16) * (255 - seen) + 127) // 255).astype(np.uint8)


def with_opacity(output: Output, cut: bool) -> np.ndarray:
    """(H, W, 4) uint8 RGBA, straight alpha; without ``cut`` all is seen."""
    seen = opacity(output) if cut else np.full(output.pixels.shape[:2], 255, np.uint8)
    return np.dstack([output.pixels, seen])
