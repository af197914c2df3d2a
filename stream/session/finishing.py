"""What a session lets its sinks ask of whoever finishes pictures beside the stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from ..base.errors import InkstreamError
from ..base.frame import Output

NOBODY = "pictures cannot be finished here; keep it, and run: inkstream finish PICTURE.png"


class Ended(Protocol):
    """How one ended."""

    @property
    def path(self) -> Path | None: ...
    @property
    def said(self) -> str: ...


class Finishes(Protocol):
    """See ``finish.Finisher``."""

    say: Callable[..., object]

    def start(
        self, output: Output, scale: int = 2, steps: int | None = None, folder: str | Path | None = None
    ) -> bool: ...
    def progress(self) -> tuple[str, float] | None: ...
    def cancel(self) -> None: ...
    def news(self) -> Sequence[Ended]: ...


class Finishing:
    """One picture at a time; all calls return at once, from any thread. How one ends is said as a notice, too."""

    def __init__(self, finisher: Finishes | None, say: Callable[..., object]) -> None:
        self._finisher = finisher
        self._say = say
        if finisher is not None:
            finisher.say = say

    @property
    def possible(self) -> bool:
        """Whether there is somebody who does it."""
        return self._finisher is not None

    def start(self, output: Output, scale: int = 2, steps: int | None = None, folder: str | Path | None = None) -> bool:
        """Begin to finish a picture, ``scale`` (1, 2 or 4) times as large, into ``folder``. False where one is under
        way already, or where it cannot be done, and that is said."""
        if self._finisher is None:
            self._say(NOBODY)
            return False
        try:
            begun = self._finisher.start(output, scale, steps, folder)
        except InkstreamError as error:
            self._say(f"not finished: {error}")
            return False
        if not begun:
            self._say("another picture is being finished; cancel that, or wait for it")
        return begun

    def progress(self) -> tuple[str, float] | None:
        """What is being done, in words, and which share of all is done, 0 to 1; None when nothing is."""
        return None if self._finisher is None else self._finisher.progress()

    def cancel(self) -> None:
        """End what is under way; nothing is saved."""
        if self._finisher is not None:
            self._finisher.cancel()

    def news(self) -> list[Ended]:
        """How those ended that did since the last call: ``path`` (None: there is none) and ``said``, for people."""
        return [] if self._finisher is None else list(self._finisher.news())
