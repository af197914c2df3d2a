"""The page of the studio in a real browser: what is drawn, seen, taken back, kept and fetched."""

import io
import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from doubles.browser import CAR, HOUSE, Artist, chromium
from doubles.studio import asking, run_config, studio
from PIL import Image

import inkstream.stream.app.studio as room

SIDE = 256
INSIDE = [(0.35, 0.35), (0.5, 0.5), (0.65, 0.65), (0.33, 0.5)]
OUTSIDE = [(0.1, 0.1), (0.5, 0.2), (0.8, 0.5), (0.2, 0.4)]
# Of the paper on its canvas: left, top, side.
PAPER_HERE = (
    """(({ scale, left, top }) => [left, top, scale * inkstream.studio.raster.paper.width])(inkstream.stage.place)"""
)
PAGE = (Path(room.__file__).parent / "page").resolve()


@pytest.fixture(scope="module")
def browser():
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    run = run_config(width=SIDE, height=SIDE)
    with studio(tmp_path_factory.mktemp("studio"), run=run, history=50, most=32) as made:
        yield made


@pytest.fixture
def artist(browser, server):
    with Artist(browser, server.address("/")) as made:
        yield made


def document(server, session):
    with asking(server) as client:
        return [json.loads(line) for line in client.get(f"/sessions/{session}/document").text.splitlines()]


def picture(server, session, what="sketch.png"):
    with asking(server) as client:
        return np.asarray(Image.open(io.BytesIO(client.get(f"/sessions/{session}/{what}").content)).convert("RGB"))


