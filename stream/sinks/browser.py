"""Pictures for browsers: each is encoded once, whoever looks on. The studio's server shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from ..base.errors import ConfigError
from ..base.frame import Output
from ..base.spec import Kind, Option, Spec
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


def open(spec: Spec) -> BrowserSink:
    """``browser`` or ``browser:quality=90``."""
    return BrowserSink(**spec.take(KIND.options))


KIND = Kind(
    "shows it on the studio's page, in any browser",
    ("browser:", "browser:quality=90"),
    {"quality": Option(int, "N", "of its pictures, 1 to 100")},
    BrowserSink,
)
