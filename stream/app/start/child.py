"""A command of inkstream in a process of its own, and what it says."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence

from ...base import terminal
from ...base.plain import plain

MODULE = "inkstream.stream.app.cli"
MOST_LINES = 40  # that are remembered
MOST_SAID = 6  # reasons that a page shows
MOST_OUTPUT = 1 << 22  # bytes of results
WITHIN = 3.0  # seconds that a process is given to end
_STAMP = re.compile(r"^(error|ERROR|WARNING|warning): ?")


class Child:
    """Runs ``inkstream`` with these words. What it says goes on to our own terminal, too.

    ``results``: whether what it prints is for us, and not for people.
    """

    def __init__(self, words: Sequence[str], results: bool = False) -> None:
        self.output = b""
        self._lines: deque[str] = deque(maxlen=MOST_LINES)
        self._process = subprocess.Popen(
            [sys.executable, "-m", MODULE, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if results else None,
            stderr=subprocess.PIPE,
        )
        self._readers = [
            threading.Thread(target=self._listen, args=(not results,), name="inkstream child", daemon=True)
        ]
        if results:
            self._readers.append(threading.Thread(target=self._take, name="inkstream results", daemon=True))
        for reader in self._readers:
            reader.start()

    @property
    def number(self) -> int:
        """The system's number of its process."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Its exit code once it has ended and everything that it said was heard; None before."""
        code = self._process.poll()
        if code is None:
            return None
        for reader in self._readers:
            reader.join(1.0)  # a process that it left behind may hold the other end
        return code

    def wait(self, seconds: float) -> int | None:
        """Wait until it has ended, for so long at most; gives ``code``."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self.code

    def end(self) -> None:
        """Ask it to end, and make it end when it does not."""
        if self._process.poll() is None:
            self._process.terminate()
            if self.wait(WITHIN) is None:
                self._process.kill()
                self._process.wait(WITHIN)

    @property
    def said(self) -> tuple[str, ...]:
        """What it said, line by line, the last lines only."""
        return tuple(self._lines)

    def reasons(self) -> list[str]:
        """Why it failed, for people: its errors, else its last words."""
        lines = [line for line in self._lines if line.lower().startswith("error")] or list(self._lines)[-3:]
        return [plain(_STAMP.sub("", line)) for line in dict.fromkeys(lines)][-MOST_SAID:]

    def _listen(self, tell: bool) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            for line in stream:
                text = line.decode("utf-8", "replace").rstrip()
                if text:
                    self._lines.append(text[:2000])
                    if tell:
                        terminal.say(text)

    def _take(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            self.output = stream.read(MOST_OUTPUT)
