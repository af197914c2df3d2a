"""A stream whose changes are heard of, whoever makes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...base.config import StreamConfig
from ...base.frame import Frame, Output, Size
from ...base.metrics import Metrics
from ...session.driver import StreamLike


class Heard:
    """A stream in another's place: ``changed(error)`` is called after each change of its settings that was made, or
    tried, with what was wrong (None: nothing), and ``begins(names)`` before one, with the names of the settings; both
    on the thread that changes them.
    """

    def __init__(
        self,
        stream: StreamLike,
        begins: Callable[[frozenset[str]], None],
        changed: Callable[[Exception | None], None],
    ) -> None:
        self._stream = stream
        self._begins, self._changed = begins, changed

    @property
    def metrics(self) -> Metrics:
        return self._stream.metrics

    @metrics.setter
    def metrics(self, metrics: Metrics) -> None:
        self._stream.metrics = metrics

    @property
    def config(self) -> StreamConfig:
        return self._stream.config

    @property
    def revision(self) -> int:
        return self._stream.revision

    @property
    def size(self) -> Size:
        return self._stream.size

    @property
    def pending(self) -> int:
        return self._stream.pending

    @property
    def ready(self) -> int:
        return self._stream.ready

    @property
    def fading(self) -> bool:
        return self._stream.fading

    @property
    def settles(self) -> bool:
        return self._stream.settles

    @property
    def prompts(self) -> Any:
        """What the stream's model makes of words; None where any will do."""
        return getattr(self._stream, "prompts", None)

    def __call__(self, frame: Frame, gated: bool = True) -> Output | None:
        return self._stream(frame, gated)

    def advance(self) -> Output | None:
        return self._stream.advance()

    def settle(self) -> Output | None:
        return self._stream.settle()

    def update(self, **changes: Any) -> int:
        self._begins(frozenset(changes))
        try:
            revision = self._stream.update(**changes)
        except Exception as error:
            self._changed(error)
            raise
        self._changed(None)
        return revision

    def step_down(self) -> str:
        self._begins(frozenset())
        said = self._stream.step_down()
        self._changed(None)
        return said

    def take_back(self) -> str:
        self._begins(frozenset())
        said = self._stream.take_back()
        self._changed(None)
        return said
