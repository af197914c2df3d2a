"""Folders of this user alone, and where compilers keep the code that they make.

Compiled code is loaded and run without being looked at, so it may only come from a folder that nobody else could have
put anything into: that depends on the folder, and on every folder above it.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import secrets
import shutil
import stat
import sys
import tempfile
import threading
from pathlib import Path

from filelock import FileLock, Timeout

from .errors import EngineError

# What PyTorch's compilers are told their caches by: Inductor with AOTAutograd, Dynamo and CuTe; Triton; quack.
CODE_CACHES = ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "QUACK_CACHE_DIR")
# What PyTorch keeps in the shared temporary folder whatever it is told, headers and graphs, and how that is put off:
# module, setting, variable.
OFF = (
    ("torch._inductor.config", "cpp_cache_precompile_headers", "TORCHINDUCTOR_CPP_CACHE_PRECOMPILE_HEADERS"),
    ("torch._dynamo.config", "caching_precompile", "TORCH_CACHING_PRECOMPILE"),
)
_LOCK = ".lock"
_making = threading.Lock()
_code: Path | None = None


def user_cache() -> Path:
    """The user's cache folder for inkstream; it may not exist yet. Without a home it is one in the temporary folder."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or _home("AppData", "Local")
    elif sys.platform == "darwin":
        base = _home("Library", "Caches")
    else:
        given = os.environ.get("XDG_CACHE_HOME", "")
        base = given if os.path.isabs(given) else _home(".cache")  # its specification: ignore what is relative
    if base is None:
        return Path(tempfile.gettempdir()) / f"inkstream-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
    return Path(base) / "inkstream"


def user_state() -> Path:
    """Where inkstream remembers what this user did; it may not exist yet. Without a home as ``user_cache``.

    https://specifications.freedesktop.org/basedir-spec (``XDG_STATE_HOME``); elsewhere the folders
    that programs have for this.
    """
    if sys.platform == "win32":
        return user_cache() / "state"
    if sys.platform == "darwin":
        base = _home("Library", "Application Support")
    else:
        given = os.environ.get("XDG_STATE_HOME", "")
        base = Path(given) if os.path.isabs(given) else _home(".local", "state")
    return user_cache() / "state" if base is None else base / "inkstream"


def _home(*parts: str) -> Path | None:
    try:
        home = Path.home()
    except RuntimeError:  # no HOME, and nobody who has this number
        return None
    return home.joinpath(*parts) if home.is_absolute() else None


def make_private(folder: Path) -> Path:
    """Make a folder that only this user can enter, and those above it that are missing, whatever the mask is.

    What exists already stays as its owner set it up. Raises OSError.
    """
    for path in (*reversed(folder.parents), folder):
        if not path.is_dir():
            path.mkdir(mode=0o700, exist_ok=True)
    return folder


def others_can_change(folder: Path) -> str:
    """Why another user could change what lies in a folder, in a few words; empty: nobody could.

    The folder must be there. Every folder above it counts, since who may rename one may put another in its place.
    """
    if sys.platform == "win32":  # a user's profile is private there, and modes say nothing
        return ""
    above: os.stat_result | None = None
    real = Path(os.path.realpath(folder))
    for path in reversed([real, *real.parents]):
        status = path.stat()
        if status.st_uid not in _trusted():
            return f"{path} belongs to another user"
        sticky = above is not None and above.st_mode & stat.S_ISVTX
        if above is not None and _open_to_others(above) and not sticky:
            return f"others can write to {path.parent}"
        above = status
    assert above is not None
    return f"others can write to {path}" if _open_to_others(above) else ""


def _trusted() -> set[int]:
    """Owners whom a folder may belong to: this user, and root, which a user namespace calls nobody."""
    owners = {0, os.geteuid()}
    with contextlib.suppress(OSError, ValueError, IndexError):
        if Path("/proc/self/uid_map").read_text().split()[2] != "4294967295":
            owners.add(int(Path("/proc/sys/kernel/overflowuid").read_text()))
    return owners


def _open_to_others(status: os.stat_result) -> bool:
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IWGRP) and not _own_group(status.st_gid)


def _own_group(number: int) -> bool:
    """Whether a group is this user's alone, as where every user has a group of the same name."""
    if sys.platform == "win32":
        return True
    import grp
    import pwd

    try:
        group, user = grp.getgrgid(number), pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return number == user.pw_gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}


def code_folder(name: str = "shared") -> Path:
    """A folder of this process alone, in which every compiler of PyTorch keeps its code from now on.

    It is empty at first, and gone when the process ends; what is to be found again is kept elsewhere. Another ``name``
    is another folder. Raises EngineError where there is no place that others could not change.
    """
    global _code
    with _making:
        if _code is None or not _code.is_dir():
            _code = _new_code_folder()
        folder = _code / name
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise EngineError(f"{folder}: cannot be made ({error.strerror or error}); make room there") from error
        for variable in CODE_CACHES:
            os.environ[variable] = str(folder)
        for module, setting, variable in OFF:
            os.environ[variable] = "0"
            if module in sys.modules:
                setattr(sys.modules[module], setting, False)
        return folder


def _new_code_folder() -> Path:
    reasons = []
    for parent in (user_cache() / "code", Path(tempfile.gettempdir())):
        try:
            folder = _private_in(parent)
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            reasons.append(f"{place}{error.strerror or error}")
            continue
        _sweep(folder.parent)
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        with contextlib.suppress(OSError, NotImplementedError):  # without a lock nobody takes it for a dead process's
            lock = FileLock(folder / _LOCK, timeout=0)
            lock.acquire()
            atexit.register(lock.release)
        return folder
    raise EngineError(
        f"compiled code has no safe place: {'; '.join(reasons)}; set XDG_CACHE_HOME to a folder that only you can "
        "write to, or acceleration to another engine"
    )


def _private_in(parent: Path) -> Path:
    """A new folder in ``parent`` whose name nobody can guess. Raises OSError, also where others could change it."""
    if parent.name == "code":
        make_private(parent)
    folder = Path(os.path.realpath(parent)) / f"inkstream-code-{os.getpid()}-{secrets.token_hex(8)}"
    folder.mkdir(mode=0o700)
    why_not = others_can_change(folder)
    if why_not:
        folder.rmdir()
        raise PermissionError(errno.EACCES, why_not)
    return folder


def _sweep(parent: Path) -> None:
    """Remove folders of processes that were killed: those whose lock nobody holds."""
    for folder in parent.glob("inkstream-code-*-*"):
        lock = folder / _LOCK
        try:
            if folder.is_symlink() or not lock.is_file() or (hasattr(os, "geteuid") and _stranger(folder)):
                continue
            with FileLock(lock, timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
        except (OSError, Timeout, NotImplementedError):
            continue


def _stranger(folder: Path) -> bool:
    return folder.lstat().st_uid != os.geteuid()
