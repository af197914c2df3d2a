"""Settings that are tried: which they are, and that trying them leaves no trace."""

import random
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from inkstream.bench.synthetic import FakeStream
from inkstream.lora.load import load_pipeline
from inkstream.stream.base.articles import exchanged
from inkstream.stream.base.completion import completed
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.configfile import load_config
from inkstream.stream.base.errors import ConfigError
from inkstream.stream.base.frame import Size
from inkstream.stream.base.reading import Brings
from inkstream.stream.base.variants import variants
from inkstream.stream.loop.prompt import PromptEncoder
from inkstream.stream.loop.stream import Stream
from inkstream.stream.session.session import Session
from inkstream.stream.sinks.fake import FakeSink
from inkstream.stream.sources.drawing import sketch
from inkstream.stream.sources.fake import FakeSource

TAGS = {
    "kind": ("car", "building", "landscape"),
    "style": ("sedan", "house", "apartment block"),
    "colour": ("red", "teal", "grey"),
    "ground": ("road", "grass", "snow", "studio"),
    "time": ("day", "sunset", "studio"),
    "far": ("the sea", "green hills"),
    "near": ("grass", "snow", "rocks"),
}
INK = Brings(("red",), ("night", "clay", "print"), {}, TAGS)


def drawn(prompt: str, brings: Brings = INK, seed: int = 0, **settings):
    return variants(StreamConfig.build(prompt=prompt, **settings), brings, random.Random(seed), 6)


def test_what_a_prompt_leaves_open_is_drawn_and_what_it_says_stays():
    for seed in range(20):
        made = drawn("a house", seed=seed)
        words, styles = made[:3], made[3:]
        assert len({each.label for each in made}) == 6
        for each in words:
            prompt = each.changes["prompt"]
            colour = next(word for word in TAGS["colour"] if word in prompt)
            assert prompt.startswith(f"a {colour} house, on ") and "studio" not in prompt
            assert prompt.endswith((", day", ", sunset"))
        assert {name for each in styles for name in each.changes["lora_dict"]} == {"night", "clay", "print"}
        assert all("prompt" not in each.changes for each in styles)


def test_the_seed_completes_a_prompt_in_words_and_always_the_same():
    whole = "a red house, on snow, sunset"
    assert completed(whole, TAGS, random.Random(1)) == (whole, ())
    made = {seed: completed("a house on snow", TAGS, random.Random(seed)) for seed in range(12)}
    assert made == {seed: completed("a house on snow", TAGS, random.Random(seed)) for seed in range(12)}
    assert len({prompt for prompt, _ in made.values()}) >= 4
    for prompt, added in made.values():
        assert len(added) == 2 and "on snow" in prompt and all(each in prompt for each in added)
    streets = {**TAGS, "ground": ("road", "grass")}
    said = {completed("a red sedan, day", streets, random.Random(seed))[0] for seed in range(8)}
    assert said == {"a red sedan, day, on road", "a red sedan, day, on grass"}


def test_a_stream_draws_what_the_completed_prompt_says():
    prompts = PromptEncoder(load_pipeline("ink-tiny", StreamConfig.build(device="cpu", dtype="float32")))
    config = load_config("ink-tiny").stream.model_copy(update={"prompt": "a house", "seed": 3})
    reading = prompts.read("a house", config)
    prompt, added = completed("a house", prompts.brings.tags, random.Random(3))
    assert reading.added == added and reading.hints() == (f"the seed adds: {', '.join(added)}",)
    plain = config.model_copy(update={"complete_prompt": False})
    assert not prompts.read("a house", plain).hints() and not reading.lines()
    painted = config.changed(mode="paint")
    assert not prompts.read("a house", painted).added, "the picture that it begins with says it"
    expected = prompts.prompt(plain.model_copy(update={"prompt": prompt}))
    assert torch.equal(prompts.prompt(config).text, expected.text)
    assert not torch.equal(prompts.prompt(config).text, prompts.prompt(plain).text)
    another = prompts.prompt(config.model_copy(update={"seed": 4}))
    assert not torch.equal(another.text, expected.text)


def test_an_article_follows_the_word_behind_it():
    tags = {**TAGS, "colour": ("orange", "red")}
    brings = replace(INK, tags=tags)
    for before in ("a house", "A red house, on grass, day", "an orange house, on grass, day"):
        prompts = {each.changes["prompt"] for seed in range(6) for each in drawn(before, brings, seed)[:3]}
        assert any("orange" in prompt for prompt in prompts) or before.startswith("an")
        assert any("red" in prompt for prompt in prompts)
        for prompt in prompts:
            assert prompt[1:].startswith("n orange house" if "orange" in prompt else " red house")


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        ("on an X", "unicorn", "on a unicorn"),
        ("On A X, day", "hour", "On An hour, day"),
        ("a red X", "apple", "a red apple"),
        ("banana X", "apple", "banana apple"),
        ("an X", "European house", "a European house"),
    ],
)
def test_articles_go_by_sound(text, words, said):
    at = text.index("X")
    assert exchanged(text, at, at + 1, words) == (said, said.index(words))


