"""Draws a page, and says where each of its items is. Knows pygame surfaces, and neither events nor runs."""

from __future__ import annotations

import math
from functools import cached_property
from importlib.resources import files
from typing import Any, NamedTuple

import cv2
import numpy as np

from ...sinks.slate import BACKGROUND, INK
from ...sinks.window.fonts import Fonts
from .icons import icon
from .page import Item, Page

Colour = tuple[int, int, int]
TEXT, QUIET, FAINT = (230, 230, 226), (164, 164, 160), (104, 104, 102)
CARD, OVER, LINE, CHOSEN = (36, 36, 39), (48, 49, 54), (58, 58, 62), (44, 64, 104)
MARKS = {"good": (112, 196, 128), "bad": (232, 112, 96), "plain": (128, 132, 138)}
WELCOME = "welcome.webp"
PACKAGE = "inkstream.stream.app.start"
MOST_PICTURES = 60  # that are kept drawn; lists of windows are made anew every other second
WIDEST = 62  # units: rows are not drawn wider, as nobody reads long lines


class Place(NamedTuple):
    """Where something that can be chosen is: an item's number, or -1 for the way back."""

    index: int
    rect: Any


class View:
    """Draws pages on surfaces of any size; keeps what was expensive."""

    def __init__(self, pygame: Any) -> None:
        self._pygame = pygame
        self._fonts = Fonts(pygame)
        self._unit = 16
        self._pictures: dict[tuple[int, int, int], tuple[np.ndarray, Any]] = {}

    def draw(self, surface: Any, page: Page, focus: int, scroll: int, turn: float) -> tuple[list[Place], int]:
        """Draw a page with the item in ``focus`` and the rows moved up by ``scroll`` pixels.

        ``turn``: seconds, for what moves. Returns the places that can be chosen, and how far it can be scrolled.
        """
        width, height = surface.get_size()
        self._unit = int(min(26, max(11, min(width / 54, height / 36))))
        surface.fill((BACKGROUND,) * 3)
        draw = self._home if page.kind == "home" else self._list
        places, most = draw(surface, page, focus, scroll, turn)
        if page.note:
            note = self._text(self._short(page.note, width - 4 * self._unit, 0.85), QUIET, 0.85)
            surface.blit(note, note.get_rect(midbottom=(width // 2, height - self._unit)))
        return places, most

    def span(self, surface: Any, page: Page, index: int) -> tuple[int, int, int]:
        """Where a row begins and ends, in pixels from the first one, and how many pixels of rows are seen at once."""
        if page.kind == "home":
            return 0, 0, 0
        width, height = surface.get_size()
        wide = self._wide(width)
        at, tall = self._rows(page, wide)[0][index]
        return at, at + tall, height - self._head_height(page, wide) - round(1.5 * self._unit)

    # --- pages

    def _home(self, surface: Any, page: Page, focus: int, scroll: int, turn: float) -> tuple[list[Place], int]:
        unit, (width, height) = self._unit, surface.get_size()
        left = 3 * unit
        self._icon(surface, "drop", (left + round(1.5 * unit), round(3.9 * unit)), 3.4 * unit, INK)
        title = self._text(page.title, TEXT, 2.2)
        surface.blit(title, (left + 4 * unit, round(2.1 * unit)))
        about = self._text(page.about, QUIET, 1.0)
        surface.blit(about, (left + 4 * unit, round(2.4 * unit) + title.get_height()))
        top, bottom = 8 * unit, height - 3 * unit
        across = left
        if width > 44 * unit:  # there is room for a picture
            side = min(bottom - top, round(0.42 * width) - left)
            frame = self._pygame.Rect(left, top, side, bottom - top)
            self._picture(surface, self._welcome, frame)
            across = left + side + 2 * unit
        places = []
        count = len(page.items)
        gap = unit
        tall = min(round(7 * unit), (bottom - top - gap * (count - 1)) // count)
        for index, item in enumerate(page.items):
            card = self._pygame.Rect(across, top + index * (tall + gap), width - across - 3 * unit, tall)
            self._card(surface, card, index == focus)
            self._icon(surface, item.icon, (card.x + round(2.6 * unit), card.centery), 2.3 * unit, INK)
            self._words(surface, item, card, card.x + round(5.2 * unit), 1.15)
            number = self._text(str(index + 1), FAINT, 0.85)
            surface.blit(number, number.get_rect(topright=(card.right - unit, card.y + round(0.8 * unit))))
            places.append(Place(index, card))
        return places, 0

    def _list(self, surface: Any, page: Page, focus: int, scroll: int, turn: float) -> tuple[list[Place], int]:
        unit, (width, height) = self._unit, surface.get_size()
        wide = self._wide(width)
        left = (width - wide) // 2
        tops, end = self._rows(page, wide)
        top = self._head_height(page, wide)
        most = max(0, top + end + 3 * unit - height)
        scroll = min(scroll, most)
        places = [Place(-1, self._pygame.Rect(left - unit, unit, 7 * unit, 2 * unit))]
        view = self._pygame.Rect(0, top, width, height - top - (3 * unit if page.note else 0))
        surface.set_clip(view)
        for index, (item, (at, tall)) in enumerate(zip(page.items, tops, strict=True)):
            row = self._pygame.Rect(left, top + at - scroll, wide, tall)
            if not row.colliderect(view):
                continue
            if item.do:
                self._card(surface, row, index == focus)
                places.append(Place(index, row.clip(view)))
            self._row(surface, item, row)
        surface.set_clip(None)
        if most:
            share = view.height / (view.height + most)
            bar = self._pygame.Rect(width - unit, 0, max(3, unit // 4), round(share * view.height))
            bar.y = view.y + round((view.height - bar.height) * scroll / most)
            self._pygame.draw.rect(surface, LINE, bar, border_radius=bar.width)
        self._head(surface, page, left, wide)
        if page.busy:
            self._busy(surface, (width // 2, max(top + 4 * unit, (top + height) // 2 - unit)), page.busy, turn)
        return places, most

    def _wide(self, width: int) -> int:
        return min(width - 6 * self._unit, WIDEST * self._unit)

    def _head_height(self, page: Page, wide: int) -> int:
        lines = len(self._wrapped(page.about, wide, 1.0)) if page.about else 0
        return round((7.2 + 1.5 * lines) * self._unit)

    def _head(self, surface: Any, page: Page, left: int, wide: int) -> None:
        unit = self._unit
        back = self._text("Back", QUIET, 0.95)
        self._icon(surface, "back", (left + unit // 2, 2 * unit), 1.1 * unit, QUIET)
        surface.blit(back, back.get_rect(midleft=(left + round(1.5 * unit), 2 * unit)))
        title = self._text(self._short(page.title, wide, 1.7), TEXT, 1.7)
        surface.blit(title, (left, round(3.6 * unit)))
        for number, line in enumerate(self._wrapped(page.about, wide, 1.0) if page.about else []):
            surface.blit(self._text(line, QUIET, 1.0), (left, round((6.4 + 1.5 * number) * unit)))

    # --- rows

    def _rows(self, page: Page, wide: int) -> tuple[list[tuple[int, int]], int]:
        """Where each item begins and how tall it is, and where they end, from the first one on."""
        unit, at, found = self._unit, 0, []
        for item in page.items:
            if item.do:
                at += round(unit) if found and not page.items[len(found) - 1].do else 0
                tall, gap = round((5.6 if item.picture is not None or item.icon else 4.2) * unit), round(0.7 * unit)
            elif not item.mark:  # the name of an area
                at += round(0.8 * unit) if found else 0
                tall, gap = round(1.9 * unit), 0
            else:
                tall, gap = round(0.5 * unit) + round(1.4 * unit) * len(self._report_lines(item, wide)), 0
            found.append((at, tall))
            at += tall + gap
        return found, at

    def _row(self, surface: Any, item: Item, row: Any) -> None:
        unit = self._unit
        if item.do:
            text = row.x + unit
            if item.picture is not None or item.icon:
                frame = self._pygame.Rect(row.x + round(0.6 * unit), row.y + round(0.6 * unit), 0, 0)
                frame.height = row.height - round(1.2 * unit)
                frame.width = round(1.4 * frame.height)
                if item.picture is not None:
                    self._picture(surface, item.picture, frame)
                else:
                    self._icon(surface, item.icon, frame.center, 2.1 * unit, INK)
                text = frame.right + round(1.2 * unit)
            self._words(surface, item, row, text, 1.05)
        elif not item.mark:
            surface.blit(self._text(item.title, INK, 0.95), (row.x, row.y + round(0.2 * unit)))
        else:
            self._finding(surface, item, row)

    def _finding(self, surface: Any, item: Item, row: Any) -> None:
        unit = self._unit
        self._icon(surface, "dot", (row.x + unit // 2, row.y + round(0.95 * unit)), 0.62 * unit, MARKS[item.mark])
        across = self._column if item.about else 0
        if item.about:
            name = self._short(item.title, across - unit, 0.9)
            surface.blit(self._text(name, TEXT, 0.9), (row.x + round(1.4 * unit), row.y + round(0.3 * unit)))
        for number, (line, colour) in enumerate(self._report_lines(item, row.width)):
            place = (row.x + round(1.4 * unit) + across, row.y + round((0.3 + 1.4 * number) * unit))
            surface.blit(self._text(line, colour, 0.9), place)

    @property
    def _column(self) -> int:
        return 15 * self._unit

    def _report_lines(self, item: Item, wide: int) -> list[tuple[str, Colour]]:
        """What was found, and below it what to do."""
        most = wide - (self._column if item.about else 0) - 2 * self._unit
        found = [(line, TEXT) for line in self._wrapped(item.about or item.title, most, 0.9)]
        return found + ([(line, QUIET) for line in self._wrapped(item.hint, most, 0.9)] if item.hint else [])

    # --- pieces

    def _words(self, surface: Any, item: Item, box: Any, left: int, scale: float) -> None:
        """Title and what it is about, below each other in the middle of a box."""
        unit, most = self._unit, box.right - left - round(1.4 * self._unit)
        wrapped = self._wrapped(item.about, most, 0.9) if item.about else []
        parts = _parts(wrapped, item)
        lines, parts = (wrapped[-2:], parts[-2:]) if item.words else (wrapped[:2], parts)  # of what is typed, the end
        tall = round(1.6 * scale * unit) + round(1.3 * unit) * len(lines)
        top = box.centery - tall // 2
        surface.blit(self._text(self._short(item.title, most, scale), TEXT, scale), (left, top))
        for number, (line, (first, last)) in enumerate(zip(lines, parts[: len(lines)], strict=True)):
            place = (left, top + round(1.6 * scale * unit) + number * round(1.3 * unit))
            if first < last:
                font = self._font(line, 0.9)
                begin, end = font.size(line[:first])[0], font.size(line[:last])[0]
                surface.fill(CHOSEN, (left + begin, place[1], end - begin, font.get_linesize()))
            surface.blit(self._text(line, QUIET, 0.9), place)

    def _card(self, surface: Any, box: Any, chosen: bool) -> None:
        radius = round(0.6 * self._unit)
        self._pygame.draw.rect(surface, OVER if chosen else CARD, box, border_radius=radius)
        if chosen:
            self._pygame.draw.rect(surface, INK, box, width=2, border_radius=radius)

    def _picture(self, surface: Any, picture: np.ndarray, frame: Any) -> None:
        """A picture as large as it fits, in the middle of a frame."""
        key = id(picture), frame.width, frame.height
        if key not in self._pictures:
            if len(self._pictures) > MOST_PICTURES:
                self._pictures.clear()
            height, width = picture.shape[:2]
            scale = min(frame.width / width, frame.height / height)
            size = max(1, round(width * scale)), max(1, round(height * scale))
            how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
            scaled = np.ascontiguousarray(cv2.resize(picture, size, interpolation=how))
            # The array is kept with it, or another one could get its number.
            self._pictures[key] = picture, self._pygame.image.frombuffer(scaled.tobytes(), size, "RGB")
        drawn = self._pictures[key][1]
        surface.blit(drawn, drawn.get_rect(center=frame.center))

    def _icon(self, surface: Any, name: str, centre: tuple[int, int], side: float, colour: Colour) -> None:
        drawn = icon(name, max(4, round(side)), colour)
        height, width = drawn.shape[:2]
        image = self._pygame.image.frombuffer(drawn.tobytes(), (width, height), "RGBA")
        surface.blit(image, image.get_rect(center=centre))

    def _busy(self, surface: Any, centre: tuple[int, int], words: str, turn: float) -> None:
        unit = self._unit
        for number in range(8):
            angle = 2 * math.pi * number / 8
            age = (number / 8 - turn) % 1.0
            red, green, blue = (round(BACKGROUND + (side - BACKGROUND) * (0.15 + 0.85 * age)) for side in INK)
            x, y = centre[0] + 1.6 * unit * math.cos(angle), centre[1] + 1.6 * unit * math.sin(angle)
            self._icon(surface, "dot", (round(x), round(y)), 0.7 * unit, (red, green, blue))
        text = self._text(words, QUIET, 0.95)
        surface.blit(text, text.get_rect(midtop=(centre[0], centre[1] + 3 * unit)))

    @cached_property
    def _welcome(self) -> np.ndarray:
        from PIL import Image

        with files(PACKAGE).joinpath(WELCOME).open("rb") as file:
            return np.asarray(Image.open(file).convert("RGB"))

    # --- letters

    def _font(self, text: str, scale: float) -> Any:
        return self._fonts.of(text, max(9, round(scale * self._unit)))

    def _text(self, text: str, colour: Colour, scale: float) -> Any:
        return self._font(text, scale).render(text, True, colour)

    def _short(self, text: str, most: int, scale: float) -> str:
        font = self._font(text, scale)
        if font.size(text)[0] <= most:
            return text
        while text and font.size(text + "...")[0] > most:
            text = text[:-1]
        return text.rstrip() + "..."

    def _wrapped(self, text: str, most: int, scale: float) -> list[str]:
        """A text as lines of at most ``most`` pixels; a word that is longer is shortened."""
        lines: list[str] = []
        font = self._font(text, scale)
        for word in text.split():
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and font.size(longer)[0] <= most:
                lines[-1] = longer
            else:
                lines.append(self._short(word, most, scale))
        return lines or [""]


def _parts(lines: list[str], item: Item) -> list[tuple[int, int]]:
    """From where to where each line of what an item is about is selected; equal: nothing is."""
    found, at = [], 0
    for line in lines:
        begin = max(at, item.about.find(line.split(" ")[0].removesuffix("..."), at))
        at = begin + len(line)
        first, last = (min(max(each - begin, 0), len(line)) for each in item.selected)
        found.append((first, last))
    return found
