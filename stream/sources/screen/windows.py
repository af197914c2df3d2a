"""Windows of other programs: which one is meant, where it is, and where our own preview covers the screen.

Coordinates are those of the captured desktop: physical pixels on X11 and Windows, points on macOS.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ...base.errors import SourceUnavailable
from ...base.frame import Rect
from ...base.names import quoted
from .window import Pointer, Window

MOST_LISTED = 12
NOT_SHOWN = "is minimised, hidden, or on another desktop"
RIVAL = 0.3  # of the best window's area that another one has at least to be meant in its place


class WindowSystem(Protocol):
    """What the desktop tells about windows. All calls come from one thread at a time."""

    def windows(self) -> list[Window]:
        """All titled windows, and untitled ones that are shown, the lowest first. Raises SourceLost."""
        ...

    def look(self, id: int) -> Window | None:
        """One window now; None when it is gone. Raises SourceLost."""
        ...

    def picture(self, window: Window, cursor: bool) -> np.ndarray | None:
        """A window's own content, whatever lies over it: ``(H, W, 3)`` uint8 RGB, with the mouse pointer or without.

        None where the desktop cannot show it alone. Raises SourceLost, SourceUnavailable.
        """
        ...

    def stirred(self) -> bool:
        """Whether any window was shown, moved or raised since this was asked last. Raises SourceLost."""
        ...

    def pointer(self) -> Pointer | None:
        """The pointer now, in coordinates of the desktop; None where it cannot be asked for. Raises SourceLost."""
        ...

    def desktop(self) -> Rect | None:
        """The virtual desktop now; None when it cannot be told apart from before."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


def open_window_system() -> WindowSystem:
    """Connect to this desktop's windows; raises SourceUnavailable with a hint."""
    if sys.platform == "win32":
        from .win32 import Win32Windows

        return Win32Windows()
    if sys.platform == "darwin":
        from .quartz import QuartzWindows

        return QuartzWindows()
    from .x11 import X11Windows

    return X11Windows()


def match_window(windows: Sequence[Window], wanted: str) -> Window | None:
    """The window that is meant by an id (``0x3a00007``), the name of a program, or a part of a title, in any case.

    An id comes first, then a program of this name, then one whose name has this part, and titles last. Of several, a
    shown one comes before a minimised one, then one with exactly this title, then the largest. Never a preview, nor the
    terminal that runs us: its title may be the very command line that names the window. Splash screens, dialogs and
    toolbars are meant by their id only.
    """
    name = _plain(wanted)
    found = [window for window in windows if _rank(window, name)]
    if not found:
        return None
    area = lambda w: w.content.width * w.content.height
    return max(found, key=lambda w: (_rank(w, name), w.shown, not w.put_away, _plain(w.title) == name, area(w)))


def successors(windows: Sequence[Window], gone: Window, wanted: str) -> list[Window]:
    """What may be taken in the place of a window that was closed, or hidden by its program, the best first.

    Windows of the same program that fit what was ``wanted`` and are not hidden themselves: a shown one before a
    minimised one, then the one that shows the same document, by its title, then the largest.
    """
    name, area = _plain(wanted), lambda window: window.content.width * window.content.height
    fits = lambda window: window.is_of(gone) and not window.put_away and _rank(window, name)
    return sorted(filter(fits, windows), key=lambda w: (w.shown, w.title == gone.title, area(w)), reverse=True)


def is_number(wanted: str, window: Window) -> bool:
    """Whether the text is the window's id."""
    return _plain(wanted) in (f"{window.id:#x}", str(window.id))


def is_smaller(window: Window, other: Window) -> bool:
    """Whether it is much smaller than the other one, as toolbars and splash screens are."""
    width, height = other.content.size
    return window.content.width * window.content.height < RIVAL * width * height


def alike(windows: Sequence[Window], wanted: str) -> tuple[Window, ...]:
    """The shown windows that fit as well as the best, but for toolbars and the like, which are much smaller.

    Just the best where its title is the very text that was given.
    """
    name, best = _plain(wanted), match_window(windows, wanted)
    if best is None or _plain(best.title) == name:
        return () if best is None else (best,)
    rank = _rank(best, name)
    fits = lambda each: each.shown and each.title and _rank(each, name) == rank and not is_smaller(each, best)
    return tuple(filter(fits, windows))


def _rank(window: Window, name: str) -> int:
    """How well a window fits; 0: not at all."""
    title, program = _plain(window.title), _plain(window.program)
    if window.is_preview:
        return 0
    if is_number(name, window):
        return 4
    if window.own or window.aside or re.search(rf"window\s*=\s*[\"']?{re.escape(name)}", title):
        return 0
    return next((rank for rank, fits in ((3, program == name), (2, name in program), (1, name in title)) if fits), 0)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()


def find_window(windows: Sequence[Window], wanted: str) -> Window:
    """Like ``match_window``, but raises SourceUnavailable that lists what there is."""
    window = match_window(windows, wanted)
    if window is None:
        there = [w for w in windows if w.title and not w.is_preview and not w.own and not w.aside]
        titles = list(dict.fromkeys(quoted(w.title, 60) for w in there))
        more = f" and {len(titles) - MOST_LISTED} more" if len(titles) > MOST_LISTED else ""
        names = ", ".join(titles[:MOST_LISTED]) + more or "no windows with a title"
        expected = f"an id, a program, or a part of the title of an open window: {names}"
        hint = "start the program first, or name another window"
        raise SourceUnavailable(f"window: got {quoted(wanted)}, expected {expected}; {hint}")
    if not window.shown:
        raise SourceUnavailable(f"{window} {NOT_SHOWN}; bring it up")
    return window


def intersect(a: Rect, b: Rect) -> Rect | None:
    """What two rectangles have in common."""
    x, y = max(a.x, b.x), max(a.y, b.y)
    right, bottom = min(a.x + a.width, b.x + b.width), min(a.y + a.height, b.y + b.height)
    return Rect(x, y, right - x, bottom - y) if right > x and bottom > y else None


def preview_mask(windows: Sequence[Window], region: Rect) -> np.ndarray | None:
    """Where a preview can be seen inside ``region``: ``(H, W)`` bool, or None if nowhere.

    ``windows`` come lowest first: who lies above a preview hides it.
    """
    mask = np.zeros((region.height, region.width), np.bool_)
    for window in windows:
        if window.shown and (window.is_preview or window.opaque):
            _paint(mask, window.frame, region, window.is_preview)
    return mask if mask.any() else None


def covered_mask(windows: Sequence[Window], id: int, region: Rect) -> np.ndarray | None:
    """Where anything lies over a window inside ``region``, or may: ``(H, W)`` bool, or None if nowhere."""
    mask = np.zeros((region.height, region.width), np.bool_)
    place = next((place for place, window in enumerate(windows) if window.id == id), None)
    if place is None:
        return ~mask
    for window in windows[place + 1 :]:
        if window.shown and (window.is_preview or window.opaque):
            _paint(mask, window.frame, region, True)
    return mask if mask.any() else None


def _paint(mask: np.ndarray, rect: Rect, region: Rect, value: bool) -> None:
    part = intersect(rect, region)
    if part is not None:
        x, y = part.x - region.x, part.y - region.y
        mask[y : y + part.height, x : x + part.width] = value
