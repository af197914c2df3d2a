"""The live loop: frames in, finished pictures out.

``from inkstream.stream import Stream, StreamConfig, Session, load_config, open_source, open_sink``
"""

import importlib
from typing import TYPE_CHECKING, Any

from .base.errors import (
    ConfigError,
    DataError,
    EngineError,
    FrameError,
    InkstreamError,
    LoraError,
    MemoryFull,
    ModelError,
    SinkClosed,
    SinkError,
    SinkUnavailable,
    SourceEnded,
    SourceError,
    SourceLost,
    SourceUnavailable,
    UnsafeWeightsError,
)

if TYPE_CHECKING:
    from .base.config import ControlNetConfig, StreamConfig
    from .base.configfile import load_config
    from .base.frame import Frame, Output, Size, as_rgb
    from .loop.stream import Stream
    from .session.session import Session
    from .sinks import Sink, open_sink
    from .sources import Source, open_source

# torch and diffusers take seconds to import, and `inkstream --help` needs neither.
_HOME = {
    "ControlNetConfig": ".base.config",
    "StreamConfig": ".base.config",
    "load_config": ".base.configfile",
    "Frame": ".base.frame",
    "Output": ".base.frame",
    "Size": ".base.frame",
    "as_rgb": ".base.frame",
    "Session": ".session.session",
    "Stream": ".loop.stream",
    "Sink": ".sinks",
    "open_sink": ".sinks",
    "Source": ".sources",
    "open_source": ".sources",
}
__all__ = [
    "ConfigError",
    "ControlNetConfig",
    "DataError",
    "EngineError",
    "Frame",
    "FrameError",
    "InkstreamError",
    "LoraError",
    "MemoryFull",
    "ModelError",
    "Output",
    "Session",
    "Sink",
    "SinkClosed",
    "SinkError",
    "SinkUnavailable",
    "Size",
    "Source",
    "SourceEnded",
    "SourceError",
    "SourceLost",
    "SourceUnavailable",
    "Stream",
    "StreamConfig",
    "UnsafeWeightsError",
    "as_rgb",
    "load_config",
    "open_sink",
    "open_source",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name], __name__), name)
