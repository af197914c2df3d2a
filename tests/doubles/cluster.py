"""Workers in this process, which can be killed, and pretend models for workers that are processes of their own."""

import contextlib
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from doubles.studio import HERE, WITHIN, fake_maker, run_config
from inkstream.stream.app.cluster.gateway import Gateway
from inkstream.stream.app.cluster.host import Host
from inkstream.stream.app.cluster.link import Lost
from inkstream.stream.app.studio.inprocess import InProcess
from inkstream.stream.app.studio.serve import Server, bound
from inkstream.stream.base.errors import ConfigError


def until(condition, within=WITHIN):
    """Wait until it is true."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.005)


class Near:
    """A link to a ``Host`` in this process. ``kill`` ends it without a word, ``revive`` starts it anew."""

    def __init__(self, name, slots=4, maker=None, run=None):
        self.name, self.slots, self.alive, self.mute = name, slots, False, threading.Event()
        self._maker, self._run = maker or fake_maker(), run or run_config()
        self._pool = ThreadPoolExecutor(16, name)
        self._orders = queue.Queue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        self.revive()

    def revive(self):
        """A new process, so to say."""
        backend = InProcess(self._run, self._maker, most=64)
        self.host, self.alive = Host(backend, lambda: (self.slots, 100.0)), True
        self.backend = backend

    @property
    def taken(self):
        """How many drawings it has."""
        return self.host.hello().taken

    def kill(self):
        """What it knew is gone."""
        self.alive = False
        self.backend.close()

    def ask(self, method, *given, within):
        """See ``link.Link``."""
        if not self.alive:
            raise Lost(f"{self.name}: killed")
        host = self.host
        if self.mute.is_set():
            time.sleep(min(within, 0.05))
            raise TimeoutError
        got = self._pool.submit(getattr(host, method), *given).result(within)
        if not self.alive or host is not self.host:
            raise Lost(f"{self.name}: killed")
        return got

    def begin(self, method, *given, then=None):
        self._orders.put((method, given, then))

    def _work(self):
        while (order := self._orders.get()) is not None:
            method, given, then = order
            try:
                got = self.ask(method, *given, within=WITHIN)
            except (Lost, TimeoutError) as error:
                got = error if isinstance(error, Lost) else Lost("mute")
            if then is not None:
                then(got)

    def close(self):
        self._orders.put(None)
        self._thread.join(WITHIN)
        if self.alive:
            self.kill()
        self._pool.shutdown()


@contextlib.contextmanager
def gateway(*workers, **options):
    """A gateway before them that is ready."""
    made = Gateway(run_config(), lambda: workers, **{"spare": 0, "silence": 1.0, **options})
    made.start()
    try:
        until(lambda: made.ready)
        yield made
    finally:
        made.close()
        for worker in workers:
            worker.close()


@contextlib.contextmanager
def page_of(backend, folder, **more):
    """A page before a backend."""
    places = {"folder": folder / "drawings", "kept": folder / "kept"}
    server = Server(backend, bound("127.0.0.1", 0), hosts=HERE, **places, **more)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Pretend(NamedTuple):
    """A maker of pretend streams that other processes know by its name."""

    delay: float

    def __call__(self, config, progress):
        return fake_maker(self.delay)(config, progress)


class Elsewhere(NamedTuple):
    """Workers in the courier's process, see ``courier.Joins``. Where ``missing`` is a file there is no cluster."""

    missing: str
    names: tuple[str, ...] = ("a",)

    def join(self):
        if Path(self.missing).exists():
            raise ConfigError("cluster: nothing answers at all")
        return "nowhere:1", [Near(name) for name in self.names]

    def leave(self):
        pass
