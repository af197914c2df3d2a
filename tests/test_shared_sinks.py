"""NDI, Spout and Syphon, on stand-ins that behave as their libraries' sources say; NDI itself where it is there."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from test_cutout import drawn

from inkstream.stream.app import doctor
from inkstream.stream.base.errors import ConfigError, SinkUnavailable
from inkstream.stream.base.frame import Output
from inkstream.stream.sinks import Status, open_sink
from inkstream.stream.sinks.cutout import opacity

LIVE = Status(state="live")


class Library:
    """What was done with a library: senders by name, what they were sent, and what is closed."""

    def __init__(self) -> None:
        self.sent, self.said, self.works = [], [], True

    def names(self):
        return [each[0] for each in self.said]


def module(monkeypatch, name, **contents):
    made = ModuleType(name)
    vars(made).update(contents)
    monkeypatch.setitem(sys.modules, name, made)


@pytest.fixture
def ndi(monkeypatch):
    """cyndilib 0.1.3."""
    library = Library()

    class VideoSendFrame:
        def set_resolution(self, x: int, y: int) -> None:
            self.size = (x, y)

        def set_frame_rate(self, value) -> None:
            assert value.denominator <= 1001
            self.rate = value

        def set_fourcc(self, value) -> None:
            self.layout = value

    class Sender:
        def __init__(self, ndi_name, ndi_groups="", clock_video=True, clock_audio=True) -> None:
            library.said.append(("sender", ndi_name, clock_video))
            self.frame, self.running = None, False

        def set_video_frame(self, frame) -> None:
            assert not self.running
            self.frame = frame

        def open(self) -> None:
            library.said.append(("open", self.frame.size, float(self.frame.rate), self.frame.layout))
            self.running = True

        def write_video_async(self, data) -> bool:
            assert self.running and data.ndim == 1 and data.dtype == np.uint8
            width, height = self.frame.size
            library.sent.append(data.reshape(height, width, 4).copy())
            return library.works

        def close(self) -> None:
            self.running = False
            library.said.append(("close",))

    module(monkeypatch, "cyndilib")
    module(monkeypatch, "cyndilib.sender", Sender=Sender)
    module(monkeypatch, "cyndilib.video_frame", VideoSendFrame=VideoSendFrame)
    module(monkeypatch, "cyndilib.wrapper")
    module(monkeypatch, "cyndilib.wrapper.ndi_structs", FourCC=SimpleNamespace(RGBA="RGBA"))
    return library


@pytest.fixture
def spout(monkeypatch):
    """SpoutGL 0.1.1, whose sender belongs to OpenGL that is there first."""
    library = Library()

    class SpoutSender:
        ready = False

        def createOpenGL(self):
            self.ready = True
            return library.works

        def setSenderName(self, name):
            library.said.append(("sender", name))

        def sendImage(self, pixels, width, height, layout, invert, host):
            assert self.ready and (layout, invert, host) == (0x1908, False, 0)
            assert memoryview(pixels).c_contiguous and memoryview(pixels).nbytes >= 4 * width * height
            library.sent.append(pixels.reshape(height, width, 4).copy())
            return library.works

        def setFrameSync(self, name):
            library.said.append(("sync", name))

        def releaseSender(self):
            library.said.append(("close",))

        def closeOpenGL(self):
            self.ready = False

    module(monkeypatch, "SpoutGL", SpoutSender=SpoutSender)
    monkeypatch.setattr(sys, "platform", "win32")
    return library


@pytest.fixture
def syphon(monkeypatch):
    """syphon-python 0.2."""
    library = Library()

    class Texture:
        def __init__(self, device, width, height):
            assert device == "metal"
            self.size, self.pixels = (width, height), None

    class SyphonMetalServer:
        def __init__(self, name, device=None, command_queue=None, *, is_private=False):
            library.said.append(("sender", name))
            self.device = "metal"

        def publish_frame_texture(self, texture, region=None, size=None, is_flipped=False):
            if not library.works:
                raise RuntimeError("the graphics card is gone")
            library.sent.append(texture.pixels)

        def stop(self):
            library.said.append(("close",))

    class SyphonServerDirectory:
        run_loop_interval = 1.0

        def update_run_loop(self):
            assert self.run_loop_interval < 0.01
            library.said.append(("events",))

        def close(self):
            library.said.append(("directory closed",))

    def copy(image, texture):
        assert image.shape == (texture.size[1], texture.size[0], 4)
        texture.pixels = np.frombuffer(image.tobytes(), np.uint8).reshape(image.shape)

    module(monkeypatch, "syphon", SyphonMetalServer=SyphonMetalServer, SyphonServerDirectory=SyphonServerDirectory)
    module(monkeypatch, "syphon.utils")
    module(monkeypatch, "syphon.utils.numpy", copy_image_to_mtl_texture=copy)
    module(monkeypatch, "syphon.utils.raw", create_mtl_texture=Texture)
    monkeypatch.setattr(sys, "platform", "darwin")
    return library


@pytest.mark.parametrize("kind", ["ndi", "spout", "syphon"])
def test_other_programs_get_the_newest_picture_and_its_alpha(kind, request):
    library = request.getfixturevalue(kind)
    sink, now = open_sink(f"{kind}:my sketch,cut,fps=25"), SimpleNamespace(value=100.0)
    sink._clock = lambda: now.value
    assert sink.interval == 1 / 25 and sink.on_main_thread is (kind == "syphon")
    sink.write(None, LIVE)
    assert not library.said  # nothing before the first picture
    output = drawn(64)
    for _ in range(3):
        sink.write(output, LIVE)
    assert library.said[0][:2] == ("sender", "my sketch") and len(library.sent) == 1
    assert (library.sent[0][..., :3] == output.pixels).all() and (library.sent[0][..., 3] == opacity(output)).all()
    now.value += 0.6
    sink.write(output, LIVE)  # for who came meanwhile
    assert len(library.sent) == 2
    sink.write(drawn(128), LIVE)
    assert library.sent[-1].shape == (128, 128, 4) and library.names().count("close") == 1
    sink.close()
    sink.close()
    assert library.names().count("close") == 2


@pytest.mark.parametrize("kind", ["ndi", "spout", "syphon"])
def test_what_cannot_be_sent_ends_the_sink_with_a_reason(kind, request):
    library = request.getfixturevalue(kind)
    sink = open_sink(f"{kind}:")
    sink.write(Output(np.zeros((32, 32, 3), np.uint8), 1, 0.0, 1), LIVE) if kind == "ndi" else None
    assert not library.sent or (library.sent[0][..., 3] == 255).all()  # without cut all is seen
    library.works = False
    with pytest.raises(SinkUnavailable, match=f"{kind}: "):
        sink.write(drawn(64), LIVE)
    sink.close()


def test_where_it_cannot_run_that_is_said_with_another_way(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(SinkUnavailable, match="spout: got linux, expected Windows; on any system: --sink ndi:"):
        open_sink("spout:")
    with pytest.raises(SinkUnavailable, match="syphon: got linux, expected macOS"):
        open_sink("syphon:")
    monkeypatch.setitem(sys.modules, "cyndilib", None)
    monkeypatch.delitem(sys.modules, "cyndilib.sender", raising=False)
    with pytest.raises(SinkUnavailable, match=r'ndi: cyndilib cannot be imported .*pip install "inkstream\[ndi\]"'):
        open_sink("ndi:")
    said = {each.name: each for each in doctor.outputs()}
    assert said["spout"].found is None and "expected Windows" in said["spout"].text
    assert 'pip install "inkstream[ndi]"' in said["ndi"].text and "ffmpeg" in said


def test_the_doctor_says_what_is_there(ndi):
    assert next(each for each in doctor.outputs() if each.name == "ndi").found is True


def test_names_and_rates_that_cannot_be_are_refused(ndi):
    for text in (f"ndi:{'x' * 101}", "ndi:fine,fps=0"):
        with pytest.raises(ConfigError, match="expected a name of at most 100 letters and fps from 1 to 240"):
            open_sink(text)


@pytest.mark.slow  # NDI takes its time to find itself
def test_what_is_sent_by_ndi_is_received_with_its_alpha(tmp_path, monkeypatch):
    pytest.importorskip("cyndilib", reason='needs NDI: pip install "inkstream[ndi]"')
    (tmp_path / "ndi-config.v1.json").write_text('{"ndi": {"networks": {"ips": "127.0.0.1"}}}')
    monkeypatch.setenv("NDI_CONFIG_DIR", str(tmp_path))  # sources are looked for on this computer, without mDNS
    from cyndilib.finder import Finder
    from cyndilib.receiver import ReceiveFrameType, Receiver
    from cyndilib.video_frame import VideoRecvFrame
    from cyndilib.wrapper.ndi_recv import RecvBandwidth, RecvColorFormat

    output = drawn(256)
    output.pixels[:, :128] = (10, 200, 30)
    finder, sink = Finder(), open_sink("ndi:a test of inkstream,cut")
    try:
        sink.write(output, LIVE)
        finder.open()
        while not any("a test of inkstream" in each for each in finder.get_source_names()):
            finder.wait_for_sources(1.0)
        name = next(each for each in finder.get_source_names() if "a test of inkstream" in each)
        receiver = Receiver(color_format=RecvColorFormat.RGBX_RGBA, bandwidth=RecvBandwidth.highest)
        frame = VideoRecvFrame()
        receiver.set_video_frame(frame)
        receiver.set_source(finder.get_source(name))
        while receiver.receive(ReceiveFrameType.recv_video, 100) != ReceiveFrameType.recv_video:
            sink._due = 0.0
            sink.write(output, LIVE)
        seen = np.asarray(memoryview(frame)).reshape(frame.yres, frame.xres, 4)
        assert seen.shape == (256, 256, 4) and abs(seen[..., 3].astype(int) - opacity(output)).max() < 12
        assert abs(seen[128, 80, :3].astype(int) - (10, 200, 30)).max() < 12
    finally:
        sink.close()
        finder.close()
