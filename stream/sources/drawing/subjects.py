"""What the demo draws, stroke by stroke, in the order a person would.

Each subject begins with the horizon, because a drawing without one leaves a model guessing where the ground is. Lines
stop where something in front hides them. Prompts keep to the words that the embedded model knows.
"""

from __future__ import annotations

import functools

from .buildings import apartment_block, cottage, house, skyscraper
from .cars import pickup, sedan, suv, van
from .landscapes import coast, hills, mountains
from .shapes import Subject

_DRAWINGS = (sedan, house, mountains, suv, apartment_block, coast, van, cottage, pickup, skyscraper, hills)
NAMES = tuple(drawing.__name__ for drawing in _DRAWINGS)


@functools.cache
def subject(name: str) -> Subject:
    """The subject of that name; raises ValueError for another name than those in ``NAMES``."""
    return _DRAWINGS[NAMES.index(name)]()
