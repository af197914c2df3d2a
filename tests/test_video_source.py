"""Videos from files, the damaged and the hostile ones included."""

import random
import socket
import threading
import time
import wave
from fractions import Fraction

import av
import numpy as np
import pytest
from doubles.time import FakeTime

from inkstream.stream.base.errors import SourceEnded, SourceError, SourceUnavailable
from inkstream.stream.base.frame import Size
from inkstream.stream.sources import open_source
from inkstream.stream.sources.film import MAX_BROKEN
from inkstream.stream.sources.video import VideoSource


def levels(source):
    seen = []
    while True:
        try:
            seen.append(int(source.read()[0, 0, 0]))
        except SourceEnded:
            return seen


def write_video(path, count=12, size=(64, 48), codec="mpeg4", pts=None, rate=25, rotation=0):
    """Frame n is gray with level 16 * n (modulo 256); ``pts`` are in milliseconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = {"png": "rgb24", "mpeg4": "yuv420p"}[codec]
        if codec == "mpeg4":
            stream.codec_context.gop_size = 4
        if rotation:
            stream.set_display_rotation(rotation)
        if pts:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(
                np.full((size[1], size[0], 3), 16 * number % 256, np.uint8), format="rgb24"
            )
            if pts:
                frame.pts, frame.time_base = pts[number], stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def numbers(source):
    return [round(level / 16) for level in levels(source)]


def test_every_frame_once_without_pace(tmp_path):
    source = open_source(f"video:{write_video(tmp_path / 'a.mp4')},pace=0")
    assert not source.live
    first = source.read()
    assert first.shape == (48, 64, 3) and first.dtype == np.uint8 and first.flags.c_contiguous
    assert numbers(source) == list(range(1, 12))
    assert source.broken == 0
    source.close()
    source.close()


def test_pace_follows_the_frame_rate(tmp_path):
    time_ = FakeTime()
    source = VideoSource(write_video(tmp_path / "a.mp4"), clock=time_, stop=time_)
    assert source.live
    start, arrivals = time_.now, []
    for _ in range(12):
        source.read()
        arrivals.append(time_.now - start)
    assert arrivals == pytest.approx([n / 25 for n in range(12)], abs=1e-3)
    source.close()


def test_variable_rate_follows_the_time_stamps(tmp_path):
    pts = [0, 40, 500, 520, 2000]
    time_ = FakeTime()
    source = VideoSource(write_video(tmp_path / "a.mkv", 5, pts=pts), clock=time_, stop=time_)
    start, arrivals = time_.now, []
    for _ in pts:
        source.read()
        arrivals.append(time_.now - start)
    assert arrivals == pytest.approx([stamp / 1000 for stamp in pts], abs=2e-3)
    source.close()


def test_a_late_reader_gets_no_burst_and_a_cut_does_not_wait(tmp_path):
    pts = [0, 40, 80, 120, 3_600_000, 3_600_040]
    time_ = FakeTime()
    source = VideoSource(write_video(tmp_path / "a.mkv", 6, pts=pts), clock=time_, stop=time_)
    source.read()
    time_.now += 7.0
    late = time_.now
    arrivals = []
    for _ in range(5):
        source.read()
        arrivals.append(time_.now - late)
    assert arrivals == pytest.approx([0.0, 0.04, 0.08, 0.08, 0.12], abs=2e-3)
    source.close()


def test_loop_goes_on_in_the_same_rhythm(tmp_path):
    time_ = FakeTime()
    source = VideoSource(write_video(tmp_path / "a.mp4", 3), loop=True, clock=time_, stop=time_)
    start, seen = time_.now, []
    for _ in range(8):
        seen.append(round(source.read()[0, 0, 0] / 16))
    assert seen == [0, 1, 2, 0, 1, 2, 0, 1]
    assert time_.now - start == pytest.approx(7 / 25, abs=1e-3)
    source.close()


def test_start_skips(tmp_path):
    file = write_video(tmp_path / "a.mp4")
    assert numbers(open_source(f"video:{file},pace=0,start=0.2")) == list(range(5, 12))


def test_it_says_which_share_of_it_was_read(tmp_path):
    write_video(tmp_path / "clip.mp4", count=10)
    for start, shares in ((0.0, [number / 10 for number in range(1, 11)]), (0.2, [each / 5 for each in range(1, 6)])):
        source, found = VideoSource(tmp_path / "clip.mp4", pace=False, start=start), []
        for _ in range(len(shares)):
            source.read()
            found.append(source.origin.done)
        assert found == pytest.approx(shares, abs=0.01)
    looped = VideoSource(tmp_path / "clip.mp4", pace=False, loop=True)
    looped.read()
    assert looped.origin.done is None


def test_close_wakes_a_waiting_read(tmp_path):
    source = VideoSource(write_video(tmp_path / "a.mkv", 2, pts=[0, 9000]))
    source.read()
    threading.Timer(0.05, source.close).start()
    start = time.perf_counter()
    with pytest.raises(SourceEnded):
        source.read()
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_rotation_is_applied(tmp_path, rotation):
    file = tmp_path / "phone.mp4"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.set_display_rotation(rotation)
        pixels = np.full((48, 64, 3), 30, np.uint8)
        pixels[:16, :16] = 220  # marks the upper left corner
        for _ in range(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    seen = VideoSource(file, pace=False).read()
    assert Size.of(seen) == (Size(64, 48) if rotation == 180 else Size(48, 64))
    # Degrees count against the clock: 90 brings the upper left corner to the lower left.
    corner = {90: (-4, 4), 180: (-4, -4), -90: (4, -4)}[rotation]
    assert seen[corner][0] > 180 and (seen > 128).all(axis=2).mean() < 0.15


def damage(path, chosen):
    """Overwrite the packets of a video whose numbers are in ``chosen``."""
    with av.open(str(path)) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for number in chosen:
        at = data.index(b"\x89PNG", places[number])
        data[at + 16 : at + 33] = b"\xaa" * 17  # width, height and format; lengths stay, so that packets stay apart
    path.write_bytes(data)
    return path


def test_broken_packets_are_skipped_and_counted(tmp_path):
    file = damage(write_video(tmp_path / "a.avi", codec="png"), [0, 3, 4, 11])
    source = VideoSource(file, pace=False)
    assert numbers(source) == [1, 2, 5, 6, 7, 8, 9, 10]
    assert source.broken == 4


def test_nothing_but_broken_packets_is_a_named_error(tmp_path):
    file = damage(write_video(tmp_path / "a.avi", codec="png"), range(12))
    with pytest.raises(SourceUnavailable, match="no picture could be decoded"):
        VideoSource(file, loop=True)


def test_too_many_broken_packets_in_a_row_end_it(tmp_path):
    count = MAX_BROKEN + 20
    file = damage(write_video(tmp_path / "a.avi", count, (16, 16), codec="png"), range(3, count - 2))
    source = VideoSource(file, pace=False, loop=True)
    assert [source.read().shape for _ in range(3)] == [(16, 16, 3)] * 3
    with pytest.raises(SourceError, match=r"packets in a row cannot be decoded after 0\.08 s") as caught:
        source.read()
    assert not isinstance(caught.value, SourceEnded)


def test_no_rate_in_the_file(tmp_path):
    file = write_video(tmp_path / "one.mkv", 1, pts=[0])
    time_ = FakeTime()
    source = VideoSource(file, loop=True, clock=time_, stop=time_)
    start = time_.now
    for _ in range(5):
        source.read()
    assert 0.1 < time_.now - start < 10  # neither a spin nor a stall
    source.close()


def test_truncated_videos(tmp_path):
    whole = write_video(tmp_path / "a.mkv", 100)
    data = whole.read_bytes()
    whole.write_bytes(data[: len(data) * 2 // 3])
    seen = numbers(VideoSource(whole, pace=False))
    assert seen[:10] == list(range(10)) and 20 <= len(seen) < 100
    mp4 = write_video(tmp_path / "b.mp4")
    mp4.write_bytes(mp4.read_bytes()[:700])
    with pytest.raises(SourceUnavailable, match=r"b\.mp4 cannot be opened"):
        VideoSource(mp4)


def test_files_that_are_no_videos(tmp_path):
    with pytest.raises(SourceUnavailable, match="there is no file"):
        VideoSource(tmp_path / "gone.mp4")
    (tmp_path / "noise.mp4").write_bytes(random.Random(0).randbytes(20_000))
    with pytest.raises(SourceUnavailable, match="cannot be opened"):
        VideoSource(tmp_path / "noise.mp4")
    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    with pytest.raises(SourceUnavailable, match="has no video track, only: audio"):
        VideoSource(tmp_path / "sound.wav")


def test_too_large_a_video_is_refused_before_decoding(tmp_path):
    file = write_video(tmp_path / "wide.avi", 1, (17_000, 2), codec="png")
    with pytest.raises(SourceUnavailable, match="got 17000x2, expected at most 16384"):
        VideoSource(file)


@pytest.mark.parametrize("what", ["address", "playlist"])
def test_nothing_is_fetched_from_an_address(tmp_path, what):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/segment.ts"
        file = tmp_path / "clip.m3u8"
        file.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{address}\n#EXT-X-ENDLIST\n")
        with pytest.raises(SourceUnavailable):
            open_source(f"video:{address if what == 'address' else file}")
        with pytest.raises(TimeoutError):
            server.accept()
