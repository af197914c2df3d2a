"""What a prompt leaves open, said in the model's own words: a colour, where it is, what light there is.

A model of few steps answers every seed with nearly the same picture, because nothing but the prompt and the drawing
tells it anything. So what they do not say is drawn by the seed, as words: people see them, keep them or write others.
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from .articles import exchanged

# Tags of a vocabulary that lines do not show, each drawn among what goes with those before it.
OPEN = ("material", "colour", "finish", "ground", "far", "near", "time", "behind", "sky", "light")
# The same for a model that does not say what goes together.
ALWAYS_OPEN = ("colour", "ground", "time")
OPEN_LANDSCAPE = ("far", "near", "time")
SAID = {"ground": "on {}", "near": "with {}", "far": "with {}"}
LANDSCAPE = ("far", "near")
NOUNS = ("style", "name", "kind")
BEFORE_ITS_NOUN = ("finish", "colour", "material")  # in this order
SMALL_WORDS = "grammar"  # the tag of the words between the others
ANY = ""  # in ``Together.kinds``, the key of all that a kind can be
NONE = "none"  # the word of a tag whose thing is not there
_END = re.compile(r"(?:(?:^|,)\s*(?:no|without)\s+[^\W\d_]+\s*)*(?:<[^<>]*>\s*)*[\s,.]*$", re.IGNORECASE)

Tags = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Together:
    """What goes together in the sentences that a model learned from; empty: nobody knows."""

    kinds: Mapping[str, Mapping[str, Mapping[str, tuple[str, ...]]]] = field(default_factory=dict)
    """Kind -> a word, or ANY -> tag -> the words that go with it, NONE among them, where not all of the kind's do."""
    clauses: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Tag -> word -> how it is said by itself ("on a city street"), where that is not the word alone."""
    absent: tuple[str, ...] = ()
    """What captions say is not there."""


NOTHING = Together()


def completed(
    prompt: str, tags: Tags, rng: random.Random, together: Together = NOTHING, absent: Collection[str] = ()
) -> tuple[str, tuple[str, ...]]:
    """A prompt with what it leaves open, and the clauses that were added; ``rng`` draws among the words of ``tags``.

    Nothing is added where the prompt says all, and nothing that is ``absent``.
    """
    said, wanted = spoken(prompt, tags, together)
    kind = kind_of(prompt, tags, together)
    added: dict[str, str] = {}
    for tag in wanted:
        if tag in said:
            continue
        options = [word for word in free(tag, tags, together, kind, said) if not _named(word, absent)]
        if options:
            said[tag] = rng.choice(options)
            # What can be nothing else need not be said, such as the ground of a street.
            if said[tag] != NONE and (len(options) > 1 or tag in BEFORE_ITS_NOUN or not kind):
                added[tag] = said[tag]
    for tag, word in added.items():
        prompt = _added(prompt, tag, word, together.kinds[kind][ANY] if kind else tags, together)
    return prompt, tuple(clause_of(tag, word, together) for tag, word in added.items())


def spoken(prompt: str, tags: Tags, together: Together = NOTHING) -> tuple[dict[str, str], list[str]]:
    """The words of a prompt by their tags, and the tags that one about the same thing can have."""
    prompt = without_negations(prompt)
    kind = kind_of(prompt, tags, together)
    if kind:
        own = together.kinds[kind][ANY]
        said = {tag: word for tag in own if (word := _said(prompt, tag, own[tag], tags, together))}
        return said, [tag for tag in OPEN if tag in own and tag in tags]
    said = {tag: word for tag, words in tags.items() if (word := _said(prompt, tag, words, tags, together))}
    things = [said[noun] for noun in NOUNS if noun in said]
    landscape = "landscape" in things or (not things and any(tag in said for tag in LANDSCAPE))
    if landscape:
        said.pop("ground", None)
    return said, [tag for tag in (OPEN_LANDSCAPE if landscape else ALWAYS_OPEN) if tag in tags]


def kind_of(prompt: str, tags: Tags, together: Together = NOTHING) -> str:
    """The kind of what a prompt is about, where the model says what kinds there are; empty: nobody can tell.

    It is that of the first noun, or else the one of whose words the prompt has most.
    """
    prompt = without_negations(prompt)
    first: dict[str, int] = {}
    counts: dict[str, int] = {}
    for kind, goes in together.kinds.items():
        own = goes[ANY]
        nouns = [word for noun in NOUNS for word in own.get(noun, ())]
        places = [(found.start(), -len(word)) for word in nouns if (found := _whole(word).search(prompt))]
        if places:
            first[kind] = min(places)[0] * 100 + 50 + min(places)[1]
        words = (_said(prompt, tag, own[tag], tags, together) for tag in own)
        counts[kind] = len(set(filter(None, words)))
    if first:
        return min(first, key=lambda kind: first[kind])
    most = sorted(counts.values(), reverse=True)[:2]
    return max(counts, key=lambda kind: counts[kind]) if most and most[0] > max(most[1:], default=0) else ""


def free(
    tag: str, tags: Tags, together: Together = NOTHING, kind: str = "", said: Mapping[str, str] | None = None
) -> list[str]:
    """The words of a tag that say nothing else at the same time, as a studio is ground and light; and that go with what
    is ``said`` of other tags, NONE among them where there may be nothing."""
    if not kind:
        return [word for word in tags[tag] if not _in_several(word, tags)]
    goes = together.kinds[kind]
    own = {other: goes[ANY][other] for other in OPEN if other in goes[ANY]}
    left = [word for word in goes[ANY].get(tag, ()) if word == NONE or not _in_several(word, own)]
    left = [word for word in left if word == NONE or word in tags[tag]]
    for other, word in (said or {}).items():
        if other != tag:
            left = [each for each in left if each in goes.get(word, {}).get(tag, (each,))]
    return left


def clause_of(tag: str, word: str, together: Together = NOTHING) -> str:
    """A word as a prompt says it."""
    clause = together.clauses.get(tag, {}).get(word)
    if clause and tag not in BEFORE_ITS_NOUN:
        return clause
    return word if together.kinds else SAID.get(tag, "{}").format(word)


def instead(prompt: str, word: str, other: str) -> str:
    """A prompt with another word in the place of the first one that is ``word``."""
    found = _whole(word).search(prompt)
    return exchanged(prompt, *found.span(), other)[0] if found else prompt


def without_negations(prompt: str) -> str:
    """A prompt without what it says at its end is not there."""
    end = _END.search(prompt)
    return prompt[: end.start()] if end else prompt


def _whole(word: str) -> re.Pattern[str]:
    return re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE)


def _said(prompt: str, tag: str, words: Sequence[str], tags: Tags, together: Together) -> str:
    """The first of the words that a text has as whole words, the longest first; empty: none.

    A word that also stands between others, as in "hills behind", counts only with the clause that it is said in.
    """
    small = tags.get(SMALL_WORDS, ())
    for word in sorted(set(words) - {NONE}, key=lambda word: (-len(word), word)):
        clause = together.clauses.get(tag, {}).get(word, word) if word in small else word
        if _whole(clause).search(prompt):
            return word
    return ""


def _named(word: str, absent: Collection[str]) -> bool:
    """Whether a word, or a part of it, is among those that are not to be there."""
    own = set(word.lower().split())
    return any(own & set(each.split()) for each in absent)


def _in_several(word: str, tags: Tags) -> bool:
    """What lies near is the ground, which is no other thing."""
    return sum(word in words for tag, words in tags.items() if tag != "near") > 1


def _added(prompt: str, tag: str, word: str, tags: Tags, together: Together) -> str:
    """A prompt with one more word: a colour before what it is of, which ``tags`` name; anything else at the end, before
    what is not there."""
    if tag in BEFORE_ITS_NOUN:
        behind = BEFORE_ITS_NOUN[BEFORE_ITS_NOUN.index(tag) + 1 :] if together.kinds else ()
        for noun in filter(None, (_first(prompt, tags.get(name, ())) for name in (*behind, *NOUNS))):
            return instead(prompt, noun, f"{word} {noun}")
    clause = clause_of(tag, word, together)
    end = _END.search(prompt)
    at = end.start() if end else len(prompt)
    head, tail = prompt[:at].rstrip(" ,."), prompt[at:].strip(" ,.")
    if tail.startswith("<"):
        return f"{head}, {clause} {tail}" if head else f"{clause} {tail}"
    return ", ".join(filter(None, (head, clause, tail)))


def _first(prompt: str, words: Sequence[str]) -> str:
    """The one of the words that a text has first, the longest of those that begin there; empty: none."""
    places = [(found.start(), -len(word), word) for word in words if (found := _whole(word).search(prompt))]
    return min(places, default=(0, 0, ""))[2]
