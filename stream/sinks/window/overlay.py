"""Draws the preview: picture, input, and the few words over them. Knows pygame surfaces, no events and no session."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np

from ...base.frame import Output, Size, place
from ..slate import BACKGROUND, INK, slate

Inset = Literal["off", "small", "side"]
Colour = tuple[int, int, int]

TEXT: Colour = (226, 226, 222)
QUIET: Colour = (164, 164, 160)
PANEL: Colour = (16, 16, 17)
LONGEST_TEXT = 400  # characters that are ever drawn in one line; a font fails at very long ones
STATES: dict[str, tuple[str, Colour]] = {
    "warming": ("warming up", (150, 150, 150)),
    "live": ("live", (112, 196, 128)),
    "settling": ("settling", (120, 168, 232)),
    "idle": ("idle", (128, 132, 138)),
    "frozen": ("frozen", (176, 206, 240)),
    "stalled": ("stalled", (236, 178, 84)),
    "reconnecting": ("reconnecting", (236, 178, 84)),
    "stopped": ("stopped", (214, 96, 84)),
}
KEYS = (
    ("Space", "freeze, and go on"),
    ("Ctrl+S or Enter", "keep this picture and its input"),
    ("P, Tab or /", "write the prompt"),
    ("Up, Down or +, -", "influence of the drawing"),
    ("I", "input: off, small, side by side"),
    ("S", "statistics"),
    ("F or F11", "full screen"),
    ("H or ?", "these keys"),
    ("Q or Esc", "quit"),
)


@dataclass(frozen=True)
class Scene:
    """All that can be seen. Two equal scenes give the same pixels, so only another one is drawn."""

    size: tuple[int, int] = (1, 1)  # of the window
    picture: int = 0  # counts the pictures; 0 is none yet
    inset: Inset = "off"
    state: str = "warming"
    statistics: tuple[tuple[str, str], ...] = ()
    help: bool = False
    toast: str = ""
    toast_strength: float = 1.0  # 1 is there, 0 is gone
    prompt: tuple[str, int, str] | None = None  # text, cursor, and what an input method is composing at the cursor


class Painter:
    """Draws scenes; keeps what was expensive for as long as it can be used again."""

    def __init__(self, pygame: Any) -> None:
        from PIL import ImageFont

        self._pygame = pygame
        font: Any = ImageFont.load_default(16)
        self._letters: bytes = font.font_bytes
        self._fonts: dict[int, Any] = {}
        self._scaled: dict[str, tuple[tuple[int, Size], Any]] = {}
        self._unit = 16

    def draw(self, surface: Any, scene: Scene, output: Output | None) -> None:
        """Draw ``scene`` with the pictures of ``output`` over all of ``surface``."""
        width, height = surface.get_size()
        self._unit = int(min(30, max(11, min(width, height * 1.4) / 46)))
        area = self._pygame.Rect(0, 0, width, height)
        if output is None:
            self._blit_pixels(surface, slate(Size(width, height)), area)
        else:
            surface.fill((BACKGROUND,) * 3)
            self._pictures(surface, scene, output, area)
        bottom = height - self._prompt(surface, scene, area)
        if output is not None or scene.state != "warming":
            self._pill(surface, scene.state)
        if scene.statistics:
            self._table(surface, scene.statistics, (self._unit, round(3.1 * self._unit)))
        if scene.help:
            self._help(surface, area)
        if scene.toast:
            self._toast(surface, scene, bottom)

    # --- pictures

    def _pictures(self, surface: Any, scene: Scene, output: Output, area: Any) -> None:
        drawing = output.input if scene.inset != "off" else None
        if drawing is not None and scene.inset == "side":
            wide = area.width >= area.height
            gap = max(2, self._unit // 4)
            if wide:
                half = (area.width - gap) // 2
                first, second = (0, 0, half, area.height), (half + gap, 0, area.width - half - gap, area.height)
            else:
                half = (area.height - gap) // 2
                first, second = (0, 0, area.width, half), (0, half + gap, area.width, area.height - half - gap)
            self._picture(surface, "input", drawing, scene.picture, self._pygame.Rect(first))
            self._picture(surface, "output", output.pixels, scene.picture, self._pygame.Rect(second))
            return
        shown = self._picture(surface, "output", output.pixels, scene.picture, area)
        if drawing is not None:
            side = max(24, round(0.26 * min(shown.width, shown.height)))
            box = self._pygame.Rect(0, 0, side, side)
            box.bottomright = shown.right - self._unit, shown.bottom - self._unit
            frame = self._inside(drawing, box)
            frame.bottomright = box.bottomright
            edge = frame.inflate(4, 4)
            surface.fill(PANEL, edge)
            self._picture(surface, "input", drawing, scene.picture, frame)

    def _picture(self, surface: Any, name: str, pixels: np.ndarray, number: int, area: Any) -> Any:
        """Draw pixels as large as they fit into ``area``; returns the rectangle that they cover."""
        inside = self._inside(pixels, area)
        key = (number, Size(*inside.size))
        if self._scaled.get(name, (None,))[0] != key:
            larger = inside.width > pixels.shape[1]
            way = cv2.INTER_CUBIC if larger else cv2.INTER_AREA
            same = inside.size == Size.of(pixels)
            self._scaled[name] = (key, pixels if same else cv2.resize(pixels, inside.size, interpolation=way))
        self._blit_pixels(surface, self._scaled[name][1], inside)
        return inside

    def _inside(self, pixels: np.ndarray, area: Any) -> Any:
        target = Size(max(1, area.width), max(1, area.height))
        inside = place(Size.of(pixels), target, "letterbox").inside
        return self._pygame.Rect(area.x + inside.x, area.y + inside.y, inside.width, inside.height)

    def _blit_pixels(self, surface: Any, pixels: np.ndarray, area: Any) -> None:
        surface.blit(self._pygame.image.frombuffer(pixels, Size.of(pixels), "RGB"), area)

    # --- words

    def _pill(self, surface: Any, state: str) -> None:
        word, colour = STATES.get(state, (state, QUIET))
        unit = self._unit
        text = self._text(word, TEXT, 0.86)
        box = self._pygame.Rect(unit, unit, text.get_width() + round(2.5 * unit), round(1.7 * unit))
        self._panel(surface, box, 176, box.height // 2)
        self._dot(surface, (box.x + unit, box.centery), 0.3 * unit, colour)
        surface.blit(text, text.get_rect(midleft=(box.x + round(1.65 * unit), box.centery - round(0.05 * unit))))

    def _table(self, surface: Any, rows: tuple[tuple[str, str], ...], corner: tuple[int, int]) -> None:
        unit = self._unit
        most = max(4 * unit, min(26 * unit, surface.get_width() - 12 * unit))
        names = [self._text(name, QUIET, 0.82) for name, _ in rows]
        values = [self._text(self._shortened(value, most, 0.82), TEXT, 0.82) for _, value in rows]
        step = round(1.35 * unit)
        left = max(name.get_width() for name in names) + unit
        width = left + max(value.get_width() for value in values) + 2 * unit
        box = self._pygame.Rect(*corner, width, step * len(rows) + unit)
        self._panel(surface, box, 222, unit // 2)
        for index, (name, value) in enumerate(zip(names, values, strict=True)):
            y = box.y + unit // 2 + index * step + step // 2
            surface.blit(name, name.get_rect(midleft=(box.x + unit, y)))
            surface.blit(value, value.get_rect(midleft=(box.x + unit + left, y)))

    def _help(self, surface: Any, area: Any) -> None:
        unit = self._unit
        keys = [self._text(key, TEXT, 0.95) for key, _ in KEYS]
        meanings = [self._text(meaning, QUIET, 0.95) for _, meaning in KEYS]
        step = round(1.75 * unit)
        left = max(key.get_width() for key in keys) + 2 * unit
        width = left + max(meaning.get_width() for meaning in meanings) + 4 * unit
        box = self._pygame.Rect(0, 0, width, step * len(KEYS) + 3 * unit)
        box.center = area.center
        self._panel(surface, box, 240, unit)
        for index, (key, meaning) in enumerate(zip(keys, meanings, strict=True)):
            y = box.y + round(1.5 * unit) + index * step + step // 2
            surface.blit(key, key.get_rect(midleft=(box.x + 2 * unit, y)))
            surface.blit(meaning, meaning.get_rect(midleft=(box.x + 2 * unit + left, y)))

    def _toast(self, surface: Any, scene: Scene, bottom: int) -> None:
        unit = self._unit
        most = max(4 * unit, surface.get_width() - 6 * unit)
        lines = [part for line in scene.toast.splitlines() for part in self._wrapped(line, most, 0.95)][:5]
        drawn = [self._text(self._shortened(line, most, 0.95), TEXT, 0.95) for line in lines]
        step = round(1.4 * unit)
        width = max(text.get_width() for text in drawn) + 2 * unit
        card = self._pygame.Surface((width, step * len(drawn) + round(0.9 * unit)), self._pygame.SRCALPHA)
        self._panel(card, card.get_rect(), 214, round(0.8 * unit))
        for index, text in enumerate(drawn):
            middle = round(0.45 * unit) + index * step + step // 2
            card.blit(text, text.get_rect(center=(width // 2, middle)))
        card.set_alpha(round(255 * scene.toast_strength))
        surface.blit(card, card.get_rect(midbottom=(surface.get_width() // 2, bottom - round(1.4 * unit))))

    def _prompt(self, surface: Any, scene: Scene, area: Any) -> int:
        """Draw the line in which the prompt is written; returns its height."""
        if scene.prompt is None:
            return 0
        unit = self._unit
        text, cursor, composed = scene.prompt
        before, after = text[max(0, cursor - LONGEST_TEXT) : cursor], text[cursor : cursor + LONGEST_TEXT]
        label = self._text("prompt", QUIET, 0.86)
        hint = self._text("Enter applies   Esc cancels", QUIET, 0.72)
        parts = ((before, TEXT), (composed, INK), (after, TEXT))
        head, composing, tail = (self._text(part, colour, 1.05, before + composed + after) for part, colour in parts)
        box = self._pygame.Rect(0, area.bottom - round(2.9 * unit), area.width, round(2.9 * unit))
        self._panel(surface, box, 232, 0)
        surface.blit(label, label.get_rect(midleft=(unit, box.centery)))
        left, right = 2 * unit + label.get_width(), box.width - unit
        if box.width > 40 * unit:
            surface.blit(hint, hint.get_rect(midright=(right, box.centery)))
            right -= hint.get_width() + unit
        caret = head.get_width() + composing.get_width()
        start = left - max(0, caret - max(1, right - left - 2))  # a long text moves left, so that the caret is seen
        surface.set_clip(self._pygame.Rect(left, box.y, max(1, right - left), box.height))
        for part in (head, composing, tail):
            surface.blit(part, part.get_rect(midleft=(start, box.centery + 1)))
            start += part.get_width()
        x = min(right - 2, start - tail.get_width())
        self._pygame.draw.line(surface, INK, (x, box.y + 0.7 * unit), (x, box.bottom - 0.7 * unit), 2)
        surface.set_clip(None)
        return box.height

    # --- pieces

    def _font(self, text: str, scale: float) -> Any:
        """The calm font that Pillow brings has ASCII letters only; for others pygame's bolder one."""
        size = max(9, round(scale * self._unit))
        if size not in self._fonts:
            font = self._pygame.font.Font
            self._fonts[size] = font(io.BytesIO(self._letters), round(1.12 * size)), font(None, round(1.4 * size))
        calm, other = self._fonts[size]
        return calm if text.isascii() else other

    def _text(self, text: str, colour: Colour, scale: float, whole: str = "") -> Any:
        return self._font(whole or text, scale).render(text, True, colour)

    def _shortened(self, text: str, most: int, scale: float) -> str:
        font = self._font(text, scale)
        if font.size(text)[0] <= most:
            return text
        keep, drop = 0, len(text)
        while drop - keep > 1:
            middle = (keep + drop) // 2
            keep, drop = (middle, drop) if font.size(text[:middle] + "...")[0] <= most else (keep, middle)
        return text[:keep] + "..."

    def _wrapped(self, line: str, most: int, scale: float) -> list[str]:
        """A line as several that are at most so wide, where it has spaces."""
        lines: list[str] = []
        for word in line.split():
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and self._font(longer, scale).size(longer)[0] <= most:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines

    def _panel(self, surface: Any, box: Any, strength: int, radius: int) -> None:
        """A dark translucent sheet with smooth round corners."""
        finer = 3 if radius else 1
        sheet = self._pygame.Surface((box.width * finer, box.height * finer), self._pygame.SRCALPHA)
        sheet.fill((*PANEL, 0))
        self._pygame.draw.rect(sheet, (*PANEL, strength), sheet.get_rect(), border_radius=radius * finer)
        if finer > 1:
            sheet = self._pygame.transform.smoothscale(sheet, box.size)
        surface.blit(sheet, box)

    def _dot(self, surface: Any, centre: tuple[int, int], radius: float, colour: Colour) -> None:
        finer = 4
        side = 2 * round(radius) + 2
        dot = self._pygame.Surface((side * finer, side * finer), self._pygame.SRCALPHA)
        dot.fill((*colour, 0))
        middle = side * finer // 2
        self._pygame.draw.circle(dot, colour, (middle, middle), radius * finer)
        dot = self._pygame.transform.smoothscale(dot, (side, side))
        surface.blit(dot, dot.get_rect(center=centre))
