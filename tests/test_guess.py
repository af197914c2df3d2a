"""A prompt that nobody wrote is guessed from the drawing: the network, its training, the words, and the stream."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from doubles.pairs import Shapes
from doubles.tiny_models import tiny_sd

from inkstream.lora.guess import NOTHING, Guess, guess
from inkstream.lora.reader import (
    DrawingReader,
    Words,
    directions,
    read_drawing,
    read_reader,
    reader_of,
    seen,
    write_reader,
)
from inkstream.lora.train.data import Batches
from inkstream.lora.train.from_scratch import ReaderConfig
from inkstream.lora.train.reader import ReaderTask, mirrored, targets_of, words_of
from inkstream.lora.train.seeds import generator
from inkstream.lora.train.task import Now
from inkstream.models import embedded
from inkstream.stream import ConfigError, ModelError, Stream, load_config
from inkstream.stream.base.mailbox import MailboxClosed
from inkstream.stream.loop.guessing import Guessing
from inkstream.stream.session.reader import Reader

WORDS = Words(
    {
        "kind": ("car", "thing"),
        "style": ("sedan", "van"),
        "view": ("side", "front"),
        "name": ("cat", "robot"),
        "trees": ("none", "trees"),
    },
    {
        "car": {"style": ("sedan", "van"), "view": ("side", "front"), "trees": ("none", "trees")},
        "thing": {"name": ("cat", "robot")},
    },
    {"view": "{} view"},
)
KNOWN = {"kind": ("car", "building"), "style": ("sedan", "van", "house"), "view": ("side",), "trees": ("trees",)}
SURE = {"car": 6.0, "sedan": 6.0, "side": 6.0, "none": 6.0, "cat": 6.0}


def shares(**groups):
    even = {name: dict.fromkeys(words, 1 / len(words)) for name, words in WORDS.groups.items()}
    return even | groups


def certain(logits=SURE):
    """A reader that takes every drawing for the same."""
    network = DrawingReader(WORDS, (4, 4))
    torch.nn.init.zeros_(network.leave.weight)
    names = [word for words in WORDS.groups.values() for word in words]
    network.leave.bias.data = torch.tensor([logits.get(name, 0.0) for name in names])
    return network.eval().requires_grad_(False)


def page(size=256, drawn=True):
    pixels = np.full((size, size, 3), 255, np.uint8)
    if drawn:
        pixels[100:104, 40:210] = pixels[160:164, 40:210] = pixels[100:164, 40:44] = pixels[100:164, 206:210] = 0
    return pixels


# --- which words


def test_only_words_that_are_sure_and_known_are_said():
    car = {"car": 0.95, "thing": 0.05}
    found = guess(shares(kind=car, style={"sedan": 0.9, "van": 0.1}, view={"side": 0.8, "front": 0.2}), WORDS, KNOWN)
    assert found == Guess("car", {"style": "sedan", "view": "side"})
    assert found.text(WORDS) == "a sedan, side view"
    assert guess(shares(kind=car), WORDS, KNOWN).text(WORDS) == "a car", "doubtful words are not said"
    front = shares(kind=car, view={"side": 0.1, "front": 0.9}, trees={"none": 0.05, "trees": 0.95})
    assert guess(front, WORDS, KNOWN).text(WORDS) == "a car, trees", "a front view is no word of this model"
    assert guess(shares(kind={"car": 0.1, "thing": 0.9}, name={"cat": 1.0, "robot": 0.0}), WORDS, KNOWN) == NOTHING
    assert guess(shares(), WORDS, KNOWN) == NOTHING and guess({}, WORDS, KNOWN) == NOTHING


def test_what_was_said_stays_until_something_else_is_clearly_better():
    read = lambda sedan, car=0.95: shares(kind={"car": car, "thing": 1 - car}, style={"sedan": sedan, "van": 1 - sedan})
    before = guess(read(0.8), WORDS, KNOWN)
    assert before.words == {"style": "sedan"}
    assert guess(read(0.48), WORDS, KNOWN, before) == before, "the other is no better yet"
    assert guess(read(0.48), WORDS, KNOWN) == Guess("car", {}), "and would not have been said at first"
    assert guess(read(0.2), WORDS, KNOWN, before).words == {"style": "van"}
    assert guess(read(0.8, car=0.5), WORDS, KNOWN, before).kind == "car"
    assert guess(read(0.8, car=0.3), WORDS, KNOWN, before) == NOTHING


# --- the network


def test_a_reader_is_written_and_read_and_checked(tmp_path):
    network = certain()
    write_reader(network, tmp_path)
    again = read_reader(tmp_path)
    assert again.words == WORDS and torch.allclose(again.leave.bias, network.leave.bias, atol=1e-2)
    lines = 255 - page(400)[..., 0]
    found = read_drawing(again, lines)
    assert found["kind"]["car"] > 0.9 and sum(found["view"].values()) == pytest.approx(1, abs=1e-5)
    assert read_drawing(again, np.zeros((256, 256), np.uint8)) == {}, "an empty sheet"
    thin, broad = (seen(np.kron(lines, np.ones((scale, scale), np.uint8))) for scale in (1, 2))
    assert np.abs(thin - broad).mean() < 0.01
    table = json.loads((tmp_path / "config.json").read_text())
    wrong = (
        ({"widths": [4, 4, 4]}, "two widths"),
        ({"widths": [4, 8]}, "other tensors"),
        ({"kind": "x"}, "expected kind"),
        ({"of": {"car": {"style": ["boat"]}, "thing": {}}}, "groups of words"),
        ({"forms": {"view": "{} {}"}}, "groups of words"),
    )
    for change, said in wrong:
        (tmp_path / "config.json").write_text(json.dumps(table | change))
        with pytest.raises(ModelError, match=said):
            read_reader(tmp_path)
    assert reader_of(tiny_sd()) is None


class Named(Shapes):
    """Discs and boxes that know what they are."""

    def __getitem__(self, index):
        sample = super().__getitem__(index)
        shape = sample.tags["shape"]
        tags = {"kind": shape, "size": "small" if index % 2 else "large"} if index % 5 else {"kind": shape}
        return replace(sample, tags=tags)


def test_a_reader_learns_what_drawings_are_of(tmp_path):
    data = {"path": "none", "size": 64}
    words = {"groups": ("size", "colour"), "least": 2, "widths": (8, 16), "validation_samples": 24, "variations": 2}
    run = {"output_dir": str(tmp_path), "max_train_steps": 1, "device": "cpu", "train_batch_size": 32}
    config = ReaderConfig.model_validate({**run, **words, "data": data, "mixed_precision": "no"})
    task = ReaderTask.of(config, Named(64, 64), Named(24, 64, seed=1))
    assert isinstance(task.batches, Batches) and set(task.network.words.groups) == {"kind", "size"}
    task.network.eval()
    before, optimizer = task.measure(), torch.optim.AdamW(task.network.parameters(), 5e-3)
    for step in range(60):
        loss = task.loss(task.batches[step], Now(step, step / 60, generator(0, step)))
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
    after = task.measure()
    assert after["finished_kind_right"] > max(0.8, before["finished_kind_right"])
    again = task.loss(task.batches[3], Now(3, 0.5, generator(0, 3))).total
    assert torch.equal(again, task.loss(task.batches[3], Now(3, 0.5, generator(0, 3))).total), "resuming is exact"
    task.write(tmp_path)
    written = read_reader(tmp_path)
    assert (written.temperatures != 1).any(), "it is calibrated"
    assert written.words.of["disc"]["size"] == written.words.groups["size"]
    with pytest.raises(ConfigError, match="no word 'kind'"):
        ReaderTask.of(config, Shapes(8, 64), Shapes(2, 64))


def test_a_mirrored_sheet_is_seen_as_if_it_had_been_drawn_so():
    sheet = torch.rand(2, 1, 64, 64)
    assert torch.allclose(directions(sheet.flip(3)), mirrored(directions(sheet)), atol=1e-4)


def test_words_come_from_the_tags():
    tags = [{"kind": "car", "view": "side"}] * 3 + [{"kind": "thing", "name": "cat"}] * 2 + [{"kind": "thing"}]
    words = words_of(tags, ("view", "name", "colour"), 2)
    assert words.groups == {"kind": ("car", "thing"), "view": ("side",), "name": ("cat",)}
    assert words.of == {"car": {"view": ("side",)}, "thing": {"name": ("cat",)}} and words.forms == {"view": "{} view"}
    assert targets_of(tags[2:5:2], words).tolist() == [[0, 0, -100], [1, -100, 0]]


# --- in a stream


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The embedded model with a reader that is sure of everything."""
    model = tmp_path_factory.mktemp("model") / "ink-tiny"
    shutil.copytree(embedded()["ink-tiny"], model, ignore=shutil.ignore_patterns("reader", "styles", "upscaler"))
    (model / "reader").mkdir()
    write_reader(certain(), model / "reader")
    return model


