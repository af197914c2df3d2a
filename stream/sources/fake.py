"""Made-up pictures that can be checked, and failures on order: for tests, benches, and for trying out a sink.

A strip along the upper edge holds the number of the picture, so that whoever gets a picture at the other end can tell
which one it is (``read_counter``), also after it was scaled or compressed.
"""

from __future__ import annotations

import itertools
import threading
import time
from typing import Literal, get_args

import cv2
import numpy as np

from ..base.errors import ConfigError, FrameError, SourceEnded, SourceLost
from ..base.frame import Size
from ..base.pacing import Clock, Pacer, wait_until
from ..base.spec import Kind, Option, Spec, flag

Pattern = Literal["noise", "solid", "stroke", "counter"]
PATTERNS = get_args(Pattern)
COUNTER_BITS = 24
CHECK_BITS = 8
STRIP = 16  # the strip takes 1/16 of the height
PAPER = 255
GRAY = 128
DEFAULT_SIZE = Size(512, 512)


def open(spec: Spec) -> FakeSource:
    """``fake`` or ``fake:pattern=noise,size=640x360,fps=240,frames=1000,fail_at=50``."""
    return FakeSource(**spec.take(KIND.options))


def _pattern(text: str) -> str:
    if text not in PATTERNS:
        raise ConfigError(f"pattern: got {text!r}, expected one of: {', '.join(PATTERNS)}")
    return text


