"""What one frame is rendered with: an immutable set of tensors on the device, made anew by each change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from .schedule import Schedule

# What the network is given about its N rows beside their latents and features, by the names of ``Denoise.forward``.
NetworkKey = Literal[
    "timestep",  # (N,) the noise level of each row, as an index into the training timesteps
    "text",  # (N, (1 + R) L, D) the encoded prompt, or the negative prompt, and those of R regions
    "scales",  # (C, N) how strongly each ControlNet steers
    "lora",  # (A, N) the scale of each LoRA; where none is switched live there is none
    "pooled",  # (N, P) SDXL: the pooled prompt
    "time_ids",  # (N, 6) SDXL: size and crop
    "guidance",  # (N, W) models distilled with a guidance scale: its embedding
    "tokens",  # (N, T, D) what image prompts show, of all of them
    "image_scales",  # (I, N) how much each image prompt counts
    "folded",  # (N, M) what an engine that folds has made of all of these but the scales
]
NetworkInputs = dict[NetworkKey, Tensor]


class Row(NamedTuple):
    """What the arithmetic of a step needs of one row; stacked for B rows, each value has a first dimension B."""

    a: Tensor  # (1, 1, 1) the share of the clean latent in the noisy one
    b: Tensor  # (1, 1, 1) the share of noise
    c_skip: Tensor  # (1, 1, 1)
    c_out: Tensor  # (1, 1, 1)
    a_next: Tensor  # (1, 1, 1) both shares at the level of the next step
    b_next: Tensor  # (1, 1, 1)
    noise_next: Tensor  # (4, h, w) the noise of the next step
    w: Tensor  # (1, 1, 1) guidance_scale
    delta: Tensor  # (1, 1, 1) how much the residual noise counts


@dataclass(frozen=True, eq=False)
class Embeds:
    """An encoded prompt: ``text`` (1, L, D); SDXL also ``pooled`` (1, P)."""

    text: Tensor
    pooled: Tensor | None = None


@dataclass(frozen=True, eq=False)
class ImageTokens:
    """I image prompts, encoded: ``tokens`` (1, T, D) of all of them and their ``scales`` (I,); ``negative`` (1, T, D)
    are those of no picture, for the negative prompt."""

    tokens: Tensor
    negative: Tensor
    scales: Tensor


@dataclass(frozen=True, eq=False)
class Recipe:
    """Everything that K steps of one frame depend on, apart from its pictures."""

    revision: int
    schedule: Schedule
    noise: Tensor  # (K, 4, h, w), the noise of each step
    prompt: Embeds
    negative: Embeds | None = None  # None where no guidance asks for it
    control_scales: Tensor = field(default_factory=lambda: torch.zeros(0, 1))  # (C, K)
    lora_scales: Tensor = field(default_factory=lambda: torch.zeros(0))  # (A,) of those that are switched live
    guidance_scale: float = 1.0
    delta: float = 1.0
    time_ids: Tensor | None = None  # (1, 6), SDXL
    guidance_embedding: Tensor | None = None  # (1, W), models distilled with a guidance scale
    images: ImageTokens | None = None  # where there are image prompts
    regions: Tensor | None = None  # (R, L, D), where there are regions: their prompts

    @property
    def steps(self) -> int:
        """K."""
        return len(self.noise)

    @property
    def entry_noise(self) -> Tensor:
        """(1, 4, h, w): the noise that a frame enters with."""
        return self.noise[:1]

    def row(self, k: int) -> Row:
        """What the arithmetic needs of a row whose frame has k steps behind it."""
        s, device = self.schedule, self.noise.device
        return Row(
            *(column[k] for column in (s.a, s.b, s.c_skip, s.c_out, s.a_next, s.b_next)),
            noise_next=self.noise[(k + 1) % self.steps],
            w=torch.full((1, 1, 1), self.guidance_scale, device=device),
            delta=torch.full((1, 1, 1), self.delta, device=device),
        )

    def network_row(self, k: int, negative: bool) -> NetworkInputs:
        """What the network is given about a row with k steps behind it, with the prompt or the negative prompt.

        Each value is without the dimension of its rows.
        """
        without = negative and self.negative is not None
        embeds = self.negative if negative and self.negative is not None else self.prompt
        text = embeds.text[0]  # (L, D)
        if self.regions is not None:  # what the picture shall not be, it shall be nowhere
            text = text.repeat(1 + len(self.regions), 1) if without else torch.cat([text, self.regions.flatten(0, 1)])
        values: NetworkInputs = {
            "timestep": self.schedule.timestep[k],
            "text": text,
            "scales": self.control_scales[:, k],
        }
        if len(self.lora_scales):
            values["lora"] = self.lora_scales
        if embeds.pooled is not None:
            values["pooled"] = embeds.pooled[0]
        if self.time_ids is not None:
            values["time_ids"] = self.time_ids[0]
        if self.guidance_embedding is not None:
            values["guidance"] = self.guidance_embedding[0]
        if self.images is not None:
            values["tokens"] = (self.images.negative if without else self.images.tokens)[0]
            values["image_scales"] = self.images.scales
        return values
