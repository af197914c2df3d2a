"""Choosing what is captured, on a screenshot that fills the screen: a window by a click, a part of it by dragging."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np

from ...base.errors import SourceUnavailable
from ...base.files import json_bytes, open_regular, write_whole
from ...base.frame import Rect, Size
from ...base.plain import plain, reason
from ...base.private import make_private, user_state
from .drag import Drag, scale_rect
from .window import Picked, Spot

log = logging.getLogger(__name__)

FILE = "picked.json"
WHITE, QUIET, BLUE = (255, 255, 255), (170, 170, 170), (92, 148, 224)
DRAG = "Drag over your canvas.   Shift: square   Ctrl: no magnet   Enter: the whole screen   Esc: cancel"
CLICK = "Click the window you draw in, or drag over a part.   Shift: square   Enter: the whole screen   Esc: cancel"
WHICH = "Several windows fit: click the one you draw in.   Esc: cancel"
AGAIN = "   L: as last time"
LETTER = 0.62  # size of letters for OpenCV, on a screen of 1080 lines


def pick_region(
    picture: np.ndarray,
    display: int = 0,
    spots: Sequence[Spot] = (),
    only_windows: bool = False,
    events: Iterable[Any] | None = None,
) -> Picked:
    """Let the user choose from ``picture`` (``(H, W, 3)`` uint8 RGB); the main thread only.

    A click takes the window under it, one of ``spots``; releasing the mouse accepts what was dragged, whose edges snap
    to those of windows; Enter accepts everything, L what was chosen the last time on a screen of this size, which is
    outlined. ``only_windows``: nothing but a window can be chosen. ``display`` is the number of the monitor that the
    choice is shown on.
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
        size = Size.of(picture)
        choosing = _Choosing(pygame, surface, picture, spots, only_windows, _last(size, spots))
        chosen = choosing.among(events or _wait_for_events(pygame))
        _remember(chosen, size)
        return chosen
    except pygame.error as error:
        raise SourceUnavailable(f"pick: no window could be opened ({error}); use screen:region=x,y,w,h") from error
    finally:
        pygame.display.quit()


def _wait_for_events(pygame: Any) -> Iterator[Any]:
    while True:
        yield pygame.event.wait()


def _last(size: Size, spots: Sequence[Spot]) -> Picked | None:
    """What was chosen the last time on a screen of this size; None where that is not known, or not there now."""
    try:
        with open_regular(user_state() / FILE) as file:
            kept = json.loads(file.read(1 << 16))[str(size)]
        if isinstance(kept, str):
            found = [Picked(spot.rect, spot.window) for spot in spots if spot.window.program == kept]
            return found[-1] if found else None
        left, top, width, height = kept
        rect = Rect(int(left), int(top), int(width), int(height))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        log.debug("what was picked before is not known: %s", reason(error))
        return None
    inside = rect.x >= 0 and rect.y >= 0 and rect.x + rect.width <= size.width and rect.y + rect.height <= size.height
    return Picked(rect) if inside and min(rect.size) >= 1 else None


def _remember(picked: Picked, size: Size) -> None:
    kept = picked.window.program if picked.window else list(picked.rect)
    if kept:
        try:
            write_whole(make_private(user_state()) / FILE, json_bytes({str(size): kept}))
        except OSError as error:
            log.info("what was picked is not remembered: %s", reason(error))


