"""Pictures between page and server: a head of 40 bytes, and the picture."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from ...base.errors import FrameError

MAGIC = b"INK1"
HEAD = struct.Struct("<4sBBHQIIIIHHI")
MORE = 1  # flag: another part of the same picture, with the same sequence number, follows
FADING = 2  # flag of a render: its prompt is still fading in
MOST_SIDE = 4096


class Kind(IntEnum):
    """What a picture is."""

    SKETCH = 1  # from the page: what is drawn, on its paper
    LABELS = 2  # from the page: the class of each pixel; 255: undecided
    INSTANCES = 3  # from the page: which thing of its class each pixel is; 0: none in particular
    RENDER = 4  # from the server
    VARIANT = 5  # from the server: settings that were tried; ``of`` is its index


class Format(IntEnum):
    """How a picture is packed."""

    JPEG = 1
    PNG = 2
    DEFLATE = 3  # zlib: rows one after the other, a byte a pixel (instances: two, the lower one first)


class Head(NamedTuple):
    """What stands before a picture. All numbers are unsigned, the lowest byte first."""

    kind: Kind
    format: Format
    flags: int
    tag: int
    """Of the session. A page drops a render of another one, a server refuses it."""
    sequence: int
    """Counted by the sender. Of the parts of one picture it is the same."""
    of: int
    """Of a render: the sequence of the sketch that it shows. Of a sketch: the one before that the page has seen."""
    document: int
    """Revision of the drawing that is shown; what is not kept yet does not count."""
    settings: int
    """Revision of the settings that it was rendered under; 0 from the page."""
    width: int
    height: int
    time: int
    """Milliseconds of the page's own clock when the newest point of the sketch was drawn; a render has its sketch's."""

    def pack(self) -> bytes:
        """40 bytes."""
        numbers = (self.sequence, self.of, self.document, self.settings)
        rest = (each & 0xFFFFFFFF for each in numbers)
        return HEAD.pack(
            MAGIC, self.kind, self.format, self.flags, self.tag, *rest, self.width, self.height, self.time & 0xFFFFFFFF
        )


def unpack(data: bytes) -> tuple[Head, memoryview]:
    """Head and picture of a binary message; raises FrameError for anything else."""
    if len(data) <= HEAD.size or data[:4] != MAGIC:
        raise FrameError(
            f"got {len(data)} bytes that are no picture, expected a head of {HEAD.size} bytes (INK1) before it"
        )
    _, kind, form, flags, *rest = HEAD.unpack_from(data)
    try:
        head = Head(Kind(kind), Format(form), flags, *rest)
    except ValueError as error:
        raise FrameError(f"got {error}, expected a kind from 1 to 5 and a format from 1 to 3") from None
    if not (1 <= head.width <= MOST_SIDE and 1 <= head.height <= MOST_SIDE):
        raise FrameError(f"got a picture of {head.width}x{head.height}, expected sides from 1 to {MOST_SIDE}")
    return head, memoryview(data)[HEAD.size :]
