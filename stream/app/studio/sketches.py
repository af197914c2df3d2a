"""Pictures of drawings, as pages send them, become what a stream is given."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ....adapters.palettes import open_palette
from ...base.errors import FrameError
from ...base.pixels import as_rgb
from .backend import Sketch
from .frames import MOST_SIDE

if TYPE_CHECKING:
    from PIL import Image

UNDECIDED = 255  # of labels
PALETTE = "ink-tiny"  # what pages paint with
FORMATS = ("JPEG", "PNG")


def pixels_of(sketch: Sketch) -> np.ndarray:
    """``(H, W, 3)`` uint8 RGB of a drawing; its labels lie under its lines, as the colours of their classes.

    The size is known from the header before a pixel is decoded. Raises FrameError for what is no such picture.
    """
    pixels = _decoded(sketch)
    if not sketch.labels:
        return pixels
    count = sketch.width * sketch.height
    labels = np.frombuffer(_inflated(sketch.labels, count, "labels"), np.uint8).reshape(sketch.height, sketch.width)
    things = None
    if sketch.instances:
        numbers = np.frombuffer(_inflated(sketch.instances, 2 * count, "instances"), "<u2")
        things = numbers.reshape(sketch.height, sketch.width)
    return under(pixels, labels, things)


def under(pixels: np.ndarray, labels: np.ndarray, things: np.ndarray | None = None) -> np.ndarray:
    """The drawing (H, W, 3) uint8 on the colours of its classes, (H, W) uint8; 255 is undecided, and stays as it is.

    Where two ``things`` (H, W) of one class touch, a line is between them. Raises FrameError for a class that there is
    not.
    """
    known = colours()
    strange = labels[(labels >= len(known)) & (labels != UNDECIDED)]
    if len(strange):
        raise FrameError(f"labels: got class {strange[0]}, expected 0 to {len(known) - 1}, or {UNDECIDED} for none")
    table = np.full((256, 3), 255, np.uint8)
    table[: len(known)] = known
    made = cv2.multiply(table[labels], pixels, scale=1 / 255)
    if things is not None:
        made[_borders(labels, things)] = 0
    return made


@cache
def colours() -> np.ndarray:
    """(classes, 3) uint8 RGB: what each class is painted in."""
    return open_palette(PALETTE).paints()[0]


@cache
def classes() -> list[dict[str, object]]:
    """The palette, for pages: ``number``, ``name`` and ``colour`` of each class."""
    return [
        {"number": number, "name": each.name, "colour": "#{:02x}{:02x}{:02x}".format(*each.paint)}
        for number, each in enumerate(open_palette(PALETTE).things)
    ]


def _borders(labels: np.ndarray, things: np.ndarray) -> np.ndarray:
    """(H, W) bool: where the thing to the right or below is another one of the same class."""
    border = np.zeros(labels.shape, bool)
    border[:, :-1] = (things[:, 1:] != things[:, :-1]) & (labels[:, 1:] == labels[:, :-1])
    border[:-1] |= (things[1:] != things[:-1]) & (labels[1:] == labels[:-1])
    return border & (labels != UNDECIDED)


def check_head(sketch: Sketch) -> None:
    """Raises FrameError for what is no picture of the size that was said; no pixel of it is decoded."""
    with _opened(sketch):
        return


def _decoded(sketch: Sketch) -> np.ndarray:
    with _opened(sketch) as image:
        image.load()
        return as_rgb(image)


@contextmanager
def _opened(sketch: Sketch) -> Iterator[Image.Image]:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(sketch.picture), formats=FORMATS) as image:
            if image.size != (sketch.width, sketch.height) or max(image.size) > MOST_SIDE:
                raise FrameError(f"sketch: got {image.width}x{image.height}, expected {sketch.width}x{sketch.height}")
            yield image
    except FrameError:
        raise
    except Exception as error:  # a damaged file makes Pillow's decoders raise almost anything
        raise FrameError(
            f"sketch: got {len(sketch.picture)} bytes that are no whole JPEG or PNG, expected one"
        ) from error


def _inflated(data: bytes, length: int, what: str) -> bytes:
    """Never more than what is expected, whatever was packed."""
    unpacker = zlib.decompressobj()
    try:
        found = unpacker.decompress(data, length + 1)
    except zlib.error as error:
        raise FrameError(f"{what}: got what cannot be unpacked, expected zlib") from error
    if len(found) != length or not unpacker.eof:
        got = "more" if len(found) > length else f"{len(found):,}"
        raise FrameError(f"{what}: got {got} bytes, expected {length:,}: as many as pixels in its head")
    return found
