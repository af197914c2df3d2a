"""The time stamps of a file, as they are played."""

from __future__ import annotations


class Timeline:
    """Turns time stamps into seconds from the first one, which never go back.

    A stamp a little below the one before is an error of the file, and held. One that jumps back further begins anew, as
    where two recordings were joined: it comes one step after the one before, and the next ones follow it.
    """

    def __init__(self, step: float, begin: float | None = None) -> None:
        """``step``: seconds from one to the next, as a rule. ``begin``: the stamp that is 0; None for the first."""
        self.step = step
        self._begin = begin
        self._stamp: float | None = None  # the highest since the last jump
        self._last: float | None = None

    def place(self, stamp: float | None) -> float:
        """Seconds of the next stamp; None has none, and comes a step after the one before."""
        if stamp is None:
            stamp = self.step + self._stamp if self._stamp is not None else self._begin or 0.0
        if self._begin is None:
            self._begin = stamp
        if self._stamp is not None and self._last is not None:
            if stamp < self._stamp - 3 * self.step:
                self._begin = stamp - self._last - self.step
                self._stamp = stamp
            stamp = self._stamp = max(stamp, self._stamp)
        else:
            self._stamp = stamp
        self._last = stamp - self._begin
        return self._last
