"""A journal renders what was seen again, bit for bit, and otherwise when that is wanted."""

import errno
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime

import av
import cv2
import numpy as np
import pytest
from doubles.tiny_models import tiny_sd
from test_cli import Loaded, command, stream  # noqa: F401 - a fixture
from test_history import BOAT, CAR, output

from inkstream.bench.synthetic import FakeStream
from inkstream.stream import Session, Stream
from inkstream.stream.base.errors import ConfigError, SourceEnded
from inkstream.stream.base.frame import Origin, Size
from inkstream.stream.history import recorder as recording
from inkstream.stream.history import records
from inkstream.stream.history.journal import Journal, JournalSource
from inkstream.stream.history.recorder import JournalRecorder
from inkstream.stream.session.again import Again
from inkstream.stream.sinks.fake import FakeSink
from inkstream.stream.sources.fake import FakeSource

NOON = datetime(2031, 2, 3, 12)
SMALL = {"width": 64, "height": 64, "acceleration": "eager", "warmup": 0, "use_tiny_vae": False}


def written(path, outputs):
    recorder = JournalRecorder(path, lambda: NOON)
    for each in outputs:
        recorder.take(replace(each, origin=Origin(live=False)))
    assert recorder.close(20)
    return Journal(path)


def rendered(journal, live, speed=1.0, fixed=(), other=False):
    """What rendering a journal again gives, as pixels."""
    source, sink = JournalSource(journal, speed), FakeSink(keep=10_000)
    Session(source, Again(live, journal, source.taken, fixed, other), [sink]).run()
    return [each.output for each in sink.written if each.output is not None]


# --- the same pictures


@pytest.mark.parametrize(
    "settings",
    [
        {"t_index_list": [20, 32, 45], "prompt": "a red car"},
        {"t_index_list": [10, 40], "prompt": "a red car", "prompt_transition_frames": 5},
        {"t_index_list": [10, 40], "prompt": "a red car", "frame_buffer_size": 2},
        {"t_index_list": [30], "mode": "sketch", "seed": -1, "controlnets": [{"preprocessor": "scribble"}]},
    ],
    ids=["img2img", "fading", "in buffers", "sketch"],
)
def test_a_live_session_is_rendered_again_bit_for_bit(settings, tmp_path):
    """Frames are dropped and skipped live, changes come at any moment: all the same the pictures are the same."""
    nets = len(settings.get("controlnets", []))
    changes = [
        {"prompt": "a house by the sea"},
        {"drawing_influence": 20.0},
        {"seed": 9, "prompt": "a boat"},
        {"t_index_list": [5, 15, 35]},
        {"guidance_scale": 2.0, "delta": 0.5},
        {"controlnets": [{"conditioning_scale": 0.4}]} if nets else {"prompt": [("a car", 1), ("a boat", 2)]},
    ]
    recorder, sink = JournalRecorder(tmp_path / "journal.ink"), FakeSink(keep=10_000)
    with Stream(tiny_sd(controlnets=nets), **SMALL, **settings) as live:
        begun = live.config
        source = FakeSource(Size(96, 80), fps=60, live=True)
        session = Session(source, live, [sink], on_output=[recorder.take])
        session.start()
        for change in changes:
            shown = sink.count + 3
            while sink.count < shown:
                session.wait(0.005)
            session.update(**change)
        shown = sink.count + 5
        while sink.count < shown:
            session.wait(0.005)
        session.stop()
    assert recorder.close(20) and not recorder.lost
    seen = [each.output for each in sink.written if each.output is not None]
    journal = Journal(tmp_path / "journal.ink")
    assert len(journal.moments) >= len(seen) > 20  # a slow sink may miss one, a journal does not
    assert journal.first.stream == begun and len({each.made for each in journal.moments}) > len(changes)
    with Stream(tiny_sd(controlnets=nets), journal.first.stream) as again:
        once_more = rendered(journal, again)
    assert len(once_more) == len(journal.moments)
    found = {(moment.frame, round(moment.at, 3)): each for moment, each in zip(journal.moments, once_more, strict=True)}
    exact = 0
    for each in seen:
        match = [
            made
            for (frame, at), made in found.items()
            if frame == each.source_id and (made.pixels == each.pixels).all() and (made.input == each.input).all()
        ]
        exact += bool(match)
    assert exact == len(seen), f"{exact} of {len(seen)}"
    assert len({each.pixels.tobytes() for each in seen}) > 15  # and they are not all the same


