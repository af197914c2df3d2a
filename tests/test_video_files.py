"""What a video file says about its pictures is followed: transparency, turns, mirrors, pixel shape, time stamps."""

import itertools
import os
import re

import av
import numpy as np
import pytest
from doubles.clips import clip, marked, number_of
from doubles.time import FakeTime
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from inkstream.stream.base.errors import ConfigError, FrameError, SourceEnded, SourceUnavailable
from inkstream.stream.base.frame import Size
from inkstream.stream.base.timeline import Timeline
from inkstream.stream.sources import open_source
from inkstream.stream.sources.shaping import linear_part, shaped
from inkstream.stream.sources.video import VideoSource


def pictures(source):
    """All that are left, and the times that the source says."""
    seen, times = [], []
    while True:
        try:
            seen.append(source.read())
        except SourceEnded:
            return seen, times
        times.append(source.origin.time)


def unpaced(path, **options):
    return VideoSource(path, pace=False, **options)


# --- transparency


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("prores.mov", ["-c:v", "prores_ks", "-pix_fmt", "yuva444p10le"]),
        ("qtrle.mov", ["-c:v", "qtrle", "-pix_fmt", "argb"]),
        ("gray.mov", ["-c:v", "png", "-pix_fmt", "ya8"]),
        ("ffv1.mkv", ["-c:v", "ffv1", "-pix_fmt", "bgra"]),
        ("vp8.webm", ["-c:v", "libvpx", "-pix_fmt", "yuva420p", "-auto-alt-ref", "0"]),
        ("vp9.webm", ["-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p"]),
        ("moving.apng", ["-f", "apng", "-pix_fmt", "rgba", "-plays", "0"]),
        ("moving.gif", []),
    ],
)
def test_f1_transparency_lies_on_white(tmp_path, name, flags):
    if name.endswith("gif"):
        frames = [Image.fromarray(marked(number, clear=True)) for number in range(10)]
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=100, disposal=2)
    else:
        clip(tmp_path / name, *flags, clear=True)
    seen, times = pictures(unpaced(tmp_path / name))
    assert times == pytest.approx([number / 10 for number in range(10)]) or name.endswith("gif")
    for picture in seen:
        assert picture.shape == (48, 64, 3)
        assert picture[4, 4].max() < 12 and picture[30:, 30:].min() > 243


def test_f1_a_decoder_without_alpha_is_named(tmp_path, monkeypatch):
    clip(tmp_path / "a.webm", "-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p", clear=True)

    def without(name, mode):
        raise av.codec.codec.UnknownCodecError(name)

    monkeypatch.setattr(av.CodecContext, "create", without)
    with pytest.raises(SourceUnavailable, match="cannot read the transparency of vp9"):
        unpaced(tmp_path / "a.webm")


# --- turns, mirrors, pixels


def tracked(path, matrix, aspect=None, size=(64, 48)):
    """A video with this display matrix (a, b, c, d, as 16.16) written into its header."""
    flags = ["-c:v", "mpeg4", "-q:v", "2", "-pix_fmt", "yuv420p", *(["-aspect", aspect] if aspect else [])]
    clip(path, *flags, count=2, size=size)
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    numbers = [round(value * 65536) for value in matrix]
    values = [numbers[0], numbers[1], 0, numbers[2], numbers[3], 0, 0, 0, 1 << 30]
    data[at : at + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in values)
    path.write_bytes(data)
    return path


# a, b, c, d as players read them: (x, y) of the picture goes to (a x + c y, b x + d y)
SQUARE = [each for each in itertools.product((-1, 0, 1), repeat=4) if abs(each[0] * each[3] - each[1] * each[2]) == 1]
EIGHT = [each for each in SQUARE if sum(map(abs, each)) == 2]


