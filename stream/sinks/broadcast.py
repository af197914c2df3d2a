"""The render on the air: ``rtmp://live.example/app/KEY``, ``srt://host:9000``, by a program ``ffmpeg``.

Pictures go to it at a steady rate, the newest one again where there is no newer: servers want a stream that never
stops. A track of silence goes with them, because many refuse a stream without sound. PyAV, which records, has no SRT in
its wheels; and what a network does to a process of its own, it does not do to the picture.

A stream key is like a password: what is shown and logged ends before it. (It stands among ffmpeg's arguments, where
other users of this computer may read it: https://ffmpeg.org/ffmpeg-protocols.html has no other way.)
"""

from __future__ import annotations

import contextlib
import logging
import math
import re
import shutil
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from ..base.errors import ConfigError, SinkUnavailable
from ..base.frame import Output, Size, place
from ..base.pacing import Pacer
from ..base.plain import plain, reason
from ..base.spec import Kind, Option, Spec, shown
from . import Status
from .slate import BACKGROUND, slate

log = logging.getLogger(__name__)
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0  # seconds before it is tried again
TRIES = 3  # of a server that never took anything
LIVED = 5.0  # seconds after which it had taken something
ENDS_WITHIN = 0.8  # seconds for what is on its way
HINT = "install it (Debian, Ubuntu: apt install ffmpeg; macOS: brew install ffmpeg; Windows: winget install ffmpeg)"


