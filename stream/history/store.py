"""The last minutes of every live session, in a folder that never grows beyond its limit."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..base.errors import DataError
from ..base.frame import Origin, Output
from ..base.making import Making
from ..base.private import make_private, user_state
from .recorder import MomentWriter, Recorder
from .reel import Moment, Reel

MEGABYTE = 1_000_000
LIMIT = 300  # megabytes
SECONDS = 600.0  # of a session that are kept
PART_SECONDS = 60.0  # after which the next file of a session begins
PARTS = 16  # that a full folder has at least, so that little goes when room is made
ENDING = ".ink"
_SESSION = re.compile(r"(\d{8}-\d{6})-\d+(?:-\d+)?")


def history_folder() -> Path:
    """Where sessions are recorded; it may not exist yet."""
    return user_state() / "history"


class HistoryRecorder(Recorder):
    """Records the last ten minutes of a live session below ``folder``; ``on_output`` of a session.

    ``limit``: megabytes that all sessions may take together; the oldest go first. Nothing is made before the first
    picture of a live source came, and those of other sources are left out. What is the same as before is not stored.
    """

    name = "history"

    def __init__(
        self,
        folder: Path | None = None,
        limit: float = LIMIT,
        seconds: float = SECONDS,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        super().__init__(most=4, keep_all=False)
        self.session: Path | None = None  # the folder of this session, once there is one
        self.began: float | None = None  # when its times begin, in seconds of time.perf_counter
        self._root = folder or history_folder()
        self._bytes = int(limit * MEGABYTE)
        self._seconds = seconds
        self._now = now
        self._file: MomentWriter | None = None
        self._parts: list[tuple[Path, float]] = []  # those of this session that are complete, and when each ended
        self._part_began = 0.0
        self._number = 0

    def take(self, output: Output) -> None:
        """As ``Recorder.take``, for pictures of live sources."""
        if output.origin.live:
            super().take(output)

    def _store(self, output: Output) -> None:
        if self.session is None or self.began is None:
            folder = self._new_session()
            self.began, self.session = output.rendered_at, folder
        at = output.rendered_at - self.began
        if self._file is not None:
            if not self._file.is_news(output):
                return
            if self._file.size >= self._bytes // PARTS or at >= self._part_began + PART_SECONDS:
                self._file.close()
                self._parts.append((self._file.path, at))
                self._file = None
                self._make_room(at)
        if self._file is None:
            self._number += 1
            path = self.session / f"{self._number:06d}{ENDING}"
            self._file, self._part_began = MomentWriter(path, self._now().astimezone(), renders=True), at
        self._file.add(output, at)

    def _new_session(self) -> Path:
        make_private(self._root)
        self._make_room(0.0)
        name = base = f"{self._now():%Y%m%d-%H%M%S}-{os.getpid()}"
        number = 1
        while True:
            with contextlib.suppress(FileExistsError):
                (self._root / name).mkdir(mode=0o700)
                return self._root / name
            number += 1
            name = f"{base}-{number}"

    def _make_room(self, at: float) -> None:
        """Let go of what is older than this session's time, and of the oldest of all, so that a part more has room."""
        while self._parts and self._parts[0][1] < at - self._seconds:
            self._parts.pop(0)[0].unlink(missing_ok=True)
        found = []
        for path in self._root.glob(f"*/*{ENDING}"):
            if path.parent.is_symlink() or not _SESSION.fullmatch(path.parent.name):
                continue  # not ours
            with contextlib.suppress(OSError):  # another session makes room, too
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self._bytes - self._bytes // PARTS:
                break
            path.unlink(missing_ok=True)
            total -= size
            if path.parent != self.session:
                with contextlib.suppress(OSError):  # not empty yet
                    path.parent.rmdir()

    def _end(self) -> None:
        if self._file is not None:
            self._file.close()


class Seen(NamedTuple):
    """One picture of a session, decoded."""

    input: np.ndarray | None
    """What it was rendered from, (H, W, 3) uint8 RGB, exactly as the stream saw it."""
    render: np.ndarray
    """(H, W, 3) uint8 RGB."""
    making: Making
    """All settings that it was made with; ``making.stream`` is a StreamConfig to go back to."""
    time: datetime | None
    """When it was seen."""
    at: float
    """Seconds since the session began to be recorded."""
    frame: int
    """Number of its frame."""

    def output(self, origin: Origin | None = None) -> Output:
        """For sinks, and for keeping it as any other picture."""
        origin = origin or Origin(live=False, time=self.at)
        return Output(self.render, self.frame, self.at, 0, self.input, self.at, origin=origin, making=self.making)


@dataclass(frozen=True, eq=False)
class Entry:
    """One picture of a session, not yet read from the disk."""

    reel: Reel
    moment: Moment
    prompt: str
    number: int
    """Counts the pictures of a session; it stays when older ones are let go of."""
    changed: bool
    """Whether it was made with other settings than the one before it."""


