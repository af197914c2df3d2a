"""Windows on Microsoft Windows, through user32 and dwmapi.

Written against the Win32 documentation; not verified on a machine with Windows.
"""

from __future__ import annotations

import ctypes
from typing import Any

from ...base.errors import SourceUnavailable
from ...base.frame import Rect
from .window import Window

GWL_EXSTYLE = -20
WS_EX_TRANSPARENT = 0x20
WS_EX_LAYERED = 0x80000
DWMWA_EXTENDED_FRAME_BOUNDS = 9
DWMWA_CLOAKED = 14
VIRTUAL_SCREEN = (76, 77, 78, 79)  # SM_XVIRTUALSCREEN, SM_YVIRTUALSCREEN, SM_CXVIRTUALSCREEN, SM_CYVIRTUALSCREEN


class _RECT(ctypes.Structure):
    _fields_ = (("left", ctypes.c_long), ("top", ctypes.c_long), ("right", ctypes.c_long), ("bottom", ctypes.c_long))


class Win32Windows:
    """Top-level windows, in physical pixels of the virtual desktop (the left and upper monitors may be negative)."""

    def __init__(self) -> None:
        library: Any = getattr(ctypes, "WinDLL", None)
        if library is None:
            raise SourceUnavailable("window capture: user32 exists on Windows only")
        self._user32: Any = library("user32", use_last_error=True)
        self._dwmapi: Any = library("dwmapi")
        make: Any = getattr(ctypes, "WINFUNCTYPE", None)
        self._callback: Any = make(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        handle, text = ctypes.c_void_p, ctypes.c_wchar_p
        for name, arguments in (
            ("EnumWindows", [self._callback, handle]),
            ("IsWindow", [handle]),
            ("IsWindowVisible", [handle]),
            ("IsIconic", [handle]),
            ("GetWindowTextLengthW", [handle]),
            ("GetWindowTextW", [handle, text, ctypes.c_int]),
            ("GetWindowLongW", [handle, ctypes.c_int]),
            ("GetWindowRect", [handle, ctypes.POINTER(_RECT)]),
        ):
            getattr(self._user32, name).argtypes = arguments
            getattr(self._user32, name).restype = ctypes.c_int
        self._dwmapi.DwmGetWindowAttribute.argtypes = [handle, ctypes.c_uint, handle, ctypes.c_uint]
        self._dwmapi.DwmGetWindowAttribute.restype = ctypes.c_long

    def close(self) -> None:
        """Nothing is held open."""

    def windows(self) -> list[Window]:
        handles: list[int] = []

        def collect(handle: int, _: int) -> int:
            handles.append(handle)
            return 1

        self._user32.EnumWindows(self._callback(collect), None)
        described = (self.look(handle) for handle in reversed(handles))  # EnumWindows starts with the topmost
        return [window for window in described if window is not None and (window.shown or window.title)]

    def look(self, id: int) -> Window | None:
        if not self._user32.IsWindow(id):
            return None
        bounds = _RECT()
        size = ctypes.sizeof(bounds)
        # GetWindowRect counts the invisible resize border; DWM knows what is seen.
        if self._dwmapi.DwmGetWindowAttribute(id, DWMWA_EXTENDED_FRAME_BOUNDS, ctypes.byref(bounds), size):
            self._user32.GetWindowRect(id, ctypes.byref(bounds))
        cloaked = ctypes.c_uint()
        self._dwmapi.DwmGetWindowAttribute(id, DWMWA_CLOAKED, ctypes.byref(cloaked), ctypes.sizeof(cloaked))
        shown = bool(self._user32.IsWindowVisible(id)) and not self._user32.IsIconic(id) and not cloaked.value
        width, height = bounds.right - bounds.left, bounds.bottom - bounds.top
        if width < 1 or height < 1:
            shown = False
        rect = Rect(bounds.left, bounds.top, max(1, width), max(1, height))
        style = self._user32.GetWindowLongW(id, GWL_EXSTYLE)
        opaque = not (style & WS_EX_LAYERED and style & WS_EX_TRANSPARENT)
        return Window(id, self._title(id), rect, rect, shown, opaque)

    def desktop(self) -> Rect | None:
        return Rect(*(self._user32.GetSystemMetrics(index) for index in VIRTUAL_SCREEN))

    def _title(self, id: int) -> str:
        length = self._user32.GetWindowTextLengthW(id)
        text = ctypes.create_unicode_buffer(length + 1)
        self._user32.GetWindowTextW(id, text, length + 1)
        return text.value
