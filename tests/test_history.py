"""The last minutes on disk: what comes back, what it may cost, and what a kill or a full disk takes."""

import errno
import json
import os
import random
import stat
import subprocess
import sys
import threading
from datetime import datetime

import cv2
import numpy as np
import pytest
from test_cli import command, stream  # noqa: F401 - a fixture

from inkstream.bench.synthetic import FakeStream
from inkstream.stream import Output, Session, StreamConfig
from inkstream.stream.app.commands.recording import MEGABYTES
from inkstream.stream.base.errors import DataError, SinkUnavailable
from inkstream.stream.base.frame import Origin, Size
from inkstream.stream.base.kept import read_recipe
from inkstream.stream.base.making import Making
from inkstream.stream.history import recorder as recording
from inkstream.stream.history import records
from inkstream.stream.history.recorder import MomentWriter
from inkstream.stream.history.reel import Reel
from inkstream.stream.history.store import LIMIT, HistoryRecorder, Rewind, clear, history_folder, sessions
from inkstream.stream.sinks.fake import FakeSink
from inkstream.stream.sources.fake import FakeSource

NOON = datetime(2031, 2, 3, 12)
CAR, BOAT = (Making("ink-tiny", StreamConfig.build(prompt=text)) for text in ("a car", "a boat"))


def output(number, making=CAR, seconds=None, side=64, live=True, noise=True):
    seen = number / 10 if seconds is None else seconds
    drawing = np.full((side, side, 3), 255, np.uint8)
    drawing[number % side, :, 1] = number % 251
    render = np.full((side, side, 3), 7 * number % 256, np.uint8)
    if noise:
        render = np.random.default_rng(number).integers(0, 256, (side, side, 3)).astype(np.uint8)
    return Output(render, number, seen, 0, drawing, seen, origin=Origin(live=live), making=making)


@pytest.fixture
def recorder(tmp_path):
    made = HistoryRecorder(tmp_path / "history", now=lambda: NOON)
    yield made
    made.close()


def recorded(recorder, outputs):
    """Give each output when the one before is written, so that none is left out."""
    for each in outputs:
        recorder.take(each)
        with recorder._changed:
            assert recorder._changed.wait_for(lambda: not (recorder._waiting or recorder._busy), 20)
    assert recorder.close(20)
    return Rewind(recorder.session)


# --- what comes back


def test_pictures_come_back_with_input_and_every_setting_newest_first(recorder):
    outputs = [output(0), output(1), output(2, BOAT), output(3, BOAT, noise=False)]
    rewind = recorded(recorder, outputs)
    assert len(rewind) == 4 and rewind.prompts == ["a boat", "a car"]
    assert rewind.began == NOON and rewind.seconds == pytest.approx(0.3)
    for index, given in enumerate(reversed(outputs)):
        seen = rewind.get(index)
        assert (seen.input == given.input).all()
        assert (seen.making.model, seen.making.stream) == (given.making.model, given.making.stream)
        assert (seen.frame, seen.at) == (given.source_id, pytest.approx(given.rendered_at))
    assert np.abs(rewind.get(0).render.astype(int) - outputs[3].pixels).max() <= 3
    with pytest.raises(IndexError):
        rewind.get(4)


def test_a_live_session_is_recorded_and_can_be_looked_at_meanwhile(recorder):
    source, live = FakeSource(Size(64, 64), fps=200, live=True), FakeStream(2)
    session = Session(source, live, [FakeSink(keep=1000)], history=recorder)
    assert session.history is recorder
    session.start()
    try:
        strip = None
        while strip is None or not strip.entries or strip.entries[0].prompt != "a tower":
            session.wait(0.02)
            if recorder.session is not None:
                strip = strip or Rewind(recorder.session)
                strip.refresh()
                if strip.entries and strip.entries[0].prompt != "a tower":
                    session.update(prompt="a tower")
        seen = strip.get(0)
    finally:
        session.stop()
    assert recorder.close(10)
    assert np.abs(seen.render.astype(int) - (255 - seen.input)).mean() < 8  # the negative, as FakeStream renders
    before = len(strip)
    strip.refresh()
    assert len(strip) >= before and strip.get(len(strip) - 1).making.stream.prompt == ""


