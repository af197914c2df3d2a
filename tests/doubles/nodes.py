"""Nodes of a Ray cluster on this machine, which can be killed: each in a network of its own where that is allowed."""

import contextlib
import os
import shutil
import subprocess
import sys
import threading

import psutil

from inkstream.stream.app.cluster import rays

PORT = 6379
STORE = 80 << 20  # bytes: the least that Ray takes, and nothing of ours goes there
STEP = 0.2


def _ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, text=True, timeout=30)


class Networks:
    """A network namespace for each node, and a bridge between them; cables can be pulled."""

    def __init__(self):
        self.number = os.getpid() % 250
        self.name = f"ink{os.getpid() % 100000}"
        self.home = f"10.77.{self.number}.254"
        self._made = []

    def begin(self):
        """Whether this machine lets us."""
        if os.geteuid() != 0 or shutil.which("ip") is None:
            return False
        bridge = ("link", "add", self.name, "type", "bridge")
        if _ip(*bridge).returncode:
            return False
        _ip("addr", "add", f"{self.home}/24", "dev", self.name)
        _ip("link", "set", self.name, "up")
        return self.add(1)

    def add(self, node):
        space, cable = f"{self.name}n{node}", f"{self.name}v{node}"
        if _ip("netns", "add", space).returncode:
            return False
        self._made.append(space)
        _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", space)
        _ip("link", "set", cable, "master", self.name, "up")
        _ip("-n", space, "addr", "add", f"{self.address(node)}/24", "dev", "eth0")
        for device in ("eth0", "lo"):
            _ip("-n", space, "link", "set", device, "up")
        return True

    def address(self, node):
        return f"10.77.{self.number}.{node}"

    def inside(self, node):
        """What a command begins with that runs there."""
        return ["ip", "netns", "exec", f"{self.name}n{node}"]

    def pull(self, node, out=True):
        """Nothing gets to a node or from it, or does again."""
        _ip("link", "set", f"{self.name}v{node}", "down" if out else "up")

    def close(self):
        for space in self._made:
            _ip("netns", "del", space)
        _ip("link", "del", self.name)


class Loopback:
    """All nodes in this machine's own network, where cables cannot be pulled."""

    def address(self, node):
        return f"127.0.0.{node + 1}"

    def inside(self, node):
        return []

    def add(self, node):
        return True

    def close(self):
        pass


class Nodes:
    """Node 1 is the head, 2 that of the pages' servers, which render nothing; the others have a core each.

    Whatever ends is begun again within a second, as systemd or Kubernetes would, unless it is ``held``.
    """

    def __init__(self, folder, workers):
        self.networks = Networks()
        self.cables = self.networks.begin()
        if not self.cables:
            self.networks.close()
            self.networks = Loopback()
        self.working = range(3, 3 + workers)
        self.held = set()  # what is not to be begun again yet
        self.address = f"{self.networks.address(1)}:{PORT}"
        self._folder, self._lives, self._commands, self._from = folder, {}, {}, {}
        self._lock, self._ended = threading.RLock(), threading.Event()
        for node in (1, 2, *self.working):
            if node > 1 or not self.cables:
                self.networks.add(node)
            self._commands[node] = [*self.networks.inside(node), *self._words(node)]
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _words(self, node):
        cores, head = (1 if node in self.working else 0), ("--head", "--port", PORT, "--include-dashboard", "false")
        joins = ("--address", self.address)
        about = ("--node-ip-address", self.networks.address(node), "--num-cpus", cores, "--object-store-memory", STORE)
        ports = (
            "--min-worker-port",
            0,
            "--max-worker-port",
            0,
            "--disable-usage-stats",
            "--include-log-monitor",
            "false",
            "--block",
        )
        words = ("-m", "ray.scripts.scripts", "start", *(head if node == 1 else joins), *about, *ports)
        return [sys.executable, *map(str, words)]

    def __enter__(self):
        rays.ray_module()  # it prepares the environment, and what nodes know each other by
        try:
            for node in self._commands.copy():
                self.begin(node)
                while not self._begun(node):  # Ray gives its own parts 15 seconds, however busy the machine is
                    self.kill(node)
                    self.begin(node)
        except BaseException:
            self._close()
            raise
        self._thread.start()
        return self

    def _begun(self, node):
        """Wait until a node is there, or has ended, which is False: two that begin at once are in each other's way."""
        log = self._folder / f"{node}.log"
        while b"--block" not in log.read_bytes()[self._from[node] :]:
            if self._lives[node].poll() is not None or self._ended.wait(STEP):
                return False
        return True

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join(30)
        self._close()

    def _close(self):
        for name in sorted(self._lives, key=str, reverse=True):
            self.kill(name)
        self.networks.close()

    def serve(self, name, *words):
        """A program on the node of the pages' servers, begun again when it ends."""
        self._commands[name] = [*self.networks.inside(2), sys.executable, *map(str, words)]
        self.begin(name)

    def begin(self, name):
        with self._lock, (self._folder / f"{name}.log").open("ab") as log:
            self._from[name] = log.tell()
            self._lives[name] = subprocess.Popen(
                self._commands[name], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def process(self, name):
        """The number of a program's process."""
        return self._lives[name].pid

    def kill(self, name, whole=True):
        """A node with everything on it, or a program; ``whole``: with what it has begun."""
        with self._lock:
            life = self._lives[name]
            below = self.below(name) if whole else []
            life.kill()
            for each in below:
                with contextlib.suppress(psutil.Error):
                    each.kill()
            life.wait()

    def below(self, name):
        """Processes that a node has begun."""
        life = self._lives[name]
        with contextlib.suppress(psutil.Error):
            return [] if life.poll() is not None else psutil.Process(life.pid).children(recursive=True)
        return []

    def renderers(self):
        """(node, process) of every worker that renders."""
        found = []
        for node in self.working:
            for process in self.below(node):
                with contextlib.suppress(psutil.Error):
                    if any("ray::Served" in word for word in process.cmdline()[:1]):
                        found.append((node, process.pid))
        return found

    def _watch(self):
        while not self._ended.wait(STEP):
            for name, life in list(self._lives.items()):
                if name in self.held or life.poll() is None:
                    continue
                with self._lock:
                    self.kill(name)  # what is left of it
                    if not self._ended.is_set():
                        self.begin(name)
                if isinstance(name, int):
                    self._begun(name)
