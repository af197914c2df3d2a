"""Ray is in a process of its own: when that ends, no page notices more than a pause."""

import os
import signal

import psutil
import pytest
from doubles.cluster import Elsewhere, page_of, until
from doubles.studio import Talk, plain, run_config

from inkstream.stream.app.cluster.courier import Courier
from inkstream.stream.app.cluster.gateway import Gateway
from inkstream.stream.app.cluster.link import Lost

PATIENCE = 60.0  # seconds for a program to begin, on a machine that is busy


def other_processes():
    return [each.pid for each in psutil.Process().children()]


def test_the_program_that_ray_ends_is_begun_again_and_the_page_stays(tmp_path, monkeypatch):
    monkeypatch.setattr("doubles.studio.WITHIN", PATIENCE)
    missing, said = tmp_path / "missing", []
    missing.touch()
    before = other_processes()
    courier = Courier(Elsewhere(str(missing)), said.append)
    made = Gateway(run_config(), courier.links, spare=0, silence=2.0, end=courier.close)
    made.start()
    try:
        with page_of(made, tmp_path) as server, Talk(server) as page:
            room = next(iter(server.site.rooms.open.values()))
            until(lambda: room.live.doing().text == "cluster: nothing answers at all", PATIENCE)
            missing.unlink()  # there is one now, and nobody has to begin anything again
            page.see(of=page.draw(plain(80)))
            page.say(type="set", request=1, changes={"seed": 1234})
            page.hear("done", request=1)
            revision = room.live.values().revision
            (process,) = set(other_processes()) - set(before)
            os.kill(process, signal.SIGKILL)
            head, seen = page.see()
            while head.settings <= revision:  # one that was on its way
                head, seen = page.see()
            assert abs(int(seen.mean()) - 175) < 3  # nobody drew, and the socket is the same
            assert room.live.values().values["seed"] == 1234
            assert said == ["nowhere:1"] * 2
    finally:
        made.close()
    assert other_processes() == before


def test_calls_are_answered_in_their_order_or_it_is_said_why_not(tmp_path):
    courier = Courier(Elsewhere(str(tmp_path / "missing"), ("a", "b")))
    first, second = courier.links()
    try:
        until(lambda: first.ask("hello", within=PATIENCE).ready, PATIENCE)
        assert [link.name for link in (first, second)] == ["a", "b"]
        got = []
        first.begin("open", "g/1", None, None, False, then=got.append)
        first.begin("leave", "g/1")
        first.begin("open", "g/2", None, None, False, then=got.append)
        until(lambda: len(got) == 2, PATIENCE)
        assert [answer.kind for answer in got] == ["", ""]
        until(lambda: first.ask("hello", within=PATIENCE).taken == 1, PATIENCE)
        assert second.ask("hello", within=PATIENCE).taken == 0
        with pytest.raises(TimeoutError, match="a: no answer within"):
            first.ask("news", "nobody", 5.0, within=0.05)
    finally:
        courier.close()
    with pytest.raises(Lost, match="a: there is no cluster"):
        first.ask("hello", within=1.0)
    first.begin("hello", then=got.append)
    assert isinstance(got[-1], Lost)
