"""The studio's server, on a thread of its own."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from ...base.errors import ConfigError
from ...base.plain import reason
from .connections import careful
from .site import PAGE, Rules, Site, site

if TYPE_CHECKING:
    from .backend import SessionBackend
    from .sharing import Certificates

log = logging.getLogger(__name__)
PORT = 7860
TRIES = 20  # ports from the usual one on, where nobody named one
HERE = "127.0.0.1"
FAREWELL = 0.1  # seconds for what is said last to go out
END_WITHIN = 5.0


def bound(host: str, port: int | None) -> socket.socket:
    """A socket that listens; port None is the usual one, or the next that is free. Raises ConfigError."""
    tries = range(PORT, PORT + TRIES) if port is None else (port,)
    for each in tries:
        try:
            return _listening(host, each)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and port is None:
                continue
            why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be listened at: {reason(error)}"
            raise ConfigError(f"--port: {host}:{each} {why}; name another --port, or another --host") from error
    raise ConfigError(f"--port: {PORT} to {PORT + TRIES - 1} are all taken; name another --port")


def is_address(host: str) -> bool:
    """Whether it is an IP address, and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def everywhere(host: str | None) -> str:
    """Where to listen so that others reach it: the address that was named, or all there are."""
    return host if host and is_address(host) else "0.0.0.0"


class Server:
    """Serves a backend at a socket that listens. ``start`` returns when pages can come; ``stop`` may be called twice.

    ``hosts``, ``token``, ``folder``, ``kept``, ``page`` and ``rules`` as for ``site``; ``called`` is the name in
    addresses.
    """

    def __init__(
        self,
        backend: SessionBackend,
        listening: socket.socket,
        *,
        hosts: set[str],
        token: str = "",
        certificates: Certificates | None = None,
        folder: Path | None = None,
        kept: Path = Path("inkstream-output"),
        called: str = "",
        page: Path = PAGE,
        rules: Rules | None = None,
    ) -> None:
        name, self.port = listening.getsockname()[:2]
        self.token = token
        self.site: Site | None = None
        self._backend, self._socket, self._certificates = backend, listening, certificates
        self._hosts, self._folder, self._kept = hosts, folder, kept
        self._page, self._rules = page, rules or Rules()
        self._called = called or (f"[{name}]" if ":" in name else name)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leave: asyncio.Event | None = None
        self._up = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="inkstream studio", daemon=True)

    @property
    def encrypted(self) -> bool:
        """Whether it speaks TLS."""
        return self._certificates is not None

    @property
    def ended(self) -> bool:
        """Whether it serves no more."""
        return self._up.is_set() and not self._thread.is_alive()

    @property
    def error(self) -> BaseException | None:
        """What ended it, where that was a fault."""
        return self._failed

    def address(self, path: str = "/", host: str = "") -> str:
        """A whole address, without a token."""
        scheme = "https" if self._certificates else "http"
        return f"{scheme}://{host or self._called}:{self.port}{path}"

    def with_token(self, address: str) -> str:
        """An address for people: the token stands where browsers never send it."""
        return f"{address}#token={self.token}" if self.token else address

    def start(self) -> None:
        """Begin to serve; raises what kept it from that."""
        self._thread.start()
        self._up.wait()
        if self._failed is not None:
            raise self._failed

    def stop(self) -> None:
        """Say good-bye to every page, close every drawing, and end."""
        if self._loop is not None and self._leave is not None:
            try:
                self._loop.call_soon_threadsafe(self._leave.set)
            except RuntimeError:  # it has ended already
                log.debug("the server had ended")
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(END_WITHIN)
        self._socket.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - it is raised, or said, on the thread that waits
            self._failed = error
            log.warning("the studio's server ended: %s", reason(error))
        finally:
            self._up.set()

    async def _serve(self) -> None:
        self._loop, self._leave = asyncio.get_running_loop(), asyncio.Event()
        self.site = made = site(
            self._backend,
            hosts=self._hosts,
            token=self.token,
            folder=self._folder,
            kept=self._kept,
            address=self.address,
            page=self._page,
            certificate=self._certificates.authority if self._certificates else None,
            rules=self._rules,
        )
        config = uvicorn.Config(
            made.app,
            http=careful(most=4 * self._rules.sockets),
            ws="websockets-sansio",
            loop="asyncio",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            ws_max_size=2 << 20,
            ws_ping_interval=5.0,
            ws_ping_timeout=5.0,
            ws_per_message_deflate=False,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=2,
            h11_max_incomplete_event_size=16 << 10,
            ssl_certfile=self._certificates.chain if self._certificates else None,
        )
        server = _Uvicorn(config, self._up.set)
        leaving = asyncio.create_task(self._say_goodbye(server, made))
        try:
            await server.serve(sockets=[self._socket])
        finally:
            leaving.cancel()

    async def _say_goodbye(self, server: _Uvicorn, made: Site) -> None:
        assert self._leave is not None
        await self._leave.wait()
        await made.door.end()
        await asyncio.sleep(FAREWELL)
        server.should_exit = True


class _Uvicorn(uvicorn.Server):
    """Says when it is up. Signals are left to the main thread, where this one never runs."""

    def __init__(self, config: uvicorn.Config, up: Callable[[], None]) -> None:
        super().__init__(config)
        self._up = up

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._up()


def _listening(host: str, port: int) -> socket.socket:
    # The protocol is named: for who accepts, asyncio switches Nagle's delay off only where it is.
    listening = socket.socket(
        socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP
    )
    try:
        if sys.platform != "win32":  # there it would let two programs listen at one port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except BaseException:
        listening.close()
        raise
    return listening
