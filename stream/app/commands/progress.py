"""How far a long command has come: a bar in a terminal, a line in a log after a minute of silence."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .common import console, note, silence

SECONDS = 60.0  # of silence, after which a log gets a line


@contextmanager
def shown() -> Iterator[Callable[..., Any]]:
    """Progress on stderr, and the function that moves it: of what is done and the share of it, 0 to 1, if known."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    there = console(stderr=True)
    if not there.is_terminal:
        yield _lines()
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=there, transient=True) as bar:
        task = bar.add_task("loading", total=None)

        def progress(text: str, part: float | None = None) -> None:
            bar.update(task, description=text, total=None if part is None else 1.0, completed=part or 0.0)

        yield progress


def _lines() -> Callable[..., Any]:
    began = time.monotonic()

    def progress(text: str, part: float | None = None) -> None:
        if min(silence(), time.monotonic() - began) >= SECONDS:
            note(f"{time.strftime('%H:%M:%S')} {text}" + ("" if part is None else f", {part:.0%}"))

    return progress
