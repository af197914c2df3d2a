"""Random choices that stay the same for ever: each has a name, and depends on nothing but the seed and that name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import TypeVar

Choice = TypeVar("Choice")


class Draws:
    """Numbers and choices of one seed.

    They come from a hash rather than from a generator's stream, so that a choice added later changes no other one, and
    no version of Python or NumPy changes any.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def unit(self, name: str) -> float:
        """A number from 0 to below 1."""
        digest = blake2b(f"{self.seed}/{name}".encode(), digest_size=8).digest()
        return (int.from_bytes(digest, "big") >> 11) * 2.0**-53

    def between(self, name: str, low: float, high: float) -> float:
        """A number from ``low`` to below ``high``."""
        return low + (high - low) * self.unit(name)

    def whole(self, name: str, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both included."""
        return low + int(self.unit(name) * (high - low + 1))

    def chance(self, name: str, probability: float) -> bool:
        """Whether something of that probability happens."""
        return self.unit(name) < probability

    def one_of(self, name: str, options: Sequence[Choice] | Mapping[Choice, float]) -> Choice:
        """One of the options; a mapping gives each its share of all."""
        if not isinstance(options, Mapping):
            return options[int(self.unit(name) * len(options))]
        names, left = list(options), self.unit(name) * sum(options.values())
        for option in names:
            left -= options[option]
            if left < 0:
                return option
        return names[-1]
