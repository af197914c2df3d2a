"""The measurement of the loop measures what it says, and writes it down with its configuration."""

import json
import signal
import subprocess
import sys
import time

import pytest
import typer
from typer.testing import CliRunner

from inkstream.bench import loop
from inkstream.bench.timing import run_whole

windows = pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be sent SIGINT there")


def test_it_measures_prints_and_writes(tmp_path):
    app = typer.Typer()
    app.command()(loop.main)
    target = tmp_path / "loop.json"
    result = CliRunner().invoke(app, ["--frames", "40", "--size", "64x64", "--json", str(target)])
    assert result.exit_code == 0, result.output
    assert "overhead" in result.output and "numpy" in result.output
    written = json.loads(target.read_text())
    assert written["configuration"]["frames"] == 40
    assert written["machine"]["python"]
    overhead, backlog = written["overhead"], written["backlog"]
    assert 20 < overhead["end_to_end"]["count"] <= 40, "of those rendered, a busy machine's sink gets the newest"
    assert overhead["end_to_end"]["p50_ms"] > overhead["prepare"]["p50_ms"] > 0
    assert backlog["rendered"] == 20
    assert backlog["dropped"] > 40, "the source is twelve times as fast"
    assert backlog["end_to_end"]["p50_ms"] > backlog["inference_ms"]


@windows
@pytest.mark.parametrize("after", [1.0, 2.6])  # in the overhead, in the backlog
def test_t10_interrupted_it_leaves_with_130_and_claims_nothing(tmp_path, after):
    program = "from inkstream.stream.app.cli import main; main()"
    options = ("--frames", "400", "--size", "64x64", "--json", "loop.json")
    command = [sys.executable, "-c", program, "bench", "loop", *options]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        time.sleep(after + 1)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=10)
    finally:
        process.kill()
    assert (process.returncode, output, errors) == (130, b"", b"")
    assert not list(tmp_path.iterdir())


def test_t10_a_session_that_a_signal_ended_is_no_measurement():
    class Ended:
        interrupted = signal.SIGINT

        def run(self, frames):
            assert frames == 7

    with pytest.raises(KeyboardInterrupt):
        run_whole(Ended(), 7)


def test_t9_a_file_that_is_there_is_not_replaced(tmp_path):
    app = typer.Typer()
    app.command()(loop.main)
    (tmp_path / "loop.json").write_text("mine")
    result = CliRunner().invoke(app, ["--frames", "20", "--size", "64x64", "--json", str(tmp_path / "loop.json")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "loop.json").read_text() == "mine"
    assert json.loads((tmp_path / "loop-2.json").read_text())["overhead"]
