"""The live loop between a source, a stream without a network, and sinks: pacing, settling, faults and endings."""

import errno
import io
import json
import logging
import queue
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from inkstream.bench.synthetic import FakeStream
from inkstream.stream.base.errors import (
    ConfigError,
    EngineError,
    FrameError,
    SinkClosed,
    SinkUnavailable,
    SourceEnded,
    SourceLost,
    SourceUnavailable,
)
from inkstream.stream.base.frame import Frame, Size
from inkstream.stream.base.mailbox import Mailbox
from inkstream.stream.base.metrics import Metrics
from inkstream.stream.session.driver import Driver
from inkstream.stream.session.fanout import Fanout
from inkstream.stream.session.intake import RETRY
from inkstream.stream.session.session import Session
from inkstream.stream.sinks import Status
from inkstream.stream.sinks.fake import FakeSink
from inkstream.stream.sinks.video import VideoSink
from inkstream.stream.sources.fake import FakeSource

SMALL = Size(64, 64)


@pytest.fixture(autouse=True)
def _no_grace(monkeypatch):
    """Scripted sources wait in read() until they are closed, so there is nothing to wait for."""
    monkeypatch.setattr("inkstream.stream.session.session.GRACE", 0.0)


def picture(level):
    return np.full((64, 64, 3), level, np.uint8)


class Scripted:
    """A source that gives what the test pushes: pictures, or errors to raise."""

    def __init__(self, live=True):
        self.live = live
        self.items = queue.Queue()
        self.closed = threading.Event()

    def push(self, *items):
        for item in items:
            self.items.put(item)

    def read(self):
        item = self.items.get()
        if isinstance(item, BaseException):
            raise item
        return item

    def close(self):
        self.closed.set()
        self.items.put(SourceEnded("closed"))


def ran(stream):
    """How many steps a stream has run."""
    return stream.metrics.summary()["stages"]["denoise"]["count"]


def until(condition, timeout=5.0):
    """Wait until ``condition()`` holds."""
    tick, end = threading.Event(), time.perf_counter() + timeout
    while not condition():
        assert time.perf_counter() < end, "it did not happen in time"
        tick.wait(0.002)


def show(source, sink, *pictures):
    """Give one picture after another, each when the one before has come out, so that none replaces another."""
    for pixels in pictures:
        count = sink.count
        source.push(pixels)
        assert sink.wait(count + 1)


def ids(sink):
    return [output.source_id for output in sink.outputs]


# --- sources that are not live


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_every_frame_of_a_file_is_rendered_in_order_and_the_last_one_comes_out(steps):
    source = FakeSource(SMALL, frames=50, pattern="solid", live=False)  # all alike: no gate here
    slow, paced = FakeSink(delay=0.001), FakeSink(interval=0.005)
    stream = FakeStream(steps)
    session = Session(source, stream, [slow, paced])
    session.run()
    assert ids(slow) == list(range(50))
    assert ids(paced)[-1] == 49, "a paced sink, too, ends with the last picture"
    assert stream.pending == 0
    assert slow.closed and paced.closed
    summary = session.summary()
    assert summary["frames_captured"] == summary["frames_rendered"] == 50
    assert summary["frames_dropped"] == summary["frames_skipped"] == 0
    assert summary["state"] == "stopped"


def test_outputs_are_those_of_their_inputs():
    source, sink = Scripted(live=False), FakeSink()
    source.push(picture(10), picture(20), picture(30), SourceEnded("done"))
    Session(source, FakeStream(3), [sink]).run()
    for output, level in zip(sink.outputs, (10, 20, 30), strict=True):
        assert (output.pixels == 255 - level).all()
        assert (output.input == level).all()


def test_frames_end_the_run():
    sink = FakeSink()
    Session(FakeSource(SMALL, live=False), FakeStream(2), [sink]).run(frames=7)
    assert ids(sink) == list(range(7))


def test_seconds_end_the_run():
    session = Session(Scripted(), FakeStream(), [FakeSink()])
    start = time.perf_counter()
    session.run(seconds=0.15)
    assert 0.15 <= time.perf_counter() - start < 2.5


def test_specifications_are_opened():
    session = Session("fake:frames=5,live=0,size=64x64", FakeStream(), ["null", "fake"])
    session.run()
    assert {name: sink["written"] for name, sink in session.summary()["sinks"].items()} == {"null": 5, "fake": 5}


# --- live sources


