"""What words mean in six languages, prompts put into a model's own words, and what is not to be there."""

import json
import random
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from inkstream.lora.data import grammar
from inkstream.lora.data._chooser import Chooser
from inkstream.lora.data._draws import Draws
from inkstream.lora.data.scenes import _TAGS, SHARES
from inkstream.lora.meanings import LANGUAGES, folded, meaning, names
from inkstream.lora.together import from_table, to_table, together
from inkstream.lora.words import FILE, Vocabulary, read_vocabulary, single_words, write_vocabulary
from inkstream.models import embedded
from inkstream.stream.base.completion import completed
from inkstream.stream.base.config import StreamConfig
from inkstream.stream.base.errors import ModelError
from inkstream.stream.base.reading import Brings
from inkstream.stream.base.variants import variants

TAGS = grammar.vocabulary()
BETWEEN = set(TAGS["grammar"]) - {"building", "houses", "landscape", "people", "river", "village", "roof", "light"}
WORDS = {word: {tag for tag, words in TAGS.items() if word in words} for words in TAGS.values() for word in words}
SUBJECTS = [word for word, tags in WORDS.items() if tags != {"grammar"} or word not in BETWEEN]
OLD = read_vocabulary(embedded()["ink-tiny"])
# Names that are another word in another language: the prompt's own language decides ("ein Boot", "a boot").
IN_TWO_LANGUAGES = {"boot", "seen"}


@cache
def sentences():
    """What 5,000 scenes show; their shapes are not wanted."""
    found = []
    for seed in range(5000):
        draws = Draws(seed)
        kind = draws.one_of("kind", SHARES)
        tags = {"kind": kind, **_TAGS[kind](Chooser(draws, {}))}
        found.append((tags, grammar.sentences(tags)))
    return found


@cache
def known() -> Vocabulary:
    return Vocabulary("all", TAGS, together(sentences(), TAGS["grammar"]))


# --- the tables


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_word_of_the_grammar_has_a_name_in_every_language(language):
    named = {words for all_of in names(language).exact.values() for words in all_of}
    assert [word for word in SUBJECTS if word not in named] == []


def test_meanings_lead_to_words_of_the_grammar_and_nowhere_else():
    for language in LANGUAGES:
        table = names(language)
        assert {words for all_of in table.exact.values() for words in all_of} <= set(WORDS)
        for phrase in {words for all_of in table.near.values() for words in all_of}:
            assert set(single_words(phrase)) <= known().known, (language, phrase)
        for said in table.little.values():
            assert set(said.split()) <= known().known | {"not"}, (language, said)


def test_no_name_means_two_words_of_the_same_tag():
    meant: dict[str, set[str]] = {}
    for language in LANGUAGES:
        for name, all_of in names(language).exact.items():
            meant.setdefault(name, set()).update(all_of)
    for name, all_of in meant.items():
        own = {word for word in WORDS if folded(word) == name}
        for one in all_of | own:
            others = {other for other in all_of | own if other != one and WORDS[one] & WORDS[other]}
            assert not others or name in IN_TWO_LANGUAGES, (name, one, others)


def test_little_words_have_no_other_meaning_in_their_language():
    for language in LANGUAGES:
        table = names(language)
        assert not table.little.keys() & table.exact.keys(), language


@pytest.mark.parametrize(
    ("words", "word"),
    [
        ("rot rote roter rotes roten rouge rouges rojo rojas красный красная красные красную 红 红色 紅色", "red"),
        ("grün gruen grun grüne vert verte verde verdes зеленый зелёная 绿色", "green"),
        ("Häuser haeuser Haus maison casas дом дома домик 房子", "house"),
        ("Bäume baum arbres arbol árboles деревья деревьями 树 tree", "trees"),
        ("Katze chats gato кошка кошек кот 猫 kitten", "cat"),
        ("Schlüssel clé llaves ключи 钥匙 keys", "key"),
        ("Abenddämmerung crépuscule вечер 黄昏 twilight", "dusk"),
    ],
)
def test_names_as_people_type_them(words, word):
    assert {each: meaning(each, known().known) for each in words.split()} == dict.fromkeys(words.split(), (word, True))


