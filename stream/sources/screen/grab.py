"""The connection to the screen (mss), and what to do when there is none."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from typing import Any, Protocol

import cv2
import numpy as np

from ...base.errors import SourceLost, SourceUnavailable
from ...base.frame import Rect

WAYLAND_HINT = (
    "this is a Wayland session, where programs cannot read the screen: log in to an X11 session ('on Xorg'), or send "
    "the canvas through a virtual camera (OBS: Start Virtual Camera) and use camera:N"
)

_log = logging.getLogger(__name__)


class Shot(Protocol):
    """The part of ``mss.ScreenShot`` that is used: a part of the screen in physical pixels."""

    @property
    def raw(self) -> bytearray:
        """BGRA, 4 bytes a pixel, row by row."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        ...


class Grabber(Protocol):
    """The part of ``mss.MSS`` that is used. All calls come from one thread at a time.

    A screen that is gone raises ScreenShotError, AssertionError or ValueError, see ``grab``.
    """

    @property
    def monitors(self) -> list[dict[str, Any]]:
        """All monitors together, then each: ``left, top, width, height``, and on X11 the name of the ``output``."""
        ...

    def grab(self, monitor: dict[str, int], /) -> Shot:
        """What is seen at ``left, top, width, height`` of the virtual desktop."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


def open_mss(cursor: bool) -> Grabber:
    """Connect to the screen, with the mouse pointer or without; raises SourceUnavailable with a hint."""
    import mss
    from mss.exception import ScreenShotError

    if sys.platform == "darwin":
        # mss asks for points by default, half the pixels of a Retina screen. Unverified on a Mac.
        darwin: Any = importlib.import_module("mss.darwin")
        darwin.IMAGE_OPTIONS &= ~darwin.kCGWindowImageNominalResolution
    try:
        return mss.MSS(with_cursor=True) if cursor else mss.MSS()
    except ScreenShotError as error:
        _log.debug("mss: %s", error)
        grabber = _open_x11(cursor) if sys.platform.startswith("linux") else None
        if grabber is None:
            raise SourceUnavailable(f"screen: cannot be captured: {_hint()}") from error
        return grabber


def _open_x11(cursor: bool) -> Grabber | None:
    """For a display that mss does not read; None where no display answers."""
    from .x11_link import XLink
    from .x11_pixels import XGrabber

    try:
        link = XLink()
    except SourceUnavailable as error:
        _log.debug("%s", error)
        return None
    return XGrabber(link, cursor)


def layout(grabber: Grabber) -> list[Rect]:
    """The whole desktop, then each monitor; raises SourceLost."""
    try:
        return [Rect(m["left"], m["top"], m["width"], m["height"]) for m in grabber.monitors]
    except _failures() as error:
        _log.debug("monitors: %r", error)
        raise SourceLost("screen: its monitors can no longer be listed; is the display still there?") from error


def grab(grabber: Grabber, area: Rect) -> np.ndarray:
    """A part of the desktop: ``(H, W, 3)`` uint8 RGB, in physical pixels; raises SourceLost."""
    try:
        shot = grabber.grab({"left": area.x, "top": area.y, "width": area.width, "height": area.height})
    except _failures() as error:
        _log.debug("grab: %r", error)
        where = f"{area.size} at {area.x},{area.y}"
        raise SourceLost(f"screen: {where} can no longer be captured; is the display still there?") from error
    width, height = shot.size
    bgra = np.frombuffer(shot.raw, np.uint8, width * height * 4).reshape(height, width, 4)
    return cv2.cvtColor(bgra, cv2.COLOR_BGRA2RGB)


def let_go(grabber: Grabber) -> None:
    """Close a connection, whatever state it is in."""
    try:
        grabber.close()
    except _failures() as error:
        _log.debug("the connection to the screen did not close cleanly: %r", error)


def _failures() -> tuple[type[Exception], ...]:
    from mss.exception import ScreenShotError

    # mss asserts that a reply came, and none comes from an X server that has gone; with -O it follows a null pointer.
    return ScreenShotError, AssertionError, ValueError


def _hint() -> str:
    if sys.platform == "darwin":
        return "allow your terminal under System Settings > Privacy & Security > Screen Recording, then restart it"
    if sys.platform == "win32":
        return "the session may be locked or without a desktop (a service, ssh); start from a desktop session"
    if os.environ.get("XDG_SESSION_TYPE") == "wayland" or os.environ.get("WAYLAND_DISPLAY"):
        return WAYLAND_HINT
    if not os.environ.get("DISPLAY"):
        return "$DISPLAY is not set; start from a desktop session, or set it, for example DISPLAY=:0"
    return f"no X server answers at DISPLAY={os.environ['DISPLAY']}; start from a desktop session"
