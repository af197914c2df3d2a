"""A window with the newest picture, on any screen: ``window``, ``window:scale=2,inset=small,stats``.

``sink`` takes pictures and keys, and says what is seen: a ``scene``, which ``overlay`` draws, ``pictures`` with what is
large in it and ``fonts`` with the letters. ``keys`` knows which key asks for what, ``writing`` is for prompts, in a
line that ``prompt`` edits, and ``leave`` for the end. ``stand`` is the window on the desktop: ``place`` computes where,
``memory`` keeps it, ``focus`` gives the keyboard back; ``desktop`` does what pygame has no call for, and ``lifeline``
survives a display that goes away. ``keep`` saves pictures. ``tools`` says what a tool is, and ``toolkit`` which
there are: ``panel`` with its ``knobs``; ``toolviews`` draws them.
"""

from __future__ import annotations

from ...base.frame import Size
from ...base.spec import Spec, flag
from .favourites import read_cues
from .sink import WindowSink


def open(spec: Spec) -> WindowSink:
    """``window``; options as in ``WindowSink``; ``inset`` alone means small, ``clean`` and ``top`` alone yes."""
    accepted = {"size": Size.parse, "scale": float, "fullscreen": flag, "stats": flag, "clean": flag, "layout": str}
    accepted |= {"inset": lambda text: text or "small", "top": flag, "capturable": flag, "save_dir": str}
    accepted |= {"cues": read_cues}
    return WindowSink(**spec.take(accepted))