@pytest.mark.parametrize("matrix", EIGHT)
def test_f2_the_whole_display_matrix_is_applied(tmp_path, matrix):
    picture = unpaced(tracked(tmp_path / "a.mp4", matrix)).read()
    a, b, c, d = matrix
    assert Size.of(picture) == (Size(64, 48) if a else Size(48, 64))

    def found(x, y):  # where a place of the coded picture, from its middle, lies now
        return picture[round(picture.shape[0] / 2 + b * x + d * y), round(picture.shape[1] / 2 + a * x + c * y)]

    assert found(-26, -18).min() > 220, "the white corner"
    assert found(28, 0)[0] > 150 and found(28, 0)[1] < 60, "the red edge"
    assert found(-26, 18).max() < 90 and found(26, -18)[1] < 60


def test_f2_a_turn_of_less_than_90_degrees_lies_on_white(tmp_path):
    s = 0.5**0.5
    picture = unpaced(tracked(tmp_path / "a.mp4", (s, s, -s, s))).read()  # 45 degrees with the clock
    assert Size.of(picture) == Size(80, 80)
    assert picture[1, 1].min() > 240 and picture[-2, -2].min() > 240
    assert picture[7, 34].min() > 200, "the white corner is above"
    assert picture[62, 61][0] > 150 and picture[62, 61][1] < 90, "the red edge is at the right, below"


def test_f2_a_matrix_of_nothing_is_none(tmp_path):
    assert unpaced(tracked(tmp_path / "a.mp4", (0, 0, 0, 0))).read()[4, 4].min() > 220


@pytest.mark.parametrize(
    ("name", "flags", "size"),
    [
        ("wide.mp4", ["-c:v", "mpeg4", "-aspect", "8:3"], (128, 48)),
        ("tall.mkv", ["-c:v", "mpeg4", "-aspect", "2:3"], (64, 96)),
        ("pal.ts", ["-c:v", "mpeg2video", "-aspect", "16:9"], (85, 48)),
        ("square.mp4", ["-c:v", "mpeg4", "-aspect", "4:3"], (64, 48)),
    ],
)
def test_f4_pixels_become_square(tmp_path, name, flags, size):
    picture = unpaced(clip(tmp_path / name, *flags)).read()
    assert Size.of(picture) == size
    assert picture[4, 4].min() > 220 and picture[-4, -2][0] > 150


def test_f4_pixels_become_square_before_they_are_turned(tmp_path):
    assert Size.of(unpaced(tracked(tmp_path / "a.mp4", (0, 1, -1, 0), aspect="8:3")).read()) == Size(48, 128)


def test_f4_a_shape_of_pixels_that_makes_it_too_large_is_refused():
    with pytest.raises(FrameError, match="got 40000x40 pixels when they are square, expected at most 16384"):
        shaped(np.zeros((40, 40, 3), np.uint8), 1000, None)


@given(st.binary(max_size=50))
def test_f2_any_matrix_is_applied_or_refused(matrix):
    try:
        picture = shaped(np.zeros((6, 8, 3), np.uint8), None, linear_part(matrix))
    except FrameError:
        return
    assert picture.ndim == 3 and picture.flags.c_contiguous and min(picture.shape[:2]) >= 1


# --- time stamps


