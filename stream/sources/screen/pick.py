"""Choosing a part of the screen with the mouse: a screenshot is shown full-screen, and a rectangle dragged on it."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np

from ...base.errors import SourceUnavailable
from ...base.files import json_bytes, open_regular, write_whole
from ...base.frame import Rect, Size
from ...base.plain import reason
from ...base.private import make_private, user_state

log = logging.getLogger(__name__)

SMALLEST = 8  # pixels; anything less is a click, not a drag
FILE = "picked.json"
HINT = "Drag over your canvas.   Enter: take it all   Esc: cancel"
AGAIN = "   L: as last time"


def drag_rect(start: tuple[int, int], end: tuple[int, int], size: Size) -> Rect:
    """The rectangle between two corners, whichever way it was dragged, kept inside a picture of ``size``."""
    (left, right), (top, bottom) = (sorted((start[axis], end[axis])) for axis in (0, 1))
    left, top = (min(max(0, low), side - 1) for low, side in zip((left, top), size, strict=True))
    right, bottom = (min(max(1, high), side) for high, side in zip((right, bottom), size, strict=True))
    return Rect(left, top, max(1, right - left), max(1, bottom - top))


def scale_rect(rect: Rect, shown: Size, picture: Size) -> Rect:
    """From what is shown (a window may be smaller than the picture on a HiDPI screen) to the picture's own pixels."""
    x, y = picture.width / shown.width, picture.height / shown.height
    left, top = round(rect.x * x), round(rect.y * y)
    right, bottom = round((rect.x + rect.width) * x), round((rect.y + rect.height) * y)
    return Rect(left, top, max(1, right - left), max(1, bottom - top))


class Drag:
    """What the mouse has selected so far, on a picture of ``size``."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self.start: tuple[int, int] | None = None
        self.rect: Rect | None = None

    def press(self, position: tuple[int, int]) -> None:
        self.start = position
        self.rect = None

    def move(self, position: tuple[int, int]) -> None:
        if self.start is not None:
            self.rect = drag_rect(self.start, position, self.size)

    def release(self, position: tuple[int, int]) -> Rect | None:
        """The finished rectangle, or None when it was only a click."""
        self.move(position)
        self.start = None
        if self.rect is not None and min(self.rect.size) < SMALLEST:
            self.rect = None
        return self.rect


def pick_region(picture: np.ndarray, display: int = 0, events: Iterable[Any] | None = None) -> Rect:
    """Let the user choose a part of ``picture`` (``(H, W, 3)`` uint8 RGB); the main thread only.

    Releasing the mouse accepts what was dragged, Enter accepts everything, L what was chosen the last time on a screen
    of this size, which is outlined. ``display`` is the number of the monitor
    that the choice is shown on. Returns a rectangle in pixels of ``picture``.
    Raises SourceUnavailable when the user cancels or no window can be opened.
    """
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    import pygame

    if pygame.display.get_init() and pygame.display.get_surface() is not None:
        raise SourceUnavailable("pick: a preview window is open already; choose with screen:region=x,y,w,h instead")
    try:
        pygame.display.init()
        if display >= pygame.display.get_num_displays():
            display = 0
        surface = pygame.display.set_mode((0, 0), pygame.FULLSCREEN, display=display)
        pygame.display.set_caption("inkstream: choose what to capture")
        chosen = _choose(pygame, surface, picture, events or _wait_for_events(pygame), _last(Size.of(picture)))
        _remember(chosen, Size.of(picture))
        return chosen
    except pygame.error as error:
        raise SourceUnavailable(f"pick: no window could be opened ({error}); use screen:region=x,y,w,h") from error
    finally:
        pygame.display.quit()


def _wait_for_events(pygame: Any) -> Iterator[Any]:
    while True:
        yield pygame.event.wait()


def _last(size: Size) -> Rect | None:
    """What was chosen the last time on a screen of this size; None where that is not known."""
    try:
        with open_regular(user_state() / FILE) as file:
            left, top, width, height = json.loads(file.read(1 << 16))[str(size)]
        rect = Rect(int(left), int(top), int(width), int(height))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        log.debug("what was picked before is not known: %s", reason(error))
        return None
    inside = rect.x >= 0 and rect.y >= 0 and rect.x + rect.width <= size.width and rect.y + rect.height <= size.height
    return rect if inside and min(rect.size) >= 1 else None


def _remember(rect: Rect, size: Size) -> None:
    try:
        write_whole(make_private(user_state()) / FILE, json_bytes({str(size): list(rect)}))
    except OSError as error:
        log.info("what was picked is not remembered: %s", reason(error))


def _choose(pygame: Any, surface: Any, picture: np.ndarray, events: Iterable[Any], last: Rect | None = None) -> Rect:
    shown, size = Size(*surface.get_size()), Size.of(picture)
    bright = cv2.resize(picture, shown, interpolation=cv2.INTER_AREA)
    dim = (bright // 2).astype(np.uint8)
    if last is not None:
        _outline(dim, scale_rect(last, size, shown), (160, 160, 160), 1)
    cv2.putText(
        dim, HINT + (AGAIN if last else ""), (24, 48), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2, cv2.LINE_AA
    )
    drag = Drag(shown)
    _show(pygame, surface, dim, bright, None, size)
    for event in events:
        if event.type == pygame.QUIT or (event.type == pygame.KEYDOWN and event.key == pygame.K_ESCAPE):
            break
        if event.type == pygame.KEYDOWN and event.key in (pygame.K_RETURN, pygame.K_KP_ENTER):
            return scale_rect(drag.rect or Rect(0, 0, *shown), shown, size)
        if event.type == pygame.KEYDOWN and event.key == pygame.K_l and last is not None:
            return last
        if event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            drag.press(event.pos)
        elif event.type == pygame.MOUSEMOTION:
            drag.move(event.pos)
        elif event.type == pygame.MOUSEBUTTONUP and event.button == 1 and drag.start is not None:
            accepted = drag.release(event.pos)
            if accepted is not None:
                return scale_rect(accepted, shown, size)
        _show(pygame, surface, dim, bright, drag.rect, size)
    raise SourceUnavailable("pick: cancelled; start again, or name a part of the screen with screen:region=x,y,w,h")


def _show(pygame: Any, surface: Any, dim: np.ndarray, bright: np.ndarray, rect: Rect | None, size: Size) -> None:
    """What is dragged in full light, with its size in pixels of the picture, which has ``size``."""
    canvas = dim
    if rect is not None:
        canvas = dim.copy()
        rows, columns = slice(rect.y, rect.y + rect.height), slice(rect.x, rect.x + rect.width)
        canvas[rows, columns] = bright[rows, columns]
        _outline(canvas, rect, (255, 255, 255), 2)
        below = min(canvas.shape[0] - 8, rect.y + rect.height + 24)
        cv2.putText(
            canvas,
            str(scale_rect(rect, Size.of(dim), size).size),
            (rect.x, below),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.6,
            (255, 255, 255),
            1,
            cv2.LINE_AA,
        )
    height, width = canvas.shape[:2]
    surface.blit(pygame.image.frombuffer(canvas.tobytes(), (width, height), "RGB"), (0, 0))
    pygame.display.flip()


def _outline(canvas: np.ndarray, rect: Rect, colour: tuple[int, int, int], width: int) -> None:
    corner = (rect.x + rect.width - 1, rect.y + rect.height - 1)
    cv2.rectangle(canvas, (rect.x, rect.y), corner, colour, width)
