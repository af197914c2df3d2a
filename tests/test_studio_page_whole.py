"""The studio's page keeps a drawing whole: through cuts, on a server that forgot it, with photos, from two pages."""

import io
import json
import random
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from doubles.browser import CAR, HOUSE, Artist, chromium
from doubles.studio import asking, fake_maker, run_config, studio
from PIL import Image
from test_studio_run import running

from inkstream.stream.base.reading import Brings, Reading

SIDE = 256
AWAY = ("WebSocket", "Failed to load resource")  # what a browser says of a server that is not there
CUT = """(wait) => void setTimeout(() => {
  inkstream.studio.connection.socket?.close();
  window.cuts = (window.cuts ?? 0) + 1;
}, wait)"""
POINTS = "inkstream.studio.drawing.items.map((item) => [item.name, item.undone, item.points])"


@pytest.fixture(scope="module")
def browser():
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    run = run_config(width=SIDE, height=SIDE)
    with studio(tmp_path_factory.mktemp("studio"), run=run, most=32) as made:
        yield made


def document(server, session):
    with asking(server) as client:
        return [json.loads(line) for line in client.get(f"/sessions/{session}/document").text.splitlines()]


def cut_while_drawing(browser, server, cuts):
    """Draw, and cut the socket at random moments; the server has each stroke then, whole, and once."""
    chance = random.Random(7)
    with Artist(browser, server.address("/"), expected=AWAY) as artist:
        for _ in range(cuts):
            x, y = chance.uniform(0.1, 0.6), chance.uniform(0.1, 0.9)
            wait = chance.randrange(0, 120)
            artist.page.evaluate(CUT, wait)
            artist.pen(((x, y), (x + 0.3, y)), (0.3, 0.8), steps=chance.randrange(2, 12))
            if chance.random() < 0.2:
                artist.key("Control+z")
        artist.until(f"window.cuts === {cuts}")
        artist.until("inkstream.studio.connection.link === 'open'")
        artist.settled()
        here, paper = artist.get(POINTS), artist.canvas("paper")
        ops = document(server, artist.session)
        names = [(op["client"], op["number"]) for op in ops]
        assert len(names) == len(set(names)) and [number for _, number in names] == list(range(1, len(names) + 1))
        assert sum(op["op"] == "begin" for op in ops) == cuts
        artist.reload()
        assert artist.get(POINTS) == here
        assert (artist.canvas("paper") == paper).all()


def test_cuts_lose_no_stroke_and_draw_none_twice(browser, server):
    cut_while_drawing(browser, server, 6)


@pytest.mark.slow
def test_two_hundred_cuts_lose_no_stroke_and_draw_none_twice(browser, server):
    cut_while_drawing(browser, server, 200)


def test_a_server_that_forgot_a_drawing_gets_it_again(browser, tmp_path):
    run = run_config(width=SIDE, height=SIDE)
    with studio(tmp_path / "one", run=run) as first:
        artist = Artist(browser, first.address("/"), expected=AWAY)
        artist.open(artist.address)
        artist.draw(HOUSE[:2])
        artist.key("g")
        artist.click(0.5, 0.6)
        artist.until("inkstream.studio.drawing.items.some((item) => item.op.op === 'fill')")
        artist.settled()
        session, paper = artist.session, artist.canvas("paper")
    with studio(tmp_path / "another", run=run, port=first.port) as second:
        artist.until("inkstream.studio.connection.link === 'open'")
        artist.until(f"inkstream.studio.connection.session !== '{session}'")
        artist.until("inkstream.studio.drawing.items.some((item) => item.op.op === 'fill')")
        artist.rendered()
        assert (artist.canvas("paper") == paper).all()
        assert artist.session in artist.page.url
        assert {"begin", "fill"} <= {op["op"] for op in document(second, artist.session)}
    artist.context.close()


