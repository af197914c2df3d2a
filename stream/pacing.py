"""When to act next at a fixed cadence."""

from __future__ import annotations


class Pacer:
    """Target times ``start + n * interval``; time is an argument, so nothing here waits.

    A late call is not made up for by hurrying: the missed targets are dropped (the debt is wiped), and the next target
    is again a whole number of intervals after the start (the phase is kept).
    """

    def __init__(self, interval: float, start: float) -> None:
        if not interval > 0:
            raise ValueError(f"interval: got {interval} s, expected more than 0")
        self._interval = interval
        self._start = start
        self._next = 0  # number of the next target

    def wait(self, now: float) -> float:
        """Seconds from ``now`` to the next target; 0 when it is due."""
        return max(0.0, self._start + self._next * self._interval - now)

    def done(self, now: float) -> None:
        """The call of the current target was made; the next target is the first one after ``now``."""
        self._next = max(self._next, int((now - self._start) // self._interval)) + 1
