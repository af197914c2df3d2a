"""The threads of a session."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable


class Crew:
    """Threads by name, all daemons: nothing can end a thread that a driver keeps, and it must not keep the process.

    ``fail`` is told what one of them raised.
    """

    def __init__(self, fail: Callable[[Exception], None]) -> None:
        self._fail = fail
        self._threads: dict[str, threading.Thread] = {}

    def __bool__(self) -> bool:
        return bool(self._threads)

    def add(self, name: str, body: Callable[[], None], after: Callable[[], None]) -> Callable[[], None]:
        """A thread that runs ``body`` and then, whatever happens, ``after``; what is returned starts it."""

        def guarded() -> None:
            try:
                body()
            except Exception as error:  # noqa: BLE001 - run() raises it on the thread of the caller
                self._fail(error)
            finally:
                after()

        thread = self._threads[name] = threading.Thread(target=guarded, name=f"inkstream {name}", daemon=True)
        return thread.start

    def start(self) -> None:
        """Start all that were added, in this order."""
        for thread in list(self._threads.values()):
            thread.start()

    def join(self, within: float, *names: str) -> None:
        """Wait for some of them, for so many seconds in all."""
        _join((self._threads[name] for name in names if name in self._threads), within)

    def leave(self, within: float, besides: str, also: threading.Thread) -> list[str]:
        """Wait for all ``besides`` one, and for ``also``, for so many seconds in all; returns who does not end."""
        threads = [*(thread for name, thread in list(self._threads.items()) if name != besides), also]
        _join(threads, within)
        return [thread.name for thread in threads if thread.is_alive() and thread is not threading.current_thread()]


def _join(threads: Iterable[threading.Thread], within: float) -> None:
    deadline = time.perf_counter() + within
    for thread in threads:
        if thread is not threading.current_thread() and thread.ident is not None:
            thread.join(max(0.0, deadline - time.perf_counter()))