def test_what_is_the_same_is_stored_once(recorder):
    rewind = recorded(recorder, [output(1), output(1), output(1), output(1, BOAT)])
    assert len(rewind) == 2
    kinds = [record.kind for path in rewind.session.iterdir() for record in records.records(path)]
    assert kinds == ["begn", "made", "inpt", "seen", "made", "seen"]
    assert (rewind.get(0).render == rewind.get(1).render).all()


def test_what_is_not_live_is_not_recorded(tmp_path):
    recorder = HistoryRecorder(tmp_path / "history")
    source = FakeSource(Size(64, 64), frames=5, live=False)
    Session(source, FakeStream(1), [FakeSink()], on_output=[recorder.take]).run()
    assert recorder.close() and recorder.session is None
    assert not (tmp_path / "history").exists()


def test_only_this_user_can_look(recorder):
    rewind = recorded(recorder, [output(1)])
    modes = {path.stat().st_mode & 0o77 for path in (rewind.session.parent, rewind.session, *rewind.session.iterdir())}
    assert modes == {0} or os.name == "nt"


# --- what it may cost


def test_it_never_grows_beyond_its_limit_and_the_oldest_goes(tmp_path):
    older = recorded(HistoryRecorder(tmp_path, 0.5, now=lambda: datetime(2031, 1, 1)), map(output, range(5)))
    limit, largest = 500_000, 0
    recorder = HistoryRecorder(tmp_path, 0.5, now=lambda: NOON)
    for number in range(150):
        recorder.take(output(number, side=96))
        with recorder._changed:
            assert recorder._changed.wait_for(lambda: not (recorder._waiting or recorder._busy), 20)
        if number % 10 == 0:
            largest = max(largest, sum(path.stat().st_size for path in tmp_path.glob("*/*")))
    assert recorder.close(20)
    assert limit / 2 < largest <= limit
    rewind = Rewind(recorder.session)
    assert rewind.get(0).frame == 149 and 20 < len(rewind) < 150
    assert not older.session.exists()
    assert older.get(0) is None  # the disk has let go of it
    assert [each.session for each in sessions(tmp_path)] == [recorder.session]
    assert clear(tmp_path) == 1 and sessions(tmp_path) == []


def test_a_session_keeps_its_last_minutes(tmp_path):
    recorder = HistoryRecorder(tmp_path, seconds=300, now=lambda: NOON)
    rewind = recorded(recorder, (output(number, seconds=20 * number) for number in range(60)))
    assert 300 <= rewind.seconds <= 300 + 2 * 60 + 20
    assert rewind.get(len(rewind) - 1).input is not None  # each file holds all that its pictures need


def test_a_slow_disk_makes_nobody_wait_and_the_newest_wins(tmp_path, monkeypatch):
    go_on, begun = threading.Event(), threading.Event()
    encoded = recording.encoded

    def slow(*what):
        begun.set()
        assert go_on.wait(20)
        return encoded(*what)

    monkeypatch.setattr(recording, "encoded", slow)
    recorder = HistoryRecorder(tmp_path, now=lambda: NOON)
    recorder.take(output(0))
    assert begun.wait(20)
    for number in range(1, 50):
        recorder.take(output(number))  # would wait for ever if it waited
    go_on.set()
    assert recorder.close(20)
    rewind = Rewind(recorder.session)
    assert [rewind.get(index).frame for index in range(len(rewind))] == [49, 48, 47, 46, 0]
    assert recorder.lost == 45


def test_a_full_disk_is_said_once_and_the_stream_goes_on(tmp_path, monkeypatch, caplog):
    written, write = [], os.write

    def full(handle, data):
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return write(handle, data)
        written.append(len(data))
        if len(written) == 7:  # the end of a record that has begun well
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(handle, data[:-3] if len(written) == 6 else data)

    monkeypatch.setattr(records.os, "write", full)
    recorder, sink = HistoryRecorder(tmp_path, now=lambda: NOON), FakeSink(keep=1000)
    session = Session(FakeSource(Size(64, 64), fps=200), FakeStream(1), [sink], on_output=[recorder.take])
    session.start()
    while "history is off" not in session.status.message:
        session.wait(0.01)
    shown = sink.count
    while sink.count < shown + 5:
        session.wait(0.01)
    session.stop()
    monkeypatch.undo()
    assert [text for text in caplog.messages if "history is off: No space left on device" in text] != []
    assert len([text for text in caplog.messages if "history" in text]) == 1
    assert len(Rewind(recorder.session)) == 1  # what was written before


