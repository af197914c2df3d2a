"""Ray in a process of its own, between a page's server and its workers.

Ray ends every program that is connected to it when its head or its node's own part is lost, at once and from C++. The
sockets of people who draw must not be in such a program: here they are on one side of a pipe, and Ray is on the other.
When that one ends, it is begun again, until there is a cluster again.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import pickle
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import Any, NamedTuple, Protocol

from ...base.errors import ConfigError
from ...base.plain import reason
from .link import Link, Lost

log = logging.getLogger(__name__)
PROGRAM = "from inkstream.stream.app.cluster.courier import main; main()"
AGAIN = 1.0  # seconds until it is begun again
JOIN = "join"  # what is called of no worker
ENDS = 10.0  # seconds for it to leave the cluster
ENDED = "cluster: Ray has ended the program that was connected to it"


class Joins(Protocol):
    """How the other process gets to its workers. Crosses to it, and so must be known there by its name."""

    def join(self) -> tuple[str, Sequence[Link]]:
        """Where Ray is, and the workers; raises ConfigError."""
        ...

    def leave(self) -> None:
        """At the end."""
        ...


class _There(NamedTuple):
    """The other process is connected."""

    address: str
    names: tuple[str, ...]


class _Failed(NamedTuple):
    """It is not, and this is why."""

    text: str


class Courier:
    """Workers by a process that is connected to Ray. ``says`` is told each time where it is connected, ``env`` replaces
    its environment.
    """

    def __init__(
        self,
        joins: Joins,
        says: Callable[[str], None] = lambda address: None,
        env: dict[str, str] | None = None,
    ) -> None:
        self._joins, self._says, self._env = joins, says, env
        self._lock = threading.Lock()  # of what is sent, and of what is asked
        self._pipe: Connection | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._asked: dict[int, Callable[[Any], None]] = {}
        self._numbers = itertools.count(1)
        self._first: Future[list[Link]] | None = None
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def links(self) -> Sequence[Link]:
        """The workers; begins the other process where there is none, and returns when it is connected.

        Raises ConfigError; may then be called again.
        """
        with self._lock:
            first = self._first
            if first is None:
                first = self._first = Future()
                self._thread = threading.Thread(target=self._run, args=(first,), name="inkstream courier", daemon=True)
                self._thread.start()
        return first.result()

    def renew(self, joins: Joins) -> Sequence[Link]:
        """Other workers, by the same process; returns them when it has them. Raises Lost, ConfigError."""
        self._joins = joins
        came: Future[Any] = Future()
        self.call("", JOIN, (joins,), came.set_result)
        got = came.result()
        if isinstance(got, Lost):
            raise got
        if isinstance(got, _Failed):
            raise ConfigError(got.text)
        return [CourierLink(self, name) for name in got.names]

    def close(self) -> None:
        """Leave the cluster; one that was begun here ends."""
        self._closed.set()
        with self._lock:
            process, pipe, thread = self._process, self._pipe, self._thread
            self._pipe = None
            if pipe is not None:
                with contextlib.suppress(OSError):  # it has ended already
                    pipe.send_bytes(b"")
        if process is not None:
            try:
                process.wait(ENDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if thread is not None:
            thread.join(ENDS)

    def call(self, name: str, method: str, given: tuple[Any, ...], then: Callable[[Any], None] | None) -> int:
        """Let a method of a worker be called; ``then`` is given what it returned, or Lost, from any thread."""
        with self._lock:
            number = next(self._numbers) if then is not None else 0
            if then is not None:
                self._asked[number] = then
            with contextlib.suppress(OSError):  # it has just ended: the reader says it to all who ask
                if self._pipe is not None:
                    self._pipe.send((number, name, method, given))
                    return number
            self._asked.pop(number, None)
        if then is not None:
            then(Lost(f"{name}: there is no cluster"))
        return number

    def forget(self, number: int) -> None:
        """Nobody waits for an answer any more."""
        with self._lock:
            self._asked.pop(number, None)

    # --- the process

    def _run(self, first: Future[list[Link]]) -> None:
        """Have it, until this is closed; where it does not connect the first time, whoever asked tries again."""
        why = ENDED
        while not self._closed.is_set():
            ours, theirs = socket.socketpair()
            with theirs:
                process = subprocess.Popen(
                    [sys.executable, "-c", PROGRAM, str(theirs.fileno())],
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,  # Ctrl-C is for the page's server, which ends it
                    env=self._env,
                )
            pipe = Connection(ours.detach())
            with self._lock:
                self._process = process
            try:
                why = self._serve(pipe, first)
            finally:
                self._lost()
                pipe.close()
                if not self._closed.is_set():
                    process.kill()
                process.wait()
            if not first.done():
                break
            if not self._closed.wait(AGAIN):
                log.warning("%s; it is connected to again", why)
        if not first.done():
            with self._lock:
                self._first = None
            first.set_exception(ConfigError(why))

    def _serve(self, pipe: Connection, first: Future[list[Link]]) -> str:
        """One life of it; returns why it has ended."""
        with contextlib.suppress(OSError, EOFError):
            pipe.send_bytes(ForkingPickler.dumps(self._joins))
            said = pipe.recv()
            if isinstance(said, _Failed):
                return said.text
            with self._lock:
                if not self._closed.is_set():
                    self._pipe = pipe
            self._says(said.address)
            if not first.done():
                first.set_result([CourierLink(self, name) for name in said.names])
            while True:
                number, got = pipe.recv()
                with self._lock:
                    then = self._asked.pop(number, None)
                if then is not None:
                    then(got)
        return ENDED

    def _lost(self) -> None:
        """Whoever asked is told."""
        with self._lock:
            self._pipe = None
            left, self._asked = self._asked, {}
        for then in left.values():
            then(Lost(ENDED))


class CourierLink:
    """See ``link.Link``."""

    def __init__(self, courier: Courier, name: str) -> None:
        self.name = name
        self._courier = courier

    def ask(self, method: str, *given: Any, within: float) -> Any:
        """What it returns; raises Lost, TimeoutError."""
        came: Future[Any] = Future()
        number = self._courier.call(self.name, method, given, came.set_result)
        try:
            got = came.result(within)
        except TimeoutError:
            self._courier.forget(number)
            raise TimeoutError(f"{self.name}: no answer within {within:g} s") from None
        if isinstance(got, Lost):
            raise got
        return got

    def begin(self, method: str, *given: Any, then: Callable[[Any], None] | None = None) -> None:
        """Returns at once."""
        self._courier.call(self.name, method, given, then)


# --- the other process


def main() -> None:
    """Joins the cluster, and carries calls until the page's server is gone."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # it ends with the pipe
    pipe = Connection(int(sys.argv[1]))
    with contextlib.suppress(EOFError, OSError):  # the page's server is gone
        joins: Joins = pickle.loads(pipe.recv_bytes())  # of the process that began this one
        try:
            address, links = joins.join()
        except ConfigError as error:
            pipe.send(_Failed(reason(error)))
            return
        try:
            pipe.send(_There(address, tuple(link.name for link in links)))
            _carry(pipe, {link.name: link for link in links})
        finally:
            joins.leave()


def _carry(pipe: Connection, links: dict[str, Link]) -> None:
    """Until the pipe ends, or an empty message comes; raises EOFError, OSError."""
    sending = threading.Lock()

    def answer(number: int, got: Any) -> None:
        with sending, contextlib.suppress(OSError):  # nobody hears it any more
            pipe.send((number, got))

    def renew(number: int, joins: Joins) -> None:
        try:
            address, found = joins.join()
        except ConfigError as error:
            answer(number, _Failed(reason(error)))
            return
        links.update({link.name: link for link in found})
        answer(number, _There(address, tuple(link.name for link in found)))

    while data := pipe.recv_bytes():
        number, name, method, given = pickle.loads(data)
        if method == JOIN:  # which may take seconds, and calls go on
            threading.Thread(target=renew, args=(number, *given), daemon=True).start()
            continue
        then = None if not number else lambda got, number=number: answer(number, got)
        links[name].begin(method, *given, then=then)
