"""NDI: a source on the network, with alpha, for OBS, vMix, Resolume and video mixers. ``ndi:``, ``ndi:sketch,cut``.

The library is cyndilib (MIT), which brings NDI's own (proprietary, free of charge).
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from ..base.errors import SinkUnavailable
from ..base.frame import Size
from ..base.spec import Kind, Spec
from .shared import NAME, OPTIONS, SharedSink, library


class NdiSink(SharedSink):
    """See ``SharedSink``. Raises SinkUnavailable where cyndilib is missing."""

    def __init__(self, path: str = NAME, fps: float = 30.0, cut: bool = False) -> None:
        library("ndi", "cyndilib.sender")
        super().__init__("ndi", _Port, path, fps, cut)


class _Port:
    def __init__(self, name: str, size: Size, fps: float) -> None:
        sender, frame = library("ndi", "cyndilib.sender"), library("ndi", "cyndilib.video_frame")
        layouts = library("ndi", "cyndilib.wrapper.ndi_structs")
        made = frame.VideoSendFrame()
        made.set_resolution(size.width, size.height)
        made.set_frame_rate(Fraction(fps).limit_denominator(1001))
        made.set_fourcc(layouts.FourCC.RGBA)
        self._sender = sender.Sender(name, clock_video=False)  # the session keeps the time
        self._sender.set_video_frame(made)
        self._sender.open()

    def send(self, pixels: np.ndarray) -> None:
        """Compressed and sent by NDI's own threads."""
        if not self._sender.write_video_async(pixels.reshape(-1)):
            raise SinkUnavailable("ndi: the library took no picture; look for another program with the same NDI name")

    def close(self) -> None:
        self._sender.close()


def open(spec: Spec) -> NdiSink:
    """``ndi:NAME``; options ``path``, ``fps``, ``cut``."""
    return NdiSink(**spec.take(KIND.options))


KIND = Kind(
    "is an NDI source on the network, with alpha (needs inkstream[ndi])",
    ("ndi:", "ndi:sketch,cut"),
    OPTIONS,
    NdiSink,
)
