"""One window of the desktop, and the title that our own previews have."""

from __future__ import annotations

from dataclasses import dataclass

from ...base.frame import Rect

PREVIEW_TITLE = "inkstream preview"
"""How the title of every window begins that shows our own pictures; such a window is never captured.

On Windows 10 (2004) and later the window can also take itself out of all captures, with
``SetWindowDisplayAffinity(hwnd, WDA_EXCLUDEFROMCAPTURE)``.
"""


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
        return self.title.casefold().startswith(PREVIEW_TITLE)
