"""The studio's socket: a real server, pages that talk to it, and a stream without a network."""

import json
import threading

import numpy as np
import pytest
from doubles.studio import SIDE, Talk, asking, fake_maker, plain, run_config, studio
from websockets.exceptions import ConnectionClosed

from inkstream.stream.app.studio import client as client_module
from inkstream.stream.app.studio import socket as socket_module
from inkstream.stream.app.studio.frames import Kind


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with studio(tmp_path_factory.mktemp("studio")) as server:
        yield server


def closed(page):
    """The close code, and what was said last before it."""
    with pytest.raises(ConnectionClosed) as closing:
        while True:
            page.once()
    return closing.value.rcvd.code, page.heard[-1] if page.heard else None


def test_a_drawing_becomes_a_render_that_knows_it(server):
    with Talk(server) as page:
        welcome = page.welcome
        assert (welcome["role"], welcome["revision"], welcome["reset"], welcome["width"]) == ("draw", 0, False, SIDE)
        sequence = page.draw(plain(200), document=3, at=123)
        head, seen = page.see()  # before or after it is said that the drawing was taken
        assert (head.of, head.document, head.time, head.tag) == (sequence, 3, 123, page.tag)
        assert abs(int(seen.mean()) - 55) <= 2  # the negative
        rough = len(page.frames[-1][1])
        best, _ = page.see(of=sequence)  # it stays, so it comes once more, at its best
        assert best.sequence > head.sequence and len(page.frames[-1][1]) > rough
        later = page.draw(plain(100))
        assert page.see(of=later)[0].sequence > best.sequence
        assert any(each["type"] == "took" and each["sequence"] == sequence for each in page.heard)


def test_labels_lie_under_the_lines_as_their_classes_colours(server):
    labels = np.full((SIDE, SIDE), 255, np.uint8)
    labels[:, 32:] = 0
    things = np.zeros((SIDE, SIDE), np.uint16)
    things[32:] = 7
    with Talk(server) as page:
        (offers,) = [page.hear("offers")]
        while not offers["classes"]:
            offers = page.hear("offers")
        assert offers["classes"][0] == {"number": 0, "name": "sky", "colour": "#78b4ff"}
        page.draw(plain(255), labels, things)
        _, seen = page.see()
        drawn = 255 - seen.astype(int)
        assert np.abs(drawn[10, 10] - 255).max() < 12 and np.abs(drawn[10, 50] - (0x78, 0xB4, 0xFF)).max() < 24
        assert drawn[31, 56].mean() < drawn[10, 56].mean() - 40  # a line between two things of one class
        page.draw(plain(255), np.full((SIDE, SIDE), 200, np.uint8))
        assert "got class 200, expected 0 to" in page.hear("refused", code="picture")["text"]


def test_settings_change_for_everybody_and_wrong_ones_for_nobody(server):
    with Talk(server) as page, Talk(server, "page00002", page.session) as other:
        page.say(type="set", request=1, changes={"prompt": "a lighthouse", "guidance_scale": 2.5})
        page.hear("done", request=1)
        said = other.hear("settings")["values"]
        while not said["prompt"]:
            said = other.hear("settings")["values"]
        assert (said["prompt"], said["guidance_scale"]) == ("a lighthouse", 2.5)
        page.say(type="set", request=2, changes={"prompt": "a barn", "guidance_scale": 99})
        refused = page.hear("refused", request=2)
        assert (refused["code"], refused["field"]) == ("setting", "guidance_scale")
        assert "got 99, expected at most 30" in refused["text"]
        page.say(type="set", request=3, changes={"device": "cuda"})
        assert "cannot change while running" in page.hear("refused", request=3)["text"]
        page.say(type="set", request=4, changes={"lora_dict": {"/etc/passwd": 1.0}})
        assert "start with --set lora_dict" in page.hear("refused", request=4)["text"]
        with asking(server) as rest:
            assert rest.get(f"/sessions/{page.session}/params").json()["prompt"] == "a lighthouse"


