"""One picture of many: sketches above renders, with what they show written below."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from ..base.frame import Size, place
from .showcase import Shot

PAGE, TEXT, FAINT = (24, 24, 27), (235, 235, 235), (150, 150, 155)
GAP, FONT, HEADING = 12, 15, 20  # pixels
LINES = 3  # of a prompt, at most


def contact_sheet(drawings: Sequence[Sequence[Shot]], title: str) -> np.ndarray:
    """A page ``(H, W, 3)`` uint8 RGB of at most six columns; the shots of a drawing stay side by side.

    Raises ValueError when there is nothing to show.
    """
    shots = [shot for drawing in drawings for shot in drawing]
    if not shots:
        raise ValueError("contact sheet: got no shots, expected at least one")
    from PIL import Image, ImageDraw

    stages = len(drawings[0])
    columns = min(len(shots), stages * max(1, 6 // stages) if stages < 4 else stages)
    rows = -(-len(shots) // columns)
    size = Size.of(shots[0].render)
    line = FONT + 4
    cell = Size(size.width + GAP, 2 * size.height + (LINES + 1) * line + 3 * GAP)
    top = HEADING + 2 * GAP
    page = Image.new("RGB", (columns * cell.width + GAP, top + rows * cell.height), PAGE)
    pen = ImageDraw.Draw(page)
    pen.text((GAP, GAP), _shortened(pen, title, page.width - 2 * GAP, _font(HEADING)), TEXT, _font(HEADING))
    for index, shot in enumerate(shots):
        x = GAP + index % columns * cell.width
        y = top + index // columns * cell.height
        for number, picture in enumerate((shot.sketch, shot.render)):
            fitted = place(Size.of(picture), size, "letterbox").apply(picture)
            page.paste(Image.fromarray(fitted), (x, y + number * (size.height + GAP // 2)))
        y += 2 * size.height + GAP
        pen.text((x, y), _stage(shot.done), FAINT, _font(FONT))
        for number, text in enumerate(_wrapped(pen, shot.prompt, size.width)):
            pen.text((x, y + (number + 1) * line), text, TEXT, _font(FONT))
    return np.asarray(page)


def _stage(done: float | None) -> str:
    if done is None:
        return "being drawn"
    return "finished" if done == 1.0 else f"{done:.0%} drawn"


@cache
def _font(height: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(height)


def _shortened(pen: Any, text: str, width: int, font: Any) -> str:
    if pen.textlength(text, font) <= width:
        return text
    while text and pen.textlength(f"{text}...", font) > width:
        text = text[:-1]
    return f"{text.rstrip()}..."


def _wrapped(pen: Any, text: str, width: int) -> list[str]:
    """At most ``LINES`` lines that fit; the last one says that there was more."""
    lines = [""]
    words = text.split()
    for number, word in enumerate(words):
        longer = f"{lines[-1]} {word}".strip()
        if pen.textlength(longer, _font(FONT)) <= width or not lines[-1]:
            lines[-1] = longer
        elif len(lines) == LINES:
            lines[-1] = " ".join([lines[-1], *words[number:]])
            break
        else:
            lines.append(word)
    return [_shortened(pen, line, width, _font(FONT)) for line in lines]
