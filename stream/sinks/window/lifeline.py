"""What keeps the process alive when the X server goes away, closes our window, or does not answer.

Xlib ends the process when its connection breaks, and waits without end for a server that hangs. Here the end is taken
out (``XSetIOErrorExitHandler``, libX11 1.7), and a connection that is waited for too long is cut, which wakes whoever
waits. SDL's own end of a window would then wait for an answer that never comes, so a lost window is never touched
again. On other desktops nothing of this is needed, and nothing is done.
"""

from __future__ import annotations

import atexit
import ctypes
import ctypes.util
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ...base.errors import SinkUnavailable

PATIENCE = 5.0  # seconds that the server is given for one picture
LAST_PATIENCE = 1.0  # seconds that it is given at the end
LOOK = 0.25  # seconds between two looks at the time

log = logging.getLogger(__name__)

_Broken = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
_Exit = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)


class Lifeline:
    """Watches over pygame's connection to the X server; made after the display, and used on its thread."""

    def __init__(self, pygame: Any) -> None:
        self.lost = ""  # why the display can no longer be used
        self._pygame = pygame
        self._x11: Any = None
        self._display = 0
        self._before: int | None = None  # what was called before when a connection broke
        self._since: float | None = None  # when the call began that has not come back yet
        self._patience = PATIENCE
        self._ended = threading.Event()
        self._pump: Callable[[], Any] | None = None  # takes what the server sent, without Python's lock
        if sys.platform.startswith("linux") and pygame.display.get_driver() == "x11":
            self._take_over()

    @contextmanager
    def watched(self, patience: float | None = None) -> Iterator[None]:
        """Inside the block the server may be asked; raises SinkUnavailable when it is gone or does not answer."""
        self._patience = PATIENCE if patience is None else patience
        self._since = time.monotonic()
        try:
            if self._x11 is not None and not self.lost:
                # Some calls of pygame keep Python's lock while they wait, so they are not made until it answers.
                self._x11.XSync(self._display, 0)
            if not self.lost:
                yield
        except Exception:
            if not self.lost:
                raise
            log.debug("the display was lost during this", exc_info=True)
        finally:
            self._since = None
        if self.lost:
            raise SinkUnavailable(f"window: {self.lost}; start inkstream again to see it")

    def events(self) -> list[Any]:
        """What the user did since the last call, as pygame's events.

        SDL asks the server back for some of them, and ``pygame.event.get`` keeps Python's lock meanwhile: with a
        server that hangs at that moment nothing of Python would ever run again, neither the look that cuts the
        connection nor a signal's end. So SDL is told to take them first, through a call without the lock.
        """
        if self._pump is None:
            return self._pygame.event.get()
        self._pump()
        return [] if self.lost else self._pygame.event.get(pump=False)

    def quit(self) -> None:
        """Close pygame's display; a lost one is left as it is."""
        try:
            with self.watched(LAST_PATIENCE):
                pass
        except SinkUnavailable as error:
            log.debug("%s", error)
        self._ended.set()
        if self.lost:
            _gone.append(self.lost)
            atexit.unregister(self._pygame.quit)  # it would wait for the server
        else:
            if self._x11 is not None:
                self._x11.XSetIOErrorHandler(self._before)
            self._pygame.display.quit()

    def _take_over(self) -> None:
        try:
            x11 = ctypes.CDLL(ctypes.util.find_library("X11") or "libX11.so.6")
            forgive = x11.XSetIOErrorExitHandler
            capsule = self._pygame.display.get_wm_info()["display"]
        except (OSError, AttributeError, KeyError) as error:
            log.debug("the process will end with its display: %s", error)
            return
        try:
            self._pump = ctypes.CDLL(self._pygame.event.__file__).SDL_PumpEvents
        except (OSError, AttributeError) as error:
            log.debug("a display that hangs while it sends events will hang the process: %s", error)
        unwrap = ctypes.pythonapi.PyCapsule_GetPointer
        unwrap.argtypes, unwrap.restype = [ctypes.py_object, ctypes.c_char_p], ctypes.c_void_p
        self._display = unwrap(capsule, b"display")
        x11.XSync.argtypes = [ctypes.c_void_p, ctypes.c_int]
        x11.XConnectionNumber.argtypes = [ctypes.c_void_p]
        x11.XSetIOErrorHandler.argtypes, x11.XSetIOErrorHandler.restype = [ctypes.c_void_p], ctypes.c_void_p
        forgive.argtypes = [ctypes.c_void_p, _Exit, ctypes.c_void_p]
        # Kept for as long as the process lives: Xlib may call them at any time.
        self._handlers = _Broken(self._broken), _Exit(lambda display, data: None)
        _kept.append(self._handlers)
        forgive(self._display, self._handlers[1], None)
        self._before = x11.XSetIOErrorHandler(self._handlers[0])
        self._x11 = x11
        threading.Thread(target=self._look, name="window lifeline", daemon=True).start()

    def _broken(self, display: int) -> int:
        self.lost = self.lost or "its display went away, or closed it"
        return 0

    def _look(self) -> None:
        while not self._ended.wait(LOOK):
            since = self._since
            if since is not None and not self.lost and time.monotonic() - since > self._patience:
                self.lost = f"its display has not answered for {self._patience:.0f} s"
                self._cut()

    def _cut(self) -> None:
        try:
            with socket.socket(fileno=os.dup(self._x11.XConnectionNumber(self._display))) as connection:
                connection.shutdown(socket.SHUT_RDWR)
        except OSError as error:
            log.debug("the connection to the display was gone already: %s", error)


_kept: list[Any] = []
_gone: list[str] = []  # why displays of this process were lost; pygame can open no other one then


def check_display() -> None:
    """Raises SinkUnavailable when the display of an earlier window was lost, or an X server does not answer."""
    if _gone:
        raise SinkUnavailable(f"window: of the one before, {_gone[0]}; a new one needs a new start of the program")
    if sys.platform.startswith("linux") and os.environ.get("DISPLAY"):
        asking = threading.Thread(target=_ask, name="window display", daemon=True)
        asking.start()
        asking.join(PATIENCE)
        if asking.is_alive():
            display = os.environ["DISPLAY"]
            raise SinkUnavailable(f"window: the display {display} has not answered for {PATIENCE:.0f} s; is it hung?")


def _ask() -> None:
    """Connect to the display, and wait for its first answer; what is wrong otherwise is SDL's to say."""
    try:
        x11 = ctypes.CDLL(ctypes.util.find_library("X11") or "libX11.so.6")
    except OSError as error:
        log.debug("no libX11: %s", error)
        return
    x11.XOpenDisplay.argtypes, x11.XOpenDisplay.restype = [ctypes.c_char_p], ctypes.c_void_p
    x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
    display = x11.XOpenDisplay(None)
    if display:
        x11.XCloseDisplay(display)
