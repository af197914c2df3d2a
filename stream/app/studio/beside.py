"""The page beside any other run: ``inkstream run`` with the source ``canvas:`` or the sink ``browser:``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ...base.configfile import RunConfig
from ...base.signals import saving
from ...sinks import check_sink
from ...sinks.browser import Wanted, wanted
from ...sources import Source, check_source
from ..commands.studio import opened, say_where
from ..opening import Opening, Steps
from .backend import Figure, Full, News, Tell, Values
from .serve import Server
from .steering import Steering

FOLDER = Path("inkstream-output")


def unheard(news: News) -> None:
    """Nobody looks at the page."""


class Beside(Steering):
    """The one session of a run, and the backend that gives it to whoever comes: see ``backend.SessionBackend``."""

    alone = True

    def __init__(self, run: RunConfig, canvas: bool, quality: int) -> None:
        self.size, self.model, self.renders_drawings = (run.stream.width, run.stream.height), str(run.model), canvas
        self.steps = Steps(run)
        self.server: Server | None = None
        self._taken = False
        super().__init__(
            run.stream,
            unheard,
            progress=self._steps_now,
            model=self.model,
            folder=FOLDER,
            quality=quality,
        )
        self._drawn = not canvas  # else the pictures come from elsewhere

    @property
    def ready(self) -> bool:
        """Whether the run has its stream."""
        return self._session is not None

    def start(self) -> None:
        """The run loads its model itself."""

    def open(self, values: Values | None, tell: Tell, name: str = "") -> Beside:
        """The session of this run, whatever settings were left; raises Full where it is shown already."""
        if self._taken:
            raise Full("this run has one page's drawing; close the other first")
        self._taken, self._tell = True, tell
        self.introduce()
        return self

    def leave(self, live: Beside) -> None:
        """It goes on, unseen."""
        self._taken, self._tell = False, unheard

    def measured(self) -> list[Figure]:
        """One place."""
        return [Figure("inkstream_slots", {}, 1)]

    def close(self) -> None:
        """What is being saved comes to its end; the session is the run's."""
        self.canvas.close()
        self.end()

    def _steps_now(self) -> tuple[str, float | None]:
        status = self.steps.status()
        return status.step, status.done


@contextmanager
def page_of(opening: Opening, source: str, sinks: Sequence[str], run: RunConfig) -> Iterator[Beside]:
    """The page of a run, served from now on until the end, in the place of its specifications in ``opening``.

    Raises ConfigError.
    """
    specs = [check_sink(each) for each in sinks]
    asked = next((wanted(each) for each in specs if each.kind == "browser"), Wanted())
    beside = Beside(run, check_source(source).kind == "canvas", asked.quality)
    if beside.renders_drawings:
        opening.source = _named(beside.canvas)
    for place, spec in enumerate(specs):
        if spec.kind == "browser":
            opening.sinks[place] = beside.sink
    server = opened(beside, host=asked.host, port=asked.port, share=asked.share, tls=asked.tls, kept=FOLDER)
    beside.server = server
    server.start()
    try:
        say_where(server, asked.share)
        yield beside
    finally:
        with saving():
            server.stop()
            beside.close()


def _named(canvas: Source) -> Callable[[], Source]:
    def first() -> Source:
        return canvas

    first.__name__ = "canvas:"  # the session calls it by this
    return first
