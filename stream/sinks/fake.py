"""A sink for tests and for trying things out: ``fake:keep=100,delay=0.5,fail_at=20,interval=0.1,main=1``."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ..base.errors import ConfigError, SinkClosed, SinkUnavailable
from ..base.frame import Output
from ..base.spec import Kind, Option, Spec, flag
from . import Controls, Status


@dataclass(frozen=True, eq=False)
class Written:
    """One call of ``write``, and when it came (seconds of the sink's clock)."""

    at: float
    output: Output | None
    status: Status


class FakeSink:
    """Remembers the last ``keep`` writes in ``written`` and counts all of them in ``count``.

    ``delay`` (seconds) makes it slow: each ``write`` takes that long, or until ``close`` comes.
    ``fail_at`` raises SinkUnavailable in the N-th write, ``close_at`` raises SinkClosed as if the user had closed it.
    """

    def __init__(
        self,
        keep: int = 100,
        delay: float = 0.0,
        fail_at: int | None = None,
        close_at: int | None = None,
        interval: float | None = None,
        main: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        for name, value, good in (
            ("keep", keep, keep >= 1),
            ("delay", delay, delay >= 0),
            ("interval", interval, interval is None or interval > 0),
        ):
            if not good:
                least = "0 or more" if name == "delay" else "more than 0"
                raise ConfigError(f"fake sink: {name}: got {value}, expected {least}")
        self.interval = interval
        self.on_main_thread = main
        self.controls: Controls | None = None
        self.written: deque[Written] = deque(maxlen=keep)
        self.count = 0
        self.threads: set[int] = set()
        self._delay, self._fail_at, self._close_at, self._clock = delay, fail_at, close_at, clock
        self._closed = threading.Event()
        self._news = threading.Condition()

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed.is_set()

    @property
    def outputs(self) -> list[Output]:
        """The remembered outputs, oldest first, without the writes that had none."""
        with self._news:
            return [item.output for item in self.written if item.output is not None]

    def write(self, output: Output | None, status: Status) -> None:
        """Remember one picture; raises SinkUnavailable or SinkClosed when that was ordered."""
        with self._news:
            self.count += 1
            self.threads.add(threading.get_ident())
            self.written.append(Written(self._clock(), output, status))
            self._news.notify_all()
        if self.count == self._fail_at:
            raise SinkUnavailable(f"fake sink: failed at write {self.count}, as ordered with fail_at={self._fail_at}")
        if self.count == self._close_at:
            raise SinkClosed(f"fake sink: closed at write {self.count}, as ordered with close_at={self._close_at}")
        if self._delay:
            self._closed.wait(self._delay)

    def wait(self, count: int, timeout: float = 10.0) -> bool:
        """Wait until there were ``count`` writes; False when ``timeout`` seconds passed before."""
        with self._news:
            return self._news.wait_for(lambda: self.count >= count, timeout)

    def close(self) -> None:
        """End a slow write that is under way; what was remembered stays."""
        self._closed.set()


def open(spec: Spec) -> FakeSink:
    """``fake``; options as in ``FakeSink``."""
    return FakeSink(**spec.take(KIND.options))


KIND = Kind(
    "remembers pictures, and fails on order: to try things out",
    ("fake", "fake:keep=10,delay=0.5"),
    {
        "keep": Option(int, "N", "how many pictures it remembers"),
        "delay": Option(float, "SECONDS", "how long each picture takes it"),
        "fail_at": Option(int, "N", "fail for good at this picture"),
        "close_at": Option(int, "N", "end at this picture as if a user had closed it"),
        "interval": Option(float, "SECONDS", "a cadence; else it takes each picture once"),
        "main": Option(flag, "", "be served by the main thread, as windows are"),
    },
    FakeSink,
)
