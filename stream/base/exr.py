"""Reads OpenEXR files as a renderer writes them with every pass in it: one part, scan lines, nothing compressed.

The format is laid out in "OpenEXR File Layout" (openexr.com). OpenCV's reader knows one picture in a file only.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from .errors import DataError

MAGIC = 20000630
FLAGS = {0x200: "tiles", 0x800: "deep pixels", 0x1000: "several parts"}  # of the version: what is not read
TYPES = {0: np.dtype("<u4"), 1: np.dtype("<f2"), 2: np.dtype("<f4")}
MOST = 1 << 28  # pixels of all channels


def read_exr(path: Path) -> dict[str, np.ndarray]:
    """Channel -> (H, W) float32. Raises DataError for another file, or one that is damaged."""
    data = path.read_bytes()
    try:
        return _read(data)
    except (struct.error, ValueError, IndexError, KeyError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: got {str(error)[:100]}, expected an OpenEXR file that is not compressed") from error


def _read(data: bytes) -> dict[str, np.ndarray]:
    magic, version = struct.unpack_from("<ii", data)
    if magic != MAGIC:
        raise ValueError(f"the number {magic} at its start")
    refused = [what for flag, what in FLAGS.items() if version & flag]
    if refused:
        raise ValueError(refused[0])
    header, at = _header(data, 8)
    if header["compression"] != b"\0":
        raise ValueError("compressed lines")
    x0, y0, x1, y1 = struct.unpack("<4i", header["dataWindow"])
    width, height = x1 - x0 + 1, y1 - y0 + 1
    channels = _channels(header["channels"])
    if width < 1 or height < 1 or width * height * len(channels) > MOST:
        raise ValueError(f"{width}x{height} with {len(channels)} channels")
    sizes = [width * TYPES[kind].itemsize for _, kind in channels]
    offsets = np.frombuffer(data, "<u8", height, at)
    found = {name: np.empty((height, width), np.float32) for name, _ in channels}
    for offset in offsets.tolist():
        row, length = struct.unpack_from("<ii", data, offset)
        if length != sum(sizes) or not y0 <= row <= y1:
            raise ValueError(f"a line of {length} bytes")
        begin = offset + 8
        for (name, kind), size in zip(channels, sizes, strict=True):
            found[name][row - y0] = np.frombuffer(data, TYPES[kind], width, begin)
            begin += size
    return found


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(b"\0", at)
    return data[at:end].decode(), end + 1


def _header(data: bytes, at: int) -> tuple[dict[str, bytes], int]:
    """Attributes by name, and where they end."""
    found = {}
    while data[at]:
        name, at = _text(data, at)
        _, at = _text(data, at)
        (size,) = struct.unpack_from("<i", data, at)
        found[name] = data[at + 4 : at + 4 + size]
        at += 4 + size
    return found, at + 1


def _channels(data: bytes) -> list[tuple[str, int]]:
    """(name, number of its type) in the order in which they lie in a line."""
    found, at = [], 0
    while data[at]:
        name, at = _text(data, at)
        kind, _, across, down = struct.unpack_from("<iiii", data, at)
        if (across, down) != (1, 1):
            raise ValueError(f"the channel {name} at another scale")
        found.append((name, kind))
        at += 16
    return found
