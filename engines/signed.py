"""Signed files: written whole or not at all, and read only when this user's own key signed them.

An engine plan is executable code, so a plan that somebody else put into the folder must never reach a deserialiser. A
file is ``magic (8) | HMAC-SHA256 (32) | length of the description (4) | description | data``. The description is JSON
that holds the size and the SHA-256 of the data, and the HMAC covers it together with the magic and its length; so it
covers every byte of the file, and the description can be trusted without reading gigabytes.

The key lies in the user's cache folder, never beside the plans: a folder of plans that was copied from elsewhere, with
whatever key lies in it, is refused. There is nothing to steal in it for a program that already runs as this user.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import logging
import os
import secrets
import shutil
import stat
import struct
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ..stream.base.errors import EngineError
from ..stream.base.files import open_regular, part_of, write_whole
from ..stream.base.locks import Busy, locked
from ..stream.base.private import make_private, user_cache

log = logging.getLogger(__name__)
MAGIC = b"INKPLAN1"
_HEAD = struct.Struct("<8s32sI")
_LONGEST_DESCRIPTION = 16 << 20
_KEY_BYTES = 32
_KEY_PATIENCE = 20.0  # seconds; making one takes a moment


class PlanRefused(EngineError):
    """A file that must not be loaded: damaged, altered, or not signed by this user's key."""


class CacheUnavailable(EngineError):
    """A folder, a lock or a file of the cache cannot be made or read now, which proves nothing bad of what is there."""


def private_folder(folder: Path) -> Path:
    """Make a folder that only this user can enter; one that exists already stays as its owner set it up.

    Raises CacheUnavailable when it cannot be made.
    """
    try:
        return make_private(folder)
    except OSError as error:
        raise CacheUnavailable(
            f"{folder}: cannot be made ({error.strerror or error}); choose another folder with engine_dir"
        ) from error


def write_atomically(path: Path, *parts: bytes) -> None:
    """Write a file that other processes see whole or not at all, also when this one is killed half-way.

    Raises CacheUnavailable (disk full, for example); then nothing has changed.
    """
    try:
        write_whole(path, *parts, mode=0o600)
    except OSError as error:
        size = sum(map(len, parts)) / 1e6
        raise CacheUnavailable(
            f"{path}: {size:.1f} MB cannot be written ({error.strerror or error}); "
            f'make room with "inkstream engines prune --all", or choose another folder with engine_dir'
        ) from error


