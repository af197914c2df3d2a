"""Which tools the preview has, by the name of the key's action (``keys``) that opens each."""

from __future__ import annotations

from .canvas import Canvas
from .dials import Dials
from .favourites import Favourites
from .panel import Panel
from .strip import Strip
from .tools import Reach, Tool
from .variations import SideBySide, Variations
from .walk import Walk


def make_tools(reach: Reach, dials: Dials, favourites: Favourites) -> dict[str, Tool]:
    """All of them, closed."""
    return {
        "panel": Panel(reach, dials, favourites),
        "variations": Variations(reach, dials),
        "side by side": SideBySide(reach, dials),
        "strip": Strip(reach, dials),
        "canvas": Canvas(reach),
        "walk": Walk(reach),
    }
