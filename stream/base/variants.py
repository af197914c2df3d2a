"""Other settings, for other pictures of the same drawing: what a prompt leaves open is drawn from the model's words.

A model that knows its words (``Brings.tags``) is told others of them, and its styles; one that takes any words gets
other seeds and another influence of the drawing.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .articles import exchanged
from .config import StreamConfig
from .reading import Brings

STYLE = 0.8  # the scale of a style that is tried
NUDGE = 20.0  # of the influence of the drawing
SEEDS = 10_000  # people read seeds out to each other
# Tags of a vocabulary that a prompt may leave open, by what it is about, and how each is said.
OPEN = ("colour", "ground", "time")
OPEN_LANDSCAPE = ("far", "near", "time")
SAID = {"ground": "on {}", "near": "with {}", "far": "with {}"}
LANDSCAPE = ("far", "near")
NOUNS = ("style", "kind")


class Variant(NamedTuple):
    """Settings to try."""

    label: str
    """What is different, for people."""
    changes: dict[str, Any]
    """What ``Stream.update`` must be told."""


def variants(config: StreamConfig, brings: Brings, rng: random.Random, count: int = 6) -> list[Variant]:
    """``count`` different ones, 1 to 12, of the settings ``config``; drawn by ``rng``."""
    made: list[Variant] = []
    words = isinstance(config.prompt, str) and bool(brings.tags)
    styles = [name for name in brings.styles if not config.lora_dict.get(name)]
    rng.shuffle(styles)
    styled = styles[: count // 2] if words else []
    labels: set[str] = set()
    for number in range(count):
        changes: dict[str, Any] = {"seed": _seed(config, rng)}
        if number >= count - len(styled):
            style = styled[number - count]
            label = f"style {style}"
            changes["lora_dict"] = {style: STYLE}
        elif words:
            label, changes["prompt"] = _fresh(str(config.prompt), brings.tags, rng, labels)
        else:
            label = f"seed {changes['seed']}"
            if number % 2:
                nudged = config.drawing_influence + rng.choice((-NUDGE, NUDGE))
                changes["drawing_influence"] = min(100.0, max(0.0, nudged))
                label += f", influence {changes['drawing_influence']:g}"
        labels.add(label)
        made.append(Variant(label, changes))
    return made


def _seed(config: StreamConfig, rng: random.Random) -> int:
    seed = rng.randrange(SEEDS)
    return seed if seed != config.seed else (seed + 1) % SEEDS


def _fresh(prompt: str, tags: Mapping[str, Sequence[str]], rng: random.Random, labels: set[str]) -> tuple[str, str]:
    """Other words, with what is different; as far as there are any, not one of ``labels``."""
    label, other = "", prompt
    for _ in range(20):
        label, other = _other_words(prompt, tags, rng)
        if label not in labels:
            break
    return label, other


def _other_words(prompt: str, tags: Mapping[str, Sequence[str]], rng: random.Random) -> tuple[str, str]:
    said = {tag: word for tag, words in tags.items() if (word := _said(prompt, words))}
    things = [said[noun] for noun in NOUNS if noun in said]
    landscape = "landscape" in things or (not things and any(tag in said for tag in LANDSCAPE))
    wanted = [tag for tag in (OPEN_LANDSCAPE if landscape else OPEN) if tag in tags]
    if landscape:
        said.pop("ground", None)
    unsaid = [tag for tag in wanted if tag not in said]
    free = {tag: [word for word in tags[tag] if not _in_several(word, tags)] for tag in wanted}
    new: list[str] = []
    for tag in unsaid:
        if free[tag]:
            word = rng.choice(free[tag])
            prompt = _added(prompt, tag, word, tags)
            new.append(SAID.get(tag, "{}").format(word))
    if not new:  # all is said: then some of it is said otherwise
        turns = [tag for tag in wanted if said[tag] in free[tag] and len(free[tag]) > 1]
        for tag in rng.sample(turns, min(2, len(turns))):
            word = rng.choice([word for word in free[tag] if word != said[tag]])
            prompt = _instead(prompt, said[tag], word)
            new.append(word)
    return ", ".join(new) or "another seed", prompt


def _said(prompt: str, words: Sequence[str]) -> str:
    """The first of the words that a text has as whole words, the longest first; empty: none."""
    for word in sorted(words, key=len, reverse=True):
        if re.search(rf"\b{re.escape(word)}\b", prompt, re.IGNORECASE):
            return word
    return ""


def _in_several(word: str, tags: Mapping[str, Sequence[str]]) -> bool:
    """Whether it says several things at once, as a studio is ground and light; what lies near is the ground."""
    return sum(word in words for tag, words in tags.items() if tag != "near") > 1


def _instead(prompt: str, word: str, other: str) -> str:
    """A prompt with another word in the place of the first one that is ``word``."""
    found = re.search(rf"\b{re.escape(word)}\b", prompt, re.IGNORECASE)
    return exchanged(prompt, *found.span(), other)[0] if found else prompt


def _added(prompt: str, tag: str, word: str, tags: Mapping[str, Sequence[str]]) -> str:
    """A prompt with one more word: a colour before what it is of, anything else at the end."""
    if tag == "colour":
        for noun in filter(None, (_said(prompt, tags.get(name, ())) for name in NOUNS)):
            return _instead(prompt, noun, f"{word} {noun}")
    clause = SAID.get(tag, "{}").format(word)
    return f"{prompt.rstrip(' ,.')}, {clause}" if prompt.strip() else clause
