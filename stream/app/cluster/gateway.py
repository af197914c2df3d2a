"""Streams of drawings at workers: the gateway places them, hears of them, and places them again."""

from __future__ import annotations

import itertools
import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from ...base.configfile import RunConfig
from ...base.errors import InkstreamError
from ...base.plain import reason
from ..studio.backend import Figure, Full, Tell, Values
from .far import FarSession
from .growth import Grows
from .host import Answer, Bundle, Hello
from .link import Link, Lost
from .seen import Seen
from .slots import Ledger, Queue
from .snapshot import Snapshot, left_as

log = logging.getLogger(__name__)
WAIT = 0.5  # seconds that a worker waits for news before it says that there is none
SEEK = 2.0  # seconds between looks for a cluster that is not there
LOOK = 1.0  # seconds between looks at how many workers there should be
AGAIN = 0.1  # seconds between looks for a worker that is not there
LATE = "another worker takes this drawing over"
STARTING = "the workers are being started"


class Gateway:
    """See ``backend.SessionBackend``. ``links()`` gives the workers, on a thread of its own, and may take its time.

    ``spare`` workers' worth of places is kept for drawings whose worker is lost. A worker that says nothing for
    ``silence`` seconds is lost. ``sessions``: drawings at once, whatever there are places for. ``end`` is called when
    this is closed. ``grows``: there are more workers while they are needed.
    """

    renders_drawings, alone = True, False

    def __init__(
        self,
        run: RunConfig,
        links: Callable[[], Sequence[Link]],
        *,
        spare: int = 1,
        sessions: int = 64,
        silence: float = 3.0,
        end: Callable[[], None] = lambda: None,
        grows: Grows | None = None,
    ) -> None:
        self.size, self.model = (run.stream.width, run.stream.height), str(run.model)
        self.ready = False
        self.name = secrets.token_hex(4)
        self._run, self._links, self._most, self._silence = run, links, sessions, silence
        self._end, self._grows = end, grows
        self._lock = threading.RLock()
        self._ledger, self._queue, self._seen = Ledger(spare), Queue(), Seen()
        self._open: dict[str, FarSession] = {}  # by key, those that have a worker
        self._waiting: list[tuple[FarSession, bool]] = []  # for one, the first first; whether it had one before
        self._by_name: dict[str, Link] = {}
        self._numbers = itertools.count()
        self._started = False
        self._why = STARTING  # what those wait for who have no worker
        self._closed = threading.Event()
        self._threads: list[threading.Thread] = []

    # --- for the studio

    def start(self) -> None:
        """Look for the workers, on a thread of its own; may come twice."""
        with self._lock:
            if self._started or self._closed.is_set():
                return
            self._started = True
        self._thread(self._find, "inkstream workers")

    def open(self, values: Values | None, tell: Tell, name: str = "") -> FarSession:
        """A place for one more drawing; raises Full, with how many wait before it."""
        self.start()
        with self._lock:
            self._refuse(tell)
            history = (values or {}).get("history", ())
            config = left_as(values, self._run.stream, self.model)
            session = FarSession(Snapshot(self.model, config, history), tell, name)
            if not self._place(session, again=False):
                self._wait(session, self._why, had=False)
        return session

    def leave(self, live: FarSession) -> None:
        """Close a session and give its place back."""
        with self._lock:
            link, key = live.link, live.key
            self._waiting = [each for each in self._waiting if each[0] is not live]
            if self._open.pop(key, None) is not None and link is not None:
                link.begin("leave", key)
                self._ledger.give(link.name)
                self._queue.gave_back(time.monotonic())
            self._serve()

    def measured(self) -> list[Figure]:
        """Places, who waits for one, and every worker."""
        with self._lock:
            slots = min(self._most, self._ledger.slots) if self.ready else 0
            queue = self._queue.count(time.monotonic())
            about = {"inkstream_slots": slots, "inkstream_queue": queue, "inkstream_waiting": len(self._waiting)}
            own = [Figure(name, {}, value) for name, value in about.items()]
            return own + self._seen.figures(self._ledger.workers)

    def close(self) -> None:
        """Leave all workers; they go on for others."""
        self._closed.set()
        with self._lock:
            for key, session in self._open.items():
                if session.link is not None:
                    session.link.begin("leave", key)
            self._open.clear()
            self._waiting.clear()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(2 * WAIT)
        self._end()

    # --- places

    def _refuse(self, who: Tell) -> None:
        """Raises Full where there is no place, or others have waited longer for it."""
        now, taken = time.monotonic(), len(self._open) + len(self._waiting)
        free = self._most - taken
        if self.ready:
            free = min(free, self._ledger.open - len(self._waiting))
        position = self._queue.turn(who, max(0, free), now)
        if not position:
            return
        seconds = self._queue.estimate(position, now)
        when = "nobody can say yet when" if seconds is None else f"in about {_spoken(seconds)}"
        places = min(self._most, self._ledger.slots) if self.ready else self._most
        self._seen.refused += 1
        raise Full(f"all {places} places are taken; you are number {position} in the queue, {when} one gets free")

    def _place(self, session: FarSession, again: bool) -> bool:
        """Give it to a worker; False: none has a place. ``again``: it had one before."""
        name = self._ledger.take(again)
        if name is None:
            return False
        key = f"{self.name}/{next(self._numbers)}"
        self._open[key] = session
        log.info("a drawing is placed", extra={"drawing": session.name, "worker": name, "key": key})
        session.placed(self._by_name[name], key, lambda answer: self._opened(key, answer))
        return True

    def _move(self, session: FarSession, why: str) -> None:
        """Its worker has it no more."""
        self._seen.moved += 1
        log.info("a drawing has no worker", extra={"drawing": session.name, "key": session.key, "why": why})
        session.moved(why)

    def _wait(self, session: FarSession, why: str, had: bool) -> None:
        self._waiting.append((session, had))
        session.waits(why)

    def _opened(self, key: str, answer: Any) -> None:
        """A worker has opened a drawing, or not: then it waits for another. What a lost one had is moved elsewhere."""
        if not isinstance(answer, Answer) or not answer.kind:
            return
        log.warning("a worker did not take a drawing: %s", answer.text)
        with self._lock:
            session = self._open.pop(key, None)
            if session is not None and session.link is not None:
                self._ledger.give(session.link.name)
                self._move(session, answer.text)
                self._waiting.append((session, True))

    def _serve(self) -> None:
        """Those who wait get what is free."""
        self._waiting = [each for each in self._waiting if not self._place(*each)]

    # --- workers

    def _find(self) -> None:
        said = ""
        while not self._closed.is_set():
            try:
                links = list(self._links())
                break
            except Exception as error:  # whatever it is, everybody who draws is told
                if reason(error) != said:
                    log.warning("%s", reason(error), exc_info=log.isEnabledFor(logging.DEBUG))
                said = self._why = reason(error)
                with self._lock:
                    for session, _ in self._waiting:
                        session.waits(said)
                self._closed.wait(SEEK)
        else:
            return
        self._why = STARTING
        self._meet(links)
        if (grows := self._grows) is not None:
            self._thread(lambda: self._grow(grows), "inkstream growth")

    def _meet(self, links: Sequence[Link]) -> None:
        """These are the workers; those that are new are followed."""
        with self._lock:
            before, self._by_name = self._by_name, {each.name: self._by_name.get(each.name, each) for each in links}
        for name, link in self._by_name.items():
            if name not in before:
                self._thread(lambda link=link: self._follow(link), f"inkstream {name}")

    def _grow(self, grows: Grows) -> None:
        """Have as many workers as are wanted, until this is closed; those that end are empty first."""
        while not self._closed.wait(LOOK):
            with self._lock:
                now, places = time.monotonic(), self._ledger.workers
                waiting = self._queue.count(now) + len(self._waiting)
                wanted = grows.growth.wanted(places, waiting, now)
                if wanted == len(self._by_name):
                    continue
                going = [link for link in [*self._by_name.values()][wanted:] if link.name in places]
                for link in going:
                    if not places[link.name].draining:
                        places[link.name].draining = True
                        link.begin("drain")
                if any(places[link.name].mine + places[link.name].others for link in going):
                    continue
            log.info("there are to be %d workers", wanted)
            try:
                self._meet(grows.resize(wanted))
            except InkstreamError as error:  # it is tried again
                log.warning("the number of workers stays: %s", reason(error))
                continue
            with self._lock:
                for link in going:
                    self._ledger.lost(link.name)
                    self._seen.forget(link.name)

    def _follow(self, link: Link) -> None:
        """Hear what a worker says, until this is closed; while it is lost, look for it."""
        incarnation = ""
        while not self._closed.is_set() and self._by_name.get(link.name) is link:
            try:
                if not incarnation:
                    hello: Hello = link.ask("hello", within=self._silence)
                    if not hello.ready or hello.draining:
                        self._loads(hello)
                        self._closed.wait(AGAIN)
                        continue
                    link.begin("forget", self.name)  # what it still has of ours was placed elsewhere
                    self._joined(link, hello)
                    incarnation = hello.incarnation
                bundle: Bundle = link.ask("news", self.name, WAIT, within=WAIT + self._silence)
                same = bundle.incarnation == incarnation
                if same:
                    self._hear(link, bundle)
            except (Lost, TimeoutError) as error:
                log.debug("%s: %s", link.name, reason(error))
                same = not incarnation or link.name not in self._by_name
            if not same:
                incarnation = ""
                self._lost(link)
                self._closed.wait(AGAIN)
            elif not incarnation:
                self._closed.wait(AGAIN)

    def _loads(self, hello: Hello) -> None:
        """A worker is on its way: those who wait see how far."""
        step = hello.failed or hello.progress[0]
        with self._lock:
            for session, _ in self._waiting if not self.ready and step else ():
                session.waits(step)

    def _joined(self, link: Link, hello: Hello) -> None:
        log.info("%s: %d places, %.1f pictures a second", link.name, hello.slots, hello.fps)
        with self._lock:
            self.size, self.ready = hello.size, True
            self._ledger.joined(link.name, hello.slots)
            self._seen.joined(link.name, hello)
            self._serve()

    def _lost(self, link: Link) -> None:
        log.warning("%s is lost; its drawings go to others", link.name)
        with self._lock:
            self._ledger.lost(link.name)
            self._seen.gone(link.name)
            self.ready = bool(self._ledger.workers)
            moving = [key for key, session in self._open.items() if session.link is link]
            for session in [self._open.pop(key) for key in moving]:
                self._move(session, LATE)
                if not self._place(session, again=True):
                    self._wait(session, LATE, had=True)

    def _hear(self, link: Link, bundle: Bundle) -> None:
        for key, news in bundle.news:
            session = self._open.get(key)
            if session is not None:
                session.hear(news)
        for key, state in bundle.states.items():
            session = self._open.get(key)
            if session is not None:
                session.known(state)
        with self._lock:
            self._seen.heard(link.name, bundle)
            place = self._ledger.workers.get(link.name)
            if place is not None:
                if bundle.states:
                    place.others = max(0, bundle.taken - len(bundle.states))
                if bundle.draining and not place.draining:
                    place.draining = True
                if place.draining:
                    self._drain(link)
            self._serve()

    def _drain(self, link: Link) -> None:
        """Take drawings away from a worker, as far as others have places."""
        for key, session in [each for each in self._open.items() if each[1].link is link]:
            if not self._ledger.has_place:
                return
            del self._open[key]
            self._move(session, LATE)
            self._place(session, again=True)
            link.begin("leave", key)
            self._ledger.give(link.name)

    def _thread(self, work: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()


def _spoken(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
