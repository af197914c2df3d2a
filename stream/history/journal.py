"""A journal: what was drawn, and with which settings, to be rendered again, exactly or otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..base.config import StreamConfig
from ..base.errors import ConfigError, DataError, SourceEnded
from ..base.frame import Origin
from ..base.making import Making
from .reel import Moment, Reel

BRIEFEST = 1 / 30  # seconds between pictures of a time-lapse
LEAST = 0.001  # seconds between any two: times of a file always rise
DRAWN_WITH = (  # settings that belong to who draws and not to the model
    *("prompt", "negative_prompt", "prompt_interpolation_method", "normalize_prompt_weights", "prompt_chunks"),
    *("prompt_transition_frames", "seed", "seed_interpolation_method", "normalize_seed_weights", "drawing_influence"),
    *("complete_prompt", "guess_prompt", "guessed"),
)


class Journal:
    """A file that ``inkstream run --journal`` wrote, as far as it is whole.

    Raises ConfigError for a file that is none or cannot be read, or in which nothing was drawn.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reel = Reel(path)
        try:
            self._reel.refresh()
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
        except DataError as error:
            raise ConfigError(str(error)) from error
        self.moments: list[Moment] = [each for each in self._reel.moments if each.drawn is not None]
        if not self.moments:
            raise ConfigError(f"{path}: nothing was drawn in it, expected a journal of inkstream run --journal")

    @property
    def lost(self) -> int:
        """How often pictures are missing, because the disk did not keep up."""
        return self._reel.lost

    @property
    def first(self) -> Making:
        """How its first picture was made. Raises DataError."""
        return self.making(0)

    def making(self, index: int) -> Making:
        """How a picture was made: the same object for all of the same settings. Raises DataError."""
        return self._reel.making(self.moments[index])

    def input(self, index: int) -> np.ndarray:
        """What a picture was rendered from, (H, W, 3) uint8 RGB, as the stream saw it. Raises DataError."""
        try:
            pixels = self._reel.input(self.moments[index])
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read: {error.strerror or error}") from error
        assert pixels is not None  # of each of ``moments``
        return pixels


class JournalSource:
    """The drawings of a journal as a source that is not live, with the times at which they were seen.

    ``speed`` divides the times. From 1 on every drawing comes, in the order and as often as it entered the stream; a
    time-lapse leaves out those that would be shown for less than a thirtieth of a second, but never the last.
    ``taken`` says which of the journal's pictures each frame is.
    """

    live = False

    def __init__(self, journal: Journal, speed: float = 1.0) -> None:
        self.origin = Origin(live=False)
        self.taken = _taken(journal.moments, speed)
        self._journal = journal
        self._speed = speed
        self._next = 0
        self._time = -1.0

    def read(self) -> np.ndarray:
        """The next drawing; raises SourceEnded after the last."""
        if self._next >= len(self.taken):
            raise SourceEnded(f"{self._journal.path}: that was all of it")
        index = self.taken[self._next]
        self._next += 1
        moment = self._journal.moments[index]
        self._time = max(moment.at / self._speed, self._time + LEAST)
        done = self._next / len(self.taken)
        self.origin = Origin(live=False, time=self._time, done=done, goes_on=moment.held, moves=moment.moves)
        return self._journal.input(index)

    def close(self) -> None:
        """Nothing stays open."""


def drawn_with(config: StreamConfig, fixed: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of who drew, apart from those that are ``fixed`` by whom renders it again."""
    values = config.model_dump()
    return {name: values[name] for name in DRAWN_WITH if name not in fixed}


def _taken(moments: list[Moment], speed: float) -> list[int]:
    if speed <= 1:
        return list(range(len(moments)))
    taken = [0]
    for index in range(1, len(moments)):
        begun = moments[taken[-1]].at
        if moments[index].at - begun >= BRIEFEST * speed or index == len(moments) - 1:
            taken.append(index)
    return taken
