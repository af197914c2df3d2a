"""One window of the desktop."""

from __future__ import annotations

from dataclasses import dataclass

from ...base.frame import Rect
from ...base.preview import PREVIEW_TITLE


@dataclass(frozen=True)
class Window:
    """A top-level window."""

    id: int
    title: str
    content: Rect  # what is captured: without frame and shadow
    frame: Rect  # what it covers: with its frame
    shown: bool = True  # False: minimised, or on another desktop
    opaque: bool = True  # False: what lies below can be seen through it

    @property
    def is_preview(self) -> bool:
        """Whether it shows our own pictures."""
        return self.title.casefold().startswith(PREVIEW_TITLE)
