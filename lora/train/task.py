"""What the loop asks of a kind of training: networks, a loss, a measure, and a way to write the result."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ...stream.base.errors import ConfigError
from ...stream.base.progress import Progress, silent
from ..data.sample import Samples
from .config import TrainConfig
from .data import Batch, Batches

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Now:
    """Where training stands when a loss is asked for."""

    step: int
    """From 0; steps of the optimiser."""
    share: float
    """How much of the budget is spent, 0 to 1."""
    random: torch.Generator
    """On the CPU; follows from seed, step and part of the step."""


@dataclass(frozen=True)
class Loss:
    """What is minimised, and figures that are only logged."""

    total: Tensor
    parts: Mapping[str, Tensor | float]


class Task(ABC):
    """One kind of training, with its networks on ``device``.

    The loop calls ``loss`` in training mode under autocast, and ``measure``, ``pictures`` and ``write`` in evaluation
    mode with the running mean of the weights in the networks.
    """

    config: TrainConfig
    device: torch.device
    batches: Batches

    @classmethod
    @abstractmethod
    def of(cls, config: Any, samples: Samples, held: Samples, progress: Progress = silent, cache: bool = True) -> Task:
        """The task of a configuration on pairs that are there already; ``cache``: encode all pictures beforehand.

        Raises ConfigError, ModelError, and DataError when the pairs are damaged.
        """

    @abstractmethod
    def trained(self) -> dict[str, nn.Module]:
        """The networks that are in training mode and compiled; their parameters with gradients are trained."""

    @abstractmethod
    def loss(self, batch: Batch, now: Now) -> Loss:
        """The loss of a batch on the device."""

    @abstractmethod
    def measure(self) -> dict[str, float]:
        """Figures on held-out samples: fixed seeds, fixed timesteps, always the same samples; {} where none are."""

    @abstractmethod
    def write(self, folder: Path) -> None:
        """Write the model into an empty folder, as diffusers and PEFT load it."""

    def pictures(self) -> np.ndarray | None:
        """(H, W, 3) uint8: a sheet of held-out samples, or None."""
        return None

    def extra(self) -> dict[str, Any]:
        """What else a checkpoint must hold, by name: objects with ``state_dict`` and ``load_state_dict``."""
        return {}

    def parameters(self) -> dict[str, nn.Parameter]:
        """What is trained, by name, in a fixed order."""
        return {
            f"{network}.{name}": parameter
            for network, module in self.trained().items()
            for name, parameter in module.named_parameters()
            if parameter.requires_grad
        }


def freeze(parameters: Mapping[str, nn.Parameter], names: Sequence[str]) -> None:
    """Let those whose names begin with one of ``names`` stay as they are; ConfigError for a name that none has."""
    for start in names:
        found = [parameter for name, parameter in parameters.items() if name.startswith(start)]
        if not found:
            some = ", ".join(sorted({name.rpartition(".")[0] for name in parameters})[:3])
            raise ConfigError(f"frozen: got {start!r}, which no weight's name begins with, expected one such as {some}")
        for parameter in found:
            parameter.requires_grad_(False)
