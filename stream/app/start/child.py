"""A command of inkstream in a process of its own, and what it says."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence

from ...base import terminal
from ...base.plain import plain

MODULE = "inkstream.stream.app.cli"
READY = "inkstream.stream.app.start.ready"
MOST_LINES = 40  # that are remembered
MOST_SAID = 6  # reasons that a page shows
MOST_OUTPUT = 1 << 22  # bytes of results
WITHIN = 3.0  # seconds that a process is given to end
_STAMP = re.compile(r"^(error|ERROR|WARNING|warning): ?")


class Child:
    """Runs ``inkstream`` with these words. What it says goes on to our own terminal, too.

    ``results``: whether what it prints is for us, and not for people. ``process``: one that has been told the words.
    """

    def __init__(
        self, words: Sequence[str], results: bool = False, process: subprocess.Popen[bytes] | None = None
    ) -> None:
        self.output = b""
        self._lines: deque[str] = deque(maxlen=MOST_LINES)
        self._process = process or subprocess.Popen(
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


class Spare:
    """Starts commands, of which one may be ready before it is known: see ``ready``. Called as ``Child`` is."""

    def __init__(self) -> None:
        self._ready: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Have a process ready; nothing, where one is."""
        if self._ready is None or self._ready.poll() is not None:
            self.close()
            command = [sys.executable, "-m", READY]
            self._ready = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)

    def __call__(self, words: Sequence[str], results: bool = False) -> Child:
        process = None if results else self._take(words)
        return Child(words, results, process)

    def close(self) -> None:
        """End the process that is ready, if any."""
        process, self._ready = self._ready, None
        if process is not None:
            for stream in (process.stdin, process.stderr):
                assert stream is not None
                stream.close()
            process.kill()
            process.wait()

    def _take(self, words: Sequence[str]) -> subprocess.Popen[bytes] | None:
        """The process that is ready, once it has been told the words; None where there is none, or it has ended."""
        process = self._ready
        if process is None or process.poll() is not None:
            return None
        assert process.stdin is not None
        try:
            with process.stdin as told:
                told.write(json.dumps(list(words)).encode() + b"\n")
        except OSError:  # it has ended just now
            self.close()
            return None
        self._ready = None
        return process