def opened(folder, **settings):
    run = load_config("ink-tiny", {"acceleration": "eager", "warmup": 0, "prompt": "", "complete_prompt": False})
    return Stream.from_pretrained(folder, run.stream.changed(t_index_list=[0], **settings))


def test_an_empty_prompt_is_read_from_the_drawing(folder):
    with opened(folder) as stream, opened(folder, guess_prompt=False) as other:
        assert stream.prompts.guessing.can
        empty, drawn = page(drawn=False), page()
        without = stream(empty)
        stream.prompts.guessing.settle()
        assert stream.config.guessed == "", "an empty sheet is nothing"
        first = stream(drawn)
        stream.prompts.guessing.settle()
        assert stream.config.guessed == "a sedan, side view" and stream.config.prompt == ""
        second = stream(drawn)
        assert second is not None, "the drawing is rendered once more, although it did not change"
        assert second.making.stream.guessed == "a sedan, side view"
        other.update(prompt="a sedan, side view")
        assert np.array_equal(second.pixels, other(drawn).pixels) and not np.array_equal(second.pixels, first.pixels)
        assert stream.prompts.read("", stream.config).lines() == ("read from the drawing: a sedan, side view",)
        assert stream.prompts.read("a van", stream.config).lines() == ()
        revision = stream.revision
        stream(drawn, gated=False)
        stream.prompts.guessing.settle()
        assert stream.revision == revision, "the same words change nothing"
        stream(empty)
        stream.prompts.guessing.settle()
        assert stream.config.guessed == "" and without is not None


