"""What people may ask for and take: prompts that are looked at, quotas, tokens; with workers and without."""

import asyncio
import contextlib
import threading

import pytest
from doubles.cluster import Near, gateway, page_of
from doubles.studio import Talk, asking, plain, studio
from doubles.time import FakeTime
from websockets.exceptions import ConnectionClosed

from inkstream.stream.app.studio.backend import Full
from inkstream.stream.app.studio.moderation import Moderation, Words, read_moderation
from inkstream.stream.app.studio.quotas import Quota, Quotas, read_quota, read_users
from inkstream.stream.app.studio.settings import Refused
from inkstream.stream.app.studio.site import Rules
from inkstream.stream.base.errors import ConfigError

ANNA, BEN = "a-token-of-anna-alone", "a-token-of-ben-alone"


@pytest.mark.parametrize(
    ("prompt", "refused"),
    [
        ("a red car", False),
        ("a car of BLÓOD", True),
        ("ｂｌｏｏｄ on snow", True),
        ("bloodhound in a meadow", False),
        ("a gun-fight at dusk", True),
        ("a gun, and a fight", False),
        ("血だらけの車", True),
        ("", False),
    ],
)
def test_words_are_found_however_they_are_written(prompt, refused):
    assert bool(Words(["blood", "gun fight", "血"])(prompt)) is refused


def checked(moderation, **patch):
    asyncio.run(moderation.check(patch))


def test_a_list_and_a_function_of_ones_own_look_at_every_text_of_a_prompt(tmp_path):
    words, rules = tmp_path / "words.txt", tmp_path / "rules.py"
    words.write_text("# not here\nblood  # nor that\n\n", "utf-8")
    rules.write_text("def judge(prompt):\n    return 'it shouts' if prompt.isupper() else None\n")
    made = read_moderation([str(words), f"{rules}:judge"])
    checked(made, prompt=[["a car", 1.0], ["a van", 0.5]], seed=3, negative_prompt="fog")
    for wrong, said in (([["a car", 1.0], ["blood", 0.5]], "not wanted here"), ("A CAR", "it shouts")):
        with pytest.raises(Refused, match=said) as refusal:
            checked(made, prompt=wrong)
        assert (refusal.value.code, refusal.value.field) == ("moderated", "prompt")
    with pytest.raises(Refused):
        checked(made, negative_prompt="BLOOD")
    assert asyncio.run(made.cleaned({"stream": {"prompt": "blood", "seed": 4}, "model": "x"})) == {
        "stream": {"seed": 4},
        "model": "x",
    }
    for spec in (f"{rules}:nothing", str(tmp_path / "none.txt"), f"{tmp_path / 'none.py'}:judge"):
        with pytest.raises(ConfigError, match="moderate"):
            read_moderation([spec])


def test_what_looks_at_prompts_refuses_when_it_fails_or_says_nothing():
    def broken(prompt):
        raise OSError("the service is away")

    with pytest.raises(Refused, match="cannot be looked at now"):
        checked(Moderation([broken]), prompt="a car")
    with pytest.raises(Refused, match=r"within 0\.02 s"):
        checked(Moderation([lambda prompt: str(threading.Event().wait(0.2))], within=0.02), prompt="a car")


@contextlib.contextmanager
def served(kind, folder, rules):
    """A page with rules, before streams of its own or before a worker."""
    if kind == "studio":
        with studio(folder, rules=rules) as server:
            yield server
        return
    with gateway(Near("a")) as made, page_of(made, folder, rules=rules) as server:
        yield server


@pytest.mark.parametrize("kind", ["studio", "cluster"])
def test_a_refused_prompt_changes_nothing_with_workers_and_without(kind, tmp_path):
    rules = Rules(moderation=Moderation([Words(["blood"])]))
    with served(kind, tmp_path, rules) as server, Talk(server) as page, asking(server) as rest:
        page.say(type="set", request=1, changes={"prompt": "a red car", "seed": 5})
        page.hear("done", request=1)
        page.say(type="set", request=2, changes={"prompt": "a car of blood", "seed": 6})
        refused = page.hear("refused", request=2)
        assert (refused["code"], refused["field"]) == ("moderated", "prompt") and "blood" not in refused["text"]
        at = f"/sessions/{page.session}/params"
        said = rest.patch(at, json={"prompt": "blood"})
        assert (said.status_code, said.json()["code"]) == (422, "moderated")
        assert (rest.get(at).json()["prompt"], rest.get(at).json()["seed"]) == ("a red car", 5)


