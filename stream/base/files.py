"""Files that appear whole or not at all; ``folders`` does the same for folders.

``write_whole`` and ``replacing`` put something in the place of what was there; ``write_new`` and ``new_folder`` never
take the place of another. Every one writes under a name of its own beside the target, and renames.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np

from .errors import SinkUnavailable

PART = ".part"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def regular_file(path: str | os.PathLike[str]) -> Path:
    """``path``, if a file lies there that can be read to its end, or a link that leads to one.

    Raises OSError whose ``strerror`` says what lies there instead: a FIFO or a device may block for ever, or never end.
    """
    _check_regular(os.stat(path), path)
    return Path(path)


def open_regular(path: str | os.PathLike[str], follow_links: bool = True) -> BufferedReader:
    """Open a file to read its bytes; see ``regular_file``. What is checked is what was opened, and nothing blocks.

    Without ``follow_links`` a link is refused, too.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if not follow_links:
        if os.path.islink(path):
            raise OSError(errno.ELOOP, "got a link, expected a regular file", os.fspath(path))
        flags |= getattr(os, "O_NOFOLLOW", 0)
    handle = os.open(path, flags)
    try:
        _check_regular(os.fstat(handle), path)
    except OSError:
        os.close(handle)
        raise
    return os.fdopen(handle, "rb")


def _check_regular(status: os.stat_result, path: str | os.PathLike[str]) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        number = errno.EISDIR if kind == stat.S_IFDIR else errno.EINVAL
        raise OSError(number, f"got {_KINDS.get(kind, 'something else')}, expected a regular file", os.fspath(path))


def part_of(path: Path) -> Path:
    """A name beside ``path`` that no other process or thread writes to, for what is not finished yet."""
    return path.with_name(f".{start_of(path.name)}.{os.getpid()}-{secrets.token_hex(4)}{PART}")


def start_of(name: str) -> str:
    """What of a name is in the names that ``part_of`` makes of it."""
    return name.encode("utf-8", "surrogateescape")[:200].decode("utf-8", "ignore")  # names end at 255 bytes


def write_whole(path: str | os.PathLike[str], *pieces: bytes, mode: int = 0o666) -> Path:
    """Write a file so that under its name there is all of it, on the disk, or what was there before; gives the path.

    ``mode`` are the permissions of the file, apart from what the user's mask takes away. Raises OSError.
    """
    path = Path(path)
    with replacing(path) as part, os.fdopen(os.open(part, _NEW, mode), "wb") as file:
        for piece in pieces:
            file.write(piece)
    return path


def json_bytes(values: Any) -> bytes:
    """The text of a JSON file; raises ValueError for NaN or infinity."""
    return f"{json.dumps(values, indent=2, allow_nan=False)}\n".encode()


def write_json(path: str | os.PathLike[str], values: Any) -> Path:
    """Write JSON, see ``write_whole``. Raises OSError, and ValueError for NaN or infinity."""
    return write_whole(path, json_bytes(values))


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name to write a file to; what was written takes the place of ``path`` at the end, at once and for good.

    When the body fails nothing has changed. A link is replaced, and what it leads to stays: who packed a folder must
    not decide where we write. Raises OSError, also where something lies there that is no file.
    """
    with contextlib.suppress(FileNotFoundError):
        status = os.lstat(path)
        if not stat.S_ISLNK(status.st_mode):
            _check_regular(status, path)  # a device that is replaced is gone for everybody
    part = part_of(path)
    try:
        yield part
        to_disk(part)
        part.replace(path)
        to_disk(path.parent)
    finally:
        part.unlink(missing_ok=True)


def to_disk(path: Path) -> None:
    """Make what was written, or renamed in a folder, outlive a power cut."""
    if os.name == "nt" and path.is_dir():  # Windows does not open folders, and does not need it
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    except OSError:
        if path.is_file():
            raise
    finally:
        os.close(handle)


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
    part = part_of(path)
    try:
        with os.fdopen(os.open(part, _NEW, 0o666), "wb") as file:
            file.write(data)
        if durable:
            to_disk(part)
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
        os.close(os.open(free, _NEW))  # so that nobody else takes the name
        try:
            part.replace(free)
        except OSError:
            free.unlink(missing_ok=True)
            raise


def new_array(path: Path, shape: tuple[int, ...], dtype: Any) -> Any:
    """A new array in a file, zeros, through a memory map; its room on the disk is taken at once.

    Without that, a disk that becomes full would end the process while it writes into memory. Raises OSError.
    """
    path.unlink(missing_ok=True)  # it may be a link
    array = np.lib.format.open_memmap(path, "w+", dtype, shape)
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
            except OSError as error:
                if error.errno in (errno.EINVAL, errno.EOPNOTSUPP):  # the file system cannot
                    return array
                del array
                path.unlink(missing_ok=True)
                raise
    return array


def png(pixels: np.ndarray) -> bytes:
    """Encode ``(H, W, 3)`` uint8 RGB, or ``(H, W)`` uint8 gray."""
    picture = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    return cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tobytes()


def new_folder(path: Path, sink: str) -> Path:
    """Make a folder that no earlier run has used, ``path`` or ``path-2``, ...; an empty one is taken as it is.

    Raises SinkUnavailable with a hint when it cannot be made.
    """
    try:
        if path.is_dir() and not any(path.iterdir()):
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            free = unused(path)
            with contextlib.suppress(FileExistsError):  # another process was quicker
                free.mkdir()
                break
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
