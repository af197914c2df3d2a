"""Pictures that people lay on their drawings: files of strangers, kept as they came once their heads were read."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from pathlib import Path
from typing import NamedTuple

from ...base.errors import FrameError, InkstreamError
from ...base.files import write_whole
from ...base.pictures import picture_format
from ...base.private import make_private
from .rooms import Unknown

FOLDER = "images"
KINDS = {"PNG": ("png", "image/png"), "JPEG": ("jpg", "image/jpeg"), "WEBP": ("webp", "image/webp")}
MOST_PIXELS = 40_000_000
MOST_SIDE = 16384
MOST_BYTES = 64 << 20  # of all pictures of a drawing


class ImagesFull(InkstreamError):
    """There is no room in a drawing for another picture."""


class Put(NamedTuple):
    """A picture that was taken."""

    image: str
    """Its name, for an operation; the same picture has the same."""
    width: int
    height: int


def put_image(folder: Path, data: bytes) -> Put:
    """Keep a picture of a drawing; nothing of it is decoded. Raises FrameError, ImagesFull, OSError."""
    from PIL import Image

    kind = picture_format(data[:1024])
    if kind not in KINDS:
        raise FrameError("got a file of another kind, expected a PNG, JPEG or WebP; save it as PNG")
    limit = f"expected at most {MOST_PIXELS // 1_000_000} megapixels and {MOST_SIDE} a side; scale it down"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # nothing of it is decoded here
            with Image.open(io.BytesIO(data), formats=[kind]) as image:
                width, height = image.size
    except Image.DecompressionBombError as error:
        raise FrameError(f"got a picture without measure, {limit}") from error
    except Exception as error:  # a damaged file makes Pillow's readers raise almost anything
        raise FrameError(f"got a {kind} that cannot be read, expected a whole one; save it anew") from error
    if width * height > MOST_PIXELS or max(width, height) > MOST_SIDE:
        raise FrameError(f"got {width}x{height} pixels, {limit}")
    name, place = hashlib.sha256(data).hexdigest()[:32], make_private(folder / FOLDER)
    path = place / f"{name}.{KINDS[kind][0]}"
    if not path.exists():
        if len(data) + sum(each.stat().st_size for each in place.iterdir()) > MOST_BYTES:
            raise ImagesFull(f"this drawing has {MOST_BYTES >> 20} MB of pictures; make this one smaller")
        write_whole(path, data, mode=0o600)
    return Put(name, width, height)


def the_image(folder: Path, name: str) -> tuple[Path, str]:
    """A picture of a drawing, and its kind for browsers; raises Unknown."""
    if re.fullmatch(r"[0-9a-f]{32}", name):
        for ending, kind in KINDS.values():
            path = folder / FOLDER / f"{name}.{ending}"
            if path.is_file():
                return path, kind
    raise Unknown("there is no such picture in this drawing")
