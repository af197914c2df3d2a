"""What scripts ask the studio for: settings, pictures, uploads, and what machines want to know."""

import io
import json
import threading
import zipfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from doubles.studio import SIDE, Talk, asking, fake_maker, plain, studio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from inkstream.stream.app.studio import rest as rest_module
from inkstream.stream.app.studio.moments import Moments
from inkstream.stream.app.studio.openapi import CALLS, as_markdown, described, messages_schema
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.kept import read_recipe


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with studio(tmp_path_factory.mktemp("studio"), history=20) as server:
        yield server


@pytest.fixture(scope="module")
def rest(server):
    with asking(server) as rest:
        yield rest


@pytest.fixture
def page(server):
    with Talk(server) as page:
        page.draw(plain(200))
        page.see()
        page.at = f"/sessions/{page.session}"
        yield page


def test_settings_are_read_and_patched_all_or_nothing(rest, page):
    before = rest.get(f"{page.at}/params").json()
    assert set(before) == set(StreamConfig.model_fields)
    answer = rest.patch(f"{page.at}/params", json={"prompt": "a mill", "drawing_influence": 70})
    assert answer.status_code == 200 and answer.json() == {**before, "prompt": "a mill", "drawing_influence": 70.0}
    wrong = rest.patch(f"{page.at}/params", json={"prompt": "a barn", "drawing_influence": 700})
    assert wrong.status_code == 422
    assert (wrong.json()["field"], wrong.json()["code"]) == ("drawing_influence", "setting")
    assert "got 700, expected at most 100" in wrong.json()["text"]
    assert rest.get(f"{page.at}/params").json()["prompt"] == "a mill"
    unknown = rest.patch(f"{page.at}/params", json={"promt": "a barn"})
    assert unknown.status_code == 422 and "did you mean 'prompt'" in unknown.json()["text"]
    off = rest.patch(f"{page.at}/params", json={"similar_image_filter_threshold": None, "drawing_influence": None})
    assert (off.json()["similar_image_filter_threshold"], off.json()["drawing_influence"]) == (None, 50.0)


def test_a_render_is_under_the_changed_settings(rest, page):
    rest.patch(f"{page.at}/params", json={"prompt": "a red barn"})
    page.see(settings=1)
    png = rest.get(f"{page.at}/render.png").content
    picture = Image.open(io.BytesIO(png))
    assert picture.size == (SIDE, SIDE) and json.loads(picture.text["inkstream"])["stream"]["prompt"] == "a red barn"
    small = Image.open(io.BytesIO(rest.get(f"{page.at}/render.jpg?side=32").content))
    assert small.size == (32, 32)
    with zipfile.ZipFile(io.BytesIO(rest.get(f"{page.at}/render.ora").content)) as layers:
        assert layers.read("mimetype") == b"image/openraster" and "data/layer1.png" in layers.namelist()
    sketch = np.asarray(Image.open(io.BytesIO(rest.get(f"{page.at}/sketch.png").content)))
    assert (sketch == 200).all()
    assert rest.get(f"/view/{page.welcome['view']}.jpg").content == rest.get(f"{page.at}/render.jpg").content


def test_orders_of_several_clients_are_kept_in_order_and_the_last_wins(rest, page):
    for number in range(20):
        rest.patch(f"{page.at}/params", json={"guidance_scale": number / 10})
        page.say(type="set", request=number, changes={"guidance_scale": number / 10 + 0.05})
        page.hear("done", request=number)
    assert rest.get(f"{page.at}/params").json()["guidance_scale"] == 1.95
    seen = [each["values"]["guidance_scale"] for each in page.heard if each["type"] == "settings"]
    assert seen[-1] == 1.95 and seen[2:] == sorted(seen[2:])  # the first were said when it came


