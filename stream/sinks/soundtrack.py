"""The sound of a source's file, carried into a recording: copied where the container takes it, else encoded anew."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ..base.frame import Sound
from ..base.timeline import Timeline

ENCODERS = {"webm": ("libopus",)}  # by format; what can only hold some kinds of sound
USUAL = ("aac",)
RESYNC = 0.1  # seconds that encoded sound may be off before it is put in its place again
MAX_BROKEN = 100  # packets in a row


class Soundtrack:
    """One sound, on its way into one recording.

    Raises ValueError, with the reason in words, when there is no sound that can be carried.
    """

    def __init__(self, sound: Sound) -> None:
        import av
        from av.error import FFmpegError

        self._sound = sound
        self._waiting: Any = None  # a packet that is not due yet
        self._encoder = False
        self._written = 0.0  # seconds up to which sound was encoded
        self._track: Any = None
        try:
            self._input: Any = av.open(f"file:{sound.path.absolute()}", options={"protocol_whitelist": "file"})
        except (FFmpegError, ValueError) as error:
            raise ValueError("its file cannot be opened again") from error
        self._source = self._input.streams.best("audio")
        if self._source is None or self._source.codec_context is None:
            self.close()
            raise ValueError("no decoder for it")

    @property
    def codec(self) -> str:
        """What it is, as FFmpeg calls it."""
        return str(self._source.codec_context.name)

    def join(self, container: Any) -> None:
        """Become a track of a container that nothing was written to yet; raises ValueError, as above."""
        codec = self._source.codec_context
        if codec.codec.canonical_name in container.supported_codecs:
            self._track = container.add_stream_from_template(self._source)
        else:
            self._track = self._encoded(container)
            self._encoder = True
        step = codec.frame_size / codec.sample_rate if codec.frame_size and codec.sample_rate else 0.02
        self._timeline = Timeline(step, self._sound.begin)
        self._packets = self._read()

    def until(self, seconds: float) -> Iterator[Any]:
        """The packets of the recording up to this time, in seconds from the first picture, and the one that follows."""
        while self._track is not None:
            if self._waiting is None:
                self._waiting = next(self._packets, None)
            if self._waiting is None:
                return
            at, packet = self._waiting
            self._waiting = None
            yield from self._made(at, packet)
            if at > seconds:
                return

    def rest(self, seconds: float) -> Iterator[Any]:
        """What is left up to the end of the recording."""
        while self._track is not None:
            at, packet = self._waiting or next(self._packets, (seconds, None))
            self._waiting = None
            if packet is None or at >= seconds:
                break
            yield from self._made(at, packet)
        if self._encoder and self._track is not None:
            yield from self._track.encode(None)
        self.close()

    def close(self) -> None:
        self._track = None
        self._input.close()

    def _encoded(self, container: Any) -> Any:
        rate = self._source.codec_context.sample_rate
        for name in ENCODERS.get(container.format.name, USUAL):
            with contextlib.suppress(ValueError):  # unknown to this build
                return container.add_stream(name, rate=48_000 if name == "libopus" else min(rate, 48_000))
        raise ValueError(f"{container.format.name} does not take {self.codec}, and this PyAV cannot encode it anew")

    def _read(self) -> Iterator[tuple[float, Any]]:
        """Every packet that is not before the first picture, with its time in the recording."""
        from av.error import FFmpegError

        failed = 0
        packets = self._input.demux(self._source)
        while failed <= MAX_BROKEN:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except FFmpegError:
                failed += 1
                continue
            if not packet.size:
                continue
            failed = 0
            stamp = packet.dts if packet.pts is None else packet.pts
            at = self._timeline.place(None if stamp is None else float(stamp * packet.time_base))
            if at >= 0:
                yield at, packet

    def _made(self, at: float, packet: Any) -> Iterator[Any]:
        if not self._encoder:
            packet.pts = packet.dts = round(at / packet.time_base)
            packet.stream = self._track
            yield packet
            return
        from av.error import FFmpegError

        with contextlib.suppress(FFmpegError):  # a broken packet is a short silence
            for frame in packet.decode():
                if abs(at - self._written) > RESYNC:
                    self._written = at
                frame.pts, frame.time_base = round(self._written * frame.sample_rate), _per(frame.sample_rate)
                self._written += frame.samples / frame.sample_rate
                yield from self._track.encode(frame)


def _per(rate: int) -> Any:
    from fractions import Fraction

    return Fraction(1, rate)
