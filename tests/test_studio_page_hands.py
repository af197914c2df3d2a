"""The studio's page under pens, fingers and keys; for viewers, for those who cannot see it, and without a server."""

import io
import json
import shutil
from pathlib import Path

import doubles.browser
import numpy as np
import pytest
from doubles.browser import HOUSE, Artist, chromium
from doubles.studio import asking, run_config, studio
from PIL import Image

SIDE = 256
AWAY = ("WebSocket connection", "Failed to load resource")  # what a browser says of a server that is not there
FAULTS = Path(doubles.browser.__file__).with_name("faults.js").read_text("utf-8")
SMALL = """[...document.querySelectorAll("ink-rail button, ink-topbar button, ink-prompt .group button")]
  .filter((each) => each.checkVisibility() && !each.closest("[popover]"))
  .map((each) => each.getBoundingClientRect())
  .filter((box) => box.height < 44 || box.width < 40).length"""
# What a page lacks that came over plain HTTP from another computer.
PLAIN = """
  delete HTMLElement.prototype.onpointerrawupdate;
  delete PointerEvent.prototype.getCoalescedEvents;
  delete PointerEvent.prototype.getPredictedEvents;
  delete Crypto.prototype.randomUUID;
  delete Navigator.prototype.clipboard;
"""
NONE = {"nameless": [], "pale": [], "twice": []}


@pytest.fixture(scope="module")
def browser():
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    run = run_config(width=SIDE, height=SIDE)
    with studio(tmp_path_factory.mktemp("studio"), run=run, most=32) as made:
        yield made


def test_two_fingers_move_the_paper_and_a_tap_of_two_takes_back(browser, server):
    with Artist(browser, server.address("/"), touch=True) as artist:
        artist.fingers([(0.3, 0.3)], [(0.4, 0.5)], [(0.6, 0.6)], [])
        artist.settled()
        assert not artist.get("inkstream.studio.drawing.empty")
        drawn = artist.get("inkstream.studio.drawing.items.length")
        artist.fingers([(0.4, 0.5)], [(0.4, 0.5), (0.6, 0.5)], [(0.3, 0.5), (0.7, 0.5)], [(0.2, 0.5), (0.8, 0.5)], [])
        assert artist.get("inkstream.studio.view.zoom") > 1.3
        artist.until("inkstream.studio.strokes.length === 0")
        assert artist.get(f"inkstream.studio.drawing.items.slice({drawn}).every((item) => item.undone)")
        artist.fingers([(0.4, 0.5)], [(0.4, 0.5), (0.6, 0.5)], [])
        artist.until("inkstream.studio.drawing.empty")


def test_a_palm_draws_nothing_once_a_pen_was_seen(browser, server):
    with Artist(browser, server.address("/"), touch=True) as artist:
        artist.pen(((0.2, 0.2), (0.4, 0.3)))
        artist.settled()
        drawn = artist.get("inkstream.studio.drawing.items.length")
        artist.fingers([(0.5, 0.8)], [(0.6, 0.8)], [(0.7, 0.8)], [])
        artist.settled()
        assert artist.get("inkstream.studio.drawing.items.length") == drawn


