"""OSC: consoles, TouchOSC, TouchDesigner, anything that speaks it. ``osc:9000``.

Messages are done at once, whatever time a bundle names (``strict_timing=False``: clocks of two computers differ), one
after the other. UDP has no connections, so whoever said something is told of changes for ten minutes. OSC 1.0,
https://opensoundcontrol.stanford.edu; the library is python-osc.
"""

from __future__ import annotations

import importlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...base.errors import ConfigError, InkstreamError
from ...base.places import Place, is_here, place
from ...base.plain import plain, reason
from ...base.progress import note
from ...base.spec import Kind, Option, flag
from . import addresses
from .desk import COMMANDS, Desk

log = logging.getLogger(__name__)
EXTRA = 'pip install "inkstream[control]"'
MOST_PEERS, TOLD_FOR = 8, 600.0  # who is told of changes, and seconds since they said something
MOST_TEXT = 8_000  # bytes of a message: what a datagram may have
MOST_WAITING = 1024  # messages that wait until those before them are done
MOST_PACKET = 65_507  # bytes, of UDP; what is longer than the buffer would be cut
ENDS_WITHIN = 1.0


class _Peer:
    """Somebody who is told of changes: ``known`` is what they have said or heard, ``faders`` whose place they want."""

    def __init__(self) -> None:
        self.at = 0.0
        self.known: dict[str, Any] = {}
        self.faders: dict[str, tuple[Any, ...]] = {}