def test_each_name_has_its_own_quota_and_no_other_token_lets_in(tmp_path, monkeypatch):
    monkeypatch.setattr("inkstream.stream.app.studio.quotas.HERE", ("",))  # as if they came from elsewhere
    quota = Quota.model_validate({"drawings": 1, "new": 3, "uploads": 0.0001})
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(studio(tmp_path, rules=Rules({ANNA: "anna", BEN: "ben"}, quota)))
        first = stack.enter_context(Talk(server, token=ANNA))
        first.see(of=first.draw(plain(9)))
        with pytest.raises(ConnectionClosed) as closing:
            Talk(server, "page00002", token=ANNA)
        assert closing.value.rcvd.code == 4503
        stack.enter_context(
            Talk(server, "page00003", session=first.session, token=BEN)
        )  # who helps has no drawing of it
        stack.enter_context(Talk(server, "page00004", token=BEN))
        for token in (None, "", "a-token-of-nobody"):
            with pytest.raises(ConnectionClosed) as closing:
                Talk(server, "page00005", token=token)
            assert closing.value.rcvd.code == 4401
        anna = stack.enter_context(asking(server, Authorization=f"Bearer {ANNA}"))
        assert anna.get(f"/sessions/{first.session}/params").status_code == 200
        assert "you have 1 drawings open" in anna.post("/sessions").json()["text"]
        assert "too many new drawings" in anna.post("/sessions").json()["text"]
        said = anna.post(f"/sessions/{first.session}/images", content=b"x" * 101)
        assert (said.status_code, said.json()["code"]) == (413, "too_much")
        wrong = stack.enter_context(asking(server, Authorization="Bearer wrong"))
        assert wrong.get("/metrics").status_code == 401


def test_quotas_are_counted_and_come_back():
    clock = FakeTime()
    quotas = Quotas(Quota.model_validate({"drawings": 2, "sockets": 2, "new": 6, "uploads": 1}), clock)
    assert [quotas.enter("10.0.0.7") for _ in range(3)] == [True, True, False] and quotas.enter("10.0.0.8")
    quotas.leave("10.0.0.7")
    assert quotas.enter("10.0.0.7") and all(quotas.enter("127.0.0.1") for _ in range(50))
    for _ in range(6):
        quotas.new("10.0.0.7")
    with pytest.raises(Full, match="too many"):
        quotas.new("10.0.0.7")
    quotas.new("user anna")
    clock.now += 30
    quotas.new("10.0.0.7")
    assert quotas.uploaded("x", 900_000) and not quotas.uploaded("x", 900_000)
    clock.now += 3600
    assert quotas.uploaded("x", 900_000)
    quotas.open("x", 1)
    with pytest.raises(Full, match="you have 2"):
        quotas.open("x", 2)
    quotas.open("127.0.0.1", 2)


def test_quotas_and_names_are_read_or_it_is_said_what_is_wrong(tmp_path):
    quota = read_quota("drawings=4, new=2.5")
    assert (quota.drawings, quota.new, quota.sockets) == (4, 2.5, Quota.model_validate({}).sockets)
    assert read_quota("") == Quota.model_validate({})
    for wrong in ("drawings", "drawing=3", "drawings=0", "new=fast"):
        with pytest.raises(ConfigError, match="--quota"):
            read_quota(wrong)
    path = tmp_path / "users.yaml"
    path.write_text(f"anna: {ANNA}\nben: {BEN}\n")
    assert read_users(path) == {ANNA: "anna", BEN: "ben"}
    for text in ("anna: short\n", "- anna\n", "", f"anna: {ANNA}\nben: {ANNA}\n"):
        path.write_text(text)
        with pytest.raises(ConfigError, match="users"):
            read_users(path)


def test_who_rests_gives_their_place_away_and_has_it_back_with_the_next_stroke(tmp_path, monkeypatch):
    monkeypatch.setattr("inkstream.stream.app.studio.room.RESTS", 0.0)
    with studio(tmp_path, most=1) as server, Talk(server) as first:
        first.say(type="set", request=1, changes={"seed": 77})
        first.see(of=first.draw(plain(50)))
        first.hear("status", state="idle")
        with Talk(server, "page00002") as second:
            first.hear("status", state="waiting")
            second.see(of=second.draw(plain(90)))
            second.hear("status", state="idle")
            _, seen = first.see(of=first.draw(plain(120)))
            assert abs(int(seen.mean()) - 135) < 3
            second.hear("status", state="waiting")
            with asking(server) as rest:  # and back by a question alone: its picture is there again
                assert rest.get(f"/sessions/{first.session}/params").json()["seed"] == 77
                first.hear("status", state="idle")
                assert rest.get(f"/sessions/{second.session}/params").status_code == 200
            _, seen = second.see()
            assert abs(int(seen.mean()) - 165) < 3


def test_a_stroke_without_a_place_waits_and_is_rendered_when_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr("inkstream.stream.app.studio.rooms.TICK", 0.05)
    with studio(tmp_path, most=1) as server, Talk(server) as first:
        first.see(of=first.draw(plain(50)))
        room = server.site.rooms.open[first.session]
        server._loop.call_soon_threadsafe(lambda: server._loop.create_task(room.park()))
        first.hear("status", state="waiting")
        with Talk(server, "page00002") as second:
            second.see(of=second.draw(plain(90)))
            first.draw(plain(120))
            assert "all 1 places are taken" in first.hear("status", state="loading")["text"]
        _, seen = first.see()  # without another stroke
        assert abs(int(seen.mean()) - 135) < 3
