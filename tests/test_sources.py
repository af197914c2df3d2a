"""Sources: specifications, the made-up source, and cameras whose drivers misbehave."""

import contextlib
import itertools
import threading
import time

import cv2
import numpy as np
import pytest
from doubles.time import FakeTime
from hypothesis import given, settings
from hypothesis import strategies as st

from inkstream.stream.base.errors import ConfigError, FrameError, SourceEnded, SourceLost, SourceUnavailable
from inkstream.stream.base.frame import Size
from inkstream.stream.sources import KINDS, Source, open_source, source_present
from inkstream.stream.sources.camera import CameraSource
from inkstream.stream.sources.fake import FakeSource, read_counter, write_counter

# --- specifications


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_refuses_unknown_options(kind):
    with pytest.raises(ConfigError, match="unknown option 'colour'"):
        open_source(f"{kind}:colour=red")


@pytest.mark.parametrize(
    "text",
    [
        "fake:pattern=tartan",
        "fake:size=4x4",
        "camera:front",
        "camera:0,index=1",
        "camera:-1",
        "demo:subject=horse",
        "demo:size=512x256",
        "video:",
        "images:",
        "screen:monitor=1,window=Krita",
        "screen:region=0,0,10,10,pick",
        "screen:region=1,2,3",
        "screen:window= ",
        "screen:Krita",
        "screen:monitor=-1",
    ],
)
def test_wrong_specifications_are_named(text):
    with pytest.raises(ConfigError):
        open_source(text)


# --- whether it is there


@pytest.mark.parametrize("kind", ["video", "images"])
def test_a_file_is_there_when_its_path_is(kind, tmp_path):
    text = f"{kind}:{tmp_path / 'a, b.mp4'},loop"
    assert source_present(text) is False
    (tmp_path / "a, b.mp4").touch()
    assert source_present(text) is True


def test_pictures_are_there_when_their_folder_or_one_of_them_is(tmp_path):
    assert source_present(f"images:{tmp_path}") is True
    assert source_present(f"video:{tmp_path}") is False
    assert source_present(f"images:{tmp_path}/**/*.png") is False
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.png").touch()
    assert source_present(f"images:{tmp_path}/**/*.png") is True


# --- what was read stays as it is


@pytest.mark.parametrize(
    "text",
    [
        "fake:pattern=noise,size=64",
        "fake:pattern=solid,size=64",
        "fake:pattern=stroke,size=64",
        "fake:pattern=stroke,size=64,resize_at=3",
        "fake:pattern=counter,size=64",
        "demo:house,size=64,speed=50",
        "images:{folder}",
        "video:{folder}/raw.avi,pace=0",
    ],
)
def test_a_picture_that_was_read_never_changes(text, tmp_path):
    if "raw.avi" in text:
        _write_raw_video(tmp_path / "raw.avi")
    else:
        for level in range(6):
            cv2.imwrite(str(tmp_path / f"{level}.png"), np.full((8, 8, 3), level, np.uint8))
    separator = "" if "{" in text else ",live=0"
    source = open_source(text.format(folder=tmp_path) + separator)
    pictures = [source.read() for _ in range(6)]
    kept = [picture.copy() for picture in pictures]
    with contextlib.suppress(SourceEnded):
        for _ in range(6):
            source.read()
    source.close()
    np.testing.assert_array_equal(kept[5], pictures[5])
    for picture, before in zip(pictures, kept, strict=True):
        np.testing.assert_array_equal(picture, before)
    assert not any(np.shares_memory(a, b) for a, b in itertools.combinations(pictures, 2))


