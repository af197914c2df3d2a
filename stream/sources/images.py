"""Picture files: one, a folder of them, or a pattern such as ``sketches/*.png``."""

from __future__ import annotations

import glob
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..base.errors import ConfigError, FrameError, SourceEnded, SourceError, SourceUnavailable
from ..base.frame import Origin
from ..base.names import natural
from ..base.pacing import Clock, Pacer
from ..base.pictures import FORMATS, REFUSED_SUFFIXES, SUFFIXES, Picture, read_picture, read_pictures
from ..base.spec import Kind, Option, Spec, flag


def open(spec: Spec) -> ImagesSource:
    """``images:drawing.png``, ``images:folder,fps=2,loop=1`` or ``images:shots/*.jpg``."""
    return ImagesSource(**_options(spec))


def present(spec: Spec) -> bool | None:
    """Whether the file or folder is there, or a file of that pattern."""
    path = str(Path(_options(spec)["path"]).expanduser())
    return os.path.exists(path) or any(glob.iglob(path, recursive=True))


def _options(spec: Spec) -> dict[str, Any]:
    values = spec.take(KIND.options)
    if not values.get("path"):
        raise ConfigError(f"{spec.text}: expected a file, folder or pattern, for example images:sketches")
    return values


def load_image(path: str | Path) -> np.ndarray:
    """Read one picture, of a moving one the first: ``(H, W, 3)`` uint8 RGB, upright, laid over white paper.

    Raises FrameError that names the file, and why it cannot be used; see ``read_picture``.
    """
    try:
        return read_picture(Path(path))
    except FrameError as error:
        raise FrameError(f"{Path(path).name}: {error}") from error


class ImagesSource:
    """Picture files in natural order (``2.png`` before ``10.png``); of moving ones (GIF, WebP, APNG) every picture.

    Without ``fps`` each is rendered once, as fast as the engine takes them. With ``fps`` they are shown one after
    another, and the source is live, unless ``pace`` is off: then ``fps`` only says their times, and every one is
    rendered. A ``pace`` of None is decided by the session, see ``Source``. ``loop`` starts again after the last. In a
    folder, files that are no pictures by their endings are left alone, and so are folders and hidden files.
    Raises SourceUnavailable when there is nothing to show.
    """

    goes_on = False  # one picture may have nothing to do with the next

    def __init__(
        self,
        path: str | Path,
        fps: float | None = None,
        loop: bool = False,
        pace: bool | None = None,
        *,
        clock: Clock = time.perf_counter,
        stop: threading.Event | None = None,
    ) -> None:
        if pace and fps is None:
            raise ConfigError("images: got pace without fps, expected how many pictures a second, for example fps=2")
        where = Path(path).expanduser()
        self.pace = False if fps is None else True if loop and pace is None else pace
        self.files = _find(str(where))
        if not self.files:
            kinds = f"{', '.join(FORMATS)} files"
            if where.is_dir():
                raise SourceUnavailable(f"images: the folder {str(path)!r} has no {kinds}; put some there")
            what = "no file is like" if glob.has_magic(str(where)) else "there is no file or folder"
            raise SourceUnavailable(f"images: {what} {str(path)!r}, expected {kinds}")
        self.origin = Origin(live=self.live)
        self._fps, self._loop = fps, loop
        self._stop = stop or threading.Event()
        self._pacer = None if fps is None else Pacer.of_fps(fps, clock, self._stop)
        stems = Counter(file.stem for file in self.files)
        self._names = [file.stem if stems[file.stem] == 1 else file.name for file in self.files]
        self._next = 0  # file
        self._pictures: Iterator[Picture] | None = None  # those of the file before
        self._shown = 0  # pictures of that file
        self._read = 0  # in all
        self._good = 0  # files of this round with a picture
        self._elapsed = 0.0  # seconds, of a moving picture
        self._ahead: Picture | None = None
        if self.files == [where]:
            try:
                self._ahead = self._take()
            except FrameError as error:
                raise SourceUnavailable(f"images: {error}") from error

    @property
    def live(self) -> bool:
        return self.pace is not False

    def read(self) -> np.ndarray:
        """The next picture: ``(H, W, 3)`` uint8 RGB.

        Raises FrameError that names a file that cannot be used (the next call goes on with the next file), SourceEnded
        after the last, SourceError when none of them could be used.
        """
        if self._stop.is_set() or (self.live and self._pacer is not None and not self._pacer.wait()):
            raise SourceEnded("images: closed")
        picture, self._ahead = self._ahead or self._take(), None
        name = self._names[self._next - 1]
        if self._shown > 1 or picture.shown is not None:
            name += f"-{self._shown:04d}"
        # Of one file the pictures may be many, and nobody knows how many.
        done = None if self._loop or len(self.files) == 1 else self._next / len(self.files)
        self.origin = Origin(self.live, *self._time(picture), name, done)
        self._read += 1
        return picture.pixels

    def close(self) -> None:
        self._stop.set()

    def _time(self, picture: Picture) -> tuple[float | None, float | None]:
        """When a picture is shown and for how long, where the file or ``fps`` says so; in seconds."""
        if self._fps is not None:
            return self._read / self._fps, 1 / self._fps
        if len(self.files) > 1 or picture.shown is None:
            return None, None
        begin = self._elapsed
        self._elapsed += picture.shown
        return begin, picture.shown

    def _take(self) -> Picture:
        while True:
            if self._pictures is None:
                self._pictures = read_pictures(self._next_file())
                self._shown = 0
            try:
                picture = next(self._pictures)
            except StopIteration:
                self._pictures = None
                continue
            except FrameError as error:
                self._pictures = None
                after = f"picture {self._shown + 1} " if self._shown else ""
                raise FrameError(f"{self.files[self._next - 1].name}: {after}{error}") from error
            self._shown += 1
            self._good += self._shown == 1
            return picture

    def _next_file(self) -> Path:
        if self._next == len(self.files):
            if not self._good:
                count = len(self.files)
                none = f"none of the {count} files can" if count > 1 else f"{self.files[0].name}, the only file, cannot"
                raise SourceError(f"images: {none} be read")
            if not self._loop:
                raise SourceEnded(f"images: all {len(self.files)} files were read")
            self._next = self._good = 0
        self._next += 1
        return self.files[self._next - 1]


def _find(path: str) -> list[Path]:
    place = Path(path)
    if place.is_dir():
        known = SUFFIXES + REFUSED_SUFFIXES  # the latter are read, too, so that it is said why they are not there
        found = [item for item in place.iterdir() if item.suffix.lower() in known and item.name[0] != "."]
    elif os.path.lexists(place):
        found = [place]
    else:
        found = [Path(item) for item in glob.glob(path, recursive=True)]
    return sorted((item for item in found if not item.is_dir()), key=lambda item: natural(item.name))


KIND = Kind(
    "PNG, JPEG, WebP, BMP and GIF files: one, a folder of them, or a pattern",
    ("images:drawing.png", "images:folder,fps=2,loop", "images:shots/*.jpg"),
    {
        "path": Option(str, "PATH", "a file, a folder, or a pattern"),
        "fps": Option(float, "N", "pictures a second; without it each is rendered once, as fast as that goes"),
        "loop": Option(flag, "", "again after the last"),
        "pace": Option(flag, "", "1: at fps, whatever is ready; 0: every one is rendered; else the sinks decide"),
    },
    ImagesSource,
)