def write_counter(pixels: np.ndarray, number: int) -> None:
    """Write ``number`` (modulo 2**24) and its checksum as black and white cells into the upper 1/16, in place."""
    number %= 1 << COUNTER_BITS
    code = number << CHECK_BITS | _checksum(number)
    height, width = pixels.shape[:2]
    edges = _edges(width)
    for index, (left, right) in enumerate(itertools.pairwise(edges)):
        bit = code >> (COUNTER_BITS + CHECK_BITS - 1 - index) & 1
        pixels[: max(1, height // STRIP), left:right] = 255 * bit


def read_counter(pixels: np.ndarray) -> int:
    """The number that ``write_counter`` wrote into ``(H, W, 3)`` uint8 pixels; raises FrameError if there is none."""
    height, width = pixels.shape[:2]
    strip = pixels[: max(1, height // STRIP)].mean(axis=(0, 2))
    code, edges = 0, _edges(width)
    for left, right in itertools.pairwise(edges):
        margin = (right - left) // 4
        code = code << 1 | int(strip[left + margin : max(left + margin + 1, right - margin)].mean() >= GRAY)
    number, check = code >> CHECK_BITS, code & (1 << CHECK_BITS) - 1
    if check != _checksum(number):
        raise FrameError(f"fake: got a {Size.of(pixels)} picture without a readable counter")
    return number


def _edges(width: int) -> list[int]:
    cells = COUNTER_BITS + CHECK_BITS
    return [round(index * width / cells) for index in range(cells + 1)]


def _checksum(number: int) -> int:
    # A plain sum would take an all-black or all-white strip for a number.
    return (number * 0x9E3779B1 >> 7 ^ 0xA5) & (1 << CHECK_BITS) - 1


class FakeSource:
    """Deterministic pictures of ``size``; number n is the same in every run.

    ``pattern``: ``noise`` (all new every time), ``counter`` (white paper), ``solid`` (one gray that never changes),
    ``stroke`` (white paper on which a pen writes on and on). ``mark`` writes the counter strip; by default only where
    it does not spoil the pattern, in ``noise`` and ``counter``. ``frames`` ends it after so many.
    ``fps`` paces a live source; with ``live=False`` a picture is there whenever one is asked for.
    On order: ``fail_at`` raises SourceLost in place of that picture, ``stall_at`` gives nothing for ``stall`` seconds
    before that picture, from ``resize_at`` on pictures have the size ``resize`` (half of ``size`` if not given).
    """

    def __init__(
        self,
        size: Size = DEFAULT_SIZE,
        fps: float = 30.0,
        frames: int | None = None,
        pattern: Pattern = "counter",
        seed: int = 0,
        live: bool = True,
        mark: bool | None = None,
        fail_at: int | None = None,
        stall_at: int | None = None,
        stall: float = 5.0,
        resize_at: int | None = None,
        resize: Size | None = None,
        *,
        clock: Clock = time.perf_counter,
        stop: threading.Event | None = None,
    ) -> None:
        self.live = live
        self.given = 0  # pictures handed out so far; also the number of the next
        self._mark = pattern in ("noise", "counter") if mark is None else mark
        for each in (size, *([resize] if resize else [])):
            if min(each) < 1 or (self._mark and each.width < COUNTER_BITS + CHECK_BITS):
                raise ConfigError(f"fake: got size {each}, expected at least {COUNTER_BITS + CHECK_BITS} pixels a side")
        if frames is not None and frames < 1:
            raise ConfigError(f"fake: frames: got {frames}, expected at least 1")
        self._size = size
        self._resize = resize or Size(max(1, size.width // 2), max(1, size.height // 2))
        self._pattern = _pattern(pattern)
        self._seed = seed
        self._frames = frames
        self._fail_at = fail_at
        self._stall_at = stall_at
        self._stall = stall
        self._resize_at = resize_at
        self._clock = clock
        self._stop = stop or threading.Event()
        self._pacer = Pacer.of_fps(fps, clock, self._stop)
        self._paper = np.full((size.height, size.width, 3), PAPER, np.uint8)  # what the stroke is drawn on

    def read(self) -> np.ndarray:
        """The next picture: ``(H, W, 3)`` uint8 RGB. Raises SourceEnded after ``frames``, SourceLost on order."""
        if self._stop.is_set() or (self.live and not self._pacer.wait()):
            raise SourceEnded("fake: closed")
        number = self.given
        if self._frames is not None and number >= self._frames:
            raise SourceEnded(f"fake: all {self._frames} pictures were read")
        if number == self._fail_at:
            raise SourceLost(f"fake: lost at picture {number}, as asked")
        if number == self._stall_at and not wait_until(self._clock() + self._stall, self._clock, self._stop):
            raise SourceEnded("fake: closed")
        self.given += 1
        size = self._resize if self._resize_at is not None and number >= self._resize_at else self._size
        pixels = self._draw(number, size)
        if self._mark:
            write_counter(pixels, number)
        return pixels

    def close(self) -> None:
        self._stop.set()

    def _draw(self, number: int, size: Size) -> np.ndarray:
        if self._pattern == "noise":
            random = np.random.default_rng((self._seed, number))
            return random.integers(0, 256, (size.height, size.width, 3), np.uint8)
        if self._pattern == "stroke":
            if Size.of(self._paper) != size:
                self._paper = cv2.resize(self._paper, size, interpolation=cv2.INTER_AREA)
            start, end = (_pen(step, size, self._seed) for step in (number, number + 1))
            width = max(2, min(size) // 100)
            cv2.line(self._paper, start, end, (0, 0, 0), width, cv2.LINE_AA)
            return self._paper.copy()
        return np.full((size.height, size.width, 3), GRAY if self._pattern == "solid" else PAPER, np.uint8)


def _pen(number: int, size: Size, seed: int) -> tuple[int, int]:
    """Where the pen is: it writes along a curve that never closes (Lissajous, with an irrational ratio)."""
    time_ = number * 0.05
    x = 0.5 + 0.4 * np.sin(time_ + seed)
    y = 0.5 + 0.4 * np.sin(time_ * np.sqrt(2.0))
    return round(x * size.width), round(y * size.height)


KIND = Kind(
    "made-up pictures, and failures on order: to try things out",
    ("fake", "fake:pattern=noise,size=640x360,fps=240"),
    {
        "pattern": Option(_pattern, "|".join(PATTERNS), "what is on them"),
        "size": Option(Size.parse, "WxH", "of the pictures"),
        "fps": Option(float, "N", "pictures a second"),
        "frames": Option(int, "N", "end after so many"),
        "seed": Option(int, "N", "the same pictures for the same number"),
        "live": Option(flag, "", "0: a picture is there whenever one is asked for"),
        "mark": Option(flag, "", "number them in a strip at the top; else only where it does not spoil the pattern"),
        "fail_at": Option(int, "N", "be lost in place of this picture"),
        "stall_at": Option(int, "N", "give nothing for a while before this picture"),
        "stall": Option(float, "SECONDS", "how long that is"),
        "resize_at": Option(int, "N", "from this picture on they have another size"),
        "resize": Option(Size.parse, "WxH", "that size; half of size where it is not named"),
    },
    FakeSource,
)
