"""The render on the air, to servers on this computer: what arrives, what a server that goes away does, and the key."""

import shutil
import socket
import subprocess
import sys

import av
import numpy as np
import pytest

from inkstream.bench.synthetic import FakeStream
from inkstream.stream.base.errors import ConfigError, SinkUnavailable
from inkstream.stream.base.frame import Output, Size
from inkstream.stream.base.spec import shown
from inkstream.stream.session.session import Session
from inkstream.stream.sinks import Status, broadcast, open_sink
from inkstream.stream.sinks.broadcast import BroadcastSink

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")


def output(level, number=1):
    return Output(np.full((64, 96, 3), level, np.uint8), number, float(number), 1)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition, sink, seconds=20.0):
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        sink._ended.wait(0.02)
    raise AssertionError("it did not come")


def standin(tmp_path, code):
    """A program in the place of ffmpeg."""
    path = tmp_path / "program.py"
    path.write_text(f"import sys\n{code}\n")
    return (sys.executable, str(path))


@needs_ffmpeg
@pytest.mark.parametrize("kind", ["rtmp", pytest.param("srt", marks=pytest.mark.slow)])
def test_what_is_rendered_arrives_at_a_server_with_a_track_of_silence(tmp_path, kind):
    port, file = free_port(), tmp_path / "got.ts"
    there = {"rtmp": f"rtmp://127.0.0.1:{port}/live/key", "srt": f"srt://127.0.0.1:{port}"}[kind]
    listens = ["-listen", "1", "-i", there] if kind == "rtmp" else ["-i", f"{there}?mode=listener"]
    looks = "200000" if kind == "rtmp" else "2000000"  # microseconds, at what there is
    line = ["ffmpeg", "-loglevel", "error", "-nostdin", "-analyzeduration", looks, *listens]
    line += ["-c", "copy", "-flush_packets", "1", "-y", str(file)]
    server = subprocess.Popen(line, stderr=subprocess.PIPE)
    sink = BroadcastSink(there, fps=30)
    try:
        sink.write(output(200), Status())
        until(lambda: file.is_file() and file.stat().st_size > 10_000, sink)
    finally:
        sink.close()
        server.communicate(timeout=20)
    with av.open(str(file)) as got:
        assert {each.type for each in got.streams} == {"video", "audio"}
        frame = list(got.decode(video=0))[-1]
        assert (frame.width, frame.height) == (96, 64)
        assert abs(float(frame.to_ndarray(format="rgb24").mean()) - 200) < 4


def test_the_newest_picture_is_sent_on_at_a_steady_rate_whatever_comes(tmp_path):
    got = tmp_path / "got"
    code = "while data := sys.stdin.buffer.read(96 * 64 * 3):\n out.write(data[:1]); out.flush()"
    program = standin(tmp_path, f"out = open({str(got)!r}, 'wb')\n{code}")
    sink = BroadcastSink("rtmp://here/app/key", fps=100, program=program)
    sink.write(output(10), Status())
    until(lambda: got.is_file() and got.stat().st_size > 5, sink)  # one picture, again and again
    sink.write(output(20, 2), Status())
    sink.write(output(30, 3), Status())
    until(lambda: got.read_bytes()[-1] == 30, sink)
    sink.close()
    assert sorted(got.read_bytes()) == list(got.read_bytes())


def test_a_server_that_takes_nothing_is_given_up_with_what_it_said_and_without_the_key(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(broadcast, "FIRST_PAUSE", 0.01)
    program = standin(tmp_path, "print(sys.argv[-1] + ': Connection refused', file=sys.stderr)\nsys.exit(1)")
    sink = BroadcastSink("rtmp://live.example/app/secret-key", program=program)
    sink.write(output(1), Status())
    until(lambda: not sink._thread.is_alive(), sink)
    with pytest.raises(SinkUnavailable, match=r"^rtmp://live.example/…: rtmp://live.example/…: Connection refused"):
        sink.write(output(2), Status())
    sink.close()
    assert "secret" not in caplog.text and caplog.text.count("is lost") == 2


def test_a_connection_that_is_lost_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(broadcast, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(broadcast, "LIVED", 0.0)
    tries = tmp_path / "tries"
    program = standin(tmp_path, f"open({str(tries)!r}, 'a').write('x')\nsys.stdin.buffer.read(20000)")
    sink = BroadcastSink("srt://here:9000", program=program)
    sink.write(output(1), Status())
    until(lambda: tries.is_file() and len(tries.read_text()) >= 5, sink)
    sink.write(output(2), Status())
    sink.close()


def test_a_network_that_hangs_holds_nobody_up(tmp_path):
    program = standin(tmp_path, "import time\ntime.sleep(60)")
    sink = BroadcastSink("srt://here:9000", program=program)
    stream = FakeStream(steps=1, size=Size(512, 512))
    with Session("fake:pattern=noise,fps=60,size=64x64", stream, [sink]) as session:
        session.start()
        while session.metrics.counter("outputs") < 20 and len(session.summary()) and session.status.fps == 0:
            session.wait(0.02)
    assert not sink._thread.is_alive() and sink._process.poll() is not None


def test_addresses_are_shown_without_what_may_be_a_key():
    assert shown("rtmp://live.example:1935/app/secret?x=1,fps=30") == "rtmp://live.example:1935/…"
    assert shown("rtmps://user:secret@live.example/app") == "rtmps://live.example/…"
    assert shown("srt://10.0.0.1:9000?passphrase=secret") == "srt://10.0.0.1:9000/…"
    assert shown("broadcast:rtmp://live.example/app/secret") == "rtmp://live.example/…"
    assert shown("video:out.mp4,fps=30") == "video:out.mp4,fps=30"


def test_wrong_addresses_and_a_missing_program_are_said(monkeypatch):
    with pytest.raises(ConfigError, match="expected an address such as"):
        open_sink("broadcast:live.example/app/key")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SinkUnavailable, match=r"rtmp://live.example/…: ffmpeg is not installed; install it"):
        open_sink("rtmp://live.example/app/secret,fps=25")
