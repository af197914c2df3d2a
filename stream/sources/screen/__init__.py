"""What is on the screen: a monitor, a region, a window that is followed, or a part chosen with the mouse.

``source`` decides what is captured and leaves our own preview out, and ``follow`` stays with one window. ``area`` says
which part of that is given: ``canvas`` finds the sheet of paper, by the straight ``lines`` in the window, ``track``
stays with it, ``steady`` leaves the pointer out, and ``lock`` keeps it whole when a detail is seen, which ``register``
places. ``held`` keeps what cannot be seen now, ``grab`` reads pixels, ``pick`` asks the user, ``windows`` says which
window is meant, and ``processes`` which of them belong to our terminal; ``x11``, ``win32`` and ``quartz`` each ask one
kind of desktop for its windows and for their pictures. Of X11, ``x11_link`` is the connection, ``x11_pixels`` reads
pictures, ``x11_text`` reads titles.

Coordinates are those of the virtual desktop, with all monitors side by side:

- X11 and Windows: physical pixels, whatever the scaling of the desktop (on Windows, monitors to the left of or above
  the first have negative coordinates).
- macOS: points. The picture still has every physical pixel: on a Retina screen twice as many each way as asked for.

Wayland lets no program read the screen; the error says so, and what to do instead.
"""

from __future__ import annotations

from typing import Any

from ...base.errors import ConfigError
from ...base.frame import Rect
from ...base.spec import Kind, Option, Spec, flag
from .area import parse_area
from .source import ScreenSource


def open(spec: Spec) -> ScreenSource:
    """``screen``, ``screen:2``, ``screen:pick`` or ``screen:window=Krita,fps=60``."""
    return ScreenSource(**_options(spec))


def _options(spec: Spec) -> dict[str, Any]:
    values = spec.take(KIND.options)
    path = values.pop("path", None)
    if path == "pick":
        values["pick"] = True
    elif path is not None and path.isdecimal() and "monitor" not in values:
        values["monitor"] = int(path)
    elif path is not None:
        raise ConfigError(f"{spec.text}: got {path!r}, expected a monitor's number or pick; screen:window={path}?")
    return values


KIND = Kind(
    "what is on the screen: a monitor, a part of the desktop, a window, or what you pick",
    ("screen:window=Krita", "screen:pick", "screen:region=0,0,800,800", "screen:2"),
    {
        "path": Option(str, "N|pick", "a monitor's number (0: all of them as one picture), or pick"),
        "window": Option(str, "NAME", "one window and nothing else: its id, its program, or a part of its title"),
        "area": Option(
            parse_area,
            "canvas|window|x,y,w,h",
            "of a window: the sheet of paper (what holds by itself), all of it, a part",
        ),
        "pick": Option(flag, "", "click a window, or drag over a part of the screen, before anything is loaded"),
        "region": Option(Rect.parse, "x,y,w,h", "a part of the desktop, in pixels (macOS: points)"),
        "monitor": Option(int, "N", "a monitor; 1 where nothing else is named"),
        "fps": Option(float, "N", "how often it is looked at, in a second"),
        "cursor": Option(flag, "", "draw the mouse pointer (X11)"),
    },
    ScreenSource,
)