def test_a_landscape_gets_what_landscapes_have():
    for each in drawn("a landscape with rocks")[:3]:
        assert each.changes["prompt"].startswith("a landscape with rocks, with ")
        assert each.changes["prompt"].endswith((", day", ", sunset"))
        assert not any(colour in each.changes["prompt"] for colour in TAGS["colour"])


def test_where_all_is_said_some_of_it_is_said_otherwise():
    before = "a Red apartment block, on grass, day"
    for seed in range(20):
        for each in drawn(before, seed=seed)[:3]:
            prompt = each.changes["prompt"]
            assert prompt != before and len(prompt.split()) == len(before.split()) and "apartment block" in prompt


def test_a_style_that_is_on_is_not_tried_and_a_studio_stays_one():
    made = drawn("a red sedan in a studio", lora_dict={"night": 0.8})
    assert {name for each in made[4:] for name in each.changes["lora_dict"]} == {"clay", "print"}
    assert all("in a studio" in each.changes["prompt"] for each in made if "prompt" in each.changes)


def test_a_model_that_takes_any_words_gets_seeds_and_another_influence():
    made = drawn("a fox", Brings(), drawing_influence=90.0)
    assert len({each.changes["seed"] for each in made}) == 6
    assert [each.changes.get("drawing_influence") for each in made][::2] == [None] * 3
    assert {each.changes["drawing_influence"] for each in made[1::2]} <= {70.0, 100.0}
    assert drawn([("a fox", 1.0), ("a cat", 2.0)])[0].changes.keys() == {"seed"}  # a blend stays one


def test_changes_to_lead_from_any_settings_to_any_others():
    one = StreamConfig.build(prompt="a", mode="sketch", controlnets=[{}], lora_dict={"night": 0.5}, seed=1)
    other = one.changed(mode="txt2img", t_index_list=[0, 9], prompt="b", lora_dict={"night": 0.0, "clay": 1.0})
    assert one.changes_to(one) == {}
    assert one.changed(**one.changes_to(other)) == other
    back = other.changed(**other.changes_to(one))
    assert back == one.changed(lora_dict={"clay": 0.0})


# --- trying


class Live:
    """A session that runs, and what its only sink and whoever asked got."""

    def __init__(self, stream, source) -> None:
        self.sink = FakeSink(keep=10_000)
        self.session = Session(source, stream, [self.sink])
        self.told, self._done = [], threading.Event()

    def try_out(self, changes) -> list:
        self.told, self._done = [], threading.Event()

        def tell(number, output, why):
            self.told.append((number, output, why))
            if len(self.told) == len(changes):
                self._done.set()

        self.session.try_out(changes, tell)
        assert self._done.wait(30)
        return self.told

    def until(self, true) -> None:
        for _ in range(3000):
            if true():
                return
            assert not self.session.wait(0.01), self.session.error
        raise AssertionError("never")


@pytest.fixture
def live():
    made = []

    def begin(stream, source) -> Live:
        made.append(Live(stream, source))
        made[-1].session.start()
        made[-1].until(lambda: made[-1].session.status.state in ("live", "idle"))
        return made[-1]

    yield begin
    for each in made:
        each.session.stop()


@pytest.mark.parametrize("steps", [1, 3])
def test_tried_pictures_reach_who_asked_and_no_sink(live, steps):
    stream = FakeStream(steps)
    it = live(stream, FakeSource(Size(64, 64), fps=100, pattern="noise"))
    before = stream.config
    told = it.try_out([{"prompt": "a"}, {"prompt": "b", "seed": 7}, {"width": -1}, {"prompt": "c"}])
    assert [(number, bool(why)) for number, _, why in told] == [(0, False), (1, False), (2, True), (3, False)]
    assert "width" in told[2][2]
    outputs = [output for _, output, _ in told if output is not None]
    assert [each.making.stream.prompt for each in outputs] == ["a", "b", "c"]
    assert [each.making.stream.seed for each in outputs] == [before.seed, 7, before.seed]
    assert len({each.source_id for each in outputs}) == 1  # of one frame
    count = len(it.sink.outputs)
    it.until(lambda: len(it.sink.outputs) > count + 5)  # and then it goes on
    assert stream.config == before
    assert {each.making.stream.prompt for each in it.sink.outputs} == {""}


