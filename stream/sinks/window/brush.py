"""Words and panels on a surface of pygame; all sizes go by one unit, the height of a letter."""

from __future__ import annotations

from typing import Any

from .fonts import Fonts
from .scene import PANEL, Colour

LONGEST_TEXT = 400  # characters that are ever drawn in one line; a font fails at very long ones
MOST_SHEETS, LARGEST_SHEET = 12, 1 << 19  # of those that are kept: how many, and pixels
SMALLEST, LARGEST = 14, 30  # pixels of the unit
READABLE = 12  # pixels of letters that can be read; a font for them has 13 or more


class Brush:
    """``unit`` in pixels; ``fit`` sets it for a window of a size. ``fonts``: letters that another brush has already."""

    def __init__(self, pygame: Any, fonts: Fonts | None = None) -> None:
        self.pygame = pygame
        self.fonts = fonts or Fonts(pygame)
        self.unit = 16
        self._sheets: dict[tuple[Any, ...], Any] = {}  # what takes long to draw smoothly

    def fit(self, size: tuple[int, int]) -> None:
        """Take the unit that suits a window of ``size`` pixels."""
        self.unit = int(min(LARGEST, max(SMALLEST, min(size[0], size[1] * 1.4) / 46)))

    def font(self, text: str, scale: float) -> Any:
        """A font that has the letters of ``text``, ``scale`` units high."""
        return self.fonts.of(text, max(READABLE, round(scale * self.unit)))

    def text(self, text: str, colour: Colour, scale: float, whole: str = "") -> Any:
        """A surface with the text; ``whole``: it is a part of this, and looks like it."""
        return self.font(whole or text, scale).render(text, True, colour)

    def shortened(self, text: str, most: int, scale: float) -> str:
        """The text, or its beginning and three points, at most ``most`` pixels wide."""
        if self.font(text, scale).size(text)[0] <= most:
            return text
        return text[: self._start(text, most, scale, "...")] + "..."

    def wrapped(self, line: str, most: int, scale: float, lines_at_most: int = 8) -> list[str]:
        """A line as several that are at most so wide: at its spaces, and where it has none, anywhere.

        What does not fit into ``lines_at_most`` is left out.
        """
        lines: list[str] = []
        for word in line.split():
            while len(word) > 1 and self.font(word, scale).size(word[:LONGEST_TEXT])[0] > most:  # without spaces
                start = self._start(word[:LONGEST_TEXT], most, scale)
                lines.append(word[:start])
                word = word[start:]
                if len(lines) > lines_at_most:
                    return lines[:lines_at_most]
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and self.font(longer, scale).size(longer)[0] <= most:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines[:lines_at_most]

    def panel(self, surface: Any, box: Any, strength: int, radius: int, colour: Colour = PANEL) -> None:
        """A translucent sheet with smooth round corners; ``strength`` 0 to 255."""
        surface.blit(self._sheet(box.size, (*colour, strength), radius, 0), box)

    def ring(self, surface: Any, box: Any, thick: int, radius: int, colour: Colour) -> None:
        """A smooth frame with round corners, ``thick`` pixels, inside of ``box``."""
        surface.blit(self._sheet(box.size, (*colour, 255), radius, thick), box)

    def dot(self, surface: Any, centre: tuple[int, int], radius: float, colour: Colour) -> None:
        """A smooth disc."""
        finer = 4
        side = 2 * round(radius) + 2
        dot = self.pygame.Surface((side * finer, side * finer), self.pygame.SRCALPHA)
        dot.fill((*colour, 0))
        middle = side * finer // 2
        self.pygame.draw.circle(dot, colour, (middle, middle), radius * finer)
        dot = self.pygame.transform.smoothscale(dot, (side, side))
        surface.blit(dot, dot.get_rect(center=centre))

    def _sheet(self, size: tuple[int, int], colour: tuple[int, ...], radius: int, thick: int) -> Any:
        key = (size, colour, radius, thick)
        if key in self._sheets:
            return self._sheets[key]
        finer = 3 if radius else 1
        sheet = self.pygame.Surface((size[0] * finer, size[1] * finer), self.pygame.SRCALPHA)
        sheet.fill((*colour[:3], 0))
        self.pygame.draw.rect(sheet, colour, sheet.get_rect(), thick * finer, border_radius=radius * finer)
        if finer > 1:
            sheet = self.pygame.transform.smoothscale(sheet, size)
        if size[0] * size[1] <= LARGEST_SHEET:
            if len(self._sheets) >= MOST_SHEETS:
                self._sheets.pop(next(iter(self._sheets)))
            self._sheets[key] = sheet
        return sheet

    def _start(self, text: str, most: int, scale: float, end: str = "") -> int:
        """How many characters of a text, at least one, are at most so wide with ``end`` behind them."""
        font, keep, drop = self.font(text, scale), 1, len(text)
        while drop - keep > 1:
            middle = (keep + drop) // 2
            keep, drop = (middle, drop) if font.size(text[:middle] + end)[0] <= most else (keep, middle)
        return keep
