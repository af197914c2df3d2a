"""A display that goes away, closes the window or hangs while other sinks go on; sinks that never come back."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from doubles.x11 import Painter, x_server

from inkstream.bench.synthetic import FakeStream
from inkstream.stream.base.errors import SinkUnavailable
from inkstream.stream.base.frame import Size
from inkstream.stream.session import fanout
from inkstream.stream.session.session import Session
from inkstream.stream.sinks.fake import FakeSink
from inkstream.stream.sinks.keep import Keeper
from inkstream.stream.sources.fake import FakeSource

SMALL = Size(64, 64)

PROGRAM = """
import faulthandler, json, os, sys, threading, time
faulthandler.dump_traceback_later(25)  # where it hangs, if it does
from inkstream.bench.synthetic import FakeStream
from inkstream.stream.session.session import Session
from inkstream.stream.sinks import open_sink
from inkstream.stream.sinks.window import lifeline
from inkstream.stream.base.errors import SinkUnavailable

source, folder, lifeline.PATIENCE = sys.argv[1], sys.argv[2], 1.0
session = Session(source, FakeStream(1), ["window", f"images:{folder}", "null"])
session.start()
while not os.path.isdir(folder) or not os.listdir(folder):
    session.wait(0.05)
import pygame
print(json.dumps(pygame.display.get_wm_info()["window"]), flush=True)
end = time.perf_counter() + 20
while "window" not in session.summary()["dropped"] and time.perf_counter() < end:
    session.wait(0.05)
before = len(os.listdir(folder))
end = time.perf_counter() + 20
while source.startswith("fake") and len(os.listdir(folder)) < before + 3 and time.perf_counter() < end:
    session.wait(0.05)
state, more = session.status, len(os.listdir(folder)) - before
start = time.perf_counter()
session.stop()
took = time.perf_counter() - start
try:
    open_sink("window")
    again = "opened"
except SinkUnavailable as error:
    again = str(error)
print(json.dumps({"dropped": session.summary()["dropped"], "state": state.state, "message": state.message,
                  "more": more, "took": took, "again": again, "error": str(session.error or "")}), flush=True)
"""


def program(display, folder, source="fake:size=64x64,fps=50"):
    command = [sys.executable, "-c", PROGRAM, source, str(folder)]
    environment = {**os.environ, "DISPLAY": display, "SDL_VIDEODRIVER": "x11"}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)


@pytest.mark.desktop
@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("server", "its display went away, or closed it"),
        ("xkill", "its display went away, or closed it"),
        ("hang", "its display has not answered for 1 s"),
    ],
)
def test_t5_the_window_ends_with_its_display_and_the_others_go_on(tmp_path, how, reason):
    with x_server() as (display, server):
        running = program(display, tmp_path)
        try:
            window = int(running.stdout.readline())
            if how == "server":
                server.kill()
            elif how == "xkill":
                painter = Painter(display)
                painter.call("kill_client", window)
                painter.close()
            else:
                server.send_signal(signal.SIGSTOP)
            out, errors = running.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            running.kill()
            pytest.fail(f"it does not end: {running.communicate()[1]}")
        finally:
            running.kill()
            running.communicate()
    assert running.returncode == 0, errors
    told = json.loads(out)
    assert list(told["dropped"]) == ["window"] and reason in told["dropped"]["window"]
    assert told["more"] >= 3 and told["state"] == "live" and told["took"] < 2 and not told["error"]
    assert "a new one needs a new start" in told["again"]
    assert "XIO" not in errors and "X connection" not in errors and "Traceback" not in errors


STOPPED = """
import json, os, signal, sys
sys.path.insert(0, sys.argv[2])
import numpy as np
from doubles.x11 import Painter
from inkstream.stream.base.errors import SinkUnavailable
from inkstream.stream.base.frame import Output
from inkstream.stream.sinks import Status, open_sink
from inkstream.stream.sinks.window import lifeline

lifeline.PATIENCE = 1.0
window = open_sink("window")
import pygame
own, painter, server = pygame.display.get_wm_info()["window"], Painter(os.environ["DISPLAY"]), int(sys.argv[1])
pixels, take = np.zeros((64, 64, 3), np.uint8), window._lifeline.events
window.write(Output(pixels, 1, 0.0, 1), Status())

def stopped_with_events():
    painter.move(own, 20, 30, 300, 300)  # SDL asks back where it is
    os.kill(server, signal.SIGSTOP)
    return take()

window._lifeline.events = stopped_with_events
try:
    window.write(Output(pixels, 2, 0.0, 1), Status())
except SinkUnavailable as error:
    print(json.dumps(str(error)), flush=True)