def test_two_pages_draw_one_drawing_and_a_third_gets_all_of_it(server):
    with Talk(server) as page, Talk(server, "page00002", page.session) as other:
        page.ops({"op": "begin", "layer": "ink", "points": [16, 16, 512, 0]}, {"op": "end", "of": "page00001.1"})
        assert page.hear("kept")["number"] == 2
        drawn = other.hear("drawn")["ops"]
        assert [(each["op"], each["client"], each["revision"]) for each in drawn] == [
            ("begin", "page00001", 1),
            ("end", "page00001", 2),
        ]
        other.ops({"op": "undo", "of": "page00001.1"})
        assert page.hear("drawn")["ops"][0]["of"] == "page00001.1"
        with Talk(server, "page00003", page.session) as third:
            assert [each["op"] for each in third.hear("drawn")["ops"]] == ["begin", "end", "undo"]
        with Talk(server, "page00004", page.session, revision=2) as fourth:
            assert [each["op"] for each in fourth.hear("drawn")["ops"]] == ["undo"]


def test_a_page_sends_again_what_was_missing_and_nothing_counts_twice(server):
    with Talk(server) as page:
        page.say(type="ops", client=page.client, ops=[{"op": "clear", "number": 3}])
        assert page.hear("missing")["number"] == 1
        page.ops(*[{"op": "clear"}] * 3)
        assert page.hear("kept", number=3)["revision"] == 3
        page.say(type="ops", client=page.client, ops=[{"op": "clear", "number": 3}])
        assert page.hear("kept", number=3)["revision"] == 3
        page.say(type="ops", client="earlierlife", ops=[{"op": "clear", "number": 1}])  # of the page before a reload
        assert page.hear("kept", client="earlierlife")["revision"] == 4


def test_a_socket_that_is_cut_at_random_loses_no_stroke_and_doubles_none(server):
    random = np.random.default_rng(7)
    page = Talk(server, "drawer000")
    session, strokes, known = page.session, 0, 0
    for _ in range(40):
        strokes += int(random.integers(1, 4))
        for number in range(known + 1, strokes + 1):
            page.say(type="ops", client="drawer000", ops=[{"op": "clear", "number": number}])
        if random.random() < 0.7:  # some of the answers are heard
            known = page.hear("kept")["number"]
        page.cut()
        page = Talk(server, "drawer000", session)
        assert page.welcome["kept"] >= known
        known = page.welcome["kept"]
    for number in range(known + 1, strokes + 1):
        page.say(type="ops", client="drawer000", ops=[{"op": "clear", "number": number}])
    if known < strokes:
        page.hear("kept", number=strokes)
    with asking(server) as rest:
        lines = rest.get(f"/sessions/{session}/document").text.splitlines()
    assert [json.loads(line)["number"] for line in lines] == list(range(1, strokes + 1))
    page.socket.close()


def test_the_same_page_by_another_socket_takes_the_place_of_the_first(server):
    page = Talk(server)
    with Talk(server, page.client, page.session):
        code, bye = closed(page)
        assert (code, bye["code"]) == (4410, "replaced")


def test_a_viewer_sees_and_changes_nothing(server):
    with Talk(server) as page, Talk(server, "viewer001", page.welcome["view"], "view") as viewer:
        assert (viewer.session, viewer.welcome["role"], viewer.welcome["revision"]) == ("", "view", 0)
        page.draw(plain(30))
        head, seen = viewer.see()
        assert head.of == 0 and int(seen.mean()) > 220
        for message in ({"type": "set", "changes": {"prompt": "x"}}, {"type": "freeze", "frozen": True}):
            viewer.say(request=5, **message)
            assert viewer.hear("refused")["code"] == "read_only"
        viewer.say(type="ops", client="viewer001", ops=[{"op": "clear", "number": 1}])
        assert viewer.hear("refused")["code"] == "read_only"
        viewer.draw(plain(0))
        assert viewer.hear("refused")["code"] == "read_only"
        assert not any(each["type"] in ("settings", "offers", "drawn") for each in viewer.heard)
        with pytest.raises(ConnectionClosed):
            Talk(server, "viewer002", page.session, "view")  # who draws has another name


def test_frozen_keeps_the_picture_and_goes_on_with_the_newest(server):
    with Talk(server) as page:
        page.draw(plain(10))
        page.see()
        page.say(type="freeze", request=1, frozen=True)
        page.hear("done", request=1)
        page.hear("status", state="frozen")
        page.draw(plain(250))
        page.hear("took", sequence=2)
        page.say(type="freeze", request=2, frozen=False)
        _, seen = page.see(of=2)
        assert int(seen.mean()) < 10


