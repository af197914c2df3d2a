"""Is this your canvas? The source's window with the part of it that is taken, whose corners can be dragged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...base.frame import Output, Rect, Size, place
from .tools import Reach

GRIP = 1.2  # units around a side in which it is taken
SMALLEST = 16  # pixels of the window that a canvas has at least
LEAVE = 2.2  # units of height for the words below
QUESTION = "Is this your canvas? Drag its sides or corners."
KEYS = "Enter: take it   Backspace: find it again   Esc: leave it"


@dataclass(eq=False)
class Shot:
    """A picture of the source's window, ``(H, W, 3)`` uint8 RGB; another object for another picture."""

    pixels: np.ndarray

    @property
    def size(self) -> Size:
        """In pixels of the source's window."""
        return Size.of(self.pixels)


class CanvasView(NamedTuple):
    """The picture, where it stands, and the rectangle in it, in pixels of our window."""

    shot: Shot
    area: Rect
    rect: Rect
    size: Size
    """Of the rectangle, in pixels of the source's window."""


class Canvas:
    """Opens on the key K."""

    def __init__(self, reach: Reach) -> None:
        self.open = False
        self._reach = reach
        self._shot = Shot(np.zeros((1, 1, 3), np.uint8))
        self._rect = Rect(0, 0, 1, 1)  # in pixels of the source's window
        self._held: tuple[bool, bool, bool, bool] | None = None  # left, top, right, bottom are dragged
        self._from = ((0, 0), self._rect)  # where the mouse was when that began, and the rectangle

    def toggle(self) -> None:
        """Open with what is taken now, or close and leave it."""
        if self.open:
            self.open = False
            return
        canvas = getattr(self._reach.controls, "canvas", None)
        view = canvas.view() if canvas is not None else None
        if view is None:
            self._reach.say("only of a window, as with screen:window=Krita, is there a canvas to be found")
            return
        self._shot, self._rect = Shot(view[0].copy()), view[1]
        self.open, self._held = True, None

    def close(self) -> None:
        """Nothing is kept open."""

    def look(self) -> None:
        """What is seen stays as it was when it was opened."""

    def picture(self) -> Output | None:
        """Behind it the newest picture stays."""
        return None

    def seen(self) -> CanvasView:
        """The picture and the rectangle."""
        area, scale = self._area()
        return CanvasView(self._shot, area, _scaled(self._rect, area, scale), self._rect.size)

    def handle(self, event: Any) -> bool:
        """Take keys and the mouse."""
        pygame = self._reach.pygame
        if event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            self._held = self._sides(event.pos)
        elif event.type == pygame.MOUSEMOTION and self._held is not None:
            self._drag(event.pos)
        elif event.type == pygame.MOUSEBUTTONUP:
            self._held = None
        elif event.type == pygame.KEYDOWN and event.key in (pygame.K_RETURN, pygame.K_KP_ENTER):
            self._mark(self._rect)
        elif event.type == pygame.KEYDOWN and event.key in (pygame.K_BACKSPACE, pygame.K_DELETE):
            self._mark(None)
        else:
            return event.type in (pygame.MOUSEMOTION, pygame.MOUSEWHEEL)
        return True

    def _mark(self, rect: Rect | None) -> None:
        canvas = getattr(self._reach.controls, "canvas", None)
        if canvas is not None:
            canvas.mark(rect)
            self._reach.say("this is your canvas" if rect else "the canvas is found by itself again")
        self.open = False

    def _area(self) -> tuple[Rect, float]:
        """Where the picture stands in our window, and how many of our pixels one of its own takes."""
        width, height = self._reach.pygame.display.get_surface().get_size()
        picture, room = self._shot.size, max(1, height - round(LEAVE * self._reach.unit()))
        inside = place(picture, Size(width, room), "letterbox").inside
        return inside, inside.width / picture.width

    def _sides(self, at: tuple[int, int]) -> tuple[bool, bool, bool, bool] | None:
        """The sides that are near to a place; all of them from inside; None from outside."""
        area, scale = self._area()
        left, top, width, height = _scaled(self._rect, area, scale)
        right, bottom, grip = left + width, top + height, GRIP * self._reach.unit()
        x, y = at
        if not (left - grip <= x <= right + grip and top - grip <= y <= bottom + grip):
            return None
        near = (abs(x - left) <= grip, abs(y - top) <= grip, abs(x - right) <= grip, abs(y - bottom) <= grip)
        self._from = at, self._rect
        return near if any(near) else (True, True, True, True)

    def _drag(self, at: tuple[int, int]) -> None:
        assert self._held is not None
        _, scale = self._area()
        (x, y), rect = self._from
        right, down = round((at[0] - x) / scale), round((at[1] - y) / scale)
        whole = self._shot.size
        if all(self._held):
            moved = min(max(rect.x + right, 0), whole.width - rect.width)
            self._rect = Rect(moved, min(max(rect.y + down, 0), whole.height - rect.height), *rect.size)
            return
        left, top, far, low = rect.x, rect.y, rect.x + rect.width, rect.y + rect.height
        left = min(max(0, left + right), far - SMALLEST) if self._held[0] else left
        top = min(max(0, top + down), low - SMALLEST) if self._held[1] else top
        far = max(min(whole.width, far + right), left + SMALLEST) if self._held[2] else far
        low = max(min(whole.height, low + down), top + SMALLEST) if self._held[3] else low
        self._rect = Rect(left, top, far - left, low - top)


def _scaled(rect: Rect, area: Rect, scale: float) -> Rect:
    left, top = round(rect.x * scale), round(rect.y * scale)
    right, bottom = round((rect.x + rect.width) * scale), round((rect.y + rect.height) * scale)
    return Rect(area.x + left, area.y + top, right - left, bottom - top)
