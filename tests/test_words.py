"""What a model knows, what a prompt asks beyond it, and that the user is told once, in the live path too."""

import logging
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from typer.testing import CliRunner

from inkstream.lora.meanings import distance, meant
from inkstream.lora.words import FILE, read_vocabulary, single_words, vocabulary_of, without, write_vocabulary
from inkstream.models import embedded
from inkstream.stream import Stream
from inkstream.stream.app.cli import app
from inkstream.stream.base.errors import ModelError
from inkstream.stream.base.prompt import parse_prompt
from inkstream.stream.base.reading import Reading
from inkstream.stream.sources.drawing import prompt_for, subjects

INK = embedded()["ink-tiny"]


@pytest.fixture(scope="module")
def ink():
    return Stream.from_pretrained("ink-tiny", mode="sketch", width=256, height=256, warmup=0, device="cpu")


def said(caplog):
    return [record.message for record in caplog.records if "does not know" in record.message]


# --- the embedded model's own words


def test_the_embedded_model_knows_its_grammar():
    words = read_vocabulary(INK)
    assert words.model == "ink-tiny"
    assert words.tags["colour"] == (
        *("red", "orange", "yellow", "green", "teal", "blue", "purple", "white", "black", "silver"),
        *("brown", "beige", "grey"),
    )
    for prompt in (
        "a glossy teal hatchback car, front three-quarter view, in a studio",
        "a beige concrete apartment block with a hip roof and balconies, on snow, overcast",
        "a landscape with snowy mountains, rocks and trees, sunset",
    ):
        assert words.unknown(prompt) == {}


def test_everything_that_the_demo_says_is_known():
    words = read_vocabulary(INK)
    for name in subjects():
        for variant in range(4):
            assert words.unknown(prompt_for(name, variant)) == {}, prompt_for(name, variant)


def test_the_model_card_names_every_word():
    card = set(single_words((INK / "README.md").read_text("utf-8")))
    assert read_vocabulary(INK).known <= card


# --- unknown words


def test_unknown_words_come_with_what_means_nearly_the_same():
    words = read_vocabulary(INK)
    assert words.unknown("a crimson casle, glosy") == {"crimson": "red", "casle": None, "glosy": "glossy"}
    assert words.unknown("a shiny Red sedans, on the gras") == {}
    assert words.unknown("") == {} and words.unknown("a, the: of 42!") == {}
    assert list(words.unknown("dragon castle dragon")) == ["dragon", "castle"]


@pytest.mark.parametrize(
    ("word", "instead"),
    [
        *(("crimson", "red"), ("dawn", "sunset"), ("castle", "stone house"), ("forests", "trees"), ("woods", "trees")),
        *(("reddish", "red"), ("rainy", "overcast"), ("skyscaper", "skyscraper"), ("Schloss", "stone house")),
        *(("abends", "sunset"), ("замок", "stone house"), ("城堡", "stone house")),
        *(("tael", "teal"), ("hatchbcak", "hatchback")),  # two letters changed places
        *((word, None) for word in ("horse", "bride", "zeppelin", "dragon", "xqzt", "og", "墨", "nice")),
    ],
)
def test_meaning_comes_before_spelling_and_only_a_slip_is_told_by_spelling(word, instead):
    assert read_vocabulary(INK).unknown(word) == {word.lower(): instead}


def test_a_meaning_is_told_only_where_the_model_knows_its_words():
    assert meant("castle", {"house"}) is None and meant("castle", {"house", "stone"}) == "stone house"
    assert meant("dusk", {"dust"}) is None, "its meaning is known, so its spelling says nothing"
    assert distance("teal", "tael") == 1 and distance("", "ab") == 2 and distance("kitten", "sitting") == 3


@pytest.mark.parametrize(
    ("text", "words", "left"),
    [
        ("a shiny red car", {"shiny"}, "a red car"),
        ("a dragon, on grass", {"dragon"}, " on grass"),
        ("a red car with a dragon, day", {"dragon"}, "a red car with a , day"),
        ("Dragon", {"dragon"}, ""),
        ("a car, in the  city", set(), "a car, in the  city"),
        ("(a Crimson:1.2) car BREAK a castle", {"crimson", "castle"}, "car"),
    ],
)
def test_words_are_left_out_and_what_makes_no_sense_without_them(text, words, left):
    found = without(parse_prompt(text), words)
    assert " ".join(found.text.split()) == " ".join(left.split())


@given(some.text(max_size=200))
def test_any_text_can_be_asked(text):
    missing = read_vocabulary(INK).unknown(text)
    assert all(word == word.lower() and (near is None or near != word) for word, near in missing.items())


# --- the file


def test_what_is_written_is_read_again(tmp_path):
    write_vocabulary(tmp_path, {"colour": ["red", "sea green"]}, ["a red boat on the sea", "two boats"])
    words = read_vocabulary(tmp_path)
    assert words.tags == {"colour": ("red", "sea green"), "other": ("a", "boat", "boats", "on", "the", "two")}
    assert words.unknown("a green boat by three boats") == {"three": None}
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_model_without_the_file_knows_everything(tmp_path):
    assert read_vocabulary(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "expected a JSON table"),
        ("{", "cannot be read"),
        ('{"colour": "red"}', "colour: got 'red', expected a list of words"),
        ('{"colour": [1]}', "expected a list of words"),
        ('{"colour": [" "]}', "expected a list of words"),
        ("{}", "got 0 words"),
        ('{"a": ["b"], "a": ["c"]}', "twice"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, text, message):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ModelError, match=message) as caught:
        read_vocabulary(tmp_path)
    assert FILE in str(caught.value)


