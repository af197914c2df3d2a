"""Time that does not pass."""

from __future__ import annotations

import threading


class FakeTime(threading.Event):
    """A clock, and an event whose ``wait`` moves the clock instead of waiting."""

    def __init__(self, now: float = 1000.0) -> None:
        super().__init__()
        self.now = now

    def __call__(self) -> float:
        return self.now

    def wait(self, timeout: float | None = None) -> bool:
        """Let ``timeout`` seconds pass at once, unless it is set."""
        if not self.is_set():
            self.now += timeout or 0.0
        return self.is_set()
