"""The window of the start page: shows a page, and gives what was chosen on it with the keyboard or the mouse."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ...base.frame import Rect, Size
from ...sinks.window.desktop import NativeWindow, open_display
from .page import BACK, CLOSE, Item, Page
from .view import Place, View
from .words import Words

TITLE = "inkstream"
SIZE = Size(1040, 660)
LOOK = 50  # milliseconds between two looks at what is waited for
DEAF = 0.3  # seconds after the window came, or got the keyboard, in which keys that go down do not count
TURN = 1.2  # seconds in which what is busy turns once
WHEEL, PAGE = 90, 0.8  # pixels that a notch of the wheel moves rows; parts of the window that a page does


class StartWindow:
    """One window; ``ask`` may be called again and again. Raises SinkUnavailable where there is no display.

    ``place``: where it was before, as ``place`` says it at any time.
    """

    def __init__(self, place: Rect | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._pygame = open_display(TITLE, place.size if place else SIZE)
        self._native = NativeWindow(self._pygame)
        if place is not None:
            self._native.move(place)
        self._native.show()
        self._view = View(self._pygame)
        self._clock = clock
        self._focus = self._scroll = self._most = 0
        self._places: list[Place] = []
        self._held: set[int] = set()  # keys that were down before the window had the keyboard
        self._deaf_until = clock() + DEAF
        self.page = Page("", "")  # what is shown
        self._pointer: tuple[int, int] | None = None
        self._unread: list[Any] = []  # events that the next page gets
        self._words: Words | None = None  # what is typed, on a page that takes words
        self._deaf = False  # whether the last key that went down does not count, and so not its text

    @property
    def place(self) -> Rect:
        """Where its content is on the desktop."""
        return self._native.place

    def show(self, page: Page) -> None:
        """Draw a page now, from its top."""
        self._turn_to(page)
        self._draw()

    def ask(self, page: Page, look: Callable[[], Page | tuple[str, ...] | None] = lambda: None) -> tuple[str, ...]:
        """Show a page until something is chosen: an item's ``do``, ``BACK``, or ``CLOSE``.

        ``look`` is called some twenty times a second. It may give a page that takes the place of the one that is shown
        (one of the same name keeps the place that was scrolled to), or what counts as chosen.
        """
        pygame = self._pygame
        self.show(page)
        while True:
            newer = look()
            if isinstance(newer, tuple):
                return newer
            if newer is not None:
                self._turn_to(newer)
                self._draw()
            elif self.page.busy:
                self._draw()
            if not self._unread:
                event = pygame.event.wait(LOOK)  # without Python's lock, which a display that hangs would keep
                if event.type == pygame.NOEVENT:
                    continue
                self._unread += (event, *pygame.event.get(pump=False))
            while self._unread:
                chosen = self._handle(self._unread.pop(0))
                if chosen is not None:
                    return chosen
            self._draw()

    def close(self) -> None:
        """Close it; another one can be opened afterwards."""
        self._pygame.font.quit()
        self._pygame.display.quit()

    # --- inside

    def _turn_to(self, page: Page) -> None:
        if page.name != self.page.name:
            self._focus = next((index for index, item in enumerate(page.items) if item.do), 0)
            self._scroll = 0
            if self._words is not None:
                self._words.close()
            takes = any(item.words for item in page.items)
            self._words = Words(self._pygame, self._native) if takes else None
        self._focus = min(self._focus, max(0, len(page.items) - 1))  # a newer list may be shorter
        self.page = page

    def _draw(self) -> None:
        surface = self._pygame.display.get_surface()
        turn = (self._clock() / TURN) % 1.0
        self._places, self._most = self._view.draw(surface, self._seen(), self._focus, self._scroll, turn)
        self._scroll = min(self._scroll, self._most)
        self._pygame.display.flip()

    def _seen(self) -> Page:
        """The page with what is typed."""
        words = self._words
        if words is None or not words.shown:
            return self.page
        typed = {"about": words.shown, "selected": words.selected}
        return replace(
            self.page, items=tuple(replace(each, **typed) if each.words else each for each in self.page.items)
        )

    def _handle(self, event: Any) -> tuple[str, ...] | None:
        pygame = self._pygame
        if event.type == pygame.QUIT:
            return CLOSE
        if event.type == pygame.WINDOWFOCUSGAINED:
            self._deaf_until = max(self._deaf_until, self._clock() + DEAF)
        elif event.type == pygame.KEYUP:
            self._held.discard(event.key)
        elif event.type == pygame.KEYDOWN:
            self._deaf = self._clock() < self._deaf_until or event.key in self._held
            if self._clock() < self._deaf_until:
                # Enter that closed the window before is down still, and SDL says so as if it were pressed anew.
                self._held.add(event.key)
            return None if self._deaf else self._press(event)
        elif event.type in (pygame.TEXTINPUT, pygame.TEXTEDITING):
            deaf = self._deaf or self._clock() < self._deaf_until
            if self._words is not None and not deaf and self._words.take(event):
                self._write()
        elif event.type == pygame.MOUSEMOTION:
            rested, self._pointer = self._pointer in (None, event.pos), event.pos
            index = self._at(event.pos)
            typing = self._words is not None and self._words.text
            # A mouse that only lies there chooses nothing, nor does one that is pushed while somebody types.
            if not rested and not typing and index is not None and index >= 0:
                self._focus = index
        elif event.type == pygame.MOUSEWHEEL:
            self._move(-WHEEL * event.y)
            self._draw()  # before a click that comes at once
        elif event.type == pygame.MOUSEBUTTONUP and event.button == 1:
            index = self._at(event.pos)
            if index is not None and index >= 0 and self.page.items[index].words:
                self._focus = index
                return None
            return None if index is None else BACK if index < 0 else self.page.items[index].do
        elif event.type == pygame.MOUSEBUTTONUP and event.button == 8:  # the mouse's own key for the way back
            return BACK
        return None

    def _press(self, event: Any) -> tuple[str, ...] | None:
        pygame, key = self._pygame, event.key
        if self._words is not None and self._words.press(event):
            if self._words.text:
                self._write()
            return None
        if event.mod & (pygame.KMOD_CTRL | pygame.KMOD_META):
            return CLOSE if key in (pygame.K_q, pygame.K_w) else None
        if key in (pygame.K_ESCAPE, pygame.K_BACKSPACE):
            return BACK
        if key in (pygame.K_RETURN, pygame.K_KP_ENTER, pygame.K_SPACE):
            item = self.page.items[self._focus] if self._focus < len(self.page.items) else None
            if item is not None and item.words and self._words is not None:
                return self._begin(item, self._words)
            return item.do if item is not None and item.do else None
        number = key - pygame.K_1
        choices = [item for item in self.page.items if item.do]
        if 0 <= number < min(9, len(choices)):
            return choices[number].do
        back = key == pygame.K_UP or (key == pygame.K_TAB and event.mod & pygame.KMOD_SHIFT)
        if back or key in (pygame.K_DOWN, pygame.K_TAB):
            self._step(-1 if back else 1)
        elif key in (pygame.K_PAGEUP, pygame.K_PAGEDOWN):
            tall = self._pygame.display.get_surface().get_height()
            self._move(round((-PAGE if key == pygame.K_PAGEUP else PAGE) * tall))
        elif key in (pygame.K_HOME, pygame.K_END):
            self._move(-self._most if key == pygame.K_HOME else self._most)
        return None

    def _write(self) -> None:
        """Go to the row that takes words, which changed: what was wrong with them may no longer be."""
        self._to(next(index for index, item in enumerate(self.page.items) if item.words))
        self.page = replace(self.page, note="")

    def _begin(self, item: Item, words: Words) -> tuple[str, ...] | None:
        """Start with the words; without any, or with some that cannot be read, nothing starts."""
        wrong = words.wrong() if words.text else "nothing is written yet"
        if wrong:
            self.page = replace(self.page, note=wrong)
            return None
        return (*item.do, words.text)

    def _step(self, way: int) -> None:
        """To the next item that can be chosen; a page to be read alone moves."""
        choices = [index for index, item in enumerate(self.page.items) if item.do]
        if not choices:
            self._move(way * WHEEL)
            return
        at = choices.index(self._focus) if self._focus in choices else 0
        self._to(choices[(at + way) % len(choices)])

    def _to(self, index: int) -> None:
        """Go to an item, and see it whole."""
        self._focus = index
        begin, end, room = self._view.span(self._pygame.display.get_surface(), self.page, self._focus)
        self._scroll = min(max(self._scroll, end - room), begin)

    def _move(self, pixels: int) -> None:
        self._scroll = max(0, min(self._most, self._scroll + pixels))

    def _at(self, position: tuple[int, int]) -> int | None:
        return next((place.index for place in self._places if place.rect.collidepoint(position)), None)
