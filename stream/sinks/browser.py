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

QUALITY = 85
AT_REST = 96  # the quality of a picture that stays: nobody waits for it


class Encoded(NamedTuple):
    """A picture as JPEG, and what it is of."""

    jpeg: bytes
    output: Output


class BrowserSink:
    """Encodes every picture and hands it to ``take``, which is called on the sink's thread and must return at once.

    A picture that stays is given once more, in a quality in which nothing is seen of JPEG. ``newest`` is the last one.
    ``quality`` of pictures that come fast, 1 to 100.
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
        self._at_its_best = True  # the newest, or there is none

    def write(self, output: Output | None, status: Status) -> None:
        """Encode one picture."""
        if output is None:
            return
        self._at_its_best = False
        self._give(Encoded(jpeg(output.pixels, self._quality), output))

    def at_rest(self, now: float) -> None:
        """No newer picture comes."""
        if self.newest is not None and not self._at_its_best:
            self._at_its_best = True
            self._give(Encoded(jpeg(self.newest.output.pixels, AT_REST), self.newest.output))

    def _give(self, encoded: Encoded) -> None:
        self.newest = encoded
        if self.take is not None:
            self.take(encoded)

    def close(self) -> None:
        """The last picture stays."""


def jpeg(pixels: np.ndarray, quality: int = QUALITY) -> bytes:
    """Encode ``(H, W, 3)`` uint8 RGB; from 90 on colours are as fine as brightness."""
    sampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444 if quality >= 90 else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
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
