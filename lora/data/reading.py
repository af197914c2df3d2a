"""Pictures and texts of strangers: looked at before they are opened, and refused with a reason that names them."""

from __future__ import annotations

import mmap
import re
from pathlib import Path
from typing import Any

import numpy as np

from ...stream.base import pictures
from ...stream.base.errors import DataError, FrameError
from ...stream.base.files import open_regular, regular_file
from ...stream.base.frame import Size

# Pillow's other decoders run programs (EPS), are hardly used, or are of little use here.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff")
MIN_SIDE = 16
MAX_BYTES = 256 << 20
MAX_TEXT_BYTES = 1 << 20
_ARCHIVES = {b"Rar!\x1a\x07": "a RAR archive", b"7z\xbc\xaf\x27\x1c": "a 7z archive"}
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")
_SCRIPT = re.compile(rb"<script[\s>]|<\?php\s|<!doctype html|<html[\s>]|<svg[\s>]", re.IGNORECASE)


def read_picture(path: Path) -> np.ndarray:
    """One picture, upright: (H, W, 3) uint8 RGB, transparency laid over white; of a moving one the first frame.

    What the content is decides, never the name. The header is checked before anything is decoded: PNG, JPEG, WebP, BMP,
    GIF or TIFF of at most 64 megapixels, 16,384 pixels a side and 256 MiB, and no other file hidden in it.
    Raises DataError that names the file.
    """
    try:
        _check_bytes(path)
        pixels = pictures.read_picture(path, FORMATS)
    except FrameError as error:
        raise DataError(f"{path}: {error}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    _check_size(path, Size.of(pixels))
    return pixels


def size_of(path: Path) -> Size:
    """The size of a picture by its header alone; raises DataError that names the file."""
    try:
        size = pictures.read_size(path, FORMATS)
    except FrameError as error:
        raise DataError(f"{path}: {error}") from error
    _check_size(path, size)
    return size


def _check_size(path: Path, size: Size) -> None:
    if min(size) < MIN_SIDE:
        raise DataError(f"{path}: got {size} pixels, expected at least {MIN_SIDE} a side")


def read_text(path: Path) -> str:
    """A text file in UTF-8 of at most 1 MiB; raises DataError that names the file, and the line that is not text."""
    try:
        with open_regular(path) as file:
            data = file.read(MAX_TEXT_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) > MAX_TEXT_BYTES:
        raise DataError(f"{path}: got more than {MAX_TEXT_BYTES >> 10} KiB, expected a short text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}:{line}: got the byte {data[error.start]:#04x}, expected UTF-8 text") from None


def on_one_line(text: str) -> bool:
    """Whether a text is one line without control characters, and can be written as UTF-8."""
    return _UNPRINTABLE.search(text) is None


def _check_bytes(path: Path) -> None:
    size = regular_file(path).stat().st_size
    if size > MAX_BYTES:
        raise DataError(f"{path}: got {size >> 20} MiB, expected at most {MAX_BYTES >> 20} MiB; scale it down")
    if not size:
        raise DataError(f"{path}: is empty, expected a picture")
    with open_regular(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        hidden = second_file(data)
    if hidden:
        raise DataError(f"{path}: is a picture and {hidden} at once; save the picture anew")


def second_file(data: Any) -> str | None:
    """What else the bytes of a picture are, by the places where readers of those formats look; None for nothing."""
    if data[:1024].find(b"%PDF-") >= 0:
        return "a PDF"
    # A ZIP is read from its end: there the record must stand whose comment reaches exactly to the last byte.
    tail = data[-65557:]
    at = tail.rfind(b"PK\x05\x06")
    if at >= 0 and len(tail) - at >= 22 and at + 22 + int.from_bytes(tail[at + 20 : at + 22], "little") == len(tail):
        return "a ZIP archive"
    for mark, name in _ARCHIVES.items():
        if data.find(mark) >= 0:
            return name
    return "a script or web page" if _SCRIPT.search(data[:4096]) or _SCRIPT.search(tail) else None
