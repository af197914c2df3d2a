"""Ctrl-C and SIGTERM: the first asks for a clean end, the second ends at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130  # exit code


@contextmanager
def interrupts(first: Callable[[int], None]) -> Iterator[None]:
    """Inside the block the first SIGINT or SIGTERM calls ``first`` with its number, the next ends the process (130).

    ``first`` runs between any two steps of the main thread, so it must not take a lock. Handlers are put back
    afterwards. On another thread than the main one this does nothing, because Python does not allow it there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen = False

    def handle(number: int, _: FrameType | None) -> None:
        nonlocal seen
        if seen:
            os._exit(INTERRUPTED)
        seen = True
        first(number)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            # None: installed by something other than Python, which cannot be put back
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
