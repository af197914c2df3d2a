"""From files to files every picture is rendered, at its own time, with its sound; elsewhere the newest wins."""

import itertools
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction

import av
import numpy as np
import pytest
from doubles.clips import clip, number_of
from PIL import Image
from typer.testing import CliRunner

from inkstream.bench.synthetic import FakeStream
from inkstream.stream.app.cli import app
from inkstream.stream.base.frame import Size
from inkstream.stream.session.session import Session

SMALL = Size(64, 64)


def frames(path):
    """Numbers and times of the pictures of a recording of ``FakeStream``, which inverts."""
    with av.open(str(path)) as container:
        pictures = [(255 - frame.to_ndarray(format="rgb24"), frame.time) for frame in container.decode(video=0)]
    return [number_of(picture) for picture, _ in pictures], [when for _, when in pictures]


def render(source, *sinks, steps=1, delay=0.0, **options):
    session = Session(str(source), FakeStream(steps, delay, SMALL), list(sinks))
    session.run(**options)
    return session


def film(tmp_path, **options):
    return clip(tmp_path / "film.mp4", "-c:v", "mpeg4", "-q:v", "2", **options)


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm", "mov"])
def test_l18_every_picture_of_a_file_is_rendered_at_its_own_time(tmp_path, suffix, steps):
    source = film(tmp_path, count=12, rate=Fraction(30000, 1001))
    session = render(f"video:{source}", f"video:{tmp_path}/out.{suffix},crf=4", steps=steps, delay=0.01)
    numbers, times = frames(tmp_path / f"out.{suffix}")
    assert numbers == list(range(12))
    assert times == pytest.approx([number * 1001 / 30000 for number in range(12)], abs=1.1e-3)
    assert session.metrics.counter("frames_dropped") == 0
    with av.open(str(tmp_path / f"out.{suffix}")) as made, av.open(str(source)) as given:
        assert made.duration == pytest.approx(given.duration, abs=20_000)


