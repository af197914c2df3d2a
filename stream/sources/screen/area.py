"""Which part of a window is given: the sheet of paper in it, all of it, or a rectangle."""

from __future__ import annotations

import numpy as np

from ...base.errors import ConfigError
from ...base.frame import Rect
from .lock import Lock
from .steady import Steady
from .track import Tracker
from .window import Pointer

LOST = 3.0  # seconds without the sheet until people are told


class Area:
    """What ``area=`` says: ``"canvas"``, ``"window"``, or a ``Rect`` in pixels of the window's picture."""

    def __init__(self, wanted: str | Rect = "canvas") -> None:
        self.wanted = wanted
        self._window: int | None = None
        self._tracker = Tracker()
        self._steady = Steady()
        self._lock = Lock()
        self._rect: Rect | None = None  # what was given last
        self._given: np.ndarray | None = None
        self._seen_at = -np.inf
        self._lost = False

    @property
    def notice(self) -> str:
        """What people should know of the picture now; empty: nothing."""
        if self.wanted != "canvas":
            return ""
        if self._tracker.sheet is None and self._given is not None:
            return (
                "no sheet of paper was found in this window, so all of it is taken: open or make a drawing, zoom out "
                "until the sheet's borders are seen, or name the part with area=x,y,width,height or screen:pick"
            )
        if self._lock.lost:
            return (
                "a part of the sheet of paper is seen, and it cannot be told which: the picture holds; zoom out until "
                "all of the sheet is seen, or until more of the drawing is"
            )
        if self._lost:
            return (
                "the sheet of paper is not seen in its window: the picture holds; zoom out until its borders are seen"
            )
        return ""

    def begin(self, window: int) -> None:
        """The pictures are of this window from now on; of another one than before, nothing is known."""
        if self._window not in (None, window):
            self.__init__(self.wanted)
        self._window = window

    def take(self, picture: np.ndarray, pointer: Pointer | None, now: float) -> np.ndarray:
        """The part of a window's picture, ``(H, W, 3)`` uint8 RGB, without what belongs to the pointer.

        ``pointer`` is in pixels of the picture, ``now`` in seconds. Gives the very array that it gave before while
        nothing counts as new. Raises ConfigError when a rectangle is not in the window.
        """
        rect = self._part(picture, pointer, now)
        if rect is None:
            assert self._given is not None
            return self._given
        sheet, stirred = self._tracker.sheet, self._tracker.stirred
        if rect != self._rect or stirred:
            self._rect = rect
            self._steady.restart()
        part = picture[rect.y : rect.y + rect.height, rect.x : rect.x + rect.width]
        if pointer is not None:
            pointer = pointer._replace(x=pointer.x - rect.x, y=pointer.y - rect.y)
        given = self._steady.take(np.ascontiguousarray(part), pointer, now)
        if sheet is not None:
            given = self._lock.take(given, picture, sheet, stirred, self._tracker.rests, now)
            self._tracker.settled()
        self._given = given
        return given

    def _part(self, picture: np.ndarray, pointer: Pointer | None, now: float) -> Rect | None:
        """What is to be given; None: what was given last, as the sheet cannot be seen now."""
        height, width = picture.shape[:2]
        whole = Rect(0, 0, width, height)
        if isinstance(self.wanted, Rect):
            rect = self.wanted
            right, bottom = min(width, rect.x + rect.width), min(height, rect.y + rect.height)
            if right <= max(0, rect.x) or bottom <= max(0, rect.y):
                if self._given is not None:  # the window has become smaller
                    return None
                where = f"{rect.size} at {rect.x},{rect.y}"
                raise ConfigError(f"area: got {where}, expected a part of the window, which is {width}x{height}")
            x, y = max(0, rect.x), max(0, rect.y)
            return Rect(x, y, right - x, bottom - y)
        if self.wanted == "window":
            return whole
        tracker = self._tracker
        tracker.look(picture, now, pointer is not None and pointer.pressed)
        if tracker.sheet is None:
            return whole
        if tracker.there:
            self._seen_at, self._lost = now, False
            return tracker.sheet.rect
        self._lost = now - self._seen_at > LOST
        return None


def parse_area(text: str) -> str | Rect:
    """Read ``canvas``, ``window`` or ``x,y,width,height``; raises ConfigError."""
    name = text.strip().lower()
    if name in ("canvas", "window"):
        return name
    try:
        return Rect.parse(text)
    except ConfigError:
        expected = "canvas, window, or x,y,width,height in pixels of the window, for example 60,40,800,800"
        raise ConfigError(f"area: got {text!r}, expected {expected}") from None
