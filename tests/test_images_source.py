"""Pictures from files, the damaged and the hostile ones included."""

import os
import random
import re
import struct
import zlib

import numpy as np
import pytest
from doubles.time import FakeTime
from PIL import Image, ImageOps

from inkstream.stream.base.errors import FrameError, SourceEnded, SourceError, SourceUnavailable
from inkstream.stream.base.frame import Output
from inkstream.stream.sinks import Status, open_sink
from inkstream.stream.sources import open_source
from inkstream.stream.sources.images import ImagesSource, load_image


def picture(level, size=(40, 30)):
    return Image.fromarray(np.full((size[1], size[0], 3), level, np.uint8))


def levels(source):
    seen = []
    while True:
        try:
            seen.append(int(source.read()[0, 0, 0]))
        except SourceEnded:
            return seen


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
    with pytest.raises(SourceUnavailable, match="PNG, JPEG, WEBP, BMP, GIF"):
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
    with pytest.raises(FrameError, match="is cut off"):
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
    assert load_image(tmp_path / "gif.png")[0, 0, 0] == 50
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
        with pytest.raises(SourceError, match="none of the 3 files") as caught:
            source.read()
        assert not isinstance(caught.value, FrameError)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nowhere", "there is no file or folder '.*nowhere'"),
        ("no*.jpg", r"no file is like '.*no\*\.jpg'"),
        ("empty", "the folder '.*empty' has no PNG, .*put some there"),
    ],
)
def test_where_nothing_is_it_is_said_what_is_missing(tmp_path, path, said):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceUnavailable, match=f"^images: {said}"):
        ImagesSource(tmp_path / path)


def test_pictures_say_which_share_of_them_was_read(tmp_path):
    for number in range(4):
        picture(number).save(tmp_path / f"{number}.png")
    source, shares = ImagesSource(tmp_path, pace=False), []
    for _ in range(4):
        source.read()
        shares.append(source.origin.done)
    assert shares == [0.25, 0.5, 0.75, 1.0]
    one = ImagesSource(tmp_path / "0.png")
    one.read()
    assert one.origin.done is None


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


# --- what is refused, with its true reason


