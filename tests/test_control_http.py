"""HTTP on one stream, and who wins when everybody changes the same setting at once."""

from contextlib import ExitStack
from itertools import pairwise

import httpx2
import pytest
from doubles.control import Console, Devices, steered
from doubles.studio import Talk, run_config

from inkstream.bench.synthetic import FakeStream
from inkstream.stream.app import control
from inkstream.stream.app.control import check_controls
from inkstream.stream.app.opening import Opening
from inkstream.stream.app.studio.beside import page_of
from inkstream.stream.base.cues import CueList
from inkstream.stream.base.errors import ConfigError
from inkstream.stream.base.frame import Size
from inkstream.stream.session.session import Session

pytest.importorskip("starlette", reason='HTTP needs starlette: pip install "inkstream[studio]"')
http = pytest.importorskip("inkstream.stream.app.control.http")


@pytest.fixture
def run(tmp_path):
    with steered(tmp_path, controlnets=[{}]) as run:
        run.http = http.Http(run.desk, http.Place("127.0.0.1", 0))
        with httpx2.Client(base_url=f"http://127.0.0.1:{run.http.port}", timeout=10.0) as run.ask:
            yield run
        run.http.close()


def test_settings_are_read_and_changed_all_or_nothing(run):
    before = run.ask.get("/params").json()
    answer = run.ask.patch("/params", json={"prompt": "a lighthouse", "seed": 7, "controlnets": before["controlnets"]})
    assert answer.status_code == 200 and answer.json()["prompt"] == "a lighthouse"
    answer = run.ask.patch("/params", json={"prompt": "not this", "drawing_influence": 500})
    assert (answer.status_code, answer.json()["field"]) == (422, "drawing_influence")
    assert "got 500" in answer.json()["text"] and run.ask.get("/params").json()["prompt"] == "a lighthouse"
    for patch, field in (({"acceleration": "eager"}, "acceleration"), ({"nothing": 1}, "nothing"), ([1], "")):
        answer = run.ask.patch("/params", json=patch)
        assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert run.stream.config.seed == 7 and run.ask.patch("/params", content=b"{").status_code == 422


def test_commands_pictures_and_what_machines_ask(run, tmp_path):
    run.until(lambda: run.desk.steering.sink.newest is not None)
    assert run.ask.get("/healthz").text == "alive\n" and run.ask.get("/readyz").status_code == 200
    assert 'inkstream_frames_total{session="0",fate="frames_captured"}' in run.ask.get("/metrics").text
    assert run.ask.get("/status").json()["state"] in ("live", "warming")
    assert run.ask.post("/freeze", json={"frozen": True}).json() == {"frozen": True} and run.desk.frozen
    assert run.ask.get("/status").json()["state"] == "frozen"
    assert run.ask.post("/seed", json={"seed": 99}).json() == {"seed": 99}
    run.until(lambda: run.stream.config.seed == 99)
    assert run.ask.get("/render.jpg").content[:2] == b"\xff\xd8"
    assert run.ask.get("/render.png").content[1:4] == b"PNG"
    assert run.ask.post("/keep").status_code == 202
    run.until(lambda: list(tmp_path.glob("*.png")))
    assert run.ask.get("/nothing").json()["code"] == "unknown"
    paths = run.ask.get("/openapi.json").json()["paths"]
    assert {"/params", "/freeze", "/render.png", "/cue", "/status"} <= paths.keys()
    assert not [path for path in paths if "session" in path]


def test_cues_are_called(run):
    assert run.ask.post("/cue").json()["count"] == 0
    run.session.cues.load(CueList.model_validate({"cues": ["one", "two", "three"]}))
    assert run.ask.post("/cue", json={"go": "next"}).json()["cue"] == 2
    assert run.ask.post("/cue", json={"go": 3, "tempo": 96}).json() == {"cue": 3, "count": 3, "tempo": 96.0}
    assert run.ask.post("/cue", json={"go": "back"}).json()["cue"] == 2
    run.until(lambda: run.stream.config.prompt == "two")
    for wrong in ({"go": 9}, {"go": "sideways"}, {"tempo": 1}, {"gone": 1}, [], "x"):
        assert run.ask.post("/cue", json=wrong).status_code == 422, wrong
    assert run.ask.post("/tap").json()["tempo"] == 96.0
    for wrong in (b"{", b'{"go": NaN}', b"[" * 100_000, b'{"go": 1e999}', b"\xff"):
        assert run.ask.post("/cue", content=wrong).status_code == 422, wrong[:20]
    assert run.ask.post("/cue", content=b" " * 300_000).status_code == 413
    assert run.ask.post("/midi/learn", content=b"[]").status_code == 422


