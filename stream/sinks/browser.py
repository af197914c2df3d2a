"""Pictures for browsers: each is encoded once, whoever looks on. The studio's server shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from ..base.errors import ConfigError
from ..base.frame import Output
from ..base.spec import Kind, Option, Spec, flag
from . import Status

QUALITY = 80


class Encoded(NamedTuple):
    """A picture as JPEG, and what it is of."""

    jpeg: bytes
    output: Output


class BrowserSink:
    """Encodes every picture and hands it to ``take``, which is called on the sink's thread and must return at once.

    ``newest`` is the last one. ``quality`` of JPEG, 1 to 100.
    """

    interval: float | None = None
    on_main_thread = False
    called = "browser"

    def __init__(self, quality: int = QUALITY, take: Callable[[Encoded], None] | None = None) -> None:
        if not 1 <= quality <= 100:
            raise ConfigError(f"browser: quality: got {quality}, expected 1 to 100")
        self.newest: Encoded | None = None
        self.take = take
        self._quality = quality

    def write(self, output: Output | None, status: Status) -> None:
        """Encode one picture."""
        if output is None:
            return
        self.newest = Encoded(jpeg(output.pixels, self._quality), output)
        if self.take is not None:
            self.take(self.newest)

    def close(self) -> None:
        """The last picture stays."""


def jpeg(pixels: np.ndarray, quality: int = QUALITY) -> bytes:
    """Encode ``(H, W, 3)`` uint8 RGB."""
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality]
    return cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), settings)[1].tobytes()


class Wanted(NamedTuple):
    """What a specification says of the page; the server takes it from there (``inkstream run``)."""

    quality: int = QUALITY
    port: int | None = None
    host: str | None = None
    share: bool = False
    tls: bool = False


def wanted(spec: Spec) -> Wanted:
    """Read a specification; raises ConfigError."""
    return Wanted(**spec.take(KIND.options))


def open(spec: Spec) -> BrowserSink:
    """``browser`` or ``browser:quality=90``, for a program that shows the pictures itself (``newest``, ``take``).

    Raises ConfigError for what only a server can do.
    """
    asked = wanted(spec)
    if asked != Wanted(asked.quality):
        raise ConfigError(
            f"{spec.text}: got an address, expected quality alone: inkstream run, not a program, serves it"
        )
    return BrowserSink(asked.quality)


KIND = Kind(
    "shows it on the studio's page, in any browser",
    ("browser:", "browser:port=7860,share,tls"),
    {
        "quality": Option(int, "N", "of its pictures, 1 to 100"),
        "port": Option(int, "N", "where it listens; else 7860, or the next that is free"),
        "host": Option(str, "NAME", "listen at this address, or be called by this name"),
        "share": Option(flag, "", "let other devices in: an address with a token, and a QR code"),
        "tls": Option(flag, "", "encrypt, with certificates of your own"),
    },
    Wanted,
)