def test_the_command_renders_what_run_recorded(folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = {"model": str(folders / "sd"), "stream": {**SMALL, "t_index_list": [20, 40]}}
    (tmp_path / "small.yaml").write_text(json.dumps(config))
    source = ("-s", "fake:size=96x64,live=0,frames=6,pattern=stroke", "--config", "small.yaml")
    command("run", *source, "-p", "a red car", "-t", "images:live", "--journal", "drawn.ink")
    result = command("render", "drawn.ink", "-t", "images:again")
    names = sorted(os.listdir(tmp_path / "live"))
    assert len(names) == 6 and sorted(os.listdir(tmp_path / "again")) == names
    for name in names:
        assert (cv2.imread(f"live/{name}") == cv2.imread(f"again/{name}")).all()
    assert "images:again: again" in result.stderr


# --- other pictures


def test_another_preset_takes_what_belongs_to_who_drew(stream, tmp_path):  # noqa: F811
    first = CAR.stream.changed(seed=5, guidance_scale=1.9, drawing_influence=30)
    later = first.changed(prompt="a boat", guidance_scale=2.5)
    makings = [type(CAR)("ink-tiny", first), type(CAR)("ink-tiny", later)]
    written(tmp_path / "j.ink", (output(number, makings[number > 2]) for number in range(6)))
    command("render", "j.ink", "-t", "null")
    model, asked = Loaded.asked[-1]
    assert (model, asked.prompt, asked.seed, asked.guidance_scale) == ("ink-tiny", "a car", 5, 1.9)
    assert [prompt for _, prompt in Loaded.seen] == ["a car"] * 3 + ["a boat"] * 3
    command("render", "j.ink", "-t", "null", "-c", "sd15-lcm", "--size", "640x448")
    model, asked = Loaded.asked[-1]
    assert model != "ink-tiny" and (asked.prompt, asked.seed, asked.drawing_influence) == ("a car", 5, 30)
    assert asked.guidance_scale != 1.9 and (asked.width, asked.height) == (640, 448)
    Loaded.seen.clear()
    command("render", "j.ink", "-t", "null", "-p", "a tower", "--set", "seed=1")
    assert Loaded.asked[-1][1].seed == 1
    assert {prompt for _, prompt in Loaded.seen} == {"a tower"}  # what is given stays


def test_a_time_lapse_is_so_many_times_as_fast_and_leaves_out_what_nobody_could_see(stream, tmp_path):  # noqa: F811
    written(tmp_path / "j.ink", (output(number) for number in range(101)))  # ten seconds
    command("render", "j.ink", "-t", "video:whole.mp4")
    command("render", "j.ink", "-t", "video:lapse.mp4", "--speed", 20)
    times = {}
    for name in ("whole", "lapse"):
        with av.open(str(tmp_path / f"{name}.mp4")) as film:
            times[name] = [frame.time for frame in film.decode(video=0)]
    assert len(times["whole"]) == 101 and times["whole"][-1] == pytest.approx(10, abs=0.05)
    assert times["lapse"][-1] == pytest.approx(0.5, abs=0.05) and 12 <= len(times["lapse"]) <= 17
    assert Loaded.seen[-1][0] == len(times["lapse"]) - 1


def test_the_last_drawing_is_in_every_time_lapse(tmp_path):
    journal = written(tmp_path / "j.ink", (output(number) for number in range(50)))
    source = JournalSource(journal, 10_000)
    assert source.taken == [0, 49]
    assert (source.read() == output(0).input).all() and (source.read() == output(49).input).all()
    assert source.origin.done == 1.0
    with pytest.raises(SourceEnded):
        source.read()


# --- what it may cost


def test_a_journal_holds_everything_once(tmp_path):
    outputs = [output(1), output(1), output(2), output(2, BOAT)]
    journal = written(tmp_path / "j.ink", outputs)
    assert len(journal.moments) == 4  # each entered the stream
    assert [moment.drawn for moment in journal.moments] == [0, 0, 1, 1]
    assert [journal.making(index).stream.prompt for index in range(4)] == ["a car"] * 3 + ["a boat"]
    assert all((journal.input(index) == outputs[index].input).all() for index in range(4))
    with pytest.raises(FileExistsError):
        JournalRecorder(tmp_path / "j.ink")


def test_a_disk_that_does_not_keep_up_leaves_a_note_in_the_journal(tmp_path, monkeypatch):
    import threading

    go_on = threading.Event()
    encoded = recording.encoded
    monkeypatch.setattr(recording, "encoded", lambda *what: (go_on.wait(20), encoded(*what))[1])
    recorder = JournalRecorder(tmp_path / "j.ink")
    for number in range(80):
        recorder.take(output(number))
    go_on.set()
    with recorder._changed:
        assert recorder._changed.wait_for(lambda: not (recorder._waiting or recorder._busy), 20)
    recorder.take(output(90))
    assert recorder.close(20) and 0 < recorder.lost <= 16
    journal = Journal(tmp_path / "j.ink")
    assert 1 <= journal.lost <= 2 and len(journal.moments) == 81 - recorder.lost


def test_a_full_disk_ends_a_journal_and_nothing_else(stream, tmp_path, monkeypatch):  # noqa: F811
    written, append = [], records.RecordWriter.append

    def full(self, kind, known, picture=b""):
        written.append(kind)
        if len(written) > 6:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        append(self, kind, known, picture)

    monkeypatch.setattr(records.RecordWriter, "append", full)
    result = command("run", "-s", "fake:size=64,live=0,frames=40,pattern=noise", "-t", "null", "--journal", "j.ink")
    assert result.stderr.count("journal is off: No space left on device; the stream goes on") <= 1  # if it is still on
    assert "journal: j.ink, which ends early: No space left on device" in result.stderr
    assert "40 frames rendered" in result.stdout
    assert len(Journal(tmp_path / "j.ink").moments) == 2


def test_a_journal_of_a_file_is_waited_for(tmp_path, monkeypatch):
    encoded = recording.encoded
    monkeypatch.setattr(recording, "encoded", lambda *what: (time.sleep(0.002), encoded(*what))[1])
    recorder = JournalRecorder(tmp_path / "j.ink")
    source = FakeSource(Size(64, 64), frames=150, live=False)
    Session(source, FakeStream(1), [FakeSink()], on_output=[recorder.take]).run()
    assert recorder.close(20) and not recorder.lost
    assert len(Journal(tmp_path / "j.ink").moments) == 150


KILLED = """
import os, signal, sys, time
import numpy as np
import PIL.Image, PIL.WebPImagePlugin
from pathlib import Path
from inkstream.stream import Output, StreamConfig
from inkstream.stream.base.frame import Origin
from inkstream.stream.base.making import Making
from inkstream.stream.history.recorder import JournalRecorder

class Told(JournalRecorder):
    def _store(self, output):
        super()._store(output)
        os.write(done, b"%d\\n" % output.source_id)

makings = [Making("ink-tiny", StreamConfig.build(seed=number)) for number in range(8)]
for child in range(6):
    read, done = os.pipe()
    number = os.fork()
    if not number:
        recorder = Told(Path(sys.argv[1], f"{child}.ink"))
        for frame in range(10**6):
            pixels = np.full((64, 64, 3), frame % 250, np.uint8)
            now = time.perf_counter()
            made = {"making": makings[frame // 9 % 8], "origin": Origin(live=False)}
            recorder.take(Output(pixels, frame, now, 0, pixels, now, **made))
            time.sleep(0.001)
    os.close(done)
    first = os.read(read, 1)
    time.sleep(0.007 * child)
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
    assert len(last) == 6 and len(set(last)) > 2
    for child, number in enumerate(last):
        journal = Journal(tmp_path / f"{child}.ink")
        frames = [moment.frame for moment in journal.moments]
        assert frames == list(range(len(frames))) and frames[-1] in (number, number + 1) and not journal.lost
        assert all((journal.input(frame) == frame % 250).all() for frame in frames)
        assert all(journal.making(frame).stream.seed == frame // 9 % 8 for frame in frames)


# --- errors


def test_what_is_no_journal_is_refused_by_name(stream, tmp_path):  # noqa: F811
    result = command("render", tmp_path / "none.ink", "-t", "null", code=2)
    assert "none.ink: cannot be read: No such file or directory" in result.stderr
    (tmp_path / "other.ink").write_bytes(b"\x89PNG something else")
    assert "expected what inkstream recorded" in command("render", tmp_path / "other.ink", code=2).stderr
    recorder = JournalRecorder(tmp_path / "unused.ink")
    assert recorder.close() and not (tmp_path / "unused.ink").exists()
    recording.MomentWriter(tmp_path / "empty.ink", NOON, renders=False).close()
    with pytest.raises(ConfigError, match="nothing was drawn in it"):
        Journal(tmp_path / "empty.ink")
    command("render", tmp_path / "empty.ink", "--size", "wide", code=2)
    result = command("run", "-t", "null", "-s", "fake", "--journal", tmp_path / "no" / "x.ink", code=2)
    assert "--journal: got" in result.stderr and "there is no folder" in result.stderr


def test_a_journal_never_takes_the_place_of_another(stream, tmp_path):  # noqa: F811
    run = ("run", "-s", "fake:size=64,live=0,frames=3", "-t", "null", "--journal", "j.ink")
    assert "journal: j.ink" in command(*run).stderr
    assert "journal: j-2.ink" in command(*run).stderr
    assert len(Journal(tmp_path / "j-2.ink").moments) == 3
    assert np.array_equal(Journal(tmp_path / "j.ink").input(2), Journal(tmp_path / "j-2.ink").input(2))
