"""What steers a studio is for the drawing that somebody drew on last."""

import threading
from contextlib import ExitStack

import httpx2
import pytest
from doubles.control import Console
from doubles.studio import Talk, fake_maker, plain, run_config, studio
from typer.testing import CliRunner

from inkstream.stream.app import control
from inkstream.stream.app.cli import app
from inkstream.stream.app.control.front import Front
from inkstream.stream.base.cues import read_cues

pytest.importorskip("pythonosc", reason='OSC needs python-osc: pip install "inkstream[control]"')


@pytest.fixture
def desk(tmp_path):
    """A studio whose streams may wait for ``desk.gate``, and what steers it."""
    (tmp_path / "show.yaml").write_text("cues:\n- the first cue\n- the second cue\n")
    with ExitStack() as stack:
        front = Front(run_config().stream, read_cues(tmp_path / "show.yaml"))
        front.gate = threading.Event()
        front.gate.set()
        maker = fake_maker(wait=front.gate)
        front.server = stack.enter_context(studio(tmp_path, maker=maker, steered=front.place))
        stack.enter_context(control.surfaces(["osc:0", "http:0"], front))
        front.console = stack.enter_context(Console(front.surfaces[0].port))
        front.ask = stack.enter_context(httpx2.Client(base_url=f"http://127.0.0.1:{front.surfaces[1].port}"))
        yield front


def test_before_there_is_a_drawing_that_is_said(desk):
    assert desk.ask.get("/readyz").status_code == 503
    assert desk.ask.get("/params").json()["prompt"] == run_config().stream.prompt
    assert desk.ask.get("/status").json()["state"] == "waiting"
    answer = desk.ask.patch("/params", json={"seed": 7})
    assert answer.status_code == 409 and answer.json()["code"] == "no_drawing"
    assert desk.ask.get("/render.jpg").status_code == 409
    desk.console.say("/seed", 7)
    assert desk.console.hear("/error") == ["/seed", "no drawing is open; open the studio's page and draw"]
    desk.console.say("/status")
    assert desk.console.hear("/status")[0] == "waiting"


def test_a_fader_is_for_the_drawing_that_somebody_drew_on_last(desk):
    with (
        Talk(desk.server) as first,
        Talk(desk.server, "page00002") as second,
        Console(desk.surfaces[0].port) as watching,
    ):
        watching.say("/status")
        watching.hear("/status")
        for drawer, level in ((first, 240), (second, 100), (first, 60)):
            drawer.draw(plain(level), document=level)
            drawer.see(document=level)
            desk.console.say("/drawing_influence", float(level) / 4)
            while drawer.hear("settings")["values"]["drawing_influence"] != level / 4:
                pass
            assert desk.ask.get("/params").json()["drawing_influence"] == level / 4
            while watching.hear("/drawing_influence") != [level / 4]:  # faders elsewhere go there
                pass
        assert desk.ask.get("/render.jpg").content.startswith(b"\xff\xd8")
        second.say(type="set", request=1, changes={"seed": 77})  # who changes something, too
        while watching.hear("/seed") != [77]:
            pass
        desk.console.say("/freeze", 1)
        second.hear("status", state="frozen")


def test_each_drawing_plays_the_show_and_a_closed_one_is_steered_no_more(desk):
    with Talk(desk.server) as drawer:
        while drawer.hear("settings")["values"]["prompt"] != "the first cue":
            pass
        desk.console.say("/cue/next")
        while drawer.hear("settings")["values"]["prompt"] != "the second cue":
            pass
        assert desk.ask.get("/cue").json()["cue"] == 2
        room = desk.server.site.rooms.open[drawer.session]
    desk.server._loop.call_soon_threadsafe(lambda: desk.server._loop.create_task(room.park()))
    while desk.ask.get("/status").json()["state"] != "waiting":
        pass


def test_what_is_set_while_the_model_is_loaded_is_there_with_the_first_picture(desk):
    desk.gate.clear()
    with Talk(desk.server) as one, Talk(desk.server, "page00002") as drawer:  # the first has the stream that was made
        one.hear("settings")
        drawer.draw(plain(10))
        drawer.hear("status", state="loading")
        desk.console.say("/seed", 99)
        while desk.ask.get("/params").json()["seed"] != 99:
            pass
        desk.gate.set()
        while drawer.hear("settings")["values"]["seed"] != 99:
            pass


def test_a_misspelt_control_is_refused_before_anything_is_loaded():
    said = CliRunner().invoke(app, ["studio", "--no-open", "--control", "ocs:9000"])
    assert said.exit_code == 2 and "did you mean 'osc'" in said.output
