"""The last minutes of one session, as they are written down: for a strip of pictures, and to go back."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import Any

from ...base.errors import DataError, InkstreamError
from ...base.frame import Output
from ...history.store import Entry, HistoryRecorder, Rewind

log = logging.getLogger(__name__)


class Moments:
    """Reads what a recorder writes (None: nobody does). May be asked from any thread; a call may read from the disk."""

    def __init__(self, recorder: HistoryRecorder | None) -> None:
        self._recorder = recorder
        self._reading = threading.Lock()
        self._rewind: Rewind | None = None

    @property
    def newest(self) -> int:
        """The number of the newest; -1: there is none."""
        entries = self._entries()
        return entries[0].number if entries else -1

    def listed(self, before: int | None, count: int) -> list[dict[str, Any]]:
        """Up to ``count`` of them, the newest first, those that are older than ``before``."""
        entries = self._entries()
        first = entries[0].number if entries else 0
        start = 0 if before is None else max(0, first - before + 1)
        return [
            {"moment": each.number, "at": round(each.moment.at, 3), "prompt": each.prompt, "changed": each.changed}
            for each in entries[start : start + count]
        ]

    def output(self, moment: int) -> Output | None:
        """One of them; None where it was let go of, or is damaged."""
        entries = self._entries()
        place = entries[0].number - moment if entries else -1
        if not 0 <= place < len(entries) or self._rewind is None:
            return None
        seen = None
        with suppress(InkstreamError):  # what is damaged is gone, too
            seen = self._rewind.seen(entries[place])
        return None if seen is None else seen.output()

    def _entries(self) -> list[Entry]:
        """All that are written down, the newest first; they have numbers without a gap."""
        folder = None if self._recorder is None else self._recorder.session
        if folder is None:
            return []
        with self._reading:
            try:
                if self._rewind is None:
                    self._rewind = Rewind(folder)
                else:
                    self._rewind.refresh()
            except DataError as error:
                log.warning("%s", error)
            return self._rewind.entries if self._rewind is not None else []