def test_a_source_of_240_fps_and_an_engine_of_50_never_queue():
    arrived, backlog = [0], []

    class Fast(FakeSource):
        def read(self):
            pixels = super().read()
            arrived[0] = self.given - 1
            return pixels

    class Slow(FakeStream):
        def __call__(self, frame, gated=True):
            backlog.append(arrived[0] - frame.id)
            return super().__call__(frame, gated)

    sink = FakeSink(keep=1000)
    session = Session(Fast(SMALL, fps=240, pattern="noise"), Slow(1, delay=0.02), [sink])
    session.run(frames=50)
    summary = session.summary()
    assert np.median(backlog) <= 1, "the engine takes the newest frame, not the next one"
    assert summary["frames_dropped"] > 50
    fates = sum(summary[f"frames_{fate}"] for fate in ("rendered", "dropped", "skipped", "refused"))
    assert 0 <= summary["frames_captured"] - fates <= 2, "every frame has one fate, but for those on their way"
    ages = [item.at - item.output.captured_at for item in sink.written]
    first, second = np.median(ages[:25]), np.median(ages[25:])
    assert second < first + 0.03, "latency is flat"
    assert np.median(ages) < 0.02 * 2 + 0.02, "(steps + 1) x inference + 20 ms"


def test_the_last_stroke_comes_out_without_another_frame_and_then_nothing_runs():
    source, sink, stream = Scripted(), FakeSink(), FakeStream(4)
    with Session(source, stream, [sink]) as session:
        session.start()
        show(source, sink, picture(0), picture(100))
        assert ids(sink) == [0, 1]
        steps = ran(stream)
        assert stream.pending == 0
        source.push(*[picture(100)] * 20)
        until(lambda: sum(session.metrics.counter(f"frames_{fate}") for fate in ("skipped", "dropped")) == 20)
        assert ran(stream) == steps, "an unchanged picture costs no step"
        assert session.status.state == "idle"
        source.push(picture(130))
        assert sink.wait(3)
        assert (sink.outputs[-1].pixels == 125).all()
        assert session.status.state == "live"
        assert session.summary()["frames_rendered"] == 3


def test_settling_is_said_while_the_input_rests_and_frames_are_in_flight():
    steps = threading.Semaphore(4)
    stream = FakeStream(4, delay=1.0, sleep=lambda _: steps.acquire(timeout=5))
    source, sink = Scripted(), FakeSink()
    with Session(source, stream, [sink]) as session:
        session.start()
        show(source, sink, picture(0))
        source.push(picture(100))
        steps.release()
        until(lambda: stream.pending == 1)
        source.push(picture(100))  # it comes while the engine advances the one before
        until(lambda: session.metrics.counter("frames_captured") == 3)
        steps.release(2)
        until(lambda: session.status.state == "settling")
        assert sink.count == 1
        steps.release()
        assert sink.wait(2)
        until(lambda: session.status.state == "idle")


def test_an_idle_session_sleeps():
    said, looks, source, stream = [], [], Scripted(), FakeStream(2)

    def clock():
        if threading.current_thread().name == "inkstream engine":
            looks.append(1)  # each turn of the engine's thread looks at the clock
        return time.perf_counter()

    with Session(source, stream, [FakeSink()], clock=clock, stall_after=0.01, on_status=said.append) as session:
        session.start()
        source.push(picture(0))
        until(lambda: ran(stream) == 2 and said[-1].state == "stalled" and stream.pending == 0)
        before = len(looks)
        assert before
        threading.Event().wait(0.15)
        assert len(looks) - before <= 5, "it waits for a frame, and does not look for one again and again"
        assert ran(stream) == 2


def test_a_stalled_source_is_said_and_the_last_picture_goes_on():
    said, paced = [], FakeSink(interval=0.01, keep=10_000)
    source = Scripted()
    with Session(source, FakeStream(2), [paced], on_status=said.append, stall_after=0.1) as session:
        session.start()
        source.push(picture(0))
        until(lambda: any(status.state == "stalled" for status in said))
        stalled = next(status for status in said if status.state == "stalled")
        assert "no picture for" in stalled.message
        count = paced.count
        assert paced.wait(count + 5), "sinks are paced on"
        assert paced.outputs[-1].source_id == 0
        source.push(picture(90))
        until(lambda: ids(paced)[-1] == 1)
        assert [status.state for status in said][:4] == ["warming", "live", "stalled", "live"]


def test_a_source_that_never_gives_a_frame_is_stalled():
    with Session(Scripted(), FakeStream(), [FakeSink()], stall_after=0.05) as session:
        session.start()
        assert session.status.state == "warming"
        until(lambda: session.status.state == "stalled")