def foreign(folder):
    """Files that are refused, each with its reason."""
    folder.mkdir(exist_ok=True)
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    for name, kind in (("scan.tiff", "TIFF"), ("new.avif", "AVIF"), ("trunc.jpg", "JPEG"), ("trunc.webp", "WEBP")):
        noise.save(folder / name, kind)
    for name in ("trunc.jpg", "trunc.webp"):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])
    (folder / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200))
    (folder / "huge.png").write_bytes(png_header(9000, 9000))
    (folder / "vast.png").write_bytes(png_header(30_000, 30_000))
    (folder / "page.png").write_text("<!DOCTYPE html>\n<html><body>404 Not Found</body></html>")
    (folder / "lfs.png").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    (folder / "clip.png").write_bytes(b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(100))
    (folder / "empty.png").write_bytes(b"")
    (folder / "odd.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(200)))
    os.mkfifo(folder / "pipe.png")
    (folder / "zero.png").symlink_to("/dev/zero")
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    return {
        "scan.tiff": "is a TIFF",
        "new.avif": "is an AVIF, expected PNG, JPEG, WEBP, BMP or GIF; save it as PNG",
        "trunc.jpg": "is a JPEG that is cut off",
        "trunc.webp": "is a WebP that is cut off",
        "phone.heic": "is a HEIC, expected",
        "huge.png": "got 9000x9000 pixels, expected at most 64 megapixels",
        "vast.png": "got 900 megapixels, expected at most 64",
        "page.png": "is a web page, expected",
        "lfs.png": "is a Git LFS pointer",
        "clip.png": "is a video, expected PNG, JPEG, WEBP, BMP or GIF; give it as video:FILE",
        "empty.png": "is empty",
        "odd.png": "is a PNG that cannot be decoded",
        "pipe.png": "cannot be read: got a FIFO, expected a regular file",
        "zero.png": "cannot be read: got a device, expected a regular file",
        "gone.png": "cannot be read: No such file or directory",
    }


def test_f7_t12_every_file_is_refused_with_its_true_reason(tmp_path):
    for name, reason in foreign(tmp_path).items():
        with pytest.raises(FrameError) as caught:
            load_image(tmp_path / name)
        assert str(caught.value).startswith(f"{name}: {reason}")
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 150
        with pytest.raises(SourceUnavailable, match=re.escape(f"images: {name}: {reason}")):  # asked for by name
            open_source(f"images:{tmp_path / name}")


def test_f7_in_a_folder_each_refused_file_is_named_once_and_the_others_are_read(tmp_path):
    reasons = foreign(tmp_path)
    (tmp_path / "notes.txt").write_text("no picture, and nobody says so")
    picture(70).save(tmp_path / "good.png")
    source, said, good = ImagesSource(tmp_path), [], []
    while True:
        try:
            good.append(source.read()[0, 0, 0])
        except FrameError as error:
            said.append(str(error))
        except SourceEnded:
            break
    assert good == [70]
    assert sorted(text.split(":")[0] for text in said) == sorted(reasons)


def test_f7_renders_are_named_by_their_files(tmp_path):
    for name in ("house.png", "car.jpg", "car.png"):
        picture(10).save(tmp_path / name)
    source, names = ImagesSource(tmp_path), []
    for _ in range(3):
        source.read()
        names.append(source.origin.name)
    assert names == ["car.jpg", "car.png", "house"]


# --- moving pictures


def moving(file, count=5, **options):
    frames = [picture(40 * number + 20) for number in range(count)]
    frames[0].save(file, save_all=True, append_images=frames[1:], duration=[120] * (count - 1) + [500], **options)
    return file


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_f8_all_pictures_of_a_moving_file_come_with_their_times(tmp_path, name):
    source, times = open_source(f"images:{moving(tmp_path / name)}"), []
    seen = []
    for _ in range(5):
        seen.append(int(source.read()[15, 20, 0]))
        times.append(source.origin.time)
        assert source.origin.name == f"a-{len(seen):04d}"
    with pytest.raises(SourceEnded):
        source.read()
    assert seen == pytest.approx([20, 60, 100, 140, 180], abs=8)
    assert times == pytest.approx([0, 0.12, 0.24, 0.36, 0.48])
    assert source.origin.shown == pytest.approx(0.5)


def test_f8_what_an_animation_sink_wrote_is_read_whole(tmp_path):
    for suffix in ("gif", "webp", "png"):
        sink = open_sink(f"animation:{tmp_path / 'made'}.{suffix},width=32")
        for number in range(4):
            pixels = np.full((32, 32, 3), 60 * number + 20, np.uint8)
            sink.write(Output(pixels, number, float(number), 0), Status())
        sink.close()
        assert levels(open_source(f"images:{tmp_path / 'made'}.{suffix}")) == pytest.approx([20, 80, 140, 200], abs=8)


def test_f8_still_pictures_around_a_moving_one(tmp_path):
    picture(7).save(tmp_path / "1.png")
    moving(tmp_path / "2.gif", 3)
    picture(9).save(tmp_path / "3.png")
    source = open_source(f"images:{tmp_path},loop=1")
    assert [source.read()[0, 0, 0] for _ in range(6)] == [7, 20, 60, 100, 9, 7]
    assert source.origin.time is None


def test_f8_a_moving_picture_that_is_cut_off_is_named_after_the_good_ones(tmp_path):
    data = moving(tmp_path / "a.gif").read_bytes()
    (tmp_path / "a.gif").write_bytes(data[: len(data) * 3 // 5])
    source = ImagesSource(tmp_path / "a.gif")
    assert source.read()[0, 0, 0] == 20
    with pytest.raises((FrameError, SourceEnded)):
        for _ in range(5):
            source.read()


def test_f1_transparency_of_a_gif_lies_on_white(tmp_path):
    ink = np.zeros((20, 20, 4), np.uint8)
    ink[5:9, :, 3] = 255
    Image.fromarray(ink).save(
        tmp_path / "a.gif", save_all=True, append_images=[Image.fromarray(np.roll(ink, 6, 0))], disposal=2
    )
    source = open_source(f"images:{tmp_path / 'a.gif'}")
    for rows in (slice(5, 9), slice(11, 15)):
        read = source.read()
        assert (read[rows] == 0).all() and (np.delete(read, np.r_[rows], 0) == 255).all()


def test_fps_without_pace_only_says_the_times(tmp_path):
    for level in (1, 2, 3):
        picture(level).save(tmp_path / f"{level}.png")
    source = open_source(f"images:{tmp_path},fps=4,pace=0")
    assert not source.live
    for number in range(3):
        source.read()
        assert source.origin.time == number / 4 and source.origin.shown == 0.25