def test_variations_come_with_their_pictures_and_one_is_taken(server):
    with Talk(server) as page:
        page.say(type="vary", request=8, count=2)
        assert page.hear("refused", request=8)["code"] in ("no_picture", "loading")
        page.draw(plain(90))
        page.see()
        page.say(type="vary", request=9, count=2)
        first, second = page.hear("variant", request=9, index=0), page.hear("variant", request=9, index=1)
        pictures = [head for head, _ in page.frames if head.kind == Kind.VARIANT]
        while len(pictures) < 2:
            pictures.append(page.see(Kind.VARIANT)[0])
        assert {(head.sequence, head.of) for head in pictures} == {(9, 0), (9, 1)}
        assert first["changes"]["seed"] != second["changes"]["seed"]
        page.say(type="set", request=10, changes=second["changes"])
        page.hear("done", request=10)
        with asking(server) as rest:
            assert rest.get(f"/sessions/{page.session}/params").json()["seed"] == second["changes"]["seed"]


def test_another_seed_and_what_the_model_makes_of_words(server):
    with Talk(server) as page:
        page.draw(plain(1))
        page.see()  # the model is there
        page.say(type="seed", request=1, seed=77)
        assert page.hear("done", request=1)["result"] == {"seed": 77}
        page.say(type="seed", request=2)
        assert 0 <= page.hear("done", request=2)["result"]["seed"] < 10_000
        page.say(type="read", request=3, text="a red barn")
        assert page.hear("done", request=3)["result"] == {
            "unknown": [],
            "heeded": False,
            "cut": "",
            "added": [],
            "taken": [],
            "lost": [],
            "lines": [],
        }


def test_a_page_that_shows_nothing_holds_up_nobody_and_is_left(server, monkeypatch):
    monkeypatch.setattr(client_module, "PATIENCE", 0.5)
    with Talk(server) as page, Talk(server, "slowpage1", page.session) as slow:
        slow.acknowledges = False
        for level in range(0, 250, 10):
            sequence = page.draw(plain(level))
            page.see(of=sequence)
        code, bye = closed(slow)
        assert (code, bye["code"]) == (4408, "late")
        assert len([head for head, _ in slow.frames if head.kind == Kind.RENDER]) == 1


def test_the_page_works_while_the_model_is_loaded(tmp_path):
    loaded = threading.Event()
    with studio(tmp_path, maker=fake_maker(wait=loaded)) as server, Talk(server) as page, asking(server) as rest:
        status = page.hear("status", state="loading", done=0.5)
        assert status["text"].startswith("loading ink-tiny")
        assert rest.get("/healthz").status_code == 200 and rest.get("/readyz").status_code == 503
        page.ops({"op": "clear"})
        page.hear("kept")
        page.draw(plain(50))
        page.hear("took")
        page.say(type="set", request=1, changes={"prompt": "early"})
        page.hear("done", request=1)
        page.say(type="keep", request=2)
        assert page.hear("refused", request=2)["code"] == "loading"
        loaded.set()
        _, seen = page.see()
        assert abs(int(seen.mean()) - 205) <= 2
        assert rest.get(f"/sessions/{page.session}/params").json()["prompt"] == "early"
        assert rest.get("/readyz").status_code == 200


def test_a_model_that_cannot_be_loaded_is_said_and_tried_again_for_who_comes_again(tmp_path):
    there, works = [], fake_maker()

    def make(config, progress):
        if not there:
            raise OSError("the model's file is not there")
        return works(config, progress)

    with studio(tmp_path, maker=make) as server, Talk(server) as page:
        assert "the model's file is not there" in page.hear("status", state="failed")["text"]
        page.ops({"op": "clear"})
        assert page.hear("kept")["number"] == 1  # what is drawn is kept all the same
        there.append("now")
        with Talk(server, "page00002", page.session) as again:
            assert again.welcome["revision"] == 1
            again.draw(plain(80))
            again.see()
            page.see()


def test_a_restart_goes_on_with_the_same_drawing_and_settings(tmp_path):
    with studio(tmp_path) as server, Talk(server) as page:
        port = server.port
        page.ops(*[{"op": "clear"}] * 3)
        page.hear("kept")
        page.say(type="set", request=1, changes={"prompt": "before", "seed": 5})
        page.hear("done", request=1)
        server.stop()
        code, bye = closed(page)
        assert (code, bye["code"], bye["retry"]) == (1012, "restart", 0)
    with studio(tmp_path, port=port) as server, Talk(server, "page00009", page.session, revision=3) as again:
        assert (again.welcome["revision"], again.welcome["reset"]) == (3, False)
        assert again.welcome["server"] != page.welcome["server"] and again.tag == page.tag
        values = again.hear("settings")["values"]
        assert (values["prompt"], values["seed"]) == ("before", 5)
        again.draw(plain(20))
        again.see()
    other = run_config(prompt="another model's", width=128, height=128)
    other = other.model_copy(update={"model": "another"})
    with studio(tmp_path, run=other) as server, Talk(server, "page00010", page.session) as third:
        values = third.hear("settings")["values"]
        assert (values["prompt"], values["width"]) == ("before", 128)  # sizes belong to the model


