"""What one frame is rendered with: an immutable set of tensors on the device, made anew by each change."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from .schedule import Schedule


@dataclass(frozen=True, eq=False)
class Embeds:
    """An encoded prompt: ``text`` (1, L, D); SDXL also ``pooled`` (1, P)."""

    text: Tensor
    pooled: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Recipe:
    """Everything that K steps of one frame depend on, apart from its pictures."""

    revision: int
    schedule: Schedule
    noise: Tensor  # (K, 4, h, w), the noise of each step
    prompt: Embeds
    negative: Embeds | None = None  # None where no guidance asks for it
    control_scales: Tensor = field(default_factory=lambda: torch.zeros(0, 1))  # (C, K)
    lora_scales: Tensor = field(default_factory=lambda: torch.zeros(0))  # (A,)
    guidance_scale: float = 1.0
    delta: float = 1.0
    time_ids: Tensor | None = None  # (1, 6), SDXL
    guidance_embedding: Tensor | None = None  # (1, W), models distilled with a guidance embedding

    @property
    def steps(self) -> int:
        """K."""
        return len(self.noise)

    @property
    def entry_noise(self) -> Tensor:
        """(1, 4, h, w): the noise that a frame enters with."""
        return self.noise[:1]

    def row(self, k: int) -> dict[str, Tensor]:
        """What a row with k steps behind it holds, each value without the row's dimension."""
        values = {name: column[k] for name, column in self.schedule._asdict().items()}
        values["noise_next"] = self.noise[(k + 1) % self.steps]
        values["w"] = torch.tensor(self.guidance_scale).view(1, 1, 1)
        values["delta"] = torch.tensor(self.delta).view(1, 1, 1)
        return values

    def network_row(self, k: int, negative: bool) -> dict[str, Tensor]:
        """What the network must be told about a row with k steps behind it, with the prompt or the negative prompt."""
        embeds = self.negative if negative and self.negative is not None else self.prompt
        values = {
            "timestep": self.schedule.timestep[k],
            "text": embeds.text[0],
            "scales": self.control_scales[:, k],
            "lora": self.lora_scales,
        }
        for name, value in (
            ("pooled", embeds.pooled),
            ("time_ids", self.time_ids),
            ("guidance", self.guidance_embedding),
        ):
            if value is not None:
                values[name] = value[0]
        return values
