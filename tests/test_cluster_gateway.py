"""The studio's page with workers behind it, in this process: whose pictures come, and what a lost worker costs."""

import contextlib
import io
import threading

import numpy as np
import pytest
from doubles.cluster import Near, gateway, page_of, until
from doubles.studio import Talk, fake_maker, plain, run_config
from PIL import Image

from inkstream.stream.app.cluster.gateway import Gateway
from inkstream.stream.app.studio.backend import Changed, Full, Mark, NotNow, Rendered, Sketch
from inkstream.stream.app.studio.settings import Refused
from inkstream.stream.base.errors import FrameError


class Heard:
    """News of one drawing."""

    def __init__(self):
        self.news = []

    def __call__(self, news):
        self.news.append(news)

    def newest(self, kind):
        return next((each for each in reversed(self.news) if isinstance(each, kind)), None)


def sketch(level, number=1):
    file = io.BytesIO()
    Image.fromarray(plain(level)).save(file, "PNG")
    return Sketch(Mark(number), 64, 64, file.getvalue())


def level_of(render):
    return int(np.asarray(Image.open(io.BytesIO(render.jpeg)).convert("L")).mean())


def test_pages_draw_on_two_workers_and_each_sees_its_own(tmp_path):
    workers = Near("a"), Near("b")
    with gateway(*workers) as made, page_of(made, tmp_path) as server, contextlib.ExitStack() as pages:
        talks = [pages.enter_context(Talk(server, f"drawer{number:03}")) for number in range(6)]
        for turn in range(5):
            for number, page in enumerate(talks):
                drawn = plain(turn * 67 % 200)  # as different as a stroke is, so that each is rendered
                drawn[:32] = 20 + 30 * number
                _, seen = page.see(of=page.draw(drawn))
                assert abs(int(seen[4].mean()) - (235 - 30 * number)) < 3
        assert [worker.taken for worker in workers] == [3, 3]
        talks[0].say(type="set", request=5, changes={"seed": 99})
        assert talks[0].hear("done", request=5) and talks[0].heard
        talks[1].say(type="set", request=6, changes={"seed": "red"})
        assert "seed" in talks[1].hear("refused", request=6)["text"]


def test_a_worker_is_killed_and_the_page_goes_on_with_its_settings(tmp_path):
    workers = Near("a"), Near("b")
    with gateway(*workers) as made, page_of(made, tmp_path) as server, Talk(server) as page:
        page.say(type="set", request=1, changes={"seed": 1234})
        page.hear("done", request=1)
        of = page.draw(plain(80))
        before, _ = page.see(of=of)
        had = next(worker for worker in workers if worker.taken)
        other = next(worker for worker in workers if worker is not had)
        had.kill()
        head, seen = page.see()  # nobody drew: the newest sketch was given to the other worker
        assert abs(int(seen.mean()) - 175) < 3 and head.settings > before.settings
        assert other.taken == 1
        assert next(iter(server.site.rooms.open.values())).live.values().values["seed"] == 1234
        had.revive()
        until(lambda: "a" in made._ledger.workers and "b" in made._ledger.workers)
        assert made._ledger.workers[had.name].mine == 0


def test_the_only_worker_is_killed_and_drawings_wait_for_it():
    worker = Near("a")
    with gateway(worker) as made:
        heard = Heard()
        live = made.open(None, heard)
        live.put(sketch(10))
        until(lambda: heard.newest(Rendered))
        live.freeze(True)
        worker.kill()
        until(lambda: live.doing().state == "reconnecting")
        answers = []
        live.change({"seed": 5}, answers.append)
        live.put(sketch(60, 2))
        assert answers == [""] and heard.newest(Changed).values["seed"] == 5
        with pytest.raises(NotNow, match="another worker"):
            live.keep(None)
        with pytest.raises(Refused, match="seed"):
            live.change({"seed": "red"})
        live.freeze(False)
        count = len(heard.news)
        worker.revive()
        until(lambda: any(isinstance(each, Rendered) for each in heard.news[count:]))
        assert abs(level_of(heard.newest(Rendered)) - 195) < 3
        until(lambda: live.doing().state in ("live", "idle"))
        assert live.left()["stream"]["seed"] == 5 and live.values().values["seed"] == 5


def test_a_worker_that_says_nothing_is_lost_and_is_empty_when_it_is_back():
    workers = Near("a"), Near("b")
    with gateway(*workers, silence=0.5) as made:
        heard = Heard()
        live = made.open(None, heard)
        live.put(sketch(10))
        until(lambda: heard.newest(Rendered))
        had = next(worker for worker in workers if worker.taken)
        had.mute.set()
        until(lambda: live.link is not None and live.link is not had)
        had.mute.clear()
        until(lambda: had.name in made._ledger.workers and not had.taken)
        live.put(sketch(90, 2))
        until(lambda: level_of(heard.newest(Rendered)) in range(162, 168))


def test_the_next_one_is_told_how_many_wait_before():
    with gateway(Near("a", slots=2)) as made:
        first, second, third, fourth = Heard(), Heard(), Heard(), Heard()
        lives = [made.open(None, first), made.open(None, second)]
        with pytest.raises(Full, match="all 2 places are taken; you are number 1 in the queue, nobody can say"):
            made.open(None, third)
        with pytest.raises(Full, match="number 2"):
            made.open(None, fourth)
        made.leave(lives.pop())
        with pytest.raises(Full, match="number 2"):
            made.open(None, fourth)  # the other one has waited longer
        lives.append(made.open(None, third))
        made.leave(lives.pop())
        lives.append(made.open(None, fourth))
        with pytest.raises(Full, match=r"number 1 in the queue, in about \d+ s one gets free"):
            made.open(None, third)


def test_a_worker_is_emptied_and_takes_no_more():
    workers = Near("a"), Near("b")
    with gateway(*workers) as made:
        heard = Heard(), Heard()
        lives = [made.open(None, each) for each in heard]
        for live in lives:
            live.put(sketch(30))
        until(lambda: all(each.newest(Rendered) for each in heard))
        workers[0].host.drain()
        until(lambda: not workers[0].taken and workers[1].taken == 2)
        assert made._ledger.workers["b"].mine == 2 and made._ledger.workers["a"].mine == 0


def test_a_picture_that_is_none_is_refused_and_not_replayed():
    worker = Near("a")
    with gateway(worker) as made:
        heard = Heard()
        live = made.open(None, heard)
        live.put(sketch(10))
        with pytest.raises(FrameError):
            live.put(Sketch(Mark(2), 64, 64, b"nothing"))
        until(lambda: heard.newest(Rendered))
        assert live.picture("png")[:4] == b"\x89PNG" and live.picture("jpg")[:2] == b"\xff\xd8"
        assert live.history(None, 5) == []
        with pytest.raises(NotNow):
            live.rewind(3)
        count = len(heard.news)
        worker.kill()
        worker.revive()
        until(lambda: any(isinstance(each, Rendered) for each in heard.news[count:]))
        assert abs(level_of(heard.newest(Rendered)) - 245) < 3


def test_drawings_wait_while_the_workers_are_loading():
    load = threading.Event()
    worker = Near("a", maker=fake_maker(wait=load))
    made = Gateway(run_config(), lambda: [worker], spare=0)
    heard = Heard()
    try:
        live = made.open(None, heard)
        live.put(sketch(40))
        assert live.doing().state in ("loading", "reconnecting") and not made.ready
        load.set()
        until(lambda: heard.newest(Rendered))
        assert level_of(heard.newest(Rendered)) in range(212, 218)
    finally:
        made.close()
        worker.close()