def test_what_a_model_does_not_know_leads_to_what_it_does():
    assert meaning("fortress", {"castle", "house", "stone"}) == ("castle", False)
    assert meaning("fortress", {"house", "stone"}) == ("stone house", False)
    assert meaning("Bergstraße", {"road"}) == ("road", False) and meaning("Bergstraße", {"house"}) is None
    assert meaning("crimson", known().known) == ("red", False)


# --- prompts


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("ein rotes Haus auf Gras, abends", "a red house on grass, dusk"),
        ("ein oranges Boot im Wald", "an orange boat in a forest"),
        ("une voiture de sport rouge brillante sur la route, la nuit", "a glossy red sports car on the road, night"),
        ("une maison en brique rouge", "a house of red brick"),
        ("una casa de madera roja en la hierba", "a red wood house on the grass"),
        ("красный дом из кирпича на траве, закат", "red house of brick on grass, sunset"),
        ("плюшевый мишка на столе", "teddy on table"),
        ("ein Backsteinhaus mit Glasvase", "a brick house with glass vase"),
        ("un toit rouge près de la mer", "a red roof at the sea"),
        ("一座红色的房子在草地上，日落", "a red house on grass, sunset"),
        ("a shiny automobile with a tree", "a glossy car with trees"),
        ("(ein rotes:1.2) Haus <lora:rot:0.8>", "(a red:1.2) house <lora:rot:0.8>"),
        ("a crimson boot", "a crimson boot"),
        ("a glossy  red car, on the road", "a glossy  red car, on the road"),
    ],
)
def test_a_prompt_in_the_models_own_words(prompt, said):
    assert known().understand(prompt).text == said


def test_what_is_taken_and_what_is_suggested():
    understood = known().understand("ein rotes Haus, crimson, zeppelin")
    assert understood.taken == (("rotes", "red"), ("haus", "house"))
    assert understood.unknown == (("crimson", "red"), ("zeppelin", ""))
    assert OLD.understand("a castle").unknown == (("castle", "stone house"),)
    assert OLD.understand("a castle").text == "a castle"
    taught = known().understand("a photo of rot, a very old house", {"rot"})
    assert taught.unknown == (("old", ""),) and taught.taken == ()


@pytest.mark.parametrize(
    ("prompt", "said", "old"),
    [
        ("a house without trees on grass", "a house on grass, without trees", "a house on grass"),
        ("a house, no trees, day", "a house, day, no trees", "a house, day"),
        ("ein Haus ohne Bäume auf Gras", "a house on grass, without trees", "a house on grass"),
        ("дом без деревьев на траве", "house on grass, without trees", "house on grass"),
        ("une maison sans arbres", "a house, without trees", "a house"),
        ("una casa sin árboles", "a house, without trees", "a house"),
        ("没有树的房子", "house, no trees", "house"),
        ("a house with no fence or trees and a gable roof", "a house with a gable roof, no fence, no trees",
         "a house with a gable roof"),
        ("a car, not red", "a car", "a car"),
        ("not a car but a house", "a house", "a house"),
        ("a house, kein Baum", "a house, no trees", "a house"),
        ("a house without a dragon", "a house", "a house"),
        ("no trees", "no trees", ""),
    ],
)  # fmt: skip
def test_what_is_not_to_be_there(prompt, said, old):
    understood = known().understand(prompt)
    assert understood.text == said and understood.absent
    assert OLD.understand(prompt).text == old and OLD.understand(prompt).lost == OLD.understand(prompt).absent
    assert known().understand(said).text == said
    assert not {word for word, _ in understood.unknown}


def test_every_caption_is_said_as_it_is():
    for _, texts in sentences()[:1000]:
        for text in texts:
            understood = known().understand(text)
            assert (understood.text, understood.taken, understood.unknown, understood.lost) == (text, (), (), ())


