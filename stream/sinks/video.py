"""A recording: ``video:out.mp4``, ``video:out.webm,crf=24,input=1``.

The picture is H.264 when PyAV brings libx264, else MPEG-4 part 2; in ``.webm`` it is VP9, else VP8. MP4 is written in
fragments (ISO/IEC 14496-12, movie fragments) of half a second, at rest too, so that everything but the last fragment
plays even if the program is killed.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np

from ..base.errors import ConfigError, SinkUnavailable
from ..base.files import Tape, unused
from ..base.frame import Output, Size, Sound, place
from ..base.spec import Kind, Option, Spec, flag
from . import Status
from .encoding import BT601, BT709, CONTAINERS, TICK, choose_codec, set_quality
from .slate import BACKGROUND
from .soundtrack import Soundtrack

log = logging.getLogger(__name__)

KEY_EVERY = 0.5  # seconds between key frames: what is lost when the program is killed
REST_BEHIND = 0.3  # seconds that a picture at rest is recorded late: an input that is on its way then still fits


class VideoSink:
    """Records each output once, at the time its input was captured (variable frame rate, the first at 0), or, of a
    source that is not live, at its time in the file, and with the file's sound (see ``accompany``).

    An existing file is never replaced, unless ``overwrite``: ``out-2.mp4``, ``out-3.mp4``, ... is written, and the
    attribute ``path`` says which. The first output decides the size (odd sides get one more pixel); later ones of
    another size are letterboxed into it. ``crf`` is the quality: 0 best, 51 worst. ``fps`` is the nominal rate, for
    players, for the length of the last picture, and for pictures that have no times. ``input`` records the input at the
    left of the output. ``sound`` off leaves the sound out.
    ``codec`` is the name of an FFmpeg encoder; the attribute ``codec`` says which one was taken.
    ``create`` opens the file for writing, given its path, and raises FileExistsError like mode ``"xb"``.

    Raises ConfigError for an extension or a codec that cannot be written and SinkUnavailable for a file that cannot.
    """

    interval: float | None = None
    on_main_thread = False
    stores = True

    def __init__(
        self,
        path: str | Path,
        fps: float = 30.0,
        crf: int = 18,
        codec: str | None = None,
        input: bool = False,
        overwrite: bool = False,
        sound: bool = True,
        create: Callable[[Path], BinaryIO] | None = None,
    ) -> None:
        wanted = Path(path).expanduser()
        kind = CONTAINERS.get(wanted.suffix.lower())
        if kind is None:
            raise ConfigError(f"video: got {wanted.name!r}, expected a name that ends in {', '.join(CONTAINERS)}")
        if not 1 <= fps <= 240 or not 0 <= crf <= 51:
            raise ConfigError(f"video: got fps={fps:g}, crf={crf}; expected fps from 1 to 240 and crf from 0 to 51")
        self.codec = choose_codec(kind, codec)
        self.seconds = 0.0  # on the disk, and playable
        self._colours = BT601 if self.codec == "libvpx" else BT709  # VP8 knows no other
        self._kind, self._fps, self._crf, self._input = kind, fps, crf, input
        self.path, file = _create(wanted, overwrite, create or _exclusive)
        self._file = Tape(file)
        self._container: Any = None
        self._stream: Any = None
        self._size = Size(0, 0)
        self._half = Size(0, 0)
        self._sound = sound
        self._track: Soundtrack | None = None
        self._step = 1 / fps  # seconds, of the newest picture
        self._first = 0.0
        self._last: Output | None = None
        self._last_pts = 0  # ticks, of that output
        self._last_frame: Any = None
        self._pts = 0  # ticks, of the newest picture, which may be that output once more
        self._key_pts = 0
        self._whole = 0  # bytes of the file that are complete fragments
        self._closed = False
        self._lock = threading.Lock()  # close may come while the sink's own thread writes

    def write(self, output: Output | None, status: Status) -> None:
        """Append one picture; raises SinkUnavailable, and leaves a file that plays, when the disk is full."""
        with self._lock:
            if output is None or self._closed:
                return
            import av
            from av.error import FFmpegError
            from av.video.frame import PictureType

            try:
                if self._container is None:
                    self._begin(output)
                frame = av.VideoFrame.from_ndarray(self._picture(output), format="rgb24")
                frame = frame.reformat(format="yuv420p", dst_colorspace=self._colours)
                frame.pts, frame.time_base = self._time(output), TICK
                frame.duration = round(self._step / TICK)
                if frame.pts == 0 or frame.pts - self._key_pts >= KEY_EVERY / TICK:
                    self._key_pts = frame.pts
                    frame.pict_type = PictureType.I
                self._last_frame = frame
                self._mux(self._stream.encode(frame))
                self._mux_sound()
            except (OSError, FFmpegError) as error:
                raise self._failed(error) from error

    def at_rest(self, now: float) -> None:
        """Record that the last picture is still there, so that a killed program leaves it; raises as ``write`` does."""
        with self._lock:
            frame, last = self._last_frame, self._last
            if self._closed or frame is None or last is None or not last.origin.live:
                return
            from av.error import FFmpegError
            from av.video.frame import PictureType

            pts = round((now - REST_BEHIND - self._first) / TICK)
            if pts <= self._pts:
                return
            try:
                frame.pts, frame.pict_type = pts, PictureType.NONE
                self._pts = pts
                self._mux(self._stream.encode(frame))
            except (OSError, FFmpegError) as error:
                raise self._failed(error) from error

    def accompany(self, sound: Sound) -> None:
        """Take the sound of the source's file into the recording, as long as it has pictures.

        It is copied as it is where the container takes it, else encoded anew; where neither can be, a warning in the
        log says why, and the recording has none.
        """
        if not self._sound:
            return
        try:
            self._track = Soundtrack(sound)
        except ValueError as error:
            log.warning("video: %s is recorded without the sound of %s: %s", self.path.name, sound.path.name, error)

    def close(self) -> None:
        """Finish the file, so that it plays to its last picture; a recording without a picture leaves no file.

        Raises SinkUnavailable when the disk is full before the end is written.
        """
        with self._lock:
            if self._closed:
                return
            from av.error import FFmpegError

            try:
                if self._container is not None:
                    end = float(self._pts * TICK) + self._step
                    self._mux(self._stream.encode(None))
                    if self._track is not None:
                        self._container.mux(list(self._track.rest(end)))
                    self._container.close()
                    self.seconds = end
            except (OSError, FFmpegError) as error:
                raise self._failed(error) from error
            self._release()

    def _begin(self, output: Output) -> None:
        import av
        from av.video.reformatter import ColorRange

        self._half = Size.of(output.pixels)
        self._size = Size(self._half.width * (2 if self._input else 1), self._half.height)
        self._size = Size(*(side + side % 2 for side in self._size))
        if not output.origin.live and output.origin.shown:
            self._step = output.origin.shown
        fps = min(max(1 / self._step, 1.0), 240.0)
        options = dict(self._kind.options)
        if self._track is not None:
            options["max_interleave_delta"] = "1"  # us: what is written in order needs to wait for nothing
        self._container = av.open(self._file, "w", format=self._kind.format, options=options)
        stream = self._container.add_stream(self.codec, rate=Fraction(fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = *self._size, "yuv420p"
        context = stream.codec_context
        context.time_base = TICK
        context.gop_size = max(1, round(fps * KEY_EVERY))
        context.colorspace = context.color_primaries = context.color_trc = self._colours
        context.color_range = ColorRange.MPEG
        set_quality(context, self.codec, self._crf, self._size.width * self._size.height * fps)
        self._stream = stream
        self._first = output.captured_at if output.origin.live else output.origin.time or 0.0
        if self._track is not None:
            try:
                self._track.join(self._container)
            except ValueError as error:
                log.warning("video: %s has no sound: %s", self.path.name, error)
                self._track.close()
                self._track = None

    def _picture(self, output: Output) -> np.ndarray:
        picture = _fitted(output.pixels, self._half)
        if self._input:
            drawing = np.full_like(picture, BACKGROUND) if output.input is None else _fitted(output.input, self._half)
            picture = np.hstack([drawing, picture])
        right, below = self._size.width - picture.shape[1], self._size.height - picture.shape[0]
        if right or below:
            picture = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE)
        return picture

    def _time(self, output: Output) -> int:
        """Ticks since the first picture, always rising.

        A live input that was rendered again was captured long ago: its new picture comes as long after the one before
        as it was rendered after it.
        """
        origin, last = output.origin, self._last
        pause = 0.0
        if not origin.live and origin.time is None:
            pts, pause = 0, self._step
        elif not origin.live:
            pts, self._step = round(((origin.time or 0.0) - self._first) / TICK), origin.shown or self._step
        else:
            pts = round((output.captured_at - self._first) / TICK)
            if last is not None and output.captured_at <= last.captured_at:
                pause = output.rendered_at - last.rendered_at
        if last is not None:
            pts = max(pts, self._pts + 1, self._last_pts + round(pause / TICK))
        self._pts = self._last_pts = max(0, pts)
        self._last = output
        return self._pts

    def _mux_sound(self) -> None:
        if self._track is not None:
            self._container.mux(list(self._track.until(float(self._pts * TICK))))
            self._whole = self._file.tell()

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            start = float(packet.pts * packet.time_base)
            self._container.mux(packet)
            if self._file.tell() != self._whole:  # a fragment went out: it ends where this packet begins
                self._whole = self._file.tell()
                self.seconds = start

    def _failed(self, error: Exception) -> SinkUnavailable:
        from av.error import FFmpegError

        with contextlib.suppress(OSError, FFmpegError):  # a disk that failed fails again, and the reason is known
            if self._container is not None:
                self._container.close()
        if isinstance(error, OSError):
            self._file.truncate(self._whole)
        elif self._container is not None:
            self.seconds = float(self._pts * TICK)
        self._release()
        reason = "disk full" if getattr(error, "errno", None) == errno.ENOSPC else str(error)
        kept = f"{self.seconds:.1f} seconds were kept in {self.path}" if self.seconds else "nothing was kept"
        return SinkUnavailable(f"video: recording stopped: {reason}; {kept}")

    def _release(self) -> None:
        self._closed = True
        self._last_frame = None
        if self._track is not None:
            self._track.close()
        self._file.close()
        if not self._file.size:
            with contextlib.suppress(OSError):  # an empty file in a folder that is gone or locked harms nobody
                self.path.unlink()


def _exclusive(path: Path) -> BinaryIO:
    return path.open("xb", buffering=0)  # nothing stays in this process if it is killed


def _create(wanted: Path, overwrite: bool, create: Callable[[Path], BinaryIO]) -> tuple[Path, BinaryIO]:
    try:
        wanted.parent.mkdir(parents=True, exist_ok=True)
        if overwrite:
            wanted.unlink(missing_ok=True)
        while True:
            path = unused(wanted)
            try:
                return path, create(path)
            except FileExistsError:  # another program was faster
                continue
    except OSError as error:
        raise SinkUnavailable(
            f"video: cannot write {wanted}: {error.strerror or error}; give a folder that you may write to"
        ) from error


def _fitted(pixels: np.ndarray, size: Size) -> np.ndarray:
    return place(Size.of(pixels), size, "letterbox").apply(pixels, border=BACKGROUND)


def open(spec: Spec) -> VideoSink:
    """``video:FILE``; options ``fps``, ``crf``, ``codec``, ``input``, ``overwrite``, ``sound``."""
    values = spec.take(KIND.options)
    path = values.pop("path", "")
    if not path:
        raise ConfigError(f"{spec.text}: no file given; write for example video:out.mp4")
    return VideoSink(path, **values)


KIND = Kind(
    f"records it ({', '.join(CONTAINERS)})",
    ("video:out.mp4", "video:out.webm,crf=24,input"),
    {
        "path": Option(str, "FILE", "the recording; a free name beside it where that is taken"),
        "fps": Option(float, "N", "its nominal rate"),
        "crf": Option(int, "0..51", "quality: 0 best, 51 worst"),
        "codec": Option(str, "NAME", "an encoder of FFmpeg; else one that fits"),
        "input": Option(flag, "", "your drawing at the left of the render"),
        "sound": Option(flag, "", "0: leave the sound of the source out"),
        "overwrite": Option(flag, "", "replace a file of that name"),
    },
    VideoSink,
)
