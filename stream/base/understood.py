"""A prompt as a model is told it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Understood:
    """What was made of a prompt before it is encoded; a model that takes any words is told it as it is written."""

    text: str
    """The prompt in the model's words as far as they mean the same."""
    taken: tuple[tuple[str, str], ...] = ()
    """Words as they are written, in lower case, each with the words of the model that mean the same."""
    unknown: tuple[tuple[str, str], ...] = ()
    """Words of ``text`` that the model does not know, each with what says nearly the same, or ""."""
    absent: tuple[str, ...] = ()
    """What is not to be there ("no trees"), without articles."""
    lost: tuple[str, ...] = ()
    """What of it ``text`` does not say, because the model's captions say no such things: it is not asked for."""
    quiet: tuple[str, ...] = ()
    """Words of ``text`` that carry no picture, which the model does not know either."""