def test_undo_and_redo_of_what_a_page_drew(rest, page):
    assert rest.post(f"{page.at}/undo").status_code == 409
    page.ops({"op": "begin", "layer": "ink"}, {"op": "end", "of": "page00001.1"}, {"op": "clear"})
    page.hear("kept")
    assert rest.post(f"{page.at}/undo").json() == {"of": "page00001.3"}
    assert page.hear("drawn")["ops"][0] | {"number": 0, "revision": 0, "client": ""} == {
        "client": "",
        "revision": 0,
        "op": "undo",
        "number": 0,
        "of": "page00001.3",
    }
    assert rest.post(f"{page.at}/undo").json() == {"of": "page00001.1"}
    assert rest.post(f"{page.at}/redo").json() == {"of": "page00001.1"}


def test_freeze_seed_and_status(rest, page):
    assert rest.post(f"{page.at}/freeze", json={"frozen": True}).json() == {"frozen": True}
    assert rest.get(page.at).json()["state"] == "frozen"
    assert rest.post(f"{page.at}/freeze", json={"frozen": "?"}).status_code == 422
    assert rest.post(f"{page.at}/seed", json={"seed": 11}).json() == {"seed": 11}
    drawn = rest.post(f"{page.at}/seed").json()["seed"]
    rest.patch(f"{page.at}/params", json={})
    assert 0 <= drawn < 10_000


def test_a_picture_is_kept_with_its_recipe_and_fetched(rest, page, tmp_path):
    assert rest.post(f"{page.at}/keep").status_code == 202
    saved = page.hear("saved")
    assert rest.get(f"{page.at}/kept").json() == [saved["name"]]
    stem = saved["name"].removesuffix(".png")
    for name in (f"{stem}.png", f"{stem}-input.png", f"{stem}.ora"):
        assert rest.get(f"{page.at}/kept/{name}").status_code == 200
    assert rest.get(f"{page.at}/kept/..%2f..%2fsettings.json").status_code == 404
    assert rest.get(f"{page.at}/kept/other.png").status_code == 404
    (tmp_path / "kept.png").write_bytes(rest.get(f"{page.at}/kept/{stem}.png").content)
    assert read_recipe(tmp_path / "kept.png")["stream"]["width"] == SIDE


def test_moments_of_the_history_are_listed_seen_and_gone_back_to(rest, page):
    rest.patch(f"{page.at}/params", json={"prompt": "first"})
    page.see(settings=1)
    page.draw(plain(100))
    page.see(of=2)
    rest.patch(f"{page.at}/params", json={"prompt": "second"})
    page.see(settings=2)
    page.draw(plain(50))
    page.see(of=3)
    while len(listed := rest.get(f"{page.at}/history").json()) < 5:
        continue  # it is written down on a thread of its own
    assert [each["moment"] for each in listed] == [4, 3, 2, 1, 0]
    assert [each["prompt"] for each in listed] == ["second", "second", "first", "first", ""]
    assert [each["moment"] for each in rest.get(f"{page.at}/history?before=3&count=2").json()] == [2, 1]
    thumb = Image.open(io.BytesIO(rest.get(f"{page.at}/history/2.jpg?side=16").content))
    assert thumb.size == (16, 16) and abs(np.asarray(thumb).mean() - 155) < 4
    assert rest.get(f"{page.at}/history/99.jpg").status_code == 404
    assert rest.post(f"{page.at}/rewind", json={"moment": 1}).status_code == 202
    page.see(settings=3)
    assert rest.get(f"{page.at}/params").json()["prompt"] == "first"
    assert rest.post(f"{page.at}/rewind", json={}).status_code == 422