def test_a_stall_is_reported_even_when_its_time_comes_just_after_a_report():
    now, reports, stop = [0.0], [], threading.Event()
    inbox, stream = Mailbox(), FakeStream(1)

    def report():
        reports.append(now[0])
        if len(reports) == 1:
            now[0] = 5.0  # between this report and the next look at the clock
        else:
            stop.set()

    driver = Driver(
        stream=stream,
        intake=SimpleNamespace(live=True, lost="", arrived_at=0.0),
        inbox=inbox,
        metrics=stream.metrics,
        clock=lambda: now[0],
        stop=stop,
        stall_after=1.0,
        deliver=lambda output: True,
        report=report,
        say=print,
    )
    inbox.put(Frame(picture(0)))
    thread = threading.Thread(target=driver.run, daemon=True)
    thread.start()
    thread.join(5)
    assert reports == [0.0, 5.0]


@pytest.mark.parametrize(
    ("shape", "fit", "to", "said"),
    [
        (
            (180, 640),
            "crop",
            (256, 256),
            "the middle 180x180 are rendered; set width=480 and height=136, or fit",
        ),
        (
            (200, 64),
            "crop",
            (64, 64),
            "top and bottom are cut off, of 64x200 pixels the middle 64x64 are rendered; set fit=letterbox",
        ),
        ((64, 70), "crop", (64, 64), ""),
        ((64, 200), "letterbox", (64, 64), ""),
    ],
)
def test_much_that_is_cropped_is_said_once(shape, fit, to, said, caplog):
    source, stream = Scripted(), FakeStream(1, size=Size(*to))
    stream.update(fit=fit)
    source.push(*(np.full((*shape, 3), level, np.uint8) for level in (1, 90)), SourceEnded("done"))
    Session(source, stream, [FakeSink()]).run()
    told = [record.message for record in caplog.records if record.message.startswith("cropped")]
    assert len(told) == bool(said)
    assert said in caplog.text


def test_a_sheet_of_another_shape_that_is_cropped_at_other_sides_is_said_too(caplog):
    source = FakeSource(Size(200, 64), frames=9, resize_at=5, resize=Size(64, 200), live=False)
    Session(source, FakeStream(1, size=Size(64, 64)), [FakeSink()]).run()
    told = [record.message.split(",")[0] for record in caplog.records if record.message.startswith("cropped")]
    assert told == ["cropped: the sides are cut off", "cropped: top and bottom are cut off"]


def test_the_size_of_the_source_may_change():
    sink = FakeSink()
    source = FakeSource(SMALL, frames=10, resize_at=5, resize=Size(200, 100), live=False)
    Session(source, FakeStream(), [sink]).run()
    assert len(sink.outputs) == 10
    assert {output.pixels.shape for output in sink.outputs} == {(64, 64, 3)}


def test_a_clock_that_jumps_an_hour_does_not_disturb_the_cadence():
    offset = [0.0]
    clock = lambda: time.perf_counter() + offset[0]
    sink = FakeSink(interval=0.01, keep=10_000)
    with Session(FakeSource(SMALL, fps=100), FakeStream(), [sink], clock=clock) as session:
        session.start()
        assert sink.wait(10)
        offset[0], count, jumped = 3600.0, sink.count, time.perf_counter()
        assert sink.wait(count + 20)
        assert time.perf_counter() - jumped > 0.15, "no burst makes up for the hour"
        assert session.status.state == "live"


# --- lost sources


def opener(*sources):
    """A factory that gives one after another; an exception is raised, a list is pushed into a scripted source."""
    waiting = list(sources)

    def scripted():
        item = waiting.pop(0)
        if isinstance(item, Exception):
            raise item
        source = Scripted()
        source.push(*item)
        return source

    return scripted


def test_a_lost_source_is_opened_again_with_growing_pauses():
    assert RETRY == (0.5, 1.0, 2.0, 4.0, 8.0)
    said, sink = [], FakeSink()
    gone = SourceUnavailable("no camera 0: plug it in")
    factory = opener(
        [picture(0), SourceLost("unplugged")], gone, gone, ConfigError("region is off screen"), [picture(9)]
    )
    session = Session(factory, FakeStream(1), [sink], on_status=said.append, retry=(0.01, 0.02, 0.04))
    session.run(frames=2)
    assert ids(sink) == [0, 1], "the numbers go on"
    messages = [status.message for status in said if status.state == "reconnecting"]
    assert [message.rpartition("next try in ")[2] for message in messages] == ["0.01 s", "0.02 s", "0.04 s", "0.04 s"]
    assert "unplugged" in messages[0] and "plug it in" in messages[1] and "off screen" in messages[3]