def test_styles_are_loaded_at_once_after_what_needs_none_while_frames_go_on_and_are_off_afterwards(live, monkeypatch):
    stream = FakeStream(1)
    it = live(stream, FakeSource(Size(64, 64), fps=100, pattern="noise"))
    update, asked = stream.update, []

    def noted(**changes):
        asked.append((changes, it.session.trying))
        return update(**changes)

    monkeypatch.setattr(stream, "update", noted)
    told = it.try_out([{"lora_dict": {"night": 0.8}}, {"seed": 9}, {"lora_dict": {"clay": 0.8}}])
    it.until(lambda: not it.session.trying)
    loaded = asked.index(({"lora_dict": {"night": 0.0, "clay": 0.0}}, False))
    assert asked[0] == ({"seed": 9}, True) and loaded == 2, "what needs no style is there first"
    assert [number for number, _, _ in told] == [1, 0, 2] and all(not why for _, _, why in told)
    assert stream.config.lora_dict == {"night": 0.0, "clay": 0.0}
    assert not it.session.status.message.startswith("frozen")


def test_a_frozen_session_stays_frozen_and_a_change_comes_after_what_is_tried(live):
    stream = FakeStream(2)
    it = live(stream, FakeSource(Size(64, 64), fps=100, pattern="noise"))
    it.session.freeze(True)
    it.until(lambda: it.session.status.message.startswith("frozen"))
    done = threading.Event()
    it.session.try_out([{"prompt": "a"}], lambda *_: done.set())
    it.session.update(prompt="after")
    assert done.wait(30)
    it.until(lambda: it.sink.outputs[-1].making.stream.prompt == "after")
    assert it.session.status.message.startswith("frozen")
    number = it.sink.outputs[-1].source_id
    it.session.freeze(False)
    it.until(lambda: it.sink.outputs[-1].source_id > number)


def test_a_prompt_that_fades_is_tried_at_once_and_comes_back_at_once(live):
    stream = FakeStream(1)
    it = live(stream, FakeSource(Size(64, 64), fps=100, pattern="noise"))
    it.session.update(prompt_transition_frames=200)
    it.until(lambda: stream.config.prompt_transition_frames == 200)
    it.try_out([{"prompt": "a"}])
    it.until(lambda: stream.config.prompt_transition_frames == 200)
    assert stream.config.prompt == "" and not stream.fading


def test_when_the_way_back_fails_pictures_come_all_the_same(live, monkeypatch):
    stream = FakeStream(1)
    it = live(stream, FakeSource(Size(64, 64), fps=100, pattern="noise"))
    update, asked = stream.update, []

    def once(**changes):
        asked.append(changes)
        if len(asked) > 1:
            raise ConfigError("prompt: not any more")
        return update(**changes)

    monkeypatch.setattr(stream, "update", once)
    it.try_out([{"prompt": "a"}])
    it.until(lambda: "not any more" in it.session.status.message)
    count = len(it.sink.outputs)
    it.until(lambda: len(it.sink.outputs) > count + 3)


def test_a_session_that_stops_does_not_wait_for_what_is_tried(live):
    it = live(FakeStream(1, delay=0.2), FakeSource(Size(64, 64), fps=100, pattern="noise"))
    it.session.try_out([{"seed": number} for number in range(100)], lambda *_: None)
    it.session.stop()
    assert it.session.finished and len(it.told) < 100


def test_six_variations_of_the_embedded_model_differ_and_are_what_they_say(live):
    run = load_config("ink-tiny", {"acceleration": "eager", "device": "cpu", "warmup": 0, "prompt": "a car"})
    with Stream.from_pretrained(run.model, run.stream) as stream:
        page = sketch("sedan", 256)
        it = live(stream, FakeSourceOf(page))
        made = variants(stream.config, stream.prompts.brings, random.Random(1), 6)
        outputs = [output for _, output, _ in it.try_out([each.changes for each in made])]
        assert all(output is not None for output in outputs)
        differences = [
            np.abs(one.pixels.astype(int) - other.pixels).mean()
            for index, one in enumerate(outputs)
            for other in outputs[:index]
        ]
        assert min(differences) > 3 and np.median(differences) > 12  # grey levels
        with Stream.from_pretrained(run.model, outputs[4].making.stream) as again:
            for _ in range(4):
                output = again(page, gated=False)
            assert np.array_equal(output.pixels, outputs[4].pixels)


class FakeSourceOf:
    """One picture, again and again."""

    live = True

    def __init__(self, pixels) -> None:
        self._pixels, self._closed = pixels, threading.Event()

    def read(self):
        self._closed.wait(0.02)
        return self._pixels

    def close(self) -> None:
        self._closed.set()
