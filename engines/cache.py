"""Built engines on disk: found again by everything that decides them, and never loaded half-made or from elsewhere.

Building takes minutes, so two processes that want the same engine build it once: the second waits for the first. The
lock is one of the operating system, which goes away with its process, however that ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ..stream.base.errors import EngineError
from ..stream.base.folders import tidy
from ..stream.base.locks import Busy, locked
from ..stream.base.private import user_cache
from ..stream.base.progress import Progress, silent
from .signed import CacheUnavailable, PlanRefused, Signature, private_folder, scratch_folder

__all__ = ["CacheUnavailable", "EngineCache", "EngineKey", "EnginePlan", "KeptEngine", "PlanRefused"]

log = logging.getLogger(__name__)
_FORMAT = 1  # rises when plans of older versions must not be found any more
_PATIENCE = 3600.0
_NAME = re.compile(r"[A-Za-z0-9-]{0,40}-[0-9a-f]{32}\.plan")  # what ``EngineKey.file_name`` gives
_said: set[Path] = set()  # caches of which it was said that they cannot be used


@dataclass(frozen=True)
class EngineKey:
    """Everything that decides an engine plan. Two keys that differ anywhere never share a plan."""

    unit: str
    """Which unit of the frame: encode, embed, denoise or decode."""
    graph: str
    """Digest of the network without its weights, and of what exports it."""
    weights: str
    """Digest of the weights that are in the plan."""
    profile: str
    """Shape of every input, or its range."""
    precision: str
    """fp32, bf16, fp16, int8 or fp8: what the graph is typed in."""
    library: str
    """The library that built it, with its full version."""
    device: str
    """The kind of GPU it was built on: compute capability and model."""
    driver: str = ""
    """The driver's generation, where a plan depends on it."""
    loras: tuple[str, ...] = ()
    """LoRAs that are merged into the weights, with their scales."""
    controlnets: int = 0
    """How many ControlNets are inside."""
    flags: tuple[str, ...] = ()
    """Whatever else decides what the builder makes."""

    @property
    def digest(self) -> str:
        """SHA-256 of all parts, in hexadecimal."""
        text = json.dumps([_FORMAT, asdict(self)], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def file_name(self) -> str:
        """The name of the plan's file."""
        unit = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in self.unit)
        return f"{unit[:40]}-{self.digest[:32]}.plan"


