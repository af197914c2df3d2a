"""A worker: one model, and the streams of several drawings, for gateways that ask from afar."""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...base.errors import FrameError, InkstreamError
from ...base.plain import reason
from ..studio.backend import Doing, LiveSession, News, NotNow, Rendered, SessionBackend, Sketch, Values
from ..studio.settings import Refused
from .measuring import free_memory, used_memory

log = logging.getLogger(__name__)
SAID = 1.0  # seconds after which it is said again how all drawings are doing
LATE = 2.0  # seconds for a drawing to be opened, by a call that came before this one
GONE = 30.0  # seconds after which a gateway that asks for nothing is gone


class Answer(NamedTuple):
    """What a call gave, or why not: errors cross as texts, so that they look the same on the other side."""

    value: Any = None
    kind: str = ""
    """Of the error; empty: there is none."""
    code: str = ""
    text: str = ""
    field: str = ""


class State(NamedTuple):
    """What is known of a drawing at the worker without asking for it."""

    doing: Doing
    history: Any
    figures: dict[str, Any]


class Hello(NamedTuple):
    """What a worker is."""

    incarnation: str
    """Another one after every start."""
    ready: bool
    failed: str
    size: tuple[int, int]
    slots: int
    fps: float
    process: int
    progress: tuple[str, float | None]
    taken: int
    draining: bool


class Bundle(NamedTuple):
    """What has happened since a gateway asked last."""

    incarnation: str
    news: list[tuple[str, News | Answer]]
    """An Answer is that of a change."""
    states: dict[str, State]
    """Of the gateway's drawings, every second."""
    taken: int
    """Places, by drawings of all gateways."""
    draining: bool
    """It takes no new drawings, and those that it has are to go elsewhere."""
    memory: tuple[int, int] | None = None
    """Bytes that it has, and that are free; with ``states``."""


@dataclass
class _Box:
    """News for one gateway: everything in order, and of renders the newest of each drawing."""

    texts: list[tuple[str, Any]] = field(default_factory=list)
    renders: dict[str, Rendered] = field(default_factory=dict)
    said: float = 0.0
    asked: float = 0.0


