"""Draws the preview: its pictures, and the few words over them. Knows pygame surfaces, no events and no session."""

from __future__ import annotations

from typing import Any

from ...base.frame import Output, Rect, Size
from ..slate import DARK, INK, slate
from .brush import LONGEST_TEXT, Brush
from .fonts import Fonts
from .helpview import draw_help, pages
from .pictures import Pictures, Stage
from .scene import QUIET, RECORDING, STATES, TEXT, WARN, Line, Scene
from .toolviews import PAINTED

MOST_NOTES = 4  # lines under a prompt


class Painter:
    """Draws scenes; keeps what was expensive for as long as it can be used again. ``fonts``: those of another one."""

    def __init__(self, pygame: Any, fonts: Fonts | None = None) -> None:
        self._brush = Brush(pygame, fonts)
        self._pygame = pygame
        self._pictures = Pictures(pygame)

    @property
    def fonts(self) -> Fonts:
        """The letters that can be drawn."""
        return self._brush.fonts

    @property
    def unit(self) -> int:
        """Pixels of a letter's height, for the window as it was drawn last."""
        return self._brush.unit

    def help_pages(self, size: tuple[int, int]) -> int:
        """How many pages the help has in a window of ``size`` pixels."""
        self._brush.fit(size)
        return len(pages(self._brush, size))

    def draw(self, surface: Any, scene: Scene, output: Output | None) -> None:
        """Draw ``scene`` with the pictures of ``output`` over all of ``surface``."""
        width, height = surface.get_size()
        self._brush.fit((width, height))
        area = self._pygame.Rect(0, 0, width, height)
        stage: Stage | None = None
        background = scene.background or DARK
        if output is None and scene.background is not None:
            surface.fill(background)  # what is keyed out later is on air before there is a picture, too
        elif output is None:
            note = "" if scene.clean or scene.step else "warming up"
            self._pictures.pixels(surface, slate(Size(width, height), note=note), area)
        else:
            surface.fill(background)
            stage = self._pictures.draw(surface, scene, output, self._brush.unit)
        if scene.clean is not None:
            if stage is not None and scene.caption:
                self._caption(surface, scene.caption, stage.caption, stage.beside)
            return
        if output is None and scene.step:
            self._step(surface, scene.step, scene.done)
        bottom = height - (0 if scene.prompt is None else self._prompt(surface, scene.prompt, area))
        if output is not None or scene.state != "warming":
            self._pill(surface, scene.state, scene.recording, scene.busy)
        if scene.statistics:
            self._table(surface, scene.statistics, (self._brush.unit, round(3.1 * self._brush.unit)))
        if scene.tool is not None:
            PAINTED[type(scene.tool)](self._brush, surface, scene.tool)
            bottom = min(bottom, getattr(scene.tool, "top", bottom))
        if scene.help:
            draw_help(self._brush, surface, scene.help)
        if scene.toast:
            self._toast(surface, scene, bottom)
        if scene.question:
            self._question(surface, scene.question, area)

    # --- words

    def _pill(self, surface: Any, state: str, recording: str, busy: str) -> None:
        word, colour = STATES.get(state, (state, QUIET))
        word, colour = (f"{word}, {recording}", RECORDING) if recording else (word, colour)
        word = f"{word}, {busy}" if busy else word
        unit = self._brush.unit
        text = self._brush.text(word, TEXT, 0.86)
        box = self._pygame.Rect(unit, unit, text.get_width() + round(2.5 * unit), round(1.7 * unit))
        self._brush.panel(surface, box, 176, box.height // 2)
        self._brush.dot(surface, (box.x + unit, box.centery), 0.3 * unit, colour)
        surface.blit(text, text.get_rect(midleft=(box.x + round(1.65 * unit), box.centery - round(0.05 * unit))))

    def _table(self, surface: Any, rows: tuple[tuple[str, str], ...], corner: tuple[int, int]) -> None:
        unit = self._brush.unit
        most = max(4 * unit, min(26 * unit, surface.get_width() - 12 * unit))
        names = [self._brush.text(name, QUIET, 0.82) for name, _ in rows]
        values = [self._brush.text(self._brush.shortened(value, most, 0.82), TEXT, 0.82) for _, value in rows]
        step = round(1.35 * unit)
        left = max(name.get_width() for name in names) + unit
        width = left + max(value.get_width() for value in values) + 2 * unit
        box = self._pygame.Rect(*corner, width, step * len(rows) + unit)
        self._brush.panel(surface, box, 222, unit // 2)
        for index, (name, value) in enumerate(zip(names, values, strict=True)):
            y = box.y + unit // 2 + index * step + step // 2
            surface.blit(name, name.get_rect(midleft=(box.x + unit, y)))
            surface.blit(value, value.get_rect(midleft=(box.x + unit + left, y)))

    def _toast(self, surface: Any, scene: Scene, bottom: int) -> None:
        unit = self._brush.unit
        most = max(4 * unit, surface.get_width() - 6 * unit)
        lines = [part for line in scene.toast.splitlines() for part in self._brush.wrapped(line, most, 0.95)][:5]
        drawn = [self._brush.text(self._brush.shortened(line, most, 0.95), TEXT, 0.95) for line in lines]
        step = round(1.4 * unit)
        width = max(text.get_width() for text in drawn) + 2 * unit
        card = self._pygame.Surface((width, step * len(drawn) + round(0.9 * unit)), self._pygame.SRCALPHA)
        self._brush.panel(card, card.get_rect(), 214, round(0.8 * unit))
        for index, text in enumerate(drawn):
            middle = round(0.45 * unit) + index * step + step // 2
            card.blit(text, text.get_rect(center=(width // 2, middle)))
        card.set_alpha(round(255 * scene.toast_strength))
        surface.blit(card, card.get_rect(midbottom=(surface.get_width() // 2, bottom - round(1.4 * unit))))

    def _prompt(self, surface: Any, line: Line, area: Any) -> int:
        """Draw the line in which the prompt is written, and what is said of it below; returns the height of both."""
        unit = self._brush.unit
        most = max(4 * unit, area.width - 2 * unit)
        notes = [part for note in line.notes for part in self._brush.wrapped(note, most, 0.8)][:MOST_NOTES]
        step = round(1.2 * unit)
        below = step * len(notes) + (unit // 2 if notes else 0)
        box = self._pygame.Rect(0, area.bottom - round(2.9 * unit) - below, area.width, round(2.9 * unit))
        self._brush.panel(surface, self._pygame.Rect(0, box.y, box.width, box.height + below), 232, 0)
        self._edited(surface, line, box)
        for index, note in enumerate(notes):
            text = self._brush.text(self._brush.shortened(note, most, 0.8), WARN, 0.8)
            surface.blit(text, text.get_rect(midleft=(unit, box.bottom + index * step + step // 2 - unit // 4)))
        return box.height + below

    def _edited(self, surface: Any, line: Line, box: Any) -> None:
        """The text with its cursor and what is selected of it."""
        unit, cursor = self._brush.unit, line.cursor
        before, after = line.text[max(0, cursor - LONGEST_TEXT) : cursor], line.text[cursor : cursor + LONGEST_TEXT]
        label = self._brush.text("prompt", QUIET, 0.86)
        hint = self._brush.text("Enter applies   Esc cancels   Tab completes", QUIET, 0.72)
        parts, whole = ((before, TEXT), (line.composing, INK), (after, TEXT)), before + line.composing + after
        head, composing, tail = (self._brush.text(part, colour, 1.05, whole) for part, colour in parts)
        surface.blit(label, label.get_rect(midleft=(unit, box.centery)))
        left, right = 2 * unit + label.get_width(), box.width - unit
        if box.width > 48 * unit:
            surface.blit(hint, hint.get_rect(midright=(right, box.centery)))
            right -= hint.get_width() + unit
        caret = head.get_width() + composing.get_width()
        start = left - max(0, caret - max(1, right - left - 2))  # a long text moves left, so that the caret is seen
        surface.set_clip(self._pygame.Rect(left, box.y, max(1, right - left), box.height))
        first, last = (min(max(each - cursor + len(before), 0), len(before) + len(after)) for each in line.selected)
        if first < last:
            font, drawn = self._brush.font(whole, 1.05), before + after
            x, wide = start + font.size(drawn[:first])[0], font.size(drawn[first:last])[0]
            self._brush.panel(
                surface, self._pygame.Rect(x, box.y + 0.6 * unit, wide, box.height - 1.2 * unit), 110, 0, INK
            )
        for part in (head, composing, tail):
            surface.blit(part, part.get_rect(midleft=(start, box.centery + 1)))
            start += part.get_width()
        x = min(right - 2, start - tail.get_width())
        self._pygame.draw.line(surface, INK, (x, box.y + 0.7 * unit), (x, box.bottom - 0.7 * unit), 2)
        surface.set_clip(None)

    def _question(self, surface: Any, question: str, area: Any) -> None:
        unit = self._brush.unit
        text = self._brush.text(self._brush.shortened(question, max(4 * unit, area.width - 4 * unit), 1.15), TEXT, 1.15)
        box = text.get_rect(center=area.center).inflate(3 * unit, 2 * unit)
        self._brush.panel(surface, box, 240, unit)
        surface.blit(text, text.get_rect(center=box.center))

    def _step(self, surface: Any, words: str, done: float | None) -> None:
        """What comes before the first picture, and how much of it is done."""
        width, height = surface.get_size()
        unit, top = self._brush.unit, height // 2 + round(0.1 * min(width, height * 1.4))
        whole = self._pygame.Rect(0, 0, round(0.36 * width), max(2, unit // 5))
        whole.midtop = width // 2, min(height - 4, top)
        if done is not None:
            surface.fill((60, 60, 62), whole)
            surface.fill(INK, (*whole.topleft, round(whole.width * min(1.0, max(0.0, done))), whole.height))
        lines = [
            part for line in words.splitlines() for part in self._brush.wrapped(line, max(1, width - 3 * unit), 0.9)
        ]
        for index, line in enumerate(lines[:6]):
            text = self._brush.text(line, QUIET if index else TEXT, 0.9)
            surface.blit(text, text.get_rect(midtop=(width // 2, whole.bottom + unit + index * round(1.4 * unit))))

    def _caption(self, surface: Any, words: str, area: Rect, beside: bool) -> None:
        """The prompt, as large as it fits in a few lines; where it is not ``beside`` the picture it has a panel."""
        unit, tall = self._brush.unit, max(1, area.height)
        scale = 1.35
        while True:
            step = round(1.45 * scale * unit)
            room = max(1, (tall - (0 if beside else unit)) // step)
            lines = self._brush.wrapped(words, area.width - (0 if beside else 2 * unit), scale, room + 1)
            if len(lines) <= room or scale <= 0.7:
                break
            scale -= 0.1
        lines = lines[:room]
        drawn = [self._brush.text(line, TEXT, scale) for line in lines]
        left, top = area.x, area.y
        if not beside:
            wide, high = max(text.get_width() for text in drawn) + 2 * unit, step * len(drawn) + unit
            box = self._pygame.Rect(area.x, area.y + area.height - high, wide, high)
            self._brush.panel(surface, box, 190, unit // 2)
            left, top = box.x + unit, box.y + unit // 2
        for index, text in enumerate(drawn):
            surface.blit(text, (left, top + index * step))
