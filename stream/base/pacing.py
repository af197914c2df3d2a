"""When to act next at a fixed cadence; waits end at a target time, or at once when somebody sets the event."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from .errors import ConfigError

Clock = Callable[[], float]


def wait_until(due: float, clock: Clock, stop: threading.Event) -> bool:
    """Wait until ``clock()`` reaches ``due`` (seconds); False at once when ``stop`` is set."""
    while (left := due - clock()) > 0:
        if stop.wait(left):
            return False
    return not stop.is_set()


class Pacer:
    """Target times ``start + n * interval``; ``start`` is when it is first asked, so the first target is due at once.

    A late call is not made up for by hurrying: the missed targets are dropped (the debt is wiped), and the next target
    is again a whole number of intervals after the start (the phase is kept).
    """

    def __init__(self, interval: float, clock: Clock = time.perf_counter, stop: threading.Event | None = None) -> None:
        """``interval`` is in seconds; raises ValueError when it is not above 0."""
        if not interval > 0:
            raise ValueError(f"interval: got {interval} s, expected more than 0")
        self.interval = interval
        self.stop = stop or threading.Event()
        self._clock = clock
        self._start: float | None = None
        self._next = 0  # number of the next target

    @classmethod
    def of_fps(cls, fps: float, clock: Clock = time.perf_counter, stop: threading.Event | None = None) -> Pacer:
        """A cadence of ``fps`` a second; raises ConfigError when that is not above 0 and at most 1000."""
        if not 0 < fps <= 1000:
            raise ConfigError(f"fps: got {fps:g}, expected more than 0, at most 1000")
        return cls(1.0 / fps, clock, stop)

    def left(self) -> float:
        """Seconds to the next target; 0 when it is due. Does not wait."""
        now = self._clock()
        return max(0.0, self._due(now) - now)

    def done(self) -> None:
        """The call of the current target was made; the next target is the first one from now on."""
        now = self._clock()
        self._next = max(self._next, int((now - self._begun(now)) // self.interval)) + 1

    def wait(self) -> bool:
        """Wait for the next target, and count it as done. False at once when ``stop`` is set."""
        if not wait_until(self._due(self._clock()), self._clock, self.stop):
            return False
        self.done()
        return True

    def _due(self, now: float) -> float:
        return self._begun(now) + self._next * self.interval

    def _begun(self, now: float) -> float:
        if self._start is None:
            self._start = now
        return self._start
