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
    StreamClosed,
    UnsafeWeightsError,
)

if TYPE_CHECKING:
    from .base.config import ControlNetConfig, IPAdapterConfig, RegionConfig, StreamConfig
    from .base.configfile import load_config
    from .base.frame import Frame, Output, Size
    from .base.pixels import as_rgb
    from .loop.stream import Stream
    from .session.session import Session
    from .sinks import Sink, open_sink
    from .sources import Source, open_source

# torch and diffusers take seconds to import, and `inkstream --help` needs neither.
_HOMES = {
    ".base.config": ("ControlNetConfig", "IPAdapterConfig", "RegionConfig", "StreamConfig"),
    ".base.configfile": ("load_config",),
    ".base.frame": ("Frame", "Output", "Size"),
    ".base.pixels": ("as_rgb",),
    ".loop.stream": ("Stream",),
    ".session.session": ("Session",),
    ".sinks": ("Sink", "open_sink"),
    ".sources": ("Source", "open_source"),
}
__all__ = [
    "ConfigError",
    "ControlNetConfig",
    "DataError",
    "EngineError",
    "Frame",
    "FrameError",
    "IPAdapterConfig",
    "InkstreamError",
    "LoraError",
    "MemoryFull",
    "ModelError",
    "Output",
    "RegionConfig",
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
    "StreamClosed",
    "StreamConfig",
    "UnsafeWeightsError",
    "as_rgb",
    "load_config",
    "open_sink",
    "open_source",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home, __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
