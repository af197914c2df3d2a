"""A recording beside the other sinks of a session: begun and ended while pictures come."""

import threading
import time

import av
import numpy as np
import pytest

from inkstream.bench.synthetic import FakeStream
from inkstream.stream.base.errors import SinkUnavailable
from inkstream.stream.base.frame import Size
from inkstream.stream.base.terminal import NOTE
from inkstream.stream.session.session import Session
from inkstream.stream.sinks.fake import FakeSink
from inkstream.stream.sinks.video import VideoSink
from inkstream.stream.sources.fake import FakeSource


class Still:
    live = True

    def __init__(self):
        self.closed = threading.Event()

    def read(self):
        self.closed.wait(0.01)
        return np.full((64, 64, 3), 90, np.uint8)

    def close(self):
        self.closed.set()


def until(session, true, seconds=20.0):
    for _ in range(int(seconds / 0.01)):
        if true():
            return
        assert not session.wait(0.01), session.error
    raise AssertionError("never")


@pytest.fixture
def session():
    source = FakeSource(Size(64, 64), fps=200, pattern="noise")
    with Session(source, FakeStream(1), [FakeSink()]) as session:
        session.start()
        until(session, lambda: session.status.state == "live")
        yield session


def pictures(path) -> int:
    with av.open(str(path)) as film:
        return sum(1 for _ in film.decode(video=0))


def test_a_recording_begins_ends_and_says_where_it_is(session, tmp_path, caplog):
    caplog.set_level(NOTE, "inkstream")
    session.record(lambda: VideoSink(tmp_path / "show.mp4"))
    until(session, lambda: session.status.recording == str(tmp_path / "show.mp4"))
    before = session.metrics.counter("frames_rendered")
    until(session, lambda: session.metrics.counter("frames_rendered") > before + 20)
    session.record(None)
    until(session, lambda: f"recorded {tmp_path / 'show.mp4'}" in session.status.message)
    (said,) = (record for record in caplog.records if record.message.startswith("recorded "))
    assert said.levelno == NOTE, "it is no warning"
    assert session.status.recording == ""
    assert pictures(tmp_path / "show.mp4") > 5
    assert session.summary()["kept"] == {"recording 1": str(tmp_path / "show.mp4")}
    assert session.status.state == "live"  # the others went on


def test_a_session_that_ends_finishes_its_recording(session, tmp_path):
    session.record(lambda: VideoSink(tmp_path / "show.mp4"))
    until(session, lambda: session.status.recording)
    before = session.metrics.counter("frames_rendered")
    until(session, lambda: session.metrics.counter("frames_rendered") > before + 20)
    session.stop()
    assert session.finished and pictures(tmp_path / "show.mp4") > 5
    assert session.summary()["kept"] == {"recording 1": str(tmp_path / "show.mp4")}
    session.record(lambda: pytest.fail("opened after the end"))


def test_another_recording_ends_the_one_before(session, tmp_path):
    for name in ("a.mp4", "b.mp4"):
        session.record(lambda name=name: VideoSink(tmp_path / name))
        until(session, lambda name=name: session.status.recording == str(tmp_path / name))
        before = session.metrics.counter("frames_rendered")
        until(session, lambda before=before: session.metrics.counter("frames_rendered") > before + 20)
    until(session, lambda: "recorded" in session.status.message)
    assert pictures(tmp_path / "a.mp4") > 5


def test_what_cannot_be_opened_or_fails_later_is_said_and_the_others_go_on(session):
    def none():
        raise SinkUnavailable("video: no room")

    session.record(none)
    until(session, lambda: session.status.message == "recording 1 is off: video: no room")
    session.record(lambda: FakeSink(fail_at=2))
    until(session, lambda: "recording 2" in session.summary()["dropped"])
    assert not session.finished and session.status.state == "live"


def test_a_recording_that_takes_its_time_to_open_does_not_outlive_the_session(tmp_path):
    opened, go = [], threading.Event()

    def slow():
        go.wait(20)
        opened.append(VideoSink(tmp_path / "late.mp4"))
        return opened[0]

    with Session(FakeSource(Size(64, 64), fps=200, pattern="noise"), FakeStream(1), [FakeSink()]) as session:
        session.start()
        session.record(slow)
        threading.Timer(0.3, go.set).start()
        session.stop()
    assert session.finished


def test_a_picture_that_rests_is_recorded_for_as_long_as_it_is_there(tmp_path):
    with Session(Still(), FakeStream(1), [FakeSink()]) as session:
        session.start()
        until(session, lambda: session.status.state == "idle")
        session.record(lambda: VideoSink(tmp_path / "still.mp4"))
        until(session, lambda: session.status.recording)
        session.wait(1.2)
        session.record(None)
        until(session, lambda: "recorded" in session.status.message)
    with av.open(str(tmp_path / "still.mp4")) as film:
        assert 0.9 < film.duration / av.time_base < 8


def test_what_changes_after_a_rest_is_recorded_when_it_was_seen(tmp_path):
    shown = FakeSink()
    with Session(Still(), FakeStream(1), [shown]) as session:
        session.start()
        until(session, lambda: session.status.state == "idle")
        session.wait(1.2)  # the picture is old when the recording begins
        began = time.perf_counter()
        session.record(lambda: VideoSink(tmp_path / "show.mp4"))
        until(session, lambda: session.status.recording)
        session.wait(0.2)
        session.update(prompt="other words")
        until(session, lambda: shown.outputs[-1].revision > shown.outputs[0].revision)
        changed = time.perf_counter() - began
        session.record(None)
        until(session, lambda: "recorded" in session.status.message)
    with av.open(str(tmp_path / "show.mp4")) as film:
        times = [frame.time for frame in film.decode(video=0)]
    assert 0.15 < times[-1] < changed + 0.1
