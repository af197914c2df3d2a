"""Pictures and videos from files, the damaged and the hostile ones included."""

import random
import socket
import struct
import threading
import time
import wave
import zlib
from fractions import Fraction

import av
import numpy as np
import pytest
from doubles.time import FakeTime
from PIL import Image, ImageOps

from inkstream.stream.base.errors import FrameError, SourceEnded, SourceError, SourceUnavailable
from inkstream.stream.base.frame import Size
from inkstream.stream.sources import open_source
from inkstream.stream.sources.images import ImagesSource, load_image
from inkstream.stream.sources.video import MAX_BROKEN, VideoSource


def picture(level, size=(40, 30)):
    return Image.fromarray(np.full((size[1], size[0], 3), level, np.uint8))


def levels(source):
    seen = []
    while True:
        try:
            seen.append(int(source.read()[0, 0, 0]))
        except SourceEnded:
            return seen


# --- pictures


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp"])
def test_each_format(tmp_path, suffix):
    pixels = np.zeros((32, 48, 3), np.uint8)
    pixels[:, :24] = (250, 10, 10)
    pixels[:, 24:] = (10, 10, 250)
    file = tmp_path / f"drawing.{suffix}"
    Image.fromarray(pixels).save(file, quality=95)
    read = load_image(file)
    assert read.shape == (32, 48, 3) and read.dtype == np.uint8 and read.flags.c_contiguous
    assert np.abs(read[16, [4, 44]].astype(int) - pixels[16, [4, 44]]).max() < 25


def test_folder_in_natural_order_once(tmp_path):
    for number in (10, 2, 1):
        picture(number * 10).save(tmp_path / f"shot {number}.png")
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "more.png").mkdir()
    picture(99).save(tmp_path / ".hidden.png")
    source = open_source(f"images:{tmp_path}")
    assert not source.live
    assert levels(source) == [10, 20, 100]
    with pytest.raises(SourceEnded):
        source.read()


def test_pattern_single_file_and_link(tmp_path):
    (tmp_path / "folder").mkdir()
    for name, level in (("a1.png", 10), ("a2.jpg", 20), ("b1.png", 30)):
        picture(level).save(tmp_path / name)
    (tmp_path / "folder" / "link.png").symlink_to(tmp_path / "b1.png")
    assert levels(ImagesSource(tmp_path / "a*")) == pytest.approx([10, 20], abs=2)
    assert levels(ImagesSource(tmp_path / "b1.png")) == [30]
    assert levels(ImagesSource(tmp_path / "folder")) == [30]


def test_loop_starts_again(tmp_path):
    for level in (1, 2):
        picture(level).save(tmp_path / f"{level}.png")
    source = open_source(f"images:{tmp_path},loop=1")
    assert [source.read()[0, 0, 0] for _ in range(5)] == [1, 2, 1, 2, 1]
    source.close()
    with pytest.raises(SourceEnded):
        source.read()


def test_fps_paces_and_makes_it_live(tmp_path):
    for level in range(4):
        picture(level).save(tmp_path / f"{level}.png")
    time_ = FakeTime()
    source = ImagesSource(tmp_path, fps=2, clock=time_, stop=time_)
    start = time_.now
    assert source.live
    assert levels(source) == [0, 1, 2, 3]
    assert time_.now - start == pytest.approx(2.0)


@pytest.mark.parametrize("what", ["empty", "missing", "pattern"])
def test_nothing_to_show(tmp_path, what):
    path = {"empty": tmp_path, "missing": tmp_path / "gone.png", "pattern": tmp_path / "*.png"}[what]
    with pytest.raises(SourceUnavailable, match="PNG, JPEG, WEBP, BMP"):
        ImagesSource(path)


def png_header(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000))


@pytest.mark.parametrize(("width", "height"), [(30_000, 30_000), (10_000, 10_000), (20_000, 10)])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_size_is_checked_before_decoding(tmp_path, width, height):
    file = tmp_path / "huge.png"
    file.write_bytes(png_header(width, height))
    with pytest.raises(FrameError, match=r"huge\.png: .*at most 64 megapixels"):
        load_image(file)