def test_l18_a_variable_rate_stays_as_it_is(tmp_path):
    times = [0, 0.1, 0.15, 1.4, 1.5, 4.0]
    with av.open(str(tmp_path / "vfr.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "bgra"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, at in enumerate(times):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 4), 40 + 12 * number, np.uint8), format="bgra")
            frame.pts, frame.time_base = round(at * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    begun = time.perf_counter()
    render(f"video:{tmp_path}/vfr.mkv,start=0.1", f"video:{tmp_path}/out.mp4", f"animation:{tmp_path}/out.png")
    assert time.perf_counter() - begun < 3, "nobody waits for a file"
    assert frames(tmp_path / "out.mp4")[1] == pytest.approx([at - 0.1 for at in times[1:]], abs=2e-3)
    durations = []
    with Image.open(tmp_path / "out.png") as animation:
        for number in range(animation.n_frames):
            animation.seek(number)
            animation.load()
            durations.append(animation.info["duration"])
    assert durations == pytest.approx([50, 1250, 100, 2500, 40], abs=1), "the last as long as the file says"


@pytest.mark.parametrize(
    ("source", "sinks", "live"),
    [
        ("video:{}", ["video:out.mp4"], False),
        ("video:{}", ["images:out", "animation:out.gif"], False),
        ("video:{}", ["video:out.mp4", "null"], True),
        ("video:{}", ["video:out.mp4", "fake:interval=0.1"], True),
        ("video:{},pace=1", ["video:out.mp4"], True),
        ("video:{},pace=0", ["null"], False),
        ("video:{},loop", ["video:out.mp4"], True),
        ("video:{},loop,pace=0", ["video:out.mp4"], False),
        ("images:{}", ["null"], False),
        ("images:{},fps=20", ["video:out.mp4"], False),
        ("images:{},fps=20", ["null"], True),
        ("demo", ["video:out.mp4"], True),
    ],
)
def test_l18_what_is_live_and_what_is_not(tmp_path, monkeypatch, source, sinks, live):
    monkeypatch.chdir(tmp_path)
    if source.startswith("images"):
        (tmp_path / "in").mkdir()
        Image.new("RGB", (64, 48)).save(tmp_path / "in" / "a.png")
        path = tmp_path / "in"
    else:
        path = film(tmp_path, count=3)
    session = Session(source.format(path), FakeStream(size=SMALL), sinks)
    session.start()
    try:
        assert session.status.newest_wins == live
    finally:
        session.stop()


def test_l18_what_is_said_of_it(tmp_path):
    said = []
    source = film(tmp_path, count=3)
    Session(f"video:{source}", FakeStream(size=SMALL), ["null"], on_status=said.append).run()
    Session(f"video:{source}", FakeStream(size=SMALL), [f"images:{tmp_path}/out"], on_status=said.append).run()
    assert {status.newest_wins for status in said} == {True, False}
    text = " ".join(CliRunner().invoke(app, ["run", "--help"]).output.split())
    assert "Live, the newest frame wins. From a file to files" in text and "every frame is rendered" in text


@pytest.mark.parametrize(("count", "buffer", "steps"), [(7, 2, 1), (7, 2, 3), (5, 3, 2), (1, 4, 2)])
def test_l18_what_is_under_way_at_the_end_comes_out(tmp_path, count, buffer, steps):
    from doubles.tiny_models import tiny_sd

    from inkstream.stream import Stream

    stream = Stream(
        tiny_sd(),
        width=64,
        height=64,
        frame_buffer_size=buffer,
        t_index_list=[10, 20, 30][:steps],
        cfg_type="none",
        acceleration="eager",
        warmup=0,
    )
    for number in range(count):
        Image.new("RGB", (64, 64), (30 * number, 0, 90)).save(tmp_path / f"{number}.png")
    Session(f"images:{tmp_path}/*.png", stream, [f"images:{tmp_path}/out", f"video:{tmp_path}/out.mp4,fps=10"]).run()
    assert sorted(os.listdir(tmp_path / "out")) == [f"{number}.png" for number in range(count)]
    with av.open(str(tmp_path / "out.mp4")) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert times == pytest.approx([number / 10 for number in range(count)])


def test_f7_renders_keep_the_names_of_their_pictures(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("house.png", "car.jpg", "x.y.webp"):
        Image.new("RGB", (64, 48)).save(tmp_path / "in" / name)
    frames_ = [Image.new("RGB", (64, 48), (90 * number, 0, 0)) for number in range(3)]
    frames_[0].save(tmp_path / "in" / "run.gif", save_all=True, append_images=frames_[1:])
    (tmp_path / "in" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "in" / "scan.tif").write_bytes(b"II*\0" + bytes(99))
    said = []
    session = Session(
        f"images:{tmp_path}/in",
        FakeStream(size=SMALL),
        [f"images:{tmp_path}/out"],
        on_status=lambda s: said.append(s.message),
    )
    session.run()
    names = ["car.png", "house.png", "run-0001.png", "run-0002.png", "run-0003.png", "x.y.png"]
    assert sorted(os.listdir(tmp_path / "out")) == names
    assert session.metrics.counter("frames_refused") == 2
    assert any("broken.png: is a PNG" in text for text in said) and any("scan.tif: is a TIFF" in text for text in said)


# --- sound


def heard(path):
    """Codec, begin, and length in seconds of the sound; loudness of each tenth of a second."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="flt", layout="mono", rate=8000)
        samples, begin = [], None
        for frame in container.decode(stream):
            begin = frame.time if begin is None else begin
            for part in resampler.resample(frame):
                samples.append(part.to_ndarray()[0])
        wave = np.concatenate(samples)
        parts = [float(np.abs(wave[at : at + 800]).mean()) for at in range(0, len(wave) - 800, 800)]
        return stream.codec_context.name, begin, len(wave) / 8000, parts


@pytest.mark.parametrize(
    ("name", "audio", "out", "codec"),
    [
        ("a.mp4", "aac", "out.mp4", "aac"),
        ("a.mp4", "aac", "out.mov", "aac"),
        ("a.mp4", "aac", "out.mkv", "aac"),
        ("a.mkv", "libopus", "out.webm", "opus"),
        ("a.mkv", "pcm_s16le", "out.mkv", "pcm_s16le"),
        ("a.mkv", "libmp3lame", "out.mp4", "mp3float"),
        ("a.mp4", "aac", "out.webm", "opus"),  # encoded anew
        ("a.mkv", "wmav2", "out.mp4", "aac"),
        ("a.mov", "pcm_s16be", "out.webm", "opus"),
    ],
)
def test_l18_the_sound_comes_along(tmp_path, name, audio, out, codec):
    flags = ["-c:v", "mpeg4", "-q:v", "2", "-c:a", audio]
    source = clip(tmp_path / name, *flags, sound=2.0, count=20)
    render(f"video:{source}", f"video:{tmp_path}/{out},crf=4", steps=2)
    numbers, times = frames(tmp_path / out)
    assert numbers == [number % 12 for number in range(20)] and times[-1] == pytest.approx(1.9, abs=2e-3)
    made, begin, length, parts = heard(tmp_path / out)
    assert made == codec or (made, codec) == ("libopus", "opus")
    assert begin == pytest.approx(0, abs=0.05) and length == pytest.approx(2.0, abs=0.12)
    assert min(parts[1:-2]) > 0.03, "a tone all along"


def test_l18_the_sound_begins_where_the_pictures_do(tmp_path):
    flags = ["-c:v", "mpeg4", "-c:a", "aac", "-af", "volume='if(lt(t,1),0,1)':eval=frame"]
    source = clip(tmp_path / "a.mkv", *flags, sound=3.0, count=30)
    render(f"video:{source},start=0.5", f"video:{tmp_path}/out.mp4")
    _, begin, length, parts = heard(tmp_path / "out.mp4")
    assert begin == pytest.approx(0, abs=0.05) and length == pytest.approx(2.5, abs=0.12)
    first = next(number for number, part in enumerate(parts) if part > 0.01)
    assert first in (4, 5), "half a second of silence is left"


def test_l18_sound_ends_with_the_pictures_and_can_be_left_out(tmp_path):
    source = clip(tmp_path / "a.mp4", "-c:v", "mpeg4", "-c:a", "aac", sound=3.0, count=30)
    render(f"video:{source}", f"video:{tmp_path}/short.mp4", frames=10)
    assert heard(tmp_path / "short.mp4")[2] == pytest.approx(1.0, abs=0.12)
    for text in (f"video:{source},pace=1,start=2.8", f"video:{source},start=2.8"):
        sound = ",sound=0" if "pace" not in text else ""
        render(text, f"video:{tmp_path}/silent.mp4,overwrite=1{sound}")
        with av.open(str(tmp_path / "silent.mp4")) as container:
            assert not container.streams.audio


def test_l18_sound_that_cannot_be_carried_is_named(tmp_path, caplog, monkeypatch):
    source = clip(tmp_path / "a.mkv", "-c:v", "mpeg4", "-c:a", "wmav2", sound=1.0)
    monkeypatch.setattr("inkstream.stream.sinks.soundtrack.USUAL", ("nosuch",))
    render(f"video:{source}", f"video:{tmp_path}/out.mp4")
    assert frames(tmp_path / "out.mp4")[0] == list(range(10))
    assert "out.mp4 has no sound: mp4 does not take wmav2" in caplog.text


# --- killed at rest


RESTING = """
import sys, threading, time
import numpy as np
from inkstream.bench.synthetic import FakeStream
from inkstream.stream.base.frame import Size
from inkstream.stream.session.session import Session

class Still:
    live = True
    def read(self):
        time.sleep(0.03)
        return np.full((48, 64, 3), 200, np.uint8)
    def close(self):
        pass

session = Session(Still(), FakeStream(), ["video:" + path for path in sys.argv[1:]])
session.start()
begun = time.perf_counter()
while True:
    time.sleep(0.05)
    if session.metrics.counter("frames_captured"):
        print(time.perf_counter() - begun, flush=True)
"""


def test_t7_a_recording_at_rest_is_kept_when_it_is_killed(tmp_path):
    paths = [str(tmp_path / f"a{suffix}") for suffix in (".mp4", ".mkv", ".webm", ".mov")]
    with subprocess.Popen([sys.executable, "-c", RESTING, *paths], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        first = float(next(child.stdout))
        for line in child.stdout:
            if float(line) - first > 2.5:
                break
        os.kill(child.pid, signal.SIGKILL)
    for path in paths:
        with av.open(path) as container:
            times = [frame.time for frame in container.decode(video=0)]
        assert times[-1] + 0.5 >= 2.5 - 1.0, path  # it is seen until the next one, which is half a second later
        assert max(after - before for before, after in itertools.pairwise(times)) <= 1.0
