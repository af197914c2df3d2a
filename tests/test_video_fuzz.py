"""Videos made by ffmpeg with whatever flags, whole and damaged: read as they are meant, or refused by name."""

import contextlib
import math
import random
import shutil
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from doubles.clips import clip, number_of
from doubles.fuzz import fuzz_examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inkstream.stream.base.errors import ConfigError, FrameError, InkstreamError, SourceEnded, SourceError
from inkstream.stream.base.frame import Size
from inkstream.stream.sources.images import ImagesSource
from inkstream.stream.sources.video import VideoSource

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")

CODECS = {  # name -> pixel formats, containers, flags
    "mpeg4": (["yuv420p"], ["mp4", "mkv", "avi", "ts", "mov"], ["-q:v", "2"]),
    "libx264": (["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"], ["mp4", "mkv", "ts", "mov", "flv"], ["-crf", "10"]),
    "libx265": (["yuv420p"], ["mp4", "mkv"], ["-crf", "8", "-x265-params", "log-level=none"]),
    "mpeg2video": (["yuv420p"], ["ts", "mkv"], ["-q:v", "2"]),
    "mjpeg": (["yuvj420p", "yuvj444p"], ["avi", "mkv", "mov"], ["-q:v", "2"]),
    "png": (["rgb24", "rgba", "gray", "rgb48be"], ["mov", "avi", "mkv"], []),
    "ffv1": (["yuv420p", "bgra", "gray", "yuv444p16le", "yuva420p"], ["mkv", "avi"], []),
    "qtrle": (["rgb24", "argb"], ["mov"], []),
    "prores_ks": (["yuv422p10le", "yuva444p10le"], ["mov", "mkv"], []),
    "libvpx": (["yuv420p", "yuva420p"], ["webm", "mkv"], ["-b:v", "2M", "-deadline", "realtime", "-auto-alt-ref", "0"]),
    "libvpx-vp9": (["yuv420p", "yuva420p", "yuv444p"], ["webm", "mp4", "mkv"], ["-crf", "8", "-deadline", "realtime"]),
    "rawvideo": (["rgb24", "yuv420p", "gray", "rgba"], ["avi", "nut"], []),
    "huffyuv": (["yuv422p", "rgb24", "bgra"], ["avi", "mkv"], []),
}


@st.composite
def clips(draw):
    """A clip: flags, suffix, number of pictures, rate, size as coded and as shown."""
    codec = draw(st.sampled_from(sorted(CODECS)))
    formats, suffixes, quality = CODECS[codec]
    suffix, pixels = draw(st.sampled_from(suffixes)), draw(st.sampled_from(formats))
    if suffix == "mp4" and pixels == "yuva420p":
        pixels = "yuv420p"
    least = 6 if suffix == "ts" else 1  # FFmpeg recognises no shorter one
    count, rate = draw(st.integers(least, 12)), draw(st.sampled_from(["10", "24000/1001", "25", "30000/1001", "60"]))
    size = coded = Size(*draw(st.sampled_from([(64, 48), (96, 64), (66, 50), (48, 64)])))
    flags = ["-c:v", codec, "-pix_fmt", pixels, *quality, "-g", draw(st.sampled_from(["1", "5", "250"]))]
    aspect = draw(st.sampled_from([None, None, "1:1", "2:1", "16:9", "1:2"]))
    if aspect and suffix in {"mp4", "mov", "mkv", "webm"} and codec != "rawvideo":
        flags += ["-aspect", aspect]
        wide = int(aspect.split(":")[0]) / int(aspect.split(":")[1])
        ratio = wide * size.height / size.width
        size = (
            Size(round(size.width * ratio), size.height) if ratio > 1 else Size(size.width, round(size.height / ratio))
        )
    offset = draw(st.sampled_from([0, 0, 0.3, 5, 90_000]))
    if offset and suffix in {"mkv", "ts", "mov", "mp4", "webm"}:
        flags += ["-output_ts_offset", offset]
    if codec in {"mpeg4", "libx264", "mpeg2video"} and suffix != "flv":
        flags += ["-bf", draw(st.sampled_from(["0", "2"]))]
    return flags, suffix, count, Fraction(rate), coded, size


def read_all(source):
    seen = []
    with contextlib.suppress(SourceEnded):
        while len(seen) < 100:
            seen.append((source.read(), source.origin.time))
    return seen


@settings(max_examples=fuzz_examples(12), suppress_health_check=list(HealthCheck))
@given(clips(), st.sampled_from([0.0, 0.0, 0.13]))
def test_whatever_ffmpeg_makes_comes_as_it_was_meant(drawn, start):
    flags, suffix, count, rate, coded, size = drawn
    with tempfile.TemporaryDirectory() as folder:
        file = clip(Path(folder) / f"a.{suffix}", *flags, count=count, rate=rate, size=coded)
        step = float(1 / rate)
        first = min(math.ceil(start / step - 1e-3), count - 1)
        if start >= count * step:
            with pytest.raises(ConfigError, match=r"start: got .*, expected less than"):
                VideoSource(file, pace=False, start=start)
            return
        seen = read_all(VideoSource(file, pace=False, start=start))
    assert [number_of(picture) for picture, _ in seen] == list(range(first, count))
    assert {Size.of(picture) for picture, _ in seen} == {size}
    assert [when for _, when in seen] == pytest.approx([number * step for number in range(count - first)], abs=6e-3)
    corner = seen[0][0][3:6, 3:6]
    assert corner.min() > 200, "the white corner is above, at the left"


@settings(max_examples=fuzz_examples(20), suppress_health_check=list(HealthCheck))
@given(st.data(), st.integers(0, 2**32))
def test_damaged_videos_are_read_or_refused_by_name(data, seed):
    name = data.draw(st.sampled_from(sorted(whole())))
    content = bytearray(whole()[name])
    chance = random.Random(seed)
    if data.draw(st.booleans()):
        del content[chance.randrange(len(content)) :]
    for _ in range(data.draw(st.integers(0, 12))):
        at = chance.randrange(max(1, len(content)))
        content[at : at + 1] = chance.randbytes(data.draw(st.integers(0, 4)))
    start = data.draw(st.sampled_from([0.0, 0.2, 5.0, math.nan, 1e300]))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"x{name}"
        file.write_bytes(content)
        for make in (lambda: VideoSource(file, pace=False, start=start), lambda: ImagesSource(file)):
            try:
                source = make()
                for _ in range(60):
                    with contextlib.suppress(FrameError):
                        picture = source.read()
                        assert picture.ndim == 3 and picture.dtype == np.uint8
                source.close()
            except (SourceEnded, ConfigError, SourceError) as error:
                assert isinstance(error, InkstreamError)
                assert "\n" not in str(error) and "Errno" not in str(error) and "\x1b" not in str(error)


_WHOLE: dict[str, bytes] = {}


def whole():
    """One small good file of each kind: suffix -> bytes."""
    if not _WHOLE:
        with tempfile.TemporaryDirectory() as folder:
            for suffix, flags in {
                ".mp4": ["-c:v", "libx264", "-bf", "2"],
                ".mkv": ["-c:v", "mpeg4"],
                ".ts": ["-c:v", "mpeg2video"],
                ".webm": ["-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p", "-deadline", "realtime"],
                ".mov": ["-c:v", "qtrle", "-pix_fmt", "argb"],
                ".avi": ["-c:v", "mjpeg", "-pix_fmt", "yuvj420p"],
                ".gif": [],
                ".apng": ["-f", "apng"],
            }.items():
                _WHOLE[suffix] = clip(Path(folder) / f"a{suffix}", *flags).read_bytes()
    return _WHOLE