def test_a_picture_at_the_limit_of_megapixels_is_only_truncated(tmp_path):
    file = tmp_path / "large.png"
    file.write_bytes(png_header(8000, 8000))
    with pytest.raises(FrameError, match="cannot be read"):
        load_image(file)


def test_damaged_files_are_named_and_left_out(tmp_path):
    for level in (10, 30):
        picture(level).save(tmp_path / f"{level}.png")
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    noise.save(tmp_path / "20.png")
    whole = (tmp_path / "20.png").read_bytes()
    (tmp_path / "20.png").write_bytes(whole[: len(whole) // 2])
    source = ImagesSource(tmp_path)
    assert source.read()[0, 0, 0] == 10
    with pytest.raises(FrameError, match=r"20\.png"):
        source.read()
    assert levels(source) == [30]


def test_the_content_decides_and_not_the_name(tmp_path):
    picture(50).save(tmp_path / "really.gif", format="GIF")
    (tmp_path / "really.gif").rename(tmp_path / "gif.png")
    with pytest.raises(FrameError, match=r"gif\.png: cannot be read as PNG, JPEG, WEBP, BMP"):
        load_image(tmp_path / "gif.png")
    (tmp_path / "text.png").write_text("<svg><script>alert(1)</script></svg>")
    with pytest.raises(FrameError, match=r"text\.png"):
        load_image(tmp_path / "text.png")
    picture(60).save(tmp_path / "polyglot.png")
    with (tmp_path / "polyglot.png").open("ab") as file:
        file.write(b"PK\x03\x04 an archive behind a picture")
    assert load_image(tmp_path / "polyglot.png")[0, 0, 0] == 60


def test_random_damage_only_ever_raises_frame_error(tmp_path):
    random_ = random.Random(4)
    file = tmp_path / "x.png"
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 24, 3), np.uint8))
    for suffix in ("PNG", "JPEG", "WEBP", "BMP"):
        noise.save(file, format=suffix)
        whole = file.read_bytes()
        for _ in range(40):
            broken = bytearray(whole)
            for _ in range(6):
                broken[random_.randrange(len(broken))] = random_.randrange(256)
            file.write_bytes(broken)
            try:
                read = load_image(file)
            except FrameError:
                continue
            assert read.ndim == 3 and read.shape[2] == 3


def test_a_folder_of_rubbish_ends_with_an_error_instead_of_spinning(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.png").write_text("rubbish")
    source = ImagesSource(tmp_path, loop=True)
    for _ in range(3):
        with pytest.raises(FrameError):
            source.read()
    for _ in range(2):
        with pytest.raises(SourceError, match="none of 3 files") as caught:
            source.read()
        assert not isinstance(caught.value, FrameError)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_come_upright(tmp_path, orientation):
    pixels = np.random.default_rng(1).integers(0, 255, (8, 12, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "x.png", exif=exif)
    with Image.open(tmp_path / "x.png") as image:
        upright = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(load_image(tmp_path / "x.png"), upright)


def test_transparency_lies_on_white_and_16_bits_become_8(tmp_path):
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:, 2:, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "alpha.png")
    read = load_image(tmp_path / "alpha.png")
    assert (read[:, :2] == 255).all() and (read[:, 2:] == 0).all()
    Image.fromarray(pixels).convert("P").save(tmp_path / "palette.png", transparency=0)
    assert (load_image(tmp_path / "palette.png")[:, :2] == 255).all()
    Image.fromarray(np.full((4, 4), 0x8123, np.uint16)).save(tmp_path / "deep.png")
    assert (load_image(tmp_path / "deep.png") == 0x81).all()
    picture(90).convert("L").save(tmp_path / "gray.png")
    assert load_image(tmp_path / "gray.png").shape == (30, 40, 3)


# --- videos


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
    with pytest.raises(SourceUnavailable, match="after 9 s"):
        VideoSource(file, start=9.0)


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
