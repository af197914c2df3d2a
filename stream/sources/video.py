"""A video file, through PyAV (FFmpeg)."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..base.errors import ConfigError, FrameError, SourceEnded, SourceError, SourceUnavailable
from ..base.frame import MAX_SIDE
from ..base.pacing import Clock, wait_until
from ..base.spec import Spec, flag

MAX_BROKEN = 100  # packets in a row that cannot be decoded, before the file is given up
MAX_GAP = 10.0  # seconds: a longer jump in time stamps is a cut, not a pause
MAX_LATE = 0.25  # seconds behind, before the debt is wiped
CLOSE_WAIT = 0.5
FALLBACK_FPS = 25.0


def open(spec: Spec) -> VideoSource:
    """``video:clip.mp4`` or ``video:clip.mp4,loop=1,pace=0,start=2.5``."""
    return VideoSource(**_options(spec))


def present(spec: Spec) -> bool | None:
    """Whether the file is there."""
    return os.path.isfile(Path(_options(spec)["path"]).expanduser())


def _options(spec: Spec) -> dict[str, Any]:
    values = spec.take({"path": str, "loop": flag, "pace": flag, "start": float})
    if not values.get("path"):
        raise ConfigError(f"{spec.text}: expected a file, for example video:clip.mp4")
    return values


class VideoSource:
    """The pictures of a video file, from ``start`` seconds on, again and again with ``loop``.

    With ``pace`` they come in real time by their own time stamps (so a variable rate is right), and the source is live;
    without, as fast as they are taken. Rotation that the file asks for is applied. ``broken`` counts packets that could
    not be decoded and were left out.
    Raises SourceUnavailable when the file cannot be opened, has no video, is too large (a side above 16,384 pixels), or
    when no picture in it can be decoded.
    """

    def __init__(
        self,
        path: str | Path,
        loop: bool = False,
        pace: bool = True,
        start: float = 0.0,
        *,
        clock: Clock = time.perf_counter,
        stop: threading.Event | None = None,
    ) -> None:
        import av
        from av.error import FFmpegError

        if start < 0:
            raise ConfigError(f"video: start: got {start:g}, expected 0 or more seconds")
        self.live = pace
        self.path = Path(path).expanduser()
        self.broken = 0
        self._loop = loop
        self._start = start
        self._clock = clock
        self._stop = stop or threading.Event()
        self._lock = threading.Lock()  # held while the decoder works, never while waiting
        self._offset: float | None = None  # clock minus due time
        if not self.path.is_file():
            raise SourceUnavailable(f"video: there is no file {self.path}")
        try:
            # A file may not name addresses to fetch: FFmpeg allows that only to what came from an address itself.
            self._container: Any = av.open(str(self.path))
        except (FFmpegError, ValueError) as error:
            raise SourceUnavailable(f"video: {self.path} cannot be opened: {error}") from error
        try:
            self._stream = self._find_stream()
            self._step = 1.0 / float(self._stream.average_rate or FALLBACK_FPS)
            self._frames = self._decode_all()
            self._first: tuple[Any, float] | None = self._next()
        except SourceUnavailable:
            self._container.close()
            raise
        except SourceError as error:
            self._container.close()
            raise SourceUnavailable(str(error)) from error
        except BaseException:
            self._container.close()
            raise

    def read(self) -> np.ndarray:
        """Wait for the time of the next picture: ``(H, W, 3)`` uint8 RGB.

        Raises SourceEnded after the last one, SourceError when the rest of the file cannot be decoded, FrameError
        when one picture has an impossible size.
        """
        with self._lock:
            if self._stop.is_set():
                self._container.close()
                raise SourceEnded(f"video: {self.path.name} was closed")
            frame, due = self._first or self._next()
            self._first = None
            if max(frame.width, frame.height) > MAX_SIDE:
                raise FrameError(f"video: got {frame.width}x{frame.height}, {_LIMIT}")
            picture = frame.to_ndarray(format="rgb24")
            turns = round(frame.rotation / 90) % 4
        if self.live and not self._wait_for(due):
            raise SourceEnded(f"video: {self.path.name} was closed")
        return np.ascontiguousarray(np.rot90(picture, turns))

    def close(self) -> None:
        self._stop.set()
        # A decoder that hangs (a dead network disk) keeps the file; read() closes it when it comes back.
        if self._lock.acquire(timeout=CLOSE_WAIT):
            try:
                self._container.close()
            finally:
                self._lock.release()

    def _find_stream(self) -> Any:
        streams = self._container.streams.video
        if not streams:
            raise SourceUnavailable(f"video: {self.path} has no video track, only: {self._tracks()}")
        stream = streams[0]
        context = stream.codec_context
        if context is None:
            raise SourceUnavailable(f"video: {self.path}: no decoder for its video track; convert it to H.264")
        if max(context.width, context.height) > MAX_SIDE:
            raise SourceUnavailable(f"video: {self.path}: got {context.width}x{context.height}, {_LIMIT}")
        stream.thread_type = "SLICE"  # frame threads report an error with another packet, and may drop good pictures
        return stream

    def _tracks(self) -> str:
        return ", ".join(stream.type for stream in self._container.streams) or "nothing"

    def _next(self) -> tuple[Any, float]:
        try:
            return next(self._frames)
        except StopIteration:
            raise SourceEnded(f"video: {self.path.name} is over") from None

    def _decode_all(self) -> Iterator[tuple[Any, float]]:
        """Every picture with the time it is due, in seconds from the first, over all rounds."""
        stream, base = self._stream, 0.0
        origin = float(stream.start_time * stream.time_base) if stream.start_time else 0.0
        while True:
            if self._start or base:
                self._seek(origin + self._start)
            first: float | None = None
            due = base
            for frame, seconds in self._decode_once():
                if seconds - origin < self._start:
                    continue
                first = seconds if first is None else first
                due = base + seconds - first
                yield frame, due
            if first is None:
                where = f"{self.path}, after {self._start:g} s" if self._start else str(self.path)
                raise SourceError(f"video: {where}: no picture could be decoded ({self.broken} broken)")
            if not self._loop:
                return
            base = due + self._step

    def _seek(self, seconds: float) -> None:
        """Go to the key frame before a time stamp."""
        from av.error import FFmpegError

        try:
            self._container.seek(int(seconds * 1_000_000))
        except FFmpegError as error:
            hint = "leave out loop and start, or convert the file to MP4"
            raise SourceError(f"video: {self.path}: cannot go to {seconds:.2f} s ({error}); {hint}") from error

    def _decode_once(self) -> Iterator[tuple[Any, float]]:
        from av.error import FFmpegError

        seconds, failed = -self._step, 0
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
                frames = packet.decode()
            except StopIteration:
                return
            except FFmpegError as error:
                self.broken += 1
                failed += 1
                if failed > MAX_BROKEN:
                    at = max(0.0, seconds)
                    raise SourceError(
                        f"video: {self.path}: {failed} packets in a row cannot be decoded after {at:.2f} s: {error}"
                    ) from error
                continue
            for frame in frames:
                failed = 0
                seconds = seconds + self._step if frame.time is None else float(frame.time)
                yield frame, seconds

    def _wait_for(self, due: float) -> bool:
        """Wait until a picture's turn has come; False when closed."""
        now = self._clock()
        if self._offset is None or not -MAX_LATE <= due + self._offset - now <= MAX_GAP:
            self._offset = now - due  # the first, late, or a cut: its time is now
        return wait_until(due + self._offset, self._clock, self._stop)


_LIMIT = f"expected at most {MAX_SIDE} pixels a side"
