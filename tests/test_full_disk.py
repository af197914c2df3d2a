"""A disk that takes no more: it is named, and what was made before stays."""

import errno
import json
import os
from types import SimpleNamespace

import pytest
from safetensors import SafetensorError
from test_cli import command, stream  # noqa: F401 - a fixture

from inkstream.bench.bench import Wanted
from inkstream.lora.train import outputs
from inkstream.stream.base.errors import InkstreamError, ModelError

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def full_disk(monkeypatch):
    def refuse(*_, **__):
        raise FULL

    monkeypatch.setattr("inkstream.stream.base.files.write_new", refuse)
    monkeypatch.setattr("inkstream.bench.bench.write_new", refuse)


def test_t14_a_demo_without_room_for_its_page_keeps_its_recording(stream, full_disk, tmp_path):  # noqa: F811
    result = command("demo", "--headless", "--frames", 40, code=1)
    assert "error: page: inkstream-demo.png cannot be written: No space left on device" in result.stderr
    assert "40 frames rendered" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["inkstream-demo.mp4"]


def test_t14_figures_without_room_are_printed_all_the_same(stream, full_disk):  # noqa: F811
    run = ("run", "-s", "fake:frames=5,live=0,size=64,pattern=noise", "-t", "null", "--json", "figures.json")
    result = command(*run, code=1)
    assert "error: figures: figures.json cannot be written: No space left on device" in result.stderr
    assert "5 frames rendered" in result.stdout


def test_t14_a_bench_without_room_prints_its_table(full_disk, tmp_path, capsys):
    from rich.table import Table

    result = {"machine": {"processor": "x", "cores": 1}, "bench": "fps", "configuration": {}}
    with pytest.raises(InkstreamError, match=r"out\.json cannot be written: No space left on device"):
        Wanted(json=tmp_path / "out.json").publish(result, Table("a table"))
    assert "a table" in capsys.readouterr().out


@pytest.mark.parametrize("fault", [FULL, SafetensorError("Error while serializing: I/O error: x (os error 28)")])
def test_t14_a_model_that_cannot_be_written_leaves_the_one_before(tmp_path, fault):
    class Task:
        def write(self, folder):
            (folder / "half").write_text("half")
            raise fault

    target = tmp_path / "model"
    target.mkdir()
    (target / "notes").write_text(json.dumps("before"))
    with pytest.raises(ModelError, match=r"the model cannot be written: No space left on device"):
        outputs.write_model(target, Task(), SimpleNamespace(), 1, 1.0)
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "notes"]
