"""A prompt that is refused is named where the person looks: on the command line, in the file, in the window."""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from inkstream.stream.app.cli import app
from inkstream.stream.base.configfile import load_config, parse_set
from inkstream.stream.base.errors import ConfigError

BAD = [
    ("caf\udce9", "got text that is not UTF-8 at 'caf\\udce9', expected UTF-8"),
    ("a (red:1.2.3) car", "got the weight '1.2.3', expected a number"),
    ("a <lora:x:much> car", "got '<lora:x:much>', expected one number"),
    ("a [cat:dog:0.5]", "got '[cat:dog:0.5]', expected (words:1.3)"),
    ("a BREAK b", "got BREAK, which makes 2 parts of it"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
@pytest.mark.parametrize("way", ["--prompt", "--set"])
def test_f14_on_the_command_line(way, text, message):
    given = text if way == "--prompt" else f"prompt={text}"
    result = CliRunner().invoke(app, ["run", "--source", "demo", "--sink", "null", way, given])
    said = " ".join(result.output.split())
    assert result.exit_code == 2
    assert message in said and "Traceback" not in said and len(said) < 400


@pytest.mark.skipif(os.name != "posix", reason="needs posix: only there an argument may be bytes that are no text")
def test_f14_bytes_that_are_not_utf8_in_a_process_of_its_own():
    call = [sys.executable, "-m", "inkstream.stream.app.cli", "run", "--prompt", b"caf\xe9"]
    done = subprocess.run(call, capture_output=True, timeout=120, check=False)
    assert done.returncode == 2, done
    assert rb"caf\udce9" in done.stderr and b"Traceback" not in done.stderr


@pytest.mark.parametrize(("text", "message"), BAD[1:])
def test_f14_in_a_file_with_its_line(tmp_path, text, message):
    file = tmp_path / "studio.yaml"
    file.write_text(f"base: ink-tiny\nstream:\n  seed: 3\n  prompt: {text!r}\n", "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert f"studio.yaml:4:11: stream.prompt: {message}" in str(caught.value)


def test_f14_halves_of_surrogates_and_other_encodings_in_a_file(tmp_path):
    file = tmp_path / "studio.yaml"
    file.write_text('base: ink-tiny\nstream:\n  prompt: "caf\\uD83D"\n', "utf-8")
    with pytest.raises(ConfigError, match=r"studio.yaml:3:11: stream.prompt: got text that is not UTF-8"):
        load_config(file)
    file.write_bytes("base: ink-tiny\nstream:\n  prompt: café\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"studio.yaml"):
        load_config(file)


def test_weights_can_be_given_with_set():
    assert parse_set("prompt=a (red:1.3) car, 12:30") == ("prompt", "a (red:1.3) car, 12:30")
