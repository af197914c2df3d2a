"""Which processes started this one: a terminal that runs us is one of them."""

from __future__ import annotations

import ctypes
import functools
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

LONGEST = 64  # generations

_log = logging.getLogger(__name__)


@functools.cache
def ancestors() -> frozenset[int]:
    """The numbers of the processes above this one; as many as can be told."""
    parents = _parents()
    found: list[int] = []
    number = os.getppid()
    while number > 1 and number not in found and len(found) < LONGEST:
        found.append(number)
        number = parents.get(number, 0) if parents is not None else _parent(number)
    return frozenset(found)


def _parents() -> dict[int, int] | None:
    """Process -> parent for all processes; None on Linux, where one can be asked by itself."""
    if sys.platform.startswith("linux"):
        return None
    if sys.platform == "win32":
        return _toolhelp()
    try:
        listed = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        _log.debug("processes cannot be listed: %s", error)
        return {}
    pairs = [line.split() for line in listed.stdout.splitlines()]
    return {int(pair[0]): int(pair[1]) for pair in pairs if len(pair) == 2}


def _parent(number: int) -> int:
    try:
        status = Path(f"/proc/{number}/stat").read_text("utf-8", "replace")
    except OSError as error:
        _log.debug("process %d cannot be asked: %s", number, error)
        return 0
    return int(status.rpartition(")")[2].split()[1])  # the name in brackets may hold anything


class _Entry(ctypes.Structure):
    """PROCESSENTRY32W."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("usage", ctypes.c_uint32),
        ("process", ctypes.c_uint32),
        ("heap", ctypes.c_size_t),
        ("module", ctypes.c_uint32),
        ("threads", ctypes.c_uint32),
        ("parent", ctypes.c_uint32),
        ("priority", ctypes.c_int32),
        ("flags", ctypes.c_uint32),
        ("file", ctypes.c_wchar * 260),
    )


def _toolhelp() -> dict[int, int]:
    """Written against the documentation of ``CreateToolhelp32Snapshot``; unverified."""
    kernel32: Any = getattr(ctypes, "WinDLL")("kernel32", use_last_error=True)  # noqa: B009 - exists there only
    kernel32.CreateToolhelp32Snapshot.restype = ctypes.c_void_p
    for name in ("Process32FirstW", "Process32NextW", "CloseHandle"):
        getattr(kernel32, name).argtypes = [ctypes.c_void_p, ctypes.c_void_p][: 1 if name == "CloseHandle" else 2]
    snapshot = kernel32.CreateToolhelp32Snapshot(2, 0)  # TH32CS_SNAPPROCESS
    if snapshot in (None, ctypes.c_void_p(-1).value):
        return {}
    entry = _Entry()
    entry.size = ctypes.sizeof(entry)
    parents = {}
    more = kernel32.Process32FirstW(snapshot, ctypes.byref(entry))
    while more:
        parents[entry.process] = entry.parent
        more = kernel32.Process32NextW(snapshot, ctypes.byref(entry))
    kernel32.CloseHandle(snapshot)
    return parents
