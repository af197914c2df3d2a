"""The contract of sinks, and the small ones: null, fake, images; files that are whole or not there."""

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from inkstream.stream.base.errors import ConfigError, SinkClosed, SinkUnavailable
from inkstream.stream.base.files import write_new
from inkstream.stream.base.frame import Output, Size
from inkstream.stream.sinks import KINDS, Sink, Status, open_sink
from inkstream.stream.sinks.fake import FakeSink
from inkstream.stream.sinks.images import ImagesSink
from inkstream.stream.sinks.null import NullSink
from inkstream.stream.sinks.slate import slate


def output(number: int, side: int = 32) -> Output:
    pixels = np.random.default_rng(number).integers(0, 256, (side, side, 3), np.uint8)
    return Output(pixels, source_id=number, captured_at=float(number), revision=1)


def read(path: Path) -> np.ndarray:
    return cv2.imread(str(path))[..., ::-1]


class DiskFull:
    """Lets ``os``-level writes of pictures fail after ``room`` bytes."""

    def __init__(self, room: int) -> None:
        self.room = room

    def __call__(self, path: Path, data: bytes, durable: bool = False) -> Path:
        self.room -= len(data)
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write_new(path, data, durable)


def test_every_sink_fulfils_the_contract(tmp_path):
    sinks = [NullSink(), FakeSink(), ImagesSink(tmp_path / "out")]
    for sink in sinks:
        assert isinstance(sink, Sink)
        sink.write(None, Status())
        sink.write(output(1), Status())
        sink.close()
        sink.close()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_names_an_unknown_option(kind):
    with pytest.raises(ConfigError, match="nonsense"):
        open_sink(f"{kind}:nonsense=1")


def test_no_heavy_library_is_imported_before_it_is_used():
    modules = "".join(f"import inkstream.stream.sinks.{kind}\n" for kind in KINDS)
    code = (
        f"import sys\n{modules}print([m for m in ('torch', 'pygame', 'av', 'pyvirtualcam', 'mss') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert shown.strip() == "[]"


# --- null and fake


def test_null_counts_pictures_only():
    sink = open_sink("null")
    sink.write(None, Status())
    sink.write(output(1), Status())
    sink.write(output(2), Status())
    sink.close()
    assert sink.written == 2


def test_fake_remembers_the_last_outputs_with_times():
    ticks = iter(range(100))
    sink = FakeSink(keep=3, clock=lambda: float(next(ticks)))
    status = Status(state="live", fps=7.0)
    for number in range(5):
        sink.write(output(number), status)
    sink.write(None, status)
    assert [item.source_id for item in sink.outputs] == [3, 4]
    assert [item.at for item in sink.written] == [3.0, 4.0, 5.0]
    assert sink.written[0].status is status
    assert sink.count == 6
    assert sink.threads == {threading.get_ident()}


def test_fake_fails_and_closes_when_ordered():
    sink = open_sink("fake:fail_at=2,close_at=3,interval=0.25,main=1")
    assert sink.interval == 0.25
    assert sink.on_main_thread
    sink.write(output(1), Status())
    with pytest.raises(SinkUnavailable, match="fail_at=2"):
        sink.write(output(2), Status())
    with pytest.raises(SinkClosed):
        sink.write(output(3), Status())


def test_slow_fake_takes_its_time_until_it_is_closed():
    sink = FakeSink(delay=60.0)
    writing = threading.Thread(target=sink.write, args=(output(1), Status()))
    writing.start()
    assert sink.wait(1)
    writing.join(0.1)
    assert writing.is_alive()
    sink.close()
    writing.join(10)
    assert not writing.is_alive()
    assert not sink.wait(2, timeout=0.01)


@pytest.mark.parametrize("options", ["keep=0", "delay=-1", "interval=0", "fail_at=soon"])
def test_fake_refuses_bad_options(options):
    with pytest.raises(ConfigError):
        open_sink(f"fake:{options}")


# --- images


def test_images_are_named_by_the_frame_and_are_exact(tmp_path):
    sink = open_sink(f"images:{tmp_path / 'out'}")
    sink.write(output(7), Status())
    sink.write(output(123), Status())
    assert sorted(os.listdir(tmp_path / "out")) == ["00000007.png", "00000123.png"]
    assert np.array_equal(read(tmp_path / "out" / "00000123.png"), output(123).pixels)


def test_images_keeps_every_nth(tmp_path):
    sink = open_sink(f"images:{tmp_path / 'out'},every=3")
    for number in range(8):
        sink.write(output(number), Status())
    assert sorted(os.listdir(tmp_path / "out")) == ["00000000.png", "00000003.png", "00000006.png"]
    assert sink.written == 3


def test_images_never_touches_an_earlier_run(tmp_path):
    first = ImagesSink(tmp_path / "out")
    first.write(output(1), Status())
    second = ImagesSink(tmp_path / "out")
    second.write(output(1, side=8), Status())
    third = ImagesSink(tmp_path / "out")
    assert [sink.folder.name for sink in (first, second, third)] == ["out", "out-2", "out-3"]
    assert np.array_equal(read(first.folder / "00000001.png"), output(1).pixels)


def test_a_frame_rendered_twice_gives_two_images(tmp_path):
    sink = ImagesSink(tmp_path / "out")
    sink.write(output(1), Status())
    sink.write(output(1), Status())
    assert sorted(os.listdir(sink.folder)) == ["00000001-2.png", "00000001.png"]


def test_images_stops_with_an_alarm_when_the_disk_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr("inkstream.stream.sinks.images.write_new", DiskFull(room=7000))
    sink = ImagesSink(tmp_path / "out")
    with pytest.raises(SinkUnavailable, match=r"No space left.*2 pictures were kept in .*out"):
        for number in range(10):
            sink.write(output(number), Status())
    assert np.array_equal(read(sink.folder / "00000001.png"), output(1).pixels)
    assert sorted(os.listdir(sink.folder)) == ["00000000.png", "00000001.png"]


def test_images_says_when_the_folder_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkUnavailable, match="cannot make the folder"):
        ImagesSink(tmp_path / "file" / "out")


