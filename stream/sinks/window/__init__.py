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

from typing import get_args

from ...base.cues import read_cues
from ...base.frame import Size
from ...base.spec import Kind, Option, Spec, flag
from .scene import Inset, Layout
from .sink import WindowSink


def open(spec: Spec) -> WindowSink:
    """``window``; options as in ``WindowSink``; ``inset`` alone means small, ``clean`` and ``top`` alone yes."""
    return WindowSink(**spec.take(KIND.options))


KIND = Kind(
    "shows it in a window, with keys for everything",
    ("window", "window:inset=side,top", "window:clean,size=1280x720,layout=stage"),
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
        "cues": Option(read_cues, "FILE", "the cues of a show, which fade in one after another (N)"),
    },
    WindowSink,
)
