"""A picture in the clipboard, to be pasted into a paint program as a layer.

X11: ``selection`` serves it, for as long as the preview is there. Windows, macOS and Wayland are written against their
documentation (unverified).
"""

from __future__ import annotations

import ctypes
import logging
import queue
import struct
import subprocess
import threading
from collections.abc import Callable
from typing import Any, Protocol

import cv2
import numpy as np

from ...base.files import png
from ...base.plain import reason

log = logging.getLogger(__name__)
COPIED = "copied; paste it into the paint program as a layer"
CF_DIB, GMEM_MOVEABLE = 8, 2
WITHIN = 5.0  # seconds that a helper program has
Tell = Callable[[str], object]  # is told why it could not be, or nothing when the picture is there


class Backend(Protocol):
    """Puts pictures into the clipboard of one kind of desktop."""

    def put(self, pixels: np.ndarray, tell: Tell) -> None:
        """Put ``(H, W, 3)`` uint8 RGB, and tell, at once or later; may raise OSError."""
        ...

    def close(self) -> None:
        """Let go of what serves it."""
        ...


class Copier:
    """The clipboard of the desktop that pygame's window is on; what it needs is made at the first picture."""

    def __init__(self, pygame: Any) -> None:
        self._pygame = pygame
        self._backend: Backend | None = None
        self._said: queue.SimpleQueue[str] = queue.SimpleQueue()

    def copy(self, pixels: np.ndarray) -> None:
        """Put ``(H, W, 3)`` uint8 RGB there; ``news`` says what came of it."""
        try:
            if self._backend is None:
                self._backend = _open(self._pygame)
            self._backend.put(pixels, self._said.put)
        except (OSError, ImportError, AttributeError) as error:
            log.debug("not copied", exc_info=error)
            self._said.put(reason(error))

    def news(self) -> list[str]:
        """What came of copies since the last call, in words."""
        words = []
        while not self._said.empty():
            why = self._said.get()
            words.append(f"not copied: {why}; Enter keeps it as a file" if why else COPIED)
        return words

    def close(self) -> None:
        """On X11 the picture leaves the clipboard."""
        if self._backend is not None:
            self._backend.close()


def _open(pygame: Any) -> Backend:
    driver = pygame.display.get_driver()
    if driver == "x11":
        from .selection import Selection

        return Selection()
    if driver == "wayland":
        return Wayland()
    if driver == "windows":
        return Windows(pygame.display.get_wm_info()["window"])
    if driver == "cocoa":
        return MacOS()
    raise OSError(f"this desktop ({driver}) has no clipboard for pictures")


class Wayland:
    """Through ``wl-copy`` of wl-clipboard; unverified. https://github.com/bugaevc/wl-clipboard"""

    def put(self, pixels: np.ndarray, tell: Tell) -> None:
        """See ``Backend``."""
        threading.Thread(target=self._put, args=(png(pixels), tell), name="inkstream copy", daemon=True).start()

    def _put(self, data: bytes, tell: Tell) -> None:
        command, none = ["wl-copy", "--type", "image/png"], subprocess.DEVNULL
        try:
            subprocess.run(command, input=data, timeout=WITHIN, check=True, stdout=none, stderr=none)
        except FileNotFoundError:
            tell("wl-copy is not there (install wl-clipboard)")
        except (OSError, subprocess.SubprocessError) as error:
            tell(reason(error))
        else:
            tell("")

    def close(self) -> None:
        """The program serves it on."""


class Windows:
    """As a device independent bitmap, and as PNG for programs that take it; unverified.

    https://learn.microsoft.com/windows/win32/dataxchg/using-the-clipboard
    """

    def __init__(self, window: int) -> None:
        self._window = window
        pointer = ctypes.c_void_p
        self._user32 = user32 = ctypes.WinDLL("user32", use_last_error=True)  # pyright: ignore[reportAttributeAccessIssue]
        self._kernel32 = kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)  # pyright: ignore[reportAttributeAccessIssue]
        user32.OpenClipboard.argtypes = [pointer]
        user32.SetClipboardData.argtypes, user32.SetClipboardData.restype = [ctypes.c_uint, pointer], pointer
        user32.RegisterClipboardFormatW.argtypes = [ctypes.c_wchar_p]
        kernel32.GlobalAlloc.argtypes, kernel32.GlobalAlloc.restype = [ctypes.c_uint, ctypes.c_size_t], pointer
        kernel32.GlobalLock.argtypes, kernel32.GlobalLock.restype = [pointer], pointer
        kernel32.GlobalUnlock.argtypes = kernel32.GlobalFree.argtypes = [pointer]

    def put(self, pixels: np.ndarray, tell: Tell) -> None:
        """See ``Backend``."""
        if not self._user32.OpenClipboard(self._window):
            raise OSError("another program has the clipboard open")
        try:
            self._user32.EmptyClipboard()
            self._give(CF_DIB, dib(pixels))
            self._give(self._user32.RegisterClipboardFormatW("PNG"), png(pixels))
        finally:
            self._user32.CloseClipboard()
        tell("")

    def _give(self, form: int, data: bytes) -> None:
        """The system owns the memory once it has taken it."""
        memory = self._kernel32.GlobalAlloc(GMEM_MOVEABLE, len(data))
        place = memory and self._kernel32.GlobalLock(memory)
        if not place:
            raise OSError("there is not enough memory")
        ctypes.memmove(place, data, len(data))
        self._kernel32.GlobalUnlock(memory)
        if not self._user32.SetClipboardData(form, memory):
            self._kernel32.GlobalFree(memory)
            raise OSError("Windows refused the picture")

    def close(self) -> None:
        """The system has it."""


class MacOS:
    """Through ``NSPasteboard``; unverified. https://developer.apple.com/documentation/appkit/nspasteboard"""

    def put(self, pixels: np.ndarray, tell: Tell) -> None:
        """See ``Backend``."""
        import AppKit  # pyright: ignore[reportMissingImports] - comes with pyobjc-framework-Quartz

        board = AppKit.NSPasteboard.generalPasteboard()
        board.clearContents()
        data = png(pixels)
        if not board.setData_forType_(AppKit.NSData.dataWithBytes_length_(data, len(data)), "public.png"):
            raise OSError("macOS refused the picture")
        tell("")

    def close(self) -> None:
        """The system has it."""


def dib(pixels: np.ndarray) -> bytes:
    """``(H, W, 3)`` uint8 RGB as Windows' device independent bitmap: BITMAPINFOHEADER, then rows from below, BGR.

    https://learn.microsoft.com/windows/win32/api/wingdi/ns-wingdi-bitmapinfoheader
    """
    height, width = pixels.shape[:2]
    rows = np.zeros((height, (3 * width + 3) // 4 * 4), np.uint8)  # each row is a multiple of 4 bytes
    rows[:, : 3 * width] = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)[::-1].reshape(height, 3 * width)
    return struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, rows.size, 0, 0, 0, 0) + rows.tobytes()
