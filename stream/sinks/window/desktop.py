"""The desktop under a window: pygame's display, SDL where pygame has no call for it, and one call of Windows."""

from __future__ import annotations

import ctypes
import ctypes.util
import logging
import os
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...base.errors import SinkUnavailable
from ...base.frame import Rect, Size
from ..slate import BACKGROUND, INK
from .lifeline import check_display
from .place import Border

log = logging.getLogger(__name__)

SDL_INIT_VIDEO = 0x20
MOST_SCREENS = 16
SDL_WINDOW_ALWAYS_ON_TOP = 0x8000
SDL_WINDOW_FULLSCREEN_DESKTOP = 0x1001
WDA_EXCLUDEFROMCAPTURE = 0x11
LARGEST = 0.85  # part of the screen that a window takes by itself
UNSEEN_DRIVERS = ("offscreen", "dummy")  # SDL falls back to the first one when there is no display


def _import_pygame() -> Any:
    """Import pygame with hints to SDL that must be set before; a hint that the user set stays."""
    hints = {
        "PYGAME_HIDE_SUPPORT_PROMPT": "1",
        "SDL_NO_SIGNAL_HANDLERS": "1",  # or SIGTERM would come as a closed window
        "SDL_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR": "0",  # or KDE switches its effects off for a small window
        "SDL_IME_SHOW_UI": "1",
        "SDL_FRAMEBUFFER_ACCELERATION": "0",  # OpenGL does not survive a display that goes away
        "SDL_VIDEO_X11_WMCLASS": "inkstream",
        "SDL_VIDEO_WAYLAND_WMCLASS": "inkstream",
    }
    for name, value in hints.items():
        os.environ.setdefault(name, value)
    import pygame

    return pygame


def open_display(title: str, size: Size, exact: bool = False) -> Any:
    """Open the one window that a process can have, and return pygame; raises SinkUnavailable with a hint.

    The window is made smaller where the screen is, unless its size is to be ``exact``. It is hidden until
    ``NativeWindow.show``, so that it is first seen where it belongs.
    """
    check_display()
    pygame = _import_pygame()
    hint = (
        "run it on a desktop (on Linux DISPLAY or WAYLAND_DISPLAY must be set), "
        "or use another sink: virtualcam, video:out.mp4 or images:out"
    )
    if pygame.display.get_surface() is not None:
        raise SinkUnavailable("window: there is one already, and a process can have only one; leave the second out")
    asked = os.environ.get("SDL_VIDEODRIVER")
    if sys.platform == "linux" and not any(map(os.environ.get, ("SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY"))):
        raise SinkUnavailable(f"window: no display was found; {hint}")  # SDL would ask Wayland, which complains aloud
    try:
        pygame.display.init()
        driver = pygame.display.get_driver()
        if driver in UNSEEN_DRIVERS and driver != asked:
            pygame.display.quit()
            raise SinkUnavailable(f"window: no display was found; {hint}")
        pygame.font.init()
        pygame.display.set_caption(title)
        pygame.display.set_icon(_icon(pygame))
        pygame.display.set_mode(size if exact else fitting(pygame, size), pygame.RESIZABLE | pygame.HIDDEN)
        pygame.key.stop_text_input()  # or an input method would take the keys
    except pygame.error as error:
        pygame.display.quit()
        raise SinkUnavailable(f"window: cannot be opened: {error}; {hint}") from error
    return pygame


def fitting(pygame: Any, size: Size) -> Size:
    """The size, made smaller in proportion where the screen is."""
    screen = _desktop(pygame)
    scale = min(1.0, LARGEST * screen.width / size.width, LARGEST * screen.height / size.height)
    return Size(*(max(1, round(scale * side)) for side in size))


def _desktop(pygame: Any) -> Size:
    """The size of the first screen."""
    return next((Size(*each) for each in pygame.display.get_desktop_sizes()), Size(1280, 800))


def _icon(pygame: Any) -> Any:
    """A drop of ink."""
    pixels = np.full((64, 64, 3), BACKGROUND, np.uint8)
    cv2.circle(pixels, (32, 40), 15, INK, -1, cv2.LINE_AA)
    cv2.fillPoly(pixels, [np.array([(32, 6), (46, 35), (18, 35)], np.int32)], INK, cv2.LINE_AA)
    return pygame.image.frombuffer(pixels, (64, 64), "RGB")


