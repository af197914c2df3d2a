"""The base model's networks: built from sizes, begun so that v-prediction learns at once, or read from a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ...stream.base.errors import ModelError
from . import seeds
from .from_scratch import BaseConfig, NetworkSizes
from .models import controlnets_of, load_model

SCHEDULER = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction",
    "clip_sample": False,
    "set_alpha_to_one": True,
    "rescale_betas_zero_snr": False,
}


@dataclass(frozen=True, eq=False)
class BaseNetworks:
    """What is trained together."""

    unet: Any
    controlnet: Any
    text_encoder: Any


def scheduler(original: int) -> Any:
    """The scheduler that the model is written with."""
    from diffusers import LCMScheduler

    return LCMScheduler(original_inference_steps=original, **SCHEDULER)


def build(config: BaseConfig, tokenizer: Any, latent_channels: int, reduction: int) -> BaseNetworks:
    """New networks with weights that follow from the seed alone."""
    with seeds.new_weights(config.seed):
        sizes = config.networks
        unet = _unet(sizes, latent_channels, config.data.size // reduction)
        controlnet = _controlnet(sizes, latent_channels)
        text_encoder = _text_encoder(sizes, tokenizer)
        _begin(unet, controlnet)
    return BaseNetworks(unet, controlnet, text_encoder)


def read(name: str) -> tuple[BaseNetworks, Any]:
    """(networks, tokenizer) of a model to go on from. Raises ModelError when it is not of this kind."""
    pipe = load_model(name, torch.device("cpu"))
    nets = controlnets_of(pipe)
    kind = pipe.scheduler.config.prediction_type
    if len(nets) != 1 or kind != "v_prediction":
        raise ModelError(
            f"init: {name}: got {len(nets)} ControlNets and {kind}, expected one ControlNet and v_prediction"
        )
    return BaseNetworks(pipe.unet, nets[0], pipe.text_encoder), pipe.tokenizer


def _unet(sizes: NetworkSizes, latent_channels: int, side: int) -> Any:
    from diffusers import UNet2DConditionModel

    down = tuple("CrossAttnDownBlock2D" if attends else "DownBlock2D" for attends in sizes.attention_levels)
    up: Any = tuple(name.replace("Down", "Up") for name in reversed(down))
    return UNet2DConditionModel(
        sample_size=side,
        in_channels=latent_channels,
        out_channels=latent_channels,
        down_block_types=down,
        up_block_types=up,
        **_shared(sizes),
    )


def _controlnet(sizes: NetworkSizes, latent_channels: int) -> Any:
    """Without attention in its levels: it is there for the drawing, and the UNet reads the text."""
    from diffusers import ControlNetModel

    return ControlNetModel(
        in_channels=latent_channels,
        down_block_types=("DownBlock2D",) * len(sizes.block_out_channels),
        conditioning_embedding_out_channels=sizes.conditioning_channels,
        **_shared(sizes),
    )


def _shared(sizes: NetworkSizes) -> dict[str, Any]:
    heads = tuple(max(1, width // sizes.head_dim) for width in sizes.block_out_channels)
    return {
        "block_out_channels": sizes.block_out_channels,
        "layers_per_block": sizes.layers_per_block,
        "cross_attention_dim": sizes.text_width,
        "attention_head_dim": heads,  # diffusers' name for the number of heads
        "norm_num_groups": sizes.norm_num_groups,
    }


def _text_encoder(sizes: NetworkSizes, tokenizer: Any) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=sizes.text_width,
            intermediate_size=2 * sizes.text_width,
            num_hidden_layers=sizes.text_layers,
            num_attention_heads=sizes.text_heads,
            max_position_embeddings=sizes.max_tokens,
            projection_dim=sizes.text_width,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


@torch.no_grad()
def _begin(unet: Any, controlnet: Any) -> None:
    """A ControlNet that speaks from the first step on (zero convolutions suit a trained base only), a soft UNet.

    What the drawing gives is as large as what the latents give, whose share is made small.
    """
    for conv in [*controlnet.controlnet_down_blocks, controlnet.controlnet_mid_block]:
        nn.init.kaiming_normal_(conv.weight, a=1.0)
        conv.weight.mul_(0.3)
    nn.init.kaiming_normal_(controlnet.controlnet_cond_embedding.conv_out.weight, a=1.0)
    controlnet.conv_in.weight.mul_(0.1)
    unet.conv_out.weight.mul_(0.3)
