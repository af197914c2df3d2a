"""A hand that draws sketches, stroke by stroke, for ever: shows the program at work without a tablet.

``source`` gives the pictures; ``hand`` turns strokes into movements of the pen, and those into ink; ``subjects`` lists
what is drawn, from ``buildings``, ``cars`` and ``landscapes``, which are made of the pieces in ``shapes``.
"""

from __future__ import annotations

from ...base.errors import ConfigError
from ...base.frame import Size
from ...base.spec import Kind, Option, Spec, flag
from .source import DemoSource, prompt_for, sketch, subjects

__all__ = ["DemoSource", "open", "prompt_for", "sketch", "subjects"]


def open(spec: Spec) -> DemoSource:
    """``demo``, ``demo:subject=house`` or ``demo:size=512,fps=30,seed=0,speed=2,live=0,frames=300``."""
    values = spec.take(KIND.options)
    if "path" in values:
        values["subject"] = values.pop("path")
    return DemoSource(**values)


def _square(text: str) -> int:
    size = Size.parse(text)
    if size.width != size.height:
        raise ConfigError(f"size: got {size}, expected a square, for example 512")
    return size.width


KIND = Kind(
    "a hand that draws cars, buildings and landscapes",
    ("demo", "demo:house", "demo:subject=house,speed=2"),
    {
        "path": Option(str, "SUBJECT", "what it draws"),
        "subject": Option(str, "SUBJECT", "the same, by name"),
        "speed": Option(float, "TIMES", "how fast the hand is"),
        "size": Option(_square, "PIXELS", "sides of the paper"),
        "fps": Option(float, "N", "pictures a second"),
        "seed": Option(int, "N", "the same drawings for the same number"),
        "live": Option(flag, "", "0: every picture waits to be rendered"),
        "frames": Option(int, "N", "end after so many"),
    },
    DemoSource,
)
