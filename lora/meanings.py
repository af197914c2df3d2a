"""What a word means among the words that a small model knows: "rot" is red, "crimson" is nearly red.

Tables of our own, one file a language in ``names/``, for the subjects of the embedded model and of those that people
train like it; no network and no dictionary of a language. A meaning counts only where the model at hand knows all of
its words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

ENGLISH = "en"
LANGUAGES = (ENGLISH, "de", "fr", "es", "ru", "zh")
LITTLE = "little"  # the line of articles, prepositions and the like, each with what English says there
# What none of these models draws and no table has, so that nobody is offered a house for a horse.
_FOREIGN = (
    "mouse cow goat hand king queen knight bride plane train bike bicycle motorcycle book food sword animal boy girl"
)
FOREIGN = frozenset(_FOREIGN.split())
SHORTEST = 4  # letters of a word whose misspelling is told
TWO_FROM = 8  # letters from which two may be wrong
ARTICLES = frozenset({"a", "an", "the"})
_FOLDER = Path(__file__).parent / "names"
_WORD = re.compile(r"[^\W\d_]+")
_ENDINGS = re.compile(r"([*^%])$|/(\d)$")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


@dataclass(frozen=True)
class Names:
    """One language: names, folded, each with the model's words that it may stand for."""

    exact: Mapping[str, tuple[str, ...]]
    """Those that mean the same."""
    near: Mapping[str, tuple[str, ...]]
    """Those that are near to it."""
    little: Mapping[str, str]
    """Words that carry no picture, with what English says for them, or ""."""
    longest: int
    """Characters of the longest one."""


class Meaning(NamedTuple):
    """What can be said for a word."""

    words: str
    exact: bool
    """Whether it means the same, and not only nearly."""


def folded(text: str) -> str:
    """A name as it is looked up: small letters without accents, one space between its words."""
    plain = text.casefold().replace("ё", "е").replace("œ", "oe").replace("’", "'")
    if not plain.isascii():
        parts = unicodedata.normalize("NFKD", plain)
        stripped = "".join(each for each in parts if not unicodedata.combining(each))
        plain = stripped if "й" not in plain else plain  # which is a letter of its own
    return " ".join(_WORD.findall(plain))


@cache
def names(language: str) -> Names:
    """The names of a language, one of LANGUAGES; read at first use."""
    exact: dict[str, list[str]] = {}
    near: dict[str, list[str]] = {}
    little: dict[str, str] = {}
    endings: dict[str, list[str]] = {}
    for line in (_FOLDER / f"{language}.txt").read_text("utf-8").splitlines():
        head, colon, rest = line.partition(":")
        if line.startswith("#") or not line.strip():
            continue
        if not colon:  # "* = - e er": what may end a word that is marked so
            mark, _, listed = line.partition("=")
            endings[mark.strip()] = ["" if each == "-" else each for each in listed.split()]
        elif head == LITTLE:
            pairs = (each.partition("=") for each in rest.split(","))
            little |= {key: said.strip() for word, _, said in pairs for key in _keys(word, language)}
        else:
            for table, listed in zip((exact, near), [*rest.split("~"), ""], strict=False):
                for name in filter(None, map(str.strip, listed.split(","))):
                    for key in _spelled(name, endings, language):
                        if head not in table.setdefault(key, []):
                            table[key].append(head)
    longest = max(map(len, (*exact, *near, *little)))
    frozen = [{key: tuple(words) for key, words in table.items()} for table in (exact, near)]
    return Names(frozen[0], frozen[1], little, longest)


def _spelled(name: str, endings: Mapping[str, Sequence[str]], language: str) -> Iterable[str]:
    """A name of a table with all its endings, as it is looked up."""
    found = _ENDINGS.search(name)
    forms = [name] if found is None else [name[: found.start()] + end for end in endings[found[1] or found[2]]]
    return dict.fromkeys(key for form in forms for key in _keys(form, language))


def _keys(name: str, language: str) -> tuple[str, ...]:
    """As it is looked up; a German one without its umlauts, too."""
    small = name.strip().casefold()
    return (folded(small), folded(small.translate(_UMLAUTS))) if language == "de" else (folded(small),)


