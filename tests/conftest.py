"""Fixtures of several files, and those that need something from outside: a display, the reference implementation.

A test that lacks something skips with a reason that begins "needs X". Where INKSTREAM_REQUIRE names X (several with
commas between), that is a failure instead: so a machine that claims to test everything cannot skip in silence.
"""

import atexit
import gc
import importlib
import importlib.metadata
import importlib.util
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

# A busy machine is slow now and then, which says nothing about an example.
settings.register_profile("inkstream", deadline=None)
settings.load_profile("inkstream")

# Pipelines are built all the time, and looking for garbage after every few hundred objects takes a quarter of the time.
gc.set_threshold(20_000, 10, 10)

# Nothing that tests draw is anybody's history.
os.environ["INKSTREAM_HISTORY"] = "0"

# Processes that tests start find the stand-ins as the tests do.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]))

# What inkstream remembers between runs is not this user's in tests; each test run begins with nothing.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="inkstream-tests-")
atexit.register(shutil.rmtree, os.environ["XDG_STATE_HOME"], ignore_errors=True)

pytest_plugins = ("doubles.preview",)
REFERENCE = "0.1.1"
REQUIRED = {name.strip().lower() for name in os.environ.get("INKSTREAM_REQUIRE", "").split(",")} - {""}


def _lacking(report) -> str:
    """The reason of a skip for want of something that is required; empty for any other report."""
    if not report.skipped or hasattr(report, "wasxfail") or not isinstance(report.longrepr, tuple):
        return ""
    reason = report.longrepr[2].removeprefix("Skipped: ")
    wanted = re.match(r"needs ([\w-]+)", reason)
    return reason if wanted and wanted[1].lower() in REQUIRED else ""


def _fail(report) -> None:
    reason = _lacking(report)
    if reason:
        report.outcome = "failed"
        report.longrepr = f"skipped, but INKSTREAM_REQUIRE asks for it: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    _fail(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    report = yield
    _fail(report)
    return report


@pytest.fixture(autouse=True)
def _one_thread():
    """Small networks run faster on one thread, and test runs beside each other do not stand in each other's way."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture(autouse=True)
def auto_is_eager(monkeypatch):
    """``auto`` takes PyTorch itself in tests: it needs no compiler. A test that names another engine gets that one."""
    monkeypatch.setattr("inkstream.engines.FASTEST", {})


@pytest.fixture(scope="module")
def one_thread():
    """Networks this small gain nothing from threads, and lose much where the cores are busy with other things."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def engine_dir(request):
    """A folder for built engines that the next test run finds again, which saves it most of a minute."""
    return str(request.config.cache.mkdir("engines"))


@pytest.fixture(scope="session")
def xvfb():
    """The name of an X display of 1280x800 that exists for this test run, for example ":99"."""
    program = shutil.which("Xvfb")
    if program is None:
        pytest.skip("needs xvfb")
    reader, writer = os.pipe()
    server = subprocess.Popen(
        [program, "-displayfd", str(writer), "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-noreset"],
        pass_fds=[writer],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    try:
        with open(reader, "rb", closefd=True) as answer:  # it writes the number when it is ready for clients
            ready, _, _ = select.select([answer], [], [], 20)
            number = answer.readline().strip().decode() if ready else ""
        if not number:
            pytest.fail("Xvfb gave no display within 20 seconds")
        yield f":{number}"
    finally:
        server.terminate()
        server.wait(timeout=10)


@pytest.fixture
def painter(xvfb, monkeypatch):
    """Makes windows on the X display, which is also where this process looks; they are gone afterwards."""
    from doubles.x11 import Painter

    monkeypatch.setenv("DISPLAY", xvfb)
    for name in ("WAYLAND_DISPLAY", "XDG_SESSION_TYPE", "WINDOWID"):
        monkeypatch.delenv(name, raising=False)
    painter = Painter(xvfb)
    yield painter
    painter.numbers(painter.root, "_NET_CLIENT_LIST", [])
    painter.close()  # the server takes its windows away


@pytest.fixture(scope="session")
def reference(request):
    """The module ``streamdiffusion.pipeline`` of the published package, installed without its dependencies.

    It pins a diffusers that today's other packages do not run with, so it is no dependency of the tests.
    """
    try:
        have = importlib.metadata.version("streamdiffusion")
    except importlib.metadata.PackageNotFoundError:
        have = None
    if have != REFERENCE:
        folder = request.config.cache.mkdir(f"streamdiffusion-{REFERENCE}")
        with FileLock(folder.with_suffix(".lock")):  # test runs beside each other share the folder
            if not (folder / "streamdiffusion" / "pipeline.py").is_file():
                _install_reference(folder)
        sys.path.append(str(folder))
        importlib.invalidate_caches()
    return importlib.import_module("streamdiffusion.pipeline")


def _install_reference(folder) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target", str(folder)]
    try:
        done = subprocess.run(
            [*command, f"streamdiffusion=={REFERENCE}"], capture_output=True, text=True, timeout=120, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip("needs streamdiffusion: the package index does not answer")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        pytest.skip(f"needs streamdiffusion: {last}")


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Small models saved in diffusers layout; nobody may change them."""
    from doubles.tiny_models import tiny_sd, tiny_sd21, tiny_sdxl

    place = tmp_path_factory.mktemp("models")
    tiny_sd(vae="kl").save_pretrained(place / "sd")
    tiny_sd(controlnets=2).save_pretrained(place / "control")
    tiny_sdxl().save_pretrained(place / "sdxl")
    tiny_sd21().save_pretrained(place / "sd21", variant="fp16")
    return place


@pytest.fixture
def sd(folders, tmp_path):
    """A copy of a model's folder that a test may spoil; weights are links."""
    for path in (folders / "sd").rglob("*"):
        copy = tmp_path / "sd" / path.relative_to(folders / "sd")
        if path.is_dir():
            copy.mkdir(parents=True)
        elif path.suffix == ".safetensors":
            copy.hardlink_to(path)
        else:
            copy.write_bytes(path.read_bytes())
    return tmp_path / "sd"


@pytest.fixture
def built(monkeypatch):
    """The name of every engine that is built from now on."""
    from inkstream import engines

    found, build = [], engines.build
    monkeypatch.setattr(engines, "build", lambda *given: found.append(given[0]) or build(*given))
    return found
