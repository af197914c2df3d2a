"""A prompt fades to its end whether new pictures come or not: with a small network, and turn by turn without."""

import queue
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from doubles.tiny_models import tiny_sd

from inkstream.bench.synthetic import FakeStream
from inkstream.stream import Stream
from inkstream.stream.app.showcase import Following
from inkstream.stream.base.errors import SourceEnded
from inkstream.stream.base.frame import Frame
from inkstream.stream.base.mailbox import Mailbox
from inkstream.stream.session.driver import FADE_EVERY, Driver
from inkstream.stream.session.session import Session
from inkstream.stream.sinks.fake import FakeSink

FADE = 5
SMALL = {"width": 64, "height": 64, "cfg_type": "none", "warmup": 0, "acceleration": "eager"}


def picture(level):
    return np.full((64, 64, 3), level, np.uint8)


class Pushed:
    """A source that gives what the test pushes."""

    live = True

    def __init__(self):
        self.items = queue.Queue()

    def read(self):
        item = self.items.get()
        if item is None:
            raise SourceEnded("closed")
        return item

    def close(self):
        self.items.put(None)


def until(condition, timeout=20.0):
    tick, end = threading.Event(), time.perf_counter() + timeout
    while not condition():
        assert time.perf_counter() < end, "it did not happen in time"
        tick.wait(0.002)


# --- with a small network


@pytest.mark.parametrize("steps", [(20,), (10, 30)])
@pytest.mark.parametrize("rest", ["frozen", "stalled", "static"])
def test_a_prompt_fades_to_its_end_although_no_new_picture_comes(rest, steps):
    stream = Stream(tiny_sd(), prompt="a car", t_index_list=steps, prompt_transition_frames=FADE, **SMALL)
    source, sink = Pushed(), FakeSink()
    with Session(source, stream, [sink], stall_after=0.05 if rest == "stalled" else 60) as session:
        session.start()
        source.items.put(picture(80))
        assert sink.wait(1)
        if rest == "frozen":
            session.freeze(True)
        elif rest == "static":
            source.items.put(picture(80))
            until(lambda: session.status.state == "idle")
        else:
            until(lambda: session.status.state == "stalled")
        session.update(prompt="a house in the snow at night")
        until(lambda: sink.count == 1 + FADE and not stream.pending)
        assert not stream.fading
        ran = stream.metrics.summary()["stages"]["denoise"]["count"]
        threading.Event().wait(3 * FADE_EVERY)
        assert stream.metrics.summary()["stages"]["denoise"]["count"] == ran, "then it rests again"
        assert session.summary()["frames_rendered"] == 1, "it is the same frame all along"
    new = Stream(tiny_sd(), prompt="a house in the snow at night", t_index_list=steps, **SMALL)
    (end,) = [new(picture(80)), *new.drain()][-1:]
    distances = [np.abs(output.pixels.astype(int) - end.pixels).mean() for output in sink.outputs]
    assert distances == sorted(distances, reverse=True) and distances[0] > distances[2] > distances[-1]
    assert np.abs(sink.outputs[-1].pixels.astype(int) - end.pixels).max() <= 1


def test_fading_is_said_from_the_change_to_the_last_frame():
    stream = Stream(tiny_sd(), prompt="a car", t_index_list=(20,), prompt_transition_frames=3, **SMALL)
    said = [stream.fading]
    stream(picture(80))
    said.append(stream.fading)
    stream.update(guidance_scale=1.5)
    said.append(stream.fading)
    stream.update(prompt="a house")
    said.append(stream.fading)
    for _ in range(4):
        stream(picture(80))
        said.append(stream.fading)
    assert said == [False, False, False, True, True, True, False, False]


def test_a_fade_goes_on_where_it_was_after_another_change():
    def fade(change):
        stream = Stream(tiny_sd(), prompt="a car", t_index_list=(20,), prompt_transition_frames=6, **SMALL)
        stream(picture(80))
        stream.update(prompt="a house in the snow at night")
        outputs = [stream(picture(80)) for _ in range(2)]
        if change:
            stream.update(drawing_influence=stream.config.drawing_influence)
        return [*outputs, *(stream(picture(80)) for _ in range(6))]

    straight, changed = fade(False), fade(True)
    assert [output is not None for output in straight] == [True] * 6 + [False] * 2
    assert [output is not None for output in changed] == [True] * 6 + [False] * 2
    for one, other in zip(straight[:6], changed[:6], strict=True):
        assert np.abs(one.pixels.astype(int) - other.pixels).max() <= 1