@settings(max_examples=40)
@given(
    some.text(max_size=80)
    | some.lists(some.sampled_from(["no", "without", "rotes", "没有树的", "sin", "árboles", "a,", "and"])).map(" ".join)
)
def test_any_text_is_understood_in_some_way(text):
    understood = known().understand(text)
    assert {word for word, _ in understood.unknown} <= set(single_words(understood.text))
    assert all(set(single_words(said)) <= known().known for _, said in understood.taken)


# --- completion


def test_what_is_completed_goes_together():
    goes = known().together.kinds
    for prompt in ("a car", "a castle", "a suspension bridge", "a street", "a teapot", "a gold cup", "a neon star"):
        for seed in range(30):
            said, added = completed(prompt, TAGS, random.Random(seed), known().together)
            words = set(single_words(said))
            assert words <= known().known and added
            if words & {"overcast", "fog", "rain", "studio"} or "on a table" in said:
                assert not words & {"sky", "light"}, said
            assert len(words & {"sunset", "day", "overcast", "night", "morning", "dusk", "fog", "rain", "studio",
                                "showroom", "garage"}) <= 1  # fmt: skip
    drawn = lambda prompt: {completed(prompt, TAGS, random.Random(seed), known().together)[0] for seed in range(40)}
    assert all(" stone castle" in each or " brick castle" in each for each in drawn("a castle"))
    assert all("steel suspension bridge" in each for each in drawn("a suspension bridge"))
    assert all(each.startswith("a gold cup, ") for each in drawn("a gold cup"))
    assert all(", night" in each or ", dusk" in each for each in drawn("a neon star"))
    assert not any("on road" in each for each in drawn("a street"))
    assert any("on a table" in each for each in drawn("a teapot")) and goes["thing"]
    assert any(each.startswith("an orange ") for each in drawn("a plastic owl"))


def test_completion_leaves_out_what_is_not_to_be_there_and_puts_it_last():
    understood = known().understand("a red house, no trees, not day, no snow")
    for seed in range(30):
        said, added = completed(understood.text, TAGS, random.Random(seed), known().together, understood.absent)
        assert said.endswith(", no trees") and "no trees" not in added
        assert not set(single_words(" ".join(added))) & {"trees", "day", "snow"}
    said, _ = completed("a car <lora:x:1>", TAGS, random.Random(1), known().together)
    assert said.endswith(" <lora:x:1>")


def test_variants_of_a_prompt_in_another_language():
    brings = Brings(tags=TAGS, together=known().together, understand=known().understand)
    for each in variants(StreamConfig.build(prompt="ein rotes Auto ohne Menschen"), brings, random.Random(2), 3):
        words = single_words(each.changes["prompt"])
        assert set(words) <= known().known and words[-2:] == ["without", "people"] and "red" in words


def test_what_goes_together_is_kept_beside_the_words(tmp_path):
    write_vocabulary(tmp_path, TAGS, goes_with=known().together)
    assert read_vocabulary(tmp_path).together == known().together
    assert read_vocabulary(tmp_path).tags == TAGS and (tmp_path / FILE).stat().st_size < 60_000
    assert from_table(json.loads(json.dumps(to_table(known().together))), "x") == known().together


@pytest.mark.parametrize(
    ("goes", "message"),
    [
        ([], "expected a table"),
        ({"kind": {}}, "expected a table of kinds"),
        ({"kinds": {"car": {"red": {}}}}, "expected all that it can be"),
        ({"kinds": {"car": {"": {"colour": "red"}}}}, "expected a list of words"),
        ({"kinds": {"car": {"": ["red"]}}}, "expected a table"),
        ({"clauses": {"ground": {"road": 3}}}, "expected a list of words"),
        ({"absent": [1]}, "expected a list of words"),
    ],
)
def test_a_damaged_table_of_what_goes_together_is_named(tmp_path, goes, message):
    (tmp_path / FILE).write_text(json.dumps({"colour": ["red"], "goes_with": goes}))
    with pytest.raises(ModelError, match=message) as caught:
        read_vocabulary(tmp_path)
    assert "goes_with" in str(caught.value)
