"""Writing outputs down while they come, on a thread of its own: nobody waits for the disk."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np

from ..base.errors import InkstreamError, SinkUnavailable
from ..base.frame import Output
from ..base.making import Making, versions
from ..base.plain import reason
from .records import RecordWriter
from .reel import BEGIN, INPUT, LOST, MADE, RENDER, SEEN, encoded, exactly

PATIENCE = 10.0  # seconds that a source which is not live waits for a disk
CLOSE_WITHIN = 1.5  # seconds for what is waiting at the end; a disk that takes longer does not keep the process
TO_DISK_EVERY = 1.0  # seconds
NICE = 10  # how much later the system gives this thread a core than the engine


class MomentWriter:
    """Writes moments to a new file of records: what has not changed since the moment before is not written again."""

    def __init__(self, path: Path, began: datetime, renders: bool) -> None:
        """Raises OSError."""
        self.path = path
        self._file = RecordWriter(path)
        self._renders = renders
        self._made = self._drawn = -1  # numbers of what was written last
        self._making: Making | None = None
        self._input: np.ndarray | None = None
        self._render: np.ndarray | None = None
        self._file.append(BEGIN, {"time": began.isoformat(timespec="seconds"), "versions": dict(versions())})

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._file.size

    def add(self, output: Output, at: float) -> None:
        """Write one output, seen ``at`` seconds after the beginning. Raises OSError."""
        making, drawing = output.making, output.input
        if making is not None and making is not self._making:
            before = making.before if isinstance(making.before, str) else None
            self._file.append(MADE, {**making.recipe(), "before": before})
            self._making, self._made = making, self._made + 1
        if drawing is not None and not _same(drawing, self._input):
            self._file.append(INPUT, {}, encoded(drawing, exactly(drawing)))
            self._input, self._drawn = drawing, self._drawn + 1
        render = b""
        if self._renders and not _same(output.pixels, self._render):
            render = encoded(output.pixels, RENDER)
        known = {"at": round(at, 4), "frame": output.source_id, "faded": output.faded, "made": self._made}
        if output.held:
            known["held"] = True
        if output.origin.moves:
            known["moves"] = True
        drawn = None if drawing is None else self._drawn
        self._file.append(SEEN, {**known, "input": drawn}, render)
        self._render = output.pixels

    def is_news(self, output: Output) -> bool:
        """Whether it shows anything that the moment before did not."""
        same = output.making is self._making and _same(output.pixels, self._render)
        return not same or output.input is None or not _same(output.input, self._input)

    def lose(self, count: int) -> None:
        """Write that pictures are missing here. Raises OSError."""
        self._file.append(LOST, {"count": count})

    def to_disk(self) -> None:
        """Raises OSError."""
        self._file.to_disk()

    def close(self) -> None:
        self._file.close()


class Recorder:
    """Takes outputs on the engine's thread, and has ``_store`` write them on another.

    ``most``: so many may wait. Of those of a live source the oldest is then left out, or with ``keep_all`` the newest;
    for any other source the caller waits, for ten seconds at most.
    """

    name = "recorder"

    def __init__(self, most: int, keep_all: bool) -> None:
        self.lost = 0  # pictures that were left out
        self.failed = ""  # why nothing more is written
        self._most = most
        self._keep_all = keep_all
        self._changed = threading.Condition()
        self._waiting: deque[Output] = deque()
        self._thread: threading.Thread | None = None
        self._closed = self._busy = False
        self._error: Exception | None = None

    def take(self, output: Output) -> None:
        """Leave an output to be written; ``on_output`` of a session. Does not wait for the disk.

        Raises SinkUnavailable, once, when nothing can be written any more: whatever comes later is left out.
        """
        with self._changed:
            if self._error is not None:
                error, self._error = self._error, None
                said = f"{self.name} is off: {reason(error)}; the stream goes on"
                raise error if isinstance(error, InkstreamError) else SinkUnavailable(said) from error
            if self._closed or output.making is None:
                return
            if not output.origin.live:
                self._changed.wait_for(lambda: len(self._waiting) < self._most or self._closed, PATIENCE)
            if len(self._waiting) >= self._most:
                self.lost += 1
                if self._keep_all:
                    return
                self._waiting.popleft()
            self._waiting.append(output)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"inkstream {self.name}", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def close(self, within: float = CLOSE_WITHIN) -> bool:
        """Write what is waiting, for so many seconds at most; returns whether nothing is missing. May come twice."""
        with self._changed:
            done = self._changed.wait_for(lambda: not (self._waiting or self._busy), within)
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(within if done else 0)
        return done and not self.failed

    def _run(self) -> None:
        with contextlib.suppress(OSError, AttributeError):  # where threads have no priority of their own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        try:
            while (output := self._next()) is not None:
                self._store(output)
        except Exception as error:  # noqa: BLE001 - whatever a disk does, the stream goes on; ``take`` says it
            with self._changed:
                self._error, self._closed, self.failed = error, True, reason(error)
                self._waiting.clear()
        finally:
            with contextlib.suppress(OSError):  # a disk that failed was said already
                self._end()
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _next(self) -> Output | None:
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if not self._waiting:
                return None
            self._busy = True
            return self._waiting.popleft()

    def _store(self, output: Output) -> None:
        raise NotImplementedError

    def _end(self) -> None:
        """Close what is open."""


class JournalRecorder(Recorder):
    """Writes everything that was drawn, and with which settings, to a new file: see ``journal``.

    Raises FileExistsError where ``path`` is taken, OSError where it cannot be made.
    """

    name = "journal"

    def __init__(self, path: Path, now: Callable[[], datetime] = datetime.now) -> None:
        super().__init__(most=64, keep_all=True)
        self._file = MomentWriter(path, now().astimezone(), renders=False)
        self._began: float | None = None
        self._written_lost = 0
        self._safe_at = -TO_DISK_EVERY

    def _store(self, output: Output) -> None:
        if self._began is None:
            self._began = output.rendered_at
        if self.lost > self._written_lost:
            self._file.lose(self.lost - self._written_lost)
            self._written_lost = self.lost
        self._file.add(output, output.rendered_at - self._began)
        if time.monotonic() >= self._safe_at + TO_DISK_EVERY:
            self._file.to_disk()
            self._safe_at = time.monotonic()

    def _end(self) -> None:
        self._file.to_disk()
        self._file.close()

    def close(self, within: float = CLOSE_WITHIN) -> bool:
        """As ``Recorder.close``; a file in which nothing was drawn is removed."""
        done = super().close(within)
        if self._thread is None:
            self._file.close()
            self._file.path.unlink(missing_ok=True)
        return done


def _same(pixels: np.ndarray, before: np.ndarray | None) -> bool:
    return before is not None and (pixels is before or np.array_equal(pixels, before))
