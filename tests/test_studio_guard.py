"""Who is let in to the studio, and who is not; whoever is refused disturbs nobody else."""

import contextlib
import os
import re
import socket
import ssl
import time

import cv2
import httpx2
import numpy as np
import pytest
import segno
from doubles.studio import Talk, asking, plain, studio
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from inkstream.stream.app.studio import connections, serve, sharing
from inkstream.stream.app.studio import rest as rest_module
from inkstream.stream.app.studio.client import Rate
from inkstream.stream.base.errors import ConfigError

TOKEN = "a-token-that-nobody-guesses"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studio")
    (folder / "page").mkdir()
    (folder / "page" / "index.html").write_text("<!doctype html><title>studio</title>")
    with studio(folder, page=folder / "page") as server:
        yield server


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with studio(tmp_path_factory.mktemp("shared"), token=TOKEN, hosts={"127.0.0.1", "tablet.local"}) as server:
        yield server


def socket_status(server, **headers):
    """The status that the wish for a socket gets; 101 where it is granted."""
    address = server.address("/ws").replace("http", "ws", 1)
    try:
        with connect(address, additional_headers=headers, open_timeout=5):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


def raw(server, text, wait=5.0):
    """What comes back for these bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=wait) as line:
        line.sendall(text)
        with contextlib.suppress(OSError):
            return line.recv(4096)
    return b""


def wish_of(host):
    """A wish for a socket."""
    head = f"GET /ws HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    return f"{head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://127.0.0.1:1", "null", "http://localhost.evil.example"]
)
def test_a_page_of_another_site_gets_neither_socket_nor_answer(server, origin):
    assert socket_status(server, Origin=origin) == 403
    with asking(server, Origin=origin) as rest:
        for answer in (rest.post("/sessions"), rest.get("/about"), rest.get("/")):
            assert (answer.status_code, answer.json()["code"]) == (403, "origin")


def test_our_own_page_gets_both(server):
    origin = server.address("").rstrip("/")
    assert socket_status(server, Origin=origin) == 101
    with asking(server, Origin=origin) as rest:
        assert rest.post("/sessions").status_code == 201


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "", "a@127.0.0.1", "[::1"]
)
def test_a_name_that_is_made_to_lead_here_gets_nothing(server, host):
    answer = raw(server, f"GET /about HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 403")
    answer = raw(server, wish_of(host))
    assert answer.startswith(b"HTTP/1.1 403") and b"expected one that this server is called by" in answer


def test_this_computer_alone_reaches_it_unless_it_is_shared():
    with contextlib.closing(serve.bound(serve.HERE, 0)) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"
    assert serve.everywhere(None) == "0.0.0.0" and serve.everywhere("192.168.7.7") == "192.168.7.7"


def test_beyond_it_everything_but_pages_needs_the_token(shared):
    with asking(shared) as rest:
        for path in ("/sessions/x/params", "/schema/params", "/metrics", "/openapi.json", "/sessions/x"):
            assert (rest.get(path).status_code, rest.get(path).json()["code"]) == (401, "token")
        assert rest.post("/sessions").status_code == 401
        assert set(rest.get("/about").json()) == {"inkstream", "protocol", "token"}
        assert rest.get("/healthz").status_code == 200
        assert rest.get("/page/%2e%2e/metrics").status_code == 404
        wrong = rest.get("/metrics", headers={"Authorization": "Bearer wrong"})
        assert wrong.status_code == 401 and TOKEN not in wrong.text
        assert rest.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    for token in (None, "wrong"):
        with pytest.raises(ConnectionClosed) as closing:
            Talk(shared, token=token)
        assert closing.value.rcvd.code == 4401
    with Talk(shared, token=TOKEN) as page:
        page.draw(plain(9))
        page.see()
        with Talk(shared, "viewer001", page.welcome["view"], "view") as viewer:  # the name is what lets viewers in
            viewer.see()
        with asking(shared) as rest:
            assert rest.get(f"/view/{page.welcome['view']}.jpg").status_code == 200
            assert rest.get(f"/sessions/{page.session}/render.jpg").status_code == 401


def test_the_token_stands_where_no_server_sees_it_and_stays_after_a_restart(shared, tmp_path):
    assert shared.with_token(shared.address("/")) == f"http://127.0.0.1:{shared.port}/#token={TOKEN}"
    first = sharing.kept_token(tmp_path)
    assert sharing.kept_token(tmp_path) == first and len(first) >= 24
    assert os.name == "nt" or (tmp_path / sharing.TOKEN).stat().st_mode & 0o077 == 0
    (tmp_path / sharing.TOKEN).write_text("short")
    assert len(sharing.kept_token(tmp_path)) >= 24


def test_every_answer_says_what_a_page_may_load(server):
    with asking(server) as rest:
        for answer in (
            rest.get("/"),
            rest.get("/healthz"),
            rest.get("/nowhere"),
            rest.get("/about", headers={"Host": "x"}),
        ):
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy and "script-src 'self';" in policy and "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer" and "server" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        *("/page/../site.py", "/page/..%2fsite.py", "/page/%2e%2e/site.py", "/page/....//site.py", "/page//etc/passwd"),
        *("/page/..\\site.py", "/page/%00", "/page/x%00.js", "/s/../site.py", "/page/" + "a" * 5000),
    ],
)
def test_no_path_leads_out_of_the_pages_folder(server, path):
    answer = raw(server, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    assert re.match(rb"HTTP/1.1 (400|404) ", answer) and b"ASGI" not in answer and b"root:" not in answer


def test_a_link_in_the_pages_folder_is_not_followed_out(tmp_path):
    (tmp_path / "secret.js").write_text("secret")
    page = tmp_path / "page"
    page.mkdir()
    (page / "good.js").write_text("export const good = 1;")
    (page / "link.js").symlink_to(tmp_path / "secret.js")
    with studio(tmp_path, page=page) as server, asking(server) as rest:
        good = rest.get("/page/good.js")
        assert (
            good.headers["content-type"].startswith("text/javascript") and good.headers["cache-control"] == "no-cache"
        )
        assert rest.get("/page/good.js", headers={"If-None-Match": good.headers["etag"]}).status_code == 304
        assert rest.get("/page/link.js").status_code == 404


def test_who_sends_a_head_a_letter_at_a_time_is_closed_and_others_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(serve, "careful", lambda **_: connections.careful(head_within=0.3))
    with studio(tmp_path) as server, contextlib.ExitStack() as lines:
        slow = [lines.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(50)]
        begun = time.monotonic()
        for line in slow[:25]:  # the others say nothing at all
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127")
        with Talk(server) as page:
            page.draw(plain(0))
            page.see()
        for line in slow:
            line.settimeout(5)
            assert line.recv(100) == b""
        assert time.monotonic() - begun < 3
        with asking(server) as rest:  # one that asks again on the same line is not cut off
            assert [rest.get("/healthz").status_code for _ in range(5)] == [200] * 5


def test_a_body_that_never_ends_or_never_comes_is_refused(server, monkeypatch):
    monkeypatch.setattr(rest_module, "BODY_WITHIN", 0.2)
    head = "POST /sessions/{} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    with Talk(server) as page:
        at = head.format(f"{page.session}/images")
        assert raw(server, f"{at}Content-Length: 100\r\n\r\nabc".encode()).startswith(b"HTTP/1.1 413")
        with asking(server) as client:
            endless = client.patch(f"/sessions/{page.session}/params", content=(b" " * 65536 for _ in range(100)))
            assert endless.status_code == 413


def test_a_thousand_sockets_are_refused_and_the_pages_that_are_there_go_on(tmp_path, monkeypatch):
    with studio(tmp_path) as server, Talk(server) as page, contextlib.ExitStack() as lines:
        server.site.app._most_sockets = 20
        wish = wish_of("127.0.0.1")
        answers = []
        for number in range(300):
            line = lines.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=5))
            line.sendall(wish)
            with contextlib.suppress(OSError):
                answers.append(line.recv(12))
            if number % 100 == 0:
                page.draw(plain(number // 2))
                page.see()
        assert answers.count(b"HTTP/1.1 101") == 19 and answers.count(b"HTTP/1.1 503") >= 200
        page.draw(plain(255))
        page.see()


def test_connections_above_their_number_are_closed_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(serve, "careful", lambda **_: connections.careful(most=10))
    with studio(tmp_path) as server, contextlib.ExitStack() as lines:
        held = [lines.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(15)]
        closed = 0
        for line in held:
            line.settimeout(0.1)
            try:
                closed += line.recv(10) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                closed += 1
        assert closed == 5
        for line in held:
            line.close()
        for _ in range(100):
            with asking(server) as rest, contextlib.suppress(httpx2.TransportError):
                if rest.get("/healthz").status_code == 200:
                    break
        else:
            pytest.fail("nobody gets in any more")


def test_tls_is_signed_by_an_authority_of_this_user_that_stays(tmp_path):
    names = {"localhost", "127.0.0.1"}
    made = sharing.certificates(names, tmp_path)
    public = made.authority.read_bytes()
    assert sharing.certificates(names, tmp_path).authority.read_bytes() == public
    assert os.name == "nt" or all(
        (tmp_path / "tls" / each).stat().st_mode & 0o077 == 0 for each in ("ca-key.pem", "server.pem")
    )
    with studio(tmp_path, certificates=made) as server:
        trusting = ssl.create_default_context(cafile=str(made.authority))
        with httpx2.Client(base_url=server.address("").rstrip("/"), verify=trusting) as rest:
            assert rest.get("/ca.pem").content == public and b"PRIVATE" not in public
            assert server.address("/").startswith("https://")
        with httpx2.Client(base_url=server.address("").rstrip("/")) as strangers, pytest.raises(httpx2.ConnectError):
            strangers.get("/healthz")
        with connect(server.address("/ws").replace("https", "wss"), ssl=trusting) as page:
            page.send('{"type": "hello", "protocol": 1, "client": "page00001"}')
            assert '"welcome"' in page.recv(timeout=5)


def test_a_port_that_is_taken_is_said_or_the_next_is_used():
    with contextlib.closing(serve.bound(serve.HERE, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"--port: 127.0.0.1:{port} is taken; name another"):
            serve.bound(serve.HERE, port)
    with pytest.raises(ConfigError, match="cannot be listened at"):
        serve.bound("203.0.113.1", 0)


def test_a_qr_code_is_what_a_camera_reads():
    text = "https://192.168.178.20:7860/#token=abcdefghijklmnopqrstuvwx"
    rows = sharing.qr(text).rstrip("\n").split("\n")
    assert len(rows) < 25 and max(map(len, rows)) < 200
    made = np.array([[0 if each else 255 for each in row] for row in segno.make(text, error="l").matrix], np.uint8)
    picture = cv2.copyMakeBorder(
        np.kron(made, np.ones((8, 8), np.uint8)), 40, 40, 40, 40, cv2.BORDER_CONSTANT, value=255
    )
    assert cv2.QRCodeDetector().detectAndDecode(picture)[0] == text


def test_rates_let_a_burst_through_and_no_flood():
    now = [0.0]
    rate = Rate(10.0, clock=lambda: now[0])
    assert sum(rate.takes() for _ in range(50)) == 20
    now[0] = 4.0
    assert rate.takes()