def test_the_pauses_start_anew_only_after_a_frame():
    lost = SourceLost("flickers")
    said = []
    factory = opener([lost], [lost], [picture(0), lost], [picture(50)])
    session = Session(factory, FakeStream(1), [FakeSink()], on_status=said.append, retry=(0.01, 0.02, 0.04))
    session.run(frames=2)
    pauses = [status.message.rpartition("in ")[2] for status in said if status.state == "reconnecting"]
    assert pauses == ["0.01 s", "0.02 s", "0.01 s"]


def test_the_first_opening_must_succeed():
    sink = FakeSink()
    with pytest.raises(SourceUnavailable, match="nobody"):
        Session(opener(SourceUnavailable("nobody there")), FakeStream(), [sink]).run()
    assert sink.closed


def test_a_source_object_that_is_lost_ends_the_session_and_says_how_to_do_better():
    source = Scripted()
    source.push(SourceLost("unplugged"))
    with pytest.raises(SourceLost, match=r"unplugged.*function that opens it") as caught:
        Session(source, FakeStream(), [FakeSink()]).run()
    assert isinstance(caught.value.__cause__, SourceLost)


def test_stopping_does_not_wait_for_the_next_try():
    session = Session(opener([SourceLost("gone")]), FakeStream(), [FakeSink()])  # the first pause is 0.5 s
    session.start()
    until(lambda: session.status.state == "reconnecting")
    start = time.perf_counter()
    session.stop()
    assert time.perf_counter() - start < 0.4


# --- unusable frames, and faults


def test_unusable_frames_are_counted_and_left_out():
    source, sink = Scripted(live=False), FakeSink()
    bad = np.full((64, 64, 3), np.nan, np.float32)
    for _ in range(60):
        source.push(FrameError("torn"), bad, np.zeros((0, 0, 3), np.uint8), picture(5))
    source.push(SourceEnded("done"))
    session = Session(source, FakeStream(2), [sink])
    session.run()
    summary = session.summary()
    assert summary["frames_rendered"] == 60
    assert summary["frames_refused"] == 180
    assert summary["frames_captured"] == 240


@pytest.mark.parametrize("item", [FrameError("torn"), np.zeros((0, 0, 3), np.uint8)])
def test_a_hundred_unusable_frames_in_a_row_are_a_fault(item):
    source = Scripted(live=False)
    source.push(picture(1), *[item] * 100)
    with pytest.raises(FrameError, match="100 unusable frames in a row") as caught:
        Session(source, FakeStream(), [FakeSink()]).run()
    assert isinstance(caught.value.__cause__, FrameError)


def test_any_other_error_of_a_source_reaches_the_caller():
    source, sink, fault = Scripted(), FakeSink(), OSError("device on fire")
    source.push(picture(0), fault)
    session = Session(source, FakeStream(), [sink])
    with pytest.raises(OSError) as caught:
        session.run()
    assert caught.value is fault is session.error
    assert sink.closed and source.closed.is_set()


@pytest.mark.parametrize("fault", [EngineError("ten unusable pictures in a row"), ZeroDivisionError("bug")])
def test_any_error_of_the_engine_reaches_the_caller(fault):
    class Broken(FakeStream):
        def __call__(self, frame, gated=True):
            raise fault

    source, sink = FakeSource(SMALL, fps=200), FakeSink(interval=0.01)
    with pytest.raises(type(fault)) as caught:
        Session(source, Broken(), [sink]).run()
    assert caught.value is fault
    assert sink.closed


def test_started_in_the_background_the_error_is_kept():
    source = Scripted()
    source.push(RuntimeError("bug"))
    with Session(source, FakeStream(), [FakeSink()]) as session:
        session.start()
        assert session.wait(5)
        assert isinstance(session.error, RuntimeError)
        assert session.status.state == "stopped" and "bug" in session.status.message


# --- sinks


def test_a_slow_sink_slows_nobody():
    slow, quick = FakeSink(delay=0.3), FakeSink(keep=1000)
    Session(FakeSource(SMALL, fps=200, pattern="noise"), FakeStream(), [slow, quick]).run(frames=60)
    assert quick.count >= 50
    assert slow.count <= 5


