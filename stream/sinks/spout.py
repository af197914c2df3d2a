"""Spout: a picture for other programs on the same Windows computer, with alpha. ``spout:``, ``spout:sketch,cut``.

The library is SpoutGL (BSD). Written against its source and the Spout SDK's documentation; unverified on Windows.
"""

from __future__ import annotations

import numpy as np

from ..base.errors import SinkUnavailable
from ..base.frame import Size
from ..base.spec import Kind, Spec
from .shared import NAME, OPTIONS, SharedSink, library

RGBA = 0x1908  # GL_RGBA


class SpoutSink(SharedSink):
    """See ``SharedSink``. Raises SinkUnavailable where it is not Windows, or SpoutGL is missing."""

    def __init__(self, path: str = NAME, fps: float = 60.0, cut: bool = False) -> None:
        _library()
        super().__init__("spout", _Port, path, fps, cut)


class _Port:
    """Made and used on one thread, to which its OpenGL belongs."""

    def __init__(self, name: str, size: Size, fps: float) -> None:
        self._sender = _library().SpoutSender()
        self._size, self._name = size, name
        if not self._sender.createOpenGL():
            raise SinkUnavailable("spout: no OpenGL could be made; update the graphics driver")
        self._sender.setSenderName(name)

    def send(self, pixels: np.ndarray) -> None:
        """Copied to the graphics card."""
        if not self._sender.sendImage(pixels, self._size.width, self._size.height, RGBA, False, 0):
            raise SinkUnavailable("spout: the picture could not be shared; update the graphics driver")
        self._sender.setFrameSync(self._name)

    def close(self) -> None:
        self._sender.releaseSender()
        self._sender.closeOpenGL()


def _library():
    return library("spout", "SpoutGL", "win32", "Windows")


def open(spec: Spec) -> SpoutSink:
    """``spout:NAME``; options ``path``, ``fps``, ``cut``."""
    return SpoutSink(**spec.take(KIND.options))


KIND = Kind(
    "is a Spout sender for programs on this Windows computer, with alpha (needs inkstream[spout])",
    ("spout:", "spout:sketch,cut"),
    OPTIONS,
    SpoutSink,
)