def test_moments_from_before_a_restart_are_seen_and_gone_back_to(tmp_path):
    with studio(tmp_path, history=20) as server, Talk(server) as page, asking(server) as rest:
        at = f"/sessions/{page.session}"
        rest.patch(f"{at}/params", json={"prompt": "before"})
        page.draw(plain(100))
        page.see()
        while not rest.get(f"{at}/history").json():
            continue
        rest.patch(f"{at}/params", json={"prompt": "before, later"})
        page.see(settings=2)
    with ExitStack() as stack:
        server = stack.enter_context(studio(tmp_path, history=20, port=server.port))
        rest = stack.enter_context(asking(server))
        back = stack.enter_context(Talk(server, "page00002", page.session))
        assert [each["prompt"] for each in rest.get(f"{at}/history").json()] == ["before, later", "before"]
        back.draw(plain(30))
        back.see()
        while len(listed := rest.get(f"{at}/history").json()) < 3:
            continue
        assert listed[0]["prompt"] == "before, later"  # the first picture has the settings that were left
        numbers = [each["moment"] for each in listed]
        assert numbers == sorted(set(numbers), reverse=True)
        thumb = Image.open(io.BytesIO(rest.get(f"{at}/history/{numbers[-1]}.jpg").content))
        assert abs(np.asarray(thumb).mean() - 155) < 4
        rest.post(f"{at}/rewind", json={"moment": numbers[-1]})
        while back.hear("settings")["values"]["prompt"] != "before":
            continue
    folder = tmp_path / "drawings" / page.session / "settings.json"
    left = json.loads(folder.read_text())
    for wrong in ("nonsense", [["../..", 0, 5]], [["x", -1, 5]], [["x", 5, 1]], [[1, 2, 3]], {"a": 1}, 7):
        assert Moments(None, wrong).listed(None, 5) == []
    assert Moments(None, left["history"]).left() == left["history"]


def png_of(width, height):
    file = io.BytesIO()
    Image.new("1", (width, height)).save(file, "PNG")
    return file.getvalue()


def test_pictures_are_uploaded_once_and_bombs_and_other_files_refused(rest, page):
    data = png_of(300, 200)
    put = rest.post(f"{page.at}/images", content=data)
    assert put.status_code == 201 and put.json() == rest.post(f"{page.at}/images", content=data).json()
    assert (put.json()["width"], put.json()["height"]) == (300, 200)
    assert rest.get(f"{page.at}/images/{put.json()['image']}").content == data
    page.ops({"op": "image", "layer": "photo", "image": put.json()["image"], "width": 300, "height": 200})
    page.hear("kept")
    for width, height in ((7000, 7000), (20_000, 100), (14_000, 14_000)):
        bomb = rest.post(f"{page.at}/images", content=png_of(width, height))
        assert bomb.status_code == 415 and "at most 40 megapixels" in bomb.json()["text"]
    for other in (b"", b"GIF89a" + bytes(50), b"<svg/>", b"PK\x03\x04" + bytes(99), data[:20], b"\x89PNG\r\n\x1a\nx"):
        assert rest.post(f"{page.at}/images", content=other).status_code == 415
    large = rest.post(f"{page.at}/images", content=bytes(21 << 20))
    assert large.status_code == 413
    assert rest.get(f"{page.at}/images/../settings.json").status_code == 404
    assert rest.get(f"{page.at}/images/{'0' * 32}").status_code == 404


def test_drawings_are_made_and_removed(rest):
    made = rest.post("/sessions").json()
    at = f"/sessions/{made['session']}"
    assert made["address"].endswith(f"/s/{made['session']}") and made["viewers"].endswith(f"/view/{made['view']}")
    assert rest.get(at).json()["revision"] == 0
    assert rest.get(f"{at}/render.jpg").status_code == 409
    assert rest.delete(at).status_code == 204
    assert rest.get(at).status_code == 404
    assert rest.get("/sessions/" + "0" * 32).json()["code"] == "unknown"


def test_what_machines_ask(rest, page):
    assert rest.get("/healthz").text == "alive\n" and rest.get("/readyz").text == "ready\n"
    figures = rest.get("/metrics").text
    assert "inkstream_pages 1\n" in figures and 'fate="frames_rendered"' in figures and page.session not in figures
    assert rest.get("/about").json()["model"] == "ink-tiny"
    schema = rest.get("/schema/params").json()["properties"]
    assert schema["guidance_scale"]["maximum"] == 30.0 and schema["guidance_scale"]["description"]
    assert {each["x-group"] for each in schema.values()} == {
        *("drawing", "loop", "conditioning", "weights", "running", "gate")
    }
    assert (schema["device"]["x-change"], schema["prompt"]["x-change"], schema["width"]["x-change"]) == (
        *("never", "now", "soon"),
    )
    assert rest.get("/schema/messages").json() == json.loads(json.dumps(messages_schema()))
    assert rest.get("/nowhere").json()["code"] == "unknown"


