"""Workers as processes, by a real Ray on this machine: ``pytest -m cluster``."""

import contextlib
import importlib.util
import os
import signal
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from doubles.cluster import Pretend, until
from doubles.studio import HERE, Talk, plain, run_config, studio

from inkstream.stream.app.cluster.config import ClusterConfig
from inkstream.stream.app.cluster.courier import Courier
from inkstream.stream.app.cluster.gateway import Gateway
from inkstream.stream.app.cluster.rays import Raised, ray_module
from inkstream.stream.app.studio.serve import Server, bound
from inkstream.stream.base.private import user_state

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
BOTS = int(os.environ.get("INKSTREAM_CLUSTER_BOTS", "6"))
SECONDS = float(os.environ.get("INKSTREAM_CLUSTER_SECONDS", "10"))


@pytest.fixture(scope="module")
def cluster():
    """A Ray on this machine with two workers of a pretend model, which takes 10 ms a picture."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("needs ray")
    config, run = ClusterConfig.model_validate({"workers": 2, "fps": 1, "duty": 0.1}), run_config()
    ray_module(local=True)
    courier = Courier(Raised(run, config, user_state() / "kept", make=Pretend(0.01)))
    try:
        yield config, run, courier.links()
    finally:
        courier.close()


@contextlib.contextmanager
def page_of(cluster, folder):
    config, run, links = cluster
    gateway = Gateway(run, lambda: links, spare=config.spare, silence=10.0)
    server = Server(gateway, bound("127.0.0.1", 0), hosts=HERE, folder=folder / "drawings", kept=folder / "kept")
    server.start()
    gateway.start()
    try:
        until(lambda: len(gateway._ledger.workers) == len(links), 120)
        print({name: place.slots for name, place in gateway._ledger.workers.items()})
        yield server, gateway
    finally:
        server.stop()
        gateway.close()


def drawn(number, frame):
    pixels = plain(frame * 67 % 200)
    pixels[:32] = (20 + 235 * number // BOTS, 255 - 235 * number // BOTS, 128)
    return pixels


def mine(number, seen):
    return np.abs(seen[4].astype(int) - (255 - drawn(number, 0)[4].astype(int))).max() < 12


def bot(server, number, end, took):
    """Draw until ``end()``; every picture must be its own."""
    with Talk(server, f"drawer{number:03}") as page:
        frame = 0
        while not end() or frame < 3:
            began = time.perf_counter()
            _, seen = page.see(of=page.draw(drawn(number, frame)))
            took.append(1000 * (time.perf_counter() - began))
            assert mine(number, seen), (number, frame)
            page.heard.clear()
            page.frames.clear()
            frame += 1
        return frame


def test_every_bots_pictures_are_its_own(cluster, tmp_path):
    with page_of(cluster, tmp_path) as (server, gateway), ThreadPoolExecutor(BOTS) as pool:
        alone, together = [], []
        stop = time.monotonic() + SECONDS / 2
        bot(server, 0, lambda: time.monotonic() > stop, alone)
        stop = time.monotonic() + SECONDS
        bots = [pool.submit(bot, server, number, lambda: time.monotonic() > stop, together) for number in range(BOTS)]
        count = sum(each.result() for each in bots)
        p95 = [statistics.quantiles(each, n=20)[-1] for each in (alone, together)]
        print(f"{BOTS} bots, {count} pictures; pen to render p95 {p95[0]:.0f} ms alone, {p95[1]:.0f} ms together")
        assert {place.mine for place in gateway._ledger.workers.values()} != {0}


def test_a_killed_worker_costs_a_moment_and_is_back(cluster, tmp_path):
    _, _, links = cluster
    with page_of(cluster, tmp_path) as (server, gateway), contextlib.ExitStack() as talks:
        pages = [talks.enter_context(Talk(server, f"drawer{number:03}")) for number in range(4)]
        for number, page in enumerate(pages):
            page.see(of=page.draw(drawn(number, 0)))
        rooms = {room.session: room for room in server.site.rooms.open.values()}
        where = [rooms[page.session].live.link for page in pages]
        process = links[0].ask("hello", within=10).process
        gaps, began = {}, time.perf_counter()

        def watch(number):
            while rooms[pages[number].session].live.link is links[0]:
                time.sleep(0.001)
            gone = time.perf_counter() - began
            _, seen = pages[number].see()
            gaps[number] = gone, time.perf_counter() - began
            assert mine(number, seen)

        hit = [number for number, link in enumerate(where) if link is links[0]]
        assert len(hit) == 2
        threads = [threading.Thread(target=watch, args=(number,)) for number in hit]
        os.kill(process, signal.SIGKILL)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        shown = ", ".join(f"{1000 * first:.0f}/{1000 * second:.0f}" for first, second in gaps.values())
        print(f"killed: moved/next picture after {shown} ms")
        assert sorted(gaps) == hit
        until(lambda: len(gateway._ledger.workers) == 2, 120)
        assert links[0].ask("hello", within=10).process != process
        print(f"the worker was back after {time.perf_counter() - began:.1f} s")


def test_what_gateway_and_ray_add(cluster, tmp_path):
    _, _, links = cluster
    times, near, far = [], [], []
    for _ in range(200):
        began = time.perf_counter()
        links[1].ask("hello", within=10)
        times.append(1000 * (time.perf_counter() - began))
    with page_of(cluster, tmp_path / "far") as (there, _), studio(tmp_path / "near", maker=Pretend(0.01)) as here:
        for _ in range(8):  # in turns, as the machine may be busy with other things
            for server, took in ((here, near), (there, far)):
                stop = time.monotonic() + SECONDS / 20
                bot(server, 0, lambda stop=stop: time.monotonic() > stop, took)
    for name, took in (("a call to a worker", times), ("pen to render here", near), ("pen to render there", far)):
        cuts = statistics.quantiles(took, n=20)
        print(f"{name}: {cuts[9]:.2f} ms p50, {cuts[-1]:.2f} ms p95 of {len(took)}")
    assert statistics.median(far) < statistics.median(near) + 50