def test_other_sites_are_kept_out(run):
    assert run.ask.patch("/params", json={"seed": 1}, headers={"host": "evil.example"}).status_code == 403
    assert run.ask.post("/keep", headers={"origin": "https://evil.example"}).status_code == 403
    assert run.ask.get("/sessions/other/params").status_code == 404


def test_a_taken_port_and_misspelt_controls_are_said(run):
    with pytest.raises(ConfigError, match=r"--control http:\d+: 127.0.0.1:\d+ is taken; name another port"):
        http.Http(run.desk, http.Place("127.0.0.1", run.http.port))
    for text, said in (
        ("oscar:9000", "did you mean 'osc'"),
        ("http:", "got no port"),
        ("http:99999", "expected PORT or HOST:PORT"),
        ("http:7860,share", "unknown option|expected PORT"),
    ):
        with pytest.raises(ConfigError, match=said):
            check_controls([text])


def test_everybody_changes_the_same_setting_at_once_and_who_came_last_wins(run, tmp_path):
    pytest.importorskip("pythonosc")
    pytest.importorskip("mido")
    from inkstream.stream.app.control import midi, osc

    (tmp_path / "map.yaml").write_text("controls:\n- {control: cc 1 channel 1, address: drawing_influence}\n")
    devices = Devices("faders")
    faders = midi.Midi(run.desk, map=tmp_path / "map.yaml", backend=devices)
    listening = osc.Osc(run.desk, osc.Place("127.0.0.1", 0))
    try:
        with Console(listening.port) as console, Console(listening.port) as watching:
            watching.say("/status")
            watching.hear("/status")
            for number in range(20):
                devices.play("control_change", channel=0, control=1, value=60 + number)
                console.say("/drawing_influence", 10.0 + number)
                run.ask.patch("/params", json={"drawing_influence": 80.0 + number / 10})
                if number % 2:
                    run.session.update(drawing_influence=float(number))  # a key of the window
            run.until(lambda: run.desk.config.drawing_influence == run.stream.config.drawing_influence)
            console.say("/drawing_influence", 33.0)
            while watching.hear("/drawing_influence") != [33.0]:
                pass
            run.until(lambda: run.stream.config.drawing_influence == 33.0)
            assert run.ask.get("/params").json()["drawing_influence"] == 33.0
            asked = [made["drawing_influence"] for made in run.stream.made if made["drawing_influence"] >= 80]
            assert all(a < b for a, b in pairwise(asked)) and asked[-1] == 81.9  # in the order in which they came
    finally:
        listening.close()
        faders.close()


def test_while_the_model_is_loaded_changes_are_noted_and_then_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = run_config()
    with control.steered(["http:0"], run, None, True, lambda: ("loading", None)) as desk:
        port = desk.surfaces[0].port
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=10.0) as ask:
            assert ask.get("/readyz").status_code == 503
            assert ask.post("/keep").json()["code"] == "loading"
            desk.put("prompt", ["before it was there"], "osc")
            desk.put("seed", [7], "osc")
            assert desk.config.seed == 7
            stream = FakeStream(steps=1, size=Size(64, 64))
            with Session("fake:fps=30,size=64x64", desk.heard(stream), ["null"], on_output=[desk.look]) as session:
                desk.adopt(session, stream)
                session.start()
                while (stream.config.prompt, stream.config.seed) != ("before it was there", 7):
                    session.wait(0.01)
                assert ask.get("/readyz").status_code == 200


def test_without_any_control_nothing_is_there():
    with control.steered([], run_config(), None, True, lambda: ("", None)) as desk:
        assert desk is None


def test_what_a_console_changes_is_on_the_page_and_the_other_way_round(tmp_path, monkeypatch):
    pytest.importorskip("pythonosc")
    monkeypatch.chdir(tmp_path)
    run = run_config()
    with ExitStack() as stack:
        opening = Opening("fake:pattern=noise,fps=30,size=64x64", ["browser:port=0"], run, stack)
        page = stack.enter_context(page_of(opening, opening.source, ["browser:port=0"], run))
        desk = stack.enter_context(control.steered(["osc:0"], run, page, False, lambda: ("", None)))
        stream = FakeStream(steps=1, size=Size(64, 64))
        heard = desk.heard(page.heard(stream))
        session = stack.enter_context(Session(opening.source, heard, opening.sinks, on_status=page.look))
        page.adopt(session, stream)
        desk.adopt(session, stream)
        session.start()
        drawer = stack.enter_context(Talk(page.server))
        console = stack.enter_context(Console(desk.surfaces[0].port))
        for number in range(5):
            console.say("/drawing_influence", 20.0 + number)
            while drawer.hear("settings")["values"]["drawing_influence"] != 20.0 + number:
                pass
        console.say("/freeze", 1)
        assert drawer.hear("status", state="frozen")
        drawer.say(type="set", request=1, changes={"seed": 77})
        assert console.hear("/seed") == [77]
