"""What a bench is at, on stderr, so that minutes of measuring are no silence.

``shown`` is around a whole bench; whatever measures inside calls ``tell``, which does nothing where nobody watches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_watcher: Callable[[str | None, float | None], Any] | None = None  # for every thread of the bench


def tell(text: str, part: float | None = None) -> None:
    """Say what is measured, and which part of it (0 to 1; None: unknown) is done."""
    if _watcher is not None:
        _watcher(text, part)


def done() -> None:
    """Take the progress away, for what is printed now."""
    if _watcher is not None:
        _watcher(None, None)


@contextmanager
def shown(title: str) -> Iterator[None]:
    """A progress bar on a terminal's stderr, nothing elsewhere."""
    global _watcher
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)

        def watch(text: str | None, part: float | None) -> None:
            if text is None:
                bar.stop()
            else:
                bar.update(task, description=text, total=None if part is None else 1.0, completed=part or 0.0)

        before, _watcher = _watcher, watch
        try:
            yield
        finally:
            _watcher = before
