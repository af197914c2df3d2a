"""Optimisers, their rates over the budget, and the running mean of weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from . import muon
from .config import TrainConfig


def optimisers(parameters: Mapping[str, nn.Parameter], config: TrainConfig) -> list[torch.optim.Optimizer]:
    """The optimisers of a configuration; every group notes its full rate as ``initial_lr``."""
    first, rest = muon.split(parameters) if config.optimizer == "muon" else ([], list(parameters.values()))
    made: list[torch.optim.Optimizer] = []
    if first:
        made.append(muon.Muon(first, config.muon_learning_rate, weight_decay=config.adam_weight_decay))
    if rest:
        made.append(_adamw(rest, config))
    for optimiser in made:
        for group in optimiser.param_groups:
            group["initial_lr"] = group["lr"]
    return made


def _adamw(parameters: list[nn.Parameter], config: TrainConfig) -> torch.optim.Optimizer:
    options = {
        "lr": config.learning_rate,
        "betas": (config.adam_beta1, config.adam_beta2),
        "weight_decay": config.adam_weight_decay,
        "eps": config.adam_epsilon,
    }
    if config.optimizer == "adamw8bit":
        from bitsandbytes.optim import AdamW8bit  # pyright: ignore[reportMissingImports]

        return AdamW8bit(parameters, **options)
    return torch.optim.AdamW(parameters, fused=parameters[0].device.type in ("cpu", "cuda"), **options)


@dataclass(frozen=True)
class Schedule:
    """A factor of all rates: a straight rise, a constant, then a cosine down to ``end`` at the end of the budget."""

    warmup_steps: int
    flat: float
    end: float

    def factor(self, step: int, share: float) -> float:
        """The factor of step ``step``, counted from 0, when ``share`` (0 to 1) of the budget is spent."""
        rise = min(1.0, (step + 1) / max(1, self.warmup_steps))
        if share <= self.flat or self.flat >= 1:
            return rise
        part = min(1.0, (share - self.flat) / (1 - self.flat))
        return rise * (self.end + (1 - self.end) * 0.5 * (1 + math.cos(math.pi * part)))


def set_rates(made: Sequence[torch.optim.Optimizer], factor: float) -> None:
    """Set every rate to its full value times ``factor``."""
    for optimiser in made:
        for group in optimiser.param_groups:
            group["lr"] = group["initial_lr"] * factor


class Ema:
    """A running mean of weights: after n steps the decay is min(decay, (1 + n) / (10 + n)), so that it starts fast."""

    def __init__(self, parameters: Sequence[nn.Parameter], decay: float) -> None:
        self.parameters, self.decay = list(parameters), decay
        self.means = [each.detach().clone() for each in self.parameters] if decay else []

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take the weights of step ``step`` (1 after the first) in."""
        if self.means:
            decay = min(self.decay, (1 + step) / (10 + step))
            torch._foreach_lerp_(self.means, list(self.parameters), 1 - decay)

    @contextmanager
    def used(self) -> Iterator[None]:
        """Put the means into the networks, and the weights back afterwards, exactly."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for parameter, mean in zip(self.parameters, self.means, strict=False):  # no means: nothing to swap
            kept = parameter.detach().clone()
            parameter.copy_(mean)
            mean.copy_(kept)

    @torch.no_grad()
    def load(self, means: Sequence[Tensor]) -> None:
        """Set the means to those of a checkpoint."""
        for mean, value in zip(self.means, means, strict=True):
            mean.copy_(value)
