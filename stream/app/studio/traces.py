"""Traces for OpenTelemetry: a span for each picture, from when it came from a page until its render is there.

Where its API is not installed, nothing is done (extra ``traces``). Where spans go is said from outside, by
OpenTelemetry's own program and settings: ``opentelemetry-instrument inkstream studio``.
"""

from __future__ import annotations

import importlib
import time
from functools import cache
from typing import Any

NAME = "inkstream.render"


def rendered(seconds: float, drawing: str, revision: int, size: int) -> None:
    """A picture of ``drawing`` (its tag) has become a render of ``size`` bytes, ``seconds`` after it came."""
    tracer = _tracer()
    if tracer is None:
        return
    end = time.time_ns()
    about = {"inkstream.drawing": drawing, "inkstream.settings": revision, "inkstream.bytes": size}
    tracer.start_span(NAME, start_time=end - int(seconds * 1e9), attributes=about).end(end_time=end)


@cache
def _tracer() -> Any:
    try:
        trace = importlib.import_module("opentelemetry.trace")
    except ImportError:
        return None
    return trace.get_tracer("inkstream")
