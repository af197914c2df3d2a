"""The window on the desktop: where it opens, how wide it is, what is above what, and what is remembered of that."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ...base.frame import Rect, Size
from .desktop import NativeWindow, fitting
from .memory import Memory
from .pictures import halved, widened
from .place import beside, common, covers, onto, shaped, usable

OWN = 0.6  # seconds in which a change of place is our own and not the user's
USUAL = 1.5  # times the size of pictures
ROOMY = 640  # pixels
STAGE = Size(1280, 720)  # of a stage: it has room for sketch and caption beside a square render
REST = 1.0  # seconds without a change after which a place is remembered


def opening(picture: Size, scale: float | None) -> Size:
    """How large pictures of a size are shown at first, where there is room for it."""
    times = max(USUAL, ROOMY / min(picture)) if scale is None else scale
    return Size(*(max(1, round(times * side)) for side in picture))


class Stand:
    """``size`` is the window's size, else ``scale`` times that of the first pictures, or as the user left it.

    Where none of these is given, pictures are ``USUAL`` times as large, and where there is room their shorter side has
    ``ROOMY`` pixels.

    ``exact``: a size that was asked for is taken although the screen is smaller. ``stage``: the window shows one, and
    has a shape of its own, not that of pictures: as it was left, or at first ``STAGE``.
    """

    def __init__(
        self,
        pygame: Any,
        window: NativeWindow,
        memory: Memory,
        size: Size | None,
        scale: float | None,
        exact: bool,
        clock: Callable[[], float],
        stage: bool = False,
    ) -> None:
        self.fullscreen = False
        self._shown = False
        self.top = False
        self._pygame, self._window, self._memory, self._clock = pygame, window, memory, clock
        self._size, self._scale, self._exact = size, scale, exact
        self._stage = stage and scale is None
        self._wide = False
        self._enough = 1.0  # part of its size that will do beside the source
        self._area: Rect | None = None  # where the source was when the window took its place
        self._shaped = False  # the window has the shape of the pictures
        self._beside = False  # and a place beside the source, if that has one
        self._single: Rect | None = None  # the place before it was widened, unless the user changed it since
        self._own_until = -math.inf
        self._touched: float | None = None  # when the user changed the place, unless that is remembered already

    @property
    def place(self) -> Rect:
        """Where the window's content is, in pixels of the desktop."""
        return self._window.place

    def settle(self, picture: Size, area: Rect | None, wide: bool) -> None:
        """Take shape and place, once each is known: ``picture`` is the size of renders, ``area`` where the source is.

        ``wide``: two pictures are shown side by side.
        """
        if self.fullscreen or (self._shaped and (self._beside or area is None)):
            return
        again, self._shaped, self._beside = self._shaped, True, area is not None
        if again and (self._touched is not None or area is None):
            return
        left = self._memory.left.place
        single = self._asked(picture, wide)
        if single is None:
            if self._stage:
                single = left.size if left else STAGE
            else:
                single = shaped(left.size, picture) if left else opening(picture, self._scale)
            single = fitting(self._pygame, single)
        whole = widened(single) if wide else single
        if not self._exact:
            whole = fitting(self._pygame, whole)
        asked = self._size is not None or self._scale is not None or left is not None
        self._enough = 1.0 if asked else min(1.0, USUAL * min(picture) / ROOMY)
        self._wide = wide
        self._put(whole, self._remembered(left, whole), area)

    def show(self) -> None:
        """Let the window be seen, from when it has its place."""
        if not self._shown:
            self._shown, self._own_until = True, self._clock() + OWN
            self._window.show()

    def widen(self, wide: bool) -> None:
        """Make room for a second picture beside the first one, each as large as that was; or take it away again."""
        if wide == self._wide or self.fullscreen or not self._shaped:
            return
        now = self._window.place
        self._wide = wide
        if not wide:
            self._move(self._single or Rect(now.x, now.y, *halved(now.size)))
            self._single = None
            return
        screens, border = self._window.screens(), self._window.border()
        screen = max(screens, key=lambda each: common(now, each))
        whole = widened(now.size)
        room = Size(screen.width - border.left - border.right, screen.height - border.top - border.bottom)
        part = min(1.0, room.width / whole.width, room.height / whole.height)
        whole = Size(*(max(1, int(part * side)) for side in whole))
        place = onto(Rect(now.x, now.y, *whole), screen, border)
        if self._area is not None and covers(place, self._area, border) and not covers(now, self._area, border):
            other = beside(whole, self._area, screens, border)
            place = min((place, other), key=lambda each: common(each, self._area or each))
        self._move(place)
        self._single = now

    def toggle_fullscreen(self) -> None:
        """Fill the screen, or come back."""
        self.show()
        self.fullscreen = not self.fullscreen
        self._own_until = self._clock() + OWN
        self._window.set_fullscreen(self.fullscreen)

    def keep_on_top(self, on: bool) -> bool:
        """Keep the window above others, or no longer; False where the desktop does not let a program decide that."""
        done = self._window.keep_on_top(on)
        self.top = on and done
        return done

    def changed(self) -> None:
        """The window was moved, or has another size."""
        if self._clock() > self._own_until and not self.fullscreen and self._shaped:
            self._touched, self._single = self._clock(), None

    def remember(self, now: bool = False) -> None:
        """Remember a place that the user chose, when it has been left alone for a moment, or ``now``."""
        if self._touched is None or self.fullscreen or not (now or self._clock() > self._touched + REST):
            return
        self._touched = None
        place = self._window.place
        size = halved(place.size) if self._wide else place.size
        if self._size is not None:  # it was asked for, for this time
            size = self._memory.left.place.size if self._memory.left.place else size
        self._memory.leave(place=Rect(place.x, place.y, *size))

    def _asked(self, picture: Size, wide: bool) -> Size | None:
        """The size of one picture in a window of the size that was asked for."""
        if self._size is None:
            return None
        size = self._size if self._exact else fitting(self._pygame, self._size)
        return halved(size) if wide else size

    def _remembered(self, left: Rect | None, whole: Size) -> Rect | None:
        return usable(Rect(left.x, left.y, *whole), self._window.screens(), self._window.border()) if left else None

    def _put(self, whole: Size, left: Rect | None, area: Rect | None) -> None:
        """As it was left, unless that covers the source and another place does not."""
        self._area = area
        place = left
        if area is not None and (left is None or covers(left, area, self._window.border())):
            screens, border = self._window.screens(), self._window.border()
            found = beside(whole, area, screens, border, self._enough, not self._exact)
            if left is None or common(found, area) < common(left, area):
                place = found
        if place is not None:
            self._move(place)
        elif self._window.place.size != whole:
            self._own_until = self._clock() + OWN
            self._window.resize(whole)

    def _move(self, place: Rect) -> None:
        self._own_until = self._clock() + OWN
        self._window.move(place)
