"""A terminal that stands still, is full, or is gone holds nobody up; and signals end everything, whatever waits."""

import contextlib
import fcntl
import json
import logging
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import threading
import time

import pytest

from inkstream.stream.base import terminal
from inkstream.stream.base.plain import MOST, plain, reason

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX terminals and signals")
PROGRAM = [sys.executable, "-m", "doubles.program"]


def full_pipe(stack):
    """The writing end of a pipe that nobody reads, and that takes nothing more."""
    reader, writer = os.pipe()
    stack.callback(os.close, reader)
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    return writer


def gone(stack):
    """The writing end of a pipe whose reader has left, as ``head -1`` does."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def stopped(stack):
    """A terminal on which somebody pressed Ctrl-S."""
    master, slave = pty.openpty()
    stack.callback(os.close, master)
    termios.tcflow(slave, termios.TCOOFF)
    return slave


def full(stack):
    return os.open("/dev/full", os.O_WRONLY)


def closed(stack):
    return None


def hangs_up():
    """Whoever runs these tests may do so with ``nohup``, which the program would heed."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def start(tmp_path):
    """Start the program in ``tmp_path`` with the stderr that one of the functions above makes."""
    with contextlib.ExitStack() as stack:

        def begin(stderr, *arguments, both=False, prefix=(), **environment):
            descriptor = stderr(stack) if stderr else subprocess.PIPE
            command = [*prefix, *PROGRAM, *map(str, arguments)]
            if descriptor is None:
                command = ["sh", "-c", 'exec "$@" 2>&-', "sh", *command]
            process = subprocess.Popen(
                command,
                stdout=descriptor if both else subprocess.PIPE,
                stderr=descriptor,
                cwd=tmp_path,
                env={**os.environ, **environment},
                preexec_fn=hangs_up,
            )
            if isinstance(descriptor, int) and descriptor >= 0:
                os.close(descriptor)
            stack.callback(process.communicate)
            stack.callback(process.kill)
            return process

        yield begin


def until_there(process, path):
    deadline = time.perf_counter() + 20
    while not path.exists():
        assert process.poll() is None and time.perf_counter() < deadline, path
        time.sleep(0.01)


def ends_within(process, seconds, *numbers):
    begun = time.perf_counter()
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.1)
    code = process.wait(timeout=10)
    assert time.perf_counter() - begun < seconds
    return code


@pytest.mark.parametrize("kinds", [(full_pipe, gone), pytest.param((stopped, full, closed), marks=pytest.mark.slow)])
def test_t2_every_picture_is_recorded_whatever_stderr_is(start, tmp_path, kinds):
    run = ("run", "-s", "fake:frames=60,live=0,size=64,pattern=noise,stall_at=30,stall=1.2", "-t", "fake:fail_at=3")
    began = {}
    for kind in kinds:
        name = kind.__name__
        both = kind is gone  # 2>&1 | head -1
        began[name] = start(kind, *run, "-t", f"images:{name}", "--json", f"{name}.json", both=both, NOISY="1")
    for name, process in began.items():
        output, _ = process.communicate(timeout=60)
        assert len(list((tmp_path / name).iterdir())) == 60, name
        assert json.loads((tmp_path / f"{name}.json").read_text())["frames_rendered"] == 60
        assert process.returncode == (1 if name == "gone" else 0), name
        assert output is None or b"60 frames rendered" in output


@pytest.mark.parametrize(
    ("number", "stderr"),
    [
        (signal.SIGINT, full_pipe),
        (signal.SIGTERM, stopped),
        pytest.param(signal.SIGINT, stopped, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, full_pipe, marks=pytest.mark.slow),
    ],
)
def test_t2_a_signal_ends_it_although_nobody_reads_what_it_says(start, tmp_path, stderr, number):
    run = ("run", "-s", "fake:fps=100,size=64,pattern=noise", "-t", "fake:fail_at=3", "-t", "images:out")
    process = start(stderr, *run, "--json", "figures.json", NOISY="1")
    until_there(process, tmp_path / "running")
    assert ends_within(process, 2.5, number) == 130
    assert json.loads((tmp_path / "figures.json").read_text())["frames_rendered"] >= 1


def test_t2_results_that_a_stopped_terminal_does_not_take_do_not_keep_it_from_ending(start, tmp_path):
    run = ("run", "-s", "fake:fps=100,size=64,pattern=noise", "-t", "images:out", "--json", "figures.json")
    process = start(stopped, *run, both=True)
    until_there(process, tmp_path / "running")
    until_there(process, tmp_path / "out" / "00000004.png")
    assert ends_within(process, 3.0, signal.SIGINT) == 130  # 2 s, and the system's own end of a process
    assert json.loads((tmp_path / "figures.json").read_text())["frames_rendered"] >= 1


def test_t2_a_main_thread_that_waits_for_a_dead_display_does_not_keep_it_from_ending(start, tmp_path):
    run = ("run", "-s", "fake:fps=100,size=64,pattern=noise", "-t", "video:out.mp4", "-t", "fake:main=1,delay=60")
    process = start(None, *run)
    until_there(process, tmp_path / "running")
    time.sleep(0.3)
    assert ends_within(process, 3.0, signal.SIGINT) == 130
    assert b"moov" in (tmp_path / "out.mp4").read_bytes()


