"""Pictures over HTTP: the newest one, to everybody, whatever others do."""

import http.client
import socket
import threading
from contextlib import ExitStack

import cv2
import numpy as np
import pytest

from inkstream.bench.synthetic import FakeStream
from inkstream.stream.base.errors import ConfigError
from inkstream.stream.base.frame import Output, Size
from inkstream.stream.session.session import Session
from inkstream.stream.sinks import Status, mjpeg, open_sink


def output(level, number=1, side=64):
    return Output(np.full((side, side, 3), level, np.uint8), number, float(number), 1)


@pytest.fixture
def sink():
    made = open_sink("mjpeg:0,quality=90")
    yield made
    made.close()


def get(sink, path="/", host="localhost"):
    """The answer to a request, with the pictures still in it."""
    connection = http.client.HTTPConnection("127.0.0.1", sink.port, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
    except OSError:
        connection.close()
        raise
    leave = ExitStack()
    leave.callback(connection.close)
    leave.callback(answer.close)
    return leave, answer


def pictures(answer):
    """One after the other, as a player reads them."""
    assert answer.readline() == f"--{mjpeg.BOUNDARY}\r\n".encode()
    while True:
        head = {}
        while line := answer.readline().strip():
            name, _, value = line.decode().partition(": ")
            head[name] = value
        data = answer.read(int(head["Content-Length"]))
        yield int(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).mean())
        assert answer.readline() == b"\r\n" and answer.readline().startswith(b"--")


def test_everybody_gets_the_newest_picture_and_who_is_slow_leaves_some_out(sink):
    sink.write(output(40), Status())
    connection, answer = get(sink)
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("multipart/x-mixed-replace")
    seen = pictures(answer)
    assert next(seen) == 40
    for number in range(50):
        sink.write(output(100 + number, number + 2), Status())
    got = [next(seen)]
    while got[-1] != 149:
        got.append(next(seen))
    assert got == sorted(got)
    still, answer = get(sink, "/frame.jpg")
    assert answer.headers["Content-Type"] == "image/jpeg" and answer.read()[:2] == b"\xff\xd8"
    still.close()
    connection.close()


def test_a_picture_that_stays_comes_again(sink, monkeypatch):
    monkeypatch.setattr(mjpeg, "AGAIN", 0.01)
    sink.write(output(70), Status())
    connection, answer = get(sink)
    seen = pictures(answer)
    assert [next(seen) for _ in range(3)] == [70, 70, 70]
    connection.close()


def test_names_that_are_made_to_lead_here_other_paths_and_too_many_are_refused(sink):
    for path, host, status in (("/", "evil.example", 403), ("/../etc/passwd", "localhost", 404), ("/x", "[::1]", 404)):
        connection, answer = get(sink, path, host)
        assert answer.status == status
        connection.close()
    sink.write(output(1), Status())
    watching = [get(sink) for _ in range(mjpeg.MOST)]
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        get(sink)
    for connection, _ in watching:
        connection.close()
    for number in range(2000):  # who has gone is noticed with the next picture
        sink.write(output(2, number), Status())
        try:
            connection, answer = get(sink, "/frame.jpg")
        except (http.client.RemoteDisconnected, ConnectionResetError):
            continue
        assert answer.status == 200
        connection.close()
        break
    else:
        pytest.fail("nobody is let in again")


def test_one_who_takes_nothing_slows_nobody_down_and_nothing_is_kept_for_them(sink):
    stalled = socket.create_connection(("127.0.0.1", sink.port))
    stalled.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
    sink.write(output(0, side=512), Status())
    connection, answer = get(sink)
    seen = pictures(answer)
    rng = np.random.default_rng(3)
    for number in range(60):  # far more than the system keeps for a socket
        noise = Output(rng.integers(0, 255, (512, 512, 3), np.uint8), number + 2, 0.0, 1)
        sink.write(noise, Status())
        next(seen)
    stalled.close()
    connection.close()


def test_a_run_is_seen_and_ends_with_somebody_looking_on(sink):
    with Session("fake:pattern=noise,fps=30,size=64x64", FakeStream(steps=1, size=Size(64, 64)), [sink]) as session:
        session.start()
        connection, answer = get(sink)
        seen = pictures(answer)
        assert next(seen) > 0 and next(seen) > 0
    assert sink.ended
    for thread in [each for each in threading.enumerate() if each.name == "inkstream mjpeg"]:
        thread.join(5.0)
        assert not thread.is_alive()
    connection.close()


def test_a_taken_port_and_a_wrong_quality_are_said(sink):
    with pytest.raises(ConfigError, match="Address already in use; name another port"):
        open_sink(f"mjpeg:{sink.port}")
    with pytest.raises(ConfigError, match="quality: got 0"):
        open_sink("mjpeg:0,quality=0")
    with pytest.raises(ConfigError, match="got no port"):
        open_sink("mjpeg")
