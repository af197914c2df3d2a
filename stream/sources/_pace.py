"""Keeping a rate without sleeping: waits end at a target time, or at once when somebody sets the event."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ..errors import ConfigError
from ..pacing import Pacer as Targets

Clock = Callable[[], float]


def wait_until(due: float, clock: Clock, stop: threading.Event) -> bool:
    """Wait until ``clock()`` reaches ``due`` (seconds); False at once when ``stop`` is set."""
    while (left := due - clock()) > 0:
        if stop.wait(left):
            return False
    return not stop.is_set()


class Pacer:
    """Lets the caller go on ``fps`` times a second, on the grid of target times of ``inkstream.stream.pacing``."""

    def __init__(self, fps: float, clock: Clock = time.perf_counter, stop: threading.Event | None = None) -> None:
        if not 0 < fps <= 1000:
            raise ConfigError(f"fps: got {fps:g}, expected more than 0, at most 1000")
        self.period = 1.0 / fps
        self.clock = clock
        self.stop = stop or threading.Event()
        self._targets: Targets | None = None

    def wait(self) -> bool:
        """Wait for the next target time; the first is now. False at once when ``stop`` is set."""
        now = self.clock()
        if self._targets is None:
            self._targets = Targets(self.period, now)
        if not wait_until(now + self._targets.wait(now), self.clock, self.stop):
            return False
        self._targets.done(self.clock())
        return True
