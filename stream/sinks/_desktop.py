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

from ..errors import SinkUnavailable
from ..frame import Size
from ._slate import BACKGROUND, INK

log = logging.getLogger(__name__)

SDL_INIT_VIDEO = 0x20
SDL_WINDOW_ALWAYS_ON_TOP = 0x8000
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
    }
    for name, value in hints.items():
        os.environ.setdefault(name, value)
    import pygame

    return pygame


def open_display(title: str, size: Size) -> Any:
    """Open the one window that a process can have, and return pygame; raises SinkUnavailable with a hint."""
    pygame = _import_pygame()
    hint = (
        "run it on a desktop (on Linux DISPLAY or WAYLAND_DISPLAY must be set), "
        "or use another sink: virtualcam, video:out.mp4 or images:out"
    )
    if pygame.display.get_surface() is not None:
        raise SinkUnavailable("window: there is one already, and a process can have only one; leave the second out")
    asked = os.environ.get("SDL_VIDEODRIVER")
    try:
        pygame.display.init()
        driver = pygame.display.get_driver()
        if driver in UNSEEN_DRIVERS and driver != asked:
            pygame.display.quit()
            raise SinkUnavailable(f"window: no display was found; {hint}")
        pygame.font.init()
        pygame.display.set_caption(title)
        pygame.display.set_icon(_icon(pygame))
        pygame.display.set_mode(fitting(pygame, size), pygame.RESIZABLE)
        pygame.key.stop_text_input()  # or an input method would take the keys
    except pygame.error as error:
        pygame.display.quit()
        raise SinkUnavailable(f"window: cannot be opened: {error}; {hint}") from error
    return pygame


def fitting(pygame: Any, size: Size) -> Size:
    """The size, made smaller in proportion where the screen is."""
    screens = [Size(*each) for each in pygame.display.get_desktop_sizes()]
    if not screens:
        return size
    scale = min(1.0, LARGEST * screens[0].width / size.width, LARGEST * screens[0].height / size.height)
    return Size(*(max(1, round(scale * side)) for side in size))


def _icon(pygame: Any) -> Any:
    """A drop of ink."""
    pixels = np.full((64, 64, 3), BACKGROUND, np.uint8)
    cv2.circle(pixels, (32, 40), 15, INK, -1, cv2.LINE_AA)
    cv2.fillPoly(pixels, [np.array([(32, 6), (46, 35), (18, 35)], np.int32)], INK, cv2.LINE_AA)
    return pygame.image.frombuffer(pixels, (64, 64), "RGB")


class NativeWindow:
    """The window under pygame's display: what pygame's own calls do not reach, or not well.

    Must be made after the display and kept until it is closed: pygame's events hold a bare pointer to it.
    Always on top and the clipboard need the SDL library that pygame runs on, and do nothing where it cannot be found.
    """

    def __init__(self, pygame: Any) -> None:
        from pygame._sdl2.video import Window

        self._window = Window.from_display_module()
        self._sdl = _sdl(Path(pygame.__file__).parent)

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