def test_numbers_are_numbers_and_nothing_else_is(rest, page):
    assert rest.post(f"{page.at}/seed", content='{"seed": 12.0}').json() == {"seed": 12}
    for wrong in ('{"seed": false}', '{"seed": "12"}', '{"seed": 12.5}', '{"seed": 1e400}', "[" * 10_000, "nonsense"):
        assert rest.post(f"{page.at}/seed", content=wrong).status_code == 422
    assert rest.patch(f"{page.at}/params").status_code == 422
    assert set(rest.options(page.at).headers["allow"].split(", ")) == {"GET", "HEAD", "DELETE"}


def test_openapi_describes_every_route_there_is(server, rest):
    document = rest.get("/openapi.json").json()
    assert document == json.loads(json.dumps(described()))
    pages = {"/", "/s/{session}", "/view/{view}", "/page", "/openapi.json", "/ca.pem", "/ws"}
    routes = {
        (method.lower(), route.path.replace(":int", "").replace("render.{what}", "render.jpg"))
        for route in server.site.app._app.routes
        for method in getattr(route, "methods", None) or {"GET"}
        if method != "HEAD" and route.path not in pages
    }
    told = {(call.method, call.path) for call in CALLS}
    assert told - {("get", f"/sessions/{{session}}/render.{kind}") for kind in ("png", "ora")} == routes


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(sorted([*StreamConfig.model_fields, "frozen", "seed", "moment", "scale", "steps", "x"]))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_asked_gets_an_answer_that_is_described(rest, server, data):
    call = data.draw(st.sampled_from([each for each in CALLS if each.method != "delete" and each.path != "/sessions"]))
    with_body = call.method in ("post", "patch")
    body = data.draw(st.dictionaries(names, anything, max_size=3) | anything) if with_body else None
    room = next(iter(server.site.rooms.open), "0" * 32)
    path = call.path.replace("{session}", data.draw(st.sampled_from([room, "0" * 32, "x"])))
    for name in ("moment", "image", "name", "view"):
        path = path.replace(f"{{{name}}}", data.draw(st.sampled_from(["0", "7", "f" * 32, "a.png"])))
    if data.draw(st.booleans()) and call.also:
        path += f"?side={data.draw(st.sampled_from(['1', 'x', '64', '-1', '99999999999999999999']))}&before=a"
    answer = rest.request(call.method, path, json=body)
    assert answer.status_code < 500 or (answer.json()["code"] in ("full", "failed") and answer.status_code == 503)
    if answer.status_code >= 400 and answer.status_code != 405:
        assert set(answer.json()) == {"code", "field", "text"} and answer.json()["text"]


def test_a_change_that_takes_long_is_told_to_be_on_its_way(tmp_path, monkeypatch):
    monkeypatch.setattr(rest_module, "WAIT", 0.05)
    slow = fake_maker()

    def make(config, progress):
        made = slow(config, progress)
        before = made.stream.update

        def update(**changes):
            release.wait(5)
            return before(**changes)

        made.stream.update = update
        return made

    release = threading.Event()
    with studio(tmp_path, maker=make) as server, Talk(server) as page, asking(server) as rest:
        page.draw(plain())
        page.see()
        answer = rest.patch(f"/sessions/{page.session}/params", json={"prompt": "later"})
        assert answer.status_code == 202
        release.set()
        assert page.hear("settings", revision=1)["values"]["prompt"] == "later"


def test_the_page_on_the_protocol_lists_every_call():
    text = (Path(__file__).parent.parent / "docs" / "studio-protocol.md").read_text("utf-8")
    assert as_markdown() in text, f"docs/studio-protocol.md must have:\n{as_markdown()}"
