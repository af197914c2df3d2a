"""Two hundred things that people get wrong on a command line: each is refused in one short message that says what.

Nothing is loaded for it, nothing that was there is changed, and no library speaks for itself.
"""

import hashlib
import json
import os
import re
import struct
import subprocess
import sys

import cv2
import numpy as np
import pytest
from doubles.mistakes import CASES, HOSTILE, RUN
from doubles.program import Loaded
from typer.testing import CliRunner

from inkstream.lora.devices import resolve_device
from inkstream.stream import Stream
from inkstream.stream.app.cli import app

RAW = re.compile(
    r"Traceback|File \"|site-packages|Errno|pydantic|validation error|huggingface_hub\.|errors\.pydantic|0x[0-9a-f]{6,}"
    r"|<class|safetensors_rust|HTTPSConnection|Input should be"
)


def safetensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


FILES = {
    "text.txt": b"hello",
    "empty.yaml": b"",
    "list.yaml": b"- 1\n",
    "broken.yaml": b"model: [\n",
    "bomb.yaml": b"a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n",
    "tag.yaml": b"model: !!python/object:os.system {}\n",
    "binary.yaml": bytes(range(256)),
    "unknown.yaml": b"model: ink-tiny\nstream: {widht: 3}\n",
    "type.yaml": b"model: ink-tiny\nstream: {width: wide}\n",
    "nomodel.yaml": b"stream: {width: 64}\n",
    "model.yaml": b"model: no/such/model\n",
    "page.png": b"<html><body>404</body></html>",
    "cut.png": b"\x89PNG\r\n\x1a\n" + bytes(20),
    "empty.png": b"",
    "page.mp4": b"<html>",
    "empty.mp4": b"",
    "code.ckpt": b"\x80\x02.",
    "short.safetensors": b"\x01",
    "huge.safetensors": struct.pack("<Q", 1 << 60) + b"{}",
    "nojson.safetensors": safetensors(b"not json"),
    "notensors.safetensors": safetensors({}),
    "other.safetensors": safetensors({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, bytes(4)),
    "lfs.safetensors": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    HOSTILE.replace("/", ""): b"no picture",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the bad inputs name; nothing in it may change."""
    place = tmp_path_factory.mktemp("bad")
    for name, content in FILES.items():
        (place / name).write_bytes(content)
    (place / "nothing").mkdir()
    (place / "hostile").mkdir()
    (place / "hostile" / HOSTILE).write_bytes(b"no picture")
    cv2.imwrite(str(place / "good.png"), np.full((32, 32, 3), 255, np.uint8))
    (place / "weights").mkdir()
    (place / "weights" / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    if hasattr(os, "mkfifo"):
        os.mkfifo(place / "fifo")
    (place / "link").symlink_to("nowhere")
    return place


def check(result, arguments):
    words = f"{arguments}: {result.output!r}"
    assert result.exit_code in (1, 2), words
    assert isinstance(result.exception, SystemExit), words
    assert "unforeseen" not in result.stderr, words
    assert not RAW.search(result.stderr), words
    text = result.stderr.rstrip("\n")
    assert all(char.isprintable() or char == "\n" for char in text), words
    errors = [line for line in text.split("\n") if line.startswith("error: ")]
    assert len(errors) == 1 or (not errors and "Usage" in result.stdout), words
    message = text[text.index("error: ") :] if errors else ""
    assert message.count("\n") < 9 and all(len(line) <= 420 for line in message.split("\n")), words
    return message


def state(folder):
    found = {}
    for path in sorted(folder.rglob("*")):
        kept = path.is_file() and not path.is_symlink()
        found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest() if kept else ""
    return found


class Light(Loaded):
    """Loads models and LoRAs as the true one does where they are asked for, and is no network elsewhere."""

    @classmethod
    def from_pretrained(cls, model, config=None, *, progress=None, **settings):
        if settings or model != "ink-tiny" or config.lora_dict:
            return Stream.from_pretrained(model, config, progress=progress, **settings)
        if config.device not in ("auto", "cpu"):
            resolve_device(config)
        return super().from_pretrained(model, config, progress=progress)


@pytest.fixture
def light(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr("inkstream.stream.loop.stream.Stream", Light)
    return folder


PARTS = 8


@pytest.mark.parametrize("part", range(PARTS))
def test_what_people_get_wrong_is_refused_in_one_short_message(light, part):
    own = str(light / "out")  # where commands are told to write; one in which nothing was kept is begun anew
    before = {name: held for name, held in state(light).items() if not name.startswith(own)}
    for arguments in CASES[part::PARTS]:
        check(CliRunner().invoke(app, [str(each) for each in arguments]), arguments)
    after = {name: held for name, held in state(light).items() if not name.startswith(own)}
    assert after == before, "nothing that was there has changed, and nothing came to it"


def test_there_are_enough_of_them():
    assert len(CASES) >= 250 and len({str(each) for each in CASES}) == len(CASES)


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("models", "path", HOSTILE), b"not on this computer"),
        (("config", "show", "text.txt"), b"got text, expected settings"),
        (("run", "--frames", "x"), b"--frames: got 'x', expected a whole number"),
    ],
)
def test_a_process_says_nothing_else(folder, arguments, words):
    command = [sys.executable, "-c", "from inkstream.stream.app.cli import main; main()", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=False)
    assert done.returncode in (1, 2) and not done.stdout
    assert words in done.stderr and done.stderr.startswith(b"error: ")
    assert done.stderr.count(b"\n") == 1 and b"\x1b" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX")
def test_t16_a_user_without_a_home_folder_is_told_so(light, monkeypatch):
    def nobody(_):
        raise KeyError("uid not found")

    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", nobody)
    images = ("run", "-s", "images:~/x", "-t", "null")
    for arguments in (images, (*RUN, "--json", "~/x.json"), ("prepare", "~/x", "-o", "y")):
        message = check(CliRunner().invoke(app, list(arguments)), arguments)
        assert message == "error: this user has no home folder; set HOME to a folder"


@pytest.mark.skipif(sys.platform != "linux", reason="needs ulimit -v")
def test_t16_a_process_without_memory_is_told_so(folder):
    limited = "import resource; resource.setrlimit(resource.RLIMIT_AS, (400_000_000,) * 2)"
    command = [sys.executable, "-c", f"{limited}; from inkstream.stream.app.cli import main; main()", *RUN]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1 and not done.stdout
    *before, said = done.stderr.splitlines()
    assert said.startswith(b"error: ") and before in ([], [b"loading ink-tiny"]), done.stderr
    assert b"unforeseen" not in done.stderr


def test_t16_an_allocation_that_fails_is_named(monkeypatch):
    def full(*_, **__):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried")

    monkeypatch.setattr("inkstream.stream.app.commands.config.load_run", full)
    message = check(CliRunner().invoke(app, ["config", "show"]), ())
    assert message.startswith("error: this computer has no memory left for it")
