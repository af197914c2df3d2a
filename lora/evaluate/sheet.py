"""One picture for the eye: sketches, what became of them, and the truth, column by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np

PAGE, TEXT, FAINT = (24, 24, 27), (235, 235, 235), (150, 150, 155)
GAP, FONT, HEADING, MARGIN = 8, 16, 22, 128  # pixels
CAPTION_LINES = 5
MOST_COLUMNS = 10
CELL = 208  # pixels that a picture has on the page, at most


def columns_of(count: int, most: int = MOST_COLUMNS) -> list[int]:
    """Which of ``count`` samples are shown: at most ``most``, spread evenly."""
    shown = min(count, most)
    return [place * count // shown for place in range(shown)]


def sheet(
    rows: Mapping[str, Mapping[int, np.ndarray]], captions: Mapping[int, str], title: str, notes: Sequence[str] = ()
) -> np.ndarray:
    """A page (H, W, 3) uint8 RGB: one row for each label, one column for each sample that ``captions`` names.

    ``rows`` has pictures (H, W) or (H, W, 3) uint8 by the index of their sample; a missing one leaves its cell empty.
    Captions stand below, ``notes`` at the end. Raises ValueError when there is nothing to show.
    """
    first = next((picture for row in rows.values() for picture in row.values()), None)
    if first is None or not captions:
        raise ValueError("sheet: got no pictures, expected at least one")
    from PIL import Image, ImageDraw

    side = min(CELL, max(first.shape[:2]))
    width = MARGIN + len(captions) * (side + GAP) + GAP
    top = HEADING + 2 * GAP
    below = top + len(rows) * (side + GAP)
    line = FONT + 3
    page = Image.new("RGB", (width, below + CAPTION_LINES * line + len(notes) * line + 3 * GAP), PAGE)
    pen = ImageDraw.Draw(page)
    pen.text((GAP, GAP), title, TEXT, font(HEADING))
    for number, (label, pictures) in enumerate(rows.items()):
        y = top + number * (side + GAP)
        for place, text in enumerate(_wrapped(pen, label, MARGIN - 2 * GAP)):
            pen.text((GAP, y + place * line), text, TEXT, font(FONT))
        for column, index in enumerate(captions):
            if index in pictures:
                page.paste(Image.fromarray(_cell(pictures[index], side)), (MARGIN + column * (side + GAP), y))
    for column, caption in enumerate(captions.values()):
        for place, text in enumerate(_wrapped(pen, caption, side)[:CAPTION_LINES]):
            pen.text((MARGIN + column * (side + GAP), below + place * line), text, FAINT, font(FONT))
    for place, text in enumerate(notes):
        pen.text((GAP, below + (CAPTION_LINES + place) * line + GAP), text, FAINT, font(FONT))
    return np.asarray(page)


def _cell(picture: np.ndarray, side: int) -> np.ndarray:
    if picture.ndim == 2:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
    shrinks = max(picture.shape[:2]) > side
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST)


def _wrapped(pen: Any, text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if pen.textlength(longer, font(FONT)) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


@cache
def font(height: int) -> Any:
    """The one typeface of all pages."""
    from PIL import ImageFont

    return ImageFont.load_default(height)