def test_a_car_drawn_with_a_pen_is_rendered_and_its_pressure_is_seen(server, artist):
    artist.draw(CAR)
    artist.pen(((0.1, 0.9), (0.9, 0.9)), (0.05, 1.0))
    artist.rendered()
    begun = [op for op in document(server, artist.session) if op["op"] == "begin"]
    assert len(begun) == len(CAR) + 1 and all(op["pen"] for op in begun)
    sketch = picture(server, artist.session)
    assert sketch.shape == (SIDE, SIDE, 3)
    dark = (sketch < 128).all(-1)
    assert dark[int(0.38 * SIDE) - 4 : int(0.38 * SIDE) + 4, SIDE // 2].any()  # its roof
    line = (255 - sketch[int(0.86 * SIDE) : int(0.94 * SIDE)].astype(int)).sum((0, 2))
    assert line[int(0.75 * SIDE) : int(0.85 * SIDE)].mean() > 1.5 * line[int(0.15 * SIDE) : int(0.25 * SIDE)].mean()
    render = artist.canvas("render")
    assert abs(render.astype(int) - (255 - sketch)).mean() < 6  # the pretend stream shows the negative


def test_a_house_with_words_and_a_palette(server, artist):
    artist.draw(HOUSE)
    artist.page.get_by_label("What it shall be").fill("a brick house")
    artist.until("inkstream.studio.settings.prompt === 'a brick house'")
    with asking(server) as client:
        assert client.get(f"/sessions/{artist.session}/params").json()["prompt"] == "a brick house"
    artist.key("g")
    artist.colour("sky")
    artist.click(0.1, 0.1)
    artist.colour("#c0392b")
    artist.click(0.3, 0.7)
    artist.until("inkstream.studio.drawing.items.filter((item) => item.op.op === 'fill').length === 2")
    artist.rendered()
    sky = next(each["colour"] for each in artist.get("inkstream.studio.offers.classes") if each["name"] == "sky")
    for place, colour in (((0.1, 0.1), sky), ((0.3, 0.7), "#c0392b")):
        wanted = np.array([255 - int(colour[at : at + 2], 16) for at in (1, 3, 5)])
        got = artist.canvas("render")[int(place[1] * SIDE), int(place[0] * SIDE)]
        assert abs(got.astype(int) - wanted).max() < 24, place


def test_a_fill_stays_inside_lines_that_a_hand_did_not_quite_close(artist):
    artist.pen(((0.3, 0.3), (0.7, 0.3), (0.7, 0.7), (0.3, 0.7), (0.3, 0.315)), (0.9,), steps=12)
    artist.colour("#c0392b")
    artist.key("g")
    artist.click(0.5, 0.5)
    artist.until("inkstream.studio.drawing.items.at(-1).op.op === 'fill'")
    artist.settled()
    paper = artist.canvas("paper")
    left, top, side = (round(each) for each in artist.get(PAPER_HERE))
    red = [(paper[top + int(y * side), left + int(x * side)] == (0xC0, 0x39, 0x2B)).all() for x, y in INSIDE + OUTSIDE]
    assert red == [True] * len(INSIDE) + [False] * len(OUTSIDE)


def test_the_history_is_looked_at_and_gone_back_to(server, artist):
    artist.draw(HOUSE[:1])
    artist.page.get_by_label("What it shall be").fill("a house")
    artist.until("inkstream.studio.settings.prompt === 'a house'")
    artist.rendered()
    artist.draw(HOUSE[1:2])
    artist.rendered()
    with asking(server) as client:
        assert client.patch(f"/sessions/{artist.session}/params", json={"prompt": "a barn"}).status_code == 200
    artist.until("document.querySelector('#prompt').value === 'a barn'")  # whoever changed it
    artist.pen(((0.1, 0.1), (0.2, 0.2)))
    artist.rendered()
    artist.until("document.querySelectorAll('.moment').length > 1")
    artist.until("document.querySelector('.moment[title=\"a house\"]')")
    now = artist.canvas("render")
    artist.page.locator(".moment[title='a house']").first.click()
    artist.until("inkstream.screen.past")
    assert (artist.canvas("render") != now).any()
    artist.page.get_by_role("button", name="Go back to this").click()
    artist.until("inkstream.studio.settings.prompt === 'a house' && !inkstream.screen.past")


def test_a_variation_is_taken_and_the_picture_copied(artist):
    artist.context.grant_permissions(["clipboard-read", "clipboard-write"])
    artist.draw(HOUSE[:1])
    artist.rendered()
    artist.key("t")
    artist.until("document.querySelectorAll('.card:not([disabled]) canvas:not(.empty)').length === 6")
    before = artist.get("JSON.stringify(inkstream.studio.settings)")
    artist.page.locator(".card").nth(4).click()
    artist.until(f"JSON.stringify(inkstream.studio.settings) !== {json.dumps(before)}")
    artist.key("Control+c")
    artist.page.get_by_text("Copied").wait_for()
    kind = artist.page.evaluate("async () => (await navigator.clipboard.read())[0].types[0]")
    assert kind == "image/png"


def test_undo_redo_and_a_reload_give_the_same_paper_back(server, artist):
    artist.draw(HOUSE[:2])
    artist.settled()
    before = artist.canvas("paper")
    artist.pen(((0.1, 0.1), (0.9, 0.15)))
    artist.settled()
    after = artist.canvas("paper")
    assert (before != after).any()
    artist.key("Control+z")
    artist.settled()
    assert (artist.canvas("paper") == before).all()
    artist.key("Control+Shift+Z")
    artist.settled()
    assert (artist.canvas("paper") == after).all()
    session = artist.session
    artist.reload()
    assert artist.session == session and f"/s/{session}" in artist.page.url
    assert (artist.canvas("paper") == after).all()
    artist.key("Control+z")  # of what was drawn before the page was loaded again
    artist.settled()
    assert (artist.canvas("paper") == before).all()
    assert [op["op"] for op in document(server, session)][-1] == "undo"


def test_an_eraser_takes_from_all_layers_and_one_undo_gives_all_back(artist):
    artist.key("m")
    artist.pen(((0.2, 0.5), (0.8, 0.5)))
    artist.key("b")
    artist.pen(((0.5, 0.2), (0.5, 0.8)))
    artist.settled()
    before = artist.canvas("paper")
    artist.key("e")
    artist.pen(((0.4, 0.4), (0.6, 0.6)))
    artist.settled()
    middle = tuple(int(each / 2) for each in before.shape[:2])
    assert (artist.canvas("paper")[middle] == 255).all() and (before[middle] != 255).any()
    artist.key("Control+z")
    artist.settled()
    assert (artist.canvas("paper") == before).all()


def test_frozen_is_frozen_and_goes_on_with_what_was_drawn_meanwhile(artist):
    artist.draw(HOUSE[:1])
    artist.rendered()
    artist.page.get_by_role("button", name="Freeze").click()
    artist.until("inkstream.studio.status.frozen")
    before = artist.canvas("render")
    artist.draw(HOUSE[1:2])
    artist.settled()
    moved = abs(artist.canvas("render").astype(int) - before)
    assert not (moved > 100).any()  # a stroke would be; the last picture may come once more in a finer quality
    artist.page.get_by_role("button", name="Go on").click()
    artist.rendered()
    assert (artist.canvas("render") != before).any()


def test_what_is_downloaded_is_the_picture_and_its_layers(artist):
    artist.draw(HOUSE)
    artist.page.get_by_label("What it shall be").fill("a house")
    artist.until("inkstream.studio.settings.prompt === 'a house'")
    artist.rendered()
    files = {}
    for name in ("Download PNG", "Download layers"):
        artist.page.get_by_role("button", name="Menu").click()
        with artist.page.expect_download() as waiting:
            artist.page.get_by_role("menuitem", name=name).click()
        files[waiting.value.suggested_filename] = Path(waiting.value.path())
    assert set(files) == {"a-house.png", "a-house.ora"}
    with Image.open(files["a-house.png"]) as image:
        assert image.size == (SIDE, SIDE)
    with zipfile.ZipFile(files["a-house.ora"]) as layers:
        assert layers.read("mimetype") == b"image/openraster"


def test_the_page_is_light_whole_and_on_its_own():
    files = [path for path in PAGE.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 300_000
    for path in files:
        if path.suffix not in (".js", ".css", ".html") or "vendor" in path.parts:
            continue
        text = path.read_text("utf-8")
        assert len(text.splitlines()) <= 400 or path.suffix == ".css", path
        away = re.findall(r"https?://(?!www\.w3\.org/)[^\s\"'`]+", text)
        assert not away, (path, away)
        if path.suffix == ".html":
            assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=", text), path
    for vendor in (PAGE / "vendor").iterdir():
        assert "Permission" in (vendor / "LICENSE").read_text("utf-8"), vendor


def test_all_modules_are_asked_for_at_once():
    def named(path, known):
        if path in known:
            return known
        known.add(path)
        for other in re.findall(r"""(?:from|import) "(\.[^"]+)\"""", path.read_text("utf-8")):
            named((path.parent / other).resolve(), known)
        return known

    needed = named(PAGE / "js" / "main.js", set()) - {PAGE / "js" / "main.js"}
    asked = re.findall(r'rel="modulepreload" href="/page/([^"]+)"', (PAGE / "index.html").read_text("utf-8"))
    assert len(asked) == len(set(asked)) and {PAGE / each for each in asked} == needed


@pytest.mark.slow  # CI asks tsc itself
def test_types_of_the_page_hold():
    compiler = shutil.which("tsc")
    if compiler is None:
        pytest.skip("needs tsc: npm install -g typescript@5")
    done = subprocess.run([compiler, "-p", PAGE / "jsconfig.json"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout


def test_every_text_is_there_in_four_languages():
    texts = json.loads((PAGE / "texts.json").read_text("utf-8"))
    for key, said in texts.items():
        assert set(said) == {"en", "de", "ru", "zh"} and all(said.values()), key
        assert len({tuple(sorted(re.findall(r"\{\w+\}", each))) for each in said.values()}) == 1, key
    code = "\n".join(path.read_text("utf-8") for path in (PAGE / "js").rglob("*.js"))
    used = set(re.findall(r"""\bt\(\s*"([^"]+)\"""", code))
    assert used <= set(texts), used - set(texts)
    icons = set(re.findall(r'id="icon-([^"]+)"', (PAGE / "icons.svg").read_text("utf-8")))
    named = set(re.findall(r"""\b(?:button|icon)\(\s*"([^"]+)\"""", code))
    assert named <= icons, named - icons
