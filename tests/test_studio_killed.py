"""The studio's server is killed while somebody draws, and started again: the drawing goes on as it was."""

import contextlib
import os
import subprocess
import sys
import time
from types import SimpleNamespace

from doubles.studio import Talk, asking, plain
from websockets.exceptions import ConnectionClosed


@contextlib.contextmanager
def process(folder, port=0):
    """A server that can be killed."""
    words = [sys.executable, "-m", "doubles.studio", str(folder), str(port)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        address = lambda path="", host="": f"http://127.0.0.1:{port}{path}"
        try:
            yield SimpleNamespace(kill=server.kill, pid=server.pid, port=port, address=address)
        finally:
            server.kill()


def document(server, session):
    with asking(server) as rest:
        return rest.get(f"/sessions/{session}/document").content.splitlines()


def test_a_kill_while_somebody_draws_takes_nothing_that_was_kept(tmp_path):
    kept = drawn = 0
    with process(tmp_path) as server:
        page = Talk(server)
        page.draw(plain(60))
        page.see()
        page.say(type="set", request=1, changes={"prompt": "before the kill"})
        page.hear("done", request=1)
        written = tmp_path / "drawings" / page.session / "settings.json"
        with asking(server) as rest:
            while not written.is_file() or "before the kill" not in written.read_text():
                rest.get("/healthz")
        with contextlib.suppress(ConnectionClosed, OSError):
            while True:
                page.ops(*[{"op": "clear"}] * 3)
                drawn += 3
                if drawn == 300:
                    before = document(server, page.session)
                    time_of_kill = time.monotonic()
                    server.kill()  # some of it is on its way
                kept = max([kept, *(each["number"] for each in page.heard if each["type"] == "kept")])
                page.once()
    kept = max([kept, *(each["number"] for each in page.heard if each["type"] == "kept")])
    with process(tmp_path, server.port) as again, Talk(again, page.client, page.session, revision=kept) as back:
        assert back.welcome["kept"] >= kept and back.welcome["reset"] is False
        assert back.hear("settings")["values"]["prompt"] == "before the kill"
        there = document(again, page.session)
        assert there[: len(before)] == before  # byte for byte
        back.number = back.welcome["kept"]
        back.ops(*[{"op": "clear"}] * (drawn - back.number + 2))
        back.hear("kept", number=drawn + 2)
        back.draw(plain(200))
        back.see()
        assert time.monotonic() - time_of_kill < 30
        numbers = [f'"number":{number}' for number in range(1, drawn + 3)]
        assert all(number in line.decode() for number, line in zip(numbers, document(again, page.session), strict=True))
