"""Streams of drawings in this process: one model, loaded once, and a stream of its own for each drawing.

The streams share the weights, and go through the networks together; each has its own rows, settings and threads.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...base.changing import FIXED
from ...base.config import StreamConfig
from ...base.configfile import RunConfig
from ...base.errors import ConfigError
from ...base.plain import reason
from ...base.progress import Progress
from ...base.signals import left_behind
from ...history.journal import drawn_with
from ..ahead import hurried, imported
from ..opening import Steps
from .backend import Figure, Full, Tell, Values
from .live import Made, Places, StreamSession

log = logging.getLogger(__name__)
Maker = Callable[[StreamConfig, Progress], Made]


class InProcess:
    """See ``backend.SessionBackend``. ``make`` gives a stream with settings, one call at a time; the first may load for
    long. ``most``: drawings at once. ``history``, ``folder``, ``named`` and ``steered`` as for ``live.StreamSession``.
    ``warm``: a stream is always ready for the next drawing, so that it need not be made first.
    """

    renders_drawings, alone = True, False

    def __init__(
        self,
        run: RunConfig,
        make: Maker | None = None,
        *,
        most: int = 8,
        history: float = 0,
        folder: str | Path = "inkstream-output",
        named: tuple[str, ...] = (),
        steered: Places | None = None,
        warm: bool = False,
    ) -> None:
        self.size, self.model = (run.stream.width, run.stream.height), str(run.model)
        self.ready = False
        self._run, self._make = run, make or Loaded(run)
        self._most, self._warm = most, warm
        self._closed = False
        self._session_settings: dict[str, Any] = {"history": history, "folder": folder, "named": named}
        self._session_settings["steered"] = steered
        self._steps = Steps(run)
        self._failed = ""
        self._making = threading.Lock()  # one stream is made at a time
        self._lock = threading.Lock()
        self._spare: Made | None = None  # made at the start, for the first drawing
        self._open: list[StreamSession] = []
        self._started = False
        self._loading: threading.Thread | None = None
        self._loaded = threading.Event()

    def start(self) -> None:
        """Load the model, on a thread of its own; may come twice, and again when it could not be loaded."""
        with self._lock:
            if self._started and not self._failed:
                return
            self._started, self._failed = True, ""
            self._loaded.clear()
            self._steps = Steps(self._run)
            self._loading = threading.Thread(target=self._load, name="inkstream loading", daemon=True)
            self._loading.start()

    def open(self, values: Values | None, tell: Tell, name: str = "") -> StreamSession:
        """A stream for one more drawing; raises Full."""
        self.start()
        with self._lock:
            if len(self._open) >= self._most:
                raise Full(f"all {self._most} places are taken; try again when somebody has left")
            live = StreamSession(
                self._made,
                self._settings(values),
                tell,
                progress=self._progress,
                model=self.model,
                earlier=(values or {}).get("history", ()),
                **self._session_settings,
            )
            self._open.append(live)
        return live

    def leave(self, live: StreamSession) -> None:
        """Close a session and give its place back."""
        with self._lock:
            if live in self._open:
                self._open.remove(live)
        live.close()
        del live
        _let_go()

    def measured(self) -> list[Figure]:
        """Its places."""
        return [Figure("inkstream_slots", {}, self._most)]

    def close(self) -> None:
        """Close all sessions, and what they are made of. What is still being loaded is left behind."""
        if self._loading is not None and self._loading.is_alive():
            left_behind(self._loading)
        with self._lock:
            self._closed = True
            left, self._open = self._open, []
            spare, self._spare = self._spare, None
        for live in left:
            live.close()
        if spare is not None:
            spare.close()

    def loading(self) -> tuple[str, float | None, str]:
        """What is being loaded and which share of it is done; and why nothing could be, else empty."""
        return (*self._progress(), self._failed)

    def _settings(self, values: Values | None) -> StreamConfig:
        """As they were left; of another model only what belongs to who draws."""
        start = self._run.stream
        if not values:
            return start
        try:
            left = StreamConfig.build(**{**values.get("stream", {}), **{name: getattr(start, name) for name in FIXED}})
            if values.get("model") == self.model:
                return left
            return start.changed(**drawn_with(left, {}))
        except ConfigError as error:
            log.warning("settings of a drawing are left out: %s", reason(error))
            return start

    def _load(self) -> None:
        began = time.monotonic()
        try:
            with self._making, hurried():
                spare = self._make(self._run.stream, self._steps)
            config = spare.stream.config
            self.size = (config.width, config.height)
            with self._lock:
                self._spare = spare
            self.ready = True
            self._steps.done()
            log.info("the model was ready after %.1f s", time.monotonic() - began)
        except Exception as error:  # every session is told, and says it to people
            log.warning("%s", reason(error), exc_info=log.isEnabledFor(logging.DEBUG))
            self._failed = reason(error)
        finally:
            self._loaded.set()

    def _made(self, config: StreamConfig) -> Made:
        """The stream that was made at the start, or one more; raises what loading raised."""
        self._loaded.wait()
        if self._failed:
            raise ConfigError(self._failed)
        with self._lock:
            spare, self._spare = self._spare, None
        if self._warm:
            threading.Thread(target=self._refill, name="inkstream spare", daemon=True).start()
        if spare is not None:
            return spare  # whoever gets it changes what is to be different
        with self._making:
            _let_go()  # of those that somebody still held then
            return self._make(config, self._steps)

    def _refill(self) -> None:
        """Have a stream ready for the next drawing."""
        with self._making:
            if self._closed or self._spare is not None:
                return
            try:
                spare = self._make(self._run.stream, self._steps)
            except Exception as error:  # noqa: BLE001 - whoever needs one makes it, and is told
                log.info("no stream is ready for the next drawing: %s", reason(error))
                return
            with self._lock:
                if not self._closed:
                    self._spare = spare
                    return
        spare.close()

    def _progress(self) -> tuple[str, float | None]:
        status = self._steps.status()
        return status.step, status.done


class Loaded:
    """Loads a model with the first call; every further one makes a stream on the same weights."""

    def __init__(self, run: RunConfig) -> None:
        self._run = run
        self._given: Any = None
        self._pool: Any = None  # they go through the networks together

    def __call__(self, config: StreamConfig, progress: Progress) -> Made:
        """Raises what loading raises."""
        imported()
        from ....engines.together import Pool
        from ....lora.load import load_pipeline
        from ...finish.finisher import beside
        from ...loop.stream import Stream

        if self._given is None:
            self._given, self._pool = load_pipeline(self._run.model, config, progress), Pool()
        stream = Stream(self._given, config, progress=progress, pool=self._pool)
        finisher = beside(stream)

        def close() -> None:
            finisher.close()
            stream.close()

        return Made(stream, finisher, close)


def _let_go() -> None:
    """Of streams that were closed: each is a circle of objects with its tensors, and would wait until it is found by
    chance. What was made while the model was loaded is not looked through (``hurried``), so it takes milliseconds.
    """
    gc.collect()
