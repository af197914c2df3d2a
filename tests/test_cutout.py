"""What is drawn, cut out of the paper: on a colour in a clean window, and with alpha for other programs."""

import cv2
import numpy as np
import pytest
from doubles.preview import LIVE, Session, seen

from inkstream.stream.base.errors import ConfigError
from inkstream.stream.base.frame import Output, Size
from inkstream.stream.sinks import Status, check_sink, open_sink
from inkstream.stream.sinks.cutout import opacity, over, with_opacity
from inkstream.stream.sinks.window import KIND, WindowSink, colour

GREEN = (0, 255, 0)


def drawn(side=128, gap=0, paper=255):
    """A circle in the middle, its line open by ``gap`` degrees, on paper; the render is all red."""
    sheet = np.full((side, side, 3), paper, np.uint8)
    middle, radius = (side // 2, side // 2), (side // 4, side // 4)
    ink = (255 - paper,) * 3
    cv2.ellipse(sheet, middle, radius, 0, gap, 360, ink, max(1, side // 64), cv2.LINE_AA)
    return Output(np.full((side, side, 3), (255, 0, 0), np.uint8), 1, 0.0, 1, input=sheet)


@pytest.mark.parametrize("output", [drawn(), drawn(1024), drawn(paper=24), drawn(gap=2)], ids=str)
def test_what_lines_enclose_is_seen_and_bare_paper_is_not(output):
    seen, side = opacity(output), output.pixels.shape[0]
    assert seen.dtype == np.uint8 and seen.shape == (side, side)
    assert seen[side // 2, side // 2] == seen[side // 2, side // 3] == 255
    assert (seen[: side // 8] == 0).all() and (seen[:, -side // 8 :] == 0).all() and seen[side // 5, side // 5] == 0
    area = (seen > 127).mean()
    assert abs(area - np.pi / 16) < 0.035  # the circle, with its line


def test_an_open_line_encloses_nothing_but_is_seen_itself():
    seen = opacity(drawn(gap=120))
    assert seen[64, 64] == 0 and seen.max() > 200 and 0 < (seen > 127).mean() < 0.1


def test_where_there_is_no_paper_all_is_seen_and_an_empty_sheet_shows_nothing():
    photo = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    for output in (Output(photo, 1, 0.0, 1, input=photo), Output(photo, 1, 0.0, 1)):
        assert (opacity(output) == 255).all() and (over(output, GREEN) == photo).all()
    empty = Output(photo, 1, 0.0, 1, input=np.full((64, 64, 3), 255, np.uint8))
    assert (opacity(empty) == 0).all() and (over(empty, GREEN) == GREEN).all()


def test_a_picture_with_alpha_is_the_render_as_it_is():
    output = drawn()
    cut, whole = with_opacity(output, True), with_opacity(output, False)
    assert cut.shape == whole.shape == (128, 128, 4) and (cut[..., :3] == output.pixels).all()
    assert (whole[..., 3] == 255).all() and (cut[..., 3] == opacity(output)).all()


def test_a_clean_window_has_the_colour_around_the_render_and_where_nothing_is_drawn(pygame, tmp_path, clock):
    options = {"size": Size(320, 180), "save_dir": tmp_path / "kept", "clock": clock, "state": tmp_path}
    sink = WindowSink(background=GREEN, cut=True, **options)
    sink.controls = Session()
    try:
        sink.write(None, Status())
        assert (seen(pygame) == GREEN).all()  # before there is a picture, too
        sink.write(drawn(), LIVE)
        shown = seen(pygame)
        assert (shown[:, :60] == GREEN).all() and (shown[90, 160] == (255, 0, 0)).all()
        assert (shown[20, 160] == GREEN).all()  # paper
        assert sink.shown.clean == "alone"
    finally:
        sink.close()


@pytest.mark.parametrize(("text", "value"), [("chroma", GREEN), ("#1020ff", (16, 32, 255)), ("magenta", (255, 0, 255))])
def test_colours_are_read(text, value):
    assert check_sink(f"window:background={text}").take(KIND.options) == {"background": value}
    assert check_sink("window:background=chroma,cut").take(KIND.options) == {"background": GREEN, "cut": True}


def test_alpha_is_refused_with_what_has_it():
    with pytest.raises(ConfigError, match=r"no capture of a window keeps.*--sink ndi:cut"):
        colour("alpha")
    with pytest.raises(ConfigError, match="background: got 'grass', expected chroma"):
        open_sink("window:background=grass")