os._exit(0)
"""


@pytest.mark.desktop
def test_t5_a_server_that_hangs_while_it_sends_events_does_not_hang_python():
    with x_server() as (display, server):
        environment = {**os.environ, "DISPLAY": display, "SDL_VIDEODRIVER": "x11"}
        command = [sys.executable, "-c", STOPPED, str(server.pid), os.path.dirname(__file__)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20)
    assert "its display has not answered for 1 s" in json.loads(done.stdout), done.stderr


@pytest.mark.desktop
def test_t5_the_display_of_source_and_window_goes_away(tmp_path):
    with x_server() as (display, server):
        running = program(display, tmp_path, "screen:fps=50")
        try:
            running.stdout.readline()
            server.kill()
            out, errors = running.communicate(timeout=60)
        finally:
            running.kill()
            running.communicate()
    assert running.returncode == 0, errors
    told = json.loads(out)
    assert told["state"] == "reconnecting" and list(told["dropped"]) == ["window"]
    assert len(list(tmp_path.iterdir())) >= 1 and "Traceback" not in errors


# --- sinks that never come back


class Blocked(FakeSink):
    """Does not come back from its third picture until it is let go."""

    def __init__(self, interval=None):
        super().__init__(interval=interval)
        self.free = threading.Event()

    def write(self, output, status):
        if self.count == 2:
            self.free.wait(30)
        super().write(output, status)


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr(fanout, "STUCK_AFTER", 0.2)
    monkeypatch.setattr(fanout, "LEAVE_AFTER", 0.6)


def test_t12_a_file_goes_on_to_its_end_without_a_sink_that_blocks(hasty):
    blocked, other, said = Blocked(), FakeSink(), []
    session = Session(FakeSource(SMALL, frames=20, live=False), FakeStream(1), [blocked, other], on_status=said.append)
    start = time.perf_counter()
    session.run()
    assert time.perf_counter() - start < 5
    assert [output.source_id for output in other.outputs] == list(range(20))
    assert any("waiting for Blocked" in status.message for status in said)
    assert "at one picture for 1 s, and is left behind" in session.summary()["dropped"]["Blocked"]
    assert not blocked.closed
    blocked.free.set()
    end = time.perf_counter() + 5
    while not blocked.closed and time.perf_counter() < end:
        threading.Event().wait(0.01)
    assert blocked.closed and blocked.count == 4, "what it had been given is finished"


def test_t12_the_only_sink_that_blocks_ends_a_file_with_its_reason(hasty):
    blocked = Blocked()
    with pytest.raises(SinkUnavailable, match="no sink is left: Blocked: it has been at one picture"):
        Session(FakeSource(SMALL, frames=20, live=False), FakeStream(1), [blocked]).run()
    blocked.free.set()


@pytest.mark.parametrize("interval", [None, 0.01])
def test_t12_a_live_session_names_the_sink_that_blocks_and_takes_it_back(hasty, interval):
    blocked, other = Blocked(interval), FakeSink()
    session = Session("fake:size=64x64,fps=100", FakeStream(1), [blocked, other])
    session.start()
    try:
        end = time.perf_counter() + 5
        while "waiting for Blocked" not in session.status.message:
            assert time.perf_counter() < end
            session.wait(0.02)
        count = other.count
        session.wait(1.0)
        assert other.count > count + 20 and not session.summary()["dropped"]
        blocked.free.set()
        while blocked.count < 5 or "Blocked" in session.status.message:
            assert time.perf_counter() < end + 5
            session.wait(0.02)
    finally:
        start = time.perf_counter()
        session.stop()
    assert time.perf_counter() - start < 2


def test_t12_stop_does_not_wait_for_a_sink_that_blocks():
    blocked = Blocked()
    session = Session(FakeSource(SMALL, frames=20, live=False), FakeStream(1), [blocked, FakeSink()])
    session.start()
    while blocked.count < 2:
        session.wait(0.01)
    start = time.perf_counter()
    session.stop()
    assert time.perf_counter() - start < 2
    blocked.free.set()


def test_t12_a_disk_that_hangs_does_not_keep_the_process(tmp_path):
    script = f"""
import threading
from inkstream.stream.base.frame import Output
from inkstream.stream.sinks import Status
from inkstream.stream.sinks.keep import Keeper
import numpy as np
keeper = Keeper({str(tmp_path)!r})
keeper._save = lambda *what: threading.Event().wait()
assert keeper.save(Output(np.zeros((8, 8, 3), np.uint8), 1, 0.0, 1), Status())
keeper.close()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0 and "does not answer" in done.stderr
    assert Keeper(tmp_path).news() == []
