"""Which timesteps a few-step model is trained on, and where its rows start."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LOW = 400  # below it a row counts as low
STRIDE = 200  # a step before another one is at least so far above it


@dataclass(frozen=True)
class Timesteps:
    """Shares of the rows: ``first`` at the last timestep of the grid, ``named`` at named ones, ``low`` below 400."""

    grid: Tensor  # (G,) int64, ascending
    named: Tensor  # (M,) int64
    first_share: float
    named_share: float
    low_share: float

    @classmethod
    def of(
        cls, original: int, named: tuple[int, ...], first: float, at_named: float, low: float, train: int = 1000
    ) -> Timesteps:
        """On the grid of ``original`` steps that LCMScheduler uses; named ones below its end."""
        grid = (torch.arange(original) + 1) * (train // original) - 1
        return cls(grid, torch.tensor(named), first, at_named, low)

    @property
    def last(self) -> int:
        """The timestep that generation starts at."""
        return int(self.grid[-1])

    def draw(self, count: int, random: torch.Generator) -> Tensor:
        """(count,) int64 on the CPU."""
        chance = torch.rand(count, generator=random)
        below = self.grid[self.grid < LOW]
        below = below if len(below) else self.grid
        anywhere = _any(self.grid, count, random)
        low, named = _any(below, count, random), _any(self.named, count, random)
        first = torch.full((count,), self.last)
        until_named = self.first_share + self.named_share
        rest = torch.where(chance < until_named + self.low_share, low, anywhere)
        return torch.where(chance < self.first_share, first, torch.where(chance < until_named, named, rest))

    def before(self, t: Tensor) -> Tensor:
        """For each timestep the one that a step list visits before it: the next named one, else the first."""
        visited = torch.cat([self.named, torch.tensor([self.last])]).sort().values
        place = torch.searchsorted(visited, t + STRIDE).clamp(max=len(visited) - 1)
        return visited[place]


def _any(values: Tensor, count: int, random: torch.Generator) -> Tensor:
    return values[torch.randint(0, len(values), (count,), generator=random)]
