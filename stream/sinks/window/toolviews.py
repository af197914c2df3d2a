"""Draws what tools show: one function for each kind of view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from ...base.frame import Size, place
from ..slate import BACKGROUND, INK
from .brush import Brush
from .canvas import KEYS, QUESTION, CanvasView
from .panel import PanelView, rail_of
from .scene import PANEL, QUIET, TEXT, WARN
from .stripview import StripView, draw_strip
from .variations import TilesView
from .walk import WalkView

RAIL = (72, 72, 74)
CHOSEN = 60  # strength of the sheet under the chosen row


def draw_panel(brush: Brush, surface: Any, view: PanelView) -> None:
    """The column of knobs: name, value and key of each, and below them its slider."""
    unit, rect = brush.unit, brush.pygame.Rect
    brush.panel(surface, rect(view.box), 226, unit // 2)
    rail = rail_of(view.box, unit)
    for index, spot in enumerate(view.places, view.first):
        row = view.rows[index]
        if index == view.chosen:
            inside = rect(spot.x + unit // 3, spot.y, spot.width - 2 * (unit // 3), spot.height)
            brush.panel(surface, inside, CHOSEN, unit // 3, INK)
        middle = spot.y + round((0.85 if row.part is not None else 1.25) * unit)
        key = brush.text(row.key, QUIET, 0.72)
        right = rail.x + rail.width
        surface.blit(key, key.get_rect(midright=(right, middle)))
        right -= key.get_width() + (unit // 2 if row.key else 0)
        most = max(unit, right - rail.x)
        name = brush.text(brush.shortened(row.label, round(0.7 * most), 0.86), QUIET, 0.86)
        surface.blit(name, name.get_rect(midleft=(rail.x, middle)))
        value = brush.text(brush.shortened(row.text, max(unit, most - name.get_width() - 2 * unit), 0.86), TEXT, 0.86)
        surface.blit(value, value.get_rect(midright=(right, middle)))
        if row.part is not None:
            low = spot.y + round(1.85 * unit)
            surface.fill(RAIL, (rail.x, low, rail.width, max(2, unit // 6)))
            surface.fill(INK, (rail.x, low, round(row.part * rail.width), max(2, unit // 6)))
            brush.dot(surface, (rail.x + round(row.part * rail.width), low + unit // 12), 0.32 * unit, INK)


def draw_tiles(brush: Brush, surface: Any, view: TilesView) -> None:
    """Pictures over the whole window, the chosen one framed, with their words below."""
    unit, pygame = brush.unit, brush.pygame
    surface.fill((BACKGROUND,) * 3)
    for index, (tile, spot) in enumerate(zip(view.tiles, view.places, strict=True)):
        box = pygame.Rect(spot.x, spot.y, spot.width, spot.width)
        if index == view.chosen:
            surface.fill(INK, pygame.Rect(spot).inflate(max(4, unit // 3), max(4, unit // 3)))
            surface.fill((BACKGROUND,) * 3, pygame.Rect(box.x, box.bottom, box.width, spot.height - spot.width))
        if tile.output is None:
            surface.fill(PANEL, box)
            lines = brush.wrapped(tile.fault or "...", max(unit, box.width - unit), 0.8, 5)
            for number, line in enumerate(lines):
                text = brush.text(line, WARN if tile.fault else QUIET, 0.8)
                middle = box.centery + round((number - len(lines) / 2 + 0.5) * 1.3 * unit)
                surface.blit(text, text.get_rect(center=(box.centerx, middle)))
        else:
            surface.blit(*_fitted(pygame, tile.output.pixels, box))
        words = brush.text(brush.shortened(tile.label, spot.width - unit // 2, 0.82), TEXT, 0.82)
        surface.blit(words, words.get_rect(center=(box.centerx, (box.bottom + spot.y + spot.height) // 2)))
    width, height = surface.get_size()
    hint = brush.text(brush.shortened(view.hint, width - 2 * unit, 0.78), QUIET, 0.78)
    surface.blit(hint, hint.get_rect(center=(width // 2, height - round(0.9 * unit))))


def draw_canvas(brush: Brush, surface: Any, view: CanvasView) -> None:
    """The source's window, dark but for what is taken of it, with the sides that can be dragged."""
    unit, pygame = brush.unit, brush.pygame
    surface.fill((BACKGROUND,) * 3)
    area, rect = pygame.Rect(view.area), pygame.Rect(view.rect)
    picture, corner = _fitted(pygame, view.shot.pixels, area)
    surface.blit(picture, corner)
    for x, y, right, bottom in (
        (area.x, area.y, area.right, rect.y),
        (area.x, rect.bottom, area.right, area.bottom),
        (area.x, rect.y, rect.x, rect.bottom),
        (rect.right, rect.y, area.right, rect.bottom),
    ):
        if right > x and bottom > y:
            brush.panel(surface, pygame.Rect(x, y, right - x, bottom - y), 150, 0)
    pygame.draw.rect(surface, INK, rect.inflate(4, 4), 2)
    for x in (rect.x, rect.centerx, rect.right):
        for y in (rect.y, rect.centery, rect.bottom):
            if (x, y) != rect.center:
                brush.dot(surface, (x, y), 0.36 * unit, INK)
    size = brush.text(str(view.size), TEXT, 0.8)
    brush.panel(surface, size.get_rect(center=rect.center).inflate(unit, unit // 2), 190, unit // 3)
    surface.blit(size, size.get_rect(center=rect.center))
    width, height = surface.get_size()
    for words, colour, scale, up in ((QUESTION, TEXT, 0.86, 1.6), (KEYS, QUIET, 0.72, 0.55)):
        line = brush.text(brush.shortened(words, width - 2 * unit, scale), colour, scale)
        surface.blit(line, line.get_rect(center=(width // 2, height - round(up * unit))))


def draw_walk(brush: Brush, surface: Any, view: WalkView) -> None:
    """The keys, over the lower edge of the picture."""
    width, height = surface.get_size()
    unit = brush.unit
    line = brush.text(brush.shortened(view.keys, width - 2 * unit, 0.72), TEXT, 0.72)
    place_ = line.get_rect(center=(width // 2, height - round(1.4 * unit)))
    brush.panel(surface, place_.inflate(unit, round(0.8 * unit)), 190, unit // 3)
    surface.blit(line, place_)


def _fitted(pygame: Any, pixels: np.ndarray, box: Any) -> tuple[Any, Any]:
    """A picture as large as it fits into a box, and where it stands there."""
    inside = place(Size.of(pixels), Size(box.width, box.height), "letterbox").inside
    way = cv2.INTER_CUBIC if inside.width > pixels.shape[1] else cv2.INTER_AREA
    drawn = pixels if inside.size == Size.of(pixels) else cv2.resize(pixels, inside.size, interpolation=way)
    return pygame.image.frombuffer(drawn, inside.size, "RGB"), (box.x + inside.x, box.y + inside.y)


PAINTED: dict[type, Callable[[Brush, Any, Any], None]] = {
    PanelView: draw_panel,
    TilesView: draw_tiles,
    StripView: draw_strip,
    CanvasView: draw_canvas,
    WalkView: draw_walk,
}
