"""A studio for tests: the real server on a free port, a stream without a network, and a page that only talks."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import sys
import threading
import zlib
from pathlib import Path

import httpx2
import numpy as np
from PIL import Image
from websockets.sync.client import connect

from inkstream.bench.synthetic import FakeStream
from inkstream.stream.app.studio.frames import MORE, Format, Head, Kind, unpack
from inkstream.stream.app.studio.inprocess import InProcess
from inkstream.stream.app.studio.live import Made
from inkstream.stream.app.studio.serve import Server, bound
from inkstream.stream.base.configfile import parse_config
from inkstream.stream.base.frame import Size

SIDE = 64
HERE = {"localhost", "127.0.0.1", "[::1]"}
WITHIN = 10.0  # seconds for anything to come


def run_config(**settings):
    """A configuration of a made-up model, with small pictures."""
    values = {"width": SIDE, "height": SIDE, "t_index_list": [0], **settings}
    return parse_config(json.dumps({"model": "ink-tiny", "stream": values}))


def fake_maker(delay=0.0, wait=None):
    """Streams that show the negative of what is drawn; with ``wait``, an event, the model is loaded when it is set."""

    def make(config, progress):
        if wait is not None:
            progress("loading a pretend model", 0.5)
            wait.wait(WITHIN)
        stream = FakeStream(steps=1, delay=delay, size=Size(config.width, config.height))
        stream.config = config
        return Made(stream, None, stream.close)

    return make


@contextlib.contextmanager
def studio(
    folder,
    *,
    maker=None,
    most=8,
    token="",
    hosts=HERE,
    history=0,
    port=0,
    certificates=None,
    run=None,
    page=None,
    steered=None,
    rules=None,
):
    """A server that is up; ``folder`` keeps its drawings."""
    backend = InProcess(
        run or run_config(), maker or fake_maker(), most=most, history=history, folder=folder / "kept", steered=steered
    )
    listening = bound("127.0.0.1", port)
    server = Server(
        backend,
        listening,
        hosts=hosts,
        token=token,
        folder=folder / "drawings",
        kept=folder / "kept",
        certificates=certificates,
        rules=rules,
        **({"page": page} if page else {}),
    )
    server.start()
    backend.start()
    try:
        yield server
    finally:
        server.stop()
        backend.close()


def asking(server, **headers):
    """A client for REST."""
    return httpx2.Client(base_url=server.address("").rstrip("/"), headers=headers, timeout=WITHIN)


class Talk:
    """A page without a picture: ``heard`` is everything that was said to it, ``frames`` the pictures."""

    def __init__(self, server, client="page00001", session=None, role="draw", token=None, revision=0, hello=True):
        self.client, self.number, self.sequence = client, 0, 0
        self.heard, self.frames = [], []
        self.acknowledges = True
        address = server.address("/ws").replace("http", "ws", 1)
        self._connecting = connect(address, max_size=None, compression=None, close_timeout=1)
        self.socket = self._connecting.__enter__()
        if hello:
            said = {"type": "hello", "protocol": 1, "client": client, "session": session, "role": role}
            self.say(**said, token=token, revision=revision)
            self.welcome = self.hear("welcome")
            self.session, self.tag = self.welcome["session"], int(self.welcome["tag"], 16)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def say(self, **message):
        """One message."""
        self.socket.send(json.dumps(message))

    def once(self, within=None):
        """What comes next: a message, or a picture as (head, bytes)."""
        got = self.socket.recv(timeout=WITHIN if within is None else within)
        if isinstance(got, str):
            self.heard.append(json.loads(got))
            return self.heard[-1]
        head, picture = unpack(got)
        self.frames.append((head, bytes(picture)))
        if self.acknowledges and head.kind == Kind.RENDER:
            self.say(type="shown", sequence=head.sequence)
        return self.frames[-1]

    def hear(self, kind, **fields):
        """Wait for a message of a type, with these fields."""
        while True:
            got = self.once()
            if isinstance(got, dict) and got["type"] == kind and all(got[name] == fields[name] for name in fields):
                return got

    def see(self, kind=Kind.RENDER, **fields):
        """Wait for a picture: its head, and (H, W, 3) uint8 of it."""
        while True:
            got = self.once()
            if not isinstance(got, tuple) or got[0].kind != kind:
                continue
            if all(getattr(got[0], name) == fields[name] for name in fields):
                return self.pixels(got)

    @staticmethod
    def pixels(got):
        """A picture that came: its head, and (H, W, 3) uint8 of it."""
        return got[0], np.asarray(Image.open(io.BytesIO(got[1])).convert("RGB"))

    def ops(self, *ops):
        """Draw: operations get the next numbers."""
        listed = []
        for op in ops:
            self.number += 1
            listed.append({"number": self.number, **op})
        self.say(type="ops", client=self.client, ops=listed)

    def draw(self, pixels, labels=None, instances=None, tag=None, form=Format.PNG, document=0, at=0):
        """Send a picture of the drawing; returns its sequence."""
        self.sequence += 1
        height, width = pixels.shape[:2]
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, form.name)
        parts = [(Kind.SKETCH, form, file.getvalue())]
        for kind, packed in ((Kind.LABELS, labels), (Kind.INSTANCES, instances)):
            if packed is not None:
                parts.append((kind, Format.DEFLATE, zlib.compress(packed.tobytes())))
        for index, (kind, how, data) in enumerate(parts):
            flags = MORE if index < len(parts) - 1 else 0
            tag_now = self.tag if tag is None else tag
            head = Head(kind, how, flags, tag_now, self.sequence, 0, document, 0, width, height, at)
            self.socket.send(head.pack() + data)
        return self.sequence

    def cut(self):
        """The connection is gone, without a word."""
        self.socket.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def plain(level=255, side=SIDE):
    """(side, side, 3) uint8 of one gray level."""
    return np.full((side, side, 3), level, np.uint8)


def main(folder, port):
    """A server in a process of its own, until it is killed: ``python -m doubles.studio FOLDER PORT``."""
    with studio(Path(folder), port=int(port)) as server:
        print(server.port, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
