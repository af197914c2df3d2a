"""The network work of a frame, as functions of plain tensors: encode, embed, denoise, decode.

Tensors are float32 at every edge; each unit casts to its network's precision and back. F frames enter together, N rows
go through the UNet at once, C ControlNets steer it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Units:
    """The four functions that an engine gives to the loop; shapes are those of the modules below."""

    encode: Callable[[Tensor], Tensor]
    embed: Callable[[Tensor], Tensor]
    denoise: Callable[..., Tensor]
    decode: Callable[[Tensor], Tensor]


class Encode(nn.Module):
    """Autoencoder, picture to latent. A KL autoencoder gives its mode, so that a still picture stays still."""

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.vae = vae
        self.scale = float(vae.config.scaling_factor)
        self.shift = float(getattr(vae.config, "shift_factor", None) or 0.0)

    def forward(self, image: Tensor) -> Tensor:
        """``image`` (F, 3, H, W) in [-1, 1] -> latent (F, 4, h, w)."""
        result = self.vae.encode(image.to(self.vae.dtype))
        latent = result.latents if hasattr(result, "latents") else result.latent_dist.mode()
        return (latent.float() - self.shift) * self.scale


class Decode(nn.Module):
    """Autoencoder, latent to picture."""

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.vae = vae
        self.scale = float(vae.config.scaling_factor)
        self.shift = float(getattr(vae.config, "shift_factor", None) or 0.0)

    def forward(self, latent: Tensor) -> Tensor:
        """``latent`` (F, 4, h, w) -> image (F, 3, H, W), about [-1, 1]."""
        latent = latent / self.scale + self.shift
        return self.vae.decode(latent.to(self.vae.dtype), return_dict=False)[0].float()


class Embed(nn.Module):
    """The ControlNets' condition embeddings. They do not depend on the noise, so they run once a frame."""

    def __init__(self, controlnets: list[Any]) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(net.controlnet_cond_embedding for net in controlnets)
        self.flipped = tuple(net.config.controlnet_conditioning_channel_order == "bgr" for net in controlnets)

    def forward(self, conditions: Tensor) -> Tensor:
        """``conditions`` (C, F, 3, H, W) in [0, 1] -> features (C, F, E, h, w)."""
        features = []
        for embedding, flipped, condition in zip(self.embeddings, self.flipped, conditions, strict=True):
            condition = condition.flip(1) if flipped else condition
            features.append(embedding(condition.to(next(embedding.parameters()).dtype)).float())
        return torch.stack(features)  # (C, F, E, h, w)


class Denoise(nn.Module):
    """UNet with its ControlNets, as one module: a control scale is an input, so changing it rebuilds nothing."""

    def __init__(self, unet: Any, controlnets: list[Any]) -> None:
        super().__init__()
        self.unet = unet
        self.controlnets = nn.ModuleList(_without_embedding(net) for net in controlnets)

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor,
        text: Tensor,
        features: Tensor,
        scales: Tensor,
        pooled: Tensor | None = None,
        time_ids: Tensor | None = None,
        guidance: Tensor | None = None,
    ) -> Tensor:
        """One prediction for N rows.

        ``sample`` (N, 4, h, w), ``timestep`` (N,), ``text`` (N, L, D), ``features`` (C, N, E, h, w), ``scales`` (C, N);
        SDXL: ``pooled`` (N, P), ``time_ids`` (N, 6); models with a guidance embedding: ``guidance`` (N, W).
        Returns (N, 4, h, w), in the UNet's own prediction type.
        """
        dtype = self.unet.dtype
        sample, text = sample.to(dtype), text.to(dtype)
        added = None if pooled is None else {"text_embeds": pooled.to(dtype), "time_ids": time_ids}
        down, mid = None, None
        for net, feature, scale in zip(self.controlnets, features, scales, strict=True):
            residuals, bottom = net(
                sample,
                timestep,
                encoder_hidden_states=text,
                controlnet_cond=feature.to(dtype),
                conditioning_scale=scale.to(dtype).view(-1, 1, 1, 1),
                added_cond_kwargs=added,
                return_dict=False,
            )
            down = residuals if down is None else [a + b for a, b in zip(down, residuals, strict=True)]
            mid = bottom if mid is None else mid + bottom
        return self.unet(
            sample,
            timestep,
            encoder_hidden_states=text,
            timestep_cond=None if guidance is None else guidance.to(dtype),
            added_cond_kwargs=added,
            down_block_additional_residuals=down,
            mid_block_additional_residual=mid,
            return_dict=False,
        )[0].float()


def _without_embedding(controlnet: Any) -> Any:
    """A view of a ControlNet that takes embedded conditions; it shares every weight and leaves the original alone."""
    view = copy.copy(controlnet)
    view._modules = {**controlnet._modules, "controlnet_cond_embedding": nn.Identity()}
    view.register_to_config(controlnet_conditioning_channel_order="rgb")
    return view
