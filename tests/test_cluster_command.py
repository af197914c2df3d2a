"""``inkstream cluster``, and ``studio --backend``, where no cluster is: what people are told."""

import contextlib
import importlib.util
import os
import socket
import ssl
import sys

import pytest
from typer.testing import CliRunner

from inkstream.stream.app.cli import app
from inkstream.stream.app.cluster import rays, tls
from inkstream.stream.base.errors import ConfigError


def said(*words):
    """What a command says that ends with a fault of whoever gave it."""
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 2, result.output
    return " ".join(result.output.split())


def test_without_ray_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r'ray is missing.*pip install "inkstream\[cluster\]"'):
        rays.ray_module()


def test_what_nodes_know_each_other_by_is_for_this_user_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE", "RAY_USAGE_STATS_ENABLED"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setitem(sys.modules, "ray", importlib.util)  # whatever can be imported
    rays.ray_module()
    token = tmp_path / "inkstream" / "cluster" / "token"
    assert token.stat().st_mode & 0o077 == 0 and len(token.read_text()) == 64
    assert os.environ["RAY_AUTH_TOKEN_PATH"] == str(token)
    assert (os.environ["RAY_AUTH_MODE"], os.environ["RAY_USAGE_STATS_ENABLED"]) == ("token", "0")
    kept = token.read_text()
    del os.environ["RAY_AUTH_TOKEN_PATH"]
    rays.ray_module()
    assert token.read_text() == kept


def test_where_no_cluster_is_that_is_said_at_once(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "ray", importlib.util)
    assert "start one with: inkstream cluster up" in said("cluster", "status")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    assert f"nothing answers at 127.0.0.1:{port}" in said("studio", "--no-open", "--backend", f"ray://127.0.0.1:{port}")
    assert "expected ray, or ray://HOST:PORT" in said("studio", "--no-open", "--backend", "celery")
    assert "expected HOST:PORT" in said("studio", "--no-open", "--backend", "ray://somewhere")
    assert "leave them out" in said("studio", "--no-open", "--backend", "ray", "--control", "keys")


def test_a_dashboard_that_others_reach_is_refused():
    for here in (None, "", "127.0.0.1:8265", "localhost:8265", "[::1]:8265"):
        rays.check_dashboard(here)
    for away in ("10.0.0.4:8265", "head.local:8265", "0.0.0.0:8265"):
        with pytest.raises(ConfigError, match=r"--dashboard-host 127\.0\.0\.1"):
            rays.check_dashboard(away)


def test_certificates_of_nodes_are_made_and_used(monkeypatch, tmp_path):
    made = tmp_path / "tls"
    for _ in range(2):  # the second time by the same authority
        done = CliRunner().invoke(app, ["cluster", "certificates", str(made), "--host", "127.0.0.1"])
        assert done.exit_code == 0, done.output
    assert {path.name for path in made.iterdir()} == {"ca.pem", "ca-key.pem", "node.pem", "node-key.pem"}
    assert (made / "node-key.pem").stat().st_mode & 0o077 == 0 and (made / "ca-key.pem").stat().st_mode & 0o077 == 0
    names = ("RAY_USE_TLS", "RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_CA_CERT")
    for name in names:
        monkeypatch.setenv(name, "")
    tls.use(made)
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    server.load_cert_chain(os.environ["RAY_TLS_SERVER_CERT"], os.environ["RAY_TLS_SERVER_KEY"])
    client.load_verify_locations(os.environ["RAY_TLS_CA_CERT"])
    ends = [ssl.MemoryBIO() for _ in range(2)]
    sides = [server.wrap_bio(*ends, server_side=True), client.wrap_bio(*ends[::-1], server_hostname="127.0.0.1")]
    for _ in range(3):
        for side in sides[::-1]:
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    assert sides[1].cipher() is not None and os.environ["RAY_USE_TLS"] == "1"
    (made / "node.pem").unlink()
    with pytest.raises(ConfigError, match=r"has no node.pem; make them with: inkstream cluster certificates"):
        tls.use(made)
