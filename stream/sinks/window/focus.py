"""Giving the keyboard back: to the window that had it before ours, so that a hand goes on drawing after a prompt.

X11: ``_NET_ACTIVE_WINDOW`` of "Extended Window Manager Hints" 1.5, and without a window manager the input focus itself.
Windows: ``GetForegroundWindow`` and ``SetForegroundWindow`` (unverified). Elsewhere nothing is done.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

log = logging.getLogger(__name__)
PAGER = 2  # source indication: on behalf of the user, who has just pressed Enter
CLIENT_MESSAGE, FORMAT = 33, 32
SUBSTRUCTURE = (1 << 20) | (1 << 19)
TO_PARENT = 2


class Focus(Protocol):
    """Which window has the keyboard."""

    def other(self) -> int:
        """The window that has it now, where it is none of ours; else 0."""
        ...

    def give(self, window: int) -> bool:
        """Give it to a window; False where that cannot be."""
        ...


class NoFocus:
    """A desktop that is not asked."""

    def other(self) -> int:
        """0."""
        return 0

    def give(self, window: int) -> bool:
        """False."""
        return False


def open_focus(pygame: Any) -> Focus:
    """The focus of the desktop that pygame's window is on. Call it, and its methods, on the window's thread."""
    try:
        if sys.platform.startswith("linux") and pygame.display.get_driver() == "x11":
            return XFocus(pygame.display.get_wm_info())
        if sys.platform == "win32" and pygame.display.get_driver() == "windows":
            return WinFocus(pygame.display.get_wm_info()["window"])
    except (OSError, AttributeError, KeyError, TypeError) as error:
        log.debug("the focus cannot be given back: %s", error)
    return NoFocus()


class _Message(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("room", ctypes.c_long * 24),  # an XEvent is larger than this message
    )


_Handler = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


class XFocus:
    """On X11, through the connection that SDL has."""

    def __init__(self, about: dict[str, Any]) -> None:
        unwrap = ctypes.pythonapi.PyCapsule_GetPointer
        unwrap.argtypes, unwrap.restype = [ctypes.py_object, ctypes.c_char_p], ctypes.c_void_p
        self._display = ctypes.c_void_p(unwrap(about["display"], b"display"))
        self._own = int(about["window"])
        self._x11 = _declared(ctypes.CDLL(ctypes.util.find_library("X11") or "libX11.so.6"))
        self._root = self._x11.XDefaultRootWindow(self._display)
        self._active = self._x11.XInternAtom(self._display, b"_NET_ACTIVE_WINDOW", 0)
        self._supported = self._x11.XInternAtom(self._display, b"_NET_SUPPORTED", 0)
        self._errors = 0
        self._handler = _Handler(self._failed)

    def other(self) -> int:
        """The active window; 0 for ours and for the root."""
        with self._forgiving():
            if self._managed():
                window = next(iter(self._longs(self._active, 1)), 0)
            else:
                found, revert = ctypes.c_ulong(), ctypes.c_int()
                self._x11.XGetInputFocus(self._display, ctypes.byref(found), ctypes.byref(revert))
                window = found.value
            return 0 if window in (self._own, self._root, 0, 1) else int(window)

    def give(self, window: int) -> bool:
        """Make a window the active one; False when it is gone."""
        with self._forgiving():
            if self._managed():
                event = _Message(type=CLIENT_MESSAGE, window=window, message_type=self._active, format=FORMAT)
                event.data[0], event.data[2] = PAGER, self._own
                self._x11.XSendEvent(self._display, self._root, 0, SUBSTRUCTURE, ctypes.byref(event))
            else:
                self._x11.XSetInputFocus(self._display, window, TO_PARENT, 0)
            self._x11.XSync(self._display, 0)
        return not self._errors

    def _managed(self) -> bool:
        return self._active in self._longs(self._supported, 1024)

    def _longs(self, name: int, most: int) -> list[int]:
        """Numbers of a property of the root window."""
        kind, form = ctypes.c_ulong(), ctypes.c_int()
        count, left, data = ctypes.c_ulong(), ctypes.c_ulong(), ctypes.POINTER(ctypes.c_ulong)()
        given = (ctypes.byref(each) for each in (kind, form, count, left, data))
        if self._x11.XGetWindowProperty(self._display, self._root, name, 0, most, 0, 0, *given) or not data:
            return []
        try:
            return data[: count.value] if form.value == FORMAT else []
        finally:
            self._x11.XFree(data)

    @contextmanager
    def _forgiving(self) -> Iterator[None]:
        """A window may be gone at any time, and Xlib ends the process over that by itself."""
        self._errors = 0
        before = self._x11.XSetErrorHandler(self._handler)
        try:
            yield
            self._x11.XSync(self._display, 0)
        finally:
            self._x11.XSetErrorHandler(ctypes.cast(before, _Handler))

    def _failed(self, display: int, event: int) -> int:
        self._errors += 1
        return 0


def _declared(x11: Any) -> Any:
    pointer, number = ctypes.c_void_p, ctypes.c_ulong
    x11.XDefaultRootWindow.argtypes, x11.XDefaultRootWindow.restype = [pointer], number
    x11.XInternAtom.argtypes, x11.XInternAtom.restype = [pointer, ctypes.c_char_p, ctypes.c_int], number
    x11.XGetInputFocus.argtypes = [pointer, pointer, pointer]
    x11.XSetInputFocus.argtypes = [pointer, number, ctypes.c_int, number]
    x11.XSendEvent.argtypes = [pointer, number, ctypes.c_int, ctypes.c_long, pointer]
    x11.XSync.argtypes = [pointer, ctypes.c_int]
    x11.XFree.argtypes = [pointer]
    x11.XSetErrorHandler.argtypes, x11.XSetErrorHandler.restype = [pointer], pointer
    x11.XGetWindowProperty.argtypes = [pointer, number, number, *[ctypes.c_long] * 2, ctypes.c_int, number]
    x11.XGetWindowProperty.argtypes += [pointer] * 5
    return x11


class WinFocus:
    """On Windows; unverified. https://learn.microsoft.com/windows/win32/api/winuser/nf-winuser-setforegroundwindow"""

    def __init__(self, own: int) -> None:
        self._own = own
        self._user32 = ctypes.WinDLL("user32", use_last_error=True)  # pyright: ignore[reportAttributeAccessIssue]
        self._user32.GetForegroundWindow.restype = ctypes.c_void_p
        self._user32.SetForegroundWindow.argtypes = [ctypes.c_void_p]

    def other(self) -> int:
        """The window in the foreground; 0 for ours."""
        window = self._user32.GetForegroundWindow() or 0
        return 0 if window == self._own else window

    def give(self, window: int) -> bool:
        """Bring a window to the foreground."""
        return bool(self._user32.SetForegroundWindow(window))
