"""What can be seen of the preview, in words and numbers; ``overlay`` and ``pictures`` draw it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Inset = Literal["off", "small", "side"]
Layout = Literal["alone", "stage"]
Colour = tuple[int, int, int]

TEXT: Colour = (226, 226, 222)
QUIET: Colour = (164, 164, 160)
PANEL: Colour = (16, 16, 17)
WARN: Colour = (236, 178, 84)
RECORDING: Colour = (226, 74, 66)
STATES: dict[str, tuple[str, Colour]] = {
    "warming": ("warming up", (150, 150, 150)),
    "live": ("live", (112, 196, 128)),
    "settling": ("settling", (120, 168, 232)),
    "idle": ("idle", (128, 132, 138)),
    "frozen": ("frozen", (176, 206, 240)),
    "rewound": ("rewound", (192, 152, 222)),
    "comparing": ("comparing", (192, 152, 222)),
    "stalled": ("stalled", WARN),
    "reconnecting": ("reconnecting", WARN),
    "stopped": ("stopped", (214, 96, 84)),
}
# By who needs them: what stands together is used together.
KEYS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Drawing",
        (
            ("P, Tab or /", "write the prompt"),
            ("+ or -", "influence of the drawing"),
            ("D", "dice: another seed"),
            ("V", "six variations, to go on with one"),
            ("A", "remember settings; again: both side by side"),
            ("C", "panel: styles, steps, and all there is"),
            ("1 to 9", "favourites; Ctrl+1 to 9 keeps one"),
            ("Enter", "keep this picture and its input"),
            ("Ctrl+C", "copy it, to paste as a layer"),
            ("F, Shift+F", "finish it: 2 or 4 times as large"),
            ("K", "your canvas: drag its corners"),
            ("W", "walk through a 3D scene"),
            ("Space", "freeze, and go on"),
        ),
    ),
    (
        "Looking",
        (
            ("B, Left, Right", "back: the last ten minutes"),
            ("I", "input: off, small, side by side"),
            ("M", "as in a mirror"),
            ("T", "always on top"),
            ("F11", "full screen"),
            ("S", "statistics"),
        ),
    ),
    (
        "On stage",
        (
            ("O", "clean output, for broadcasts"),
            ("L", "layout of the clean output"),
            ("N, Shift+N", "next cue, the one before"),
            ("R", "record the render, or the stage; stop"),
        ),
    ),
    ("", (("H or ?", "these keys"), ("Esc, or hold Q", "close"))),
)


@dataclass(frozen=True)
class Line:
    """The line in which a prompt is written, and what is to be said of it."""

    text: str
    cursor: int
    composing: str = ""  # what an input method is still working on; it stands at the cursor
    selected: tuple[int, int] = (0, 0)  # from where to where; equal: nothing
    notes: tuple[str, ...] = ()  # what the model makes of it: words that it does not know, what it has no room for


@dataclass(frozen=True)
class Scene:
    """All that can be seen. Two equal scenes give the same pixels, so only another one is drawn."""

    size: tuple[int, int] = (1, 1)  # of the window
    picture: int = 0  # counts the pictures; 0 is none yet
    inset: Inset = "off"
    state: str = "warming"
    statistics: tuple[tuple[str, str], ...] = ()
    help: int = 0  # the page of the keys that is shown; 0: none
    toast: str = ""
    toast_strength: float = 1.0  # 1 is there, 0 is gone
    prompt: Line | None = None
    clean: Layout | None = None  # the clean output's layout: pictures and a caption, and nothing else
    caption: str = ""  # of the clean output
    step: str = ""  # what is being done before the first picture
    done: float | None = None  # how much of that, 0 to 1
    question: str = ""  # waits for an answer
    title: str = ""  # of the window: where a clean output says what has to be said
    recording: str = ""  # what is said of the recording that is under way
    busy: str = ""  # what is done in the background
    mirror: bool = False  # pictures are seen as in a mirror
    background: Colour | None = None  # around pictures; None: dark
    cut: bool = False  # the render is seen only where something is drawn, and the background elsewhere
    tool: object | None = None  # what the open tool shows: a frozen value, see ``tools``
