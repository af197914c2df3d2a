"""Pictures that programs give: arrays, tensors and Pillow images become RGB by what they are, or are refused."""

import io
import subprocess
import sys

import numpy as np
import pytest
import torch
from doubles.fuzz import fuzz_examples
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageCms

from inkstream.stream.base.errors import FrameError
from inkstream.stream.base.frame import MAX_SIDE
from inkstream.stream.base.pixels import as_rgb

# --- layouts

rng = np.random.default_rng(0)
RGB = rng.integers(0, 256, (6, 5, 3), np.uint8)
GRAY = RGB[..., 0]
ALPHA = np.full((6, 5, 1), 255, np.uint8)


@pytest.mark.parametrize(
    ("pixels", "order", "expected"),
    [
        (RGB, "rgb", RGB),
        (RGB[..., ::-1], "bgr", RGB),
        (GRAY, "rgb", np.dstack([GRAY] * 3)),
        (GRAY[..., None], "bgr", np.dstack([GRAY] * 3)),
        (np.dstack([RGB, ALPHA]), "rgb", RGB),
        (np.dstack([RGB[..., ::-1], ALPHA]), "bgr", RGB),
        (np.dstack([RGB, 0 * ALPHA]), "rgb", np.full_like(RGB, 255)),
        (np.dstack([RGB[..., ::-1], 0 * ALPHA]), "bgr", np.full_like(RGB, 255)),
        (RGB / 255.0, "rgb", RGB),
        ((RGB / 255).astype(np.float32), "rgb", RGB),
        ((RGB[..., ::-1] / 255).astype(np.float16), "bgr", RGB),
        (RGB.astype(np.uint16) << 8 | 255, "rgb", RGB),
        (GRAY > 99, "rgb", np.dstack([np.where(GRAY > 99, 255, 0)] * 3)),
        (np.asfortranarray(RGB), "rgb", RGB),
        (RGB[::-2, ::-1], "rgb", RGB[::-2, ::-1]),
        (RGB.tolist(), "rgb", None),
    ],
)
def test_every_layout_becomes_contiguous_rgb(pixels, order, expected):
    if expected is None:
        with pytest.raises(FrameError, match=r"dtype int64, expected uint8"):
            as_rgb(pixels, order)
        return
    result = as_rgb(pixels, order)
    np.testing.assert_array_equal(result, expected)
    assert result.dtype == np.uint8 and result.flags.c_contiguous and result.shape[2] == 3


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_alpha_is_laid_over_white_paper(blue, green, red, alpha):
    pixels = np.full((2, 2, 4), (blue, green, red, alpha), np.uint8)
    share = alpha / 255
    expected = [value * share + 255 * (1 - share) for value in (red, green, blue)]
    assert np.abs(as_rgb(pixels, "bgr")[1, 1] - np.array(expected)).max() <= 0.5


def test_a_picture_of_another_library_is_read():
    from PIL import Image

    np.testing.assert_array_equal(as_rgb(Image.fromarray(RGB)), RGB)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.full((4, 4, 3), np.nan), "NaN or infinity"),
        (np.array([[0.5, np.inf]]), "NaN or infinity"),
        (np.zeros((0, 0, 3), np.uint8), "got 0x0 pixels, expected 1x1"),
        (np.zeros((5, 0), np.uint8), "got 0x5 pixels"),
        (np.zeros((1, MAX_SIDE + 1), np.bool_), f"got {MAX_SIDE + 1}x1 pixels, expected .* to {MAX_SIDE}x{MAX_SIDE}"),
        (np.zeros((5, 4, 2), np.uint8), r"shape \(5, 4, 2\)"),
        (np.zeros((2, 4, 4, 3), np.uint8), r"shape \(2, 4, 4, 3\)"),
        (np.zeros(7, np.uint8), r"shape \(7,\)"),
        (None, r"shape \(\)"),
        (np.zeros((4, 4, 3), np.int64), "dtype int64"),
        (np.zeros((4, 4, 3), np.complex64), "dtype complex64"),
        (np.full((4, 4), "ink"), "dtype <U3"),
    ],
)
def test_what_is_no_picture_is_refused_and_named(pixels, message):
    with pytest.raises(FrameError, match=message):
        as_rgb(pixels)


# --- Pillow's modes

