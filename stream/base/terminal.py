"""What is said to people on stderr: by one thread, which alone may wait for a terminal that does not take it.

A terminal may stand still (Ctrl-S, a pipe that nobody reads), be full, or be gone. So whoever has something to say
leaves it in a queue of bounded length and goes on. ``guard`` does this for a whole process, and keeps what libraries
write by themselves away from the terminal; ``unheard`` does it for the log of a program that has set up none.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, TextIO, cast

from .plain import one_line, plain

WAITING = 1000  # pieces of text; the oldest are left out when more wait
LINES = 10  # of one message
NOTE = logging.INFO + 5
"""The level of records that are told to people although nothing is wrong: without the name of a level before them."""
logging.addLevelName(NOTE, "NOTE")
notes = logging.getLogger("inkstream.notes")
"""Where such records come from: a logger of their own, so that to hear them no other is made to say more or less."""
_guarding: Channel | None = None
_bar: Any = None  # the console of a progress bar, which text must be written above


class Channel(io.TextIOBase):
    """Text for a file descriptor. ``write`` never waits and never raises; a thread of its own does the writing."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._changed = threading.Condition()
        self._pieces: deque[bytes] = deque()
        self._left_out = 0
        self._writing = False
        self._thread: threading.Thread | None = None

    @property
    def encoding(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] - an attribute for writers
        return "utf-8"

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def fileno(self) -> int:
        return self._descriptor

    def write(self, text: str, /) -> int:
        """Leave text to be written soon; the oldest that waits is left out when there is too much."""
        with self._changed:
            if len(self._pieces) >= WAITING:
                self._pieces.popleft()
                self._left_out += 1
            self._pieces.append(text.encode("utf-8", "backslashreplace"))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="inkstream messages", daemon=True)
                try:
                    self._thread.start()
                except (RuntimeError, MemoryError):  # no memory for a thread: waiting is better than saying nothing
                    self._thread = None
                    self._put(memoryview(b"".join(self._pieces)))
                    self._pieces.clear()
            self._changed.notify_all()
        return len(text)

    def drain(self, seconds: float) -> bool:
        """Wait until everything is written, for so long at most; returns whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._pieces and not self._writing, seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._pieces)
                data = b"".join(self._pieces)
                if self._left_out:
                    data = b"(%d pieces of text were left out: nobody took them)\n" % self._left_out + data
                self._pieces.clear()
                self._left_out = 0
                self._writing = True
            self._put(memoryview(data))

    def _put(self, data: memoryview) -> None:
        try:
            while data:
                try:
                    data = data[os.write(self._descriptor, data) :]
                except BlockingIOError:  # whoever shares it made it so
                    select.select([], [self._descriptor], [])
        except OSError:  # closed, full or gone: then nobody reads it
            return


def guard(everything: bool = False) -> None:
    """From now on, and until the process ends, stderr is ours, and nobody who writes to it has to wait.

    What libraries write there by themselves, also from C, goes nowhere; with ``everything`` it is shown, too. A
    standard descriptor that is closed is opened on the null device, so that no file can get its number.
    """
    global _guarding
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    _guarding = Channel(os.dup(2))
    if everything:
        sys.stderr = _guarding
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)


def stderr() -> TextIO:
    """Where messages for people are written to: see ``guard``; without it, stderr as it is now."""
    return cast("TextIO", _guarding or sys.stderr or open(os.devnull, "w", encoding="utf-8"))


def say(text: str) -> None:
    """Write a message of one or a few lines to stderr, above a progress bar if there is one."""
    text = "\n".join(map(plain, text.split("\n")[:LINES]))
    if _bar is not None:
        _bar.print(text, markup=False, highlight=False, soft_wrap=True)
    else:
        stderr().write(f"{text}\n")


def drain(seconds: float = 1.0) -> None:
    """Let what was said be written, for so long at most: before a result is printed, and at the end."""
    if _guarding is not None:
        _guarding.drain(seconds)


@contextlib.contextmanager
def bar_on(console: Any) -> Iterator[None]:
    """Inside the block messages are written above the progress bar of a rich console."""
    global _bar
    before, _bar = _bar, console
    try:
        yield
    finally:
        _bar = before
        drain()


def _message(record: logging.LogRecord) -> str:
    """What a record says. Names of files in it stay on their line; an error of ours may have several."""
    if isinstance(record.args, tuple):
        args = tuple(one_line(each) if isinstance(each, str | os.PathLike) else each for each in record.args)
        return str(record.msg) % args if args else str(record.msg)
    return record.getMessage()


class Told(logging.Handler):
    """Says log records to people: one short line each, without the traceback unless ``debug``."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__()
        self._debug = debug

    def emit(self, record: logging.LogRecord) -> None:
        if self._debug:
            self.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
            stderr().write(f"{self.format(record)}\n")
        else:
            said = _message(record)
            say(said if record.levelno == NOTE else f"{record.levelname}: {said}")


class _Unheard(logging.Handler):
    """As ``logging.lastResort``, for a program that set up no logging; but it never waits for the terminal."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._channel: Channel | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if logging.getLogger().handlers:
            return  # they are given it, too
        try:
            descriptor = sys.stderr.fileno()
        except (AttributeError, OSError, ValueError):  # none, or one that is no file
            return
        if self._channel is None or self._channel.fileno() != descriptor:
            self._channel = Channel(descriptor)
        self._channel.write(f"{plain(_message(record))}\n")

    def drain(self, seconds: float) -> None:
        if self._channel is not None:
            self._channel.drain(seconds)


_unheard = _Unheard()


def unheard() -> None:
    """Let what inkstream logs reach stderr without making anybody wait, where a program has set up no logging."""
    logger = logging.getLogger("inkstream")
    if _unheard not in logger.handlers:
        logger.addHandler(_unheard)


def settle(seconds: float = 0.2) -> None:
    """At the end of a session: let its last words be written, for so long at most."""
    end = time.monotonic() + seconds
    drain(seconds)
    _unheard.drain(max(0.0, end - time.monotonic()))
