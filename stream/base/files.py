"""Files that appear whole or not at all, and never take the place of another."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np

from .errors import SinkUnavailable


def unused(path: Path) -> Path:
    """``path`` itself if nothing has that name yet, else the first free one of ``name-2.ext``, ``name-3.ext``, ..."""
    free, number = path, 1
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free


def write_new(path: Path, data: bytes, durable: bool = False) -> Path:
    """Write a file that nobody ever sees half, and return the name it got: see ``unused``.

    ``durable`` waits until it is on the disk, so that it outlives a power cut too. Raises OSError.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        while True:
            free = unused(path)
            try:
                _claim(part, free)
            except FileExistsError:
                continue
            return free
    finally:
        part.unlink(missing_ok=True)


def _claim(part: Path, free: Path) -> None:
    if os.name == "nt":
        part.rename(free)  # there it refuses to replace a file
        return
    try:
        os.link(part, free)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links, as on many memory cards
        part.rename(free)


def png(pixels: np.ndarray) -> bytes:
    """Encode ``(H, W, 3)`` uint8 RGB."""
    return cv2.imencode(".png", np.ascontiguousarray(pixels[..., ::-1]), [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tobytes()


def new_folder(path: Path, sink: str) -> Path:
    """Make a folder that no earlier run has used, ``path`` or ``path-2``, ...; an empty one is taken as it is.

    Raises SinkUnavailable with a hint when it cannot be made.
    """
    try:
        free = path
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            free = unused(path)
        free.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkUnavailable(
            f"{sink}: cannot make the folder {path}: {error.strerror or error}; give one that you may write to"
        ) from error
    return free


class Tape:
    """A file that FFmpeg writes to. It takes all that it is given, or raises OSError; ``size`` counts its bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = 0

    def write(self, data: Any) -> int:
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]  # an almost full disk takes a part and says so
        self.size = max(self.size, self.tell())
        return len(data)

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def truncate(self, size: int) -> None:
        """Keep the first ``size`` bytes only."""
        self.size = size
        with contextlib.suppress(OSError):  # the disk already failed; players skip the half fragment at the end
            self._file.truncate(size)

    def close(self) -> None:
        self._file.close()