def test_times_come_from_the_clock_of_the_metrics():
    stream = Stream(tiny_sd(), t_index_list=(20,), **SMALL)
    stream.metrics.clock = lambda: 77.5
    output = stream(picture(80))
    assert (output.captured_at, output.rendered_at) == (77.5, 77.5)
    output = stream(Frame(picture(0), 9, captured_at=3.0))
    assert (output.captured_at, output.rendered_at) == (3.0, 77.5)


# --- turn by turn


class Turns:
    """A driver whose clock stands still but for what ``inbox.get`` waits."""

    def __init__(self, live=True, steps=1, **settings):
        self.now, self.waits, self.frames = 0.0, [], []
        self.stream = FakeStream(steps, clock=lambda: self.now)
        self.stream.update(**settings)
        self.outputs = []
        self.left, self.stop = 0, threading.Event()
        self.intake = SimpleNamespace(live=live, lost="", arrived_at=0.0)
        inbox = Mailbox()
        inbox.get = self.get
        self.driver = Driver(
            stream=self.stream,
            intake=self.intake,
            inbox=inbox,
            metrics=self.stream.metrics,
            clock=lambda: self.now,
            stop=self.stop,
            stall_after=1e9,
            deliver=lambda output: self.outputs.append((round(self.now, 6), output.source_id)),
            report=self.report,
            say=print,
        )

    def get(self, timeout=None):
        self.waits.append(timeout)
        if self.frames and self.frames[0].captured_at <= self.now + (timeout or 0):
            self.now = max(self.now, self.frames[0].captured_at)
            return self.frames.pop(0)
        self.now += timeout or 0
        raise TimeoutError

    def sleep(self, seconds):
        """What a step takes, where it takes time."""
        self.now += seconds

    def report(self):
        """The last thing in each turn."""
        self.left -= 1
        if not self.left:
            self.stop.set()

    def run(self, turns):
        self.left = turns
        self.stop.clear()
        self.driver.run()
        return self.outputs


def test_a_fade_at_rest_has_its_own_pace():
    turns = Turns(prompt_transition_frames=3)
    turns.frames = [Frame(picture(0), 0, 0.0)]
    turns.run(1)
    turns.stream.update(prompt="ink")
    assert turns.run(3) == [(0.0, 0), (0.0, 0), (0.05, 0), (0.1, 0)]
    assert not turns.stream.fading
    turns.run(1)
    assert turns.waits[-1] > 1e6, "it waits for a frame again"


def test_a_source_that_is_quick_enough_keeps_its_own_pace_in_a_fade():
    turns = Turns(prompt_transition_frames=4)
    turns.frames = [Frame(picture(number * 20), number, number / 30) for number in range(6)]
    turns.run(1)
    turns.stream.update(prompt="ink")
    turns.run(6)
    assert [number for _, number in turns.outputs] == [0, 0, 1, 2, 3, 4, 5], "once for the change, then new frames only"


def test_a_new_frame_goes_first_in_a_fade():
    turns = Turns(prompt_transition_frames=9)
    turns.frames = [Frame(picture(0), 0, 0.0), Frame(picture(99), 1, 0.12)]
    turns.run(1)
    turns.stream.update(prompt="ink")
    turns.run(5)
    assert turns.outputs[1:] == [(0.0, 0), (0.05, 0), (0.1, 0), (0.12, 1), (0.17, 1)]


def test_what_is_in_flight_does_not_wait_in_a_fade():
    turns = Turns(steps=3, prompt_transition_frames=2)
    turns.frames = [Frame(picture(0), 0, 0.0)]
    turns.run(3)
    assert turns.outputs == [(0.0, 0)]
    turns.stream.update(prompt="ink")
    turns.run(6)
    assert turns.outputs == [(0.0, 0), (0.0, 0), (0.05, 0)], "each comes out with all steps done at once"


def test_frames_of_a_file_are_not_repeated_in_a_fade():
    turns = Turns(live=False, prompt_transition_frames=9)
    turns.frames = [Frame(picture(0), 0, 0.0)]
    turns.run(1)
    turns.stream.update(prompt="ink")
    turns.run(3)
    assert turns.outputs == [(0.0, 0)]


def test_the_streams_without_a_network_fade_alike():
    stream = FakeStream(1)
    followed = Following(stream, {})
    stream.update(prompt_transition_frames=3)
    stream(picture(0))
    stream.update(prompt="ink")
    rendered = []
    for _ in range(5):
        rendered.append((followed.fading, stream(picture(0)) is not None))
        if len(rendered) == 1:
            stream.update(guidance_scale=1.5)
    assert rendered == [(True, True)] * 3 + [(False, False)] * 2
