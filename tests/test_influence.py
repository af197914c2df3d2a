"""What the influence of the drawing does to a model that says it, and to one that does not."""

import json

import cv2
import numpy as np
import pytest

from inkstream.bench import influence as bench
from inkstream.lora.influence import USUAL, at, read_influence, write_influence
from inkstream.stream.base.configfile import load_config
from inkstream.stream.base.errors import ModelError
from inkstream.stream.loop.stream import Stream
from inkstream.stream.sources.drawing import sketch


def test_a_curve_goes_straight_between_its_points(tmp_path):
    write_influence(tmp_path, {50: (1, 0), 25: (0.1, 0), 100: (3, 1)})
    curve = read_influence(tmp_path)
    assert [at(curve, each) for each in (0, 25, 50, 100)] == [(0, 0), (0.1, 0), (1, 0), (3, 1)]
    assert at(curve, 12.5) == pytest.approx((0.05, 0)) and at(curve, 75) == pytest.approx((2, 0.5))


def test_without_a_file_it_is_the_usual_one(tmp_path):
    assert read_influence(tmp_path) is USUAL
    assert [at(USUAL, each) for each in (0, 25, 50, 100)] == [(0, 0), (0.5, 0), (1, 0), (1.5, 0)]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"50": [1, 0], "100": [9, 0]}, "'100': got \\[9, 0\\], expected .* control, 0 to 4, and ink, 0 to 1"),
        ({"50": [0.9, 0], "100": [2, 0]}, "50 must be"),
        ({"50": [1, 0], "100": [2, True]}, "'100': got"),
        ({"50": [1, 0], "1e9": [2, 0]}, "'1e9': got"),
        ({"50": [1, 0], "x": [2, 0]}, "'x': got"),
        ({"50": [1, 0]}, "got 0, 50, expected 50 and 100 as well"),
    ],
)
def test_a_wrong_curve_is_refused_with_its_reason(tmp_path, table, said):
    (tmp_path / "influence.json").write_text(json.dumps(table))
    with pytest.raises(ModelError, match=said):
        read_influence(tmp_path)


@pytest.fixture(scope="module")
def ink():
    run = load_config("ink-tiny", {"acceleration": "eager", "device": "cpu", "warmup": 0})
    with Stream.from_pretrained(run.model, run.stream) as stream:
        yield stream


def rendered(stream, page, **settings):
    stream.update(**settings)
    outputs = [output for output in (stream(page, gated=False), *stream.drain()) if output is not None]
    return outputs[-1]


def test_above_the_middle_the_lines_lie_over_the_picture_as_ink(ink):
    page = sketch("sedan", 256)
    middle = rendered(ink, page, drawing_influence=50)
    most = rendered(ink, page, drawing_influence=100)
    lines = cv2.erode(255 - cv2.cvtColor(page, cv2.COLOR_RGB2GRAY), np.ones((2, 2))) > 160
    assert lines.any() and most.pixels[lines].mean() < 20 < 40 < middle.pixels[lines].mean()
    assert np.array_equal(most.input, middle.input)  # the input is what was drawn
    assert np.array_equal(rendered(ink, page, drawing_influence=50).pixels, middle.pixels)
    assert np.array_equal(rendered(ink, page, drawing_influence=100).pixels, most.pixels)
    at_once = ink(page, gated=False)  # no frame waits for the next one
    assert at_once is not None and np.array_equal(at_once.pixels, most.pixels) and not ink.pending


def test_ink_belongs_to_a_frame_through_the_batch(ink):
    """Frames in flight keep the ink that they entered with."""
    ink.update(drawing_influence=100, t_index_list=[0, 13], use_denoising_batch=True)
    first, second = sketch("sedan", 256), sketch("house", 256)
    expected = {0: rendered(ink, first).pixels, 1: rendered(ink, second, drawing_influence=50).pixels}
    ink.update(drawing_influence=100)
    got = {}
    outputs = [ink(first, gated=False)]
    ink.update(drawing_influence=50)
    outputs += [ink(second, gated=False), *ink.drain()]
    for number, output in enumerate(each for each in outputs if each is not None):
        got[number] = output.pixels
    ink.update(use_denoising_batch=False)
    assert all(np.array_equal(got[number], expected[number]) for number in (0, 1))


def test_over_the_picture_there_is_no_ink(ink):
    page = sketch("sedan", 256)
    try:
        ink.update(mode="img2img", drawing_influence=100)
        assert ink._plan.preparer.prepare(page).ink is None
    finally:
        ink.update(mode="sketch", drawing_influence=50)


def test_the_checker_sees_what_is_shown_and_tensors_have_the_ink(ink):
    run = load_config("ink-tiny", {"acceleration": "eager", "device": "cpu", "warmup": 0, "drawing_influence": 100})
    seen = []
    page = sketch("sedan", 256)
    checker = lambda pixels: seen.append(pixels.copy()) or True
    with Stream.from_pretrained(run.model, run.stream, output_type="pt", safety_checker=checker) as stream:
        output = rendered(stream, page)
    assert np.array_equal(seen[-1], output.pixels)
    levels = (output.tensor.permute(1, 2, 0).numpy() * 127.5 + 127.5).round()
    assert np.abs(levels - output.pixels).max() <= 1


def test_every_quarter_changes_the_embedded_model_and_no_line_is_lost(tmp_path):
    run = load_config("ink-tiny", {"acceleration": "eager", "device": "cpu", "warmup": 0})
    result = bench.measure(run, count=6)
    assert all(row["met"] for row in result["rows"]), bench.table(result)
    assert result["rows"][-1]["lines"] > 0.9 > 0.1 > result["rows"][0]["lines"]
    figure = bench.draw(result)
    figure.savefig(tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000
