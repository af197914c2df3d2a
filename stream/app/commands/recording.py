"""What ``run`` writes down beside its sinks: the last minutes, and a journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from ...base.errors import ConfigError
from ...base.options import RESULTS
from ...base.progress import note
from ...base.signals import saving

if TYPE_CHECKING:
    from ...base.frame import Output
    from ...history.recorder import JournalRecorder
    from ...history.store import HistoryRecorder

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


class Recording(NamedTuple):
    """What a session is given to record."""

    history: HistoryRecorder | None
    on_output: list[Callable[[Output], None]]


@contextmanager
def recording(history: float, journal: Path | None) -> Iterator[Recording]:
    """What a session calls with every picture; written out, and said where, at the end.

    Raises ConfigError where the journal cannot be made.
    """
    from ...history.store import HistoryRecorder

    recorder = HistoryRecorder(limit=history) if history else None
    written = None if journal is None else _journal(journal.expanduser())
    try:
        yield Recording(recorder, [written[1].take] if written else [])
    finally:
        with saving():
            if recorder is not None:
                recorder.close(HISTORY_WITHIN)
                if recorder.session is not None:
                    note("history: the last pictures are kept for a while: inkstream history show")
            if written is not None:
                path, drawn = written
                whole = drawn.close() and not drawn.lost
                why = f"which ends early: {drawn.failed}" if drawn.failed else "without what the disk was too slow for"
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