def test_what_a_pencil_leans_is_seen_and_kept(browser, server):
    with Artist(browser, server.address("/")) as artist:
        artist.key("n")
        artist.pen(((0.1, 0.3), (0.9, 0.3)), (0.6,))
        artist.pen(((0.1, 0.7), (0.9, 0.7)), (0.6,), tilt=(70, 0))
        artist.settled()
        paper = 255 - artist.canvas("paper").astype(int)
        height = paper.shape[0]
        upright, leaning = paper[: height // 2].sum(), paper[height // 2 :].sum()
        assert leaning - upright > 2000
        before = artist.canvas("paper")
        artist.reload()
        assert (artist.canvas("paper") == before).all()


def test_symmetry_and_shapes_are_the_same_after_a_reload(browser, server):
    with Artist(browser, server.address("/")) as artist:
        artist.key("s")  # left and right
        artist.pen(((0.1, 0.2), (0.3, 0.6)))
        artist.key("l")
        artist.key("l")  # an ellipse
        artist.pen(((0.2, 0.6), (0.45, 0.9)))
        artist.key("v")  # perspective is a guide and no ink
        artist.settled()
        with asking(server) as client:
            text = client.get(f"/sessions/{artist.session}/document").text
        ops = [json.loads(line) for line in text.splitlines()]
        shapes = [op.get("shape", "free") for op in ops if op["op"] == "begin"]
        assert shapes == ["free", "ellipse"]
        sketch = artist.get("inkstream.studio.raster.layer('sketch').canvas.toDataURL()")
        artist.reload()
        again = artist.get("inkstream.studio.raster.layer('sketch').canvas.toDataURL()")
        assert again == sketch
        width = artist.get("inkstream.studio.raster.layer('sketch').canvas.width")
        mirrored = artist.get(
            "(() => { const layer = inkstream.studio.raster.layer('sketch'), { width, height } = layer.canvas;"
            " const { data } = layer.context.getImageData(0, 0, width, height); let off = 0, ink = 0;"
            " for (let y = 0; y < height; y += 4) for (let x = 0; x < width / 2; x += 1) {"
            " const [one, other] = [data[4 * (y * width + x) + 3], data[4 * (y * width + width - 1 - x) + 3]];"
            " ink += one > 0; off += Math.abs(one - other) > 96; } return [off, ink]; })()"
        )
        assert width > 1000 and mirrored[1] > 500 and mirrored[0] < 0.02 * mirrored[1]


def test_perspective_holds_strokes_and_its_points_are_moved_by_hand(browser, server):
    with Artist(browser, server.address("/")) as artist:
        artist.key("v")
        artist.key("v")
        before = artist.get("inkstream.studio.vanishing")
        artist.pen(((0.03, before[0]["y"] / SIDE), (0.2, 0.6)))
        after = artist.get("inkstream.studio.vanishing")
        assert after[0]["x"] > before[0]["x"] + 0.1 * SIDE and after[0]["y"] == after[1]["y"] > before[0]["y"]
        assert artist.get("inkstream.studio.drawing.empty")
        artist.pen(((0.5, 0.9), (0.75, 0.8)), steps=8)  # about to the right point, and then exactly
        artist.settled()
        points = artist.get("inkstream.studio.drawing.items.at(-1).points")
        (x, y, *_), (end_x, end_y, *_) = points[0], points[-1]
        slope, wanted = (end_y - y) / (end_x - x), (after[1]["y"] - y) / (after[1]["x"] - x)
        assert abs(slope - wanted) < 0.02


def test_it_draws_where_browsers_keep_fine_steps_to_themselves(browser, server):
    with Artist(browser, server.address("/"), script=PLAIN) as artist:
        assert not artist.get("inkstream.stage.pointers.raw")
        artist.pen(((0.2, 0.2), (0.8, 0.3)), (0.2, 0.9), steps=10)
        artist.rendered()
        pressures = artist.get("inkstream.studio.drawing.items[0].points.map((point) => point[2])")
        assert len(pressures) > 5 and pressures[-1] > pressures[0] + 0.3
        assert artist.get("inkstream.stage.inkTimes.length") > 3


def test_under_a_magnifier_lines_are_sharp(browser, server):
    def soft(paper):
        """Pixels that are neither ink nor paper."""
        return ((paper > 60) & (paper < 200)).all(-1).sum()

    with Artist(browser, server.address("/")) as artist:
        artist.pen(((0.2, 0.2), (0.8, 0.85)), (0.9,))
        artist.settled()
        artist.page.evaluate(
            """() => {
              inkstream.studio.view.zoom = 6;
              inkstream.stage.sharp.wait();
              clearTimeout(inkstream.stage.sharp.timer);
              inkstream.stage.redraw();
            }"""
        )
        artist.settled()
        before = artist.canvas("paper")
        artist.page.evaluate("() => inkstream.stage.sharp.wait()")
        artist.until("inkstream.stage.sharp.raster")
        artist.settled()
        after = artist.canvas("paper")
        assert 0 < 2 * soft(after) < soft(before)
        artist.pen(((0.45, 0.5), (0.55, 0.5)))
        artist.settled()
        assert (artist.canvas("paper") != after).any()
        artist.key("Control+z")
        artist.until("inkstream.stage.sharp.raster")
        artist.settled()
        assert (artist.canvas("paper") == after).all()


def test_strokes_drawn_without_a_server_are_there_when_it_is_back(browser, tmp_path):
    run = run_config(width=SIDE, height=SIDE)
    with studio(tmp_path, run=run) as first:
        artist = Artist(browser, first.address("/"), expected=AWAY)
        artist.open(artist.address)
        artist.draw(HOUSE[:1])
        artist.settled()
    artist.until("inkstream.studio.connection.link === 'cut'")
    artist.draw(HOUSE[1:])
    artist.until("inkstream.studio.strokes.length === 0")
    assert artist.get("inkstream.studio.connection.waiting.length") > 0
    assert "kept" in artist.page.get_by_role("button", name="Status").inner_text()
    paper = artist.canvas("paper")
    with studio(tmp_path, run=run, port=first.port) as second:
        artist.until("inkstream.studio.connection.link === 'open'")
        artist.settled()
        artist.reload()
        assert (artist.canvas("paper") == paper).all()
        with asking(second) as client:
            text = client.get(f"/sessions/{artist.session}/document").text
        ops = [json.loads(line) for line in text.splitlines()]
    assert len([op for op in ops if op["op"] == "begin"]) == len(HOUSE)
    names = [(op["client"], op["number"]) for op in ops]
    assert len(names) == len(set(names))
    artist.context.close()
    assert not artist.wrong


def test_viewers_see_the_render_and_nothing_else(browser, server):
    with Artist(browser, server.address("/")) as artist:
        artist.draw(HOUSE)
        artist.rendered()
        view = artist.get("inkstream.studio.connection.welcome.view")
        page = browser.new_page(viewport={"width": 400, "height": 300})
        page.goto(server.address(f"/view/{view}?transparent=1"))
        page.wait_for_selector("canvas:not([hidden])")
        shot = np.asarray(Image.open(io.BytesIO(page.screenshot(omit_background=True))))
        assert shot[2, 2, 3] == 0 and shot[150, 200, 3] == 255
        assert page.evaluate("() => document.body.innerText.trim()") == ""
        page.close()
        with asking(server) as client:
            code = client.get(f"/view/{view}.svg")
        assert code.headers["content-type"].startswith("image/svg+xml") and b"<path" in code.content


@pytest.mark.parametrize(
    ("scheme", "size"),
    [
        ("dark", (1440, 900)),
        pytest.param("light", (1440, 900), marks=pytest.mark.slow),
        pytest.param("dark", (1024, 768), marks=pytest.mark.slow),
        pytest.param("light", (1024, 768), marks=pytest.mark.slow),
        pytest.param("dark", (390, 844), marks=pytest.mark.slow),
        ("light", (390, 844)),
    ],
)
def test_everything_has_a_name_and_can_be_read(browser, server, scheme, size):
    with Artist(browser, server.address("/"), scheme=scheme, size=size) as artist:
        assert artist.page.evaluate(FAULTS) == NONE
        for tab in ("look", "layers", "settings"):
            artist.get(f"inkstream.studio.prefs.set('panel', '{tab}')")
            artist.until(f"!document.getElementById('body-{tab}').hidden")
            if tab == "settings":
                artist.until("document.querySelectorAll('#body-settings .control').length > 20")
            assert artist.page.evaluate(FAULTS) == NONE, tab
        artist.get("inkstream.studio.prefs.set('panel', '')")
        artist.page.get_by_role("button", name="Menu").click()
        assert artist.page.evaluate(FAULTS) == NONE
        artist.page.keyboard.press("Escape")
        artist.key("?")
        assert artist.page.evaluate(FAULTS) == NONE
        assert artist.page.get_by_role("dialog", name="Keys").is_visible()
        artist.page.keyboard.press("Escape")
        small = artist.get(SMALL)
        assert small == 0
        assert artist.get("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    ("scheme", "size"), [("dark", (1440, 900)), pytest.param("light", (390, 844), marks=pytest.mark.slow)]
)
def test_axe_finds_nothing(browser, server, scheme, size):
    compiler = shutil.which("tsc")  # what npm brings lies in one folder
    axe = Path(compiler).resolve().parents[2] / "axe-core" / "axe.min.js" if compiler else Path()
    if not axe.is_file():
        pytest.skip("needs axe-core: npm install axe-core@4, beside typescript@5")
    with Artist(browser, server.address("/"), scheme=scheme, size=size) as artist:
        artist.draw(HOUSE[:1])
        artist.settled()
        artist.page.evaluate(f"() => {{ {axe.read_text('utf-8')}\n }}")
        for tab in ("", "look", "layers", "settings"):
            artist.get(f"inkstream.studio.prefs.set('panel', '{tab}')")
            if tab == "settings":
                artist.until("document.querySelectorAll('#body-settings .control').length > 20")
            found = artist.page.evaluate("() => window.axe.run().then(({ violations }) => violations)")
            assert not found, [(each["id"], [node["html"][:120] for node in each["nodes"]]) for each in found]


def test_with_keys_alone_one_gets_everywhere(browser, server):
    with Artist(browser, server.address("/")) as artist:
        parts, reached = "ink-topbar, ink-rail, ink-stage, ink-prompt", []
        for _ in range(16):
            artist.page.keyboard.press("Tab")
            reached.append(artist.get(f"document.activeElement.closest({parts!r})?.localName"))
        assert set(parts.split(", ")) <= set(reached)
        artist.page.get_by_role("button", name="Ink", exact=True).focus()
        artist.page.keyboard.press("ArrowDown")
        artist.page.keyboard.press("Enter")
        assert artist.get("inkstream.studio.prefs.get('tool')") == "marker"
        assert artist.get("document.querySelector('[role=status]').getAttribute('aria-live')") == "polite"


def test_who_has_no_token_is_asked_for_it_and_it_stays_in_no_address(browser, tmp_path):
    with studio(tmp_path, run=run_config(width=64, height=64), token="a-token-of-twenty-letters") as server:
        with Artist(browser, server.address("/#token=a-token-of-twenty-letters")) as artist:
            assert "token" not in artist.page.url
            artist.draw(HOUSE[:1])
            artist.settled()
            address = artist.page.url
        artist = Artist(browser, address)
        artist.page.goto(address)
        artist.page.get_by_role("textbox", name="Password").fill("a-token-of-twenty-letters")
        artist.page.get_by_role("button", name="Enter").click()
        artist.until("inkstream.studio.connection.link === 'open'")
        artist.until("!inkstream.studio.drawing.empty")
        artist.context.close()
        assert not artist.wrong


def test_a_new_drawing_takes_none_away(browser, server):
    with Artist(browser, server.address("/")) as artist:
        artist.draw(HOUSE[:1])
        artist.settled()
        first = artist.session
        artist.page.get_by_role("button", name="Menu").click()
        artist.page.get_by_role("menuitem", name="New drawing").click()
        artist.until("window.inkstream?.studio.connection.link === 'open'")
        artist.until(f"inkstream.studio.connection.session !== '{first}'")
        artist.page.get_by_role("button", name="Menu").click()
        artist.page.get_by_role("menuitem", name="Drawings").click()
        artist.page.locator(f"a[href='/s/{first}']").click()
        artist.until(f"window.inkstream?.studio.connection.session === '{first}' && !inkstream.studio.drawing.empty")
