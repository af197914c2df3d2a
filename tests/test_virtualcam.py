"""The virtual camera, on a stand-in for pyvirtualcam that behaves as its documentation and source say."""

import enum
import logging
import sys
import threading
import types

import numpy as np
import pytest

from inkstream.stream.base.errors import ConfigError, SinkUnavailable
from inkstream.stream.base.frame import Output, Size
from inkstream.stream.sinks import Status, open_sink
from inkstream.stream.sinks.slate import slate
from inkstream.stream.sinks.virtualcam import HINTS, VirtualCamSink

WARMING, LIVE = Status(), Status(state="live")


SMALL = Size(64, 48)


def output(colour: int = 200, size: Size = SMALL) -> Output:
    return Output(np.full((size.height, size.width, 3), colour, np.uint8), 1, 0.0, 1)


class PixelFormat(enum.Enum):
    RGB = "raw "
    BGR = "24BG"
    RGBA = "ABGR"
    I420 = "I420"


def shape(fmt: PixelFormat, width: int, height: int) -> tuple[int, ...]:
    if fmt is PixelFormat.I420:
        return (height * 3 // 2, width)
    return (height, width, 4 if fmt is PixelFormat.RGBA else 3)


class Library(types.ModuleType):
    """pyvirtualcam with one device: taken by whoever has opened it, absent while ``present`` is False."""

    def __init__(self) -> None:
        super().__init__("pyvirtualcam")
        self.PixelFormat = PixelFormat
        self.cameras: list = []
        self.tries = 0
        self.present = True
        self.taken = None
        self.camera = types.SimpleNamespace(BACKENDS={})
        self.register_backend = self.camera.BACKENDS.__setitem__
        self.register_backend("first", "no driver")
        self.register_backend("second", None)
        library = self

        class Camera:
            def __init__(self, width, height, fps, *, fmt=PixelFormat.RGB, device=None, backend=None, print_fps=False):
                library.tries += 1
                known = library.camera.BACKENDS
                errors = []
                for name in [backend] if backend else known:
                    refusal = known[name] or (library.taken and "device is taken")
                    refusal = refusal or (None if library.present else "device not found")
                    if refusal is None:
                        break
                    errors.append(f"'{name}' backend: {refusal}")
                else:
                    raise RuntimeError("\n".join(errors))
                assert width % 2 == 0 == height % 2
                library.taken = self
                library.cameras.append(self)
                self.width, self.height, self.fps, self.fmt, self.backend = width, height, fps, fmt, name
                self.device = device or "camera"
                self.sent = []

            def send(self, frame):
                assert library.taken is self
                if frame.dtype != np.uint8 or frame.shape != shape(self.fmt, self.width, self.height):
                    raise ValueError(f"unexpected frame: {frame.dtype} {frame.shape}")
                if not library.present:
                    raise RuntimeError("device is gone")
                self.sent.append(frame.copy())

            def sleep_until_next_frame(self):
                raise AssertionError("the session keeps the cadence, not the camera")

            def close(self):
                if library.taken is self:
                    library.taken = None

        self.Camera = Camera


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def library(monkeypatch) -> Library:
    fake = Library()
    monkeypatch.setitem(sys.modules, "pyvirtualcam", fake)
    return fake


def settle() -> None:
    """Wait for the threads that open a camera, if there are any."""
    for thread in threading.enumerate():
        if thread.name == "virtualcam-open":
            thread.join(10)
            assert not thread.is_alive()


def test_the_cadence_is_fixed_by_fps(library):
    assert VirtualCamSink().interval == pytest.approx(1 / 30)
    sink = open_sink("virtualcam:fps=24,size=640x480")
    assert sink.interval == pytest.approx(1 / 24)
    assert library.cameras[0].fps == 24
    sink.close()


def test_slate_then_newest_then_last_good(library):
    sink = VirtualCamSink(size=SMALL)
    sink.write(None, WARMING)
    sink.write(output(200), LIVE)
    sink.write(None, LIVE)
    sink.write(output(90), LIVE)
    sink.close()
    first, second, third, fourth = library.cameras[0].sent
    assert np.array_equal(first, slate(SMALL))
    assert first.max() > 100  # it says something, it is not black
    assert np.array_equal(second, output(200).pixels)
    assert np.array_equal(third, second)
    assert np.array_equal(fourth, output(90).pixels)


@pytest.mark.parametrize("first", [None, output(10, Size(321, 241))])
def test_without_a_size_outputs_decide_and_sides_are_even(library, first):
    sink = VirtualCamSink()
    assert not library.cameras
    sink.write(first, Status(size=(321, 241)))
    assert sink.size == Size(322, 242)
    assert (library.cameras[0].width, library.cameras[0].height) == (322, 242)
    sink.close()


def test_the_size_stays_and_other_sizes_are_letterboxed(library):
    sink = VirtualCamSink(size=SMALL)
    sink.write(output(200, Size(480, 480)), LIVE)
    (sent,) = library.cameras[0].sent
    assert sent.shape == (48, 64, 3)
    assert (sent[:, 8:56] == 200).all()
    assert sent[:, :8].max() < 40
    assert sent[:, 56:].max() < 40
    sink.close()


@pytest.mark.parametrize(
    ("fmt", "pixel"), [("rgb", [10, 20, 200]), ("bgr", [200, 20, 10]), ("rgba", [10, 20, 200, 255])]
)
def test_formats(library, fmt, pixel):
    sink = open_sink(f"virtualcam:size=64x48,fmt={fmt}")
    sink.write(Output(np.full((48, 64, 3), (10, 20, 200), np.uint8), 1, 0.0, 1), LIVE)
    assert library.cameras[0].fmt is PixelFormat[fmt.upper()]
    assert library.cameras[0].sent[0][5, 5].tolist() == pixel
    sink.close()


def test_i420_has_its_planes(library):
    sink = VirtualCamSink(size=SMALL, fmt="i420")
    sink.write(output(255), LIVE)
    (sent,) = library.cameras[0].sent
    assert (sent[:48] == 235).all()
    assert (sent[48:] == 128).all()
    sink.close()


def test_device_and_backend_are_passed_on(library):
    sink = open_sink("virtualcam:size=64x48,device=/somewhere,backend=second")
    assert library.cameras[0].backend == "second"
    assert library.cameras[0].device == "/somewhere"
    sink.close()


def test_backends_are_tried_in_order(library):
    sink = VirtualCamSink(size=SMALL)
    assert library.cameras[0].backend == "second"
    sink.close()


@pytest.mark.parametrize("platform", HINTS)
def test_when_all_fail_every_reason_and_a_hint_is_given(library, monkeypatch, platform):
    monkeypatch.setattr(sys, "platform", platform)
    library.present = False
    with pytest.raises(SinkUnavailable) as caught:
        VirtualCamSink(size=SMALL)
    message = str(caught.value)
    assert "'first' backend: no driver" in message
    assert "'second' backend: device not found" in message
    assert {"linux": "modprobe v4l2loopback", "win32": "Unity Capture", "darwin": "OBS Studio 30"}[platform] in message
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_taken_by_another_program_disables_the_sink_at_the_first_write(library):
    library.taken = "another program"
    sink = VirtualCamSink()
    with pytest.raises(SinkUnavailable, match="device is taken"):
        sink.write(None, WARMING)
    sink.close()


def test_not_installed_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(SinkUnavailable, match=r'pip install "inkstream\[virtualcam\]"'):
        VirtualCamSink()


@pytest.mark.parametrize(
    "options", ["fps=0", "fmt=yuv", "give_up=-1", "backend=third", "size=big", "fps=nan", "give_up=nan"]
)
def test_bad_options_are_named(library, options):
    with pytest.raises(ConfigError, match=options.partition("=")[0]):
        open_sink(f"virtualcam:{options}")
    assert library.tries == 0


def test_a_second_run_in_the_same_process_works(library):
    for run in range(3):
        sink = VirtualCamSink(size=SMALL)
        sink.write(output(run), LIVE)
        sink.close()
        sink.close()
        sink.write(output(run), LIVE)  # too late: nothing happens
        assert library.taken is None
    assert [len(camera.sent) for camera in library.cameras] == [1, 1, 1]


def test_a_lost_camera_is_tried_again_with_growing_pauses_and_comes_back(library, caplog):
    clock = Clock()
    sink = VirtualCamSink(size=SMALL, clock=clock)
    sink.write(output(1), LIVE)
    library.present = False
    tries = []
    with caplog.at_level(logging.INFO):
        for _ in range(1000):  # 40 seconds in steps of 0.04
            before = library.tries
            sink.write(output(2), LIVE)
            settle()
            if library.tries > before:
                tries.append(clock.now - 50.0)
            clock.now += 0.04
    assert tries == pytest.approx([0.5, 1.5, 3.5, 7.5, 15.5, 23.5, 31.5, 39.5], abs=0.6)
    assert "lost (device is gone)" in caplog.text
    library.present = True
    clock.now += 8.0
    sink.write(output(3), LIVE)
    settle()
    sink.write(None, LIVE)
    assert (library.cameras[-1].sent[-1] == 3).all()  # the newest output, although none came since
    assert len(library.cameras) == 2
    library.present = False
    tries_before = library.tries
    sink.write(output(4), LIVE)
    library.present = True
    clock.now += 0.6  # the pause is short again
    sink.write(output(4), LIVE)
    settle()
    assert library.tries == tries_before + 1
    sink.close()
    assert library.taken is None


def test_a_lost_camera_is_opened_on_the_same_device_again(library):
    clock = Clock()
    sink = VirtualCamSink(size=SMALL, clock=clock)
    library.present = False
    sink.write(output(), LIVE)
    library.present = True
    asked = []
    real, library.Camera = library.Camera, lambda *a, **named: asked.append(named["device"]) or real(*a, **named)
    for _ in range(3):
        clock.now += 10
        sink.write(output(), LIVE)
        settle()
    assert asked == ["camera"], "the one it had, and not the first that opens"
    sink.close()


def test_write_returns_at_once_while_a_driver_hangs_and_a_late_camera_is_closed():
    hang, late = threading.Event(), threading.Event()
    clock = Clock()
    closed = []

    class Camera:
        device = "camera"

        def send(self, frame):
            raise OSError("gone")

        def close(self):
            closed.append(self)
            if len(closed) == 2:
                late.set()

    def factory(width, height, fps, **_):
        if closed:
            hang.wait(30)
        return Camera()

    sink = VirtualCamSink(size=SMALL, clock=clock, factory=factory)
    sink.write(output(), LIVE)
    assert len(closed) == 1  # before it is opened again
    clock.now += 1
    for _ in range(100):
        sink.write(output(), LIVE)
    sink.close()
    assert not late.is_set()
    hang.set()
    assert late.wait(10)


def test_give_up_ends_the_tries(library):
    clock = Clock()
    sink = VirtualCamSink(size=SMALL, give_up=5, clock=clock)
    library.present = False
    sink.write(output(), LIVE)
    clock.now += 4.9
    sink.write(output(), LIVE)
    settle()
    clock.now += 0.2
    with pytest.raises(SinkUnavailable, match=r"lost for 5 seconds: (?s:.*)device not found"):
        for _ in range(3):
            sink.write(output(), LIVE)
    sink.close()


def test_a_device_file_that_vanishes_is_noticed(library, tmp_path, monkeypatch):
    """On Linux a write to it does not fail."""
    there = True
    monkeypatch.setattr("inkstream.stream.sinks.virtualcam.os.path.exists", lambda path: there)
    clock = Clock()
    sink = VirtualCamSink(size=SMALL, device="/dev/video9", clock=clock)
    sink.write(output(), LIVE)
    there = False
    clock.now += 1.1
    sink.write(output(), LIVE)
    assert len(library.cameras[0].sent) == 1
    assert library.taken is None
    there = True
    clock.now += 0.6
    sink.write(output(), LIVE)
    settle()
    sink.write(output(), LIVE)
    assert len(library.cameras[1].sent) == 1
    sink.close()


def test_the_real_library_takes_the_call_as_it_is_made(monkeypatch):
    """Through pyvirtualcam's own Camera, with a backend of the kind that ``register_backend`` documents."""
    pyvirtualcam = pytest.importorskip("pyvirtualcam")
    log = []

    class Backend:
        def __init__(self, *, width, height, fps, fourcc, device, **kw):
            log.append((width, height, fps, device, kw))

        def close(self):
            log.append("closed")

        def send(self, frame):
            log.append(frame.copy())

        def device(self):
            return "stand-in"

        def native_fourcc(self):
            return None

    monkeypatch.setitem(pyvirtualcam.camera.BACKENDS, "stand-in", Backend)
    sink = VirtualCamSink(size=SMALL, backend="stand-in")
    sink.write(output(7), LIVE)
    sink.close()
    opened, sent, closed = log
    assert opened == (64, 48, 30.0, None, {})
    assert sent.shape == (64 * 48 * 3,)
    assert (sent == 7).all()
    assert closed == "closed"
