"""Waits that may take long are said."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

AFTER = 2.0  # seconds


@contextmanager
def said(text: str, say: Callable[[str], object], after: float = AFTER) -> Iterator[None]:
    """Call ``say(text)`` once, on another thread, when the block takes longer than ``after`` seconds."""
    timer = threading.Timer(after, say, [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