class BroadcastSink:
    """Sends to ``url`` from a thread of its own, which a network may hold up; ``write`` never waits.

    ``size`` is that of the stream (default: of the first output; even sides), into which outputs are letterboxed;
    ``rate`` in kbit/s. A connection that is lost is made again after 0.5, 1, 2, 4, 8, 8, ... seconds, until ``give_up``
    seconds have passed. A server that never took anything is given up after three tries.
    ``program`` is ffmpeg, with arguments before its own. Raises SinkUnavailable where it is not installed, ConfigError.
    """

    interval: float | None = None
    on_main_thread = False

    def __init__(
        self,
        url: str,
        size: Size | None = None,
        fps: float = 30.0,
        rate: int = 4500,
        give_up: float = math.inf,
        program: Sequence[str] = ("ffmpeg",),
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if not 1 <= fps <= 120 or not 100 <= rate <= 100_000:
            expected = "expected fps from 1 to 120 and rate from 100 to 100000 kbit/s"
            raise ConfigError(f"{shown(url)}: got fps={fps:g}, rate={rate}; {expected}")
        found = shutil.which(program[0])
        if found is None:
            raise SinkUnavailable(f"{shown(url)}: ffmpeg is not installed; {HINT}")
        self.called = shown(url)
        self._url, self._fps, self._rate, self._give_up, self._clock = url, fps, rate, give_up, clock
        self._program = [found, *program[1:]]
        self._size = size.rounded(2) if size else None
        self._newest: Output | None = None
        self._has = threading.Event()  # a size, or the end
        self._ended = threading.Event()
        self._error: SinkUnavailable | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._said: deque[str] = deque(maxlen=8)
        self._thread = threading.Thread(target=self._run, name="inkstream broadcast", daemon=True)
        self._thread.start()
        if self._size:
            self._has.set()

    def write(self, output: Output | None, status: Status) -> None:
        """The newest picture; raises SinkUnavailable once it is given up."""
        if output is not None:
            if self._size is None:
                self._size = Size.of(output.pixels).rounded(2)
            self._newest = output
            self._has.set()
        self.at_rest(0.0)

    def at_rest(self, now: float) -> None:
        """No newer picture comes, and the last one is sent on; raises as ``write``."""
        if self._error is not None and not self._ended.is_set():
            raise self._error

    def close(self) -> None:
        """End the stream, so that the server knows."""
        self._ended.set()
        self._has.set()
        self._thread.join(ENDS_WITHIN)
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
        self._thread.join(ENDS_WITHIN)

    # --- on its own thread

    def _run(self) -> None:
        self._has.wait()
        lived, tries, pause, lost_at = False, 0, FIRST_PAUSE, self._clock()
        while not self._ended.is_set():
            began = self._clock()
            why = self._send()
            if self._ended.is_set():
                return
            now = self._clock()
            tries += 1
            if now - began >= LIVED:
                lived, pause, lost_at = True, FIRST_PAUSE, now
            if (not lived and tries >= TRIES) or now - lost_at >= self._give_up:
                self._error = SinkUnavailable(f"{self.called}: {why}")
                return
            log.warning("%s is lost (%s); tried again in %g s", self.called, why, pause)
            self._ended.wait(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)

    def _send(self) -> str:
        """One connection, until it ends; why it did."""
        assert self._size is not None
        self._said.clear()
        try:
            process = subprocess.Popen(
                [*self._program, *self._arguments(self._size)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                bufsize=0,
            )
        except OSError as error:
            return reason(error)
        self._process = process
        listening = threading.Thread(target=self._listen, args=(process,), name="inkstream ffmpeg", daemon=True)
        listening.start()
        try:
            self._feed(process, self._size)
        except OSError as error:
            log.debug("%s: %s", self.called, reason(error))
        finally:
            assert process.stdin is not None
            with contextlib.suppress(OSError):
                process.stdin.close()
            try:
                process.wait(ENDS_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            listening.join(ENDS_WITHIN)
        return "; ".join(self._said) or f"ffmpeg ended with code {process.returncode}"

    def _feed(self, process: subprocess.Popen[bytes], size: Size) -> None:
        """Pictures at a steady rate; raises OSError when nobody reads them any more."""
        assert process.stdin is not None
        pacer = Pacer(1 / self._fps, self._clock, self._ended)
        made: Output | None = None
        data = np.ascontiguousarray(slate(size)).tobytes()
        while pacer.wait():
            newest = self._newest
            if newest is not None and newest is not made:
                made = newest
                data = place(Size.of(made.pixels), size, "letterbox").apply(made.pixels, BACKGROUND).tobytes()
            left = memoryview(data)
            while left:
                left = left[process.stdin.write(left) or 0 :]

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        """What ffmpeg says, without the key."""
        assert process.stderr is not None
        with process.stderr as lines:
            for line in lines:
                text = plain(line.decode("utf-8", "replace").strip().replace(self._url, self.called), 200)
                if text:
                    self._said.append(text)

    def _arguments(self, size: Size) -> list[str]:
        kind = "mpegts" if self._url.startswith("srt:") else "flv"
        rate = f"{self._rate}k"
        return [
            *("-hide_banner", "-loglevel", "error", "-nostdin"),
            *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size.width}x{size.height}", "-r", f"{self._fps:g}"),
            *("-i", "pipe:0", "-f", "lavfi", "-i", "anullsrc=channel_layout=stereo:sample_rate=48000"),
            *("-map", "0:v", "-map", "1:a", "-shortest"),
            *("-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-pix_fmt", "yuv420p"),
            *("-b:v", rate, "-maxrate", rate, "-bufsize", rate, "-g", str(round(2 * self._fps))),
            *("-c:a", "aac", "-b:a", "128k", "-flush_packets", "1", "-f", kind, self._url),
        ]


def open(spec: Spec) -> BroadcastSink:
    """``rtmp://HOST/APP/KEY``, ``rtmps://``, ``srt://HOST:PORT``; options ``size``, ``fps``, ``rate``, ``give_up``."""
    wanted = spec.take(KIND.options)
    url = wanted.pop("path", "")
    if not re.match(r"(rtmps?|srt)://[^/]", url, re.IGNORECASE):
        raise ConfigError(f"{shown(spec.text)}: expected an address such as {KIND.examples[0]}")
    return BroadcastSink(url, **wanted)


KIND = Kind(
    "broadcasts it (needs the program ffmpeg)",
    ("broadcast:rtmp://live.example/app/KEY", "broadcast:srt://192.168.0.7:9000,size=1280x720,fps=30"),
    {
        "path": Option(str, "rtmp://...|srt://...", "the server, with its key; broadcast: before it may be left out"),
        "size": Option(Size.parse, "WxH", "of the stream; else that of the renders"),
        "fps": Option(float, "N", "its cadence, whatever comes"),
        "rate": Option(int, "KBITS", "of the picture, in a second"),
        "give_up": Option(float, "SECONDS", "end after so long without the server; else it is tried for ever"),
    },
    BroadcastSink,
)