def test_a_failing_sink_is_dropped_with_its_reason_and_the_others_go_on(caplog):
    class Broken(FakeSink):
        def write(self, output, status):
            raise OSError("disk full")

    failing, broken, good = FakeSink(fail_at=3), Broken(), FakeSink(keep=1000)
    session = Session(FakeSource(SMALL, frames=40, live=False), FakeStream(), [failing, broken, good])
    session.run()
    assert ids(good) == list(range(40))
    assert failing.count == 3 and failing.closed and broken.closed
    summary = session.summary()
    assert "disk full" in summary["dropped"]["Broken"]
    assert "failed at write 3" in summary["dropped"]["FakeSink"]
    assert "is off" in summary["message"]
    assert "disk full" in caplog.text


def test_the_last_sink_to_fail_ends_the_session():
    first, last = FakeSink(fail_at=1), FakeSink(fail_at=5)
    session = Session(FakeSource(SMALL, fps=100), FakeStream(), [first, last])
    with pytest.raises(SinkUnavailable, match=r"no sink is left: .*write 1.*write 5") as caught:
        session.run()
    assert "write 5" in str(caught.value.__cause__)


def test_a_sink_that_cannot_be_opened_is_left_out(monkeypatch, caplog):
    def refuse(text):
        if text == "virtualcam":
            raise SinkUnavailable("virtualcam: it is taken: close OBS")
        return FakeSink()

    monkeypatch.setattr("inkstream.stream.session.fanout.open_sink", refuse)
    session = Session(FakeSource(SMALL, frames=5, live=False), FakeStream(), ["virtualcam", "fake"])
    session.run()
    assert "close OBS" in session.summary()["dropped"]["virtualcam"]
    assert "virtualcam is off: it is taken: close OBS" in caplog.text
    assert session.summary()["sinks"]["fake"]["written"] == 5
    source = FakeSource(SMALL)
    with pytest.raises(SinkUnavailable, match="close OBS"):
        Session(source, FakeStream(), ["virtualcam"]).run()
    with pytest.raises(SourceEnded):
        source.read()  # it was closed


class Unfinished(FakeSink):
    """Cannot write the end, and takes a while to find out."""

    def close(self):
        if not self.closed:
            super().close()
            threading.Event().wait(0.1)
            raise SinkUnavailable("recording stopped: disk full; 3.0 seconds were kept")


@pytest.mark.parametrize("main", [False, True])
@pytest.mark.parametrize("end", ["source", "stop"])
def test_what_goes_wrong_at_the_very_end_of_a_sink_is_said(end, main, caplog):
    said, bad, good = [], Unfinished(main=main), FakeSink()
    source = FakeSource(SMALL, frames=5 if end == "source" else None, fps=200)
    with Session(source, FakeStream(1), [bad, good], on_status=said.append) as session:
        session.start()
        assert good.wait(1)
        if end == "source":
            assert session.wait(5)
    assert session.error is None, "the other one is whole"
    summary = session.summary()
    assert summary["dropped"] == {"Unfinished": "recording stopped: disk full; 3.0 seconds were kept"}
    for text in (summary["message"], said[-1].message, caplog.text):
        assert "Unfinished is off: recording stopped: disk full; 3.0 seconds were kept" in text
    assert said[-1].state == summary["state"] == "stopped"
    assert bad.closed and good.closed


def test_a_recording_that_alone_cannot_be_finished_is_a_fault(tmp_path):
    class Full(io.FileIO):
        def write(self, data):
            if self.tell() + len(data) > 2000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    sink = VideoSink(tmp_path / "a.mp4", create=lambda path: Full(path, "xb"))
    session = Session(FakeSource(SMALL, frames=1, live=False, pattern="noise"), FakeStream(), [sink])
    with pytest.raises(SinkUnavailable, match="no sink is left: VideoSink: video: recording stopped: disk full"):
        session.run()
    assert session.summary()["sinks"]["VideoSink"]["written"] == 1, "it failed after the last picture"


def test_a_fault_at_the_end_reaches_the_caller_however_late_it_comes():
    with pytest.raises(SinkUnavailable, match=r"no sink is left: Unfinished: .*3\.0 seconds"):
        Session(FakeSource(SMALL, frames=2, live=False), FakeStream(), [Unfinished()]).run()


def test_a_sink_counts_as_closed_only_when_everything_was_said_about_it():
    seen = []
    fanout = Fanout(
        [Unfinished()],
        Metrics(),
        time.perf_counter,
        Status,
        end=lambda: seen.append("end"),
        fail=lambda error: seen.append(("fail", fanout.closed)),
        say=lambda text, error: seen.append(("say", fanout.closed)),
        ring=lambda: None,
    )
    fanout.open(SimpleNamespace())
    fanout.finish()
    fanout.turn(fanout.outlets[0], block=True)
    assert seen == [("say", False), ("fail", False)], "who waits for the end then finds the fault"
    assert fanout.closed