def test_f3_time_stamps_that_jump_back_are_followed(tmp_path):
    flags = ("-c:v", "mpeg2video", "-q:v", "2", "-f", "mpegts")
    for name, at in (("first", 20), ("second", 0)):
        clip(tmp_path / f"{name}.ts", *flags, "-output_ts_offset", at)
    file = tmp_path / "joined.ts"
    file.write_bytes((tmp_path / "first.ts").read_bytes() + (tmp_path / "second.ts").read_bytes())
    seen, times = pictures(unpaced(file))
    assert [number_of(picture) for picture in seen] == [*range(10), *range(10)]
    assert times == pytest.approx([number / 10 for number in range(20)], abs=1e-3)
    assert len(pictures(unpaced(file, start=1.25))[0]) == 7
    with pytest.raises(ConfigError, match=r"start: got 2, expected less than 2\.00 s"):
        unpaced(file, start=2.0)
    clock = FakeTime()
    begun, source = clock.now, VideoSource(file, clock=clock, stop=clock)
    pictures(source)
    assert clock.now - begun == pytest.approx(1.9, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "offset"),  # an MP4 does not show what lies before 0
    [*itertools.product(["a.mkv", "a.ts"], [-0.5, -3, 7, 95000]), ("a.mp4", 7), ("a.mp4", 95000)],
)
def test_f3_time_stamps_may_begin_anywhere(tmp_path, name, offset):
    clip(tmp_path / name, "-c:v", "mpeg4", "-bf", "2", "-avoid_negative_ts", "disabled", "-output_ts_offset", offset)
    source = unpaced(tmp_path / name)
    seen, times = pictures(source)
    assert [number_of(picture) for picture in seen] == list(range(10))
    assert times == pytest.approx([number / 10 for number in range(10)], abs=2e-3)
    seen, times = pictures(unpaced(tmp_path / name, start=0.4))
    assert [number_of(picture) for picture in seen] == list(range(4, 10)) and times[0] == 0
    looped = unpaced(tmp_path / name, loop=True)
    assert [number_of(looped.read()) for _ in range(21)] == [*range(10), *range(10), 0]
    assert looped.origin.time == pytest.approx(2.0, abs=5e-3)


@given(st.lists(st.none() | st.floats(-1e6, 1e6), min_size=1), st.sampled_from([0.01, 0.04, 1.0]))
def test_f3_a_timeline_never_goes_back_and_never_runs_away(stamps, step):
    timeline = Timeline(step)
    played = [timeline.place(stamp) for stamp in stamps]
    assert played[0] == 0 and played == sorted(played)


def test_f3_a_small_error_is_held_and_a_jump_goes_on():
    timeline = Timeline(0.1)
    assert [timeline.place(stamp) for stamp in (5, 5.1, 5.05, 5.2)] == pytest.approx([0, 0.1, 0.1, 0.2])
    assert [timeline.place(stamp) for stamp in (1.0, 1.1, None, 1.3)] == pytest.approx([0.3, 0.4, 0.5, 0.6])


@pytest.mark.parametrize("start", [0.48, 9, 1e9, 1e18, 1e300])
def test_f5_a_start_beyond_the_end_says_the_length(tmp_path, start):
    file = clip(tmp_path / "a.mp4", "-c:v", "mpeg4", count=12, rate=25)
    with pytest.raises(ConfigError, match=r"start: got .*, expected less than 0\.48 s, the length of a\.mp4"):
        open_source(f"video:{file},start={start}")
    assert len(pictures(unpaced(file, start=0.44))[0]) == 1


@pytest.mark.parametrize("start", ["nan", "inf", "-1", "-inf"])
def test_f5_a_start_that_is_no_time_is_refused(tmp_path, start):
    file = clip(tmp_path / "a.mp4", "-c:v", "mpeg4", count=2)
    with pytest.raises(ConfigError, match=f"start: got {start}, expected 0 or more seconds"):
        open_source(f"video:{file},start={start}")


def test_f5_a_start_where_no_key_frame_is_near_is_reached(tmp_path):
    file = clip(tmp_path / "a.ts", "-c:v", "mpeg2video", "-g", "1000", "-sc_threshold", "1000000000", count=30)
    seen, times = pictures(unpaced(file, start=2.5))
    assert [number_of(picture) for picture in seen] == [number % 12 for number in range(25, 30)]
    assert times == pytest.approx([0, 0.1, 0.2, 0.3, 0.4], abs=1e-3)


