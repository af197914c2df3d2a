"""One picture of many: sketches above renders, with what they show written below."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..base.frame import Size, place
from ..base.page import FAINT, Page
from .showcase import Shot

GAP, FONT, HEADING = 12, 15, 20  # pixels
LINES = 3  # of a prompt, at most


def contact_sheet(drawings: Sequence[Sequence[Shot]], title: str) -> np.ndarray:
    """A page ``(H, W, 3)`` uint8 RGB of at most six columns; the shots of a drawing stay side by side.

    Raises ValueError when there is nothing to show.
    """
    shots = [shot for drawing in drawings for shot in drawing]
    if not shots:
        raise ValueError("contact sheet: got no shots, expected at least one")
    stages = len(drawings[0])
    columns = min(len(shots), stages * max(1, 6 // stages) if stages < 4 else stages)
    rows = -(-len(shots) // columns)
    size = Size.of(shots[0].render)
    line = FONT + 4
    cell = Size(size.width + GAP, 2 * size.height + (LINES + 1) * line + 3 * GAP)
    top = HEADING + 2 * GAP
    width = columns * cell.width + GAP
    page = Page(width, top + rows * cell.height)
    page.write(GAP, GAP, title, HEADING, width=width - 2 * GAP)
    for index, shot in enumerate(shots):
        x = GAP + index % columns * cell.width
        y = top + index // columns * cell.height
        for number, picture in enumerate((shot.sketch, shot.render)):
            fitted = place(Size.of(picture), size, "letterbox").apply(picture)
            page.picture(x, y + number * (size.height + GAP // 2), fitted)
        y += 2 * size.height + GAP
        page.write(x, y, shot.said or _stage(shot.done), FONT, FAINT)
        page.write(x, y + line, shot.prompt, FONT, width=size.width, lines=LINES)
    return page.pixels()


def _stage(done: float | None) -> str:
    if done is None:
        return "being drawn"
    return "finished" if done == 1.0 else f"{done:.0%} drawn"
