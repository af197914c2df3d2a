"""One window of the desktop, and the pointer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ...base.frame import Rect
from ...base.names import quoted
from ...base.preview import PREVIEW_TITLE


class Pointer(NamedTuple):
    """The mouse or the pen: where it is, and whether a button is down, or a pen touches, or did since the last look."""

    x: int
    y: int
    pressed: bool = False


@dataclass(frozen=True)
class Window:
    """A top-level window."""

    id: int
    title: str
    content: Rect  # what is captured: without frame and shadow
    frame: Rect  # what it covers: with its frame
    shown: bool = True  # False: minimised, or on another desktop
    opaque: bool = True  # False: what lies below can be seen through it
    program: str = ""  # the class of its program on X11, its file on Windows, its name on macOS; empty: unknown
    pid: int | None = None  # the process that shows it; None: unknown
    own: bool = False  # whether it is the terminal that runs us
    aside: bool = False  # a splash screen, dialog, toolbar or menu: nothing that anybody draws in
    put_away: bool = False  # not shown, and it was its program that hid it: nobody minimised it

    @property
    def is_preview(self) -> bool:
        """Whether it shows our own pictures."""
        return self.title.casefold().startswith(PREVIEW_TITLE)

    def is_of(self, other: Window) -> bool:
        """Whether the same program shows it as shows the other one."""
        return self.program == other.program

    def __str__(self) -> str:
        program = f"{quoted(self.program, 40)[1:-1]}, " if self.program else ""
        return f"window {quoted(' '.join(self.title.split()))} ({program}id {self.id:#x})"


class Spot(NamedTuple):
    """A window that can be picked, and where it is in a picture of the screen."""

    window: Window
    rect: Rect


class Picked(NamedTuple):
    """What was picked, in pixels of a picture of the screen."""

    rect: Rect
    window: Window | None = None
