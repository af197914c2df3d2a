"""WebRTC over HTTP: ``webrtc:8091``, for browsers far away, GStreamer, and whatever speaks WHEP.

``/`` is a page that shows it; ``POST /whep`` takes an offer and gives an answer (draft-ietf-wish-whep), ``DELETE`` of
the address in its ``Location`` ends it. The library is aiortc. Compressed as video it needs a fraction of what Motion
JPEG does; whoever is slow leaves pictures out.
"""

from __future__ import annotations

import asyncio
import fractions
import importlib
import logging
import secrets
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import TimeoutError as TooLate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from ..base.errors import ConfigError, SinkUnavailable
from ..base.frame import Output
from ..base.places import Place, is_here, place
from ..base.plain import reason
from ..base.progress import note
from ..base.spec import Kind, Option, Spec
from . import Status
from .mjpeg import lets_in

log = logging.getLogger(__name__)
MOST = 8  # who may look on at once: each is compressed for alone
LONGEST = 64 << 10  # bytes of an offer
WITHIN = 10.0  # seconds for an answer to be made, and for what is sent to come
AGAIN = 1.0  # seconds after which a picture that stays is sent again
CLOCK = 90_000  # ticks of a second, in which video is timed
PAGE = """<!doctype html>
<meta charset="utf-8">
<title>inkstream</title>
<style>html { background: #000 } body { margin: 0 } video { display: block; width: 100vw; height: 100vh }</style>
<video autoplay muted playsinline></video>
<script type="module">
const again = (link) => (link.close(), setTimeout(show, 2000));
const gathered = (link) => new Promise((done) => {
  const look = () => link.iceGatheringState === "complete" && done();
  link.onicegatheringstatechange = look;
  look();
});
async function show() {
  const link = new RTCPeerConnection();
  link.addTransceiver("video", { direction: "recvonly" });
  link.ontrack = ({ track }) => (document.querySelector("video").srcObject = new MediaStream([track]));
  link.onconnectionstatechange = () => link.connectionState === "failed" && again(link);
  try {
    await link.setLocalDescription();
    await gathered(link);
    const headers = { "Content-Type": "application/sdp" };
    const answer = await fetch("/whep", { method: "POST", headers, body: link.localDescription.sdp });
    if (!answer.ok) throw new Error(answer.status);
    await link.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  } catch {
    again(link);
  }
}
show();
</script>
"""


