"""The connection to the screen (mss), and what to do when there is none."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any, Protocol

from ..errors import SourceUnavailable

WAYLAND_HINT = (
    "this is a Wayland session, where programs cannot read the screen: log in to an X11 session ('on Xorg'), or send "
    "the canvas through a virtual camera (OBS: Start Virtual Camera) and use camera:N"
)


class Grabber(Protocol):
    """The part of ``mss.MSS`` that is used."""

    @property
    def monitors(self) -> list[dict[str, Any]]:
        """All monitors together, then each: ``left, top, width, height``."""
        ...

    def grab(self, monitor: dict[str, int], /) -> Any:
        """A picture with ``raw`` (BGRA bytes) and ``size`` (width, height)."""
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
        raise SourceUnavailable(f"screen: cannot be captured ({error}): {_hint()}") from error


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