def test_a_photo_is_traced_and_not_rendered(browser, server, tmp_path):
    Image.new("RGB", (300, 200), (200, 30, 60)).save(tmp_path / "car.png")
    with Artist(browser, server.address("/")) as artist:
        artist.draw(CAR[:1])
        with artist.page.expect_file_chooser() as chooser:
            artist.key("o")
        chooser.value.set_files(tmp_path / "car.png")
        artist.page.get_by_role("button", name="Reference").click()
        artist.until("[...inkstream.studio.images.values()].some(Boolean)")
        artist.settled()
        seen = artist.canvas("paper")
        middle = seen[seen.shape[0] // 2 - 40, seen.shape[1] // 4]
        assert 200 < middle[0] < 256 and 100 < middle[1] < 200  # half of it, on paper
        with asking(server) as client:
            sketch = client.get(f"/sessions/{artist.session}/sketch.png").content
        assert np.asarray(Image.open(io.BytesIO(sketch)).convert("RGB")).std(-1).max() < 12  # no colour of it
        artist.key("p")
        artist.page.get_by_role("tab", name="Layers").click()
        artist.page.get_by_role("button", name="car.png", exact=True).click()
        artist.pen(((0.5, 0.5), (0.5, 0.6)))
        artist.settled()
        moved = document(server, artist.session)[-1]
        assert moved["op"] == "image" and moved["of"] and moved["y"] > 60
        artist.key("Control+z")
        artist.settled()
        assert document(server, artist.session)[-1]["op"] == "undo"


def test_two_pages_draw_one_drawing_and_undo_each_their_own(browser, server):
    with Artist(browser, server.address("/")) as one, Artist(browser, one.page.url) as other:
        assert one.session == other.session
        one.pen(HOUSE[0])
        one.settled()
        other.until("inkstream.studio.drawing.items.length === 1")
        other.pen(HOUSE[1])
        other.settled()
        one.until("inkstream.studio.drawing.items.length === 2")
        one.pen(HOUSE[2])
        one.settled()
        other.until("inkstream.studio.drawing.items.length === 3")
        other.key("Control+z")
        other.settled()
        one.until("inkstream.studio.drawing.items[1].undone")
        assert one.get("inkstream.studio.drawing.items.map((item) => item.undone)") == [False, True, False]
        points = "inkstream.studio.drawing.items.map((item) => [item.name, item.points.length])"
        one.until("!inkstream.studio.drawing.items.some((item) => item.live)")
        assert one.get(points) == other.get(points)


def test_beside_a_run_with_another_source_the_page_sees_and_steers(browser):
    with running("fake:pattern=noise,fps=20,size=64x64", ["browser:port=0"]) as (page, session):
        with Artist(browser, page.server.address("/")) as artist:
            artist.until("inkstream.studio.renders.bitmap")
            assert (
                not artist.page.locator("ink-rail").is_visible() and not artist.page.locator("ink-stage").is_visible()
            )
            assert artist.canvas("render").shape == (64, 64, 3)
            artist.page.get_by_label("What it shall be").fill("from the sofa")
            artist.until("inkstream.studio.settings.prompt === 'from the sofa'")
        assert session.status.config.prompt == "from the sofa"


def test_how_a_prompt_is_read_and_which_presets_there_are(tmp_path, browser):
    reading = Reading(taken=(("rotes", "red"), ("auto", "car")), lost=("people",), added=("on road",))
    asked = threading.Event()

    def make(config, progress):
        assert asked.wait(20)
        made = fake_maker()(config, progress)
        made.stream.prompts = SimpleNamespace(read=lambda text, config: reading, brings=Brings(words=("red", "car")))
        return made

    run = run_config(mode="txt2img", width=256, height=256)
    with studio(tmp_path, run=run, maker=make) as server, Artist(browser, server.address("/")) as artist:
        artist.until("document.querySelector('ink-prompt').again")  # too early: the model was not there
        asked.set()
        artist.until("document.querySelectorAll('.added').length === 3")
        said = artist.page.locator(".added").all_inner_texts()
        assert said == ["Read as: rotes = red, auto = car", "Not asked for: people", "The seed adds: on road"]
        artist.key("p")
        artist.page.get_by_role("tab", name="Look").click()
        artist.page.get_by_text("inkstream studio -c sd-turbo").wait_for()
        preset = artist.page.get_by_role("button", name="ink-tiny")
        assert preset.get_attribute("aria-pressed") == "false"
        preset.click()
        artist.until("inkstream.studio.settings.mode === 'sketch'")
        artist.page.get_by_role("button", name="ink-tiny", pressed=True).wait_for()