def test_a_sink_that_fails_twice_says_both_things(caplog):
    class Doomed(Unfinished):
        def write(self, output, status):
            raise OSError("the disk was pulled")

    session = Session(FakeSource(SMALL, frames=2, live=False), FakeStream(), [Doomed(), FakeSink()])
    session.run()
    assert session.summary()["dropped"]["Doomed"].startswith("the disk was pulled; then it could not be closed: rec")
    assert "Doomed is off: the disk was pulled" in caplog.text
    assert "Doomed cannot be closed: recording stopped" in caplog.text


def test_a_sink_that_was_never_used_and_cannot_be_closed_is_said():
    with Session(Scripted(), FakeStream(), [Unfinished()]) as session:
        pass
    assert "Unfinished cannot be closed: recording stopped" in session.status.message


def test_closing_a_window_ends_the_session():
    window, other = FakeSink(main=True, close_at=5), FakeSink()
    session = Session(FakeSource(SMALL, fps=200), FakeStream(), [window, other])
    session.run()
    assert session.error is None
    assert window.count == 5
    assert window.closed and other.closed


def test_closing_another_sink_does_not():
    closing, other = FakeSink(close_at=5), FakeSink(keep=100)
    session = Session(FakeSource(SMALL, frames=30, live=False), FakeStream(), [closing, other])
    session.run()
    assert len(other.outputs) == 30
    only = FakeSink(close_at=5)
    Session(FakeSource(SMALL, fps=200), FakeStream(), [only]).run()
    assert only.count == 5


def test_each_sink_is_written_by_one_thread_and_windows_by_the_main_one():
    window, paced, other = FakeSink(main=True), FakeSink(main=True, interval=0.005), FakeSink()
    Session(FakeSource(SMALL, fps=200, frames=40), FakeStream(), [window, paced, other]).run()
    assert window.threads == paced.threads == {threading.main_thread().ident}
    assert len(other.threads) == 1 and other.threads != window.threads
    assert ids(window)[-1] == ids(paced)[-1] == ids(other)[-1] == 39


def test_windows_of_a_started_session_are_pumped_by_the_caller():
    window = FakeSink(main=True)
    with Session(FakeSource(SMALL, fps=200), FakeStream(), [window]) as session:
        session.start()
        until(lambda: session.pump() >= 0 and window.count >= 5)
        count = window.count
        assert session.wait(0.1) is False
        assert window.count > count
        assert window.threads == {threading.get_ident()}
        refused = []

        def elsewhere():
            with pytest.raises(RuntimeError, match="thread that called start"):
                session.pump()
            refused.append(session.wait(0.01))

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert refused == [False]
    assert window.closed


def test_a_paced_sink_is_called_before_the_first_picture_and_repeats_the_last():
    source, paced = Scripted(), FakeSink(interval=0.005, keep=10_000)
    with Session(source, FakeStream(1), [paced]) as session:
        session.start()
        assert paced.wait(5)
        assert paced.written[0].output is None and paced.written[0].status.state == "warming"
        source.push(picture(3))
        until(lambda: len(paced.outputs) >= 10)
    summary = session.summary()
    assert summary["stages"]["end_to_end"]["count"] == summary["frames_rendered"] == 1
    assert summary["stages"]["sink"]["count"] == len(paced.outputs)


def test_sinks_with_keys_get_the_controls():
    sink = FakeSink()
    session = Session(FakeSource(SMALL, frames=1, live=False), FakeStream(), [sink])
    session.run()
    assert sink.controls is session


# --- live change


def test_a_hundred_updates_lose_no_frame():
    sink, stream = FakeSink(keep=1000), FakeStream(3)
    source = Scripted(live=False)
    with Session(source, stream, [sink]) as session:
        session.start()
        for number in range(100):
            source.push(picture(number), picture(number + 100), picture(number + 50))
            session.update(guidance_scale=1.0 + number / 100)
        source.push(SourceEnded("done"))
        assert session.wait(10)
        until(lambda: stream.config.guidance_scale == 1.99)
    assert ids(sink) == list(range(300))
    revisions = [output.revision for output in sink.outputs]
    assert revisions == sorted(revisions)


