"""Where a film strip stands in a window, and which picture is where in it: plain geometry."""

from __future__ import annotations

from typing import NamedTuple

from ...base.frame import Rect, Size

WIDEST, TALLEST = 1.8, 1.8  # aspects of a thumb; what is longer is cropped


class Plan(NamedTuple):
    """Where things stand, in pixels of the window."""

    sheet: Rect
    """All of it."""
    caption: Rect
    film: Rect
    """The thumbs."""
    rail: Rect
    """The line from the oldest picture to the newest."""
    cell: Size
    """Of a thumb."""
    count: int
    """How many thumbs have room."""

    @property
    def pitch(self) -> float:
        """From one thumb to the next."""
        return (self.film.width - self.cell.width) / (self.count - 1) if self.count > 1 else float(self.film.width)


def plan(window: Size, unit: int, picture: Size) -> Plan:
    """A strip of pictures of one size; ``unit`` as for all that is written in the window."""
    margin, inner = round(0.6 * unit), round(0.9 * unit)
    tall = round(min(max(0.14 * window.height, 3.4 * unit), 7 * unit))
    wide = round(tall * min(WIDEST, max(1 / TALLEST, picture.width / picture.height)))
    high = round(2.1 * unit) + tall + round(2.6 * unit)
    sheet = Rect(margin, window.height - margin - high, max(1, window.width - 2 * margin), high)
    room = max(wide, sheet.width - 2 * inner)
    count = max(1, (room + unit // 3) // (wide + unit // 3))
    film = Rect(sheet.x + inner, sheet.y + round(2.1 * unit), room, tall)
    rail = Rect(film.x, film.y + tall + round(0.7 * unit), film.width, round(1.4 * unit))
    return Plan(sheet, Rect(film.x, sheet.y, film.width, round(2.1 * unit)), film, rail, Size(wide, tall), count)


class Span(NamedTuple):
    """What part of all pictures the thumbs show: each stands for ``stride`` of them, by their numbers."""

    left: int
    """Which thumb is the first; thumb k stands for the pictures from k x stride on."""
    stride: int

    @classmethod
    def whole(cls, oldest: int, newest: int, count: int) -> Span:
        """All of them in ``count`` thumbs, the newest at the right end."""
        stride = max(1, -(-(newest - oldest + 1) // count))
        while newest // stride - oldest // stride >= count:
            stride += 1
        return cls(newest // stride - count + 1, stride)

    def with_(self, number: int, oldest: int, newest: int, count: int) -> Span:
        """Moved so that a picture can be seen, with one beside it where there is room, and no room is left empty."""
        cell, beside = number // self.stride, 1 if count > 4 else 0
        left = min(max(self.left, cell + beside - count + 1), cell - beside)
        last = newest // self.stride - count + 1
        return self._replace(left=min(max(left, oldest // self.stride), last))

    def zoomed(self, finer: bool, number: int, most: int) -> Span:
        """Half or twice as many pictures for each thumb, 1 to ``most``; the picture ``number`` stays where it is."""
        stride = max(1, self.stride // 2) if finer else min(max(1, most), self.stride * 2)
        return Span(number // stride - (number // self.stride - self.left), stride)

    def place(self, cell: int, plan: Plan) -> Rect:
        """Where thumb ``cell`` is."""
        return Rect(plan.film.x + round((cell - self.left) * plan.pitch), plan.film.y, *plan.cell)

    def number_at(self, x: float, plan: Plan) -> int:
        """Which picture is at a place."""
        return int((self.left + (x - plan.film.x) / plan.pitch) * self.stride)


def on_rail(number: int, oldest: int, newest: int, rail: Rect) -> int:
    """Where on the rail a picture is."""
    return rail.x + round(rail.width * (number - oldest) / max(1, newest - oldest))


def off_rail(x: float, oldest: int, newest: int, rail: Rect) -> int:
    """Which picture is at a place on the rail."""
    return oldest + round((newest - oldest) * (x - rail.x) / max(1, rail.width))
