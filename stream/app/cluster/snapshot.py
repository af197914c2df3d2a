"""What a drawing's stream is opened with again when its worker is lost: settings, and the newest picture of it."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

from ...base.changing import FIXED
from ...base.config import StreamConfig
from ...base.errors import ConfigError
from ...history.journal import drawn_with
from ..studio.backend import Changed, Rendered, Sketch, Values
from ..studio.settings import values_of


def left_as(values: Values | None, start: StreamConfig, model: str) -> StreamConfig:
    """Settings as a drawing was left, over those that the server was started with; of another model only what belongs
    to who draws.
    """
    if not values:
        return start
    try:
        left = StreamConfig.build(**{**values.get("stream", {}), **{name: getattr(start, name) for name in FIXED}})
        return left if values.get("model") == model else start.changed(**drawn_with(left, {}))
    except ConfigError:  # the worker says it
        return start


class Snapshot:
    """``config`` has everything that was asked for, done or not. Revisions go on where those of the lost worker ended.

    Not for several threads at once.
    """

    def __init__(self, model: str, config: StreamConfig, history: Any = ()) -> None:
        self.config = config
        self.sketch: Sketch | None = None
        self.frozen = False
        self.history = history
        self.said = Changed(values_of(config), 0)
        self.styles: tuple[str, ...] = ()
        self._model = model
        self._asked = 0  # changes that are on their way
        self._base = 0  # added to revisions of the worker

    def left(self) -> dict[str, Any]:
        """Plain values, for ``SessionBackend.open``."""
        return {"model": self._model, "stream": values_of(self.config), "history": self.history}

    def asked(self, changes: Values) -> None:
        """A change was sent."""
        self.config = self.config.changed(**changes)
        self._asked += 1

    def answered(self, made: bool) -> None:
        """A change was made, or refused: then the settings are those that were said last."""
        self._asked = max(0, self._asked - 1)
        if not made and not self._asked:
            self._go_to(self.said.values)

    def changed(self, news: Changed) -> Changed:
        """The worker's settings; returned with a revision that goes on."""
        self.said = replace(news, revision=news.revision + self._base)
        if not self._asked:
            self._go_to(news.values)
        return self.said

    def noted(self) -> Changed:
        """What was asked for, while no worker has the drawing: it is said as it will be."""
        self.said, self._asked = Changed(values_of(self.config), self.said.revision), 0
        return self.said

    def rendered(self, news: Rendered) -> Rendered:
        """A render, with a revision that goes on."""
        return replace(news, settings=news.settings + self._base) if self._base else news

    def moved(self) -> Changed:
        """Another worker opens it, and counts from nothing. Returns what it will open with, which is said."""
        self._base, self._asked = self.said.revision + 1, 0
        self.said = Changed(values_of(self.config), self._base)
        return self.said

    def _go_to(self, values: Values) -> None:
        with contextlib.suppress(ValueError):  # of a worker of another version: what was asked for stays
            self.config = StreamConfig(**values)