# --- the live path


def test_a_stream_says_each_unknown_word_once(ink, caplog):
    caplog.set_level(logging.WARNING)
    page = np.full((64, 64, 3), 255, np.uint8)
    ink.update(prompt="a red truck car, side view, on road, day")
    for _ in range(3):
        ink(page, gated=False)
    ink.update(prompt="a blue truck car, side view, on road, day")
    assert said(caplog) == ['ink-tiny does not know "truck", and leaves it out; try "pickup"']
    caplog.clear()
    ink.update(prompt=[["a red sedan car", 0.5], ["a zeppelin", 0.5]])
    assert len(said(caplog)) == 1 and said(caplog)[0].startswith('ink-tiny does not know "zeppelin", and leaves it out')
    assert "inkstream models show ink-tiny" in said(caplog)[0]


def test_many_unknown_words_are_said_in_one_line(ink, caplog):
    caplog.set_level(logging.WARNING)
    ink.update(prompt="a crimson dragon, with a trombone")
    (line,) = said(caplog)
    assert line.startswith('ink-tiny does not know "crimson" (try "red"), "dragon", "trombone", and')
    assert line.endswith("leaves them out; its words: inkstream models show ink-tiny")
    caplog.clear()
    ink.update(prompt=" ".join(["a crimson dragon", *(f"qu{letter}x" for letter in "abcdefghijkl")]))
    (line,) = said(caplog)
    assert '"quhx" and 4 more, and leaves them out' in line and "dragon" not in line


def test_an_unknown_word_does_not_change_the_picture(ink):
    house = np.full((256, 256, 3), 255, np.uint8)
    house[100:200, 60:64] = house[100:200, 190:194] = house[100:104, 60:194] = house[196:200, 60:194] = 0

    def made(prompt):
        ink.update(prompt=prompt)
        return [each.pixels for each in (ink(house, gated=False), *ink.drain()) if each is not None][-1]

    plain = made("a red house, day")
    assert np.array_equal(made("a red zeppelin house, a dragon, day"), plain)
    assert not np.array_equal(made("a blue house, day"), plain)
    for same in ("a red house, daytime", "ein rotes Haus, Tag", "a red house, no trees, day"):
        assert np.array_equal(made(same), plain), same


def test_what_a_prompt_says_can_be_asked_while_it_is_written(ink):
    read = lambda text: ink.prompts.read(text, ink.config)
    assert read("a crimson house, a dragon") == Reading((("crimson", "red"), ("dragon", "")))
    assert read("red " * 100).cut.startswith("red") and read("a red house") == Reading()
    assert ink.prompts.brings.words[0] == "car" and {"stone", "front three-quarter"} <= set(ink.prompts.brings.words)
    with pytest.raises(ValueError, match="weight"):
        read("(red:1.2.3)")


def test_a_reading_in_lines():
    many = Reading((("a", "b"), ("c", "")), cut="the end")
    assert Reading((("crimson", "red"),)).lines() == ('"crimson" is not known, and left out; try "red"',)
    assert Reading((("c", ""),), heeded=True).lines() == ('"c" is not known',)
    assert many.lines() == ("not known, and left out: a (b), c", 'too long: what comes from "the end" on is cut')
    assert Reading().lines() == ()
    told = Reading(taken=(("rot", "red"), ("haus", "house")), lost=("trees",), added=("day",))
    assert told.lines() == ()
    assert told.hints() == ("rot = red, haus = house", "not asked for: trees", "the seed adds: day")
    assert Reading(tuple((str(n), "") for n in range(10))).lines()[0].endswith("6, 7 and 2 more")


def test_a_prompt_of_known_words_says_nothing(ink, caplog):
    caplog.set_level(logging.WARNING)
    ink.update(prompt="a matte green suv car, side view, on sand, sunset")
    assert said(caplog) == []


def test_a_pipeline_of_another_model_has_no_vocabulary():
    from doubles.tiny_models import tiny_sd

    assert vocabulary_of(tiny_sd()) is None


def test_a_damaged_vocabulary_keeps_no_stream_from_running(tmp_path, caplog):
    (tmp_path / FILE).write_text("{")
    from doubles.tiny_models import tiny_sd

    pipe = tiny_sd()
    pipe.tokenizer.name_or_path = str(tmp_path / "tokenizer")
    caplog.set_level(logging.WARNING)
    stream = Stream(pipe, width=64, height=64, t_index_list=(10,), warmup=0, device="cpu", prompt="a dog")
    assert stream(np.zeros((64, 64, 3), np.uint8)) is not None
    assert any(FILE in record.message for record in caplog.records)


# --- the command


def test_models_show_lists_the_words_by_tag():
    result = CliRunner().invoke(app, ["models", "show", "ink-tiny"])
    assert result.exit_code == 0, result.output
    for text in ("ink-tiny", "MB", "front three-quarter", "apartment block", "purple"):
        assert text in result.output


def test_models_show_of_what_is_not_here():
    result = CliRunner().invoke(app, ["models", "show", "nobody/nothing"])
    assert result.exit_code == 1
    assert "not on this computer" in result.output


def test_words_bring_nothing_heavy_along():
    script = "import sys, inkstream.lora.words; print([n for n in sys.modules if n.startswith(BAD)])"
    heavy = (
        "('torch', 'diffusers', 'transformers', 'inkstream.lora.data', 'inkstream.lora.train', 'inkstream.lora.eva')"
    )
    command = [sys.executable, "-c", script.replace("BAD", heavy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"
