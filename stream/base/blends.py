"""Settings that are one thing or a blend of several: a prompt and a seed, as a configuration takes them."""

from __future__ import annotations

import operator
import secrets
from collections.abc import Callable
from math import isfinite
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator

from .names import short
from .prompt import parse_prompt

T = TypeVar("T")
SEEDS = 2**63
DRAWN = 2**32  # a drawn seed is one that people can still write down
_ONE_SEED = "a whole number from 0 to 2^63 - 1, or -1 for one that is drawn"


def shares(blend: tuple[tuple[T, float], ...]) -> list[tuple[T, float]]:
    """What has a weight, with the weight as a share of their sum."""
    total = sum(weight for _, weight in blend)
    return [(item, weight / total) for item, weight in blend if weight > 0]


def texts_of(prompt: str | tuple[tuple[str, float], ...]) -> list[str]:
    """The texts of a prompt, one or several."""
    return [prompt] if isinstance(prompt, str) else [text for text, _ in prompt]


def draw_seed() -> int:
    """A seed that nobody chose, 0 to 2^32 - 1."""
    return secrets.randbelow(DRAWN)


def _blend(value: Any, one: Callable[[Any], T], expected: str) -> tuple[tuple[T, float], ...]:
    """``[(item, weight), ...]`` in any lists, YAML's too; ``one`` checks an item."""
    try:
        pairs = [(item, float(weight)) for item, weight in value]
    except (TypeError, ValueError, OverflowError):
        pairs = []
    weights = [weight for _, weight in pairs]
    if not pairs or not isfinite(sum(weights)):
        raise ValueError(f"got {short(value)}, expected {expected}")
    if sum(weights) <= 0 or min(weights) < 0:
        raise ValueError(f"got the weights {short(weights)}, expected none below 0; their sum must be above 0")
    return tuple((one(item), weight) for item, weight in pairs)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"got {short(value)}, expected text")
    parse_prompt(value)
    return value


def _prompt(value: Any) -> str | tuple[tuple[str, float], ...]:
    if isinstance(value, str):
        return _text(value)
    return _blend(value, _text, "text, or a blend of texts: [[text, weight], ...]")


def _negative(value: Any) -> str:
    text = _text(value)
    if parse_prompt(text).loras:
        raise ValueError(f"got the LoRA {parse_prompt(text).loras[0][0]!r}, expected text; name LoRAs in the prompt")
    return text


def _one_seed(value: Any) -> int:
    whole: Any = int(value) if isinstance(value, float) and value.is_integer() else value
    try:
        number = operator.index(whole)
    except TypeError:
        number = -2
    if isinstance(value, bool) or not -1 <= number < SEEDS:
        raise ValueError(f"got {short(value)}, expected {_ONE_SEED}")
    return draw_seed() if number == -1 else number


def _seed(value: Any) -> int | tuple[tuple[int, float], ...]:
    if isinstance(value, list | tuple):
        return _blend(value, _one_seed, f"{_ONE_SEED}, or a blend of seeds: [[seed, weight], ...]")
    return _one_seed(value)


Prompt = Annotated[str | tuple[tuple[str, float], ...], BeforeValidator(_prompt)]
NegativePrompt = Annotated[str, BeforeValidator(_negative)]
Seed = Annotated[int | tuple[tuple[int, float], ...], BeforeValidator(_seed)]