class Host:
    """Runs in a process of its own; methods are called by several threads. Keys of drawings begin with the gateway's
    name and a slash. ``slots()`` says, once the backend is ready, how many it takes and how fast it is.
    """

    def __init__(
        self,
        backend: SessionBackend,
        slots: Callable[[], tuple[int, float]],
        doing: Callable[[], tuple[str, float | None, str]] = lambda: ("", None, ""),
    ) -> None:
        self._backend, self._slots, self._doing = backend, slots, doing
        self._incarnation = secrets.token_hex(8)
        self._draining = False
        self._lives: dict[str, LiveSession] = {}
        self._names: dict[str, str] = {}  # of drawings, in logs
        self._boxes: dict[str, _Box] = {}
        self._something = threading.Condition()
        backend.start()

    def hello(self) -> Hello:
        """What it is; returns at once."""
        slots, fps = self._slots() if self._backend.ready else (0, 0.0)
        step, done, failed = self._doing()
        ready, size = self._backend.ready, self._backend.size
        known = (size, slots, fps, os.getpid(), (step, done), len(self._lives), self._draining)
        return Hello(self._incarnation, ready, failed, *known)

    def drain(self) -> None:
        """Take no more drawings; gateways take away those that are here."""
        self._draining = True

    def forget(self, gateway: str) -> None:
        """Close all drawings of a gateway."""
        with self._something:
            keys = [key for key in self._lives if key.partition("/")[0] == gateway]
            self._boxes.pop(gateway, None)
        for key in keys:
            self.leave(key)

    def open(
        self, key: str, values: Values | None, sketch: Sketch | None = None, frozen: bool = False, name: str = ""
    ) -> Answer:
        """A stream for a drawing, with the newest picture of it where there is one; ``name`` is what logs call it."""
        with self._something:
            if self._draining or len(self._lives) >= self._slots()[0]:
                return Answer(kind="Full", text="all places of this worker are taken")
        try:
            live = self._backend.open(values, lambda news: self._tell(key, news), name)
        except InkstreamError as error:
            log.warning("a drawing is not taken: %s", reason(error), extra={"drawing": name, "key": key})
            return Answer(kind=type(error).__name__, text=reason(error))
        log.info("a drawing is taken", extra={"drawing": name, "key": key})
        with self._something:
            self._lives[key], self._names[key] = live, name
            self._something.notify_all()
        if sketch is not None:
            self.ask(key, "put", sketch)
        if frozen:
            live.freeze(True)
        return Answer()

    def ask(self, key: str, what: str, *given: Any) -> Answer:
        """Call a method of a drawing's stream."""
        try:
            return Answer(getattr(self._live(key), what)(*given))
        except NotNow as error:
            return Answer(kind="NotNow", code=error.code, text=str(error))
        except Refused as error:
            return Answer(kind="Refused", code=error.code, text=str(error), field=error.field)
        except FrameError as error:
            return Answer(kind="FrameError", text=str(error))
        except (InkstreamError, OSError) as error:
            return Answer(kind="InkstreamError", text=reason(error))

    def change(self, key: str, number: int, patch: Values) -> None:
        """A merge patch of the settings; an Answer with this number as its value comes among the news."""

        def done(why: str) -> None:
            self._tell(key, Answer(number, "Refused" if why else "", "setting", why))

        try:
            self._live(key).change(patch, done)
        except InkstreamError as error:
            done(str(error))

    def leave(self, key: str) -> None:
        """Close a drawing's stream, on a thread of its own; its place is free at once."""
        with self._something:
            live, name = self._lives.pop(key, None), self._names.pop(key, "")
        if live is not None:
            log.info("a drawing is let go of", extra={"drawing": name, "key": key})
            threading.Thread(target=self._backend.leave, args=(live,), name="inkstream leaving", daemon=True).start()

    def news(self, gateway: str, wait: float) -> Bundle:
        """What has happened since the gateway asked last: at once where there is something, or within ``wait``
        seconds.
        """
        with self._something:
            box = self._boxes.setdefault(gateway, _Box())
            box.asked = time.monotonic()
            self._something.wait_for(lambda: box.texts or box.renders, wait)
            news = [*box.texts, *box.renders.items()]
            box.texts, box.renders = [], {}
            now = box.asked = time.monotonic()
            due = now - box.said >= SAID
            if due:
                box.said = now
            mine = {key: live for key, live in self._lives.items() if due and key.startswith(f"{gateway}/")}
            taken = len(self._lives)
        states = {key: _state(live) for key, live in mine.items()}
        memory = None
        if due:
            memory = used_memory(), free_memory()
            self._sweep(now)
        return Bundle(self._incarnation, news, states, taken, self._draining, memory)

    def close(self) -> None:
        """Close everything."""
        self._backend.close()

    def _live(self, key: str) -> LiveSession:
        with self._something:
            if not self._something.wait_for(lambda: key in self._lives, LATE):
                raise NotNow("loading", "the drawing is being opened at a worker; try again in a moment")
            return self._lives[key]

    def _tell(self, key: str, news: News | Answer) -> None:
        with self._something:
            box = self._boxes.setdefault(key.partition("/")[0], _Box(asked=time.monotonic()))
            if isinstance(news, Rendered):
                box.renders[key] = news
            else:
                box.texts.append((key, news))
            self._something.notify_all()

    def _sweep(self, now: float) -> None:
        """Let go of drawings whose gateway is gone."""
        with self._something:
            gone = [name for name, box in self._boxes.items() if now - box.asked > GONE]
            keys = [key for key in self._lives if key.partition("/")[0] in gone]
            for name in gone:
                del self._boxes[name]
        for key in keys:
            self.leave(key)


def _state(live: LiveSession) -> State:
    left = live.left()
    return State(live.doing(), left.get("history", ()), live.figures())
