"""``inkstream build`` and ``inkstream engines``: what they say, and what they remove."""

import os
import re
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from inkstream import engines
from inkstream.engines.cache import EngineCache, EngineKey, EnginePlan
from inkstream.stream.app.cli import app
from inkstream.stream.base.errors import EngineError
from inkstream.stream.base.frame import Size

KEY = EngineKey("denoise", "g", "w", "profile", "fp16", "tensorrt 11.4.0.106", "sm_90 NVIDIA H200", controlnets=1)


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """A user's cache of its own."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")


def command(*arguments, code=0):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


def filled(folder=None):
    cache = EngineCache(folder)
    for days, unit in ((40, "encode"), (2, "denoise")):
        key = replace(KEY, unit=unit)
        cache.get(key, lambda: EnginePlan(bytes(3_000_000), {"size": "512x512"}))
        then = time.time() - days * 86400
        os.utime(cache.path(key), (then, then))
    return cache


# --- engines


def test_list_shows_which_engines_run_and_why_others_do_not(monkeypatch):
    infos = [engines.EngineInfo("tensorrt", "no GPU was found"), engines.EngineInfo("eager", "")]
    monkeypatch.setattr(engines, "engines", lambda: infos)
    out = command("engines", "list").output
    assert re.search(r"tensorrt\W+no GPU was found", out)
    assert re.search(r"eager\W+runs", out)
    assert "nothing was built yet" in out


def test_list_shows_what_was_built():
    cache = filled()
    path = cache.path(KEY)
    path.write_bytes(path.read_bytes()[:-1])
    (cache.folder / f"foreign-{'0' * 32}.plan").write_bytes(b"x")
    out = command("engines", "list").output
    assert re.search(r"3\.0 MB\W+40 days ago\W+encode \+ 1 ControlNet\W+512x512\W+fp16\W+tensorrt 11", out)
    assert re.search(r"denoise-\w+\.plan: .*got \d+ bytes, expected \d+", out)
    assert f"foreign-{'0' * 32}.plan: " in out
    assert "3 files, 6.0 MB" in out


def test_prune_removes_only_what_cannot_be_used(tmp_path):
    cache = filled()
    path = cache.path(KEY)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    out = command("engines", "prune").output
    assert f"removed {path.name}" in out
    assert "1 files, 3.0 MB" in out
    assert [entry.parts["unit"] for entry in cache.entries()] == ["encode"]


@pytest.mark.parametrize(
    ("options", "left"),
    [(["--older-than", 30], ["denoise"]), (["--keep", 0.004], ["denoise"]), (["--keep", 1], ["denoise", "encode"])],
)
def test_prune_by_age_and_by_size(options, left):
    cache = filled()
    command("engines", "prune", *options)
    assert [entry.parts["unit"] for entry in cache.entries()] == left


def test_prune_all_in_another_folder(tmp_path):
    mine, other = filled(), filled(tmp_path / "other")
    assert "2 files" in command("engines", "prune", "--all", "--dir", tmp_path / "other").output
    assert other.entries() == []
    assert len(mine.entries()) == 2


# --- build


class Built:
    """What a stream says of its engine, without a model."""

    seen: list = []  # noqa: RUF012 - emptied for each test
    fails = None

    def __init__(self, config):
        self.config = config
        self.engine = SimpleNamespace(name="eager", about="PyTorch", passed_over={"tensorrt": "no GPU"})

    @classmethod
    def from_pretrained(cls, model, config=None, *, progress=None):
        progress("TensorRT: building denoise", 0.5)
        if cls.fails:
            raise cls.fails
        cls.seen.append((config.acceleration, config.width, config.height))
        return cls(config)

    @property
    def size(self):
        return Size(self.config.width, self.config.height)

    def update(self, **changes):
        self.config = self.config.changed(**changes)
        self.seen.append(("update", *self.size))

    def close(self):
        self.seen.append("closed")


@pytest.fixture
def built(monkeypatch):
    monkeypatch.setattr("inkstream.stream.loop.stream.Stream", Built)
    monkeypatch.setattr(Built, "seen", [])
    monkeypatch.setattr(Built, "fails", None)
    return Built


def test_build_makes_one_engine_for_each_size(built):
    out = command("build", "--size", "256x512", "--size", "128", "--engine", "eager")
    assert built.seen == [("eager", 256, 512), ("update", 128, 128), "closed"]
    assert re.search(r"256x512: eager \(PyTorch\), ready after \d+\.\d s", out.output)
    assert re.search(r"128x128: eager", out.output)
    assert "not tensorrt: no GPU" in out.output


def test_build_takes_size_and_engine_from_the_configuration(built):
    command("build", "--set", "width=320")
    ((acceleration, width, _), _) = built.seen
    assert (acceleration, width) == ("eager", 320), "the fastest there is here, by name"


@pytest.mark.parametrize(("option", "value"), [("--size", "512by512"), ("--engine", "warp")])
def test_a_wrong_option_is_a_usage_error(built, option, value):
    assert value in command("build", option, value, code=2).output
    assert built.seen == []


def test_an_engine_that_cannot_run_is_a_fault(built, monkeypatch):
    monkeypatch.setattr(Built, "fails", EngineError("acceleration 'tensorrt' cannot run here: no GPU"))
    out = command("build", "--engine", "tensorrt", code=1).output
    assert "error: acceleration 'tensorrt' cannot run here: no GPU" in out
