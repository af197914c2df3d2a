"""A ControlNet for a frozen base model (Zhang et al. 2023, arXiv:2302.05543)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from . import seeds
from .data import Batch
from .kinds import ControlNetConfig
from .losses import weighted_mse
from .predict import predict
from .task import Loss, Now
from .tuned import TunedTask


class ControlNetTask(TunedTask):
    """A new copy of the base's encoder with zero convolutions, or a ControlNet to go on from."""

    config: ControlNetConfig

    def begin(self) -> None:
        from diffusers import ControlNetModel

        self.unet.requires_grad_(False)
        if self.config.conditions[0].controlnet is None:
            with seeds.new_weights(self.config.seed):
                widths: Any = self.config.conditioning_channels
                net = ControlNetModel.from_unet(self.unet, conditioning_embedding_out_channels=widths)
            self.controlnets = [net]
        self.controlnets[0].requires_grad_(True)

    def trained(self) -> dict[str, nn.Module]:
        return {"controlnet": self.controlnets[0]}

    def loss(self, batch: Batch, now: Now) -> Loss:
        z0 = self.codec.latents(batch)  # (B, C, h, w)
        x, noise, t = self.noised(z0, now.random)
        text, added = self.text(self._captions(batch, now.random))
        output = predict(self.unet, self.scaled(), x, t, text, self.conditions(batch), added)
        total = weighted_mse(output, self.noise.target(z0, noise, t), self.weight(t))
        return Loss(total, {})

    def _captions(self, batch: Batch, random: torch.Generator) -> list[str]:
        empty: Tensor = torch.rand(len(batch), generator=random) < self.config.proportion_empty_prompts
        return ["" if gone else caption for caption, gone in zip(batch.captions, empty.tolist(), strict=True)]

    def write(self, folder: Path) -> None:
        """What ``ControlNetModel.from_pretrained`` reads."""
        net = self.controlnets[0]
        made: Any = type(net).from_config(net.config)
        made.load_state_dict({name: value.cpu().contiguous() for name, value in net.state_dict().items()})
        made.save_pretrained(folder)
