"""Locks between processes: they go away with whoever holds them, and who waits is told what for.

A lock is a file that stays; the operating system holds it, so that a process that was killed holds nothing.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from .progress import Progress, silent


class Busy(Exception):
    """Another process, or thread, holds a lock; the text says which file, who holds it, and how long was waited."""


@contextlib.contextmanager
def locked(path: Path, patience: float = 0.0, progress: Progress = silent, mode: int = 0o644) -> Iterator[None]:
    """Hold the lock file ``path`` against every other thread and process; not to be entered twice.

    Waits at most ``patience`` seconds, and tells ``progress`` what for. ``mode``: permissions of the file. Raises Busy,
    and OSError where the lock cannot be made.
    """
    lock = FileLock(path, mode=mode)
    _acquire(lock, path, patience, progress)
    try:
        yield
    finally:
        lock.release()


def _acquire(lock: BaseFileLock, path: Path, patience: float, progress: Progress) -> None:
    try:
        with contextlib.suppress(Timeout):
            lock.acquire(timeout=0)
            return
        if patience > 0:
            began = time.strftime("%H:%M:%S")
            progress(f"waiting since {began} for {path}, which {holder(path)} holds", None)
            with contextlib.suppress(Timeout):
                lock.acquire(timeout=patience)
                return
    except NotImplementedError as error:
        raise OSError(errno.ENOLCK, "this file system has no locks", str(path)) from error
    waited = f", and did not let go in {patience:.0f} seconds" if patience else ""
    raise Busy(f"{holder(path)} holds {path}{waited}")


def holder(path: Path) -> str:
    """Who holds a lock file, as far as the system tells: "process 4711 (inkstream train lora, begun at 12:03:04)"."""
    import psutil

    with contextlib.suppress(OSError, ValueError, IndexError, psutil.Error):
        status = path.stat()
        place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
        for line in Path("/proc/locks").read_text().splitlines():
            words = line.split()
            if words[1] != "->" and words[5] == place and int(words[4]) > 0:
                number = int(words[4])
                if number == os.getpid():
                    return "this process"
                process = psutil.Process(number)
                began = time.strftime("%H:%M:%S", time.localtime(process.create_time()))
                words = " ".join(process.cmdline())
                said = "".join(letter if letter.isprintable() else " " for letter in words)[-60:].strip()
                return f"process {number} ({said}, begun at {began})"
    return "another process"