class Refused(Exception):
    """Nobody is let in, and why: an HTTP status and a text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class WebRtcSink:
    """Serves the newest picture at ``path``, at most ``fps`` times a second. ``port`` is where it listens.

    Raises SinkUnavailable where aiortc is missing, ConfigError where it cannot listen.
    """

    interval: float | None = None
    on_main_thread = False

    def __init__(self, path: Place, fps: float = 30.0) -> None:
        if not 1 <= fps <= 120:
            raise ConfigError(f"webrtc: fps: got {fps:g}, expected 1 to 120")
        try:
            self._rtc: Any = importlib.import_module("aiortc")
        except ImportError as error:
            hint = 'run: pip install "inkstream[webrtc]"'
            raise SinkUnavailable(f"webrtc: aiortc cannot be imported ({reason(error)}); {hint}") from error
        self.fps, self.here = fps, is_here(path.host)
        self.newest: tuple[int, np.ndarray | None] = (0, None)
        """How many pictures came, and the last one, (H, W, 3) uint8 RGB."""
        self._links: dict[str, Any] = {}
        try:
            self._server = _Server((path.host, path.port), self)
        except OSError as error:
            raise ConfigError(f"webrtc: {path}: cannot be listened at: {reason(error)}; name another port") from error
        self.port: int = self._server.server_address[1]
        self.called = f"webrtc:{self.port}"
        self._loop = asyncio.new_event_loop()
        self._threads = [
            threading.Thread(target=self._loop.run_forever, name="inkstream webrtc", daemon=True),
            threading.Thread(target=self._server.serve_forever, args=(0.1,), name="inkstream whep", daemon=True),
        ]
        for each in self._threads:
            each.start()
        note(f"WebRTC: http://{Place(path.host, self.port)}/ (WHEP: /whep)")
        if not self.here:
            note("webrtc has no passwords: whoever is in this network can look on")

    def write(self, output: Output | None, status: Status) -> None:
        """The newest picture; it is compressed for those who look on, and for nobody else."""
        if output is not None:
            self.newest = (self.newest[0] + 1, output.pixels)

    def close(self) -> None:
        """Everybody is let go."""
        if self._loop.is_closed():
            return
        self._server.shutdown()
        self._server.server_close()
        self._asked(self._end_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        for each in self._threads:
            each.join(2.0)
        if not self._loop.is_running():
            self._loop.close()

    # --- for those who look on, from their threads

    def answer(self, offer: str) -> tuple[str, str]:
        """The answer to an offer, and the name of the link; raises Refused."""
        return self._asked(self._answer(offer))

    def end(self, name: str) -> None:
        """Whoever looks on by this name does so no more."""
        self._asked(self._end(name))

    def _asked(self, work: Coroutine[Any, Any, Any]) -> Any:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(WITHIN)
        except TooLate:
            future.cancel()
            raise Refused(503, f"no answer was made within {WITHIN:g} s; try again") from None

    # --- on the loop

    async def _answer(self, offer: str) -> tuple[str, str]:
        if len(self._links) >= MOST:
            raise Refused(503, f"{MOST} look on already, expected fewer; --sink mjpeg: takes more")
        name = secrets.token_hex(16)
        link = self._links[name] = self._rtc.RTCPeerConnection()

        async def changed() -> None:
            if link.connectionState in ("failed", "closed"):
                await self._end(name)

        link.on("connectionstatechange", changed)
        try:
            await link.setRemoteDescription(self._rtc.RTCSessionDescription(offer, "offer"))
            if not any(each.kind == "video" for each in link.getTransceivers()):
                raise ValueError("it asks for no video")
            link.addTrack(_track(self))
            await link.setLocalDescription(await link.createAnswer())
        except Exception as error:
            await self._end(name)
            raise Refused(422, f"got an offer that cannot be answered ({reason(error)}), expected SDP") from error
        return link.localDescription.sdp, name

    async def _end(self, name: str) -> None:
        link = self._links.pop(name, None)
        if link is not None:
            await link.close()

    async def _end_all(self) -> None:
        await asyncio.gather(*(self._end(name) for name in list(self._links)))


def _track(sink: WebRtcSink) -> Any:
    """A track of the newest pictures; its class needs the library."""
    from av import VideoFrame

    base: Any = importlib.import_module("aiortc").MediaStreamTrack

    class Track(base):
        """Gives a picture when there is a newer one, and the last one again after a second."""

        kind = "video"

        def __init__(self) -> None:
            super().__init__()
            self._seen, self._began, self._last = 0, time.monotonic(), 0.0

        async def recv(self) -> Any:
            apart = 1 / sink.fps
            while True:
                number, pixels = sink.newest
                waited = time.monotonic() - self._last
                if pixels is not None and waited >= apart and (number > self._seen or waited >= AGAIN):
                    break
                await asyncio.sleep(max(apart - waited, apart / 4))
            self._seen, self._last = number, time.monotonic()
            height, width = (each // 2 * 2 for each in pixels.shape[:2])  # codecs take even sides
            frame = VideoFrame.from_ndarray(np.ascontiguousarray(pixels[:height, :width]), format="rgb24")
            frame.pts, frame.time_base = int(CLOCK * (self._last - self._began)), fractions.Fraction(1, CLOCK)
            return frame

    return Track()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, at: tuple[str, int], sink: WebRtcSink) -> None:
        self.sink = sink
        super().__init__(at, _Visitor)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("webrtc: %s went away", client_address, exc_info=True)


class _Visitor(BaseHTTPRequestHandler):
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride] - it is always this one
    timeout = WITHIN

    def do_GET(self) -> None:
        if self._may():
            if self.path.partition("?")[0] == "/":
                self._say(200, "text/html; charset=utf-8", PAGE)
            else:
                self.send_error(404)

    def do_POST(self) -> None:
        if not self._may():
            return
        length = self.headers.get("Content-Length", "")
        if self.path != "/whep":
            self.send_error(404)
        elif self.headers.get("Content-Type", "").partition(";")[0].strip() != "application/sdp":
            self._say(415, "text/plain", "expected application/sdp")
        elif not length.isdecimal() or not 0 < int(length) <= LONGEST:
            self._say(413, "text/plain", f"expected an offer of at most {LONGEST} bytes")
        else:
            try:
                answer, name = self.server.sink.answer(self.rfile.read(int(length)).decode("utf-8", "replace"))
                self._say(201, "application/sdp", answer, ("Location", f"/whep/{name}"))
            except Refused as error:
                self._say(error.status, "text/plain", str(error))

    def do_DELETE(self) -> None:
        if self._may():
            self.server.sink.end(self.path.removeprefix("/whep/"))
            self._say(200, "text/plain", "")

    def _may(self) -> bool:
        """A name that is made to lead here (DNS rebinding), and pages of other sites, are refused."""
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin", "")
        if origin.partition("://")[2] in ("", host) and lets_in(host, self.server.sink.here):
            return True
        self.send_error(403, "not this computer's name, or another site's page")
        return False

    def _say(self, status: int, kind: str, text: str, *more: tuple[str, str]) -> None:
        self.send_response(status)
        body = text.encode()
        headers = (("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", "no-store"), *more)
        for name, value in (*headers, ("X-Content-Type-Options", "nosniff")):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        log.debug("webrtc: %s", format % args)


def open(spec: Spec) -> WebRtcSink:
    """``webrtc:8091``; options ``path``, ``fps``. Raises ConfigError."""
    wanted = spec.take(KIND.options)
    if "path" not in wanted:
        raise ConfigError(f"{spec.text}: got no port, expected for example webrtc:8091")
    return WebRtcSink(**wanted)


KIND = Kind(
    "serves it as WebRTC (WHEP), for browsers and players (needs inkstream[webrtc])",
    ("webrtc:8091", "webrtc:0.0.0.0:8091,fps=24"),
    {
        "path": Option(place, "PORT|HOST:PORT", "where it listens; else this computer alone reaches it"),
        "fps": Option(float, "N", "at most so many pictures a second"),
    },
    WebRtcSink,
)