def test_who_looks_on_and_fails_does_not_end_the_session(caplog):
    def fails(_):
        raise ValueError("no")

    source = FakeSource(Size(64, 64), frames=5, live=False)
    sink = FakeSink(keep=10)
    Session(source, FakeStream(1), [sink], on_output=[fails]).run()
    assert sink.count == 5 and caplog.messages.count("no") == 1


# --- a kill, and damage

KILLED = """
import os, random, signal, sys, time
from pathlib import Path
import numpy as np
import PIL.Image, PIL.WebPImagePlugin
from inkstream.stream import Output, StreamConfig
from inkstream.stream.base.frame import Origin
from inkstream.stream.base.making import Making
from inkstream.stream.history.store import HistoryRecorder

class Told(HistoryRecorder):
    def _store(self, output):
        super()._store(output)
        os.write(done, b"%d\\n" % output.source_id)

makings = [Making("ink-tiny", StreamConfig.build(prompt=str(number))) for number in range(8)]
draw = random.Random(7)
for child in range(20):
    read, done = os.pipe()
    number = os.fork()
    if not number:
        recorder = Told(Path(sys.argv[1], str(child)), limit=0.5)
        noise = np.random.default_rng(child)
        for frame in range(10**6):
            pixels = noise.integers(0, 256, (64, 64, 3)).astype(np.uint8)
            now = time.perf_counter()
            making = makings[frame // 9 % 8]
            recorder.take(Output(pixels, frame, now, 0, 255 - pixels, now, origin=Origin(), making=making))
            time.sleep(0.0005)
    os.close(done)
    first = os.read(read, 1)
    time.sleep(draw.uniform(0, 0.08))
    os.kill(number, signal.SIGKILL)
    os.waitpid(number, 0)
    text = first + b"".join(iter(lambda: os.read(read, 65536), b""))
    print(text.split()[-1].decode(), flush=True)
    os.close(read)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that are copies")
def test_a_kill_at_any_moment_takes_nothing_that_was_written(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True, timeout=120, check=True
    )
    last = [int(number) for number in ran.stdout.split()]
    assert len(last) == 20 and len(set(last)) > 5
    for child, number in enumerate(last):
        (rewind,) = sessions(tmp_path / str(child))
        seen = [rewind.get(index) for index in range(len(rewind))]
        assert seen[0].frame >= number  # it may be killed between writing and saying so
        assert seen[0].frame - seen[-1].frame >= len(seen) - 1
        for each in seen:
            gray = (255.0 - each.input).mean(2) - each.render.mean(2)  # WebP keeps little of the colours of noise
            assert np.abs(gray).mean() < 25
            assert each.making.stream.prompt == str(each.frame // 9 % 8)


def test_a_file_that_is_cut_or_changed_anywhere_gives_what_is_whole(tmp_path):
    path = tmp_path / "one.ink"
    writer = MomentWriter(path, NOON, renders=True)
    for number in range(6):
        writer.add(output(number, BOAT if number > 3 else CAR, side=16), number / 10)
    writer.close()
    whole, draw = path.read_bytes(), random.Random(3)
    for trial in range(300):
        data = bytearray(whole[: draw.randrange(len(whole))] if trial % 2 else whole)
        for _ in range(trial % 4):
            if data:
                data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        path.write_bytes(data)
        reel = Reel(path)
        try:
            reel.refresh()
            for moment in reel.moments:
                assert reel.prompt(moment) in ("a car", "a boat", "")
                reel.making(moment), reel.input(moment), reel.render(moment)
        except DataError as error:
            assert "one.ink" in str(error)
        assert len(reel.moments) <= 6


def record(kind, known, picture=b"", length=None):
    import struct
    import zlib

    text = json.dumps(known).encode()
    head = struct.pack("<4sIII", kind, len(text), len(picture) if length is None else length, zlib.crc32(picture))
    return head + struct.pack("<I", zlib.crc32(text, zlib.crc32(head))) + text + picture


@pytest.mark.parametrize(
    "more",
    [
        record(b"seen", {"at": 1e300, "frame": 1, "faded": 1, "made": 0, "input": None}),
        record(b"seen", {"at": "x", "frame": [], "faded": None}),
        record(b"inpt", {}, b"", length=2**31),
        record(b"\xff\xfe\0\0", {}),
        record(b"seen", {"at": 1, "frame": 1, "faded": 1, "made": 99, "input": 99}, b"RIFF"),
        record(b"made", {"inkstream": 1, "model": "x", "stream": {"width": 10**9}})
        + record(b"seen", {"at": 1, "frame": 1, "faded": 1, "made": 0, "input": -1}),
        record(b"made", {"stream": {"prompt": [[[[]]]]}})
        + record(b"seen", {"at": 1, "frame": 1, "faded": 1, "made": 0, "input": 0}),
    ],
)
def test_records_of_a_stranger_are_refused_by_name(tmp_path, more):
    path = tmp_path / "theirs.ink"
    path.write_bytes(records.MAGIC + more)
    reel = Reel(path)
    reel.refresh()
    for moment in reel.moments:
        assert reel.prompt(moment) == ""
        with pytest.raises(DataError, match=r"theirs\.ink"):
            reel.making(moment), reel.input(moment)
    other = tmp_path / "other.ink"
    other.write_bytes(b"something else altogether")
    with pytest.raises(DataError, match="expected what inkstream recorded"):
        Reel(other).refresh()


# --- commands


@pytest.fixture
def state(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("inkstream.stream.history.store.user_state", lambda: tmp_path / "state" / "inkstream")
    monkeypatch.chdir(tmp_path)
    return history_folder()


def test_run_records_live_sessions_unless_told_not_to(stream, state):  # noqa: F811
    run = ("run", "-s", "fake:size=64,fps=200", "-t", "null", "--frames", 5)
    command(*run)  # tests run with INKSTREAM_HISTORY=0
    command("run", "-s", "fake:size=64,live=0,frames=3", "-t", "null", "--history", 20)
    assert not state.exists()
    result = command(*run, "--history", 20)
    assert "inkstream history show" in result.stderr
    (rewind,) = sessions()
    assert len(rewind) and rewind.get(0).making.model == "fake"
    assert MEGABYTES == LIMIT


def test_history_lists_shows_exports_and_clears(state, tmp_path):
    assert "nothing is recorded" in command("history", "list").stderr
    assert "got session 1, expected a live session" in command("history", "show", code=2).stderr
    recorded(HistoryRecorder(now=lambda: datetime(2031, 1, 1)), map(output, range(3)))
    recorded(HistoryRecorder(now=lambda: NOON), (output(number, BOAT if number > 20 else CAR) for number in range(40)))
    listed = command("history", "list").stdout
    assert "2031-02-03 12:00:00" in listed and "a boat, a car" in listed and "40" in listed
    assert listed.index("2031-02-03") < listed.index("2031-01-01")
    result = command("history", "show")
    assert "page: inkstream-history.png" in result.stderr
    assert cv2.imread(str(tmp_path / "inkstream-history.png")).shape[1] > 1000
    result = command("history", "export", 1, "--sink", "images:kept,input=1")
    assert "40 pictures in kept" in result.stderr
    assert read_recipe(tmp_path / "kept" / "00000039.png")["stream"]["prompt"] == "a boat"
    assert (cv2.imread(str(tmp_path / "kept" / "00000039-input.png"))[..., ::-1] == output(39).input).all()
    command("history", "export", 2, "--sink", "video:first.mp4")
    assert (tmp_path / "first.mp4").stat().st_size > 500
    assert "expected one that keeps pictures" in command("history", "export", "--sink", "null", code=2).stderr
    assert "got session 3, expected 1 to 2" in command("history", "show", 3, code=2).stderr
    command("history", "clear", code=1)  # nobody says yes
    assert len(sessions()) == 2
    assert "2 sessions removed" in command("history", "clear", "--yes").stdout
    assert sessions() == []


def test_a_session_without_a_picture_takes_nothing(recorder):
    with pytest.raises(NotImplementedError):
        recording.Recorder(1, True)._store(output(1))
    assert recorder.close() and recorder.session is None
    recorder.take(output(1))  # after its end
    assert recorder.session is None


def test_an_error_is_raised_once(tmp_path):
    (tmp_path / "file").write_text("")
    recorder = HistoryRecorder(tmp_path / "file" / "history")
    recorder.take(output(1))
    recorder._thread.join(20)
    with pytest.raises(SinkUnavailable, match="history is off: File exists; the stream goes on"):
        recorder.take(output(2))
    recorder.take(output(3))