def test_all_places_taken_is_said_and_a_place_that_nobody_uses_is_given_on(tmp_path):
    with studio(tmp_path, most=1) as server:
        with Talk(server) as page:
            other = Talk(server, hello=False)
            other.say(type="hello", protocol=1, client="page00002")
            code, bye = closed(other)
            assert (code, bye["code"], bye["retry"]) == (4503, "full", 5)
            assert "all 1 places are taken" in bye["text"]
            page.ops({"op": "clear"})
            page.hear("kept")
        with Talk(server, "page00003") as next_one:
            next_one.draw(plain(0))
            next_one.see()
        with Talk(server, "page00004", page.session) as back:
            assert back.welcome["revision"] == 1


@pytest.mark.parametrize(
    ("said", "code", "why"),
    [
        ("nonsense", 4400, "garbage"),
        ('{"type": "shown", "sequence": 1}', 4400, "garbage"),
        ('{"type": "hello", "protocol": 1, "client": "../../etc"}', 4400, "garbage"),
        ('{"type": "hello", "protocol": 99, "client": "page00001"}', 4409, "protocol"),
        (
            '{"type": "hello", "protocol": 1, "client": "page00001", "session": "%s"}' % ("0" * 32),
            4404,
            "unknown_session",
        ),
        (
            '{"type": "hello", "protocol": 1, "client": "page00001", "session": "..%2f..%2fetc%2fpasswd"}',
            4400,
            "garbage",
        ),
        (b"\x00" * 100, 4400, "garbage"),
        ("[" * 100_000, 4400, "garbage"),
    ],
)
def test_what_is_no_hello_is_refused_with_a_reason(server, said, code, why):
    page = Talk(server, hello=False)
    page.socket.send(said)
    got, bye = closed(page)
    assert (got, bye["code"]) == (code, why)


def test_who_says_nothing_is_left(server, monkeypatch):
    monkeypatch.setattr(socket_module, "HELLO_WITHIN", 0.2)
    assert closed(Talk(server, hello=False))[1]["code"] == "late"


def test_garbage_large_and_fast_messages_end_that_socket_alone(server, monkeypatch):
    with Talk(server) as good:
        page = Talk(server, "page00002")
        page.say(
            type="ops", client="page00002", ops=[{"op": "begin", "number": 1, "layer": "ink", "points": [1, 2, 3]}]
        )
        code, bye = closed(page)
        assert (code, bye["code"]) == (4400, "garbage") and "expected four a point" in bye["text"]
        page = Talk(server, "page00003")
        page.socket.send("x" * (300 << 10))
        assert closed(page)[0] == 1009
        page = Talk(server, "page00004")
        page.socket.send(b"x" * (3 << 20))
        assert closed(page)[0] == 1009
        page = Talk(server, "page00006")
        page.socket.socket.sendall(b"\x82\xff" + (1 << 30).to_bytes(8, "big") + b"mask" + b"x" * 1000)  # 1 GB to come
        assert closed(page)[0] == 1009
        monkeypatch.setattr(socket_module, "TEXTS", 20.0)
        page = Talk(server, "page00005")
        for number in range(41):
            page.say(type="shown", sequence=number)
        code, bye = closed(page)
        assert (code, bye["code"]) == (4429, "too_much")
        good.draw(plain(60))
        good.see()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda page: page.socket.send(b"INK1" + b"\xff" * 60), "expected a kind"),
        (lambda page: page.socket.send(b"JUNK" * 20), "no picture"),
        (lambda page: page.draw(plain(), tag=5), "another session"),
        (lambda page: page.draw(plain()[:, :32], labels=np.zeros((SIDE, SIDE), np.uint8)), "expected 2,048"),
    ],
)
def test_a_picture_that_is_none_is_refused_and_the_next_one_taken(server, change, why):
    with Talk(server) as page:
        change(page)
        assert why in page.hear("refused", code="picture")["text"]
        page.draw(plain(40))
        page.see()
