"""Containers of recordings, the encoders that each may hold, and how those are set."""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..base.errors import ConfigError

TICK = Fraction(1, 60000)  # seconds; divides 24, 25, 30 and 60 fps, and MPEG-4 takes no finer one
BT709, BT601 = 1, 6  # codes of matrix, primaries and transfer in ITU-T H.273


@dataclass(frozen=True)
class Container:
    format: str
    codecs: tuple[str, ...]
    options: dict[str, str]


_FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "frag_duration": "490000"}  # us
_CLUSTERS = {"cluster_time_limit": "490"}  # ms
CONTAINERS = {
    ".mp4": Container("mp4", ("libx264", "mpeg4"), _FRAGMENTS),
    ".mov": Container("mov", ("libx264", "mpeg4"), _FRAGMENTS),
    ".mkv": Container("matroska", ("libx264", "mpeg4"), _CLUSTERS),
    ".webm": Container("webm", ("libvpx-vp9", "libvpx"), _CLUSTERS),
}


def choose_codec(kind: Container, named: str | None) -> str:
    """The named encoder, else the first one of the container that PyAV was built with."""
    import av

    reasons = []
    for name in [named] if named else kind.codecs:
        try:
            with av.open(io.BytesIO(), "w", format=kind.format) as container:
                stream = container.add_stream(name, rate=30)
            if stream.type == "video":
                return name
            reasons.append(f"{name} is not for video")
        except ValueError as error:  # unknown to this build, or not for this container
            reasons.append(f"{name}: {error}")
    raise ConfigError(
        f"video: no encoder for {kind.format} ({'; '.join(reasons)}); "
        f"leave codec out or give one of: {', '.join(kind.codecs)}"
    )


def set_quality(context: Any, codec: str, crf: int, pixels_per_second: float) -> None:
    if codec == "libx264":
        context.options = {"preset": "veryfast", "tune": "zerolatency", "crf": str(crf), "forced-idr": "1"}
    elif codec == "mpeg4":
        context.qmin = context.qmax = max(2, round(crf / 5))
    elif codec in ("libvpx-vp9", "libvpx"):
        context.bit_rate = 0 if codec == "libvpx-vp9" else round(pixels_per_second * 0.3)
        quality = str(round(crf * 63 / 51))
        context.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "crf": quality}
    else:
        context.bit_rate = round(pixels_per_second * 0.2)
