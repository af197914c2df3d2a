"""Workers as actors of Ray (https://docs.ray.io, Ray Core), and the gateway's way to them.

Ray is asked for what it does well: processes on any machine, their restart, and calls between them. Encoded pictures
cross, never arrays. Imported when a cluster is asked for, and only then.
"""

from __future__ import annotations

import importlib
import ipaddress
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

from ...base.configfile import RunConfig
from ...base.errors import ConfigError
from ...base.files import write_json, write_whole
from ...base.plain import reason
from ...base.private import make_private, user_state
from ..studio.inprocess import Maker
from . import tls
from .config import ClusterConfig
from .host import Hello
from .link import Link, Lost
from .served import Served, made_for

NAMESPACE, PREFIX = "inkstream", "worker-"
STORE = 128 << 20  # bytes for objects: none of ours is large, and small ones never go there
GROUPS = {"news": 16, "puts": 8, "files": 4}  # threads of an actor, beside the one that makes all other calls in order
GROUP = {"news": "news", "hello": "news", "about": "news", "drain": "news"}
PUT_GROUP, FILE_GROUP = "puts", "files"
KNOCK = 3.0  # seconds
SOON = ("freeze", "cancel")  # asked of a drawing in order with its changes


def ray_module(local: bool = False, certificates: str = "") -> Any:
    """Ray; raises ConfigError that says how to install it. The environment is prepared before it is imported.

    ``local``: of a cluster on this machine, which nobody reaches from another. ``certificates``: the folder of those
    that nodes have; without one, Ray's own settings say it.
    """
    if certificates:
        tls.use(Path(certificates))
    if local:  # its name is that of the systems where Ray does so by default
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # else whatever else runs here goes before pictures
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    if not {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & set(os.environ):
        os.environ["RAY_AUTH_TOKEN_PATH"] = str(_token())
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        hint = 'pip install "inkstream[cluster]"'
        raise ConfigError(f"cluster: {error.name or error} is missing, expected it to be installed: {hint}") from error


def _folder() -> Path:
    return make_private(user_state() / "cluster")


def _token() -> Path:
    """The file with what nodes of this user's clusters know each other by."""
    path = _folder() / "token"
    if not path.is_file():
        write_whole(path, secrets.token_hex(32).encode(), mode=0o600)
    return path


class Started(NamedTuple):
    """A Ray cluster that this process is connected to."""

    address: str
    begun: bool
    """Whether this process has begun it, and ends it with itself."""


def start(config: ClusterConfig) -> Started:
    """Connect to the cluster of the configuration, or begin one on this machine. Raises ConfigError."""
    if config.address:
        return connect(config.address, config.tls)
    ray = ray_module(local=True, certificates=config.tls)
    about: dict[str, Any] = {"address": "local", "include_dashboard": False, "object_store_memory": STORE}
    most = max(config.workers, config.limit)
    cores, gpus = most * config.cores, most * config.gpus
    try:
        _lasting(
            lambda: ray.init(num_cpus=cores, num_gpus=gpus or None, namespace=NAMESPACE, log_to_driver=False, **about)
        )
    except Exception as error:
        raise ConfigError(f"cluster: Ray cannot be started: {reason(error)}") from error
    address = ray.get_runtime_context().gcs_address
    write_json(_folder() / "local.json", {"address": address, "process": os.getpid(), "tls": config.tls})
    return Started(address, True)


def _lasting(work: Callable[[], Any]) -> None:
    """Do it on a thread that never ends: with the thread that began them, and not with its process, Linux would end
    Ray's processes (``PR_SET_PDEATHSIG``).
    """
    done: Future[None] = Future()

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - it is raised on the thread that waits
            done.set_exception(error)
            return
        done.set_result(None)
        threading.Event().wait()

    threading.Thread(target=run, name="inkstream ray", daemon=True).start()
    done.result()


def located(address: str = "", certificates: str = "") -> tuple[str, str]:
    """HOST:PORT of a cluster that answers, and the folder of its certificates; empty: the one that was begun on this
    machine. Raises ConfigError.
    """
    where = address
    if not where:
        try:
            kept = json.loads((_folder() / "local.json").read_text("utf-8"))
            where, certificates = kept["address"], kept.get("tls", "")
        except (OSError, ValueError, KeyError):
            ray_module(local=True)  # what is missing is said first
            raise ConfigError("cluster: none runs on this machine; start one with: inkstream cluster up") from None
    ray_module(local=not address, certificates=certificates)
    _check_answers(where)
    return where, certificates


def connect(address: str = "", certificates: str = "") -> Started:
    """Connect to the cluster at HOST:PORT; empty: the one that was begun on this machine. Raises ConfigError."""
    where, certificates = located(address, certificates)
    ray = ray_module(local=not address, certificates=certificates)
    try:
        context = ray.init(address=where, namespace=NAMESPACE, log_to_driver=False)
    except Exception as error:
        raise ConfigError(f"cluster: Ray at {where} does not let this machine in: {reason(error)}") from error
    try:
        check_dashboard(context.dashboard_url)
    except ConfigError:
        ray.shutdown()
        raise
    return Started(where, False)


def check_dashboard(url: str | None) -> None:
    """Raises ConfigError for a dashboard that other computers reach: whoever does can run programs on the nodes."""
    host = (url or "").rpartition(":")[0].strip("[]")
    try:
        here = host in ("", "localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        here = False
    if not here:
        told = f"cluster: Ray's dashboard is at {url}, where other computers reach it"
        raise ConfigError(f"{told}, expected none; start the head with: ray start --head --dashboard-host 127.0.0.1")


def _check_answers(address: str) -> None:
    """Raises ConfigError where nobody listens: Ray itself would wait for a minute, and then end this process."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal()):
        raise ConfigError(f"cluster: got the address {address!r}, expected HOST:PORT")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK).close()
    except (OSError, OverflowError) as error:
        told = f"cluster: nothing answers at {address}: {reason(error)}; start one with: inkstream cluster up"
        raise ConfigError(told) from error


def disconnect() -> None:
    """Leave the cluster; one that this process began ends."""
    ray_module().shutdown()


def raise_workers(
    run: RunConfig, config: ClusterConfig, folder: Path, history: float = 0, make: Maker | None = None
) -> list[Link]:
    """Begin the workers that are not there yet. They are started again when they are killed.

    In a cluster that runs anyway they outlive this program, so that the next one finds them with their models loaded;
    those that are too many, or were begun for something else, end. Raises ConfigError.
    """
    ray = ray_module()
    kind = ray.remote(concurrency_groups=GROUPS)(Served)
    given = (run, config, str(folder.absolute()), history, make)
    lives = {"lifetime": "detached"} if config.address else {}
    names = [f"{PREFIX}{number}" for number in range(config.workers)]
    ask_for_nodes(config)
    if config.address or config.limit:
        _end_others(ray, dict.fromkeys(names, made_for(*given[:4])))
    links: list[Link] = []
    for name in names:
        actor = kind.options(
            name=name,
            get_if_exists=True,
            num_cpus=config.cores,
            num_gpus=config.gpus,
            max_restarts=-1,
            max_task_retries=0,
            **lives,
        ).remote(*given, name)
        links.append(RayLink(name, actor))
    return links


def ask_for_nodes(config: ClusterConfig) -> None:
    """Where the number of workers changes, let Ray's autoscaler bring nodes for all of them at once, and keep them
    until it is asked for fewer. Where there is none, nothing comes of it.
    """
    if config.limit:
        bundle = {"CPU": config.cores, **({"GPU": config.gpus} if config.gpus else {})}
        importlib.import_module("ray.autoscaler.sdk").request_resources(bundles=[bundle] * config.workers)


def _end_others(ray: Any, wanted: dict[str, str]) -> None:
    """End workers that are not ``wanted``: by name, what each is made for. One that does not answer stays."""
    for name in _names(ray):
        actor = ray.get_actor(name)
        if name in wanted:
            link = RayLink(name, actor)
            try:
                if link.ask("about", within=KNOCK) == wanted[name]:
                    continue
            except (Lost, TimeoutError):  # it is being started, or its node is gone
                continue
        ray.kill(actor)
        ends = time.monotonic() + KNOCK
        while name in _names(ray) and time.monotonic() < ends:
            time.sleep(0.05)


def _names(ray: Any) -> list[str]:
    return sorted(name for name in ray.util.list_named_actors() if name.startswith(PREFIX))


def end_workers() -> list[str]:
    """End all workers of the cluster that this process is connected to; returns their names."""
    ray = ray_module()
    names = _names(ray)
    for name in names:
        ray.kill(ray.get_actor(name))
    return names


def found_workers() -> list[Link]:
    """The workers of the cluster that this process is connected to. Raises ConfigError where there is none."""
    ray = ray_module()
    names = _names(ray)
    if not names:
        raise ConfigError("cluster: it has no workers; start them with: inkstream cluster up")
    return [RayLink(name, ray.get_actor(name)) for name in names]


def greeted(link: Link, within: float = 3.0) -> Hello | str:
    """What a worker is, or why that is not known."""
    try:
        return link.ask("hello", within=within)
    except Lost as error:
        return reason(error)
    except TimeoutError:
        return f"no answer within {within:g} s"


class Raised(NamedTuple):
    """See ``courier.Joins``: the workers of a configuration, begun where they are not there."""

    run: RunConfig
    config: ClusterConfig
    folder: Path
    history: float = 0
    make: Maker | None = None

    def join(self) -> tuple[str, Sequence[Link]]:
        """Raises ConfigError."""
        ray = ray_module(local=not self.config.address, certificates=self.config.tls)
        if ray.is_initialized():
            return ray.get_runtime_context().gcs_address, raise_workers(*self)
        return start(self.config).address, raise_workers(*self)

    def leave(self) -> None:
        """A cluster that was begun here ends."""
        disconnect()


class Found(NamedTuple):
    """See ``courier.Joins``: the workers of the cluster at HOST:PORT; empty: of the one that was begun on this machine,
    wherever it is now.
    """

    address: str = ""

    def join(self) -> tuple[str, Sequence[Link]]:
        """Raises ConfigError."""
        return connect(self.address).address, found_workers()

    def leave(self) -> None:
        """It goes on without this process."""
        disconnect()


class RayLink:
    """See ``link.Link``."""

    def __init__(self, name: str, actor: Any) -> None:
        self.name = name
        self._ray, self._actor = ray_module(), actor

    def ask(self, method: str, *given: Any, within: float) -> Any:
        """What it returns; raises Lost, TimeoutError."""
        try:
            return self._ray.get(self._call(method, given), timeout=within)
        except self._ray.exceptions.GetTimeoutError:
            raise TimeoutError(f"{self.name}: no answer within {within:g} s") from None
        except self._ray.exceptions.RayError as error:
            raise Lost(f"{self.name}: {type(error).__name__}") from error

    def begin(self, method: str, *given: Any, then: Callable[[Any], None] | None = None) -> None:
        """Returns at once."""
        try:
            reference = self._call(method, given)
        except self._ray.exceptions.RayError as error:
            if then is not None:
                then(Lost(f"{self.name}: {type(error).__name__}"))
            return
        if then is not None:
            reference.future().add_done_callback(lambda future: then(self._came(future)))

    def _came(self, future: Any) -> Any:
        error = future.exception()
        return future.result() if error is None else Lost(f"{self.name}: {type(error).__name__}")

    def _call(self, method: str, given: tuple[Any, ...]) -> Any:
        group = GROUP.get(method, "")
        if method == "ask":
            group = PUT_GROUP if given[1] == "put" else "" if given[1] in SOON else FILE_GROUP
        called = getattr(self._actor, method)
        return (called.options(concurrency_group=group) if group else called).remote(*given)
