"""Pages to look at: pictures on dark ground, with words beside them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

PAGE, TEXT, FAINT = (24, 24, 27), (235, 235, 235), (150, 150, 155)


class Page:
    """A page of ``width`` x ``height`` pixels; places on it are pixels from the left and from the top."""

    def __init__(self, width: int, height: int) -> None:
        from PIL import Image, ImageDraw

        self._image = Image.new("RGB", (width, height), PAGE)
        self._pen = ImageDraw.Draw(self._image)

    def picture(self, x: int, y: int, pixels: np.ndarray) -> None:
        """Put a picture there, (H, W) or (H, W, 3) uint8 RGB."""
        from PIL import Image

        self._image.paste(Image.fromarray(pixels), (x, y))

    def write(
        self,
        x: int,
        y: int,
        text: str,
        size: int,
        colour: tuple[int, int, int] = TEXT,
        width: int | None = None,
        lines: int = 1,
    ) -> None:
        """Write text ``size`` pixels high; with a ``width``, in at most so many ``lines``, the last one cut to fit."""
        font = _font(size)
        for number, line in enumerate([text] if width is None else self._wrapped(text, font, width, lines)):
            self._pen.text((x, y + number * (size + 4)), line, colour, font)

    def pixels(self) -> np.ndarray:
        """The page, (H, W, 3) uint8 RGB."""
        return np.asarray(self._image)

    def _wrapped(self, text: str, font: Any, width: int, most: int) -> list[str]:
        lines, words = [""], text.split()
        for number, word in enumerate(words):
            longer = f"{lines[-1]} {word}".strip()
            if not lines[-1] or self._pen.textlength(longer, font) <= width:
                lines[-1] = longer
            elif len(lines) < most:
                lines.append(word)
            else:
                lines[-1] = " ".join([lines[-1], *words[number:]])
                break
        return [self._cut(line, font, width) for line in lines]

    def _cut(self, line: str, font: Any, width: int) -> str:
        if self._pen.textlength(line, font) <= width:
            return line
        while line and self._pen.textlength(f"{line}...", font) > width:
            line = line[:-1]
        return f"{line.rstrip()}..."


@cache
def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)
