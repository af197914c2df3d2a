"""Folders that appear whole or not at all, and what is done about a kill in the middle."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from .files import PART, part_of, start_of, to_disk

_OLD = ".old"
_LEFT = re.compile(r"\.(.+)\.\d+-[0-9a-f]{8}\.(?:part|old)", re.DOTALL)  # what ``part_of`` gives


@contextlib.contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """A folder to write into that appears at ``target`` complete and on the disk, or not at all.

    What was at ``target`` before is replaced at the end. A kill at any moment leaves one of the two whole, and
    ``tidy`` gives it its name back where that is needed. A link is replaced, and what it leads to stays.
    Raises OSError, also where ``target`` is a file.
    """
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "got a file, expected a folder or a new name", str(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(target)
    part.mkdir()
    try:
        yield part
        for path in [*part.rglob("*"), part]:
            to_disk(path)
        _put(part, target)
        to_disk(target.parent)
    finally:
        _remove(part)


def _put(part: Path, target: Path) -> None:
    """Give a finished folder its name; under ``part`` or not at all is then what had that name before."""
    while True:
        try:
            os.rename(part, target)
            return
        except OSError:
            if not target.is_dir() and not target.is_symlink():
                raise
        if _exchanged(part, target):
            return
        old = part.with_suffix(_OLD)  # the same name but for its end, by which ``tidy`` knows that they belong together
        try:
            os.rename(target, old)
        except FileNotFoundError:  # another process was quicker
            continue
        try:
            os.rename(part, target)
        except OSError:
            os.rename(old, target)
            raise
        _remove(old)
        return


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two names, so that neither is ever missing; False where the system, or the file system, cannot."""
    import ctypes

    names = os.fsencode(one), os.fsencode(other)
    try:
        if sys.platform == "linux":  # renameat2(2): AT_FDCWD, RENAME_EXCHANGE
            return not ctypes.CDLL(None).renameat2(-100, names[0], -100, names[1], 2)
        if sys.platform == "darwin":  # renamex_np(2): RENAME_SWAP
            return not ctypes.CDLL(None).renamex_np(names[0], names[1], 2)
    except (AttributeError, OSError):  # an older C library
        return False
    return False


def tidy(folder: Path, name: str = "") -> bool:
    """Finish and remove what writers of this module that were killed left in a folder; whether there was anything.

    Only what belongs to ``name``, if given. Not while another process writes there: hold a lock.
    """
    found = [path for path in folder.glob(".*") if _belongs(path, name)] if folder.is_dir() else []
    for old in (path for path in found if path.suffix == _OLD):  # killed between two renames: the new one is complete
        target, new = folder / _LEFT.fullmatch(old.name)[1], old.with_suffix(PART)  # pyright: ignore[reportOptionalSubscript]
        if not os.path.lexists(target):
            os.rename(new if new.is_dir() else old, target)
    for path in found:
        _remove(path)
    return bool(found)


def _remove(path: Path) -> None:
    """Remove a file, a link or a folder; what cannot be removed now goes with ``tidy`` some other time."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _belongs(path: Path, name: str) -> bool:
    left = _LEFT.fullmatch(path.name)
    return left is not None and (not name or left[1] == start_of(name))