def meaning(word: str, known: Collection[str], languages: Sequence[str] = LANGUAGES) -> Meaning | None:
    """What can be said in place of ``word`` with ``known`` single words; None where nothing is known.

    First what means the same, in these languages, the first one first; then another number of a known word ("tree" for
    "trees"); then what is near, an English word with another ending ("reddish"), and a misspelling by a letter or two.
    """
    word = folded(word)
    tables = [names(language) for language in languages]
    for table in tables:
        for words in table.exact.get(word, ()):
            if all_known(words, known):
                return Meaning(words, True)
    plural = numbers(word)
    told = _has_meaning(word, tables)
    for form in plural:
        if form in known and not told:
            return Meaning(form, True)
        for words in names(ENGLISH).exact.get(form, ()):
            if all_known(words, known):
                return Meaning(words, True)
    near = _near(word, known, tables)
    if near is None:
        near = next((found for form in (*plural, *endings(word)) if (found := _said(form, known, tables))), None)
    if near is not None:
        return Meaning(near, False)
    if word in FOREIGN or told or len(word) < SHORTEST:
        return None
    most = 2 if len(word) >= TWO_FROM else 1
    alike = (each for each in known if each[0] == word[0] and abs(len(each) - len(word)) <= most and len(each) > 2)
    spelled = [(distance(word, each), each) for each in alike]
    found = min((each for each in spelled if each[0] <= most), default=None)
    return None if found is None else Meaning(found[1], False)


def meant(word: str, known: Collection[str]) -> str | None:
    """The words of ``meaning``, or None."""
    found = meaning(word, known)
    return found.words if found else None


def _said(word: str, known: Collection[str], tables: Sequence[Names]) -> str | None:
    """What a form of a word says: itself, what means the same, or what is near."""
    if word in known:
        return word
    same = (words for table in tables for words in table.exact.get(word, ()) if all_known(words, known))
    return next(same, None) or _near(word, known, tables)


def _near(word: str, known: Collection[str], tables: Sequence[Names]) -> str | None:
    """What is near to a word, or to what it means ("Schloss" is a castle, and that is nearly a stone house)."""
    same = [folded(words) for table in tables for words in table.exact.get(word, ())]
    around = [each for words in (word, *same) for each in (words, " ".join(set_apart(words))) if each]
    for each in dict.fromkeys(around):
        for table in tables:
            for words in table.near.get(each, ()):
                if all_known(words, known):
                    return words
    return None


def set_apart(words: str) -> list[str]:
    """The single words of a phrase without its article."""
    return [each for each in words.split() if each not in ARTICLES]


@cache
def subjects() -> frozenset[str]:
    """Everything that the tables have names for, in the models' words."""
    return frozenset(words for table in map(names, LANGUAGES) for all_of in table.exact.values() for words in all_of)


def _has_meaning(word: str, tables: Iterable[Names]) -> bool:
    return word in subjects() or any(word in table.exact or word in table.near for table in tables)


def numbers(word: str) -> list[str]:
    """The singular and the plural of an English word; most of them are no words at all."""
    found = [word[: -len(end)] for end in ("s", "es") if word.endswith(end) and len(word) > len(end) + 2]
    found += [f"{word[:-3]}y"] if word.endswith("ies") else []
    found += [f"{word[:-1]}ies"] if word.endswith("y") else []
    return [*found, f"{word}s", f"{word}es"]


def endings(word: str) -> list[str]:
    """An English word without what may be put behind it; most of them are no words at all."""
    found: list[str] = []
    for end in ("y", "ed", "d", "ing", "er", "est", "en", "ish", "ly", "like"):
        if word.endswith(end) and len(word) > len(end) + 2:
            stem = word[: -len(end)]
            found += [stem, f"{stem}e"]
            if len(stem) > 2 and stem[-1] == stem[-2]:  # redd-ish
                found.append(stem[:-1])
    return list(dict.fromkeys(each for each in found if each != word))


def distance(one: str, other: str) -> int:
    """How many letters were put in, left out, exchanged for another or with their neighbour (Damerau 1964)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        older, before, row = before, row, [i]
        for j, b in enumerate(other, 1):
            least = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                least = min(least, older[j - 2] + 1)
            row.append(least)
    return row[-1]


def all_known(words: str, known: Collection[str]) -> bool:
    """Whether a model knows a phrase; an article says nothing."""
    return all(each in known for each in _WORD.findall(words) if each not in ARTICLES)