@pytest.mark.parametrize("numbers", [(signal.SIGINT,), (signal.SIGTERM, signal.SIGINT)])
def test_t2_a_signal_ends_it_while_a_library_loads(start, tmp_path, numbers):
    process = start(None, "run", "-s", "fake", "-t", "null", LOADING="30")
    until_there(process, tmp_path / "loading")
    assert ends_within(process, 2.5 if len(numbers) == 1 else 0.8, *numbers) == 130


def test_t16_a_terminal_that_closes_ends_it_and_outputs_are_saved(start, tmp_path):
    run = ("run", "-s", "fake:fps=100,size=64,pattern=noise", "-t", "images:out", "--json", "figures.json")
    process = start(None, *run)
    until_there(process, tmp_path / "running")
    assert ends_within(process, 2.5, signal.SIGHUP, signal.SIGHUP) == 130  # the terminal and its shell both send it
    assert json.loads((tmp_path / "figures.json").read_text())["frames_rendered"] >= 1


def test_t16_nohup_goes_on_without_its_terminal(start, tmp_path):
    process = start(None, "run", "-s", "fake:frames=90,fps=100,size=64", "-t", "null", prefix=("nohup",))
    until_there(process, tmp_path / "running")
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=20) == 0


def test_t16_a_late_ctrl_c_does_not_change_the_exit_code(start, tmp_path):
    process = start(None, "run", "-s", "fake:frames=10,live=0,size=64,pattern=noise", "-t", "null")
    until_there(process, tmp_path / "running")
    while b"milliseconds" not in process.stdout.readline():
        assert process.poll() is None
    deadline = time.perf_counter() + 5
    while process.poll() is None and time.perf_counter() < deadline:
        process.send_signal(signal.SIGINT)
        time.sleep(0.002)
    assert process.returncode in (0, 130)


def test_what_libraries_say_by_themselves_reaches_nobody_unasked(start):
    run = ("run", "-s", "fake:frames=10,live=0,size=64,pattern=noise", "-t", "null", "-t", "fake:fail_at=3")
    quiet, told = start(None, *run, NOISY="1"), start(None, "--debug", *run, NOISY="1")
    errors = quiet.communicate(timeout=30)[1].decode()
    assert errors.splitlines()[-1] == "fake:fail_at=3: fake sink: failed at write 3, as ordered with fail_at=3"
    assert "library" not in errors and "\x1b" not in errors
    assert "a library logs" in told.communicate(timeout=30)[1].decode()


# --- one piece after the other


def test_a_channel_never_makes_anybody_wait():
    with contextlib.ExitStack() as stack:
        writer = full_pipe(stack)
        channel = terminal.Channel(writer)
        begun = time.perf_counter()
        for number in range(3 * terminal.WAITING):
            channel.write(f"{number}\n")
        assert time.perf_counter() - begun < 2
        assert not channel.drain(0.05)
        assert threading.active_count() < 20
    assert channel.drain(5)  # the reader is gone; and nothing is written to who gets this number next
    os.close(writer)


def test_a_channel_says_what_it_left_out():
    reader, writer = os.pipe()
    fcntl.fcntl(writer, getattr(fcntl, "F_SETPIPE_SZ", 1031), 4096)
    channel = terminal.Channel(writer)
    channel.write("x" * 10_000)
    while not select.select([reader], [], [], 5)[0]:
        pytest.fail("nothing was written")
    for number in range(terminal.WAITING + 5):
        channel.write(f"{number}\n")
    got = b""
    while not got.endswith(b"1004\n"):
        got += os.read(reader, 65536)
    assert got[10_000:].startswith(b"(5 pieces of text were left out: nobody took them)\n5\n6\n")
    assert channel.drain(1)
    os.close(reader)
    os.close(writer)


def test_plain_shows_escapes_and_leaves_out_the_middle():
    assert plain("a\x1b[2J\x07\u202eb\udc80\nc") == "a\\x1b[2J\\x07\\u202eb\\udc80\nc"
    long = plain("a" * 300 + "b" * 300)
    assert len(long) == MOST and long.startswith("aaa") and long.endswith("bbb") and " ... " in long


def test_a_reason_is_one_short_line():
    assert reason(OSError(28, "No space left on device", "x")) == "No space left on device"
    assert reason(MemoryError()) == "no memory left"
    assert reason(RuntimeError("one\ntwo" + "x" * 999)) == "RuntimeError: one"
    assert reason(KeyError()) == "KeyError"
    assert reason(Exception("Error while serializing: I/O error: what (os error 28)")) == "No space left on device"


def test_good_news_are_told_without_the_name_of_a_level(monkeypatch):
    told = []
    monkeypatch.setattr(terminal, "say", told.append)
    log = logging.Logger("inkstream.of.a.test")
    log.addHandler(terminal.Told())
    log.log(terminal.NOTE, "finished: %s", "a.png")
    log.warning("no sound")
    assert told == ["finished: a.png", "WARNING: no sound"]
