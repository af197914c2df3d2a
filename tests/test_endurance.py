"""A session runs on and on without growing; and the check that says so finds a leak that was planted."""

import gc
import os
import sys
import threading
import time
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from inkstream.bench.synthetic import FakeStream
from inkstream.stream.base.errors import SourceEnded
from inkstream.stream.base.metrics import Metrics
from inkstream.stream.session.session import Session

PICTURES = [np.full((64, 64, 3), level, np.uint8) for level in range(0, 256, 32)]


class Source:
    """Small pictures as fast as they are taken; ``each`` is called with the number of each."""

    live = False

    def __init__(self, frames, each=lambda number: None):
        self.frames = frames
        self.each = each
        self.given = 0

    def read(self):
        if self.given >= self.frames:
            raise SourceEnded("done")
        self.each(self.given)
        self.given += 1
        return PICTURES[self.given % len(PICTURES)].copy()

    def close(self):
        pass


class Sink:
    on_main_thread = False

    def __init__(self, interval=None, each=lambda output: None):
        self.interval = interval
        self.each = each
        self.written = 0

    def write(self, output, status):
        self.written += 1
        if output is not None:
            self.each(output)

    def close(self):
        pass


@dataclass
class Usage:
    """What a process holds: traced bytes, open descriptors (Linux and macOS), threads."""

    memory: int
    descriptors: int
    threads: int

    @classmethod
    def now(cls):
        gc.collect()
        folder = Path("/proc/self/fd" if sys.platform == "linux" else "/dev/fd")
        descriptors = len(list(folder.iterdir())) if folder.exists() else 0
        return cls(tracemalloc.get_traced_memory()[0], descriptors, threading.active_count())

    def grown(self, later):
        """Names of what has grown from here to ``later``.

        Between two looks the number of pictures on their way may differ by ten, of 37 kB with their inputs.
        """
        limits = {"memory": 400_000, "descriptors": 1, "threads": 1}
        return [name for name, limit in limits.items() if getattr(later, name) - getattr(self, name) > limit]


def growth(frames, leak=lambda output: None):
    """Run a session over ``frames`` frames; returns what has grown between a fifth of the way and the end of it."""
    seen = []

    def look(number):
        if number in (frames // 5, frames - 1):
            seen.append(Usage.now())

    sink = Sink(each=leak)
    tracemalloc.start()
    try:
        # A window of statistics that is full from the start on, so that filling it is no growth.
        metrics = Metrics(window=64)
        session = Session(Source(frames, look), FakeStream(3), [sink, Sink(interval=0.01)], metrics=metrics)
        session.run()
    finally:
        tracemalloc.stop()
    assert sink.written == session.summary()["frames_rendered"] == frames
    return seen[0].grown(seen[1])


def test_ten_thousand_frames_without_growth():
    assert growth(10_000) == []


def test_the_same_check_catches_planted_leaks():
    kept = []
    assert growth(500, kept.append) == ["memory"]

    duplicates = []

    def leak_descriptor(output):
        if output.source_id % 20 == 0:
            duplicates.append(os.dup(0))

    end = threading.Event()

    def leak_thread(output):
        if output.source_id % 20 == 0:
            threading.Thread(target=end.wait, daemon=True).start()

    try:
        if sys.platform != "win32":
            assert "descriptors" in growth(500, leak_descriptor)
        assert "threads" in growth(500, leak_thread)
    finally:
        end.set()
        for duplicate in duplicates:
            os.close(duplicate)


@pytest.fixture
def ours():
    """Threads of inkstream that have come since the test began; those of other tests before it are theirs."""
    before = threading.enumerate()
    return lambda: [each for each in threading.enumerate() if each not in before and each.name.startswith("inkstream")]


@pytest.mark.parametrize("cycles", [300, pytest.param(2000, marks=pytest.mark.slow)])
def test_starts_and_stops_without_growth(ours, cycles):
    stream = FakeStream(2)
    before = None
    tracemalloc.start()
    try:
        for cycle in range(cycles):
            with Session(Source(10**9), stream, [Sink(), Sink(interval=0.5)]) as session:
                session.start()
            assert session.finished and session.error is None
            if cycle == 100:
                before = Usage.now()
        after = Usage.now()
    finally:
        tracemalloc.stop()
    assert before.grown(after) == []
    assert not ours()


def test_stopping_while_everything_is_busy_loses_no_thread(ours):
    for _ in range(50):
        session = Session(Source(10**9), FakeStream(2), [Sink(), Sink(interval=0.001)])
        session.start()
        threading.Event().wait(0.002)
        start = time.perf_counter()
        session.stop()
        assert time.perf_counter() - start < 2
    assert not ours()