def test_it_is_silent_where_words_are_written_and_fades_as_they_do(folder):
    with opened(folder, prompt="a red van", prompt_transition_frames=4) as stream:
        stream(page())
        stream.prompts.guessing.settle()
        assert stream.config.guessed == ""
        stream.prompts.guessing.close()
        stream.update(prompt="", guessed="a sedan")
        assert stream.config.told == "a sedan"
        for _ in range(6):
            stream(page(), gated=False)
        assert not stream.fading
        stream.update(guessed="a sedan, side view")
        assert stream.fading
        half = stream(page())
        blend = half.making.at(half.faded).stream.prompt
        assert [text for text, _ in blend] == ["a sedan", "a sedan, side view"]
        stream.update(guess_prompt=False)
        assert stream.config.told == "" and stream.prompts.read("", stream.config).lines() == ()


def test_a_model_without_a_reader_guesses_nothing(folder, caplog):
    guessing = Guessing(tiny_sd(), KNOWN)
    assert not guessing.can
    guessing.see(page()[..., 0], load_config("ink-tiny", {"prompt": ""}).stream)
    guessing.settle()
    about = folder / "reader" / "config.json"
    kept = about.read_text()
    about.write_text("{}")
    try:
        with opened(folder) as stream:
            assert not stream.prompts.guessing.can and stream(page()) is not None
    finally:
        about.write_text(kept)
    assert any("no prompt is guessed" in record.message for record in caplog.records)


def test_a_session_makes_the_change_in_its_turn(folder):
    changes = []
    with opened(folder) as stream:
        reader = Reader(stream, changes.append)
        stream(page())
        stream.prompts.guessing.settle()
        assert changes == [{"guessed": "a sedan, side view"}]
        stream.update(**changes[0])
        assert reader.notes(stream.config) == ("read from the drawing: a sedan, side view",)

        def closed(change):
            raise MailboxClosed

        reader = Reader(stream, closed)
        stream(page(drawn=False))
        stream.prompts.guessing.settle()
        assert stream.config.guessed == "a sedan, side view", "a session that ended changes nothing"
