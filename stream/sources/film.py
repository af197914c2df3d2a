"""The pictures of one file and when they are shown: videos by PyAV (FFmpeg), moving pictures by Pillow."""

from __future__ import annotations

import contextlib
import heapq
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..base.errors import FrameError, SourceError, SourceUnavailable
from ..base.files import open_regular
from ..base.frame import MAX_SIDE, Size
from ..base.pictures import MOVING, USUAL, picture_format, read_pictures, what_is
from ..base.pixels import as_rgb
from ..base.timeline import Timeline
from .shaping import linear_part, shaped

MAX_BROKEN = 100  # packets in a row that cannot be decoded, before the file is given up
FALLBACK_FPS = 25.0
MOST_REORDERED = 16  # pictures between decoding and showing, in H.264 and H.265
FURTHEST = 1e9  # seconds, 31 years: FFmpeg counts them in 64 bits, a millionth each
OPTIONS = {"protocol_whitelist": "file", "pattern_type": "none"}  # a file may not lead to others
WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # FFmpeg's own decoders leave the alpha out
PLAYLISTS = (b"#EXTM3U", b"ffconcat version", b"[playlist]", b"<MPD")
_LIMIT = f"expected at most {MAX_SIDE} pixels a side"


class Film(Protocol):
    """A file that was opened."""

    step: float
    """Seconds from one picture to the next, as a rule."""
    broken: int
    """Packets that could not be decoded and were left out."""
    stamp: float
    """Time stamp in the file of the picture that came last, in seconds."""
    has_sound: bool
    promised: float | None
    """Seconds that the file says it lasts, which may be wrong; None where it does not say."""

    def frames(self) -> Iterator[tuple[Any, float]]:
        """Every picture from here on, not yet converted, and the seconds since the first one of the file."""
        ...

    def seek(self, seconds: float) -> bool:
        """Go to a place before the picture at ``seconds``; False when there is no way but forward."""
        ...

    def pixels(self, frame: Any) -> np.ndarray:
        """``(H, W, 3)`` uint8 RGB, contiguous, as it is meant to be seen; raises FrameError."""
        ...

    def length(self) -> float:
        """Seconds of the whole file, which is read for that; afterwards it is at its end."""
        ...

    def close(self) -> None: ...


def open_film(path: Path) -> Film:
    """Raises SourceUnavailable that names the file, when it cannot be read or has no pictures."""
    if not path.exists():
        raise SourceUnavailable(f"video: there is no file {path}")
    try:
        with open_regular(path) as file:
            head = file.read(1024)
    except OSError as error:
        reason = error.strerror or "the system refuses it"
        raise SourceUnavailable(f"video: {path} cannot be opened: {reason}") from error
    if not head:
        raise SourceUnavailable(f"video: {path} cannot be opened: it is empty")
    if any(mark in head for mark in PLAYLISTS):
        raise SourceUnavailable(f"video: {path} cannot be opened: it is a list of other files, give the video itself")
    return MovingPicture(path) if picture_format(head) in MOVING else Video(path, head)


class MovingPicture:
    """A GIF, WebP or PNG, moving or not."""

    step = USUAL
    broken = 0
    stamp = 0.0
    has_sound = False
    promised: float | None = None

    def __init__(self, path: Path) -> None:
        self._path = path

    def frames(self) -> Iterator[tuple[Any, float]]:
        seconds = 0.0
        try:
            for picture in read_pictures(self._path):
                self.stamp = seconds
                yield picture.pixels, seconds
                self.step = picture.shown or USUAL
                seconds += self.step
        except FrameError as error:
            raise SourceError(f"video: {self._path}: {error}") from error

    def seek(self, seconds: float) -> bool:
        return False

    def pixels(self, frame: Any) -> np.ndarray:
        return frame

    def length(self) -> float:
        length = 0.0
        with contextlib.suppress(FrameError):  # it is as long as what can be read of it
            for picture in read_pictures(self._path):
                length += picture.shown or USUAL
        return length

    def close(self) -> None:
        """Nothing stays open."""


