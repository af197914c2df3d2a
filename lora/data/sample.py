"""One training pair, and what every set of pairs can do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture, drawings of it, and what it is. All arrays have the same height and width."""

    picture: np.ndarray
    """(H, W, 3) uint8 RGB."""
    sketch: np.ndarray
    """(H, W) uint8, as a person would draw it: white lines (255) on black."""
    captions: tuple[str, ...]
    """At least one; all of them are true of the picture."""
    clean: np.ndarray | None = None
    """(H, W) uint8, its exact lines, white on black."""
    labels: np.ndarray | None = None
    """(H, W) uint8, the class of every pixel, an index of ``palette.CLASSES``."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """What it shows, by name: kind, style, colour, material, view, ground, time and so on."""


class Samples(Protocol):
    """A set of pairs in a fixed order."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Sample: ...


@runtime_checkable
class Drawn(Samples, Protocol):
    """A set of pairs of which each has several drawings."""

    @property
    def drawings(self) -> int:
        """How many drawings each sample has."""
        ...

    def sample(self, index: int, drawing: int) -> Sample:
        """A sample with one of its drawings."""
        ...


@runtime_checkable
class Captioned(Protocol):
    """A set of pairs that knows its captions without decoding a picture."""

    def texts(self) -> list[tuple[str, ...]]:
        """The captions of each pair."""
        ...


@runtime_checkable
class Tagged(Protocol):
    """A set of pairs that knows its tags without decoding a picture."""

    def tags(self) -> list[Mapping[str, str]]:
        """The tags of each pair."""
        ...


def drawings_of(samples: Samples) -> int:
    """How many drawings each sample of a set has."""
    return samples.drawings if isinstance(samples, Drawn) else 1


def sample_of(samples: Samples, index: int, drawing: int) -> Sample:
    """A sample of a set with one of its drawings."""
    return samples.sample(index, drawing) if isinstance(samples, Drawn) else samples[index]


def texts_of(samples: Samples) -> list[tuple[str, ...]]:
    """The captions of each pair of a set."""
    if isinstance(samples, Captioned):
        return samples.texts()
    return [samples[index].captions for index in range(len(samples))]


def tags_of(samples: Samples) -> list[Mapping[str, str]]:
    """The tags of each pair of a set."""
    if isinstance(samples, Tagged):
        return samples.tags()
    return [samples[index].tags for index in range(len(samples))]


class Part:
    """Some of a set of pairs, from ``start`` to before ``stop``: a ``Samples`` with drawings and texts itself."""

    def __init__(self, samples: Samples, start: int, stop: int) -> None:
        self.samples, self.start, self.stop = samples, start, stop

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, index: int) -> Sample:
        return self.seen(index, self.samples[self._place(index)])

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    @property
    def drawings(self) -> int:
        """How many drawings each sample has."""
        return drawings_of(self.samples)

    def sample(self, index: int, drawing: int) -> Sample:
        """A sample with one of its drawings."""
        return self.seen(index, sample_of(self.samples, self._place(index), drawing))

    def texts(self) -> list[tuple[str, ...]]:
        """The captions of each pair."""
        return texts_of(self.samples)[self.start : self.stop]

    def tags(self) -> list[Mapping[str, str]]:
        """The tags of each pair."""
        return tags_of(self.samples)[self.start : self.stop]

    def seen(self, index: int, sample: Sample) -> Sample:
        """What is given of a sample: itself. Subclasses change it."""
        return sample

    def _place(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(f"got {index}, expected 0 to {len(self) - 1}")
        return self.start + index
