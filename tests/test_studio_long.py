"""A studio for long: half an hour of drawing, fifty who look on, and a restart in the middle of a stroke.

``INKSTREAM_LONG=30 pytest -m slow -s tests/test_studio_long.py`` draws for thirty minutes; without it, for two.
"""

import contextlib
import math
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from doubles.browser import Artist, chromium
from doubles.studio import Talk
from test_studio_killed import document, process

pytestmark = pytest.mark.slow
MINUTES = float(os.environ.get("INKSTREAM_LONG", "2"))
SAMPLES = 20
MB = 1e6


@contextlib.contextmanager
def studio(folder, port=0):
    """``inkstream studio`` itself, with the embedded model, until SIGTERM."""
    words = [sys.executable, "-m", "inkstream.stream.app.cli", "studio", "--no-open", "--port", str(port)]
    home = {**os.environ, "XDG_STATE_HOME": str(folder)}
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, cwd=folder, env=home) as server:
        assert server.stderr is not None
        line = server.stderr.readline()
        assert line.startswith("studio: http"), line
        reading = threading.Thread(target=lambda: [None for _ in server.stderr], daemon=True)
        reading.start()
        base = line.split()[1].rstrip("/")
        try:
            yield SimpleNamespace(
                port=int(base.rpartition(":")[2]), address=lambda path="", host="": base + path, process=server
            )
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(15)
            reading.join(5)


def slope(samples):
    """How much a line through samples rises from its beginning to its end; the first fifth is settling."""
    rest = samples[len(samples) // 5 :]
    rise, _ = np.polyfit(np.arange(len(rest)), rest, 1)
    return rise * (len(rest) - 1)


def heap(artist):
    """Bytes of the page's objects, once what nobody needs is gone."""
    artist.touches.send("HeapProfiler.collectGarbage")
    return artist.touches.send("Runtime.getHeapUsage")["usedSize"]


def resident(process):
    """Of a process and all that it started."""
    return sum(each.memory_info().rss for each in [process, *process.children(recursive=True)])


@pytest.mark.timeout(60 * MINUTES + 300)
def test_memory_stays_flat_while_somebody_draws_and_the_document_small(tmp_path):
    with studio(tmp_path) as server, chromium() as browser, Artist(browser, server.address("/")) as artist:
        artist.until("inkstream.studio.offers.model && inkstream.studio.status.state !== 'loading'", 120)
        process, rng = psutil.Process(server.process.pid), np.random.default_rng(1)
        began, strokes, page, own = time.monotonic(), 0, [], []
        while (now := time.monotonic() - began) < 60 * MINUTES:
            x, y, size, turn = rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.8), rng.uniform(0.05, 0.2), rng.uniform(0, 6)
            angles = [turn + 0.3 * step for step in range(12)]
            artist.pen([(x + size * math.cos(a), y + size * math.sin(a)) for a in angles], (0.3, 0.9, 0.4), steps=6)
            strokes += 1
            if strokes % 10 == 0:
                artist.key("Control+z")
            if strokes % 60 == 0:  # a new sheet, as people take one
                artist.touches.send("Runtime.evaluate", {"expression": "inkstream.studio.clear?.()"})
            artist.settled()
            if now >= len(page) * 60 * MINUTES / SAMPLES:
                page.append(heap(artist))
                own.append(process.memory_info().rss)
        lines = document(server, artist.session)
        size = sum(map(len, lines)) + len(lines)
        grown = {"page": slope(page) / MB, "server": slope(own) / MB}
        print(
            f"\n{MINUTES:g} minutes, {strokes} strokes: document {size / MB:.2f} MB; page {page[-1] / MB:.1f} MB, "
            f"{grown['page']:+.1f}; server {own[-1] / MB:.0f} MB, {grown['server']:+.1f}"
        )
        print("page", [round(each / MB, 1) for each in page], "server", [round(each / MB) for each in own])
        assert size < 5 * MB and grown["page"] < 10 and grown["server"] < 40


def test_one_of_fifty_who_takes_nothing_costs_no_memory_and_slows_nobody(tmp_path):
    """Ten seconds with the stalled one, ten without, in turns for a minute."""
    rng = np.random.default_rng(1)
    rounds = [rng.integers(0, 255, (64, 64, 3), np.uint8) for _ in range(20)]
    with process(tmp_path) as server, Talk(server) as page, ThreadPoolExecutor(1) as pool:
        own = psutil.Process(server.pid)
        stalled = Talk(server, "viewer000", page.welcome["view"], "view")
        viewers = [Talk(server, f"viewer{n:03}", page.welcome["view"], "view") for n in range(1, 50)]

        def around(seconds, stalls):
            """Renders that everybody saw, in a second."""
            began, seen = time.monotonic(), 0
            while time.monotonic() - began < seconds:
                head, _ = page.see(of=page.draw(rounds[seen % len(rounds)]))
                for viewer in viewers if stalls else [*viewers, stalled]:
                    while viewer.see()[0].sequence < head.sequence:
                        pass
                    viewer.frames.clear()
                page.frames.clear()
                seen += 1
            return seen / (time.monotonic() - began)

        around(3, False)
        rates, memory = {True: [], False: []}, [own.memory_info().rss]
        for _ in range(3):
            for stalls in (True, False):
                rates[stalls].append(pool.submit(around, 10, stalls).result())
                memory.append(own.memory_info().rss)
        grown, ratio = (max(memory[1:]) - memory[0]) / MB, sum(rates[True]) / sum(rates[False])
        print(
            f"\nmemory {grown:+.1f} MB; the others at {ratio:.2f} of their rate ({np.mean(rates[True]):.1f} a second)"
        )
        assert grown < 20 and ratio > 0.8
        for viewer in [*viewers, stalled]:
            viewer.socket.close()


def test_after_a_restart_drawing_goes_on_within_two_seconds(tmp_path):
    ways = []
    with chromium() as browser, contextlib.ExitStack() as servers:
        first = servers.enter_context(studio(tmp_path))
        artist = servers.enter_context(Artist(browser, first.address("/"), expected=("WebSocket", "ERR_CONN", "502")))
        artist.until("inkstream.studio.status.state !== 'loading'", 120)
        artist.draw([((0.2, 0.2), (0.8, 0.3))])
        artist.settled()
        before = document(first, artist.session)
        first.process.send_signal(signal.SIGTERM)
        artist.pen(((0.2, 0.5), (0.8, 0.6)), (0.9,))  # while there is no server
        first.process.wait(15)
        began = time.monotonic()
        again = servers.enter_context(studio(tmp_path, first.port))
        ways.append(("the server listens", time.monotonic() - began))
        artist.until("inkstream.studio.connection.link === 'open'")
        ways.append(("the page is back", time.monotonic() - began))
        artist.until("inkstream.studio.connection.waiting.length === 0")
        ways.append(("all is kept", time.monotonic() - began))
        after = document(again, artist.session)
        assert after[: len(before)] == before and len(after) > len(before)
        artist.rendered()
        ways.append(("rendered again", time.monotonic() - began))
        print("\n" + ", ".join(f"{name} after {seconds:.2f} s" for name, seconds in ways))
        assert dict(ways)["all is kept"] < 2 * 2.0  # seconds; twice what is promised, as machines may be busy