@pytest.mark.parametrize("rest", ["static", "stalled", "frozen"])
def test_a_change_renders_the_last_frame_again_when_the_input_rests(rest):
    source, sink, stream = Scripted(), FakeSink(), FakeStream(3)
    with Session(source, stream, [sink], stall_after=0.02 if rest == "stalled" else 60) as session:
        session.start()
        show(source, sink, picture(0), picture(70))
        if rest == "static":
            source.push(picture(70))
            until(lambda: session.status.state == "idle")
        elif rest == "stalled":
            until(lambda: session.status.state == "stalled")
        else:
            session.freeze(True)
            source.push(picture(200))
        session.update(prompt="ink")
        assert sink.wait(3)
        last = sink.outputs[-1]
        assert (last.revision, stream.revision) == (1, 1)
        assert (last.pixels == 185).all(), "the last frame that was taken"
        rendered = session.summary()
        assert rendered["frames_rendered"] == rendered["stages"]["end_to_end"]["count"] == 2, "and no new one"


def test_frozen_takes_no_new_frame_and_goes_on_with_the_newest():
    source, sink = Scripted(), FakeSink()
    with Session(source, FakeStream(2), [sink]) as session:
        session.start()
        source.push(picture(0))
        assert sink.wait(1)
        session.freeze(True)
        until(lambda: session.status.message == "frozen")
        source.push(*(picture(level) for level in range(20, 220, 20)))
        until(lambda: session.metrics.counter("frames_captured") == 11)
        assert sink.count == 1 and session.status.state == "idle"
        session.freeze(False)
        assert sink.wait(2)
        assert ids(sink) == [0, 10]
        assert session.metrics.counter("frames_dropped") == 9


def test_a_refused_change_is_said_and_changes_nothing(caplog):
    said, stream = [], FakeStream()
    with Session(Scripted(), stream, [FakeSink()], on_status=said.append) as session:
        session.start()
        session.update(guidance_scale=-1.0)
        until(lambda: any("guidance_scale" in status.message for status in said))
        assert stream.revision == 0
        assert (
            session.status.message.startswith("not changed: guidance_scale: got -1.0")
            and session.status.message in caplog.text
        )
        session.update(no_such_setting=1)
        until(lambda: "no_such_setting" in session.status.message)
        session.update(guidance_scale=1.5)
        until(lambda: stream.revision == 1)
    session.update(prompt="too late")
    assert "not changed" in caplog.text.splitlines()[-1]


def test_every_notice_is_told_however_fast_they_come():
    told = []
    session = Session(Scripted(), FakeStream(), [FakeSink()], on_status=lambda status: told.append(status.message))
    session.start()
    for number in range(20):
        session._say(f"notice {number}")
    session.stop()
    assert [text for text in told if "notice" in text][:20] == [f"notice {number}" for number in range(20)]


def test_a_change_that_fails_badly_does_not_end_the_session():
    class Fragile(FakeStream):
        def update(self, **changes):
            raise RuntimeError("out of memory")

    source, sink = Scripted(), FakeSink()
    with Session(source, Fragile(1), [sink]) as session:
        session.start()
        session.update(prompt="ink")
        until(lambda: "out of memory" in session.status.message)
        source.push(picture(1))
        assert sink.wait(1)
        assert session.error is None


def test_update_returns_at_once_while_a_change_is_being_made():
    gate = threading.Event()

    class Careful(FakeStream):
        def update(self, **changes):
            gate.wait(5)
            return super().update(**changes)

    stream, sink = Careful(1), FakeSink()
    with Session(FakeSource(SMALL, fps=200), stream, [sink]) as session:
        session.start()
        start = time.perf_counter()
        for number in range(1000):
            session.update(drawing_influence=number / 10)
        assert time.perf_counter() - start < 2
        count = sink.count
        assert sink.wait(count + 5), "the picture goes on"
        gate.set()
        until(lambda: stream.config.drawing_influence == 99.9)
        assert stream.revision <= 3, "waiting changes became one"


# --- status and ending


def test_status_tells_rate_latency_size_and_values():
    stream = FakeStream(1, size=Size(128, 64))
    stream.update(prompt="a cat")
    with Session(FakeSource(SMALL, fps=100, pattern="noise"), stream, [FakeSink()]) as session:
        session.start()
        until(lambda: session.metrics.counter("frames_rendered") >= 40)
        until(lambda: session.status.fps > 10)
        status = session.status
        assert status.fps < 130
        assert 0 < status.latency_ms < 500
        assert status.size == (128, 64)
        assert status.values["prompt"] == "a cat"
        assert status.values["drawing_influence"] == 50.0
        json.dumps(session.summary())


def test_states_are_reported_once_each_in_order():
    said, source, sink = [], Scripted(), FakeSink()
    with Session(source, FakeStream(1), [sink], on_status=said.append) as session:
        session.start()
        source.push(picture(0))
        assert sink.wait(1)
        source.push(*[picture(0)] * 5)
        until(lambda: said and said[-1].state == "idle")
        source.push(picture(100))
        until(lambda: said[-1].state == "live")
    assert [status.state for status in said] == ["live", "idle", "live", "stopped"]