def _write_raw_video(path):
    """Pictures that the decoder need not convert, so that it could be tempted to hand out its own memory."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("rawvideo", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "rgb24"
        for level in range(12):
            frame = av.VideoFrame.from_ndarray(np.full((32, 64, 3), level * 20, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


# --- the made-up source


@pytest.mark.parametrize("pattern", ["noise", "solid", "stroke", "counter"])
def test_fake_pictures_are_the_same_in_every_run(pattern):
    runs = []
    for _ in range(2):
        source = open_source(f"fake:pattern={pattern},size=96x64,live=0,frames=5")
        assert isinstance(source, Source) and not source.live
        runs.append([source.read() for _ in range(5)])
        with pytest.raises(SourceEnded):
            source.read()
    for one, other in zip(*runs, strict=True):
        assert one.shape == (64, 96, 3) and one.dtype == np.uint8 and one.flags.c_contiguous
        np.testing.assert_array_equal(one, other)


def test_fake_patterns_change_as_they_say():
    def changes(pattern):
        source = open_source(f"fake:pattern={pattern},size=128,live=0,mark=0")
        before, after = source.read(), source.read()
        return (before != after).any(axis=2).mean()

    assert changes("solid") == 0
    assert changes("noise") > 0.99
    assert 0 < changes("stroke") < 0.05


@given(number=st.integers(0, 2**24 - 1), width=st.integers(32, 700), height=st.integers(8, 500))
@settings(max_examples=60, deadline=None)
def test_counter_reads_back(number, width, height):
    pixels = np.full((height, width, 3), 255, np.uint8)
    write_counter(pixels, number)
    assert read_counter(pixels) == number


def test_counter_survives_scaling_and_compression():
    source = FakeSource(Size(640, 360), live=False, pattern="noise")
    for _ in range(3):
        pixels = source.read()
    scaled = cv2.resize(pixels, (512, 512), interpolation=cv2.INTER_AREA)
    packed = cv2.imdecode(cv2.imencode(".jpg", scaled, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR)
    assert read_counter(packed) == 2


@pytest.mark.parametrize("level", [0, 26, 128, 255])
def test_counter_is_not_read_from_plain_pictures(level):
    with pytest.raises(FrameError, match="without a readable counter"):
        read_counter(np.full((64, 64, 3), level, np.uint8))


def test_fake_fails_stalls_and_resizes_on_order():
    time_ = FakeTime()
    source = FakeSource(
        Size(64, 64), live=False, fail_at=4, stall_at=2, stall=5.0, resize_at=3, clock=time_, stop=time_
    )
    assert [read_counter(source.read()) for _ in range(2)] == [0, 1]
    before = time_.now
    assert read_counter(source.read()) == 2
    assert time_.now - before == pytest.approx(5.0)
    assert Size.of(source.read()) == Size(32, 32)
    with pytest.raises(SourceLost, match="picture 4"):
        source.read()


def test_close_ends_a_stall_at_once():
    source = FakeSource(live=False, stall_at=0, stall=60.0)
    threading.Timer(0.05, source.close).start()
    start = time.perf_counter()
    with pytest.raises(SourceEnded):
        source.read()
    assert time.perf_counter() - start < 20
    source.close()


def test_a_late_reader_gets_no_burst_from_240_fps():
    time_ = FakeTime()
    source = FakeSource(Size(64, 64), fps=240, clock=time_, stop=time_)
    source.read()
    for _ in range(20):  # an engine of 20 fps
        time_.now += 0.05
        before = time_.now
        source.read()
        assert time_.now - before < 1 / 240
    before = time_.now
    for _ in range(24):
        source.read()
    assert time_.now - before == pytest.approx(0.1, abs=1 / 240)


# --- cameras


class Driver:
    """Stands in for ``cv2.VideoCapture``: gives ``pictures`` (each after the first when ``turn`` is released).

    Then it repeats the last, fails, blocks or raises.
    """

    def __init__(self, pictures, then="repeat", opens=True):
        self.pictures = list(pictures)
        self.given = []
        self.then = then
        self.opens = opens
        self.go = threading.Event()
        self.blocked = threading.Event()
        self.released = threading.Event()
        self.wishes = {}
        self.turn = threading.Semaphore(0)

    def __call__(self, index):
        self.index = index
        return self

    def isOpened(self):
        return self.opens

    def set(self, name, value):
        self.wishes[name] = value

    def read(self):
        if self.given and self.pictures:
            self.turn.acquire(timeout=10)
        if self.pictures:
            self.given.append(self.pictures.pop(0))
        elif self.then == "block":
            self.blocked.set()
            self.go.wait(30)
            return False, None
        elif self.then == "raise":
            raise RuntimeError("USB reset")
        elif self.then == "fail":
            return False, None
        else:
            self.go.wait(0.002)
        return True, self.given[-1]

    def release(self):
        self.released.set()


BGR = np.zeros((48, 64, 3), np.uint8) + np.array([10, 20, 30], np.uint8)


@pytest.fixture
def driver():
    made = []

    def make(*arguments, **options):
        made.append(Driver(*arguments, **options))
        return made[-1]

    yield make
    for each in made:
        each.go.set()


def test_camera_gives_rgb_and_passes_wishes(driver):
    fake = driver([BGR])
    source = CameraSource(2, width=640, height=480, fps=60, capture=fake)
    picture = source.read()
    assert source.live and picture.shape == (48, 64, 3) and picture.flags.c_contiguous
    assert picture[0, 0].tolist() == [30, 20, 10]
    assert fake.index == 2
    assert fake.wishes == {cv2.CAP_PROP_FRAME_WIDTH: 640, cv2.CAP_PROP_FRAME_HEIGHT: 480, cv2.CAP_PROP_FPS: 60}
    source.close()
    source.close()
    assert fake.released.wait(5)
    with pytest.raises(SourceEnded):
        source.read()


def test_camera_number_can_stand_alone(driver, monkeypatch):
    fake = driver([BGR])
    monkeypatch.setattr(
        CameraSource.__init__, "__kwdefaults__", {**CameraSource.__init__.__kwdefaults__, "capture": fake}
    )
    source = open_source("camera:1,mirror=1")
    source.close()
    assert fake.index == 1


def test_camera_mirror(driver):
    left = BGR.copy()
    left[:, :8] = 255
    source = CameraSource(mirror=True, capture=driver([left]))
    picture = source.read()
    source.close()
    assert (picture[:, -8:] == 255).all() and (picture[:, :8] != 255).all() and picture.flags.c_contiguous


def test_camera_whose_driver_blocks_does_not_block_us(driver):
    fake = driver([BGR], then="block")
    source = CameraSource(0, timeout=0.3, capture=fake)
    source.read()
    assert fake.blocked.wait(5)
    with pytest.raises(SourceLost, match=r"camera 0 gave no picture for 0\.3 s"):
        source.read()
    start = time.perf_counter()
    source.close()
    assert time.perf_counter() - start < 5  # the driver comes back in 30
    assert not fake.released.is_set()
    fake.go.set()
    assert fake.released.wait(5)  # let go of as soon as it comes back


def test_close_wakes_a_blocked_read(driver):
    fake = driver([BGR], then="block")
    source = CameraSource(0, timeout=60, capture=fake)
    source.read()
    threading.Timer(0.05, source.close).start()
    start = time.perf_counter()
    with pytest.raises(SourceEnded):
        source.read()
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize(("then", "reason"), [("fail", "stopped giving pictures"), ("raise", "had a fault")])
def test_unplugged_camera_is_lost(driver, then, reason):
    source = CameraSource(0, capture=driver([BGR], then=then))
    with pytest.raises(SourceLost, match=reason):
        for _ in range(2):
            source.read()
    source.close()


def test_camera_that_does_not_open_says_what_to_do(driver):
    fake = driver([], opens=False)
    with pytest.raises(SourceUnavailable, match=r"camera 7: cannot be opened: .{10}"):
        CameraSource(7, capture=fake)
    assert fake.released.wait(5)


def test_camera_that_hangs_while_opening(driver):
    with pytest.raises(SourceUnavailable, match=r"no picture within 0\.2 s"):
        CameraSource(0, timeout=0.2, capture=driver([], then="block"))


def test_camera_that_changes_size_and_layout(driver):
    gray = np.full((30, 40), 77, np.uint8)
    bgra = np.dstack([np.full((20, 24, 3), (1, 2, 3), np.uint8), np.full((20, 24), 255, np.uint8)])
    fake = driver([BGR, gray, bgra, BGR[:, ::2]])
    source = CameraSource(capture=fake)
    seen = []
    for _ in range(4):
        seen.append(source.read())
        fake.turn.release()
    source.close()
    assert [picture.shape for picture in seen] == [(48, 64, 3), (30, 40, 3), (20, 24, 3), (48, 32, 3)]
    assert seen[1][0, 0].tolist() == [77, 77, 77] and seen[2][0, 0].tolist() == [3, 2, 1]
    assert all(picture.flags.c_contiguous for picture in seen)


@pytest.mark.parametrize(
    "bad", [np.full((4, 4, 3), np.nan, np.float32), np.zeros((0, 0, 3), np.uint8), np.zeros((4, 4, 2), np.uint8)]
)
def test_one_bad_picture_is_refused_and_the_camera_goes_on(driver, bad):
    fake = driver([BGR, bad, BGR])
    source = CameraSource(capture=fake)
    source.read()
    fake.turn.release()
    with pytest.raises(FrameError):
        source.read()
    fake.turn.release()
    assert source.read().shape == (48, 64, 3)
    source.close()


def test_newest_picture_wins(driver):
    pictures = [np.full((4, 4, 3), level, np.uint8) for level in range(1, 6)]
    fake = driver(pictures, then="block")
    source = CameraSource(capture=fake)
    for _ in range(4):
        fake.turn.release()
    assert fake.blocked.wait(5)
    assert source.read()[0, 0, 0] == 5
    source.close()
