"""Ctrl-C once and twice, and SIGTERM, in a process of its own."""

import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from inkstream.stream.base.signals import interrupts

PROGRAM = """
import sys, threading, time
from inkstream.bench.synthetic import FakeStream
from inkstream.stream.base.frame import Size
from inkstream.stream import Session
from inkstream.stream.sinks.fake import FakeSink
from inkstream.stream.sources.fake import FakeSource

class Source(FakeSource):
    def read(self):
        if self.given == 20:
            print("running", flush=True)
            if "blocked" in sys.argv:
                threading.Event().wait(60)
        return super().read()

    def close(self):
        if "blocked" in sys.argv:
            print("stopping", flush=True)
            threading.Event().wait(60)
        super().close()

sink = FakeSink(main="window" in sys.argv)
session = Session(Source(Size(64, 64), fps=200), FakeStream(), [sink])
session.run()
print("closed" if sink.closed else "open", session.status.state, flush=True)
sys.exit(128 + session.interrupted)
"""


@pytest.fixture
def program():
    processes = []

    def start(*arguments):
        command = [sys.executable, "-c", textwrap.dedent(PROGRAM), *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout.readline() == "running\n"
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


windows = pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be sent SIGINT there")


@windows
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("argument", ["thread", "window"])
def test_the_first_signal_ends_it_cleanly(program, number, argument):
    process = program(argument)
    start = time.perf_counter()
    process.send_signal(number)
    output, errors = process.communicate(timeout=10)
    assert time.perf_counter() - start < 3  # 2 s, and the interpreter's own end
    assert (output, errors) == ("closed stopped\n", "")
    assert process.returncode == 128 + number


@windows
def test_the_first_signal_ends_it_within_two_seconds_when_a_driver_blocks(program):
    process = program("blocked")
    start = time.perf_counter()
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=10)
    assert time.perf_counter() - start < 3
    assert output.endswith("closed stopped\n")
    assert process.returncode == 130


@windows
def test_the_second_signal_ends_it_at_once(program):
    process = program("blocked")
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "stopping\n"
    start = time.perf_counter()
    process.send_signal(signal.SIGINT)
    process.wait(timeout=10)
    assert time.perf_counter() - start < 1
    assert process.returncode == 130
    assert "stopped" not in process.stdout.read(), "it did not wait for the clean end"


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    seen = []
    with pytest.raises(KeyError), interrupts(seen.append):
        signal.raise_signal(signal.SIGINT)
        raise KeyError
    assert seen == [signal.SIGINT]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_other_threads_leave_the_handlers_alone():
    before, seen = signal.getsignal(signal.SIGINT), []

    def body():
        with interrupts(print):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert seen == [before]