def test_stop_returns_within_two_seconds_whatever_blocks(caplog):
    stuck, release = threading.Semaphore(0), threading.Event()

    def block(*_):
        stuck.release()
        release.wait(30)

    class Source(Scripted):
        def read(self):
            return super().read() if self.items.qsize() else block()

        def close(self):
            block()

    class Stream(FakeStream):
        def __call__(self, frame, gated=True):
            if self.metrics.counter("frames_rendered"):
                block()
            return super().__call__(frame, gated)

    sink, source = FakeSink(), Source(live=False)
    sink.write = block
    source.push(picture(0), picture(100))
    session = Session(source, Stream(1), [sink, FakeSink()])
    session.start()
    for _ in range(3):
        assert stuck.acquire(timeout=5)
    start = time.perf_counter()
    session.stop()
    took = time.perf_counter() - start
    release.set()
    assert took < 2.0
    warnings = [record.message for record in caplog.records if "left behind" in record.message]
    assert len(warnings) == 1
    for thread in ("inkstream source", "inkstream engine", "inkstream sink FakeSink", "inkstream close source"):
        assert thread in warnings[0]
    assert "FakeSink #2" not in warnings[0]


@pytest.mark.parametrize("fault", [SourceLost("closed"), OSError("handle is invalid")])
def test_a_blocked_read_does_not_hold_up_the_engine(fault, caplog):
    class Blocked(Scripted):
        def close(self):
            self.items.put(fault)

    source, paced, stream = Blocked(), FakeSink(interval=0.005), FakeStream(3)
    session = Session(source, stream, [paced])
    session.start()
    source.push(picture(0))
    until(lambda: paced.outputs)
    count = paced.count
    assert paced.wait(count + 10)
    session.stop()
    assert session.error is None and not caplog.records, "what a driver raises because it is closed is no fault"


def test_stop_may_be_called_again_by_anyone_at_once():
    said = []
    session = Session(FakeSource(SMALL, fps=200), FakeStream(), [FakeSink()], on_status=said.append)
    session.start()
    threads = [threading.Thread(target=session.stop) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(3)
        assert not thread.is_alive()
    session.stop()
    assert [status.state for status in said].count("stopped") == 1
    assert session.finished
    with pytest.raises(RuntimeError, match="new Session"):
        session.start()


def test_stop_from_within_a_callback():
    def stop(status):
        if status.state == "live":
            session.stop()

    session = Session(FakeSource(SMALL, fps=200), FakeStream(), [FakeSink()], on_status=stop)
    session.run()
    assert session.finished and session.error is None


def test_a_session_that_never_ran_closes_what_it_was_given():
    source, sink = Scripted(), FakeSink()
    with Session(source, FakeStream(), [sink]):
        pass
    assert source.closed.is_set() and sink.closed


def test_a_video_that_takes_long_to_finish_is_finished_when_the_source_ends(monkeypatch):
    monkeypatch.setattr("inkstream.stream.session.session.STOP_WITHIN", 0.05)

    class Recorder(FakeSink):
        def close(self):
            threading.Event().wait(0.3)  # longer than stop() waits
            super().close()

    sink = Recorder()
    Session(FakeSource(SMALL, frames=3, live=False), FakeStream(), [sink]).run()
    assert sink.closed and len(sink.outputs) == 3


def test_wrong_arguments():
    with pytest.raises(ConfigError, match="at least one"):
        Session(FakeSource(SMALL), FakeStream(), [])
    with pytest.raises(ConfigError, match="expected an object with read"):
        Session(42, FakeStream(), ["null"])


def test_a_class_can_be_the_factory():
    session = Session(lambda: FakeSource(SMALL, frames=2, live=False), FakeStream(), ["null"])
    session.run()
    assert session.summary()["frames_rendered"] == 2

    class Two(FakeSource):
        live = False

        def __init__(self):
            super().__init__(SMALL, frames=2, live=False)

    session = Session(Two, FakeStream(), ["null"])
    session.run()
    assert session.summary()["frames_rendered"] == 2


def test_closed_sinks_raise_nothing_in_the_log(caplog):
    with caplog.at_level(logging.WARNING):
        Session(FakeSource(SMALL, frames=10, fps=500), FakeStream(), [FakeSink(), FakeSink(interval=0.01)]).run()
    assert not caplog.records
    assert issubclass(SinkClosed, Exception)
