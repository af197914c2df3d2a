"""Pictures that are kept: PNGs with their recipe inside, in a text chunk (iTXt, UTF-8) under the keyword ``inkstream``.

Other programs leave the chunk alone or drop it; a picture without one is a picture all the same.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .blends import texts_of
from .errors import ConfigError
from .files import open_regular
from .frame import Output
from .making import LONGEST, Making, from_text, to_text
from .names import LITTLE

KEYWORD = "inkstream"
SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_CHUNKS = 1 << 16  # of a file; a picture of 64 megapixels has fewer
CUT = (
    "got a PNG that is cut off, expected a whole one: copy it again from where it is whole; inkstream history list "
    "has what was seen lately"
)
MOST_WORDS, MOST_BYTES = 6, 60  # of a prompt, in the name of a file


def recipe_of(output: Output, **more: Any) -> dict[str, Any] | None:
    """The recipe of a picture; ``more`` is what else is known about it, and None what is not.

    None where nobody knows how it was made.
    """
    if output.making is None:
        return None
    known = {"frame": output.source_id, "revision": output.revision, **more}
    picture = {name: value for name, value in known.items() if value is not None}
    return {**output.making.at(output.faded).recipe(), "picture": picture}


def png_with(pixels: np.ndarray, recipe: Mapping[str, Any] | None) -> bytes:
    """Encode ``(H, W, 3)`` uint8 RGB with its recipe, if there is one; the recipe comes before the picture."""
    from PIL import Image, PngImagePlugin

    told = None
    if recipe is not None:
        told = PngImagePlugin.PngInfo()
        told.add_itxt(KEYWORD, to_text(recipe))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", pnginfo=told, compress_level=3)
    return file.getvalue()


def is_png(path: Path) -> bool:
    """Whether a regular file begins as a PNG does; raises OSError where it cannot be read."""
    with open_regular(path) as file:
        return file.read(len(SIGNATURE)) == SIGNATURE


def read_recipe(path: Path) -> dict[str, Any]:
    """The recipe inside a PNG, as it was written: see ``settings_of`` and ``Making.of``.

    The picture itself is not decoded, but it must be there to its end. No more than a recipe's length is ever read at
    once: Pillow would take a chunk of any size into memory. Raises ConfigError that names the file: no PNG, none
    inside, cut off, damaged.
    """
    try:
        with open_regular(path) as file:
            text = _text_of(file)
        return from_text(text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ConfigError as error:
        raise ConfigError(*error.after(f"{path}: ")) from error


def read_making(path: Path) -> Making:
    """As ``read_recipe``, checked."""
    recipe = read_recipe(path)
    try:
        return Making.of(recipe)
    except ConfigError as error:
        raise ConfigError(*error.after(f"{path}: ")) from error


def _text_of(file: BinaryIO) -> bytes:
    if file.read(len(SIGNATURE)) != SIGNATURE:
        raise ConfigError("got something else, expected a PNG that inkstream kept")
    found: bytes | None = None
    for _ in range(MOST_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            raise ConfigError(CUT)
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind == b"IEND":
            if len(file.read(4)) < 4:
                raise ConfigError(CUT)
            if found is not None:
                return found
            raise ConfigError(
                "got a PNG without a recipe, expected one that inkstream kept; programs that save a picture anew often "
                "leave it out"
            )
        if kind != b"iTXt" or found is not None:
            file.seek(length + 4, io.SEEK_CUR)
            continue
        start = file.read(min(length, len(KEYWORD) + 1))
        if start != KEYWORD.encode() + b"\0":
            file.seek(length - len(start) + 4, io.SEEK_CUR)
            continue
        if length > LONGEST:
            raise ConfigError(f"got a recipe of {length:,} bytes, expected at most {LONGEST:,}")
        rest = file.read(length - len(start) + 4)
        if len(rest) < length - len(start) + 4:
            raise ConfigError(CUT)
        if zlib.crc32(kind + start + rest[:-4]) != int.from_bytes(rest[-4:], "big"):
            raise ConfigError("got a damaged recipe (its checksum is wrong), expected what inkstream wrote")
        found = _unpacked(rest[:-4])
    raise ConfigError(f"got a PNG of more than {MOST_CHUNKS:,} parts, expected what inkstream wrote")


def _unpacked(value: bytes) -> bytes:
    """The text of a chunk whose keyword was read: compressed or not, behind its language and translated keyword."""
    fields = value[2:].split(b"\0", 2)
    if len(value) < 2 or len(fields) < 3:
        raise ConfigError("got a damaged recipe, expected what inkstream wrote")
    if not value[0]:
        return fields[2]
    try:
        return zlib.decompressobj().decompress(fields[2], LONGEST + 1)  # whatever it says it holds
    except zlib.error as error:
        raise ConfigError("got a damaged recipe, which cannot be unpacked, expected what inkstream wrote") from error


def name_of(now: datetime, output: Output) -> str:
    """What a kept picture is called: when, and the first words of its prompt, or the number of its frame.

    ``20310203-120000-a-red-sedan-car``, without an ending.
    """
    words: list[str] = []
    if output.making is not None:
        text = re.sub(r"<[^>]*>|[()\[\]{}:+\d.]", " ", texts_of(output.making.stream.prompt)[0])
        words = re.findall(r"\w+", text.casefold())
    said = words[:MOST_WORDS]
    while said and len("-".join(("", *said)).encode()) > MOST_BYTES:
        said.pop()
    if len(said) < len(words):
        while said and said[-1] in LITTLE:  # nothing hangs on them any more
            said.pop()
    return "-".join((f"{now:%Y%m%d-%H%M%S}", *(said or [f"{output.source_id:06d}"])))
