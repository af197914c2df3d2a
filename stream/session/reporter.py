"""Tells a listener what a session is doing, on a thread of its own: whoever listens may wait without harm."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable

from ..sinks import Status

WAITING = 256  # statuses that a slow listener still gets; the oldest are left out
LOOK = 0.5  # seconds between two looks when nobody reports


class Reporter:
    """Gives ``tell`` a status whenever its key has changed, in order.

    ``key`` and ``status`` give the present ones, from any thread; the key is asked for at every frame. ``report`` may
    be called from any thread, never waits, and nothing is missed when nobody calls it: ``run``, which calls ``tell``,
    looks by itself now and then. Without ``tell`` nothing is done.
    """

    def __init__(
        self, key: Callable[[], Hashable], status: Callable[[], Status], tell: Callable[[Status], None] | None
    ) -> None:
        self._look, self._status = key, status
        self._tell = tell
        self._changed = threading.Condition()
        self._waiting: deque[Status] = deque(maxlen=WAITING)
        self._key: Hashable = None
        self._closed = False

    def report(self) -> None:
        """Look whether something has changed."""
        if self._tell is None:
            return
        with self._changed:
            key = self._look()
            if key == self._key or self._closed:
                return
            self._key = key
            self._waiting.append(self._status())
            self._changed.notify_all()

    def run(self) -> None:
        """Tell what there is to tell until it is closed; raises what the listener raises."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed, LOOK)
                told = list(self._waiting)
                self._waiting.clear()
                if not told and self._closed:
                    return
            for status in told:
                assert self._tell is not None
                self._tell(status)
            if not told:
                self.report()

    def close(self) -> None:
        """What is waiting is still told, and nothing after it."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
