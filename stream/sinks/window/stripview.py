"""The film strip and the wipe as they are drawn."""

from __future__ import annotations

from typing import Any, NamedTuple

from ...base.frame import Rect
from ..slate import INK
from .brush import Brush
from .film import Thumb
from .filmplan import Plan
from .scene import QUIET, TEXT, WARN

RAIL, SEEN, EMPTY = (72, 72, 74), (128, 130, 134), (38, 38, 40)
HINTS = {
    "rewound": "Enter keeps    G goes back    W compares",
    "comparing": "Left, Right move the divider    X marks    W ends",
}


class Cell(NamedTuple):
    """A thumb and where it stands; None: it is not read yet."""

    box: Rect
    thumb: Thumb | None


class Divider(NamedTuple):
    """Between two pictures, on the picture's ``area``."""

    area: Rect
    x: int
    left: str
    right: str


class StripView(NamedTuple):
    """The strip as it is drawn."""

    state: str
    """What the window says it shows."""
    top: int
    """Above it there is room for what has to be said."""
    plan: Plan
    cells: tuple[Cell, ...]
    chosen: Rect | None
    """The thumb that the shown picture is in."""
    cursor: int | None
    """Where in it, where it stands for several."""
    marked: Rect | None
    """The thumb of the picture that is marked."""
    part: tuple[int, int]
    """Which part of the rail the thumbs show."""
    changes: tuple[int, ...]
    """Where on the rail settings changed."""
    knob: int | None
    """Where on the rail the shown picture is."""
    when: str
    words: str
    ends: tuple[str, str]
    """What stands at the ends of the rail."""
    divider: Divider | None


def draw_strip(brush: Brush, surface: Any, view: StripView) -> None:
    """Thumbs, the chosen one framed, when it was and what of; below them all of the time as a line."""
    unit, rect, plan = brush.unit, brush.pygame.Rect, view.plan
    if view.divider is not None:
        _draw_divider(brush, surface, view.divider)
    brush.panel(surface, rect(plan.sheet), 232, unit // 2)
    _draw_caption(brush, surface, view)
    radius = max(1, plan.cell.height // 12)
    surface.set_clip(rect(plan.sheet))
    for cell in view.cells:
        if cell.thumb is None:
            brush.panel(surface, rect(cell.box), 255, radius, EMPTY)
        else:
            high, wide = cell.thumb.pixels.shape[:2]
            picture = brush.pygame.image.frombuffer(cell.thumb.pixels, (wide, high), "RGBA")
            picture.set_alpha(255 if cell.box == view.chosen else 190)
            surface.blit(picture, rect(cell.box))
    if view.marked is not None:
        brush.dot(surface, (view.marked.x + round(0.6 * unit), view.marked.y + round(0.6 * unit)), 0.28 * unit, WARN)
    if view.chosen is not None:
        thick = max(2, unit // 7)
        brush.ring(surface, rect(view.chosen).inflate(3 * thick, 3 * thick), thick, radius + thick, INK)
        if view.cursor is not None:
            box = view.chosen
            surface.fill(TEXT, (view.cursor - thick // 2, box.y, max(1, thick // 2), box.height))
    surface.set_clip(None)
    _draw_rail(brush, surface, view)


def _draw_caption(brush: Brush, surface: Any, view: StripView) -> None:
    unit, box = brush.unit, view.plan.caption
    middle = box.y + box.height // 2 + unit // 8
    left, right = box.x, box.x + box.width
    when = brush.text(view.when, TEXT, 1.0)
    surface.blit(when, when.get_rect(midleft=(left, middle)))
    left += when.get_width() + unit
    if box.width > 36 * unit:
        hint = brush.text(HINTS[view.state], QUIET, 0.72)
        surface.blit(hint, hint.get_rect(midright=(right, middle)))
        right -= hint.get_width() + 2 * unit
    if right - left > 4 * unit and view.words:
        words = brush.text(brush.shortened(view.words, right - left, 0.9), QUIET, 0.9)
        surface.blit(words, words.get_rect(midleft=(left, middle)))


def _draw_rail(brush: Brush, surface: Any, view: StripView) -> None:
    unit, rail = brush.unit, view.plan.rail
    thick, y = max(2, unit // 6), rail.y + round(0.3 * unit)
    surface.fill(RAIL, (rail.x, y, rail.width, thick))
    begin, end = view.part
    surface.fill(SEEN, (begin, y, max(thick, end - begin), thick))
    for x in view.changes:
        surface.fill(WARN, (x, y - round(0.2 * unit), max(1, unit // 10), thick + 2 * round(0.2 * unit)))
    if view.knob is not None:
        brush.dot(surface, (view.knob, y + thick // 2), 0.34 * unit, INK)
    low = y + thick + round(0.75 * unit)
    for text, side, x in ((view.ends[0], "midleft", rail.x), (view.ends[1], "midright", rail.x + rail.width)):
        drawn = brush.text(text, QUIET, 0.7)
        surface.blit(drawn, drawn.get_rect(**{side: (x, low)}))


def _draw_divider(brush: Brush, surface: Any, divider: Divider) -> None:
    unit, area, x = brush.unit, divider.area, divider.x
    thick = max(2, unit // 8)
    surface.fill((0, 0, 0), (x - thick, area.y, 2 * thick, area.height))
    surface.fill((240, 240, 238), (x - thick // 2, area.y, thick, area.height))
    middle = area.y + round(0.42 * area.height)
    brush.dot(surface, (x, middle), 0.8 * unit, (0, 0, 0))
    brush.dot(surface, (x, middle), 0.66 * unit, (240, 240, 238))
    for sign in (-1, 1):
        tip, base = x + sign * round(0.4 * unit), x + sign * round(0.14 * unit)
        points = [(tip, middle), (base, middle - round(0.24 * unit)), (base, middle + round(0.24 * unit))]
        brush.pygame.draw.polygon(surface, (40, 40, 42), points)
    surface.set_clip(brush.pygame.Rect(area))
    top = area.y + round(3.4 * unit)
    for text, side in ((divider.left, -1), (divider.right, 1)):
        drawn = brush.text(text, TEXT, 0.86)
        box = drawn.get_rect().inflate(round(1.4 * unit), round(0.7 * unit))
        gap = round(0.7 * unit)
        box.midleft = x + gap if side > 0 else x - gap - box.width, top
        brush.panel(surface, box, 190, box.height // 2)
        surface.blit(drawn, drawn.get_rect(center=box.center))
    surface.set_clip(None)