SMOOTH = np.dstack([*np.meshgrid(np.arange(0, 256, 4), np.arange(0, 256, 6)), np.full((43, 64), 90)]).astype(np.uint8)
PHOTO = Image.fromarray(SMOOTH)
GRAYS = np.dstack([np.asarray(PHOTO.convert("L"))] * 3)


def lab(image):
    """As programs for photographs save it; Pillow itself does not convert to it."""
    way = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    return ImageCms.applyTransform(image, way)


@pytest.mark.parametrize(
    ("image", "expected", "near"),
    [
        (PHOTO.convert("L"), GRAYS, 0),
        (PHOTO.convert("1"), np.dstack([np.asarray(PHOTO.convert("1")) * np.uint8(255)] * 3), 0),
        (PHOTO.convert("LA"), GRAYS, 0),
        (PHOTO.convert("LA").convert("La"), GRAYS, 0),
        (PHOTO.convert("P", palette=Image.Palette.ADAPTIVE), SMOOTH, 24),
        (PHOTO.convert("RGBA"), SMOOTH, 0),
        (PHOTO.convert("RGBA").convert("RGBa"), SMOOTH, 0),
        (PHOTO.convert("RGBX"), SMOOTH, 0),
        (PHOTO.convert("CMYK"), SMOOTH, 0),
        (PHOTO.convert("YCbCr"), SMOOTH, 3),
        (PHOTO.convert("HSV"), SMOOTH, 8),
        (lab(PHOTO), SMOOTH, 40),
        (Image.fromarray(SMOOTH[..., 0].astype(np.uint16) << 8), np.dstack([SMOOTH[..., 0]] * 3), 0),
        (Image.fromarray((SMOOTH[..., 0].astype(np.uint16) << 8).astype(">u2")), np.dstack([SMOOTH[..., 0]] * 3), 0),
        (Image.fromarray(SMOOTH[..., 0].astype(np.float32) / 255), np.dstack([SMOOTH[..., 0]] * 3), 0),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else "",
)
def test_l11_an_image_is_read_by_its_mode(image, expected, near):
    assert np.abs(as_rgb(image).astype(int) - expected).max() <= near


def test_l11_transparency_of_any_mode_lies_on_white():
    ink = np.zeros((4, 6, 4), np.uint8)
    ink[:, 3:, 3] = 255
    clear = Image.fromarray(ink)
    palette = Image.fromarray(ink[..., 3] // 255).convert("P")
    palette.putpalette([9, 9, 9, 0, 0, 0])
    palette.info["transparency"] = 0
    deep = Image.fromarray(np.where(ink[..., 3] > 0, 0, 770).astype(np.uint16))
    deep.info["transparency"] = 770
    for image in (clear, clear.convert("LA"), clear.convert("RGBa"), palette, palette.convert("PA"), deep):
        read = as_rgb(image)
        assert (read[:, :3] == 255).all() and (read[:, 3:] == 0).all(), image.mode


def test_l11_an_image_whose_numbers_have_no_range_is_refused_by_its_mode():
    with pytest.raises(FrameError, match=r"mode I .* no range; convert it to L or I;16"):
        as_rgb(Image.fromarray(np.full((4, 4), 200, np.int32)))
    with pytest.raises(FrameError, match=r"floats from 10 to 234, expected \[0, 1\]"):
        as_rgb(PHOTO.convert("L").convert("F"))


def test_l11_an_image_of_a_camera_comes_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = io.BytesIO()
    PHOTO.save(data, "PNG", exif=exif)
    np.testing.assert_array_equal(as_rgb(Image.open(data)), np.rot90(SMOOTH, -1))


def test_l11_an_image_that_cannot_be_decoded_is_refused_without_the_words_of_a_library():
    data = io.BytesIO()
    PHOTO.save(data, "JPEG")
    with pytest.raises(FrameError, match=r"that cannot be decoded; save it anew$"):
        as_rgb(Image.open(io.BytesIO(data.getvalue()[:700])))


# --- ranges and layouts


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_l11_floats_are_from_0_or_from_minus_1(dtype):
    np.testing.assert_array_equal(as_rgb((RGB / 255).astype(dtype)), RGB)
    assert np.abs(as_rgb((RGB / 127.5 - 1).astype(dtype)).astype(int) - RGB).max() <= 1


@pytest.mark.parametrize(
    "pixels",
    [RGB.astype(np.float32), RGB / 255 * 1.2, RGB / 255 - 0.1, np.where(GRAY > 99, 3.0, -1.0), RGB * 257.0, RGB / -99],
    ids=["0..255", "0..1.2", "-0.1..0.9", "-1..3", "0..65535", "-2.6..0"],
)
def test_l11_floats_of_another_range_are_refused_with_it(pixels):
    with pytest.raises(FrameError, match=r"got floats from .* to .*, expected \[0, 1\] or \[-1, 1\].*value_range="):
        as_rgb(pixels)


@pytest.mark.parametrize(
    ("pixels", "value_range"),
    [(RGB.astype(np.float32), (0, 255)), (RGB.astype(np.int64), (0, 255)), (RGB / 255 * 4 - 3, (-3, 1))],
)
def test_l11_a_range_may_be_said(pixels, value_range):
    np.testing.assert_array_equal(as_rgb(pixels, value_range=value_range), RGB)


def test_l11_a_bright_picture_from_minus_1_is_read_right_where_its_range_is_said():
    page = np.full((4, 4, 3), 0.5, np.float32)
    assert as_rgb(page)[0, 0, 0] == 128 and as_rgb(page, value_range=(-1, 1))[0, 0, 0] == 191
    with pytest.raises(FrameError, match=r"value_range: got \(1, 1\)"):
        as_rgb(page, value_range=(1, 1))


PLANES = torch.from_numpy(RGB.copy()).permute(2, 0, 1)


@pytest.mark.parametrize(
    ("tensor", "expected", "near"),
    [
        (PLANES, RGB, 0),
        (PLANES[None], RGB, 0),
        (PLANES / 255, RGB, 0),
        (PLANES[None] / 127.5 - 1, RGB, 1),
        ((PLANES / 255).to(torch.bfloat16), RGB, 2),
        ((PLANES[None] / 255).half().requires_grad_(), RGB, 1),
        (PLANES.permute(1, 2, 0), RGB, 0),
        (PLANES[:1], np.dstack([GRAY] * 3), 0),
        (PLANES[0], np.dstack([GRAY] * 3), 0),
        (torch.nn.Parameter(PLANES / 255), RGB, 0),
    ],
)
def test_l11_tensors_are_read_channels_first_or_last(tensor, expected, near):
    assert np.abs(as_rgb(tensor).astype(int) - expected).max() <= near


def test_l11_of_a_tensor_that_can_be_both_the_channels_are_first_and_of_an_array_last():
    both = np.zeros((3, 5, 3), np.uint8)
    both[0] = 250
    assert (as_rgb(torch.from_numpy(both)) == (250, 0, 0)).all() and as_rgb(torch.from_numpy(both)).shape == (5, 3, 3)
    assert (as_rgb(both)[0] == 250).all() and as_rgb(both).shape == (3, 5, 3)


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.zeros(2, 3, 8, 8), "2 pictures at once"),
        (torch.zeros(8, 8, dtype=torch.int64), "dtype int64"),
        (torch.zeros(3, 8, 8, dtype=torch.complex64), "dtype complex64"),
        (torch.zeros(3, 8, 8).to_sparse(), "tensor of torch.float32 .*sparse"),
        (torch.randn(4, 16, 16, generator=torch.Generator().manual_seed(0)), "floats from -"),
        (torch.zeros(3, 8, 8, device="meta"), "tensor of torch.float32"),
    ],
)
def test_l11_tensors_that_are_no_picture_are_refused_and_named(tensor, message):
    with pytest.raises(FrameError, match=message):
        as_rgb(tensor)


KINDS = st.sampled_from([np.uint8, np.uint16, np.bool_, np.float16, np.float32, np.int32, np.int64, np.complex64, "O"])


@settings(max_examples=fuzz_examples(80))
@given(st.data())
def test_l11_any_array_is_read_or_refused_by_name(data):
    dtype = data.draw(KINDS)
    shape = data.draw(arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=6))
    array = np.zeros(shape, object) if dtype == "O" else data.draw(arrays.arrays(dtype, shape))
    try:
        read = as_rgb(array)
    except FrameError as error:
        assert "\n" not in str(error) and len(str(error)) < 200
    else:
        assert read.dtype == np.uint8 and read.ndim == 3 and read.shape[2] == 3 and read.flags.c_contiguous


def test_l11_reading_pictures_loads_no_torch():
    program = (
        "import sys, numpy; from PIL import Image; from inkstream.stream import as_rgb;"
        "as_rgb(Image.new('P', (4, 4))); as_rgb(numpy.zeros((4, 4))); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
