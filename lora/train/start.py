"""From a configuration to a running training."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

from ...stream.base.progress import Progress, silent
from ..places import locate
from .config import TrainConfig
from .data import open_data
from .kinds import name_of
from .loop import Finished, Loop
from .task import Task

MODELS = ("pretrained_model", "autoencoder")  # settings that name one


def make(config: TrainConfig, progress: Progress = silent, cache: bool = True) -> Task:
    """The task of a configuration, its networks and data loaded; ``cache``: whether latents are encoded beforehand."""
    _find_models(config, progress)
    samples, held = open_data(config.data, progress, cache)
    # LoraConfig is for lora.LoraTask, and so on.
    task: type[Task] = getattr(_module(config), type(config).__name__.replace("Config", "Task"))
    return task.of(config, samples, held, progress, cache)


def train(
    config: TrainConfig,
    resume: str | None = None,
    *,
    say: Callable[[str], Any] | None = None,
    progress: Progress = silent,
) -> Finished:
    """Train to the end of the budget, or to a signal. Raises ConfigError, ModelError, DataError or TrainError."""
    told: dict[str, Any] = {"say": say} if say is not None else {}
    module = _module(config)
    if hasattr(module, "train"):  # a kind that is more than one loop
        _find_models(config, progress)
        return module.train(config, resume, progress=progress, **told)
    return Loop(make(config, progress), config, progress=progress, **told).run(resume)


def _find_models(config: TrainConfig, progress: Progress) -> None:
    """Name a model that is not there now, and not after hours of rendering scenes for it; raises ModelError."""
    for name in MODELS:
        model = getattr(config, name, None)
        if model:
            locate(model, progress)


def _module(config: TrainConfig) -> ModuleType:
    return import_module(f".{name_of(config)}", __package__)
