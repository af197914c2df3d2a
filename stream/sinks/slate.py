"""The calm picture that is shown while there is no picture yet."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..base.frame import Size

BACKGROUND = 22  # gray level; letterbox borders have it too
DARK = (BACKGROUND, BACKGROUND, BACKGROUND)
INK = (104, 146, 214)
_TITLE = (216, 216, 212)
_NOTE = (134, 134, 132)


@lru_cache(maxsize=4)
def slate(size: Size, title: str = "inkstream", note: str = "warming up") -> np.ndarray:
    """Draw ``title``, a stroke of ink, and ``note``: ``(H, W, 3)`` uint8 RGB; do not change it."""
    from PIL import Image, ImageDraw, ImageFont

    picture = np.full((size.height, size.width, 3), BACKGROUND, np.uint8)
    unit = min(size.width, size.height * 1.4) / 100
    width, height = (max(1, min(side, round(part * unit))) for side, part in zip(size, (80, 40), strict=True))
    finer = 2  # drawn larger and made smaller, so that the stroke has a smooth edge
    middle = Image.new("RGB", (width * finer, height * finer), (BACKGROUND,) * 3)
    draw = ImageDraw.Draw(middle)
    x, y, unit = width * finer / 2, height * finer / 2, unit * finer
    for text, below, tall, colour in ((title, -3.0, 9.0, _TITLE), (note, 9.5, 3.4, _NOTE)):
        font = ImageFont.load_default(max(4, round(tall * unit)))
        draw.text((x, y + below * unit), text, colour, font, anchor="ms")
    for along in np.linspace(-1.0, 1.0, 400):  # thin where the pen goes down, thick in the middle, thin again
        left, top = x + 15 * unit * along, y + (2.0 + 0.5 * np.sin(2.8 * along)) * unit
        radius = 0.12 * unit + 0.5 * unit * (1 - along**2)
        draw.ellipse((left - radius, top - radius, left + radius, top + radius), fill=INK)
    left, top = (size.width - width) // 2, (size.height - height) // 2
    smooth = middle.resize((width, height), Image.Resampling.BOX)
    picture[top : top + height, left : left + width] = np.asarray(smooth)
    return picture