def test_f5_a_recording_that_begins_between_key_frames_counts_from_its_first_picture(tmp_path):
    whole = clip(tmp_path / "whole.ts", "-c:v", "mpeg2video", "-g", "10", "-bf", "0", count=30)
    data = whole.read_bytes()
    (tmp_path / "late.ts").write_bytes(data[: 188 * 4] + data[len(data) // 188 // 6 * 188 :])
    first = number_of(unpaced(tmp_path / "late.ts").read())
    seen, _ = pictures(unpaced(tmp_path / "late.ts", start=0.5))
    assert number_of(seen[0]) == (first + 5) % 12


# --- names, and what is no video


NAMES = ["a,b.mp4", "a=b.mp4", "http:a.mp4", "shots[1].mp4", "%03d.mp4", "concat:a.mp4", "-i.mp4", 'quo"te.mp4', "a:b"]


@pytest.mark.parametrize("name", NAMES)
def test_f6_any_name_of_a_file_is_a_file(tmp_path, monkeypatch, name):
    clip(tmp_path / "a.mp4", "-c:v", "mpeg4", count=3).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    quoted = name.replace('"', '""')
    assert len(pictures(open_source(f'video:"{quoted}",pace=0'))[0]) == 3


def test_f6_a_name_is_never_a_pattern_for_others(tmp_path):
    for number in range(3):
        Image.fromarray(marked(number)[..., :3]).save(tmp_path / f"{number:03d}.jpg", quality=95)
    Image.fromarray(marked(7)[..., :3]).save(tmp_path / "%03d.jpg", quality=95)
    assert [number_of(each) for each in pictures(unpaced(tmp_path / "%03d.jpg"))[0]] == [7]


def test_t12_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "zero.mp4").symlink_to("/dev/zero")
    (tmp_path / "folder.mp4").mkdir()
    for name, what in (("pipe", "a FIFO"), ("zero", "a device"), ("folder", "a folder")):
        with pytest.raises(SourceUnavailable, match=rf"{name}\.mp4 cannot be opened: got {what}, expected"):
            open_source(f"video:{tmp_path / name}.mp4")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"<html><body>404</body></html>", "it is a web page, and no video"),
        (b"just words\n" * 50, "it is a text"),
        (b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", "it is a list of other files"),
        (b"ffconcat version 1.0\nfile a.mp4\n", "it is a list of other files"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(100), "it begins as a video"),
        (b"PK\3\4" + bytes(500), "it is a ZIP archive"),
    ],
)
def test_f7_what_is_no_video_is_refused_for_what_it_is(tmp_path, content, reason):
    for name in ("a.mp4", "a.txt"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SourceUnavailable, match=re.escape(reason)) as caught:
            open_source(f"video:{tmp_path / name}")
        assert "\n" not in str(caught.value) and "Errno" not in str(caught.value)


def test_a_cover_is_no_video_track(tmp_path):
    flags = ("-c:v", "png", "-frames:v", "1", "-disposition:v", "attached_pic")
    song = clip(tmp_path / "song.m4a", *flags)
    with pytest.raises(SourceUnavailable, match="has no video track, only: video"):
        unpaced(song)


# --- moving pictures


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_f8_a_moving_picture_is_a_video(tmp_path, kind):
    frames = [Image.fromarray(marked(number)[..., :3]) for number in range(6)]
    file = tmp_path / f"a.{kind}"
    frames[0].save(file, save_all=True, append_images=frames[1:], duration=[80] * 5 + [300], loop=0)
    clock = FakeTime()
    begun, source = clock.now, VideoSource(file, clock=clock, stop=clock)
    seen, times = pictures(source)
    assert [number_of(picture) for picture in seen] == list(range(6))
    assert times == pytest.approx([0.08 * number for number in range(6)])
    assert clock.now - begun == pytest.approx(0.4)
    assert [number_of(each) for each in pictures(unpaced(file, start=0.16))[0]] == [2, 3, 4, 5]
    with pytest.raises(ConfigError, match=r"less than 0\.70 s"):
        unpaced(file, start=0.7)
    looped = VideoSource(file, loop=True, pace=False)
    assert [number_of(looped.read()) for _ in range(8)] == [0, 1, 2, 3, 4, 5, 0, 1]
    assert looped.origin.time == pytest.approx(0.78)


def test_f8_a_still_picture_is_a_video_of_one(tmp_path):
    Image.fromarray(marked(3)[..., :3]).save(tmp_path / "a.png")
    assert len(pictures(unpaced(tmp_path / "a.png"))[0]) == 1
