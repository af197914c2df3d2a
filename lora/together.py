"""What goes together in a model's sentences, counted in those that it learned from: for completing prompts.

Kept beside its words, in ``vocabulary.json``, under "goes_with"; files of older models have nothing there.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..stream.base.completion import ANY, BEFORE_ITS_NOUN, NONE, OPEN, Together
from ..stream.base.errors import ModelError
from ..stream.base.names import short

CHANCE = 0.001  # below it, that a word met nothing but one other is no accident
RARE = 4.0  # times that two words would have met by chance, from which it says something that they never did
MOST = 20_000  # lists in a file
_ABSENT = re.compile(r"\b(?:no|without) ([^\W\d_]+)")
_WORD = re.compile(r"[^\W\d_]+")

Sentence = tuple[Mapping[str, str], Sequence[str]]
"""What a picture shows, tag -> word, with "kind" among them, and what it is called."""


def together(sentences: Iterable[Sentence], small_words: Iterable[str] = ()) -> Together:
    """Count what goes together; ``small_words`` are those between the words of tags."""
    words: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))  # kind -> tag -> words
    pairs: dict[str, Counter[tuple[str, str, str]]] = defaultdict(Counter)  # kind -> (word, tag, other)
    clauses: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    absent: dict[str, None] = {}
    small = frozenset(small_words)
    for tags, captions in sentences:
        kind = tags["kind"]
        for tag, word in tags.items():
            words[kind][tag][word] += 1
            pairs[kind].update((word, other, tags[other]) for other in OPEN if other in tags and other != tag)
        for caption in captions:
            absent |= dict.fromkeys(_ABSENT.findall(caption))
            for clause in caption.split(", "):
                for tag in OPEN:
                    word = tags.get(tag, NONE)
                    if tag not in BEFORE_ITS_NOUN and word != NONE and _of_one(clause, word, small):
                        clauses[tag, word][clause] += 1
    said: dict[str, dict[str, str]] = defaultdict(dict)
    for (tag, word), counts in clauses.items():
        clause = counts.most_common(1)[0][0]
        if clause != word:
            said[tag][word] = clause
    kinds = {kind: _goes(tags, pairs[kind]) for kind, tags in words.items()}
    return Together(kinds, dict(said), tuple(absent))


def _of_one(clause: str, word: str, small: frozenset[str]) -> bool:
    """Whether a clause says a word and nothing else."""
    found = re.search(rf"\b{re.escape(word)}\b", clause)
    return bool(found) and set(_WORD.findall(clause[: found.start()] + clause[found.end() :])) <= small


def _goes(
    words: Mapping[str, Counter[str]], pairs: Counter[tuple[str, str, str]]
) -> dict[str, dict[str, tuple[str, ...]]]:
    goes = {ANY: {tag: tuple(each) for tag, each in words.items()}}
    for tag, each in words.items():
        for word, times in each.items():
            for other in (other for other in OPEN if other in words and other != tag and word != NONE):
                left = _met(words[other], lambda option: pairs[word, other, option], times)  # noqa: B023
                if len(left) < len(words[other]):
                    goes.setdefault(word, {})[other] = left
    return goes


def _met(options: Mapping[str, int], met: Callable[[str], int], times: int) -> tuple[str, ...]:
    """The options that go with a word that was said so many ``times``.

    They are those that it met, and those so rare that by chance it might have missed them. What always met one and the
    same, where others would have come, goes with that one alone.
    """
    there = sum(often for option, often in options.items() if met(option))
    always = [option for option in options if met(option)]
    if len(always) == 1 and (there / sum(options.values())) ** times < CHANCE:
        return (always[0],)
    might = {option: times * often / (there + often) for option, often in options.items()}
    return tuple(option for option in options if met(option) or might[option] < RARE)


def to_table(found: Together) -> dict[str, Any]:
    """As it is kept in a file."""
    kinds = {
        kind: {word: {tag: list(options) for tag, options in tags.items()} for word, tags in goes.items()}
        for kind, goes in found.kinds.items()
    }
    return {"kinds": kinds, "clauses": found.clauses, "absent": list(found.absent)}


def from_table(table: Any, place: str) -> Together:
    """Read what ``to_table`` gave, from a file of which nothing is taken on trust; raises ModelError."""
    if not isinstance(table, dict) or not table.keys() <= {"kinds", "clauses", "absent"}:
        raise ModelError(f"{place}: got {short(table)}, expected a table of kinds, clauses and absent")
    kinds, clauses, absent = table.get("kinds", {}), table.get("clauses", {}), table.get("absent", [])
    size = 0
    for kind, goes in _entries(kinds, f"{place}.kinds"):
        for word, tags in _entries(goes, f"{place}.kinds.{short(kind)}"):
            for tag, options in _entries(tags, f"{place}.kinds.{short(kind)}.{short(word)}"):
                _words(options, f"{place}.kinds.{short(kind)}.{short(word)}.{short(tag)}")
                size += 1
        if ANY not in goes:
            raise ModelError(f"{place}.kinds.{short(kind)}: got no entry {ANY!r}, expected all that it can be there")
    if size > MOST:
        raise ModelError(f"{place}: got {size:,} lists, expected at most {MOST:,}")
    for tag, said in _entries(clauses, f"{place}.clauses"):
        _words([clause for _, clause in _entries(said, f"{place}.clauses.{short(tag)}")], f"{place}.clauses")
    _words(absent, f"{place}.absent")
    frozen = {
        kind: {word: {tag: tuple(options) for tag, options in tags.items()} for word, tags in goes.items()}
        for kind, goes in kinds.items()
    }
    return Together(frozen, clauses, tuple(absent))


def _entries(table: Any, place: str) -> Iterable[tuple[str, Any]]:
    if not isinstance(table, dict):
        raise ModelError(f"{place}: got {short(table)}, expected a table")
    return table.items()


def _words(words: Any, place: str) -> None:
    if not isinstance(words, list) or not all(isinstance(word, str) and word.strip() for word in words):
        raise ModelError(f"{place}: got {short(words)}, expected a list of words")
