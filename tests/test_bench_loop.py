"""The measurement of the loop measures what it says, and writes it down with its configuration."""

import json

import typer
from typer.testing import CliRunner

from inkstream.bench import loop


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
    assert overhead["end_to_end"]["count"] == 40
    assert overhead["end_to_end"]["p50_ms"] > overhead["prepare"]["p50_ms"] > 0
    assert backlog["rendered"] == 20
    assert backlog["dropped"] > 40, "the source is twelve times as fast"
    assert backlog["end_to_end"]["p50_ms"] > backlog["inference_ms"]