class Video:
    """A video file."""

    def __init__(self, path: Path, head: bytes) -> None:
        import av
        from av.error import FFmpegError

        self.broken = 0
        self.stamp = 0.0
        self._path = path
        self._origin: float | None = None  # time stamp of the first picture
        self._landing = False  # after a jump, before the first picture
        self._matrix: bytes | None = None  # of the track, where the decoder does not hand it on
        try:
            self._container: Any = av.open(f"file:{path.absolute()}", options=OPTIONS)
        except (FFmpegError, ValueError) as error:
            raise SourceUnavailable(f"video: {path} cannot be opened: {_reason(head)}") from error
        try:
            self._stream = self._find_stream()
            self._decoder = self._find_decoder()
        except BaseException:
            self._container.close()
            raise
        self.step = 1.0 / float(self._stream.average_rate or FALLBACK_FPS)
        self.has_sound = bool(self._container.streams.audio)
        self.promised = self._container.duration / 1_000_000 if self._container.duration else None

    def frames(self) -> Iterator[tuple[Any, float]]:
        timeline = Timeline(self.step, self._origin)
        before: float | None = None
        for frame in self._decoded():
            if self._landing and not frame.key_frame:
                return  # FFmpeg went to a place from which nothing can be decoded as it was
            self._landing = False
            stamp = None if frame.time is None else float(frame.time)
            seconds = timeline.place(stamp)
            if (
                not self._stream.average_rate and before is not None and 0 < seconds - before < 1
            ):  # as in many a transport stream
                self.step = timeline.step = seconds - before
            before = seconds
            self.stamp = seconds if stamp is None else stamp
            if self._origin is None:
                self._origin = self.stamp
            yield frame, seconds

    def seek(self, seconds: float) -> bool:
        from av.error import FFmpegError

        if seconds > FURTHEST:
            return False
        try:
            if self._origin is None:
                next(self.frames(), None)
            self._container.seek(int(((self._origin or 0.0) + seconds) * 1_000_000))
            self._decoder.flush_buffers()
        except FFmpegError:
            return False
        self._landing = True
        return True

    def pixels(self, frame: Any) -> np.ndarray:
        if max(frame.width, frame.height) > MAX_SIDE:
            raise FrameError(f"video: got {frame.width}x{frame.height}, {_LIMIT}")
        clear = frame.format.has_palette or any(component.is_alpha for component in frame.format.components)
        pixels = as_rgb(frame.to_ndarray(format="rgba" if clear else "rgb24"))
        matrix = frame.side_data.get("DISPLAYMATRIX")
        turn = linear_part(self._matrix if matrix is None else bytes(matrix))
        try:
            return shaped(pixels, self._stream.sample_aspect_ratio, turn)
        except FrameError as error:
            raise FrameError(f"video: {self._path}: {error}") from error

    def length(self) -> float:
        from av.error import FFmpegError

        timeline, longest = Timeline(self.step), 0.0
        waiting: list[float] = []  # stamps of packets, which come in the order of decoding
        before = -math.inf
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return max([longest, *map(timeline.place, sorted(waiting))]) + self.step
            except FFmpegError:
                continue
            order = before if packet.dts is None else packet.dts
            while waiting and (len(waiting) > MOST_REORDERED or order < before):
                longest = timeline.place(heapq.heappop(waiting))
            before = order
            stamp = packet.dts if packet.pts is None else packet.pts
            if packet.size and stamp is not None:
                heapq.heappush(waiting, float(stamp * packet.time_base))

    def close(self) -> None:
        self._container.close()

    def _find_stream(self) -> Any:
        tracks = ", ".join(stream.type for stream in self._container.streams) or "nothing"
        none = f"video: {self._path} has no video track, only: {tracks}"
        if self._container.format.name == "tty":
            raise SourceUnavailable(f"video: {self._path} cannot be opened: it is a text, expected a video")
        for stream in self._container.streams.video:
            if not stream.disposition & type(stream.disposition).attached_pic:  # the cover of an album
                break
        else:
            raise SourceUnavailable(none)
        context = stream.codec_context
        if context is None:
            raise SourceUnavailable(f"video: {self._path}: no decoder for its video track; convert it to H.264")
        if max(context.width, context.height) > MAX_SIDE:
            raise SourceUnavailable(f"video: {self._path}: got {Size(context.width, context.height)}, {_LIMIT}")
        stream.thread_type = "SLICE"  # frame threads report an error with another packet, and may drop good pictures
        return stream

    def _find_decoder(self) -> Any:
        """What decodes the track: the decoder that PyAV chose, or another one where that would leave out the alpha."""
        import av
        from av.codec.codec import UnknownCodecError
        from av.error import FFmpegError

        own = self._stream.codec_context
        name = WITH_ALPHA.get(own.name)
        if name is None or self._stream.metadata.get("alpha_mode") != "1":
            return own
        try:
            decoder = av.CodecContext.create(name, "r")
        except UnknownCodecError:
            raise SourceUnavailable(
                f"video: {self._path}: this PyAV cannot read the transparency of {own.name} (it lacks {name}); "
                "convert it to ProRes 4444 or PNG"
            ) from None
        decoder.extradata = own.extradata
        with av.open(f"file:{self._path.absolute()}", options=OPTIONS) as container:
            stream = container.streams[self._stream.index]
            with contextlib.suppress(FFmpegError, StopIteration):  # what is broken is counted when its turn comes
                matrix = next(container.decode(stream)).side_data.get("DISPLAYMATRIX")
                self._matrix = None if matrix is None else bytes(matrix)
        return decoder

    def _decoded(self) -> Iterator[Any]:
        """Every picture that can be decoded from here on; raises SourceError after too many that cannot."""
        from av.error import FFmpegError

        failed = 0
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
                if not packet.size and packet.dts is not None:
                    continue  # of a picture that was left out
                frames = self._decoder.decode(packet)
            except (StopIteration, EOFError):
                return
            except FFmpegError as error:
                self.broken += 1
                failed += 1
                if failed > MAX_BROKEN:
                    raise SourceError(
                        f"video: {self._path}: {failed} packets in a row cannot be decoded after "
                        f"{max(0.0, self.stamp - (self._origin or 0.0)):.2f} s"
                    ) from error
                continue
            for frame in frames:
                failed = 0
                yield frame


def _reason(head: bytes) -> str:
    """Why FFmpeg could not open a file, as far as its first bytes say it."""
    what, _ = what_is(head)
    if what == "a video":
        return "it begins as a video, and FFmpeg finds none in it; make it anew"
    return f"it is {what}, and no video that FFmpeg reads"
