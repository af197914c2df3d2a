"""What ``run`` writes down beside its sinks: the last minutes, and a journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...base.errors import ConfigError
from ...base.options import RESULTS
from ...base.progress import note
from ...base.signals import saving

if TYPE_CHECKING:
    from ...base.frame import Output
    from ...history.recorder import JournalRecorder

HISTORY_WITHIN = 0.5  # seconds: who ends a program does not wait for it
MEGABYTES = 300  # as ``history.store.LIMIT``, which a test compares: --help is shown before numpy is imported

HistoryOption = Annotated[
    float,
    typer.Option(
        min=0.0,
        max=1e6,
        metavar="MB",
        envvar="INKSTREAM_HISTORY",
        rich_help_panel=RESULTS,
        help="Room for the last ten minutes of every live session (inkstream history); 0 records nothing.",
    ),
]
JournalOption = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        metavar="FILE",
        dir_okay=False,
        rich_help_panel=RESULTS,
        help="Record what is drawn and every change, to be rendered again: inkstream render FILE.",
    ),
]


@contextmanager
def recording(history: float, journal: Path | None) -> Iterator[list[Callable[[Output], None]]]:
    """What a session calls with every picture (``on_output``); written out, and said where, at the end.

    Raises ConfigError where the journal cannot be made.
    """
    from ...history.store import HistoryRecorder

    recorders = [HistoryRecorder(limit=history)] if history else []
    written = None if journal is None else _journal(journal.expanduser())
    try:
        yield [each.take for each in (*recorders, *([written[1]] if written else []))]
    finally:
        with saving():
            for recorder in recorders:
                recorder.close(HISTORY_WITHIN)
                if recorder.session is not None:
                    note("history: the last pictures are kept for a while: inkstream history show")
            if written is not None:
                path, recorder = written
                whole = recorder.close() and not recorder.lost
                why = (
                    f"which ends early: {recorder.failed}"
                    if recorder.failed
                    else "without what the disk was too slow for"
                )
                if path.exists():
                    note(f"journal: {path}{'' if whole else f', {why}'}")


def _journal(path: Path) -> tuple[Path, JournalRecorder]:
    from ...base.files import unused
    from ...history.recorder import JournalRecorder

    while True:
        free = unused(path)
        try:
            return free, JournalRecorder(free)
        except FileExistsError:  # another process was quicker
            continue
        except OSError as error:
            raise ConfigError(f"--journal: {path} cannot be written: {error.strerror}; name another place") from error
