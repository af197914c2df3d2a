"""The live loop: frames in, finished pictures out.

``from inkstream.stream import Stream, StreamConfig, Session, open_source, open_sink``
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base.config import ControlNetConfig, StreamConfig
    from .base.frame import Frame, Output, Size
    from .loop.stream import Stream
    from .session.session import Session
    from .sinks import open_sink
    from .sources import open_source

# torch and diffusers take seconds to import, and `inkstream --help` needs neither.
_HOME = {
    "ControlNetConfig": ".base.config",
    "StreamConfig": ".base.config",
    "Frame": ".base.frame",
    "Output": ".base.frame",
    "Size": ".base.frame",
    "Session": ".session.session",
    "Stream": ".loop.stream",
    "open_sink": ".sinks",
    "open_source": ".sources",
}
__all__ = [
    "ControlNetConfig",
    "Frame",
    "Output",
    "Session",
    "Size",
    "Stream",
    "StreamConfig",
    "open_sink",
    "open_source",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name], __name__), name)
