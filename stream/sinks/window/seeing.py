"""What is seen of the preview just now: its modes, what is said for a while, and the numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ...base.frame import Output
from ...base.metrics import IN_WORDS
from ...base.preview import PREVIEW_TITLE
from .. import Status
from .prompt import printable
from .scene import Colour, Inset, Layout, Line, Scene

TOAST_SECONDS, FADE_SECONDS = 4.0, 0.4
LETTERS = 15  # that people read in a second, of words that are longer than that
LONGEST = 10.0  # seconds
STATISTICS_EVERY = 0.25  # seconds; faster numbers cannot be read
LASTING = ("stalled", "reconnecting")  # states whose reason stays until they end


@dataclass
class Modes:
    """What the user chose to see."""

    inset: Inset = "off"
    clean: bool = False
    layout: Layout = "alone"
    statistics: bool = False
    help: int = 0
    """The page of the keys; 0: none."""
    frozen: bool = False
    mirror: bool = False
    background: Colour | None = None
    """Around the clean output's pictures; None: dark."""
    cut: bool = False
    """Whether the clean output's render is seen only where something is drawn."""
    recorded: Literal["render", "stage"] = "render"
    """What the recording shows that was begun last."""

    @property
    def side(self) -> bool:
        """Whether two pictures stand side by side."""
        return self.inset == "side" and not self.clean


class Seeing:
    """Makes scenes; ``clock`` in seconds."""

    def __init__(self, modes: Modes, clock: Callable[[], float]) -> None:
        self.seen_after = 0.0  # ms from capture to the screen
        self._modes, self._clock = modes, clock
        self._toast, self._until = "", -math.inf
        self._message = self._hint = ""
        self._notes: tuple[str, ...] = ()
        self._counted: tuple[tuple[str, str], ...] = ()
        self._counted_at = -math.inf

    def say(self, words: str) -> None:
        """Show words for some seconds."""
        self._toast = _shown(words)
        seconds = min(LONGEST, max(TOAST_SECONDS, len(self._toast) / LETTERS))
        self._until = self._clock() + seconds if self._toast else -math.inf

    def hint(self, words: str) -> None:
        """Show words for some seconds, once nothing else is shown."""
        self._hint = words

    def unsay(self, words: str) -> None:
        """Show words no longer, if they are shown, and not later."""
        if self._hint == words:
            self._hint = ""
        if self._toast == _shown(words):
            self._until = -math.inf

    def heed(self, status: Status) -> None:
        """Show what is new in the session's message and notes, and a lasting fault for as long as it lasts."""
        if status.message != self._message:
            self._message = status.message
            if status.message:
                self.say(status.message)
        elif self._message and status.state in LASTING and self._until <= self._clock() + FADE_SECONDS:
            self.say(self._message)  # it is still so
        if status.notes != self._notes:
            said = self._toast == _shown("\n".join(self._notes))
            self._notes = status.notes
            if status.notes or said:  # what else was said stays
                self.say("\n".join(status.notes))
        if self._hint and self._until <= self._clock():
            self.say(self._hint)
            self._hint = ""

    def count_anew(self) -> None:
        """The next scene has new numbers."""
        self._counted_at = -math.inf

    def scene(
        self,
        size: tuple[int, int],
        picture: int,
        output: Output | None,
        status: Status,
        question: str,
        line: Line | None,
        tool: object | None,
        busy: str = "",
    ) -> Scene:
        """All that can be seen now; ``picture`` is the number of ``output``, the one that is drawn."""
        now, modes = self._clock(), self._modes
        strength = 0.0
        if now < self._until:
            strength = math.ceil(8 * min(1.0, (self._until - now) / FADE_SECONDS)) / 8
        toast = self._toast if strength else ""
        if modes.clean:
            said = question or (f"prompt: {line.text[: line.cursor]}|{line.text[line.cursor :]}" if line else toast)
            said = said or (f"recording the {modes.recorded}" if status.recording else "")
            title = f"{PREVIEW_TITLE}: {' '.join(said.split())}" if said else PREVIEW_TITLE
            words = caption(status.values.get("prompt")) if modes.layout == "stage" else ""
            keyed = {"background": modes.background, "cut": modes.cut}
            return Scene(size, picture, clean=modes.layout, caption=words, title=title, mirror=modes.mirror, **keyed)
        recording = "recording the stage" if modes.recorded == "stage" else "recording"
        if modes.statistics and now >= self._counted_at + STATISTICS_EVERY:
            self._counted, self._counted_at = self._count(status), now
        return Scene(
            size=size,
            picture=picture,
            inset=modes.inset,
            state=getattr(tool, "state", "") or ("frozen" if modes.frozen else status.state),
            statistics=self._counted if modes.statistics else (),
            help=modes.help,
            toast=toast,
            toast_strength=strength,
            prompt=line,
            step=status.step if output is None else "",
            done=status.done if output is None else None,
            question=question,
            title=PREVIEW_TITLE,
            recording=recording if status.recording else "",
            busy=busy,
            mirror=modes.mirror,
            tool=tool,
        )

    def _count(self, status: Status) -> tuple[tuple[str, str], ...]:
        rows = [
            ("fps", f"{status.fps:.1f}"),
            ("capture to render", f"{status.latency_ms:.0f} ms"),
            ("capture to screen", f"{self.seen_after:.0f} ms"),
            ("size", "{}x{}".format(*status.size)),
        ]
        rows += [(IN_WORDS.get(name, name.replace("_", " ")), _worded(value)) for name, value in status.values.items()]
        return tuple(rows)


def _shown(words: str) -> str:
    """Words as a toast has them."""
    return "\n".join(printable(line) for line in words.splitlines() if line.strip())


def caption(prompt: Any) -> str:
    """A prompt, or a blend of several, as people read it."""
    if isinstance(prompt, str):
        return printable(prompt)
    parts = prompt if isinstance(prompt, list | tuple) else ()
    return printable(" + ".join(str(part[0]) for part in parts if part))


def _worded(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return printable(str(value))