@contextlib.contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """A private folder for what ``path`` is made of, beside it where that is possible, gone afterwards.

    Raises CacheUnavailable.
    """
    folder = part_of(path)
    try:
        try:
            folder.mkdir(mode=0o700)
        except OSError:  # a cache that cannot be written to
            folder = Path(tempfile.mkdtemp(prefix="inkstream-"))
    except OSError as error:
        raise CacheUnavailable(
            f"{folder}: cannot be made ({error.strerror or error}); choose another folder with engine_dir"
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # what cannot be removed now goes with the next build or prune


class Signature:
    """This user's key, made when it is first needed."""

    def __init__(self, key_file: Path | None = None) -> None:
        """``key_file``: where the key lies; by default in the user's cache folder."""
        self._file = key_file or user_cache() / "plan.key"
        self._key = b""

    def write(self, path: Path, description: Mapping[str, Any], data: bytes) -> None:
        """Sign and write a file; raises CacheUnavailable."""
        described = {**description, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        text = json.dumps(described, sort_keys=True, separators=(",", ":")).encode()
        write_atomically(path, _HEAD.pack(MAGIC, self._sign(text), len(text)), text, data)

    def describe(self, path: Path) -> dict[str, Any]:
        """The description of a file, without its data; the size on disk is checked, its content is not.

        Raises PlanRefused, CacheUnavailable, or FileNotFoundError.
        """
        with _reading(path) as file:
            return self._description(path, file)

    def read(self, path: Path) -> tuple[dict[str, Any], bytes]:
        """The description and the data of a file, every byte checked.

        The bytes that were checked are the bytes returned: nobody can change the file in between.
        Raises PlanRefused, CacheUnavailable, or FileNotFoundError.
        """
        with _reading(path) as file:
            description = self._description(path, file)
            data = file.read(description["bytes"])
        if hashlib.sha256(data).hexdigest() != description["sha256"]:
            raise PlanRefused(f"{path}: its content was altered after it was built; it was not loaded")
        return description, data

    def _description(self, path: Path, file: BinaryIO) -> dict[str, Any]:
        head = file.read(_HEAD.size)
        if len(head) < _HEAD.size or not head.startswith(MAGIC):
            raise PlanRefused(f"{path}: not a file that inkstream wrote; it was not loaded")
        _, signed, length = _HEAD.unpack(head)
        text = file.read(length) if length <= _LONGEST_DESCRIPTION else b""
        if len(text) != length or not hmac.compare_digest(signed, self._sign(text)):
            raise PlanRefused(
                f"{path}: damaged, altered, or built by another user or on another computer; it was not loaded"
            )
        description: dict[str, Any] = json.loads(text)
        expected, size = _HEAD.size + length + description["bytes"], os.fstat(file.fileno()).st_size
        if size != expected:
            raise PlanRefused(f"{path}: got {size} bytes, expected {expected}; it was not loaded")
        return description

    def _sign(self, text: bytes) -> bytes:
        if not self._key:
            self._key = self._read_key()
        return hmac.digest(self._key, MAGIC + struct.pack("<I", len(text)) + text, "sha256")

    def _read_key(self) -> bytes:
        key, fault = self._found_key()
        if not fault:  # without a lock, which a folder that cannot be written to does not give
            return key
        private_folder(self._file.parent)
        try:
            # Two processes that start together must agree on one key.
            with locked(Path(f"{self._file}.lock"), _KEY_PATIENCE, mode=0o600):
                key, fault = self._found_key()
                if fault:
                    lost = os.path.lexists(self._file)
                    if self._file.is_symlink():  # what it leads to is not ours
                        self._file.unlink()
                    key = secrets.token_bytes(_KEY_BYTES)
                    write_atomically(self._file, key)
                    if lost:
                        log.warning("%s: %s; a new key is made, engines are built again", self._file, fault)
                return key
        except (OSError, Busy) as error:
            said = error if isinstance(error, Busy) else error.strerror or error
            raise CacheUnavailable(f"{self._file}: the key that signs engines cannot be made: {said}") from error

    def _found_key(self) -> tuple[bytes, str]:
        """The key, and why it must not be used; empty: it may be. Raises CacheUnavailable where that cannot be told."""
        try:
            with open_regular(self._file, follow_links=False) as file:
                return self._checked(file)
        except FileNotFoundError:
            return b"", "missing"
        except OSError as error:
            with contextlib.suppress(OSError):
                status = self._file.lstat()
                if not stat.S_ISREG(status.st_mode) or (sys.platform != "win32" and status.st_uid != os.geteuid()):
                    return b"", "not a plain file of this user"
            # One that is only out of reach now still signs everything that was built.
            raise CacheUnavailable(f"{self._file}: cannot be read ({error.strerror or error})") from error

    def _checked(self, file: BinaryIO) -> tuple[bytes, str]:
        status = os.fstat(file.fileno())
        if status.st_size != _KEY_BYTES:
            return b"", f"not a file of {_KEY_BYTES} bytes"
        # Windows has no such modes: a file in a user's profile is private to the user there.
        if sys.platform != "win32" and (status.st_mode & 0o077 or status.st_uid != os.geteuid()):
            return b"", "other users can read or change it"
        return file.read(), ""


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[BinaryIO]:
    """A plain file, open. Raises PlanRefused where it is something else, CacheUnavailable where it cannot be read."""
    try:
        with open_regular(path, follow_links=False) as file:
            yield file
    except OSError as error:
        with contextlib.suppress(OSError):
            if not stat.S_ISREG(path.lstat().st_mode):
                raise PlanRefused(f"{path}: not a plain file; it was not loaded") from error
        if isinstance(error, FileNotFoundError):
            raise
        raise CacheUnavailable(f"{path}: cannot be read ({error.strerror or error})") from error
