"""Faults at random, by a seed, and what they cost those who draw."""

import contextlib
import os
import random
import signal
import statistics
import threading
import time
from collections import defaultdict

import httpx2
import psutil

from doubles.bots import Bot
from doubles.cluster import until

INSIDE = 0.15  # seconds after a fault in which pictures may still come that were on their way
WHOLE = 400.0  # seconds for everything to be there again
CUT, REMOVED = 5.0, 5.0  # seconds
SETTLED = 20.0  # seconds after which what a process holds is compared


class Chaos:
    """Bots before two servers of pages, workers on ``nodes``. ``fault`` breaks one, and waits until all is well.

    ``costs`` has, for each kind of fault, the longest time in seconds between two pictures of any bot.
    """

    def __init__(self, nodes, servers, seed):
        self.nodes, self.servers = nodes, servers
        self.bots = []
        self.costs = defaultdict(list)
        self._random = random.Random(seed)
        self._rss = defaultdict(list)  # (name, process) -> bytes, once a second
        self._ended = threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self._watching.start()

    def close(self):
        self._ended.set()
        self._watching.join(30)

    # --- bots

    def draw(self, count, period):
        """More bots, until there are so many."""
        more = [Bot(number, self.servers, period) for number in range(len(self.bots), count)]
        self.bots += more
        for bot in more:
            bot.start()
        until(lambda: all(bot.seen for bot in more), WHOLE)

    # --- faults

    def order(self, count):
        """Kinds of faults, each as often as the others."""
        kinds = ["worker", "node", "gateway", "head", *(["network"] if self.nodes.cables else [])]
        order = []
        while len(order) < count:
            order += self._random.sample(kinds, len(kinds))
        return order[:count]

    def fault(self, kind):
        """Break something, and wait until everybody sees pictures again, and everything is there."""
        moment = time.monotonic()
        mend = getattr(self, f"_{kind}")()
        for bot in self.bots:
            self._next(bot, time.monotonic() + INSIDE)
        mend()
        self.well()
        ended = time.monotonic()
        worst = max(bot.longest(moment, ended) for bot in self.bots)
        self.costs[kind].append(worst)
        print(f"{kind}: nobody waited longer than {worst:.2f} s, all there after {ended - moment:.1f} s", flush=True)

    def _next(self, bot, moment):
        until(lambda: bot.errors or bot.first_after(moment) is not None, WHOLE)

    def _worker(self):
        _, process = self._random.choice(sorted(self.nodes.renderers()))
        os.kill(process, signal.SIGKILL)
        return lambda: None

    def _node(self):
        node = self._random.choice(self.nodes.working)
        self.nodes.held.add(node)
        self.nodes.kill(node)
        return self._later(REMOVED, lambda: self.nodes.held.discard(node))

    def _gateway(self):
        name = self._random.choice(sorted(server.name for server in self.servers))
        self.nodes.kill(name, whole=False)
        return lambda: None

    def _head(self):
        """Nodes find after a while that the new one does not know them, and end."""
        lives = {node: self.nodes.process(node) for node in (1, 2, *self.nodes.working)}
        self.nodes.kill(1)
        return lambda: until(lambda: all(self.nodes.process(node) != life for node, life in lives.items()), WHOLE)

    def _network(self):
        node = self._random.choice(self.nodes.working)
        self.nodes.networks.pull(node)
        return self._later(CUT, lambda: self.nodes.networks.pull(node, out=False))

    def _later(self, seconds, work):
        timer = threading.Timer(seconds, work)
        timer.start()
        return timer.join

    # --- how it is

    def well(self):
        """Wait until every server knows every worker, and everybody has had a picture since."""
        until(lambda: all(self.workers(server) == len(self.nodes.working) for server in self.servers), WHOLE)
        moment = time.monotonic()
        for bot in self.bots:
            self._next(bot, moment)

    def workers(self, server):
        """How many a server knows of; 0: it does not answer."""
        with contextlib.suppress(httpx2.HTTPError):
            text = httpx2.get(server.address("/metrics"), timeout=5).text
            return sum(line.startswith("inkstream_worker_drawings{") for line in text.splitlines())
        return 0

    def grown(self):
        """Megabytes by which each process has grown that was there for long: the last quarter against the second."""
        found = {}
        for (name, process), sizes in self._rss.items():
            if len(sizes) > SETTLED:
                quarter = len(sizes) // 4
                early, late = (statistics.median(part) for part in (sizes[quarter : 2 * quarter], sizes[-quarter:]))
                found[f"{name} {process}"] = round((late - early) / 1e6, 1)
        return found

    def _watch(self):
        while not self._ended.wait(1.0):
            programs = [(server.name, self.nodes.process(server.name)) for server in self.servers if server.name]
            for name, process in [*programs, *((f"worker at {n}", p) for n, p in self.nodes.renderers())]:
                with contextlib.suppress(psutil.Error):
                    self._rss[name, process].append(psutil.Process(process).memory_info().rss)


def said(figures):
    """Of seconds: the middle one and the worst."""
    return f"{statistics.median(figures):.2f} s, at worst {max(figures):.2f} s, of {len(figures)}"


def program(*words):
    """What ``Nodes.serve`` begins."""
    return ("-m", "doubles.gate", *words)
