"""What a prompt leaves open, said in the model's own words: a colour, where it is, what light there is.

A model of few steps answers every seed with nearly the same picture, because nothing but the prompt and the drawing
tells it anything. So what they do not say is drawn by the seed, as words: people see them, keep them or write others.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

from .articles import exchanged

# Tags of a vocabulary that a prompt may leave open, by what it is about, and how each is said.
OPEN = ("colour", "ground", "time")
OPEN_LANDSCAPE = ("far", "near", "time")
SAID = {"ground": "on {}", "near": "with {}", "far": "with {}"}
AS_SAID = {
    "city street": "on a city street",
    "mountain road": "on a mountain road",
    "coast": "at the coast",
    "table": "on a table",
}
LANDSCAPE = ("far", "near")
NOUNS = ("style", "kind")

Tags = Mapping[str, Sequence[str]]


def completed(prompt: str, tags: Tags, rng: random.Random) -> tuple[str, tuple[str, ...]]:
    """A prompt with what it leaves open, and the clauses that were added; ``rng`` draws among the words of ``tags``.

    Nothing is added where the prompt says all.
    """
    said, wanted = spoken(prompt, tags)
    added = []
    for tag in wanted:
        words = free(tag, tags)
        if tag not in said and words:
            word = rng.choice(words)
            prompt = _added(prompt, tag, word, tags)
            added.append(clause_of(tag, word))
    return prompt, tuple(added)


def spoken(prompt: str, tags: Tags) -> tuple[dict[str, str], list[str]]:
    """The words of a prompt by their tags, and the tags that one about the same thing can have."""
    said = {tag: word for tag, words in tags.items() if (word := _said(prompt, words))}
    things = [said[noun] for noun in NOUNS if noun in said]
    landscape = "landscape" in things or (not things and any(tag in said for tag in LANDSCAPE))
    if landscape:
        said.pop("ground", None)
    return said, [tag for tag in (OPEN_LANDSCAPE if landscape else OPEN) if tag in tags]


def free(tag: str, tags: Tags) -> list[str]:
    """The words of a tag that say nothing else at the same time, as a studio is ground and light."""
    return [word for word in tags[tag] if not _in_several(word, tags)]


def clause_of(tag: str, word: str) -> str:
    """A word as a prompt says it."""
    return AS_SAID.get(word, SAID.get(tag, "{}").format(word))


def instead(prompt: str, word: str, other: str) -> str:
    """A prompt with another word in the place of the first one that is ``word``."""
    found = re.search(rf"\b{re.escape(word)}\b", prompt, re.IGNORECASE)
    return exchanged(prompt, *found.span(), other)[0] if found else prompt


def _said(prompt: str, words: Sequence[str]) -> str:
    """The first of the words that a text has as whole words, the longest first; empty: none."""
    for word in sorted(words, key=len, reverse=True):
        if re.search(rf"\b{re.escape(word)}\b", prompt, re.IGNORECASE):
            return word
    return ""


def _in_several(word: str, tags: Tags) -> bool:
    """What lies near is the ground, which is no other thing."""
    return sum(word in words for tag, words in tags.items() if tag != "near") > 1


def _added(prompt: str, tag: str, word: str, tags: Tags) -> str:
    """A prompt with one more word: a colour before what it is of, anything else at the end."""
    if tag == "colour":
        for noun in filter(None, (_said(prompt, tags.get(name, ())) for name in NOUNS)):
            return instead(prompt, noun, f"{word} {noun}")
    clause = clause_of(tag, word)
    return f"{prompt.rstrip(' ,.')}, {clause}" if prompt.strip() else clause
