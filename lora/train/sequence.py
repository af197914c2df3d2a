"""Several trainings, one after the other: what is done stays done, and what was stopped goes on where it was."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...stream.base.errors import ConfigError
from ...stream.base.progress import Progress
from . import start
from .config import TrainConfig
from .outputs import MODEL, NOTES
from .storage import LOCK


@dataclass(frozen=True)
class Part:
    """One training of several."""

    name: str
    config: TrainConfig
    look: str | None = None
    """The look of the pairs that it learns from, where they are made for it."""

    @property
    def model(self) -> Path:
        """Folder of what it leaves."""
        return self.config.folder / MODEL

    @property
    def done(self) -> bool:
        """Whether it was finished before. Notes are the last thing that is written."""
        return (self.model / NOTES).is_file() and not _unfinished(self.model / NOTES, self.config)

    @property
    def line(self) -> str:
        """What it will take, for people."""
        minutes, steps = self.config.max_train_minutes, self.config.max_train_steps
        ends = f"{minutes:g} minutes" if minutes else f"{steps:,} steps"
        return f"{self.name}: {ends}{', done before' if self.done else ''}; {self.config.folder}"


def begun(parts: Iterable[Part]) -> bool:
    """Whether a training of any of these was there before."""
    return any(os.path.lexists(part.config.folder / LOCK) for part in parts)


def train_all(
    parts: Iterable[Part], say: Callable[[str], Any], progress: Progress, before: Callable[[Part], Any] | None = None
) -> bool:
    """Go through all parts that are not done yet, ``before`` first; False after an interruption.

    Raises ConfigError, ModelError, DataError or TrainError.
    """
    for part in parts:
        if part.done:
            say(f"{part.name}: done before, {part.model}")
            continue
        say(f"{part.name}: begins")
        if before is not None:
            before(part)
        if start.train(part.config, "latest", say=say, progress=progress).interrupted:
            return False
    return True


def _unfinished(notes: Path, config: TrainConfig) -> bool:
    """Whether a model was written at a checkpoint, before its budget was spent."""
    try:
        found = json.loads(notes.read_text("utf-8"))
        minutes, steps = float(found["minutes"]), int(found["steps"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{notes}: damaged ({type(error).__name__}); delete {notes.parent} and go on") from error
    enough = config.max_train_steps is not None and steps >= config.max_train_steps
    return not enough and (config.max_train_minutes is None or minutes < config.max_train_minutes - 0.01)
