"""The stream of one drawing, in this process, with a session of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ...base.config import StreamConfig
from ...base.errors import InkstreamError
from ...base.plain import reason
from ...history.store import HistoryRecorder
from ...session.driver import StreamLike
from ...session.finishing import Finishes
from ...session.session import Session
from ...sources import Source
from .backend import Said, Sketch, Tell, Values
from .steering import Steering


class Made(NamedTuple):
    """A stream for a drawing, and who finishes its pictures."""

    stream: StreamLike
    finisher: Finishes | None = None
    close: Callable[[], None] = lambda: None


class Steered(Protocol):
    """What else steers a drawing's stream, beside its pages: it comes between the session and the stream."""

    def heard(self, stream: StreamLike) -> Any:
        """The stream as the session is to be given it."""
        ...

    def adopt(self, session: Session, stream: StreamLike) -> None:
        """From now on this session runs."""
        ...

    def drawn(self) -> None:
        """Somebody draws, or changes something."""
        ...

    def gone(self) -> None:
        """The drawing is closed."""
        ...


Places = Callable[[Steering, StreamConfig], Steered]


class StreamSession(Steering):
    """``make(config)`` gives the stream, on a thread of its own; it may take its time.

    ``progress``, ``model``, ``folder`` and ``earlier`` as for ``Steering``. ``history``: how many megabytes of the last
    minutes of all sessions are kept (0: none are). ``named`` are settings that were asked for at the start, which
    nothing changes by itself. ``steered`` gives what else steers it.
    """

    def __init__(
        self,
        make: Callable[[StreamConfig], Made],
        config: StreamConfig,
        tell: Tell,
        *,
        progress: Callable[[], tuple[str, float | None]] = lambda: ("", None),
        model: str = "",
        folder: str | Path = "inkstream-output",
        history: float = 0,
        named: tuple[str, ...] = (),
        earlier: Any = (),
        steered: Places | None = None,
    ) -> None:
        self._recorder = HistoryRecorder(limit=history) if history else None
        super().__init__(config, tell, progress=progress, model=model, folder=folder, earlier=earlier)
        self._make, self._named = make, named
        self._made: Made | None = None
        self._run: Session | None = None
        self._closed = False
        self._beginning = threading.Lock()
        self._also = steered(self, config) if steered else None
        threading.Thread(target=self._begin, name="inkstream begin", daemon=True).start()

    def _begin(self) -> None:
        try:
            from ..colours import Colours  # what it takes to look at pictures is not loaded before the page is there

            made = self._make(self._config)
            self._as_left(made.stream)
            with self._beginning:
                if self._closed:
                    made.close()
                    return
                colours = Colours(made.stream.config, self._named)
                heard = self.heard(made.stream)
                session = Session(
                    self._source,
                    self._also.heard(heard) if self._also else heard,
                    [self.sink],
                    on_status=self.look,
                    on_output=[colours.look],
                    history=self._recorder,
                    finisher=made.finisher,
                )
                colours.session, self._made, self._run = session, made, session
                session.start()
            self.adopt(session, made.stream)
            if self._also is not None:
                self._also.adopt(session, made.stream)
        except Exception as error:  # noqa: BLE001 - whatever it is, people are told, and the others go on
            self.fail(reason(error))

    def _as_left(self, stream: StreamLike) -> None:
        """Have its settings before its first picture."""
        changes = stream.config.changes_to(self._config)
        try:
            if changes:
                stream.update(**changes)
        except InkstreamError as error:  # a file that is gone: then as the server was started
            self._config = stream.config
            self._tell(Said(f"the settings of this drawing are left out: {error}"))

    def put(self, sketch: Sketch) -> None:
        """The newest picture of the drawing; raises FrameError."""
        super().put(sketch)
        if self._also is not None:
            self._also.drawn()

    def change(self, patch: Values, done: Callable[[str], None] | None = None) -> None:
        """A merge patch of the settings; raises Refused."""
        super().change(patch, done)
        if self._also is not None:
            self._also.drawn()

    def _source(self) -> Source:
        return self.canvas

    _source.__name__ = "canvas"  # the session calls it by this

    def close(self) -> None:
        """Let go of the stream, within two seconds."""
        with self._beginning:
            self._closed = True
            session, made = self._run, self._made
        if self._also is not None:
            self._also.gone()
        self.canvas.close()
        if session is not None and made is not None:
            try:
                session.stop()
            finally:
                made.close()
        self.end()
        if self._recorder is not None:
            self._recorder.close()