@dataclass(frozen=True)
class EnginePlan:
    """A plan that was verified, or just built: ``data`` may be deserialised."""

    data: bytes = field(repr=False)
    notes: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What its builder wants to know of it later; JSON."""


@dataclass(frozen=True)
class KeptEngine:
    """One file of the cache, as ``inkstream engines list`` shows it."""

    path: Path
    size: int
    """Bytes on disk."""
    used_at: float
    """When it was last loaded or built, seconds since 1970."""
    built_at: float = 0.0
    parts: Mapping[str, Any] = field(default_factory=dict)
    """The parts of its key."""
    notes: Mapping[str, Any] = field(default_factory=dict, repr=False)
    fault: str = ""
    """Why it will never be loaded; empty: it may be."""
    unknown: str = ""
    """Why it cannot be told whether it may be loaded."""


class EngineCache:
    """A folder of plans that only this user can enter.

    Threads and processes may share a folder: every method may be called at any time from any of them. Where the folder
    cannot be used, engines are built and not kept, and that is said once.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        signature: Signature | None = None,
        clock: Callable[[], float] = time.time,
        patience: float = _PATIENCE,
    ) -> None:
        """``folder``: by default ``engines`` in the user's cache folder. ``patience``: seconds to wait for another
        process that builds the same plan."""
        self.folder = Path(folder).expanduser() if folder else user_cache() / "engines"
        self._signature = signature or Signature()
        self._clock = clock
        self._patience = patience
        self._unfit: set[Path] = set()

    def path(self, key: EngineKey) -> Path:
        """Where the plan of a key lies, or would lie."""
        return self.folder / key.file_name

    def load(self, key: EngineKey) -> EnginePlan | None:
        """The plan of a key, verified; None when there is none.

        Raises PlanRefused when the file there is not what this user built for this key, CacheUnavailable when that
        cannot be told.
        """
        path = self.path(key)
        try:
            description, data = self._signature.read(path)
        except FileNotFoundError:
            return None
        if description.get("key") != key.digest:  # a signed file under another's name
            raise PlanRefused(f"{path}: it is the plan of another engine under this name; it was not loaded")
        with contextlib.suppress(OSError):  # a folder that cannot be written to serves all the same
            os.utime(path, (self._clock(), self._clock()))
        return EnginePlan(data, description["notes"])

    def get(self, key: EngineKey, build: Callable[[], EnginePlan], progress: Progress | None = None) -> EnginePlan:
        """The plan of a key, built when it is not there. A file that is refused is removed and built again.

        ``build`` runs in one process at a time. A plan that cannot be saved is used all the same, and that is said.
        Raises what ``build`` raises, and EngineError when another process builds for longer than ``patience``.
        """
        with contextlib.ExitStack() as held:
            try:
                plan = self._usable(key)
                if plan is None:
                    held.enter_context(self.alone(key, progress or silent))
                    plan = self._usable(key)
                    if plan is None:
                        tidy(self.folder, self.path(key).name)
            except CacheUnavailable as why:
                self._say(why)
                return build()
            if plan is None:
                plan = build()
                try:
                    self._save(key, plan)
                except EngineError as error:
                    self._say(error)
        return plan

    def update(self, key: EngineKey, merge: Callable[[bytes], bytes]) -> None:
        """Replace the data of a key by ``merge(data there, or b"")`` while no other process can. Raises EngineError."""
        with self.alone(key):
            before = self._usable(key)
            self._save(key, EnginePlan(merge(before.data if before else b"")))

    @contextlib.contextmanager
    def alone(self, key: EngineKey, progress: Progress = silent) -> Iterator[None]:
        """Hold the lock of a plan, against every other thread and process; not to be entered twice, nor with ``get``.

        Raises CacheUnavailable when there can be no lock, and EngineError when another process holds it for longer
        than ``patience``.
        """
        private_folder(self.folder)
        say = lambda text, part=None: progress(f"{key.unit}: {text}", part)
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(locked(_lock_of(self.path(key)), self._patience, say, mode=0o600))
            except Busy as busy:
                raise EngineError(f"{key.unit} is built by another process: {busy}; stop it and try again") from busy
            except OSError as error:
                raise CacheUnavailable(
                    f"{_lock_of(self.path(key))}: no lock can be made there ({error.strerror or error})"
                ) from error
            yield

    def scratch(self, key: EngineKey) -> AbstractContextManager[Path]:
        """A private folder for what a plan is made of, gone afterwards; only while ``get`` builds, or in ``alone``."""
        return scratch_folder(self.path(key))

    def remove(self, key: EngineKey) -> None:
        """Remove a plan, one that the library does not take, say; nothing happens when there is none.

        One that cannot be removed is not given any more.
        """
        try:
            self._remove(self.path(key))
        except EngineError as why:
            self._unfit.add(self.path(key))
            self._say(why)

    def similar(self, key: EngineKey, *but: str) -> list[tuple[EngineKey, KeptEngine]]:
        """Plans that differ from a key in the parts named ``but`` alone, the last used first."""
        wanted = {name: value for name, value in _parts(key).items() if name not in but}
        found = [
            (other, entry)
            for entry in self.entries()
            if not entry.fault and wanted.items() <= dict(entry.parts).items() and (other := _key(entry.parts))
        ]
        return sorted(((other, entry) for other, entry in found if other != key), key=lambda pair: -pair[1].used_at)

    def entries(self, verify: bool = False) -> list[KeptEngine]:
        """Everything in the cache, by name. ``verify`` reads every byte; without it, descriptions and sizes only."""
        entries = []
        for path in sorted(path for path in self.folder.glob("*.plan") if _NAME.fullmatch(path.name)):
            try:
                status = path.lstat()
            except OSError as error:
                if not isinstance(error, FileNotFoundError):  # another process removed it
                    entries.append(KeptEngine(path, 0, 0.0, unknown=f"{path}: {error.strerror or error}"))
                continue
            try:
                if stat.S_ISDIR(status.st_mode):  # nothing of ours
                    continue
                described = self._signature.read(path)[0] if verify else self._signature.describe(path)
            except FileNotFoundError:  # another process removed it
                continue
            except PlanRefused as refusal:
                entries.append(KeptEngine(path, status.st_size, status.st_mtime, fault=str(refusal)))
                continue
            except CacheUnavailable as why:
                entries.append(KeptEngine(path, status.st_size, status.st_mtime, unknown=str(why)))
                continue
            parts = described["parts"]
            key = _key(parts)
            fault = "" if key and path.name == key.file_name else f"{path}: not what this version of inkstream builds"
            entries.append(
                KeptEngine(
                    path, status.st_size, status.st_mtime, described["built_at"], parts, described["notes"], fault
                )
            )
        return entries

    def prune(
        self,
        *,
        everything: bool = False,
        older_than: float | None = None,
        keep_bytes: int | None = None,
        unusable: Callable[[KeptEngine], str] | None = None,
    ) -> list[KeptEngine]:
        """Remove plans, and what killed builds left behind; gives what was removed. A plan in the making stays.

        ``older_than``: those not used for so many seconds. ``keep_bytes``: the longest unused ones, until the rest is
        no larger. ``unusable``: those with a fault, and those for which it gives a reason, but none that cannot be read
        now. Raises EngineError for one that cannot be removed.
        """
        entries = self.entries(verify=unusable is not None)
        doomed = [
            entry
            for entry in entries
            if everything
            or (unusable is not None and (entry.fault or unusable(entry)))
            or (older_than is not None and self._clock() - entry.used_at > older_than)
        ]
        if keep_bytes is not None:
            kept = sorted((entry for entry in entries if entry not in doomed), key=lambda entry: entry.used_at)
            while kept and sum(entry.size for entry in kept) > keep_bytes:
                doomed.append(kept.pop(0))
        removed = [entry for entry in doomed if self._remove(entry.path)]
        for lock in self.folder.glob("*.plan.lock"):
            plan = lock.with_suffix("")
            if _NAME.fullmatch(plan.name):
                with contextlib.suppress(EngineError):  # the rest of a killed build; it goes some other time
                    self._remove(plan, only_rest=os.path.lexists(plan))
        return removed

    def _remove(self, path: Path, only_rest: bool = False) -> bool:
        """Remove a plan and what belongs to it, unless a process is building it."""
        try:
            with locked(_lock_of(path), mode=0o600):
                tidy(self.folder, path.name)
                if not only_rest:
                    path.unlink(missing_ok=True)
                    with contextlib.suppress(PermissionError):  # Windows keeps files that are open
                        _lock_of(path).unlink()
        except Busy:
            return False
        except OSError as error:
            raise EngineError(f"{path}: cannot be removed ({error.strerror or error})") from error
        return True

    def _save(self, key: EngineKey, plan: EnginePlan) -> None:
        """Sign and write a plan, whole or not at all. Raises EngineError, and then the cache is as it was."""
        path, now = self.path(key), self._clock()
        description = {"key": key.digest, "parts": asdict(key), "notes": dict(plan.notes), "built_at": now}
        self._signature.write(path, description, plan.data)
        with contextlib.suppress(OSError):
            os.utime(path, (now, now))

    def _usable(self, key: EngineKey) -> EnginePlan | None:
        if self.path(key) in self._unfit:
            return None
        try:
            return self.load(key)
        except PlanRefused as refusal:
            try:
                self.path(key).unlink(missing_ok=True)
            except OSError as error:
                raise CacheUnavailable(f"{refusal}, and cannot be removed ({error.strerror or error})") from error
            log.warning("%s; it is removed and built again", refusal)
            return None

    def _say(self, why: EngineError) -> None:
        """Say once why nothing is kept here; afterwards in the log alone."""
        level = logging.INFO if self.folder in _said else logging.WARNING
        _said.add(self.folder)
        log.log(level, "engines run, but will be built again next time: %s", why)


def _lock_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


def _parts(key: EngineKey) -> dict[str, Any]:
    """A key's parts as they come out of JSON."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(key).items()}


def _key(parts: Mapping[str, Any]) -> EngineKey | None:
    """The key of these parts; None when another version of inkstream wrote them."""
    if parts.keys() != {part.name for part in fields(EngineKey)}:
        return None
    values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in parts.items()}
    return EngineKey(**values)
