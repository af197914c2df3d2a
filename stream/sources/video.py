"""A video file, or a moving picture."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..base.errors import ConfigError, SourceEnded, SourceError, SourceUnavailable
from ..base.frame import Origin, Sound
from ..base.pacing import Clock, wait_until
from ..base.spec import Kind, Option, Spec, flag
from .film import Film, open_film

MAX_GAP = 10.0  # seconds: a longer jump in time stamps is a cut, not a pause
MAX_LATE = 0.25  # seconds behind, before the debt is wiped
CLOSE_WAIT = 0.5
ROUNDING = 1e-6  # seconds: time stamps are numbers of ticks


def open(spec: Spec) -> VideoSource:
    """``video:clip.mp4`` or ``video:clip.mp4,loop=1,pace=0,start=2.5``."""
    return VideoSource(**_options(spec))


def present(spec: Spec) -> bool | None:
    """Whether the file is there."""
    return os.path.isfile(Path(_options(spec)["path"]).expanduser())


def _options(spec: Spec) -> dict[str, Any]:
    values = spec.take(KIND.options)
    if not values.get("path"):
        raise ConfigError(f"{spec.text}: expected a file, for example video:clip.mp4")
    return values


class VideoSource:
    """The pictures of a video file, GIF, WebP or APNG, from ``start`` seconds on, again and again with ``loop``.

    With ``pace`` they come in real time by their own time stamps (so a variable rate is right), and the source is live;
    without, as fast as they are taken. A ``pace`` of None is decided by the session, see ``Source``. What the file says
    about its pictures is applied: turns and mirrors, the shape of a pixel, transparency (over white paper); time stamps
    that jump back go on. ``broken`` counts packets that could not be decoded and were left out.
    Raises SourceUnavailable when the file cannot be opened, has no video, is too large (a side above 16,384 pixels), or
    when no picture in it can be decoded; ConfigError for a ``start`` that it does not reach.
    """

    goes_on = moves = True  # from one picture to the next it moves all over, and where it is cut that is seen

    def __init__(
        self,
        path: str | Path,
        loop: bool = False,
        pace: bool | None = None,
        start: float = 0.0,
        *,
        clock: Clock = time.perf_counter,
        stop: threading.Event | None = None,
    ) -> None:
        if not 0 <= start < float("inf"):
            raise ConfigError(f"video: start: got {start:g}, expected 0 or more seconds")
        self.pace = True if loop and pace is None else pace
        self.path = Path(path).expanduser()
        self.origin = Origin(live=self.live)
        self._loop = loop
        self._start = start
        self._clock = clock
        self._stop = stop or threading.Event()
        self._lock = threading.Lock()  # held while the decoder works, never while waiting
        self._offset: float | None = None  # clock minus due time
        self._broken = 0  # of the rounds before
        self._film: Film = open_film(self.path)
        self._frames = self._all()
        try:
            self._first: tuple[Any, float] | None = self._next()
        except SourceUnavailable:
            self._film.close()
            raise
        except SourceError as error:
            self._film.close()
            raise SourceUnavailable(str(error)) from error
        except BaseException:
            self._film.close()
            raise
        self.sound = Sound(self.path, self._film.stamp) if self._film.has_sound and not loop else None

    @property
    def live(self) -> bool:
        return self.pace is not False

    @property
    def broken(self) -> int:
        """Packets that could not be decoded and were left out."""
        return self._broken + self._film.broken

    def read(self) -> np.ndarray:
        """Wait for the time of the next picture: ``(H, W, 3)`` uint8 RGB.

        Raises SourceEnded after the last one, SourceError when the rest of the file cannot be decoded, FrameError
        when one picture has an impossible size.
        """
        with self._lock:
            if self._stop.is_set():
                self._film.close()
                raise SourceEnded(f"video: {self.path.name} was closed")
            frame, due = self._first or self._next()
            self._first = None
            pixels = self._film.pixels(frame)
        if self.live and not self._wait_for(due):
            raise SourceEnded(f"video: {self.path.name} was closed")
        self.origin = Origin(self.live, due, self._film.step, done=self._done(due))
        return pixels

    def close(self) -> None:
        self._stop.set()
        # A decoder that hangs (a dead network disk) keeps the file; read() closes it when it comes back.
        if self._lock.acquire(timeout=CLOSE_WAIT):
            try:
                self._film.close()
            finally:
                self._lock.release()

    def _done(self, due: float) -> float | None:
        length = 0.0 if self._loop else (self._film.promised or 0.0) - self._start
        return min(1.0, (due + self._film.step) / length) if length > 0 else None

    def _next(self) -> tuple[Any, float]:
        try:
            return next(self._frames)
        except StopIteration:
            raise SourceEnded(f"video: {self.path.name} is over") from None

    def _all(self) -> Iterator[tuple[Any, float]]:
        """Every picture with the time it is due, in seconds from the first, over all rounds."""
        base = 0.0
        while True:
            first: float | None = None
            due = base
            for frame, seconds in self._from_start():
                first = seconds if first is None else first
                due = base + seconds - first
                yield frame, due
            if first is None:
                raise SourceError(f"video: {self.path}: no picture could be decoded ({self.broken} broken)")
            if not self._loop:
                return
            base = due + self._film.step
            self._reopen()

    def _from_start(self) -> Iterator[tuple[Any, float]]:
        """One round: every picture from ``start`` on, with its time in the file."""
        if not self._start:
            yield from self._film.frames()
            return
        # Where no key frame lies before the place, or time stamps jump, FFmpeg lands elsewhere: no short way then.
        if self._film.seek(self._start):
            begun = False
            for number, (frame, seconds) in enumerate(self._film.frames()):
                if number == 0 and seconds > self._start + self._film.step:
                    break
                if begun := begun or seconds >= self._start - ROUNDING:
                    yield frame, seconds
            if begun:
                return
        self._reopen()
        length = self._film.length()
        if self._start >= length - ROUNDING:
            raise ConfigError(
                f"video: start: got {self._start:g}, expected less than {length:.2f} s, the length of {self.path.name}"
            )
        self._reopen()
        last: tuple[Any, float] | None = None
        begun = False
        for frame, seconds in self._film.frames():
            last = frame, seconds
            if begun := begun or seconds >= self._start - ROUNDING:
                yield last
        if last is not None and not begun:  # it lies in the time of the last picture
            yield last

    def _reopen(self) -> None:
        self._broken += self._film.broken
        self._film.close()
        self._film = open_film(self.path)

    def _wait_for(self, due: float) -> bool:
        """Wait until a picture's turn has come; False when closed."""
        now = self._clock()
        if self._offset is None or not -MAX_LATE <= due + self._offset - now <= MAX_GAP:
            self._offset = now - due  # the first, late, or a cut: its time is now
        return wait_until(due + self._offset, self._clock, self._stop)


KIND = Kind(
    "a video; an animated GIF, WebP or APNG",
    ("video:clip.mp4", "video:clip.mp4,loop,start=2.5"),
    {
        "path": Option(str, "FILE", "the video"),
        "start": Option(float, "SECONDS", "where to begin"),
        "loop": Option(flag, "", "again and again"),
        "pace": Option(flag, "", "1: in its own time; 0: every picture, however long it takes; else the sinks decide"),
    },
    VideoSource,
)
