"""Sizes, layouts of pixels, and the way from a captured picture to the model's and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkstream.stream.base.errors import ConfigError
from inkstream.stream.base.frame import Frame, Output, Placement, Rect, Size, place


def test_an_output_is_printed_in_one_short_line():
    output = Output(np.zeros((600, 800, 3), np.uint8), 7, 1.5, 2)
    assert repr(output) == str(output) == "Output(source_id=7, revision=2, 800x600)"


# --- sizes and rectangles


@pytest.mark.parametrize(
    ("text", "size"),
    [("512", (512, 512)), ("768x512", (768, 512)), (" 768X512 ", (768, 512)), ("640×360", (640, 360)), ("1x2", (1, 2))],
)
def test_sizes_are_read_width_first(text, size):
    assert Size.parse(text) == size


@pytest.mark.parametrize(
    "text", ["", "x", "512x", "x512", "512 x 512", "-512", "5.5", "512x512x3", "123456", "0", "9x0"]
)
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ConfigError, match="size: got"):
        Size.parse(text)


@given(st.integers(1, 99999), st.integers(1, 99999))
def test_a_size_reads_back_what_it_says(width, height):
    assert Size.parse(str(Size(width, height))) == Size(width, height)


def test_the_size_of_pixels_is_width_first():
    assert Size.of(np.zeros((3, 5, 3), np.uint8)) == Size(width=5, height=3)


@given(st.integers(1, 5000), st.integers(1, 5000), st.sampled_from([1, 8, 64]))
def test_a_rounded_size_is_the_nearest_multiple(width, height, multiple):
    for side, rounded in zip((width, height), Size(width, height).rounded(multiple), strict=True):
        assert rounded % multiple == 0 and rounded >= multiple
        assert abs(rounded - side) <= multiple / 2 or rounded == multiple


@pytest.mark.parametrize(("text", "rect"), [("0,0,512,512", (0, 0, 512, 512)), (" -5, 7 ,1,2", (-5, 7, 1, 2))])
def test_rectangles_are_read(text, rect):
    assert Rect.parse(text) == rect
    assert Rect.parse(text).size == Size(rect[2], rect[3])


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1.5,2,3,4", "0,0,0,5", "0,0,5,-1"])
def test_what_is_no_rectangle_is_refused(text):
    with pytest.raises(ConfigError, match="region: got"):
        Rect.parse(text)


def test_frames_are_compared_by_identity():
    picture = np.zeros((6, 5, 3), np.uint8)
    assert Frame(picture) != Frame(picture), "comparing arrays would give an array"


# --- placing


@pytest.mark.parametrize(
    ("source", "target", "fit", "crop", "inside"),
    [
        ((100, 100), (64, 64), "crop", (0, 0, 100, 100), (0, 0, 64, 64)),
        ((200, 100), (64, 64), "crop", (50, 0, 100, 100), (0, 0, 64, 64)),
        ((100, 200), (64, 64), "crop", (0, 50, 100, 100), (0, 0, 64, 64)),
        ((640, 480), (512, 256), "crop", (0, 80, 640, 320), (0, 0, 512, 256)),
        ((64, 64), (64, 64), "letterbox", (0, 0, 64, 64), (0, 0, 64, 64)),
        ((200, 100), (64, 64), "letterbox", (0, 0, 200, 100), (0, 16, 64, 32)),
        ((100, 200), (64, 64), "letterbox", (0, 0, 100, 200), (16, 0, 32, 64)),
        ((10, 10), (64, 32), "letterbox", (0, 0, 10, 10), (16, 0, 32, 32)),
        ((1920, 1080), (512, 512), "letterbox", (0, 0, 1920, 1080), (0, 112, 512, 288)),
        ((9000, 1), (64, 64), "letterbox", (0, 0, 9000, 1), (0, 31, 64, 1)),  # at least one pixel high
        ((200, 100), (64, 64), "stretch", (0, 0, 200, 100), (0, 0, 64, 64)),
    ],
)
def test_where_pictures_are_placed(source, target, fit, crop, inside):
    source, target = Size(*source), Size(*target)
    assert place(source, target, fit) == Placement(source, target, Rect(*crop), Rect(*inside))


sizes = st.builds(Size, st.integers(1, 300), st.integers(1, 300))
fits = st.sampled_from(["crop", "letterbox", "stretch"])


@given(sizes, sizes, fits)
def test_a_placement_keeps_inside_fills_and_keeps_the_aspect_ratio(source, target, fit):
    placement = place(source, target, fit)
    for rect, whole in ((placement.crop, source), (placement.inside, target)):
        assert rect.x >= 0 and rect.y >= 0 and min(rect.size) >= 1
        assert rect.x + rect.width <= whole.width and rect.y + rect.height <= whole.height
        if rect.size != whole:  # in the middle
            assert abs(2 * rect.x + rect.width - whole.width) <= 1
            assert abs(2 * rect.y + rect.height - whole.height) <= 1
    assert placement.crop.size == source or fit == "crop"
    assert placement.inside.size == target or fit == "letterbox"
    if fit == "stretch":
        return
    across, down = (out / used for out, used in zip(placement.inside.size, placement.crop.size, strict=True))
    # Sides are whole pixels, so the two scales may differ by what half a pixel makes.
    slack = 0.5 / min(*placement.crop.size, *placement.inside.size)
    thin = 1 in (*placement.inside.size, *placement.crop.size)  # no side has less than one pixel
    assert across * (1 - slack) / (1 + slack) <= down * (1 + 1e-9) or thin
    assert down * (1 - slack) / (1 + slack) <= across * (1 + 1e-9) or thin


@given(sizes, sizes, fits, st.floats(0, 1), st.floats(0, 1))
def test_there_and_back(source, target, fit, across, down):
    placement = place(source, target, fit)
    crop, inside = placement.crop, placement.inside
    there = (inside.x + across * inside.width, inside.y + down * inside.height)
    assert placement.back(*there) == pytest.approx((crop.x + across * crop.width, crop.y + down * crop.height))


@given(sizes, sizes, fits)
def test_pixels_fit_and_are_contiguous(source, target, fit):
    pixels = np.full((source.height, source.width, 3), (7, 90, 200), np.uint8)
    result = place(source, target, fit).apply(pixels)
    assert result.shape == (target.height, target.width, 3) and result.dtype == np.uint8 and result.flags.c_contiguous
    assert (result == (7, 90, 200)).all(), "one colour stays one colour, border and all"


@pytest.mark.parametrize("fit", ["crop", "letterbox", "stretch"])
@pytest.mark.parametrize("target", [Size(64, 96), Size(256, 128), Size(120, 120)])
def test_a_mark_is_found_again_where_it_was(fit, target):
    source, at = Size(160, 120), (88, 40)
    pixels = np.full((source.height, source.width, 3), 255, np.uint8)
    pixels[at[1] - 6 : at[1] + 6, at[0] - 6 : at[0] + 6] = 0
    placement = place(source, target, fit)
    ys, xs = np.nonzero(placement.apply(pixels)[..., 0] < 128)
    found = placement.back(xs.mean() + 0.5, ys.mean() + 0.5)
    assert found == pytest.approx(at, abs=1.5)


# --- the border of a letterbox


def letterboxed(pixels, **options):
    """A wide picture in a square: rows 0 to 15 and 48 to 63 are border."""
    result = place(Size.of(pixels), Size(64, 64), "letterbox").apply(pixels, **options)
    assert (result[:16] == result[0, 0]).all() and (result[48:] == result[0, 0]).all()
    return result[0, 0].tolist()


@pytest.mark.parametrize("paper", [(255, 255, 255), (0, 0, 0), (240, 230, 200)])
def test_the_paper_goes_on_around_a_drawing(paper):
    page = np.full((100, 200, 3), paper, np.uint8)
    page[30:70, 20:180] = 128
    assert letterboxed(page) == list(paper)
    page[:, 95:105] = (9, 9, 200)  # a stroke across both edges
    assert letterboxed(page) == list(paper)


def test_the_border_is_a_level_that_is_there():
    page = np.zeros((100, 200, 3), np.uint8)
    page[:, 100:] = 255  # half and half
    assert letterboxed(page)[0] in (0, 255)


def test_only_the_edge_decides():
    page = np.full((100, 200, 3), 10, np.uint8)
    page[1:-1, 1:-1] = 250
    assert letterboxed(page) == [10, 10, 10]


@pytest.mark.parametrize("border", [0, 22, 255])
def test_a_border_may_be_given(border):
    assert letterboxed(np.full((100, 200, 3), 99, np.uint8), border=border) == [border] * 3


def test_a_strided_picture_gives_a_contiguous_one():
    page = np.full((100, 400, 3), 255, np.uint8)[:, ::2, ::-1]
    for target in (Size(64, 64), Size(200, 100)):
        result = place(Size.of(page), target, "letterbox").apply(page)
        assert result.flags.c_contiguous and (result == 255).all()
