"""From a configuration to a running training."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from ...stream.base.progress import Progress
from .config import TrainConfig
from .kinds import KINDS
from .loop import Finished, Loop
from .task import Task


def name_of(config: TrainConfig) -> str:
    """The kind of training that a configuration is for."""
    return next(name for name, kind in KINDS.items() if type(config) is kind)


def make(config: TrainConfig, progress: Progress | None = None, cache: bool = True) -> Task:
    """The task of a configuration, its networks and data loaded; ``cache``: whether latents are encoded beforehand."""
    return import_module(f".{name_of(config)}", __package__).make(config, progress, cache)


def train(
    config: TrainConfig,
    resume: str | None = None,
    *,
    say: Callable[[str], Any] | None = None,
    progress: Progress | None = None,
) -> Finished:
    """Train to the end of the budget, or to a signal. Raises ConfigError, ModelError, DataError or TrainError."""
    told: dict[str, Any] = {"say": say} if say is not None else {}
    module = import_module(f".{name_of(config)}", __package__)
    if hasattr(module, "train"):  # a kind that is more than one loop
        return module.train(config, resume, progress=progress, **told)
    return Loop(make(config, progress), config, progress=progress, **told).run(resume)
