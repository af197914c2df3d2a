"""A message keeps its lines, whatever names of files bring along: line ends, a terminal's escapes, other writing."""

import logging
import sys

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from inkstream.stream.app.cli import app
from inkstream.stream.base import terminal
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.errors import ConfigError, InkstreamError, SinkUnavailable
from inkstream.stream.base.kept import png_with, read_making
from inkstream.stream.base.plain import one_line
from inkstream.stream.base.progress import note

ODD = "car\nerror: all is lost\x1b[2J\r\u2028画"
SHOWN = "car\\nerror: all is lost\\x1b[2J\\r\\u2028画"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs names that Windows does not allow")


@pytest.fixture
def said(tmp_path, monkeypatch):
    """What a command says, line by line."""
    monkeypatch.chdir(tmp_path)

    def say(*words: str, code: int) -> list[str]:
        result = CliRunner().invoke(app, list(words))
        assert result.exit_code == code, result.stderr
        assert all(char.isprintable() or char == "\n" for char in result.stderr), result.stderr
        return result.stderr.splitlines()

    return say


DEMO = ("run", "-s", "demo", "-t", "null", "--frames", "1", "--history", "0")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((*DEMO, "--like", f"{ODD}.png"), 2),
        ((*DEMO, "--like", f"no {ODD}.png"), 2),
        ((*DEMO, "--config", f"{ODD}.yaml"), 2),
        ((*DEMO, "--config", f"no {ODD}.yaml"), 2),
        ((*DEMO, "--journal", f"{ODD}.png/x.ink"), 2),
        ((*DEMO, "--model", ODD), 1),
        ((*DEMO, "--set", f'lora_dict={{"{SHOWN}.safetensors": 1}}'), 1),
        (("render", f"{ODD}.ink", "-t", "null"), 2),
        (("finish", f"no {ODD}.png"), 2),
        (("run", "-s", f"images:{ODD}", "-t", "null"), 1),
        (("run", "-s", "demo", "-t", f"video:{ODD}.png/x.mp4"), 1),
        (("run", "-s", ODD), 2),
        (("no\ncommand",), 2),
    ],
)
def test_an_error_is_one_line_that_shows_the_name_escaped(said, tmp_path, words, code):
    cv2.imwrite(str(tmp_path / "plain.png"), np.full((64, 64, 3), 255, np.uint8))
    (tmp_path / "plain.png").rename(tmp_path / f"{ODD}.png")
    (tmp_path / f"{ODD}.yaml").write_text("model: ink-tiny\nstream: {width: banana}\n")
    for ending in ("ink", "safetensors"):
        (tmp_path / f"{ODD}.{ending}").write_bytes(b"neither")
    (line,) = [each for each in said(*words, code=code) if each != "warming" and not each.startswith("loading ")]
    assert line.startswith("error: ") and ("car\\nerror: all is lost\\x1b[2J" in line or "no\\ncommand" in line)


def test_what_is_said_of_files_that_were_written_is_a_line_each(said, tmp_path):
    lines = said(*DEMO, "--journal", f"{ODD}.ink", "--json", f"{ODD}.json", code=0)
    assert lines[0] == "loading ink-tiny"  # at once, as nothing else is said for seconds
    assert {f"journal: {SHOWN}.ink", f"figures: {SHOWN}.json"} <= set(lines)
    assert (tmp_path / f"{ODD}.ink").exists() and not any(line.startswith("error") for line in lines)


def test_an_error_of_several_faults_keeps_its_lines(said, tmp_path):
    text = "model: ink-tiny\nstream:\n  width: banana\n  'x\\ny': 2\n  seed: true\n"
    (tmp_path / f"{ODD}.yaml").write_text(text)
    lines = said("config", "show", f"{ODD}.yaml", code=2)
    assert len(lines) == 3 and all(f"{SHOWN}.yaml:" in line for line in lines)
    assert "x\\ny: unknown setting" in lines[0]


def test_who_says_more_of_the_place_keeps_the_lines():
    with pytest.raises(ConfigError) as caught:
        StreamConfig.build(width="banana", seed="x")
    first, second = str(caught.value).split("\n")
    assert caught.value.after(f"{ODD}: ") == (f"{ODD}: {first}", second)
    assert str(SinkUnavailable(*caught.value.after("a\nb: "))) == f"a\\nb: {first}\n{second}"
    assert str(InkstreamError()) == "" and InkstreamError().after("x") == ("x",)


def test_a_recipe_with_several_faults_names_each(tmp_path):
    path = tmp_path / f"{ODD}.png"
    settings = {"width": "banana", "seed": "x"}
    recipe = {"inkstream": 1, "model": "ink-tiny", "stream": settings}
    path.write_bytes(png_with(np.zeros((8, 8, 3), np.uint8), recipe))
    with pytest.raises(ConfigError) as caught:
        read_making(path)
    assert len(str(caught.value).split("\n")) == 2 and str(caught.value).startswith(one_line(path))


def test_the_log_and_notes_keep_names_on_their_line(capsys, tmp_path):
    handler, error = terminal.Told(), SinkUnavailable("one", "two")
    for path in (tmp_path / ODD, str(tmp_path / ODD)):
        handler.emit(logging.LogRecord("x", logging.WARNING, "", 1, "%s: %d of them", (path, 3), None))
    handler.emit(logging.LogRecord("x", logging.WARNING, "", 1, "%s", (error,), None))
    handler.emit(logging.LogRecord("x", logging.WARNING, "", 1, "100 %", (), None))
    note(f"made: {ODD}")
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == [f"WARNING: {one_line(tmp_path)}/{SHOWN}: 3 of them"] * 2
    assert lines[2:] == ["WARNING: one", "two", "WARNING: 100 %", f"made: {SHOWN}"]
