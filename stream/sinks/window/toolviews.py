"""Draws what tools show: one function for each kind of view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..slate import INK
from .brush import Brush
from .panel import PanelView, rail_of
from .scene import QUIET, TEXT

RAIL = (72, 72, 74)
CHOSEN = 60  # strength of the sheet under the chosen row


def draw_panel(brush: Brush, surface: Any, view: PanelView) -> None:
    """The column of knobs: name, value and key of each, and below them its slider."""
    unit, rect = brush.unit, brush.pygame.Rect
    brush.panel(surface, rect(view.box), 226, unit // 2)
    rail = rail_of(view.box, unit)
    for index, place in enumerate(view.places, view.first):
        row = view.rows[index]
        if index == view.chosen:
            inside = rect(place.x + unit // 3, place.y, place.width - 2 * (unit // 3), place.height)
            brush.panel(surface, inside, CHOSEN, unit // 3, INK)
        middle = place.y + round((0.85 if row.part is not None else 1.25) * unit)
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
            low = place.y + round(1.85 * unit)
            surface.fill(RAIL, (rail.x, low, rail.width, max(2, unit // 6)))
            surface.fill(INK, (rail.x, low, round(row.part * rail.width), max(2, unit // 6)))
            brush.dot(surface, (rail.x + round(row.part * rail.width), low + unit // 12), 0.32 * unit, INK)


PAINTED: dict[type, Callable[[Brush, Any, Any], None]] = {PanelView: draw_panel}