class Rewind:
    """A session that was recorded, or still is: its pictures, the newest first.

    ``len(rewind)``, ``rewind.get(i)`` and ``rewind.entries`` stay as they are until ``refresh``, which reads only what
    was added. For a film strip: ``rewind = Rewind(recorder.session)``, ``rewind.refresh()`` now and then. Entries have
    rising numbers without a gap, and are the same objects after ``refresh``.
    """

    def __init__(self, session: Path) -> None:
        """``session``: its folder. Raises DataError where nothing can be read there."""
        self.session = session
        self.entries: list[Entry] = []
        self._reels: dict[Path, Reel] = {}
        self._parts: dict[Path, list[Entry]] = {}  # the entries of each file, the oldest first
        self._last: Entry | None = None
        self.refresh()

    @property
    def began(self) -> datetime | None:
        """When it began, by its name."""
        name = _SESSION.fullmatch(self.session.name)
        try:
            return datetime.strptime(name[1], "%Y%m%d-%H%M%S") if name else None
        except ValueError:
            return None

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return sum(path.stat().st_size for path in self.session.glob(f"*{ENDING}"))

    @property
    def seconds(self) -> float:
        """From its oldest picture to its newest."""
        return self.entries[0].moment.at - self.entries[-1].moment.at if self.entries else 0.0

    @property
    def prompts(self) -> list[str]:
        """Each prompt once, the newest first."""
        return list(dict.fromkeys(entry.prompt for entry in self.entries if entry.prompt))

    def __len__(self) -> int:
        return len(self.entries)

    def refresh(self) -> None:
        """Read what was added since, and forget what was let go of. Raises DataError."""
        try:
            paths = sorted(self.session.glob(f"*{ENDING}"))
            reels = {path: self._reels.get(path) or Reel(path) for path in paths}
            for path in paths:
                with contextlib.suppress(FileNotFoundError):  # it was let go of meanwhile
                    reels[path].refresh()
        except OSError as error:
            raise DataError(f"{self.session}: cannot be read: {error.strerror or error}") from error
        self._reels = reels
        self._parts = {path: self._grown(reel, self._parts.get(path, [])) for path, reel in reels.items()}
        self.entries = [entry for part in reversed(self._parts.values()) for entry in reversed(part)]

    def _grown(self, reel: Reel, part: list[Entry]) -> list[Entry]:
        for moment in reel.moments[len(part) :]:
            last, settings = self._last, reel.settings(moment)
            before = settings if last is None else last.reel.settings(last.moment)
            changed = settings is not before and settings != before
            number = 0 if last is None else last.number + 1
            self._last = Entry(reel, moment, reel.prompt(moment), number, changed)
            part.append(self._last)
        return part

    def get(self, index: int) -> Seen | None:
        """The picture ``index`` before the newest, which is 0; None where the disk has let go of it meanwhile.

        Raises IndexError, and DataError where it is damaged.
        """
        return self.seen(self.entries[index])

    def seen(self, entry: Entry) -> Seen | None:
        """As ``get``, of an entry."""
        reel, moment = entry.reel, entry.moment
        try:
            render, drawing = reel.render(moment), reel.input(moment)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DataError(f"{reel.path}: cannot be read: {error.strerror or error}") from error
        if render is None:
            raise DataError(f"{reel.path}: got a picture without a render, expected one: it is a journal")
        first = self.began
        making = reel.making(moment).at(moment.faded)
        time = None if first is None else first + timedelta(seconds=moment.at)
        return Seen(drawing, render, making, time, moment.at, moment.frame)


def sessions(folder: Path | None = None) -> list[Rewind]:
    """All sessions that were recorded and of which something is left, the newest first."""
    root = folder or history_folder()
    found = [path for path in root.glob("*-*") if path.is_dir() and _SESSION.fullmatch(path.name)]
    rewinds = []
    for path in sorted(found, key=lambda path: path.name, reverse=True):
        with contextlib.suppress(DataError):  # what is damaged shall not hide the others
            rewinds.append(Rewind(path))
    return [rewind for rewind in rewinds if rewind.entries]


def session_of(process: int, folder: Path | None = None) -> Rewind | None:
    """The newest session that a process recorded, by the system's number of that; None where nothing is left of one.

    Raises DataError where it cannot be read.
    """
    root = folder or history_folder()
    found = [path for path in root.glob(f"*-{process}*") if path.is_dir() and _SESSION.fullmatch(path.name)]
    mine = [path for path in found if path.name.split("-")[2] == str(process)]
    rewind = Rewind(max(mine, key=lambda path: (path.name[:15], len(path.name), path.name))) if mine else None
    return rewind if rewind is not None and rewind.entries else None


def clear(folder: Path | None = None) -> int:
    """Remove all sessions; returns how many there were. Nothing else in the folder is touched."""
    root = folder or history_folder()
    found = [path for path in root.glob("*-*") if path.is_dir() and _SESSION.fullmatch(path.name)]
    for path in found:
        if not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
    return len(found)
