"""``inkstream studio`` as people start it: the page is there at once, and Ctrl-C ends it whatever is being loaded."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import httpx2
import pytest

from inkstream.stream.app.commands import studio as command
from inkstream.stream.app.studio import sharing
from inkstream.stream.base.errors import ConfigError


@pytest.mark.skipif(os.name == "nt", reason="needs signals of POSIX")
def test_the_page_is_there_before_the_model_and_ends_with_ctrl_c(tmp_path):
    words = [sys.executable, "-m", "inkstream.stream.app.cli", "studio", "--no-open", "--port", "0", "--share"]
    home = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "COLUMNS": "100"}
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=home) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.fullmatch(r"studio: http://localhost:(\d+)/#token=([\w-]+)\n", line)
        assert found, line
        with httpx2.Client(base_url=f"http://127.0.0.1:{found[1]}") as rest:
            assert rest.get("/readyz").status_code == 503
            made = rest.post("/sessions", headers={"Authorization": f"Bearer {found[2]}"})
            assert made.status_code == 201
            assert rest.post("/sessions").status_code == 401
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        rest_of_it = process.stderr.read()
        assert process.wait(10) == 130
        assert time.monotonic() - began < 4 and "Traceback" not in rest_of_it
        addresses = sharing.own_addresses()
        assert not addresses or f"#token={found[2]}" in rest_of_it
    assert (tmp_path / "inkstream" / "studio" / "token").read_text() == found[2]


def test_without_its_libraries_it_says_how_to_install_them(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ConfigError, match=r'pip install "inkstream\[studio\]"'):
        command.check_installed()
    monkeypatch.setitem(sys.modules, "segno", None)
    with pytest.raises(ConfigError, match=r"--share: the library segno is missing.*inkstream\[studio\]"):
        sharing.qr("x")
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(ConfigError, match="--tls: the library trustme is missing"):
        sharing.certificates({"localhost"})


def test_nothing_of_torch_is_loaded_before_the_page_is_there():
    code = """
import json, sys
import inkstream.stream.app.studio.inprocess, inkstream.stream.app.studio.serve
print(json.dumps([each for each in ("torch", "diffusers", "pygame", "openvino") if each in sys.modules]))
"""
    assert json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout) == []
