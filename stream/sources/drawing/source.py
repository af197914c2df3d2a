"""The demo source: a drawing at hand speed, finished sketches, and the prompts that suit them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np

from ...base.errors import ConfigError, SourceEnded
from ...base.frame import Origin
from ...base.pacing import Clock, Pacer
from .hand import Paper, Trace, draw_by_hand
from .subjects import NAMES
from .subjects import subject as build

HOLD = 3.0  # seconds that a finished drawing is left to be looked at
ALL = "all"


def subjects() -> tuple[str, ...]:
    """Names of everything that can be drawn."""
    return NAMES


def prompt_for(name: str, variant: int = 0) -> str:
    """A prompt that suits a subject, in the words of the embedded model; raises ConfigError for an unknown subject."""
    prompts = build(_known(name)).prompts
    return prompts[variant % len(prompts)]


def sketch(subject: str, size: int = 512, seed: int = 0) -> np.ndarray:
    """A finished drawing: ``(size, size, 3)`` uint8 RGB, dark ink on white paper.

    Raises ConfigError for an unknown subject.
    """
    paper = Paper(_drawable(size))
    for trace in _traces(subject, seed, 0):
        paper.draw(trace, 0, len(trace.points))
    return paper.picture


def _known(name: str) -> str:
    if name not in NAMES:
        raise ConfigError(f"subject: got {name!r}, expected {ALL} or one of: {', '.join(NAMES)}")
    return name


def _drawable(size: int) -> int:
    if not 32 <= size <= 4096:
        raise ConfigError(f"size: got {size}, expected 32 to 4096")
    return size


def _traces(name: str, seed: int, round_: int) -> Iterator[Trace]:
    number = NAMES.index(_known(name))
    return draw_by_hand(build(name).strokes, np.random.default_rng((seed % 2**32, number, round_)))


class DemoSource:
    """Sketches of ``subject`` (or of ``all`` in turn), drawn at hand speed on white paper of ``size`` x ``size``.

    A finished drawing stays for three seconds, then the next begins on new paper. ``speed`` multiplies the hand's. With
    ``live=False`` each read goes 1 / ``fps`` seconds on, however fast it is called. ``frames`` ends it after so many.
    The same ``seed`` gives the same drawings; each round draws them anew.
    """

    def __init__(
        self,
        size: int = 512,
        fps: float = 30.0,
        seed: int = 0,
        speed: float = 1.0,
        subject: str = ALL,
        live: bool = True,
        frames: int | None = None,
        *,
        clock: Clock = time.perf_counter,
        stop: threading.Event | None = None,
    ) -> None:
        if not 0.01 <= speed <= 1000:
            raise ConfigError(f"demo: speed: got {speed:g}, expected 0.01 to 1000")
        self.live = live
        self._names = NAMES if subject == ALL else (_known(subject),)
        self._seed = seed
        self._speed = speed
        self._frames = frames
        self._given = 0
        self._stop = stop or threading.Event()
        self._clock = clock
        self._pacer = Pacer.of_fps(fps, clock, self._stop)
        self._paper = Paper(_drawable(size))
        self._drawn = 0  # drawings begun before this one
        self._traces = _traces(self._names[0], seed, 0)
        self._trace: Trace | None = next(self._traces)  # the stroke that is being drawn; None when all are
        self._at = 0  # points of it that are on the paper
        self._seconds = 0.0  # of drawing time since this drawing began
        self._done_at = 0.0  # the same, when the last stroke ended
        self._read_at: float | None = None
        self._shown = (self._names[0], prompt_for(self._names[0]))
        for name in self._names:  # working a subject out takes longer than a frame may
            build(name)

    @property
    def subject(self) -> str:
        """What is being drawn in the last picture that was read; any thread may ask."""
        return self._shown[0]

    @property
    def prompt(self) -> str:
        """A prompt that suits it; any thread may ask."""
        return self._shown[1]

    @property
    def finished(self) -> bool:
        """Whether the drawing in the last picture is complete."""
        return self._trace is None

    def read(self) -> np.ndarray:
        """The paper now: ``(size, size, 3)`` uint8 RGB. Raises SourceEnded after ``frames`` pictures."""
        if self._frames is not None and self._given >= self._frames:
            raise SourceEnded(f"demo: all {self._frames} pictures were read")
        if self._stop.is_set() or (self.live and not self._pacer.wait()):
            raise SourceEnded("demo: closed")
        self._advance(self._elapsed() * self._speed)
        self._given += 1
        return self._paper.picture.copy()

    @property
    def origin(self) -> Origin:
        """Of the last picture: its time, while it is not live."""
        time = None if self.live else (self._given - 1) * self._pacer.interval
        return Origin(self.live, time, self._pacer.interval, goes_on=True)

    def close(self) -> None:
        self._stop.set()

    def _elapsed(self) -> float:
        """Seconds since the last read, at least one frame's: a late reader sees the hand where it would be by now."""
        if not self.live:
            return self._pacer.interval
        now = self._clock()
        before, self._read_at = self._read_at, now
        return self._pacer.interval if before is None else min(now - before, HOLD)

    def _advance(self, seconds: float) -> None:
        self._seconds += seconds
        if self._trace is None and self._seconds >= self._done_at + HOLD:
            self._begin_next()
        while self._trace is not None:
            until = int(np.searchsorted(self._trace.times, self._seconds, side="right"))
            self._paper.draw(self._trace, self._at, until)
            self._at = until
            if until < len(self._trace.times):
                break
            self._done_at = float(self._trace.times[-1])
            self._trace, self._at = next(self._traces, None), 0

    def _begin_next(self) -> None:
        self._drawn += 1
        round_, index = divmod(self._drawn, len(self._names))
        name = self._names[index]
        self._traces = _traces(name, self._seed, round_)
        self._trace, self._at, self._seconds = next(self._traces), 0, 0.0
        self._paper.clear()
        self._shown = (name, prompt_for(name, round_))
