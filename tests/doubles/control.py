"""A run that is steered, without a network: a session, its desk, and what talks to it by OSC and MIDI."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, contextmanager

from doubles.studio import WITHIN, run_config
from inkstream.bench.synthetic import FakeStream
from inkstream.stream.app.control.desk import Desk
from inkstream.stream.app.studio.steering import Steering
from inkstream.stream.base.frame import Size
from inkstream.stream.session.session import Session


class Slow(FakeStream):
    """Changes wait until ``gate`` is open; ``made`` are those that came through, in order."""

    def __init__(self, config) -> None:
        super().__init__(steps=1, size=Size(64, 64))
        self.config = config
        self.gate, self.made = threading.Event(), []
        self.gate.set()

    def update(self, **changes):
        self.gate.wait(WITHIN)
        revision = super().update(**changes)
        self.made.append(changes)
        return revision


class Steered:
    """What ``inkstream run`` puts together."""

    def __init__(self, desk, session, stream) -> None:
        self.desk, self.session, self.stream = desk, session, stream

    def until(self, condition):
        """Wait for something to be so, while the session goes on."""
        for _ in range(int(WITHIN / 0.01)):
            if condition():
                return
            assert not self.session.wait(0.01), self.session.error
        raise AssertionError("it did not come")


@contextmanager
def steered(folder, **settings):
    """A session that runs, with its desk."""
    config = run_config(**settings).stream
    with ExitStack() as stack:
        steering = Steering(config, lambda news: None, progress=lambda: ("", None), model="fake", folder=folder)
        stack.callback(steering.end)
        stack.callback(steering.canvas.close)
        desk, stream = Desk(steering, config), Slow(config)
        source = "fake:pattern=noise,fps=30,size=64x64"
        session = stack.enter_context(Session(source, desk.heard(stream), ["null"], on_output=[desk.look]))
        desk.adopt(session, stream)
        session.start()
        yield Steered(desk, session, stream)


class Console:
    """Somebody who speaks OSC, at a port of their own."""

    def __init__(self, port, at=None) -> None:
        from pythonosc.osc_message import OscMessage
        from pythonosc.osc_message_builder import build_msg

        self._read, self._build, self._to = OscMessage, build_msg, ("127.0.0.1", port)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", at or 0))
        self.socket.settimeout(WITHIN)
        self.port = self.socket.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def say(self, address, *values):
        """One message."""
        self.socket.sendto(self._build(address, list(values)).dgram, self._to)

    def send(self, data):
        """Bytes, whatever they are."""
        self.socket.sendto(data, self._to)

    def hear(self, address):
        """The values of the next message to an address; others are left out."""
        while True:
            message = self._read(self.socket.recv(65536))
            if message.address == address:
                return list(message.params)


class Devices:
    """A mido backend with devices that a test plays."""

    def __init__(self, *names) -> None:
        self.names, self.open = list(names), {}

    def get_input_names(self):
        """Those that are connected."""
        return list(self.names)

    def open_input(self, name, callback):
        """A port that gives what is played to ``callback``."""
        port = Port(callback)
        self.open[name] = port
        return port

    def play(self, kind, **values):
        """One message of the first device that is open."""
        import mido

        next(iter(self.open.values())).callback(mido.Message(kind, **values))


class Port:
    """A device that is open."""

    def __init__(self, callback) -> None:
        self.callback, self.closed = callback, False

    def close(self):
        """Nothing comes any more."""
        self.closed = True
