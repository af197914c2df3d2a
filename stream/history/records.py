"""Records in a file that only grows: what is known as JSON, and a picture or nothing.

A file begins with ``MAGIC``. A record is a head (``HEAD``: kind, length of the JSON, length of the picture, checksum of
the picture, checksum of all before and of the JSON), the JSON in UTF-8, and the picture. A reader stops at the first
record that is not whole, which is where a kill, a full disk or damage ended the file.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ..base.errors import DataError
from ..base.files import open_regular

MAGIC = b"inkstream records 1\n"
HEAD = struct.Struct("<4sIIII")
KIND = 4  # letters of a kind
MOST_KNOWN, MOST_PICTURE = 1 << 19, 1 << 26  # bytes
_OLD = os.O_WRONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


class Record(NamedTuple):
    """One record, without its picture."""

    kind: str
    known: dict[str, Any]
    place: int  # where the picture begins in the file
    length: int  # of the picture, in bytes; 0: there is none
    checksum: int  # of the picture
    end: int  # where the next record begins


class RecordWriter:
    """A new file of records, which only this user can read. Raises OSError, FileExistsError where the name is taken.

    With ``end`` it goes on with a file that is there, behind its last whole record, which ends there (``Record.end``;
    0: there is none): what comes after that is cut off. Nobody else may be writing to it.
    """

    def __init__(self, path: Path, end: int | None = None) -> None:
        self.path = path
        self.size = end or 0
        self._handle = os.open(path, _NEW if end is None else _OLD, 0o600)
        if end is not None:
            os.ftruncate(self._handle, self.size)
            os.lseek(self._handle, self.size, os.SEEK_SET)
        if not self.size:
            self._put(MAGIC)

    def append(self, kind: str, known: Mapping[str, Any], picture: bytes = b"") -> None:
        """Write one record at the end. Raises OSError, and then the file ends with the record before."""
        text = json.dumps(known, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        head = HEAD.pack(kind.encode(), len(text), len(picture), zlib.crc32(picture), 0)[:-4]
        self._put(b"".join((head, struct.pack("<I", zlib.crc32(text, zlib.crc32(head))), text, picture)))

    def _put(self, data: bytes) -> None:
        # In one call: the system has all of it then, and a kill of this process takes nothing back.
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._handle, rest) :]
        except OSError:
            os.ftruncate(self._handle, self.size)
            os.lseek(self._handle, self.size, os.SEEK_SET)
            raise
        self.size += len(data)

    def to_disk(self) -> None:
        """Wait until what was written would outlive a power cut. Raises OSError."""
        os.fsync(self._handle)

    def close(self) -> None:
        """May come twice."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def records(path: Path, start: int = 0) -> Iterator[Record]:
    """The records of a file from one on (``Record.end`` of the one before; 0: the first), as far as they are whole.

    Pictures are skipped, not read. Raises OSError, and DataError for another kind of file.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if start == 0:
            begun = file.read(len(MAGIC))
            if begun != MAGIC:
                if size < len(MAGIC) and MAGIC.startswith(begun):
                    return  # it was killed at its first words
                raise DataError(f"{path}: got something else, expected what inkstream recorded (--journal, history)")
            start = len(MAGIC)
        while (record := _record(file, start, size)) is not None:
            yield record
            start = record.end


def picture_at(path: Path, record: Record) -> bytes:
    """The picture of a record. Raises OSError, and DataError where it is not what was written."""
    with open_regular(path) as file:
        file.seek(record.place)
        data = file.read(record.length)
    if len(data) != record.length or zlib.crc32(data) != record.checksum:
        raise DataError(f"{path}: a picture at byte {record.place} is damaged; the others can be read")
    return data


def _record(file: BinaryIO, start: int, size: int) -> Record | None:
    file.seek(start)
    head = file.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    kind, known, length, checksum, whole = HEAD.unpack(head)
    place = start + HEAD.size + known
    if known > MOST_KNOWN or length > MOST_PICTURE or place + length > size:
        return None
    text = file.read(known)
    if zlib.crc32(text, zlib.crc32(head[:-4])) != whole:
        return None
    try:
        said, name = json.loads(text), kind.decode("ascii")
    except (ValueError, RecursionError):
        return None
    return Record(name, said, place, length, checksum, place + length) if isinstance(said, dict) else None
