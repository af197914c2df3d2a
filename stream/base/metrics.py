"""What a running session measures: time per stage, pictures per second, and what became of every frame.

Every frame that a source gave has one fate: ``frames_captured`` = ``frames_rendered`` + ``frames_dropped`` (a newer
one came first, or the network failed) + ``frames_skipped`` (the gate found no change) + ``frames_refused``
(FrameError), but for the few that are still on their way and those whose picture was refused (``outputs_refused``).
The stream counts ``frames_skipped``, ``outputs_refused``, what it drops itself, ``outputs_unsafe`` (rendered, and
replaced by what the safety checker lets through) and the stages prepare, encode, denoise, decode; the session counts
the others.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from statistics import median
from typing import Any

# capture: in the source's read(), waiting for the picture included. end_to_end: from the end of that to written sink.
STAGES = ("capture", "prepare", "encode", "denoise", "decode", "sink", "end_to_end")
COUNTERS = (
    "frames_captured",
    "frames_rendered",
    "frames_dropped",
    "frames_skipped",
    "frames_refused",
    "outputs_refused",
    "outputs_unsafe",
)
# What people call them, after a number. A picture that is the same as before is nothing that was lost.
IN_WORDS = {
    "frames_captured": "frames seen",
    "frames_rendered": "frames rendered",
    "frames_dropped": "frames passed over for newer ones",
    "frames_skipped": "frames the same as before",
    "frames_refused": "frames unusable",
    "outputs_refused": "renders unusable",
    "outputs_unsafe": "renders held back",
}


class _Durations:
    """The newest ``window`` durations of one stage, and how many there were altogether."""

    def __init__(self, window: int) -> None:
        self._ring = array("d", bytes(8 * window))
        self._window = window
        self.count = 0

    def add(self, seconds: float) -> None:
        self._ring[self.count % self._window] = seconds
        self.count += 1

    def newest(self) -> array[float]:
        return self._ring[: min(self.count, self._window)]


class _Rate:
    """Events per second over the newest ``window`` events."""

    def __init__(self, window: int) -> None:
        self.times: deque[float] = deque(maxlen=window)
        self.count = 0

    def add(self, now: float) -> None:
        self.times.append(now)
        self.count += 1

    def per_second(self) -> float:
        if len(self.times) < 2 or self.times[-1] <= self.times[0]:
            return 0.0
        return (len(self.times) - 1) / (self.times[-1] - self.times[0])


class _Span(AbstractContextManager[None]):
    """A class, because a generator as context manager takes four times as long."""

    __slots__ = ("_metrics", "_stage", "_start")

    def __init__(self, metrics: Metrics, stage: str) -> None:
        self._metrics = metrics
        self._stage = stage
        self._start = 0.0

    def __enter__(self) -> None:
        self._start = self._metrics.clock()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._metrics.record(self._stage, self._metrics.clock() - self._start)


class Metrics:
    """Thread-safe, of bounded size, and cheap enough (under 3 microseconds a record) to be always on.

    ``clock`` gives seconds; ``window`` is how many records of each stage and rate are kept.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter, window: int = 4096) -> None:
        if window < 2:
            raise ValueError(f"window: got {window}, expected at least 2 records")
        self.clock = clock
        self._window = window
        self._lock = threading.Lock()
        self._stages = {stage: _Durations(window) for stage in STAGES}
        self._counters: dict[str, int] = dict.fromkeys(COUNTERS, 0)
        self._unique = _Rate(window)
        self._latest_id: int | None = None
        self._latencies: deque[tuple[float, float]] = deque(maxlen=window)  # (when, seconds)
        self._begun = math.inf  # when the first picture came out
        self._sinks: dict[str, _Rate] = {}

    def record(self, stage: str, seconds: float) -> None:
        """One duration of a stage; a name that is not in ``STAGES`` adds a stage."""
        with self._lock:
            durations = self._stages.get(stage)
            if durations is None:
                durations = self._stages[stage] = _Durations(self._window)
            durations.add(seconds)

    def span(self, stage: str) -> AbstractContextManager[None]:
        """Record how long a ``with`` block takes; one that raises is not recorded."""
        return _Span(self, stage)

    def count(self, name: str, n: int = 1) -> None:
        """Add to a counter; a name that is not in ``COUNTERS`` adds a counter."""
        with self._lock:
            self._counters[name] = self._counters.get(name, 0) + n

    def counter(self, name: str) -> int:
        """The value of a counter; 0 when it was never counted."""
        return self._counters.get(name, 0)

    def rendered(self, source_id: int, captured_at: float, now: float) -> bool:
        """A picture came out of the stream; returns whether it is the first one of its source frame.

        A frame that is rendered again (another prompt, a settled picture) counts once, and its age is no latency.
        """
        with self._lock:
            if source_id == self._latest_id:
                return False
            if self._latest_id is None:
                self._begun = now
            self._latest_id = source_id
            self._counters["frames_rendered"] += 1
            self._unique.add(now)
            self._latencies.append((now, now - captured_at))
            return True

    def emitted(self, sink: str, now: float) -> None:
        """A picture was handed to a sink, be it new or a repeat."""
        with self._lock:
            if sink not in self._sinks:
                self._sinks[sink] = _Rate(self._window)
            self._sinks[sink].add(now)

    def recent(self, now: float, seconds: float = 2.0) -> tuple[float, float]:
        """Unique pictures per second over the last ``seconds``, and their median latency in milliseconds.

        Without a picture in that time the rate is 0 and the latency is that of the last picture.
        """
        with self._lock:
            newest = list(itertools.takewhile(lambda pair: pair[0] > now - seconds, reversed(self._latencies)))
            last = newest or list(self._latencies)[-1:]
            young = now - self._begun < seconds
        if not last:
            return 0.0, 0.0
        rate = len(newest) / seconds
        if young:
            rate = (len(newest) - 1) / max(now - self._begun, 1e-9)
        return rate, median(latency for _, latency in last) * 1e3

    def summary(self) -> dict[str, Any]:
        """Everything, ready for JSON.

        ``stages``: for each stage ``count`` over the whole run and, in milliseconds over the newest ``window`` records,
        ``p50_ms, p95_ms, p99_ms, max_ms`` (nearest rank; None when there is no record). ``unique_fps``: distinct source
        frames rendered per second. ``emitted_fps``: pictures per second handed to the busiest sink, repeats included;
        ``sinks`` has the pictures ``written`` and the ``fps`` of each. Then the counters.
        """
        with self._lock:
            stages = {name: (durations.count, durations.newest()) for name, durations in self._stages.items()}
            sinks = {name: {"written": rate.count, "fps": rate.per_second()} for name, rate in self._sinks.items()}
            counters = dict(self._counters)
            unique = self._unique.per_second()
        return {
            "stages": {name: {"count": count, **percentiles(values)} for name, (count, values) in stages.items()},
            "unique_fps": unique,
            "emitted_fps": max((sink["fps"] for sink in sinks.values()), default=0.0),
            "sinks": sinks,
            **counters,
        }


def percentiles(seconds: Sequence[float] | array[float]) -> dict[str, float | None]:
    """``p50_ms, p95_ms, p99_ms, max_ms`` of durations (nearest rank); all None when there is none."""
    ordered = sorted(seconds)
    if not ordered:
        return dict.fromkeys(("p50_ms", "p95_ms", "p99_ms", "max_ms"))
    rank = lambda percent: ordered[math.ceil(len(ordered) * percent / 100) - 1] * 1e3
    return {"p50_ms": rank(50), "p95_ms": rank(95), "p99_ms": rank(99), "max_ms": ordered[-1] * 1e3}
