"""A window with the newest picture, on any screen: ``window``, ``window:scale=2,inset=small,stats``.

``sink`` takes pictures and keys; ``overlay`` draws what is seen and lists the keys; ``prompt`` is the line in which a
prompt is written; ``keep`` saves pictures; ``desktop`` does what pygame has no call for.
"""

from __future__ import annotations

from ...base.frame import Size
from ...base.spec import Spec, flag
from .sink import WindowSink


def open(spec: Spec) -> WindowSink:
    """``window``; options as in ``WindowSink``; ``inset`` alone means small."""
    accepted = {"size": Size.parse, "scale": float, "fullscreen": flag, "stats": flag}
    accepted |= {"inset": lambda text: text or "small", "top": flag, "capturable": flag, "save_dir": str}
    return WindowSink(**spec.take(accepted))
