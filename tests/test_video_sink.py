"""Recordings: what is in them, what is left of them when the program is killed or the disk is full."""

import errno
import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from inkstream.stream.base.errors import ConfigError, SinkUnavailable
from inkstream.stream.base.frame import Output
from inkstream.stream.sinks import Status, open_sink
from inkstream.stream.sinks.video import CONTAINERS, KEY_EVERY, VideoSink

av = pytest.importorskip("av")
LIVE = Status(state="live")


def picture(colour: tuple[int, int, int], width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def noise(number: int, side: int = 96) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (side, side, 3), np.uint8)


def output(pixels: np.ndarray, at: float, drawing: np.ndarray | None = None, rendered_at: float = 0.0) -> Output:
    return Output(pixels, source_id=1, captured_at=at, revision=1, input=drawing, rendered_at=rendered_at)


def frames(path: Path) -> list[tuple[float, np.ndarray]]:
    """Time and pixels of every frame that can be decoded."""
    with av.open(str(path)) as container:
        return [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


class SmallDisk(io.FileIO):
    """A file on a disk that is full after ``room`` bytes; like a real one it takes a part of the last write."""

    def __init__(self, path: Path, room: int) -> None:
        super().__init__(path, "xb")
        self.room = room

    def write(self, data) -> int:
        data = memoryview(data)[: self.room]
        if not data:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= len(data)
        return super().write(data)


class Crumbs(io.FileIO):
    """A file that takes no more than 100 bytes at once."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "xb")

    def write(self, data) -> int:
        return super().write(memoryview(data)[:100])


@pytest.mark.parametrize(
    ("extension", "codec"), [(each, name) for each, kind in CONTAINERS.items() for name in kind.codecs]
)
def test_every_container_and_codec_keeps_times_and_colours(tmp_path, extension, codec):
    sink = VideoSink(tmp_path / f"a{extension}", codec=codec)
    times = [100.0, 100.04, 100.3, 100.35, 101.2]
    for at in times:
        sink.write(output(picture((200, 60, 30)), at), LIVE)
    sink.close()
    recorded = frames(sink.path)
    assert [time for time, _ in recorded] == pytest.approx([at - 100.0 for at in times], abs=0.002)
    for _, pixels in recorded:
        assert np.abs(pixels.astype(int) - (200, 60, 30)).max() <= 12
    assert sink.seconds == pytest.approx(1.2 + 1 / 30, abs=0.002)


def test_the_best_codec_of_this_build_is_chosen_and_said(tmp_path):
    sink = VideoSink(tmp_path / "a.mp4")
    sink.close()
    assert sink.codec == ("libx264" if "libx264" in av.codecs_available else "mpeg4")


def test_each_output_is_recorded_once_in_order(tmp_path):
    sink = VideoSink(tmp_path / "a.mp4", crf=10)
    for number in range(20):
        sink.write(output(picture((12 * number, 100, 100)), 5 + number / 20), LIVE)
        sink.write(None, LIVE)
    sink.close()
    reds = [pixels[20, 20, 0] for _, pixels in frames(sink.path)]
    assert np.abs(np.array(reds, int) - 12 * np.arange(20)).max() <= 6


def test_times_always_rise(tmp_path):
    """Rendered again, stalled, or out of order: a player still gets a rising clock."""
    sink = VideoSink(tmp_path / "a.mp4")
    for captured, rendered in [(10, 10.1), (10, 10.5), (10, 10.5), (9, 10.6), (10.2, 10.7), (12, 12.1)]:
        sink.write(output(picture((9, 9, 9)), captured, rendered_at=rendered), LIVE)
    sink.close()
    times = [time for time, _ in frames(sink.path)]
    assert times == sorted(set(times))
    assert times[0] == 0
    assert times[1] == pytest.approx(0.4, abs=0.001)  # rendered again 0.4 s later
    assert times[3] == pytest.approx(0.5, abs=0.001)
    assert times[-1] == pytest.approx(2.0, abs=0.001)


def test_key_frames_come_often_enough(tmp_path):
    sink = VideoSink(tmp_path / "a.mp4", fps=30)
    for number in range(40):
        sink.write(output(noise(0), number / 10), LIVE)
    sink.close()
    with av.open(str(sink.path)) as container:
        keys = [frame.time for frame in container.decode(video=0) if frame.key_frame]
    assert keys[0] == 0
    assert max(np.diff(keys)) <= KEY_EVERY + 0.11


def test_input_is_recorded_at_the_left(tmp_path):
    sink = open_sink(f"video:{tmp_path / 'a.mp4'},input=1")
    sink.write(output(picture((20, 20, 200)), 0, drawing=picture((250, 250, 250), 128, 96)), LIVE)
    sink.write(output(picture((20, 20, 200)), 1), LIVE)
    sink.close()
    (_, both), (_, without) = frames(sink.path)
    assert both.shape == (48, 128, 3)
    assert both[24, 20].min() > 235
    assert np.abs(both[24, 100].astype(int) - (20, 20, 200)).max() < 10
    assert without[24, 20].max() < 40


def test_odd_sides_get_one_more_pixel(tmp_path):
    sink = VideoSink(tmp_path / "a.mp4")
    sink.write(output(picture((200, 60, 30), 65, 47), 0), LIVE)
    sink.close()
    ((_, pixels),) = frames(sink.path)
    assert pixels.shape == (48, 66, 3)
    assert np.abs(pixels.astype(int) - (200, 60, 30)).max() <= 12  # also at the added edge


def test_another_size_is_letterboxed_into_the_first(tmp_path):
    sink = VideoSink(tmp_path / "a.mp4", crf=10)
    sink.write(output(picture((250, 250, 250), 64, 64), 0), LIVE)
    sink.write(output(picture((250, 250, 250), 128, 32), 1), LIVE)
    sink.close()
    (_, first), (_, second) = frames(sink.path)
    assert first.shape == second.shape == (64, 64, 3)
    assert second[32, 32].min() > 235
    assert second[4, 32].max() < 40
    assert second[60, 32].max() < 40


# --- files


def test_a_recording_is_never_replaced(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"precious")
    sinks = [VideoSink(tmp_path / "a.mp4") for _ in range(2)]
    for sink in sinks:
        sink.write(output(picture((9, 9, 9)), 0), LIVE)
        sink.close()
    assert [sink.path.name for sink in sinks] == ["a-2.mp4", "a-3.mp4"]
    assert (tmp_path / "a.mp4").read_bytes() == b"precious"
    assert len(frames(sinks[1].path)) == 1


def test_overwrite_replaces_it(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"old")
    sink = open_sink(f"video:{tmp_path / 'a.mp4'},overwrite=1")
    sink.write(output(picture((9, 9, 9)), 0), LIVE)
    sink.close()
    assert os.listdir(tmp_path) == ["a.mp4"]
    assert len(frames(sink.path)) == 1


def test_nothing_recorded_leaves_no_file(tmp_path):
    sink = VideoSink(tmp_path / "new" / "a.mp4")
    assert sink.path.exists()
    sink.write(None, LIVE)
    sink.close()
    sink.close()
    assert not sink.path.exists()


def test_after_close_nothing_is_written(tmp_path):
    sink = VideoSink(tmp_path / "a.mp4")
    sink.write(output(picture((9, 9, 9)), 0), LIVE)
    sink.close()
    size = sink.path.stat().st_size
    sink.write(output(picture((9, 9, 9)), 1), LIVE)
    sink.close()
    assert sink.path.stat().st_size == size


def test_close_may_come_from_another_thread_while_writing(tmp_path):
    sink = VideoSink(tmp_path / "a.mp4")
    started = threading.Event()

    def record() -> None:
        for number in range(200):
            sink.write(output(noise(number % 4), number / 30), LIVE)
            if number == 20:
                started.set()

    recording = threading.Thread(target=record)
    recording.start()
    assert started.wait(30)
    sink.close()
    recording.join()
    assert 20 <= len(frames(sink.path)) <= 200


@pytest.mark.parametrize(
    "text",
    [
        "video",
        "video:a.avi",
        "video:a",
        "video:a.mp4,codec=nosuch",
        "video:a.webm,codec=libx264",
        "video:a.mp4,codec=aac",
        "video:a.mp4,fps=0",
        "video:a.mp4,crf=99",
        "video:a.mp4,fps=fast",
    ],
)
def test_bad_options_are_named_and_leave_no_file(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="video"):
        open_sink(text)
    assert os.listdir(tmp_path) == []


def test_an_unknown_extension_says_what_works(tmp_path):
    with pytest.raises(ConfigError, match=r"'a\.avi'.*\.mp4, \.mov, \.mkv, \.webm"):
        VideoSink(tmp_path / "a.avi")


def test_a_folder_that_refuses_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkUnavailable, match=r"cannot write .*a\.mp4"):
        VideoSink(tmp_path / "file" / "a.mp4")


# --- what is left when things go wrong


@pytest.mark.parametrize("extension", CONTAINERS)
def test_disk_full_is_an_alarm_and_what_was_written_plays(tmp_path, extension):
    sink = VideoSink(tmp_path / f"a{extension}", create=lambda path: SmallDisk(path, 150_000))
    written = 0
    with pytest.raises(SinkUnavailable, match=r"recording stopped: disk full; \d+\.\d seconds were kept in .*a\."):
        for number in range(2000):
            sink.write(output(noise(number), number / 30), LIVE)
            written = number
    assert sink.seconds >= KEY_EVERY * 0.9
    assert sink.seconds >= written / 30 - 2 * KEY_EVERY - 0.1
    recorded = frames(sink.path)
    assert recorded[-1][0] + 1 / 30 == pytest.approx(sink.seconds, abs=0.01)
    size = sink.path.stat().st_size
    sink.write(output(noise(1), 1000.0), LIVE)
    sink.close()
    assert sink.path.stat().st_size == size


def test_after_the_alarm_nothing_more_is_written_even_if_there_is_room_again(tmp_path):
    disk, cuts = [], []
    sink = VideoSink(tmp_path / "a.mkv", create=lambda path: disk.append(SmallDisk(path, 150_000)) or disk[0])
    cut = disk[0].truncate

    def cut_and_make_room(size: int) -> int:
        disk[0].room = 10**9
        cuts.append(size)
        return cut(size)

    disk[0].truncate = cut_and_make_room
    with pytest.raises(SinkUnavailable):
        for number in range(2000):
            sink.write(output(noise(number), number / 30), LIVE)
    assert disk[0].closed
    assert cuts == [sink.path.stat().st_size]
    assert frames(sink.path)[-1][0] + 1 / 30 == pytest.approx(sink.seconds, abs=0.01)


class Fragile:
    """A container of PyAV, or its stream, whose encoder fails while ``broken`` has something in it."""

    def __init__(self, inner, broken: list[str]) -> None:
        self.__dict__.update(inner=inner, broken=broken)

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def __setattr__(self, name, value) -> None:
        setattr(self.inner, name, value)

    def add_stream(self, *args, **options):
        return Fragile(self.inner.add_stream(*args, **options), self.broken)

    def encode(self, frame):
        if self.broken:
            raise av.error.ExternalError(1, self.broken[0])
        return self.inner.encode(frame)


def test_an_encoder_that_fails_is_an_alarm_and_everything_before_is_kept(tmp_path, monkeypatch):
    broken, real = [], av.open
    sink = VideoSink(tmp_path / "a.mp4")
    monkeypatch.setattr(av, "open", lambda file, *args, **options: Fragile(real(file, *args, **options), broken))
    for number in range(20):
        sink.write(output(noise(number), number / 20), LIVE)
    monkeypatch.setattr(av, "open", real)
    broken.append("encoder lost its device")
    with pytest.raises(SinkUnavailable, match=r"encoder lost its device.*; 1\.0 seconds were kept"):
        sink.write(output(noise(21), 1.0), LIVE)
    assert len(frames(sink.path)) == 20


def test_disk_full_at_the_end_is_an_alarm_too(tmp_path):
    sink = VideoSink(tmp_path / "a.mp4", create=lambda path: SmallDisk(path, 2000))
    sink.write(output(noise(1), 0), LIVE)
    with pytest.raises(SinkUnavailable, match="disk full; nothing was kept"):
        sink.close()
    sink.close()


def test_a_disk_that_is_full_from_the_start_leaves_no_file(tmp_path):
    sink = VideoSink(tmp_path / "a.mp4", create=lambda path: SmallDisk(path, 0))
    with pytest.raises(SinkUnavailable, match="disk full; nothing was kept"):
        sink.write(output(noise(1), 0), LIVE)
    assert os.listdir(tmp_path) == []


def test_a_file_that_takes_only_a_part_at_once_gets_everything(tmp_path):
    sink = VideoSink(tmp_path / "a.mp4", create=Crumbs)
    for number in range(20):
        sink.write(output(noise(number), number / 20), LIVE)
    sink.close()
    assert len(frames(sink.path)) == 20


RECORDER = """
import sys, threading, time
import numpy as np
from inkstream.stream.base.frame import Output
from inkstream.stream.sinks import Status
from inkstream.stream.sinks.video import VideoSink
sinks = [VideoSink(path) for path in sys.argv[1:]]
pause = threading.Event()
start = time.perf_counter()
for number in range(100000):
    pixels = np.full((64, 64, 3), number % 200, np.uint8)  # so few bytes that a buffer would keep them for long
    now = time.perf_counter()
    for sink in sinks:
        sink.write(Output(pixels, number, now, 1), Status())
    print(now - start, flush=True)
    pause.wait(0.03)
"""


def test_killed_while_recording_it_plays_up_to_a_second_before(tmp_path):
    paths = [str(tmp_path / f"a{extension}") for extension in CONTAINERS]
    with subprocess.Popen([sys.executable, "-c", RECORDER, *paths], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if float(line) > 2.5:
                break
        child.kill()
    for path in paths:
        recorded = frames(path)
        assert recorded[-1][0] >= float(line) - 1.2
        assert len(recorded) >= 10