class _Choosing:
    """The screenshot with what the mouse is over, or drags."""

    def __init__(
        self,
        pygame: Any,
        surface: Any,
        picture: np.ndarray,
        spots: Sequence[Spot],
        only_windows: bool,
        last: Picked | None,
    ) -> None:
        self._pygame, self._surface = pygame, surface
        self._shown, self._size = Size(*surface.get_size()), Size.of(picture)
        self._spots = [Spot(each.window, scale_rect(each.rect, self._size, self._shown)) for each in spots]
        self._whole = {each.window.id: each.rect for each in spots}
        self._only_windows = only_windows
        self._last = last
        self._bright = cv2.resize(picture, self._shown, interpolation=cv2.INTER_AREA)
        self._dim = (self._bright // 2).astype(np.uint8)
        self._letter = LETTER * max(0.7, min(2.0, self._shown.height / 1080))
        if last is not None:
            _outline(self._dim, scale_rect(last.rect, self._size, self._shown), QUIET, 1)
        self._hint = WHICH if only_windows else (CLICK if spots else DRAG) + (AGAIN if last else "")
        self._low = False  # the hint stands at the bottom, out of the mouse's way
        self._drag = Drag(self._shown, [] if only_windows else [each.rect for each in self._spots])
        self._over: Spot | None = None

    def among(self, events: Iterable[Any]) -> Picked:
        """Wait for what is chosen. Raises SourceUnavailable when nothing is."""
        self._show()
        for event in events:
            chosen = self._handle(event)
            if chosen is not None:
                return chosen
            if self._cancels(event):
                break
            self._show()
        raise SourceUnavailable("pick: cancelled; start again, or name a part of the screen with screen:region=x,y,w,h")

    def _cancels(self, event: Any) -> bool:
        pygame = self._pygame
        return event.type == pygame.QUIT or (event.type == pygame.KEYDOWN and event.key == pygame.K_ESCAPE)

    def _handle(self, event: Any) -> Picked | None:
        pygame = self._pygame
        if event.type in (pygame.KEYDOWN, pygame.KEYUP):
            down = event.type == pygame.KEYDOWN
            if event.key in (pygame.K_LSHIFT, pygame.K_RSHIFT):
                self._drag.square = down
            elif event.key in (pygame.K_LCTRL, pygame.K_RCTRL):
                self._drag.free = down
            elif down and not self._only_windows and event.key in (pygame.K_RETURN, pygame.K_KP_ENTER):
                return Picked(scale_rect(self._drag.rect or Rect(0, 0, *self._shown), self._shown, self._size))
            elif down and not self._only_windows and event.key == pygame.K_l:
                return self._last
        elif event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            self._drag.press(event.pos)
        elif event.type == pygame.MOUSEMOTION:
            self._over = self._under(event.pos)
            self._low = event.pos[1] < self._shown.height // 3
            if not self._only_windows:
                self._drag.move(event.pos)
        elif event.type == pygame.MOUSEBUTTONUP and event.button == 1 and self._drag.start is not None:
            return self._released(event.pos)
        return None

    def _released(self, position: tuple[int, int]) -> Picked | None:
        rect = None if self._only_windows else self._drag.release(position)
        self._drag.start = None
        if rect is not None:
            return Picked(scale_rect(rect, self._shown, self._size))
        spot = self._under(position)
        return Picked(self._whole[spot.window.id], spot.window) if spot else None

    def _under(self, position: tuple[int, int]) -> Spot | None:
        """The uppermost window at a place."""
        x, y = position
        for spot in reversed(self._spots):
            left, top, width, height = spot.rect
            if left <= x < left + width and top <= y < top + height:
                return spot
        return None

    def _show(self) -> None:
        """What is dragged, or the window that a click would take, in full light, with what it is."""
        canvas, rect, said = self._dim.copy(), self._drag.rect, ""
        if rect is not None:
            said = str(scale_rect(rect, self._shown, self._size).size)
        elif self._over is not None:
            left, top, width, height = self._over.rect
            right, bottom = min(left + width, self._shown.width), min(top + height, self._shown.height)
            rect = Rect(max(0, left), max(0, top), right - max(0, left), bottom - max(0, top))
            said = f"{plain(self._over.window.title, 60)}, {self._whole[self._over.window.id].size}"
        if rect is not None:
            rows, columns = slice(rect.y, rect.y + rect.height), slice(rect.x, rect.x + rect.width)
            canvas[rows, columns] = self._bright[rows, columns]
            _outline(canvas, rect, WHITE if self._drag.rect else BLUE, 2)
            self._label(canvas, said, (rect.x + 8, rect.y + rect.height - round(60 * self._letter)))
        self._label(canvas, self._hint, (self._shown.width // 5, self._shown.height - 80 if self._low else 24))
        self._surface.blit(self._pygame.image.frombuffer(canvas.tobytes(), self._shown, "RGB"), (0, 0))
        self._pygame.display.flip()

    def _label(self, canvas: np.ndarray, text: str, place: tuple[int, int]) -> None:
        """Words on a dark ground, kept inside the picture. OpenCV's letters are ASCII."""
        text = text.encode("ascii", "replace").decode()
        font, scale = cv2.FONT_HERSHEY_SIMPLEX, self._letter
        (width, height), low = cv2.getTextSize(text, font, scale, 1)
        if width > self._shown.width - 40:
            scale *= (self._shown.width - 40) / width
            (width, height), low = cv2.getTextSize(text, font, scale, 1)
        pad = height // 2 + 4
        x = min(max(0, place[0]), max(0, self._shown.width - width - 2 * pad))
        y = min(max(0, place[1]), max(0, self._shown.height - height - low - 2 * pad))
        cv2.rectangle(canvas, (x, y), (x + width + 2 * pad, y + height + low + 2 * pad), (22, 22, 24), -1)
        cv2.putText(canvas, text, (x + pad, y + pad + height), font, scale, WHITE, 1, cv2.LINE_AA)


def _outline(canvas: np.ndarray, rect: Rect, colour: tuple[int, int, int], width: int) -> None:
    corner = (rect.x + rect.width - 1, rect.y + rect.height - 1)
    cv2.rectangle(canvas, (rect.x, rect.y), corner, colour, width)
