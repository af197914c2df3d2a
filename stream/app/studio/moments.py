"""The last minutes of one drawing, as they are written down: for a strip of pictures, and to go back.

Each time its stream is opened they go to another session of the history. Their numbers go on from one to the next, so
that a page which was there before a restart never takes one moment for another.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ...base.errors import DataError, InkstreamError
from ...base.frame import Output
from ...history.store import Entry, HistoryRecorder, Rewind, history_folder

log = logging.getLogger(__name__)
EARLIER = 3  # sessions before this one that are looked at
AHEAD = 1000  # numbers that are taken at once
MOST = 2**50  # no number is larger


class Part(NamedTuple):
    """One session of the history."""

    name: str
    first: int
    """The number of its first moment."""
    next: int
    """A number that is higher than all of its moments."""


class Moments:
    """Reads what a recorder writes (None: nobody does). May be asked from any thread; a call may read from the disk.

    ``left`` is what ``left()`` gave when the drawing was open before; ``folder`` holds all sessions of the history.
    """

    def __init__(self, recorder: HistoryRecorder | None, left: Any = (), folder: Path | None = None) -> None:
        self._recorder = recorder
        self._folder = folder or history_folder()
        self._reading = threading.Lock()
        self._earlier = _parts_of(left)[-EARLIER:]
        self._first = max((part.next for part in self._earlier), default=0)
        self._before: list[tuple[int, Rewind, Entry]] | None = None  # of earlier sessions, the newest first
        self._rewind: Rewind | None = None

    @property
    def newest(self) -> int:
        """The number of the newest; -1: there is none."""
        found = self._all(1)
        return found[0][0] if found else -1

    def left(self) -> list[list[Any]]:
        """What to begin with when the drawing is opened again: plain values."""
        parts = list(self._earlier)
        if self._rewind is not None:
            count = self._rewind.entries[0].number + 1 if self._rewind.entries else 0
            ahead = -(-count // AHEAD) * AHEAD  # so that it is not written down with every picture
            parts.append(Part(self._rewind.session.name, self._first, self._first + ahead))
        return [list(part) for part in parts[-EARLIER:]]

    def listed(self, before: int | None, count: int) -> list[dict[str, Any]]:
        """Up to ``count`` of them, the newest first, those that are older than ``before``."""
        found = [each for each in self._all() if before is None or each[0] < before]
        return [
            {"moment": number, "at": round(entry.moment.at, 3), "prompt": entry.prompt, "changed": entry.changed}
            for number, _, entry in found[:count]
        ]

    def output(self, moment: int) -> Output | None:
        """One of them; None where it was let go of, or is damaged."""
        for number, rewind, entry in self._all():
            if number == moment:
                with suppress(InkstreamError):  # what is damaged is gone, too
                    seen = rewind.seen(entry)
                    return None if seen is None else seen.output()
        return None

    def _all(self, most: int | None = None) -> list[tuple[int, Rewind, Entry]]:
        """All that are written down (or the newest ``most``), the newest first, with their numbers."""
        with self._reading:
            rewind = self._current()
            entries = rewind.entries[:most] if rewind is not None else []
            found = [(self._first + entry.number, rewind, entry) for entry in entries if rewind is not None]
            if most is not None and len(found) >= most:
                return found
            if self._before is None:
                self._before = self._read_earlier()
            return [*found, *self._before][:most]

    def _current(self) -> Rewind | None:
        folder = None if self._recorder is None else self._recorder.session
        if folder is None:
            return None
        try:
            if self._rewind is None:
                self._rewind = Rewind(folder)
            else:
                self._rewind.refresh()
        except DataError as error:
            log.warning("%s", error)
        return self._rewind

    def _read_earlier(self) -> list[tuple[int, Rewind, Entry]]:
        found: list[tuple[int, Rewind, Entry]] = []
        for part in reversed(self._earlier):
            with suppress(DataError):  # what is damaged shall not hide the others
                rewind = Rewind(self._folder / part.name)
                numbered = [(part.first + entry.number, rewind, entry) for entry in rewind.entries]
                found += [each for each in numbered if each[0] < part.next]
        return found


def _parts_of(left: Any) -> list[Part]:
    """What of it makes sense: it comes from a file."""
    parts: list[Part] = []
    for each in left if isinstance(left, Sequence) and not isinstance(left, str) else ():
        if not (isinstance(each, Sequence) and len(each) == 3 and isinstance(each[0], str)):
            continue
        name, first, following = each
        whole = all(type(number) is int and 0 <= number <= MOST for number in (first, following))
        if whole and first <= following and Path(name).name == name and name not in ("", ".", ".."):
            parts.append(Part(name, first, following))
    return parts
