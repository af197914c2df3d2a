"""Windows on Microsoft Windows, through user32, dwmapi and gdi32.

Written against the Win32 documentation; not verified on a machine with Windows.
"""

from __future__ import annotations

import ctypes
from pathlib import PureWindowsPath
from typing import Any

import cv2
import numpy as np

from ...base.errors import SourceUnavailable
from ...base.frame import Rect
from .processes import ancestors
from .window import Pointer, Window

GWL_EXSTYLE = -20
GW_OWNER = 4
WS_EX_TOOLWINDOW = 0x80
WS_EX_TRANSPARENT = 0x20
WS_EX_LAYERED = 0x80000
DWMWA_EXTENDED_FRAME_BOUNDS = 9
DWMWA_CLOAKED = 14
RENDER_FULL_CONTENT = 2  # PW_RENDERFULLCONTENT: also what a graphics card draws
QUERY_LIMITED_INFORMATION = 0x1000
MOUSE_BUTTONS = (1, 2, 4)  # VK_LBUTTON, VK_RBUTTON, VK_MBUTTON
VIRTUAL_SCREEN = (76, 77, 78, 79)  # SM_XVIRTUALSCREEN, SM_YVIRTUALSCREEN, SM_CXVIRTUALSCREEN, SM_CYVIRTUALSCREEN


class _RECT(ctypes.Structure):
    _fields_ = (("left", ctypes.c_long), ("top", ctypes.c_long), ("right", ctypes.c_long), ("bottom", ctypes.c_long))


class _POINT(ctypes.Structure):
    _fields_ = (("x", ctypes.c_long), ("y", ctypes.c_long))