class NativeWindow:
    """The window under pygame's display: what pygame's own calls do not reach, or not well.

    Must be made after the display and kept until it is closed: pygame's events hold a bare pointer to it. Size and
    place are set through the SDL library itself, because pygame's calls keep Python's lock while they wait for a
    display, and so stop all threads; where the library cannot be found they do it all the same. Always on top and the
    clipboard need the library, and do nothing without it.
    """

    def __init__(self, pygame: Any) -> None:
        from pygame._sdl2.video import Window

        self._pygame = pygame
        self._window: Any = Window.from_display_module()
        self._windowed = self._window.size  # the size to come back to
        self._sdl = _sdl(Path(pygame.__file__).parent)
        self._pointer = self._sdl and self._sdl.SDL_GetWindowFromID(self._window.id)

    def set_fullscreen(self, on: bool) -> None:
        """Fill the screen that the window is on, without changing the screen's resolution; or back to a window.

        pygame's ``toggle_fullscreen`` makes a new window, which comes up on the first screen and loses its settings.
        """
        if on:
            self._windowed = self._window.size
        if self._pointer:
            self._sdl.SDL_SetWindowFullscreen(self._pointer, SDL_WINDOW_FULLSCREEN_DESKTOP if on else 0)
        elif on:
            self._window.set_fullscreen(desktop=True)
        else:
            self._window.set_windowed()
        if not on:
            self._resize(self._windowed)  # most drivers do this by themselves

    @property
    def place(self) -> Rect:
        """Its content, in pixels of the desktop."""
        return Rect(*self._window.position, *self._window.size)

    def show(self) -> None:
        """Let it be seen, at its place."""
        place = self.place
        if self._pointer:
            self._sdl.SDL_ShowWindow(self._pointer)
            self._sdl.SDL_SetWindowPosition(self._pointer, place.x, place.y)  # a window manager may have its own idea
        else:
            self._window.show()

    def move(self, place: Rect) -> None:
        """Give its content a place and a size (pygame's ``set_mode`` may make a new window)."""
        if self._pointer:
            self._sdl.SDL_SetWindowSize(self._pointer, *place.size)
            self._sdl.SDL_SetWindowPosition(self._pointer, place.x, place.y)
        else:
            self._window.size = place.size
            self._window.position = place.x, place.y

    def resize(self, size: Size) -> None:
        """Change the size of the content, and keep its middle where it is."""
        x, y, width, height = self.place
        self.move(Rect(max(0, x + (width - size.width) // 2), max(0, y + (height - size.height) // 2), *size))

    def screens(self) -> list[Rect]:
        """The part of each screen that windows may cover, without docks and panels; at least one."""
        found: list[Rect] = []
        if self._sdl:
            corners = (ctypes.c_int * 4)()
            for index in range(min(MOST_SCREENS, self._sdl.SDL_GetNumVideoDisplays())):
                if not self._sdl.SDL_GetDisplayUsableBounds(index, corners):
                    found.append(Rect(*corners))
        return [each for each in found if min(each.size) > 0] or [Rect(0, 0, *_desktop(self._pygame))]

    def border(self) -> Border:
        """What the desktop puts around the window; a usual one where it does not say."""
        sides = (ctypes.c_int * 4)()  # top, left, bottom, right
        if self._pointer:
            addresses = [ctypes.byref(sides, index * ctypes.sizeof(ctypes.c_int)) for index in range(4)]
            if not self._sdl.SDL_GetWindowBordersSize(self._pointer, *addresses) and any(sides):
                return Border(sides[1], sides[0], sides[3], sides[2])
        return Border()

    def _resize(self, size: tuple[int, int]) -> None:
        if self._pointer:
            self._sdl.SDL_SetWindowSize(self._pointer, *size)
        else:
            self._window.size = size

    def keep_on_top(self, on: bool = True) -> bool:
        """Keep the window above the others, or no longer; False where the desktop does not let a program decide."""
        if not self._pointer:
            return False
        self._sdl.SDL_SetWindowAlwaysOnTop(self._pointer, int(on))
        return bool(self._sdl.SDL_GetWindowFlags(self._pointer) & SDL_WINDOW_ALWAYS_ON_TOP) == on

    def copy(self, text: str) -> None:
        """Put a text into the clipboard."""
        if self._sdl:
            self._sdl.SDL_SetClipboardText(text.encode("utf-8", "replace"))

    def clipboard(self) -> str:
        """The text in the clipboard, or nothing."""
        address = self._sdl and self._sdl.SDL_GetClipboardText()
        if not address:
            return ""
        try:
            return ctypes.string_at(address).decode("utf-8", "replace")
        finally:
            self._sdl.SDL_free(address)


def _sdl(home: Path) -> Any:
    """The very SDL library that pygame runs on, or None: another copy would know nothing of our window."""
    for path in _candidates(home):
        try:
            library = ctypes.CDLL(path)
            if library.SDL_WasInit(SDL_INIT_VIDEO):
                return _declared(library)
        except (OSError, AttributeError) as error:
            log.debug("no use of %s: %s", path, error)
    return None


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
    library.SDL_SetWindowFullscreen.argtypes = [pointer, ctypes.c_uint32]
    for name in ("SDL_SetWindowSize", "SDL_SetWindowPosition"):
        getattr(library, name).argtypes = [pointer, ctypes.c_int, ctypes.c_int]
        getattr(library, name).restype = None
    library.SDL_ShowWindow.argtypes = [pointer]
    library.SDL_GetNumVideoDisplays.argtypes = []
    library.SDL_GetDisplayUsableBounds.argtypes = [ctypes.c_int, pointer]
    library.SDL_GetWindowBordersSize.argtypes = [pointer] * 5
    library.SDL_SetClipboardText.argtypes = [ctypes.c_char_p]
    library.SDL_GetClipboardText.argtypes, library.SDL_GetClipboardText.restype = [], pointer
    library.SDL_free.argtypes, library.SDL_free.restype = [pointer], None
    return library


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