class Osc:
    """Listens at a place; ``feedback`` is who is told of changes in place of whoever asks. ``clock`` gives seconds.

    Raises ConfigError where it cannot listen, or the library is missing.
    """

    def __init__(
        self,
        desk: Desk,
        path: Place,
        feedback: Place | None = None,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._desk, self._quiet, self._clock = desk, quiet, clock
        self._lock = threading.Lock()
        self._came = threading.Condition()
        self._waiting: dict[tuple[tuple[Any, ...], str, int], Sequence[Any]] = {}
        self._turn, self._closed = 0, False
        self._peers: dict[tuple[Any, ...], _Peer] = {}
        self._named = (feedback.host, feedback.port) if feedback else None
        try:
            dispatcher = importlib.import_module("pythonosc.dispatcher")
            server = importlib.import_module("pythonosc.osc_server")
            self._build = importlib.import_module("pythonosc.osc_message_builder").build_msg
        except ImportError as error:
            raise ConfigError(f"--control osc: python-osc cannot be imported ({error}); run: {EXTRA}") from error
        found = dispatcher.Dispatcher(strict_timing=False)
        found.set_default_handler(self._heard, needs_reply_address=True)
        try:
            self._server: Any = server.BlockingOSCUDPServer((path.host, path.port), found)
        except OSError as error:
            raise ConfigError(
                f"--control osc:{path}: cannot listen there: {reason(error)}; name another port, or osc:HOST:PORT"
            ) from error
        self._server.handle_error = self._failed
        self._server.max_packet_size = MOST_PACKET
        self._server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)  # or as much as the system gives
        logging.getLogger().addFilter(_not_garbage)
        self.port: int = self._server.server_address[1]
        if self._named:
            self._peers[self._named] = _Peer()
        desk.on_values.append(self._changed)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="inkstream osc", daemon=True
        )
        self._worker = threading.Thread(target=self._work, name="inkstream osc work", daemon=True)
        self._thread.start()
        self._worker.start()
        note(f"OSC: listening at {path.host}:{self.port}")
        if not is_here(path.host):
            note("OSC has no passwords: whoever is in this network can steer the stream")

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        logging.getLogger().removeFilter(_not_garbage)
        with self._came:
            self._closed = True
            self._waiting.clear()
            self._came.notify_all()
        self._thread.join(ENDS_WITHIN)
        self._worker.join(ENDS_WITHIN)

    # --- what comes

    def _heard(self, sender: tuple[Any, ...], address: str, *said: Any) -> None:
        """One message, on the thread that listens and nothing else: what is not taken at once, the system drops."""
        path = address.strip("/")
        with self._came:
            if addresses.ALIASES.get(path, path) in COMMANDS or not said:
                self._turn += 1  # what comes after a command is not done before it
            key = (sender, address, self._turn)
            self._waiting.pop(key, None)
            if len(self._waiting) < MOST_WAITING:
                self._waiting[key] = said
            self._came.notify()

    def _work(self) -> None:
        """Do what has come, in order; of several values for one address the newest."""
        while True:
            with self._came:
                self._came.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                key = next(iter(self._waiting))
                said = self._waiting.pop(key)
            self._take(key[0], key[1], said)

    def _take(self, sender: tuple[Any, ...], address: str, said: Sequence[Any]) -> None:
        """One message; whatever is wrong with it is answered, and ends nothing."""
        peer = self._peer(sender)
        try:
            self._do(sender, peer, address.strip("/"), said)
        except InkstreamError as error:
            self._refuse(sender, address, str(error))
        except Exception as error:
            log.warning("OSC %s: %s", plain(address, 80), reason(error), exc_info=log.isEnabledFor(logging.DEBUG))
            self._refuse(sender, address, reason(error))

    def _do(self, sender: tuple[Any, ...], peer: _Peer, path: str, said: Sequence[Any]) -> None:
        path = addresses.ALIASES.get(path, path)
        if path == "status":
            doing = self._desk.doing()
            self._send(sender, "/status", [doing.state, float(doing.fps), float(doing.latency_ms), doing.text])
        elif path == "params":
            peer.known.clear()
            self._tell(sender, peer, self._desk.values().values)
        elif path == "midi/learn":
            self._desk.touched(str(said[0]).strip("/") if said else "", "name")
        elif path in COMMANDS:
            self._desk.command(path, said, "osc")
        elif path.startswith("fader/"):
            self._fade(sender, peer, path.removeprefix("fader/"), said)
        elif not said:
            self._send(sender, f"/{path}", addresses.spoken(self._desk.value(addresses.find(path).path)))
        else:
            parameter = addresses.find(path)
            value = addresses.value_of(parameter, said)
            peer.known[path] = value
            self._desk.set(path, value, "osc", self._answer(sender, path))

    def _fade(self, sender: tuple[Any, ...], peer: _Peer, path: str, said: Sequence[Any]) -> None:
        path = addresses.ALIASES.get(path, path)
        parameter = addresses.find(path)
        value = addresses.at_fader(parameter, said[0] if said else None, said[1:])
        peer.faders[path] = tuple(said[1:])
        peer.known[path] = value
        self._desk.set(path, value, "osc", self._answer(sender, f"fader/{path}"))

    def _answer(self, sender: tuple[Any, ...], path: str) -> Callable[[str], None]:
        def done(why: str) -> None:
            if why:
                self._refuse(sender, f"/{path}", why)

        return done

    def _refuse(self, sender: tuple[Any, ...], address: str, why: str) -> None:
        self._send(sender, "/error", [plain(address, 200), plain(why, 1000)])

    def _peer(self, sender: tuple[Any, ...]) -> _Peer:
        now = self._clock()
        with self._lock:
            if self._named or self._quiet:
                return _Peer() if self._quiet else self._peers.get(sender, _Peer())
            gone = [each for each, peer in self._peers.items() if now - peer.at > TOLD_FOR and each != sender]
            for each in gone:
                del self._peers[each]
            peer = self._peers.pop(sender, None) or self._new()
            self._peers[sender] = peer  # the last one is who spoke last
            while len(self._peers) > MOST_PEERS:
                del self._peers[next(iter(self._peers))]
            peer.at = now
            return peer

    def _new(self) -> _Peer:
        """Somebody who knows how things are: they are told what changes from now on."""
        peer = _Peer()
        peer.known = dict(addresses.leaves(self._desk.values().values))
        return peer

    # --- what goes

    def _changed(self, values: Mapping[str, Any]) -> None:
        with self._lock:
            peers = list(self._peers.items())
        for sender, peer in peers:
            self._tell(sender, peer, values)

    def _tell(self, sender: tuple[Any, ...], peer: _Peer, values: Mapping[str, Any]) -> None:
        for path, value in addresses.leaves(values):
            if path in peer.known and peer.known[path] == value:
                continue
            peer.known[path] = value
            self._send(sender, f"/{path}", addresses.spoken(value))
            if path in peer.faders and isinstance(value, int | float):
                low, high = addresses.span(addresses.find(path), peer.faders[path])
                self._send(sender, f"/fader/{path}", [min(1.0, max(0.0, (value - low) / (high - low)))])

    def _send(self, sender: tuple[Any, ...], address: str, said: list[Any]) -> None:
        try:
            if self._fits(said):
                self._server.socket.sendto(self._build(address, [_as_osc(each) for each in said]).dgram, sender)
        except OSError as error:  # nobody is there any more, which is not our trouble
            log.debug("OSC: %s is not reached: %s", sender, reason(error))
        except Exception as error:  # noqa: BLE001 - what cannot be said in OSC must not end a change of settings
            log.warning("OSC: %s cannot be said: %s", address, reason(error))

    @staticmethod
    def _fits(said: list[Any]) -> bool:
        return sum(len(str(each)) for each in said) < MOST_TEXT

    def _failed(self, request: Any, sender: Any) -> None:
        log.warning("OSC: what %s sent cannot be read", sender, exc_info=log.isEnabledFor(logging.DEBUG))


def _not_garbage(record: logging.LogRecord) -> bool:
    """python-osc logs whatever it cannot read, byte by byte; strangers would write our log."""
    return record.module not in ("osc_bundle", "osc_message", "osc_packet")


def _as_osc(value: Any) -> Any:
    """Whole numbers that OSC's 32 bits do not hold go as text, which is read back as well."""
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**31) <= value < 2**31:
        return str(value)
    return value


KIND = Kind(
    "OSC: consoles, TouchOSC, TouchDesigner (needs inkstream[control])",
    ("osc:9000", "osc:9000,feedback=192.168.0.7:9001", "osc:0.0.0.0:9000"),
    {
        "path": Option(place, "PORT|HOST:PORT", "where it listens; else this computer alone reaches it"),
        "feedback": Option(place, "HOST:PORT", "who is told of changes; else whoever sends something"),
        "quiet": Option(flag, "", "tell nobody; errors are answered all the same"),
    },
    Osc,
)
