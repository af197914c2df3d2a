"""Which part of a window is given: the sheet of paper in it, all of it, or a rectangle."""

from __future__ import annotations

import numpy as np

from ...base.errors import ConfigError
from ...base.frame import Rect, Size
from .lock import Lock
from .marked import Marked, document_in
from .steady import Steady
from .track import Tracker
from .window import Pointer, Window
from .windows import intersect

LOST = 3.0  # seconds without the sheet until people are told


class Area:
    """What ``area=`` says: ``"canvas"``, ``"window"``, or a ``Rect`` in pixels of the window's picture."""

    def __init__(self, wanted: str | Rect = "canvas", marked: Marked | None = None) -> None:
        self.wanted = wanted
        self._window: Window | None = None
        self._marked = marked or Marked()
        self._by_hand: Rect | None = None  # where the user said that the canvas is
        self._known_for: tuple[Size, str] | None = None  # the size of the window, and its document, that this is of
        self._wish: tuple[Rect | None] | None = None  # what ``mark`` said, until the next picture
        self._seen: np.ndarray | None = None  # the last picture, whole
        self._tracker = Tracker()
        self._steady = Steady()
        self._lock = Lock()
        self._rect: Rect | None = None  # what was given last
        self._unsure = True  # whether that may not be the sheet
        self._given: np.ndarray | None = None
        self._seen_at = -np.inf
        self._lost = False

    @property
    def notice(self) -> str:
        """What people should know of the picture now; empty: nothing."""
        if self.wanted != "canvas" or self._by_hand is not None:
            return ""
        if self._tracker.sheet is None and self._given is not None:
            return (
                "no sheet of paper was found, so all of the window is taken: open a drawing, zoom out to its borders, "
                "or K says where it is (area=x,y,width,height)"
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

    def begin(self, window: Window) -> None:
        """The pictures are of this window from now on; of another one than before, nothing is known."""
        if self._window is not None and self._window.id != window.id:
            self.__init__(self.wanted, self._marked)
        self._window = window

    def starts(self, now: float) -> None:
        """Pictures are about to come, at a time in seconds."""
        self._tracker.begin(now)

    @property
    def searching(self) -> bool:
        """Whether the sheet is to be given, and was not found yet, or not for certain."""
        return self.wanted == "canvas" and self._by_hand is None and self._tracker.unsure

    def view(self) -> tuple[np.ndarray, Rect] | None:
        """The last picture of the window, ``(H, W, 3)`` uint8 RGB, and which part of it is given; from any thread.

        None before the first one, and where the part was chosen in another way than as the canvas.
        """
        picture, rect = self._seen, self._rect
        return None if picture is None or rect is None or self.wanted != "canvas" else (picture, rect)

    def mark(self, rect: Rect | None) -> None:
        """Say where the canvas is in the window, in its pixels, or None: it is to be found; from any thread.

        It is remembered for this document, if the window's title names one, and for windows of this program and size.
        """
        self._wish = (rect,)

    def take(self, picture: np.ndarray, pointer: Pointer | None, now: float) -> np.ndarray:
        """The part of a window's picture, ``(H, W, 3)`` uint8 RGB, without what belongs to the pointer.

        ``pointer`` is in pixels of the picture, ``now`` in seconds. Gives the very array that it gave before while
        nothing counts as new. Raises ConfigError when a rectangle is not in the window.
        """
        self._heed(Size.of(picture))
        rect = self._part(picture, pointer, now)
        self._seen = picture
        if rect is not None and rect != self._rect and self._unsure:
            self._lock = Lock()  # what it remembers was no sheet
        self._unsure = self.searching
        if rect is None:
            assert self._given is not None
            return self._given
        sheet = None if self._by_hand else self._tracker.sheet
        stirred = self._tracker.stirred and not self._by_hand
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

    def _heed(self, size: Size) -> None:
        """Take what the user said, now or at another time of such a window."""
        program, title = (self._window.program, self._window.title) if self._window else ("", "")
        wish, document = self._wish, document_in(title)
        if self.wanted != "canvas":
            return
        if wish is not None:
            self._wish, self._by_hand, self._known_for = None, wish[0], (size, document)
            self._marked.mark(program, size, wish[0], document)
            self._lock = Lock()
        elif (size, document) != self._known_for:
            before, self._by_hand = self._by_hand, self._marked.of(program, size, document)
            self._known_for = size, document
            if (before is None) != (self._by_hand is None):
                self._lock = Lock()

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
        if self._by_hand is not None:
            return intersect(self._by_hand, whole) or whole
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
