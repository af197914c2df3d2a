"""A window with the newest picture, on any screen: ``window``, ``window:scale=2,inset=small,stats``.

``sink`` takes pictures and keys, and says what is seen: a ``scene``, which ``overlay`` draws, ``pictures`` with what is
large in it and ``fonts`` with the letters. ``keys`` knows which key asks for what, ``writing`` is for prompts, in a
line that ``prompt`` edits, and ``leave`` for the end. ``stand`` is the window on the desktop: ``place`` computes where,
``memory`` keeps it, ``focus`` gives the keyboard back; ``desktop`` does what pygame has no call for, and ``lifeline``
survives a display that goes away. ``record`` films pictures, and ``clipboard`` copies them (on X11
as a ``selection``).
``tools`` says what a tool is, and ``toolkit`` which there are: ``panel`` with its ``knobs``, and ``strip``, whose
pictures ``film`` reads, ``filmplan`` places and ``moments`` puts into words; ``toolviews`` and ``stripview`` draw them.
``helpview`` shows the keys.
"""

from __future__ import annotations

import re
from typing import get_args

from ...base.cues import read_cues
from ...base.errors import ConfigError
from ...base.frame import Size
from ...base.spec import Kind, Option, Spec, flag
from .scene import Colour, Inset, Layout
from .sink import WindowSink

KEYED = {"chroma": (0, 255, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "magenta": (255, 0, 255)}


def colour(text: str) -> Colour:
    """Read ``chroma`` (green), ``blue``, ``magenta`` or ``#rrggbb``; raises ConfigError."""
    if text == "alpha":
        raise ConfigError(
            "window: background: got alpha, expected a colour: no capture of a window keeps what is transparent; "
            "for that take --sink ndi:cut, or spout: on Windows, syphon: on macOS"
        )
    found = re.fullmatch(r"#?([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})", text)
    if found is None and text not in KEYED:
        raise ConfigError(f"window: background: got {text!r}, expected {', '.join(KEYED)}, or for example #00ff00")
    return KEYED[text] if found is None else (int(found[1], 16), int(found[2], 16), int(found[3], 16))


def open(spec: Spec) -> WindowSink:
    """``window``; options as in ``WindowSink``; ``inset`` alone means small, ``clean`` and ``top`` alone yes."""
    return WindowSink(**spec.take(KIND.options))


KIND = Kind(
    "shows it in a window, with keys for everything",
    ("window", "window:inset=side,top", "window:clean,size=1280x720,layout=stage", "window:background=chroma,cut"),
    {
        "size": Option(Size.parse, "WxH", "of the window; else as it was left, or by scale (a clean stage: 1280x720)"),
        "scale": Option(float, "TIMES", "how large pictures are shown; else 640 pixels or 1.5 times"),
        "fullscreen": Option(flag, "", "fill the screen"),
        "stats": Option(flag, "", "show the figures"),
        "inset": Option(
            lambda text: text or "small", "|".join(get_args(Inset)), "your drawing in or beside the render"
        ),
        "top": Option(flag, "", "stay above other windows; else as it was left"),
        "clean": Option(flag, "", "nothing but pictures, for captures"),
        "layout": Option(str, "|".join(get_args(Layout)), "of clean: the render, or render, sketch and prompt"),
        "capturable": Option(flag, "", "let screen captures see it on Windows, too"),
        "save_dir": Option(str, "FOLDER", "where kept pictures and recordings go"),
        "background": Option(
            colour,
            "chroma|#RRGGBB",
            "around the pictures of clean, for programs that key it out; opens clean",
        ),
        "cut": Option(flag, "", "of clean: the render only where something is drawn, and the background elsewhere"),
        "cues": Option(read_cues, "FILE", "the cues of a show, which fade in one after another (N)"),
    },
    WindowSink,
)
