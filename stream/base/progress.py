"""How far long work has come, as every part of the program says it, and as it is shown on stderr."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from . import terminal
from .plain import one_line

QUIET_FOR = 60.0  # seconds after which a log gets a line of progress

_noted = time.monotonic()  # when the last line was written


class Progress(Protocol):
    """Whoever watches long work: ``progress("building the UNet", 0.25)``.

    ``text`` says what is being done; ``part`` is how much of it is done, 0 to 1, or None where nobody knows.
    """

    def __call__(self, text: str, part: float | None = None) -> object: ...


def silent(text: str, part: float | None = None) -> None:
    """Progress that nobody watches."""


def share_of(progress: Progress, index: int, count: int) -> Progress:
    """Progress of piece ``index`` of ``count`` pieces of work, as a part of the whole."""

    def scaled(text: str, part: float | None = None) -> None:
        progress(text, (index + (part or 0.0)) / count)

    return scaled


def note(text: str) -> None:
    """Write a line that is not a result to stderr; a line end in it, of a file's name for example, is shown as such."""
    global _noted
    _noted = time.monotonic()
    terminal.say(one_line(text))


@contextmanager
def shown(text: str = "loading", remaining: bool = False, begins: bool = False) -> Iterator[Progress]:
    """Progress on stderr: a bar in a terminal, elsewhere a line after a minute in which nothing was written.

    ``text`` stands there at first; where it ``begins`` a command, it is a line at once where there is no bar.
    ``remaining`` shows the time that is left in place of the time that has passed.
    """
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(file=terminal.stderr())
    if not console.is_terminal:
        if begins:
            note(text)
        yield _lines()
        return
    clock = TimeRemainingColumn() if remaining else TimeElapsedColumn()
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), clock)
    bar = Bar(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
    with terminal.bar_on(console), bar:
        task = bar.add_task(text, total=None)

        def progress(text: str, part: float | None = None) -> None:
            bar.update(task, description=text, total=None if part is None else 1.0, completed=part or 0.0)

        yield progress


def _lines() -> Progress:
    began = time.monotonic()

    def progress(text: str, part: float | None = None) -> None:
        if time.monotonic() - max(_noted, began) >= QUIET_FOR:
            note(f"{time.strftime('%H:%M:%S')} {text}" + ("" if part is None else f", {part:.0%}"))

    return progress
