"""A lost source is waited for: long where it is known to be gone, and live again within two seconds of coming back."""

import itertools
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inkstream.bench.synthetic import FakeStream
from inkstream.stream.base.errors import ConfigError, SourceLost, SourceUnavailable
from inkstream.stream.base.mailbox import Mailbox
from inkstream.stream.base.metrics import Metrics
from inkstream.stream.session.intake import LOOK, RETRY, Intake
from inkstream.stream.session.session import Session
from inkstream.stream.sinks.fake import FakeSink
from inkstream.stream.sources import KINDS, source_present

PICTURE = np.full((64, 64, 3), 200, np.uint8)
SLACK = 1e-6


class FakeTime(threading.Event):
    """A clock, and an event whose ``wait`` moves the clock instead of waiting."""

    def __init__(self, now=1000.0):
        super().__init__()
        self.now = now

    def __call__(self):
        return self.now

    def wait(self, timeout=None):
        assert timeout > 0
        if not self.is_set():
            self.now += timeout
        return self.is_set()


class Plug:
    """A module of sources: its device is lost at the first ``read``, and seen again after ``gone`` seconds.

    It can be opened ``moment`` seconds after that. ``tells``: what ``present`` can say about it.
    """

    def __init__(self, clock, gone, moment=0.0, tells=lambda here: here):
        self.clock, self.tells = clock, tells
        self.back_at = clock() + gone
        self.ready_at = self.back_at + moment
        self.tries, self.looks = [], []
        self.ended = clock if isinstance(clock, threading.Event) else threading.Event()

    def open(self, spec):
        self.tries.append(self.clock())
        if len(self.tries) > 1 and self.clock() < self.ready_at:
            raise SourceUnavailable("no device")
        return self

    def present(self, spec):
        self.looks.append(self.clock())
        return self.tells(self.clock() >= self.back_at)

    live = True

    def read(self):
        if len(self.tries) == 1:
            raise SourceLost("unplugged")
        self.ended.set()
        return PICTURE

    def close(self):
        pass


@pytest.fixture
def plugged(monkeypatch):
    """Make a module that the kind ``plug`` stands for."""

    def plug(module):
        monkeypatch.setitem(KINDS, "plug", "inkstream_plug")
        monkeypatch.setitem(sys.modules, "inkstream_plug", module)
        return module

    return plug


def lose(plug, time_, retry=RETRY):
    """Run an intake until the source is back; returns what it said meanwhile."""
    said = []
    intake = Intake("plug", Mailbox(), Metrics(time_), time_, time_, lambda: said.append(intake.lost), retry)
    intake.open()
    intake.run()
    assert intake.lost == "" and said.pop() == ""
    return said


def pauses(times):
    return [later - earlier for earlier, later in itertools.pairwise(times)]


each = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@each
@given(gone=st.floats(15.5, 90))
def test_a_source_that_is_seen_to_come_back_is_tried_at_once(plugged, gone):
    time_ = FakeTime()
    plug = plugged(Plug(time_, gone))
    said = lose(plug, time_)
    assert said[-1] == "no device; next try in 8 s, or when it is back", "the back-off was at its longest"
    assert 0 <= plug.tries[-1] - plug.back_at <= LOOK + SLACK
    assert min(pauses(plug.looks)) >= LOOK - SLACK, "twice a second at most"
    gone_tries = plug.tries[:-1]
    assert pauses(gone_tries) == pytest.approx([0.5, 1, 2, 4, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8][: len(gone_tries) - 1])


@each
@given(gone=st.floats(0, 90), moment=st.floats(0, 1.4))
def test_what_has_just_been_plugged_in_may_need_a_moment(plugged, gone, moment):
    time_ = FakeTime()
    plug = plugged(Plug(time_, gone, moment))
    lose(plug, time_)
    assert plug.tries[-1] - plug.back_at <= 2.0 + SLACK
    assert plug.tries[-1] - plug.ready_at <= 1.5 + SLACK


@each
@given(gone=st.floats(0, 90))
@pytest.mark.parametrize("tells", [lambda here: None, lambda here: True])
def test_where_nobody_can_tell_it_is_tried_often_enough(plugged, tells, gone):
    time_ = FakeTime()
    plug = plugged(Plug(time_, gone, tells=tells))
    lose(plug, time_)
    assert plug.tries[-1] - plug.back_at <= 1.5 + SLACK
    expected = [0.5, 1.0] + [1.5] * 70
    assert pauses(plug.tries) == pytest.approx(expected[: len(plug.tries) - 1]), "and no more often than that"


def test_a_kind_that_never_tells_and_a_function_are_of_that_sort(plugged):
    time_ = FakeTime()
    plug = Plug(time_, gone=60)
    plugged(SimpleNamespace(open=plug.open))
    said = lose(plug, time_)
    assert said[-1] == "no device; next try in 1.5 s"
    assert plug.tries[-1] - plug.back_at <= 1.5 + SLACK
    time_ = FakeTime()
    plug = Plug(time_, gone=60)
    intake = Intake(lambda: plug.open(None), Mailbox(), Metrics(time_), time_, time_, lambda: None)
    intake.open()
    intake.run()
    assert plug.tries[-1] - plug.back_at <= 1.5 + SLACK


def test_who_says_wrongly_that_it_is_gone_only_delays_it(plugged):
    time_ = FakeTime()
    plug = plugged(Plug(time_, gone=40, tells=lambda here: False))
    lose(plug, time_)
    assert plug.tries[-1] - plug.back_at <= 8 + SLACK


def test_a_desktop_that_comes_back_together_with_its_window(plugged):
    time_ = FakeTime()
    plug = plugged(Plug(time_, gone=20.2, tells=lambda here: here or None))
    lose(plug, time_)
    assert plug.tries[-1] - plug.back_at <= LOOK + SLACK


def test_a_loose_contact_is_no_busy_loop(plugged):
    time_ = FakeTime()
    plug = Plug(time_, gone=100)
    flickers = itertools.cycle([False, True])
    plug.tells = lambda here: next(flickers)
    lose(plugged(plug), time_)
    assert len(plug.looks) <= 201
    assert len(plug.tries) <= 250


def test_short_pauses_are_kept_as_they_are(plugged):
    time_ = FakeTime()
    plug = plugged(Plug(time_, gone=1))
    lose(plug, time_, retry=(0.125,))
    assert pauses(plug.tries[:-1]) == [0.125] * (len(plug.tries) - 2)
    assert min(pauses(plug.looks)) >= LOOK


def test_the_picture_is_back_within_two_seconds_in_real_time(plugged):
    plug = Plug(time.perf_counter, gone=0.4)
    plugged(plug)
    sink = FakeSink()
    Session("plug", FakeStream(1), [sink], retry=(60.0,)).run(frames=1)
    assert sink.count == 1
    assert time.perf_counter() - plug.back_at < 2.0


def test_stopping_ends_the_wait(plugged):
    plugged(Plug(time.perf_counter, gone=60))
    session = Session("plug", FakeStream(1), [FakeSink()])
    session.start()
    while not session.status.message:
        assert not session.wait(0.01)
    start = time.perf_counter()
    session.stop()
    assert time.perf_counter() - start < 1.5


def test_presence_of_an_unknown_kind_is_refused():
    with pytest.raises(ConfigError, match="expected one of: screen, camera"):
        source_present("tablet")
    assert source_present("demo") is None
