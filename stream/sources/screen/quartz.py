"""Windows on macOS, through Quartz Window Services (pyobjc).

Written against Apple's documentation of ``CGWindowListCopyWindowInfo`` and ``CGWindowListCreateImage``; not verified on
a Mac.
"""

from __future__ import annotations

import importlib
from typing import Any

import cv2
import numpy as np

from ...base.errors import SourceUnavailable
from ...base.frame import Rect
from .processes import ancestors
from .window import Pointer, Window

NULL_WINDOW = 0
ALL = 0
ON_SCREEN_ONLY = 1 << 0
INCLUDING_WINDOW = 1 << 3
WITHOUT_DESKTOP = 1 << 4
WITHOUT_SHADOW = 1 << 0  # kCGWindowImageBoundsIgnoreFraming
MOUSE_BUTTONS = (0, 1, 2)  # left, right, middle
MOUSE_DOWN = (1, 3, 25)  # the same, as kinds of events
DOCK_LAYER = 20  # the Dock, the menu bar and overlays lie on this level and above


class QuartzWindows:
    """Top-level windows, in points. Titles are readable only with the permission "Screen Recording"."""

    def __init__(self) -> None:
        try:
            self._quartz: Any = importlib.import_module("Quartz")
        except ImportError as error:
            raise SourceUnavailable(
                "window capture on macOS needs pyobjc: pip install pyobjc-framework-Quartz, and allow your terminal "
                "under System Settings > Privacy & Security > Screen Recording. Without it use screen:region=x,y,w,h"
            ) from error
        self._presses: int | None = None  # since the desktop began, when they were counted last

    def close(self) -> None:
        """Nothing is held open."""

    def windows(self) -> list[Window]:
        # The list with ON_SCREEN_ONLY is in order, the topmost first; minimised windows are only in the other one.
        front = self._list(ON_SCREEN_ONLY | WITHOUT_DESKTOP, NULL_WINDOW)
        shown = {window.id for window in front}
        hidden = [w for w in self._list(ALL | WITHOUT_DESKTOP, NULL_WINDOW) if w.title and w.id not in shown]
        return hidden + front[::-1]

    def look(self, id: int) -> Window | None:
        found = [window for window in self._list(INCLUDING_WINDOW, id) if window.id == id]
        return found[0] if found else None

    def picture(self, window: Window, cursor: bool) -> np.ndarray | None:
        quartz = self._quartz
        image = quartz.CGWindowListCreateImage(quartz.CGRectNull, INCLUDING_WINDOW, window.id, WITHOUT_SHADOW)
        if image is None:
            return None
        width, height = quartz.CGImageGetWidth(image), quartz.CGImageGetHeight(image)
        stride, bits = quartz.CGImageGetBytesPerRow(image), quartz.CGImageGetBitsPerPixel(image)
        data = bytes(quartz.CGDataProviderCopyData(quartz.CGImageGetDataProvider(image)))
        if bits != 32 or min(width, height) < 1 or len(data) < stride * height:
            return None
        rows = np.frombuffer(data, np.uint8, stride * height).reshape(height, stride)
        return cv2.cvtColor(rows[:, : width * 4].reshape(height, width, 4), cv2.COLOR_BGRA2RGB)

    def stirred(self) -> bool:
        """Not asked for: who comes and goes between two looks is not noticed."""
        return False

    def pointer(self) -> Pointer | None:
        quartz = self._quartz
        place = quartz.CGEventGetLocation(quartz.CGEventCreate(None))
        state = quartz.kCGEventSourceStateCombinedSessionState
        pressed = any(quartz.CGEventSourceButtonState(state, button) for button in MOUSE_BUTTONS)
        presses = sum(quartz.CGEventSourceCounterForEventType(state, kind) for kind in MOUSE_DOWN)
        tapped, self._presses = self._presses not in (None, presses), presses
        return Pointer(round(place.x), round(place.y), pressed or tapped)

    def desktop(self) -> Rect | None:
        """Not asked for: a change of the desktop is met when the next capture fails."""
        return None

    def _list(self, options: int, id: int) -> list[Window]:
        return [self._window(info) for info in self._quartz.CGWindowListCopyWindowInfo(options, id) or ()]

    def _window(self, info: Any) -> Window:
        bounds = info["kCGWindowBounds"]
        sides = (max(1, round(bounds["Width"])), max(1, round(bounds["Height"])))
        rect = Rect(round(bounds["X"]), round(bounds["Y"]), *sides)
        title = str(info.get("kCGWindowName") or info.get("kCGWindowOwnerName") or "")
        opaque = info.get("kCGWindowAlpha", 1.0) > 0.9 and info.get("kCGWindowLayer", 0) < DOCK_LAYER
        shown = bool(info.get("kCGWindowIsOnscreen", False))
        program, pid = str(info.get("kCGWindowOwnerName") or ""), info.get("kCGWindowOwnerPID")
        own, aside = pid in ancestors(), info.get("kCGWindowLayer", 0) != 0  # all but usual windows lie on other levels
        return Window(int(info["kCGWindowNumber"]), title, rect, rect, shown, opaque, program, pid, own, aside)
