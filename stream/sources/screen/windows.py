"""Windows of other programs: which one is meant, where it is, and where our own preview covers the screen.

Coordinates are those of the captured desktop: physical pixels on X11 and Windows, points on macOS.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ...base.errors import SourceUnavailable
from ...base.frame import Rect
from .window import Window


class WindowSystem(Protocol):
    """What the desktop tells about windows. All calls come from one thread at a time."""

    def windows(self) -> list[Window]:
        """All titled windows, and untitled ones that are shown, the lowest first. Raises SourceLost."""
        ...

    def look(self, id: int) -> Window | None:
        """One window now; None when it is gone. Raises SourceLost."""
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


def match_window(windows: Sequence[Window], title: str) -> Window | None:
    """The window whose title contains ``title``, in any case; never a preview.

    Of several, a shown one comes before a minimised one, then one with exactly this title, then the largest.
    """
    wanted = title.casefold()
    found = [window for window in windows if wanted in window.title.casefold() and not window.is_preview]
    if not found:
        return None
    return max(found, key=lambda w: (w.shown, w.title.casefold() == wanted, w.content.width * w.content.height))


def find_window(windows: Sequence[Window], title: str) -> Window:
    """Like ``match_window``, but raises SourceUnavailable that lists what there is."""
    window = match_window(windows, title)
    if window is None:
        titles = list(dict.fromkeys(w.title for w in windows if w.title and not w.is_preview))
        names = ", ".join(repr(name[:60]) for name in titles[:12]) or "no windows with a title"
        raise SourceUnavailable(f"window: got {title!r}, expected a part of the title of an open window: {names}")
    if not window.shown:
        raise SourceUnavailable(f"window {window.title!r} is minimised, or on another desktop; bring it up")
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
    mask: np.ndarray | None = None
    for window in windows:
        if not window.shown or not (window.is_preview or window.opaque):
            continue
        part = intersect(window.frame, region)
        if part is None or (mask is None and not window.is_preview):
            continue
        if mask is None:
            mask = np.zeros((region.height, region.width), np.bool_)
        x, y = part.x - region.x, part.y - region.y
        mask[y : y + part.height, x : x + part.width] = window.is_preview
    return mask if mask is not None and mask.any() else None
