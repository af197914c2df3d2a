"""What has been done already, in a file that a kill at any moment leaves usable."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ...stream.base.errors import ConfigError, DataError
from ...stream.base.files import write_whole
from ...stream.base.locks import Busy, locked

FOLDER = ".prepare"


class NotWritten(DataError):
    """A file cannot be written, for want of room or of permission."""


class Journal:
    """Records by the name of their file, added one after another; the newest of a name counts.

    A record is on the disk before ``add`` returns. Lines that are damaged are done again.
    """

    def __init__(self, file: BinaryIO, records: dict[str, dict[str, Any]]) -> None:
        self._file = file
        self._records = records

    @classmethod
    @contextmanager
    def open(cls, output: Path, settings: dict[str, Any]) -> Iterator[Journal]:
        """The journal of an output folder, for this process alone.

        Raises ConfigError where the folder holds something else, or was begun with other settings; DataError where
        another process is at work in it, or nothing can be written.
        """
        place = output / FOLDER
        if output.exists() and (not output.is_dir() or (any(output.iterdir()) and not place.is_dir())):
            raise ConfigError(f"--output: got {output}, which holds other things; choose a new folder")
        with ExitStack() as held:
            try:
                with _named(output):
                    place.mkdir(parents=True, exist_ok=True)
                    held.enter_context(locked(place / "lock"))
            except Busy as busy:
                raise DataError(
                    f"{output}: another inkstream prepare is at work there: {busy}; wait until it has ended"
                ) from None
            with _named(output):
                path = place / "journal.jsonl"
                file, records = _opened(path, output, json.loads(json.dumps(settings)))
            with file:
                yield cls(file, records)

    def get(self, name: str) -> dict[str, Any] | None:
        """The record of a file, if there is one."""
        return self._records.get(name)

    def add(self, record: dict[str, Any]) -> None:
        """Write a record, with the file's name under ``file``."""
        self._records[record["file"]] = record
        with _named(Path(self._file.name)):
            self._file.write(json.dumps(record).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())


def _opened(path: Path, output: Path, settings: dict[str, Any]) -> tuple[BinaryIO, dict[str, dict[str, Any]]]:
    """The journal, ready to be added to, and what it holds."""
    data = path.read_bytes() if path.is_file() else b""
    whole = data[: data.rfind(b"\n") + 1]
    lines = [_line(line) for line in whole.splitlines()]
    begun = lines[0].get("settings") if lines and lines[0] else None
    made = [line for line in lines[1:] if line and "digest" in line and "why" not in line]
    if begun is not None and begun != settings and not made:
        begun = None  # nothing came of it, so that nothing is lost
    if begun is not None and begun != settings:
        changed = sorted(name for name in {*begun, *settings} if begun.get(name) != settings.get(name))
        raise ConfigError(
            f"--output: {output} was begun with other settings ({', '.join(changed)}); "
            "choose another folder, remove that one, or use its settings"
        )
    if begun is None:
        write_atomically(path, json.dumps({"settings": settings}).encode() + b"\n")
        return path.open("ab"), {}
    file = path.open("r+b")
    file.truncate(len(whole))
    file.seek(0, os.SEEK_END)
    return file, {line["file"]: line for line in lines[1:] if line and "file" in line and "digest" in line}


def _line(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that under its name there is either all of it or nothing new; makes its folder.

    Raises NotWritten.
    """
    with _named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NotWritten(
            f"{path}: cannot be written: {error.strerror or error}; make room, or choose another folder"
        ) from error
