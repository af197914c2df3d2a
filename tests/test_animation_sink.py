"""The animated picture: what it holds, and what it refuses."""

import numpy as np
import pytest
from PIL import Image

from inkstream.stream.base.errors import ConfigError, SinkUnavailable
from inkstream.stream.base.frame import Output
from inkstream.stream.sinks import Status, open_sink


def output(number, width=64, height=48):
    pixels = np.full((height, width, 3), 20 * number % 256, np.uint8)
    return Output(pixels, number, float(number), 0, input=255 - pixels)


@pytest.mark.parametrize("ending", ["webp", "gif", "png"])
def test_every_output_is_a_frame(tmp_path, ending):
    sink = open_sink(f"animation:{tmp_path}/a.{ending},fps=10,width=64,input=1")
    for number in range(5):
        sink.write(output(number), Status())
    sink.close()
    sink.close()
    with Image.open(sink.path) as picture:
        assert (picture.n_frames, picture.size) == (5, (128, 48))
        picture.seek(3)
        row = np.asarray(picture.convert("RGB"))[24, :, 0].astype(int)
    assert abs(row[20] - 195) < 8
    assert abs(row[100] - 60) < 8


def test_existing_file_stays(tmp_path):
    (tmp_path / "a.webp").write_bytes(b"mine")
    sink = open_sink(f"animation:{tmp_path}/a.webp")
    sink.write(output(1), Status())
    sink.close()
    assert (tmp_path / "a.webp").read_bytes() == b"mine"
    assert sink.path.name == "a-2.webp"


def test_nothing_written_leaves_no_file(tmp_path):
    open_sink(f"animation:{tmp_path}/a.webp").close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", ["a.mp4", "a.webp,fps=0", "a.webp,width=5", ""])
def test_wrong_options_are_named(tmp_path, options):
    with pytest.raises(ConfigError, match="animation"):
        open_sink(f"animation:{options}")


def test_length_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("inkstream.stream.sinks.animation.MOST_FRAMES", 3)
    sink = open_sink(f"animation:{tmp_path}/a.gif,width=32")
    for number in range(3):
        sink.write(output(number), Status())
    with pytest.raises(SinkUnavailable, match="video:FILE"):
        sink.write(output(4), Status())
    sink.close()
    with Image.open(sink.path) as picture:
        assert picture.n_frames == 3
