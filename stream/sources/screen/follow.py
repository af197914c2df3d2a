"""One window, followed: found once, and then this one and no other, alone, whatever lies over it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...base.errors import SourceLost, SourceUnavailable
from ...base.frame import Rect, Size
from ...base.pacing import Clock
from .held import Held
from .window import Window
from .windows import (
    NOT_SHOWN,
    WindowSystem,
    alike,
    covered_mask,
    find_window,
    intersect,
    is_number,
    is_smaller,
    successors,
)

SETTLE = 0.5  # seconds that a program is given to draw what was covered
SPLASH = 10.0  # seconds after which a much smaller window than before is no splash screen that does not say so


class Followed:
    """The window that ``wanted`` names, see ``match_window``.

    Once it was found, ``chosen``, it is waited for, or, when it was closed or its program hid it, for another one of
    the same program. Where the desktop keeps no picture of each window, what is covered keeps what was there before.
    """

    def __init__(self, wanted: str, cursor: bool, clock: Clock) -> None:
        self.wanted = wanted
        self.chosen: Window | None = None
        self.alike: tuple[Window, ...] = ()  # what fitted as well when it was found, itself included
        self.covered = False  # something lies over it, and the picture cannot show what is below
        self._cursor = cursor
        self._clock = clock
        self._held = Held()
        self._size: Size | None = None  # as it was in the last picture
        self._settled_at = 0.0
        self._small: dict[int, float] = {}  # windows that are much smaller than the chosen one, and since when

    def attach(self, system: WindowSystem) -> None:
        """Find it; raises SourceUnavailable when there is none, or when it is minimised."""
        self._size = None
        if self.chosen is None:
            windows = system.windows()
            self.chosen = chosen = find_window(windows, self.wanted)
            self.alike = alike(windows, self.wanted)
            if chosen.program and is_number(self.wanted, chosen):
                self.wanted = chosen.program  # no other window will have its number
            return
        window = self._best(system)
        if window is None:
            raise SourceLost(f"{self.chosen} was closed")
        if not window.shown:
            raise SourceUnavailable(f"{window} {NOT_SHOWN}; bring it up")
        self.chosen = window

    def present(self, system: WindowSystem) -> bool:
        """Whether it is open and not minimised, or another one of the same program in its place."""
        window = self._best(system)
        return window is not None and window.shown

    @property
    def notice(self) -> str:
        """What people should know of the picture now; empty: nothing."""
        where = "is covered in part, or leaves the screen: what cannot be seen stays as it was"
        return f"{self.chosen} {where}" if self.covered else ""

    def capture(self, system: WindowSystem, desktop: Rect, screen: Callable[[Rect], np.ndarray]) -> np.ndarray:
        """Its picture now, ``(H, W, 3)`` uint8 RGB; ``screen`` gives what is seen in a part of the ``desktop``.

        Raises SourceLost when it was closed or minimised.
        """
        window = self._now(system)
        if window is None:
            raise SourceLost(f"{self.chosen} was closed")
        if not window.shown:
            raise SourceLost(f"{window} {NOT_SHOWN}")
        self.chosen = window
        if window.content.size != self._size:
            # A server that begins to keep a picture of it begins with what is seen there, covers and all.
            self._size, self._settled_at = window.content.size, self._clock() + SETTLE
        settling = self._clock() < self._settled_at
        before = covered_mask(system.windows(), window.id, window.content) if settling else None
        picture = system.picture(window, self._cursor)
        self.covered = picture is None
        if picture is not None and not settling:
            return picture
        if picture is None:
            return self._seen(system, window, desktop, screen)
        picture = self._held.lay(picture, window.content, window.content, before)
        self._held.keep(picture)
        return picture

    def _seen(
        self, system: WindowSystem, window: Window, desktop: Rect, screen: Callable[[Rect], np.ndarray]
    ) -> np.ndarray:
        """What is seen of it on the screen, the rest as it was."""
        desktop = system.desktop() or desktop
        visible = intersect(window.content, desktop)
        if visible is None:
            raise SourceLost(f"{window} lies outside of {desktop.size} at {desktop.x},{desktop.y}; move it back")
        system.stirred()
        before = covered_mask(system.windows(), window.id, window.content)
        part = screen(visible)
        after = covered_mask(system.windows(), window.id, window.content)
        now = self._now(system)
        if now is None or (now.shown, now.content) != (True, window.content) or system.stirred():
            before = after = np.ones(window.content.size[::-1], np.bool_)  # it may not have been there
        masks = [mask for mask in (before, after) if mask is not None]
        hidden = np.logical_or.reduce(masks) if masks else None
        self.covered = hidden is not None or visible != window.content
        if self.covered:
            part = self._held.lay(part, window.content, visible, hidden)
        self._held.keep(part)
        return part

    def _best(self, system: WindowSystem) -> Window | None:
        """The chosen window as it is now, or what is to be taken in its place; None: there is nothing yet."""
        assert self.chosen is not None
        window = self._now(system)
        if window is not None and not window.put_away:
            return window
        now = self._clock()
        others = successors(system.windows(), self.chosen, self.wanted)
        self._small = {each.id: self._small.get(each.id, now) for each in others if is_smaller(each, self.chosen)}
        taken = next((each for each in others if now - self._small.get(each.id, -np.inf) >= SPLASH), None)
        return taken or window

    def _now(self, system: WindowSystem) -> Window | None:
        """The chosen window as it is now; None when it is gone, also where another one has its number by now."""
        assert self.chosen is not None
        window = system.look(self.chosen.id)
        same = window is not None and window.is_of(self.chosen) and window.pid == self.chosen.pid
        return window if same else None
