"""Picture files of strangers: which are read, how large they may be, and what others are, so that a refusal is true."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from .errors import FrameError
from .files import open_regular, regular_file
from .frame import MAX_SIDE, Size
from .pixels import as_rgb

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
MOVING = ("GIF", "WEBP", "PNG")  # hold one picture after another; the further ones of a JPEG are no pictures to show
SUFFIXES = (".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif")
REFUSED_SUFFIXES = (".tif", ".tiff", ".avif", ".heic", ".heif", ".jxl", ".jp2", ".tga", ".svg", ".psd")
MAX_PIXELS = 64_000_000
AT_ONCE = 0.011  # seconds: pictures shown no longer than that are shown for ``USUAL``, as browsers do
USUAL = 0.1

_HEAD = 1024
_SAVE = "save it as PNG"
_KINDS: tuple[tuple[int, tuple[bytes, ...], str, str], ...] = (  # where, marks, what it is, what to do
    (0, (b"\x89PNG\r\n\x1a\n",), "a PNG", "save it anew"),
    (0, (b"\xff\xd8\xff",), "a JPEG", "save it anew"),
    (0, (b"GIF87a", b"GIF89a"), "a GIF", "save it anew"),
    (8, (b"WEBP",), "a WebP", "save it anew"),
    (0, (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "a TIFF, or the raw file of a camera", _SAVE),
    (8, (b"avif", b"avis"), "an AVIF", _SAVE),
    (8, (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"), "a HEIC", _SAVE),
    (0, (b"\xff\x0a", b"\0\0\0\x0cJXL "), "a JPEG XL", _SAVE),
    (0, (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"), "a JPEG 2000", _SAVE),
    (0, (b"8BPS",), "a Photoshop file", _SAVE),
    (0, (b"gimp xcf",), "a GIMP file", _SAVE),
    (0, (b"v/1\x01",), "an OpenEXR", _SAVE),
    (0, (b"\0\0\x01\0",), "an icon", _SAVE),
    (0, (b"%PDF-",), "a PDF", _SAVE),
    (0, (b"version https://git-lfs",), "a Git LFS pointer", "fetch the picture itself with: git lfs pull"),
    (30, (b"mimetypeapplication/x-krita",), "a Krita file", _SAVE),
    (30, (b"mimetypeimage/openraster",), "an OpenRaster file", _SAVE),
    (0, (b"PK\x03\x04",), "a ZIP archive", "unpack it"),
    (4, (b"ftyp",), "a video", "give it as video:FILE"),
    (0, (b"\x1aE\xdf\xa3",), "a video", "give it as video:FILE"),
    (8, (b"AVI ",), "a video", "give it as video:FILE"),
    (0, (b"BM",), "a BMP", "save it anew"),
)
_FORMAT_OF = {
    "a PNG": "PNG",
    "a JPEG": "JPEG",
    "a GIF": "GIF",
    "a WebP": "WEBP",
    "a BMP": "BMP",
    "a TIFF, or the raw file of a camera": "TIFF",
}


class Picture(NamedTuple):
    """One picture of a file that may hold many."""

    pixels: np.ndarray  # (H, W, 3) uint8 RGB
    shown: float | None  # seconds until the next one; None where nothing moves


def read_picture(path: Path, formats: Sequence[str] = FORMATS) -> np.ndarray:
    """The picture in a file, of a moving one the first: ``(H, W, 3)`` uint8 RGB, upright, on white paper.

    The content decides the format, never the name, and the size is checked before a pixel is decoded: at most 64
    megapixels, at most 16,384 pixels a side. Raises FrameError with the reason, without the name.
    """
    with _told(path, formats), _opened(path, formats) as image:
        image.load()
        return as_rgb(image)


def read_mask(path: Path, formats: Sequence[str] = FORMATS) -> np.ndarray:
    """How white each place of a picture in a file is, (H, W) uint8; of one with transparent places, how opaque.

    Raises FrameError, see ``read_picture``.
    """
    with _told(path, formats), _opened(path, formats) as image:
        image.load()
        if image.has_transparency_data:
            opaque = as_rgb(image.convert("RGBA").getchannel("A"))[..., 0]
            if opaque.min() < 255:
                return np.ascontiguousarray(opaque)
        return cv2.cvtColor(as_rgb(image), cv2.COLOR_RGB2GRAY)


def read_size(path: Path, formats: Sequence[str] = FORMATS) -> Size:
    """The size of a picture by its header alone; raises FrameError, see ``read_picture``."""
    with _told(path, formats), _opened(path, formats) as image:
        return Size(*image.size)


def read_pictures(path: Path) -> Iterator[Picture]:
    """Every picture of a file, one after another: see ``read_picture``. One that is damaged ends it with FrameError."""
    with _told(path, FORMATS), _opened(path, FORMATS) as image:
        several = image.format in MOVING
        number = 1 if getattr(image, "default_image", False) else 0  # what APNG shows where nothing can move
        while True:
            try:
                image.seek(number)
            except EOFError:
                return
            image.load()
            pixels = as_rgb(image)
            moves = several and getattr(image, "is_animated", False)
            yield Picture(pixels, _seconds(image.info.get("duration", 0)) if moves else None)
            number += 1
            if not several:
                return


@contextlib.contextmanager
def _opened(path: Path, formats: Sequence[str]) -> Iterator[Any]:
    """A Pillow image whose header was read and whose size is allowed; raises FrameError, or what Pillow raises."""
    from PIL import Image

    regular_file(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of large sizes, which are judged here, and of metadata that nobody reads
        image = Image.open(path, formats=list(formats))
    with image:
        width, height = image.size
        if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
            raise FrameError(f"got {width}x{height} pixels, {_LIMIT}")
        yield image


@contextlib.contextmanager
def _told(path: Path, formats: Sequence[str]) -> Iterator[None]:
    """Whatever Pillow raises becomes the reason why this file is refused."""
    from PIL import Image

    try:
        yield
    except FrameError as error:
        raise FrameError(str(error).removeprefix("frame: ")) from error
    except Image.DecompressionBombError as error:
        found = re.search(r"\d+", str(error))
        got = f"{int(found[0]) // 1_000_000} megapixels" if found else "a size without measure"
        raise FrameError(f"got {got}, {_LIMIT}") from error
    except Exception as error:  # a damaged file makes Pillow's decoders raise almost anything
        raise FrameError(_reason(path, formats, error)) from error


def _reason(path: Path, formats: Sequence[str], error: Exception) -> str:
    """Why a file was refused, as far as that was seen."""
    try:
        with open_regular(path) as file:
            head = file.read(_HEAD)
        size = path.stat().st_size
    except OSError as again:
        return f"cannot be read: {again.strerror or 'the system refuses it'}"
    except ValueError:
        return "cannot be read: its name holds a NUL"
    if not head:
        return "is empty, expected a picture"
    what, cure = what_is(head)
    if picture_format(head) not in formats:
        return f"is {what}, expected {', '.join(formats[:-1])} or {formats[-1]}; {cure}"
    of_webp = what == "a WebP" and int.from_bytes(head[4:8], "little") + 8 > size
    if of_webp or "truncated" in str(error).lower():
        return f"is {what} that is cut off: the file ends before the picture does"
    return f"is {what} that cannot be decoded; {cure}"


def picture_format(head: bytes) -> str | None:
    """Pillow's name of the format that a file with these first bytes has; None when it is none that is read."""
    return _FORMAT_OF.get(what_is(head)[0])


def what_is(head: bytes) -> tuple[str, str]:
    """What the first bytes of a file say it is, and what to do where a picture is wanted."""
    for where, marks, what, cure in _KINDS:
        if head[where:].startswith(marks):
            return what, cure
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"<!doctype html") or b"<html" in text:
        return "a web page", "download the picture itself"
    if b"<svg" in text:
        return "an SVG drawing", _SAVE
    if b"\0" not in text and not any(byte < 9 for byte in text):
        return "a text", "give a picture"
    return "of an unknown kind", _SAVE


def _seconds(milliseconds: Any) -> float:
    seconds = float(milliseconds) / 1000
    return seconds if seconds > AT_ONCE else USUAL


_LIMIT = f"expected at most {MAX_PIXELS // 1_000_000} megapixels and {MAX_SIDE} a side; scale it down"
