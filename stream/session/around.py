"""A stream in front of another one, of which it changes a part."""

from __future__ import annotations

from typing import Any

from ..base.frame import Frame, Output
from ..base.metrics import Metrics
from .driver import StreamLike

_Stream: Any = object  # so that a type checker, which does not count ``__getattr__``, takes it for any stream


class Around(_Stream):
    """Everything is the other stream's, also what a session will ask of streams one day.

    Subclasses change ``__call__``. The session's metrics go to the stream that renders.
    """

    def __init__(self, stream: StreamLike) -> None:
        self._stream = stream

    def __call__(self, frame: Frame, gated: bool = True) -> Output | None:
        return self._stream(frame, gated)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def metrics(self) -> Metrics:
        return self._stream.metrics

    @metrics.setter
    def metrics(self, metrics: Metrics) -> None:
        self._stream.metrics = metrics
