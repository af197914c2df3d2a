"""Ctrl-C, SIGTERM and a terminal that closes: the first asks for a clean end, the second ends at once.

Python runs signal handlers on the main thread, between two steps of it. One that waits in a driver, a display or a
terminal never gets there; so a thread of its own is told of every signal by the system, and ends the process when a
clean end takes too long.
"""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NamedTuple, NoReturn

INTERRUPTED = 130  # exit code
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
WITHIN = 2.0  # seconds from the first signal to the end of the process, unless something is being saved
AFTER_SAVING = 0.5  # seconds that are left after that at least
SAME = 0.05  # seconds in which two signals count as one: a shell and its terminal both send them

_watch: _Watch | None = None
_left: list[threading.Thread] = []


class _Block(NamedTuple):
    first: Callable[[int], None]
    halt: Callable[[], object] | None


@contextmanager
def interrupts(first: Callable[[int], None], halt: Callable[[], object] | None = None) -> Iterator[None]:
    """Inside the block the first signal calls ``first`` with its number; the next ends the process with 130.

    ``first`` runs between any two steps of the main thread, so it must not take a lock. ``halt`` is called on another
    thread at once, even when the main thread never gets to its next step. Two seconds after the first signal the
    process ends with 130, if it is still in a block and is not ``saving``. Of nested blocks the innermost is called.
    Handlers are put back afterwards. On another thread than the main one this does nothing, because Python
    does not allow it there.
    """
    global _watch
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    outermost = _watch is None
    watch = _watch = _watch or _Watch()
    watch.blocks.append(_Block(first, halt))
    try:
        if outermost:
            watch.begin()
        yield
    finally:
        watch.blocks.pop()
        if outermost:
            _watch = None
            watch.end()


@contextmanager
def saving() -> Iterator[None]:
    """While something is written that people want to keep, only a second signal ends the process."""
    watch = _watch
    if watch is None:
        yield
        return
    watch.savers += 1
    try:
        yield
    finally:
        watch.savers -= 1
        watch.deadline = max(watch.deadline, time.monotonic() + AFTER_SAVING)


def interrupts_for_good(first: Callable[[int], None]) -> None:
    """``interrupts`` for the whole life of a process, its last moment included; ``too_late`` says when work is done."""
    global _watch
    watch = _watch = _Watch()
    watch.blocks.append(_Block(first, None))
    watch.begin()
    atexit.register(_ignore)  # the first that is registered is the last that is called


def too_late() -> None:
    """The process ends by itself now: a first signal changes nothing any more."""
    if _watch is not None:
        _watch.blocks.append(_Block(lambda number: None, None))


def left_behind(thread: threading.Thread) -> None:
    """A thread is still at work, and nobody waits for it any more: ``leave`` ends the process with it."""
    _left.append(thread)


def leave(code: int) -> NoReturn:
    """Raise SystemExit; where a thread was left behind end the process at once.

    Python's own end would take the thread's lock away in the middle of a library's work, which may crash it.
    """
    if any(thread.is_alive() for thread in _left):
        _end(code)
    sys.exit(code)


def _end(code: int) -> NoReturn:
    if "multiprocessing" in sys.modules:
        for child in sys.modules["multiprocessing"].active_children():
            with contextlib.suppress(OSError):
                child.kill()
    os._exit(code)


def _ignore() -> None:
    """Python gives its handlers up at the end, and the system's own would change the exit code."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


class _Watch:
    """Handlers for all signals, and a thread that is told of each by the system."""

    def __init__(self) -> None:
        self.blocks: list[_Block] = []
        self.savers = 0
        self.deadline = math.inf  # when the process ends, after the first signal
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}
        self._called = False  # ``first`` was
        self._first_at = -math.inf
        self._ended = False
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)

    def begin(self) -> None:
        for number in SIGNALS:
            if number == getattr(signal, "SIGHUP", None) and signal.getsignal(number) == signal.SIG_IGN:
                continue  # nohup
            self._before[number] = signal.signal(number, self._handle)
        self._wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._run, name="inkstream signals", daemon=True).start()

    def end(self) -> None:
        for number, handler in self._before.items():
            # None: installed by something other than Python, which cannot be put back
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        if self._before:
            signal.set_wakeup_fd(self._wakeup)
        self._ended = True
        self._writer.close()  # which ends the thread

    def _handle(self, number: int, _: FrameType | None) -> None:
        if not self._called:
            self._called = True
            self.blocks[-1].first(number)

    def _run(self) -> None:
        with self._reader:
            while not self._ended:
                left = self.deadline - time.monotonic()
                waiting = None if left == math.inf else max(0.05, left)
                if select.select([self._reader], [], [], waiting)[0]:
                    numbers = self._reader.recv(64)
                    if not numbers:
                        return
                    for number in numbers:
                        self._came(number)
                elif not self.savers and time.monotonic() >= self.deadline:
                    self._die()

    def _came(self, number: int) -> None:
        if number not in SIGNALS or self._ended:
            return
        now = time.monotonic()
        if self.deadline == math.inf:
            self._first_at, self.deadline = now, now + WITHIN
            halt = self.blocks[-1].halt if self.blocks else None
            if halt is not None:  # it may take locks, so that nobody here waits for it
                threading.Thread(target=halt, name="inkstream halt", daemon=True).start()
        elif now - self._first_at > SAME and number != getattr(signal, "SIGHUP", None):
            self._die()

    def _die(self) -> None:
        if self._ended:
            return
        _end(INTERRUPTED)
