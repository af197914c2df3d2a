"""Syphon: a picture for other programs on the same Mac, with alpha. ``syphon:``, ``syphon:sketch,cut``.

The library is syphon-python (MIT), on Metal. Written against its source; unverified on a Mac. Other programs find a
server only while Cocoa's events are looked at on the main thread, so that is where it is served.
"""

from __future__ import annotations

import numpy as np

from ..base.frame import Size
from ..base.spec import Kind, Spec
from .shared import NAME, OPTIONS, SharedSink, library

EVENTS = 0.001  # seconds that a look at Cocoa's events may take


class SyphonSink(SharedSink):
    """See ``SharedSink``. Raises SinkUnavailable where it is no Mac, or syphon-python is missing."""

    def __init__(self, path: str = NAME, fps: float = 60.0, cut: bool = False) -> None:
        _library("syphon")
        super().__init__("syphon", _Port, path, fps, cut, on_main_thread=True)


class _Port:
    def __init__(self, name: str, size: Size, fps: float) -> None:
        syphon = _library("syphon")
        self._copy = _library("syphon.utils.numpy").copy_image_to_mtl_texture
        self._server = syphon.SyphonMetalServer(name)
        self._directory = syphon.SyphonServerDirectory()
        self._directory.run_loop_interval = EVENTS
        self._texture = _library("syphon.utils.raw").create_mtl_texture(self._server.device, size.width, size.height)

    def send(self, pixels: np.ndarray) -> None:
        """Copied to the graphics card."""
        self._copy(pixels, self._texture)
        self._server.publish_frame_texture(self._texture)
        self._directory.update_run_loop()

    def close(self) -> None:
        self._directory.close()
        self._server.stop()


def _library(module: str):
    return library("syphon", module, "darwin", "macOS")


def open(spec: Spec) -> SyphonSink:
    """``syphon:NAME``; options ``path``, ``fps``, ``cut``."""
    return SyphonSink(**spec.take(KIND.options))


KIND = Kind(
    "is a Syphon server for programs on this Mac, with alpha (needs inkstream[syphon])",
    ("syphon:", "syphon:sketch,cut"),
    OPTIONS,
    SyphonSink,
)
