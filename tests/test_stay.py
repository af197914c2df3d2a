"""The last picture of a source that has ended stays in its window until somebody closes that."""

import threading
import time

import pytest

from inkstream.bench.synthetic import FakeStream
from inkstream.stream.base.errors import SinkClosed, SinkUnavailable
from inkstream.stream.base.frame import Size
from inkstream.stream.session.session import Session
from inkstream.stream.sinks.fake import FakeSink
from inkstream.stream.sources.fake import FakeSource

SMALL = Size(64, 64)


def until(condition, timeout=5.0):
    """Wait until ``condition()`` holds."""
    tick, end = threading.Event(), time.perf_counter() + timeout
    while not condition():
        assert time.perf_counter() < end, "it did not happen in time"
        tick.wait(0.002)


class Window(FakeSink):
    """Raises ``error`` once that is set, as a window that was closed does."""

    error: Exception | None = None

    def write(self, output, status):
        super().write(output, status)
        if self.error is not None:
            raise self.error


def staying(source, window, *others):
    """A session that is watched, in a thread as ``run`` would have it on the main one."""
    session = Session(source, FakeStream(), [window, *others], stay=True)
    thread = threading.Thread(target=session.run)
    thread.start()
    return session, thread


@pytest.mark.parametrize("live", [False, True])
def test_it_stays_until_the_window_is_closed_and_changes_act_on_the_last_picture(live):
    window, file = Window(interval=0.005, main=True), FakeSink()
    session, thread = staying(FakeSource(SMALL, fps=200, frames=5, live=live), window, file)
    until(lambda: session.status.message == "that was the last picture" and session.status.state == "idle")
    assert file.outputs[-1].source_id == 4 and not file.closed
    before = file.outputs[-1].revision
    session.update(prompt="another one")
    until(lambda: file.outputs[-1].revision > before)
    assert file.outputs[-1].source_id == 4 and thread.is_alive()
    window.error = SinkClosed("closed by the user")
    thread.join(5)
    assert not thread.is_alive() and file.closed and session.error is None


def test_a_window_that_fails_leaves_the_others_to_end_well():
    window, file = Window(interval=0.005, main=True), FakeSink()
    session, thread = staying(FakeSource(SMALL, frames=5, live=False), window, file)
    until(lambda: session.status.state == "idle")
    window.error = SinkUnavailable("its display is gone")
    thread.join(5)
    assert not thread.is_alive() and file.closed
    assert [output.source_id for output in file.outputs] == [0, 1, 2, 3, 4]


def test_without_a_window_it_ends_with_its_source():
    file = FakeSink()
    Session(FakeSource(SMALL, frames=5, live=False), FakeStream(), [file], stay=True).run()
    assert [output.source_id for output in file.outputs] == [0, 1, 2, 3, 4] and file.closed


def test_it_can_be_stopped_while_it_rests():
    window = Window(interval=0.005, main=True)
    session, thread = staying(FakeSource(SMALL, frames=2, live=False), window)
    until(lambda: session.status.state == "idle")
    session.stop()
    thread.join(5)
    assert not thread.is_alive() and window.closed
