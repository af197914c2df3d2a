"""The commands of a cluster as people give them, with a real Ray and TLS between its nodes: ``pytest -m cluster``."""

import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import httpx2
import numpy as np
import psutil
import pytest
from doubles.cluster import until
from doubles.studio import Talk

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
PROGRAM = (sys.executable, "-c", "from inkstream.stream.app.cli import main; main()")
PATIENCE = 600.0  # seconds for models to be loaded, on a machine that is busy
PICTURES = 20
SMALL = "model: ink-tiny\nstream: {width: 64, height: 64, acceleration: eager, warmup: 0}\n"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(environment, *words):
    """A command that serves a page, and ends by Ctrl-C."""
    port = free_port()
    more = ("--no-open", "--port", str(port), "--history", "0")
    process = subprocess.Popen([*PROGRAM, *words, *more], env=environment, cwd=environment["HOME"])
    server = SimpleNamespace(address=lambda path="/": f"http://127.0.0.1:{port}{path}", process=process)
    try:
        until(lambda: process.poll() is not None or answer(server, "/readyz") == 200, PATIENCE)
        assert process.poll() is None
        yield server
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    finally:
        process.kill()
        process.wait()


def answer(server, path):
    with contextlib.suppress(httpx2.HTTPError):
        return httpx2.get(server.address(path), timeout=10).status_code
    return None


def workers(server):
    """Drawings of each worker, as the page's server knows them."""
    lines = httpx2.get(server.address("/metrics"), timeout=10).text.splitlines()
    found = [line.split() for line in lines if line.startswith("inkstream_worker_drawings{")]
    return {name.split('"')[1]: int(float(value)) for name, value in found}


def said(environment, *words):
    """What a command says; whether all went well."""
    done = subprocess.run([*PROGRAM, *words], env=environment, capture_output=True, text=True, timeout=PATIENCE)
    return done.stdout + done.stderr, done.returncode


def page_of(number):
    """A drawing that differs much from the last."""
    random = np.random.default_rng(number)
    return (random.integers(0, 2, (8, 8, 1), np.uint8) * 255).repeat(32, 0).repeat(32, 1).repeat(3, 2)


def test_a_cluster_begins_is_looked_at_drawn_on_and_emptied(tmp_path, monkeypatch):
    if importlib.util.find_spec("ray") is None:
        pytest.skip("needs ray")
    monkeypatch.setattr("doubles.studio.WITHIN", 120.0)
    places = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state"), "COLUMNS": "200"}
    environment = {**os.environ, **places}
    assert said(environment, "cluster", "certificates", str(tmp_path / "tls"))[1] == 0
    plan = tmp_path / "cluster.yaml"
    (tmp_path / "small.yaml").write_text(SMALL)
    about = f"run: {tmp_path / 'small.yaml'}\ntls: {tmp_path / 'tls'}\n"
    plan.write_text(f"{about}workers: 2\nspare: 0\nfps: 1\nduty: 0.1\nsilence: 30\n")
    with running(environment, "cluster", "up", "--config", str(plan)) as first:
        until(lambda: len(workers(first)) == 2, PATIENCE)
        with running(environment, "studio", "--backend", "ray") as second:
            with Talk(second) as page:
                page.see(of=page.draw(page_of(0)))
                process = psutil.Process(second.process.pid)
                spent, began = sum(process.cpu_times()[:2]), time.monotonic()
                for number in range(PICTURES):
                    page.see(of=page.draw(page_of(number + 1)))
                spent, took = sum(process.cpu_times()[:2]) - spent, time.monotonic() - began
            cost, rate = 1000 * spent / PICTURES, PICTURES / took
            print(f"a gateway takes at most {cost:.1f} ms of a core a picture, at {rate:.1f} a second")
            until(lambda: sum(workers(second).values()) == 1, 30)
            full = next(name for name, count in workers(second).items() if count)
            told, code = said(environment, "cluster", "status")
            print(told)
            rows = {line.split()[0]: line.split() for line in told.splitlines() if line.startswith("worker-")}
            assert code == 0 and set(rows) == {"worker-0", "worker-1"}
            assert rows[full][1] == "1" and rows[full][-1] == "ready"
            told, code = said(environment, "cluster", "drain", full)
            assert code == 0 and f"{full} is empty" in told
            with Talk(second, "page00002", page.session) as again:
                again.see(of=again.draw(page_of(99)))  # at the other
                until(lambda: workers(second)[full] == 0 and sum(workers(second).values()) == 1, 30)
            told, code = said(environment, "cluster", "status")
            assert code == 0 and "being emptied" in next(line for line in told.splitlines() if line.startswith(full))
            told, code = said(environment, "cluster", "drain", "worker-7")
            assert code == 2 and "expected one of: worker-0, worker-1" in " ".join(told.split())
    told, code = said(environment, "cluster", "status")
    assert code == 2 and "start one with: inkstream cluster up" in " ".join(told.split())