@pytest.mark.parametrize("text", ["images", "images:every=2", "images:out,every=0", "images:out,every=few"])
def test_images_refuses_bad_options(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError):
        open_sink(text)
    assert os.listdir(tmp_path) == []


# --- files


def test_a_file_that_fails_half_way_leaves_nothing(tmp_path, monkeypatch):
    def refuse(part: Path, free: Path) -> None:
        assert part.read_bytes() == b"new"
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(os, "link", refuse)
    for call in ("rename", "replace"):
        monkeypatch.setattr(os, call, refuse)
    with pytest.raises(OSError, match="input/output"):
        write_new(tmp_path / "a.png", b"new")
    assert os.listdir(tmp_path) == []


def test_a_name_taken_in_the_last_moment_is_not_replaced(tmp_path, monkeypatch):
    first = tmp_path / "a.png"
    call = "rename" if os.name == "nt" else "link"
    claim = getattr(os, call)

    def late(part: Path, free: Path) -> None:
        if not first.exists():
            first.write_bytes(b"theirs")
        claim(part, free)

    monkeypatch.setattr(os, call, late)
    assert write_new(first, b"ours") == tmp_path / "a-2.png"
    assert first.read_bytes() == b"theirs"
    assert (tmp_path / "a-2.png").read_bytes() == b"ours"


@pytest.mark.skipif(os.name == "nt", reason="there a rename is what is always used")
def test_files_are_written_where_there_are_no_hard_links(tmp_path, monkeypatch):
    def no_links(*_: object) -> None:
        raise PermissionError(errno.EPERM, "operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    assert write_new(tmp_path / "a.png", b"ours", durable=True).read_bytes() == b"ours"
    assert os.listdir(tmp_path) == ["a.png"]


def test_killed_while_saving_no_half_picture_is_ever_there(tmp_path):
    code = (
        "import numpy as np, sys\n"
        "from inkstream.stream.base.frame import Output\n"
        "from inkstream.stream.sinks import Status\n"
        "from inkstream.stream.sinks.images import ImagesSink\n"
        "sink = ImagesSink(sys.argv[1])\n"
        "pixels = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)\n"
        "for number in range(100000):\n"
        "    sink.write(Output(pixels, number, 0.0, 1), Status())\n"
        "    print(number, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "out")], stdout=subprocess.PIPE, text=True
    ) as child:
        for line in child.stdout:
            if int(line) == 5:
                break
        child.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    pictures = sorted((tmp_path / "out").glob("[!.]*"))
    assert len(pictures) >= 6
    for picture in pictures:
        assert picture.suffix == ".png"
        assert read(picture).shape == (512, 512, 3)


# --- slate


@pytest.mark.parametrize("size", [Size(1, 1), Size(64, 48), Size(333, 777), Size(1280, 720)])
def test_the_slate_has_the_size_and_says_something(size):
    picture = slate(size)
    assert picture.shape == (size.height, size.width, 3)
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous
    if size.width >= 64:
        assert picture.max() > 180 > 30 > picture[0, 0].max()
