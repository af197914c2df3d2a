"""What a window asks of the desktop and pygame has no public call for: SDL itself, and one call of Windows."""

from __future__ import annotations

import ctypes
import ctypes.util
import logging
import os
import sys
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

SDL_INIT_VIDEO = 0x20
SDL_WINDOW_ALWAYS_ON_TOP = 0x8000
WDA_EXCLUDEFROMCAPTURE = 0x11
UNSEEN_DRIVERS = ("offscreen", "dummy")  # SDL falls back to the first one when there is no display


def import_pygame() -> Any:
    """Import pygame with hints to SDL that must be set before; a hint that the user set stays."""
    hints = {
        "PYGAME_HIDE_SUPPORT_PROMPT": "1",
        "SDL_NO_SIGNAL_HANDLERS": "1",  # or SIGTERM would come as a closed window
        "SDL_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR": "0",  # or KDE switches its effects off for a small window
        "SDL_IME_SHOW_UI": "1",
    }
    for name, value in hints.items():
        os.environ.setdefault(name, value)
    import pygame

    return pygame


class Sdl:
    """The very SDL library that pygame runs on. Every call says False or "" when that library cannot be found."""

    def __init__(self, pygame: Any) -> None:
        self._library: Any = None
        for path in _candidates(Path(pygame.__file__).parent):
            try:
                library = ctypes.CDLL(path)
                if library.SDL_WasInit(SDL_INIT_VIDEO):  # another copy would know nothing of our window
                    self._library = _declared(library)
                    return
            except (OSError, AttributeError) as error:
                log.debug("no use of %s: %s", path, error)

    def keep_on_top(self) -> bool:
        """Keep the window above the others; False where the desktop does not let a program decide that."""
        window = self._window()
        if not window:
            return False
        self._library.SDL_SetWindowAlwaysOnTop(window, 1)
        return bool(self._library.SDL_GetWindowFlags(window) & SDL_WINDOW_ALWAYS_ON_TOP)

    def clipboard(self) -> str:
        """The text in the clipboard."""
        if self._library is None:
            return ""
        address = self._library.SDL_GetClipboardText()
        if not address:
            return ""
        try:
            return (ctypes.string_at(address) or b"").decode("utf-8", "replace")
        finally:
            self._library.SDL_free(address)

    def _window(self) -> int | None:
        from pygame._sdl2.video import Window

        return self._library and self._library.SDL_GetWindowFromID(Window.from_display_module().id)


def _candidates(home: Path) -> list[str]:
    found = [
        *home.glob("SDL2.dll"),
        *home.parent.glob("pygame.libs/libSDL2-2*.so*"),
        *home.glob(".dylibs/libSDL2-2*.dylib"),
    ]
    system = ctypes.util.find_library("SDL2") if not found else None
    return [str(path) for path in found] + ([system] if system else [])


def _declared(library: Any) -> Any:
    pointer = ctypes.c_void_p
    library.SDL_GetWindowFromID.argtypes, library.SDL_GetWindowFromID.restype = [ctypes.c_uint32], pointer
    library.SDL_GetWindowFlags.argtypes, library.SDL_GetWindowFlags.restype = [pointer], ctypes.c_uint32
    library.SDL_SetWindowAlwaysOnTop.argtypes, library.SDL_SetWindowAlwaysOnTop.restype = [pointer, ctypes.c_int], None
    library.SDL_GetClipboardText.argtypes, library.SDL_GetClipboardText.restype = [], pointer
    library.SDL_free.argtypes, library.SDL_free.restype = [pointer], None
    return library


def set_fullscreen(on: bool) -> None:
    """Fill the screen that the window is on, without changing the screen's resolution; or back to a window.

    pygame's own ``toggle_fullscreen`` makes a new window, which comes up on the first screen and loses its settings.
    """
    from pygame._sdl2.video import Window

    window = Window.from_display_module()
    if on:
        window.set_fullscreen(desktop=True)
    else:
        window.set_windowed()


def hide_from_capture(pygame: Any) -> None:
    """Keep the window out of screen captures, ours among them. Windows 10 (2004) or later; unverified.

    https://learn.microsoft.com/windows/win32/api/winuser/nf-winuser-setwindowdisplayaffinity
    """
    if sys.platform != "win32":
        return
    handle = pygame.display.get_wm_info().get("window")
    user32 = ctypes.WinDLL("user32", use_last_error=True)
    if not user32.SetWindowDisplayAffinity(ctypes.c_void_p(handle), WDA_EXCLUDEFROMCAPTURE):
        log.info("the window stays visible to captures: %s", ctypes.WinError(ctypes.get_last_error()))
