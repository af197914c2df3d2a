"""One picture for the eye: sketches, what became of them, and the truth, column by column."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from ...stream.base.page import FAINT, Page

GAP, FONT, HEADING, MARGIN = 8, 16, 22, 128  # pixels
CAPTION_LINES, LABEL_LINES = 5, 4
MOST_COLUMNS = 10
CELL = 208  # pixels that a picture has on the page, at most


def columns_of(count: int) -> list[int]:
    """Which of ``count`` samples are shown: at most 10, spread evenly."""
    shown = min(count, MOST_COLUMNS)
    return [place * count // shown for place in range(shown)]


def sheet(rows: Mapping[str, Mapping[int, np.ndarray]], captions: Mapping[int, str], title: str) -> np.ndarray:
    """A page (H, W, 3) uint8 RGB: one row for each label, one column for each sample that ``captions`` names.

    ``rows`` has pictures (H, W) or (H, W, 3) uint8 by the index of their sample; a missing one leaves its cell empty.
    Captions stand below. Raises ValueError when there is nothing to show.
    """
    first = next((picture for row in rows.values() for picture in row.values()), None)
    if first is None or not captions:
        raise ValueError("sheet: got no pictures, expected at least one")
    side = min(CELL, max(first.shape[:2]))
    top = HEADING + 2 * GAP
    below = top + len(rows) * (side + GAP)
    page = Page(MARGIN + len(captions) * (side + GAP) + GAP, below + CAPTION_LINES * (FONT + 4) + 3 * GAP)
    page.write(GAP, GAP, title, HEADING)
    for number, (label, pictures) in enumerate(rows.items()):
        y = top + number * (side + GAP)
        page.write(GAP, y, label, FONT, width=MARGIN - 2 * GAP, lines=LABEL_LINES)
        for column, index in enumerate(captions):
            if index in pictures:
                page.picture(MARGIN + column * (side + GAP), y, _cell(pictures[index], side))
    for column, caption in enumerate(captions.values()):
        page.write(MARGIN + column * (side + GAP), below, caption, FONT, FAINT, side, CAPTION_LINES)
    return page.pixels()


def _cell(picture: np.ndarray, side: int) -> np.ndarray:
    shrinks = max(picture.shape[:2]) > side
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST)
