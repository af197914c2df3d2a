"""Motion JPEG over HTTP: ``mjpeg:8090``, for whatever shows an address: OBS, VLC, a web page's ``<img>``, a phone.

``/`` is a stream of pictures (``multipart/x-mixed-replace``, as cameras have it), ``/frame.jpg`` the newest
one. Whoever looks on gets the newest picture and nothing else: who is slow leaves pictures out, and slows nobody down.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ..base.errors import ConfigError
from ..base.frame import Output
from ..base.places import Place, is_here, place
from ..base.plain import reason
from ..base.progress import note
from ..base.spec import Kind, Option, Spec
from . import Status
from .browser import jpeg

log = logging.getLogger(__name__)
BOUNDARY = "inkstream-picture"
MOST = 16  # who may look on at once
AGAIN = 1.0  # seconds after which a picture that stays is sent again: some show one only when the next comes
SILENT = 10.0  # seconds that somebody may take nothing
ENDS_WITHIN = 1.0


class MjpegSink:
    """Serves the newest picture at ``path``. ``quality`` of JPEG is 1 to 100. Raises ConfigError where it cannot
    listen; ``port`` is where it does.
    """

    interval: float | None = None
    on_main_thread = False

    def __init__(self, path: Place, quality: int = 85) -> None:
        if not 1 <= quality <= 100:
            raise ConfigError(f"mjpeg: quality: got {quality}, expected 1 to 100")
        self._quality, self.here = quality, is_here(path.host)
        self._changed = threading.Condition()
        self._output: Output | None = None
        self._number = 0
        self._encoded: tuple[int, bytes] = (0, b"")
        self._closed = False
        try:
            self._server = _Server((path.host, path.port), self)
        except OSError as error:
            raise ConfigError(f"mjpeg: {path}: cannot be listened at: {reason(error)}; name another port") from error
        self.port: int = self._server.server_address[1]
        self.called = f"mjpeg:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="inkstream mjpeg", daemon=True
        )
        self._thread.start()
        note(f"pictures: http://{Place(path.host, self.port)}/")
        if not self.here:
            note("mjpeg has no passwords: whoever is in this network can look on")

    def write(self, output: Output | None, status: Status) -> None:
        """The newest picture; it is encoded once, and only when somebody looks on."""
        if output is not None:
            with self._changed:
                self._output, self._number = output, self._number + 1
                self._changed.notify_all()

    def close(self) -> None:
        """Everybody is let go."""
        with self._changed:
            again, self._closed = self._closed, True
            self._changed.notify_all()
        if not again:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(ENDS_WITHIN)

    # --- for those who look on

    def newer(self, seen: int, within: float) -> tuple[int, bytes]:
        """A picture newer than number ``seen``, with its number; after ``within`` seconds the one that there is.

        Empty: there is none, or it has ended.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._number > seen, within)
            if self._closed or self._output is None:
                return 0, b""
            output, number = self._output, self._number
            if self._encoded[0] == number:
                return self._encoded
        made = (number, jpeg(output.pixels, self._quality))
        with self._changed:
            self._encoded = max(self._encoded, made)
        return made

    @property
    def ended(self) -> bool:
        """Whether nothing comes any more."""
        return self._closed


class _Server(ThreadingHTTPServer):
    """Counts who looks on."""

    daemon_threads = True
    block_on_close = False  # they end by themselves, and a slow one is not waited for

    def __init__(self, at: tuple[str, int], sink: MjpegSink) -> None:
        self.sink, self.watching = sink, threading.BoundedSemaphore(MOST)
        if ":" in at[0]:
            self.address_family = socket.AF_INET6
        super().__init__(at, _Watcher)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Nobody above the limit is listened to."""
        return self.watching.acquire(blocking=False)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.watching.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("mjpeg: %s went away", client_address, exc_info=True)


class _Watcher(BaseHTTPRequestHandler):
    """One who looks on."""

    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride] - it is always this one
    timeout = SILENT
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        """A stream, a picture, or nothing."""
        sink = self.server.sink
        if not lets_in(self.headers.get("Host", ""), sink.here):
            self.send_error(403, "not this computer's name")
        elif self.path.partition("?")[0] == "/frame.jpg":
            _, data = sink.newer(0, SILENT)
            if not data:
                self.send_error(503, "no picture yet")
                return
            self._head("image/jpeg", len(data))
            self.wfile.write(data)
        elif self.path.partition("?")[0] in ("/", "/stream.mjpg"):
            self._head(f"multipart/x-mixed-replace; boundary={BOUNDARY}")
            self._stream(sink)
        else:
            self.send_error(404)

    def _stream(self, sink: MjpegSink) -> None:
        seen = 0
        self.wfile.write(f"--{BOUNDARY}\r\n".encode())
        while not sink.ended:
            number, data = sink.newer(seen, AGAIN)
            if data:
                seen = number
                head = (
                    f"Content-Type: image/jpeg\r\nContent-Length: {len(data)}\r\nX-Timestamp: {time.time():.3f}\r\n\r\n"
                )
                self.wfile.write(head.encode() + data + f"\r\n--{BOUNDARY}\r\n".encode())

    def _head(self, kind: str, length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        log.debug("mjpeg: %s", format % args)


def lets_in(host: str, here: bool) -> bool:
    """Whether a Host header is one of this computer: a name that is made to lead here (DNS rebinding) is not.

    ``here``: only this computer is to reach it.
    """
    found = re.fullmatch(r"\[?([^\[\]/@\s]+?)\]?(?::\d{1,5})?", host)
    name = found[1].lower() if found else ""
    if here:
        return is_here(name)
    own = socket.gethostname().lower()
    return _is_address(name) or name in ("localhost", own, f"{own.partition('.')[0]}.local")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def open(spec: Spec) -> MjpegSink:
    """``mjpeg:8090``; options ``path``, ``quality``. Raises ConfigError."""
    wanted = spec.take(KIND.options)
    if "path" not in wanted:
        raise ConfigError(f"{spec.text}: got no port, expected for example mjpeg:8090")
    return MjpegSink(**wanted)


KIND = Kind(
    "serves it as Motion JPEG, for whatever shows an address",
    ("mjpeg:8090", "mjpeg:0.0.0.0:8090,quality=90"),
    {
        "path": Option(place, "PORT|HOST:PORT", "where it listens; else this computer alone reaches it"),
        "quality": Option(int, "N", "of its pictures, 1 to 100"),
    },
    MjpegSink,
)
