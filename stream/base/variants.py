"""Other settings, for other pictures of the same drawing: what a prompt leaves open is drawn from the model's words.

A model that knows its words (``Brings.tags``) is told others of them, and its styles; one that takes any words gets
other seeds and another influence of the drawing.
"""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from .completion import NONE, completed, free, instead, kind_of, spoken
from .config import StreamConfig
from .reading import Brings
from .understood import Understood

STYLE = 0.8  # the scale of a style that is tried
NUDGE = 20.0  # of the influence of the drawing
SEEDS = 10_000  # people read seeds out to each other


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
            label, changes["prompt"] = _fresh(str(config.told), brings, rng, labels)
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


def _fresh(prompt: str, brings: Brings, rng: random.Random, labels: set[str]) -> tuple[str, str]:
    """Other words, with what is different; as far as there are any, not one of ``labels``."""
    label, other = "", prompt
    understood = brings.understand(prompt)
    for _ in range(20):
        label, other = _other_words(understood, brings, rng)
        if label not in labels:
            break
    return label, other


def _other_words(understood: Understood, brings: Brings, rng: random.Random) -> tuple[str, str]:
    prompt, tags, together = understood.text, brings.tags, brings.together
    other, new = completed(prompt, tags, rng, together, understood.absent)
    if new:
        return ", ".join(new), other
    said, wanted = spoken(prompt, tags, together)
    kind = kind_of(prompt, tags, together)
    words = []
    for tag in rng.sample(wanted, len(wanted)):
        options = [word for word in free(tag, tags, together, kind, said) if word != NONE]
        if said.get(tag) in options and len(options) > 1 and len(words) < 2:
            word = rng.choice([word for word in options if word != said[tag]])
            prompt = instead(prompt, said[tag], word)
            said[tag] = word
            words.append(word)
    return ", ".join(words) or "another seed", prompt