class _BITMAPINFO(ctypes.Structure):
    """BITMAPINFOHEADER, and room for one colour."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("width", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("planes", ctypes.c_uint16),
        ("bits", ctypes.c_uint16),
        ("compression", ctypes.c_uint32),
        ("rest", ctypes.c_uint32 * 6),
    )


class Win32Windows:
    """Top-level windows, in physical pixels of the virtual desktop (the left and upper monitors may be negative)."""

    def __init__(self) -> None:
        library: Any = getattr(ctypes, "WinDLL", None)
        if library is None:
            raise SourceUnavailable("window capture: user32 exists on Windows only")
        self._user32: Any = library("user32", use_last_error=True)
        self._dwmapi: Any = library("dwmapi")
        self._gdi32: Any = library("gdi32")
        self._kernel32: Any = library("kernel32")
        make: Any = getattr(ctypes, "WINFUNCTYPE", None)
        self._callback: Any = make(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        handle, text = ctypes.c_void_p, ctypes.c_wchar_p
        for name, arguments in (
            ("EnumWindows", [self._callback, handle]),
            ("IsWindow", [handle]),
            ("IsWindowVisible", [handle]),
            ("IsIconic", [handle]),
            ("GetWindow", [handle, ctypes.c_uint]),
            ("GetWindowTextLengthW", [handle]),
            ("GetWindowTextW", [handle, text, ctypes.c_int]),
            ("GetWindowLongW", [handle, ctypes.c_int]),
            ("GetWindowRect", [handle, ctypes.POINTER(_RECT)]),
            ("GetWindowThreadProcessId", [handle, handle]),
            ("PrintWindow", [handle, handle, ctypes.c_uint]),
            ("ReleaseDC", [handle, handle]),
        ):
            getattr(self._user32, name).argtypes = arguments
            getattr(self._user32, name).restype = handle if name == "GetWindow" else ctypes.c_int
        for module, name, arguments in (
            (self._user32, "GetDC", [handle]),
            (self._gdi32, "CreateCompatibleDC", [handle]),
            (self._gdi32, "CreateCompatibleBitmap", [handle, ctypes.c_int, ctypes.c_int]),
            (self._gdi32, "SelectObject", [handle, handle]),
            (self._gdi32, "DeleteObject", [handle]),
            (self._gdi32, "DeleteDC", [handle]),
            (self._gdi32, "GetDIBits", [handle, handle, ctypes.c_uint, ctypes.c_uint, handle, handle, ctypes.c_uint]),
            (self._kernel32, "OpenProcess", [ctypes.c_uint32, ctypes.c_int, ctypes.c_uint32]),
            (self._kernel32, "QueryFullProcessImageNameW", [handle, ctypes.c_uint32, text, handle]),
            (self._kernel32, "CloseHandle", [handle]),
        ):
            getattr(module, name).argtypes, getattr(module, name).restype = arguments, handle
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
        put_away = not self._user32.IsWindowVisible(id)  # a minimised window, or one elsewhere, is visible all the same
        shown = not put_away and not self._user32.IsIconic(id) and not cloaked.value
        width, height = bounds.right - bounds.left, bounds.bottom - bounds.top
        if width < 1 or height < 1:
            shown = False
        rect = Rect(bounds.left, bounds.top, max(1, width), max(1, height))
        style = self._user32.GetWindowLongW(id, GWL_EXSTYLE)
        opaque = not (style & WS_EX_LAYERED and style & WS_EX_TRANSPARENT)
        number = ctypes.c_uint32()
        self._user32.GetWindowThreadProcessId(id, ctypes.byref(number))
        pid, program = number.value or None, self._program(number.value)
        owner = self._user32.GetWindow(id, GW_OWNER)  # a hidden one belongs to every window of some programs
        aside = bool(style & WS_EX_TOOLWINDOW or (owner and self._user32.IsWindowVisible(owner)))
        return Window(id, self._title(id), rect, rect, shown, opaque, program, pid, pid in ancestors(), aside, put_away)

    def picture(self, window: Window, cursor: bool) -> np.ndarray | None:
        outer = _RECT()  # what is printed has the invisible border, too
        if not self._user32.GetWindowRect(window.id, ctypes.byref(outer)):
            return None
        width, height = outer.right - outer.left, outer.bottom - outer.top
        pixels = self._printed(window.id, width, height) if min(width, height) > 0 else None
        if pixels is None or not pixels[..., :3].any():
            return None  # a program that does not draw into a picture leaves it black
        x, y = max(0, window.content.x - outer.left), max(0, window.content.y - outer.top)
        inside = pixels[y : y + window.content.height, x : x + window.content.width]
        return cv2.cvtColor(np.ascontiguousarray(inside), cv2.COLOR_BGRA2RGB) if inside.size else None

    def _printed(self, id: int, width: int, height: int) -> np.ndarray | None:
        """``(H, W, 4)`` uint8 BGRA."""
        screen = self._user32.GetDC(None)
        memory = self._gdi32.CreateCompatibleDC(screen)
        bitmap = self._gdi32.CreateCompatibleBitmap(screen, width, height)
        before = self._gdi32.SelectObject(memory, bitmap)
        pixels = np.zeros((height, width, 4), np.uint8)
        info = _BITMAPINFO(40, width, -height, 1, 32)  # a negative height: the upper row first
        try:
            if not self._user32.PrintWindow(id, memory, RENDER_FULL_CONTENT):
                return None
            self._gdi32.SelectObject(memory, before)
            data, about = pixels.ctypes.data, ctypes.byref(info)
            return pixels if self._gdi32.GetDIBits(memory, bitmap, 0, height, data, about, 0) else None
        finally:
            self._gdi32.DeleteDC(memory)
            self._gdi32.DeleteObject(bitmap)
            self._user32.ReleaseDC(None, screen)

    def _program(self, pid: int) -> str:
        """The name of the program's file, without its ending."""
        process = self._kernel32.OpenProcess(QUERY_LIMITED_INFORMATION, 0, pid)
        if not process:
            return ""
        path, length = ctypes.create_unicode_buffer(1024), ctypes.c_uint32(1024)
        found = self._kernel32.QueryFullProcessImageNameW(process, 0, path, ctypes.byref(length))
        self._kernel32.CloseHandle(process)
        return PureWindowsPath(path.value).stem if found else ""

    def stirred(self) -> bool:
        """Not asked for: who comes and goes between two looks is not noticed."""
        return False

    def pointer(self) -> Pointer | None:
        place = _POINT()
        if not self._user32.GetCursorPos(ctypes.byref(place)):
            return None
        # The highest bit says that it is down now; the lowest, that it was since somebody asked last. All are asked, so
        # that none is left for the next look.
        states = [self._user32.GetAsyncKeyState(button) & 0x8001 for button in MOUSE_BUTTONS]
        return Pointer(place.x, place.y, any(states))

    def desktop(self) -> Rect | None:
        return Rect(*(self._user32.GetSystemMetrics(index) for index in VIRTUAL_SCREEN))

    def _title(self, id: int) -> str:
        length = self._user32.GetWindowTextLengthW(id)
        text = ctypes.create_unicode_buffer(length + 1)
        self._user32.GetWindowTextW(id, text, length + 1)
        return text.value
