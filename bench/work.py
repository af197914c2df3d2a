"""How much work a frame is: floating point operations of the eager units, counted on tensors without memory.

A multiplication with its addition counts as two; attention is counted, norms and activations are not.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from ..engines.images import with_images
from ..engines.units import Decode, Denoise, Embed, Encode
from ..stream.base.config import StreamConfig
from ..stream.loop.guidance import make_guidance
from ..stream.loop.regions import places

TEXT_LENGTH = 77  # of CLIP


def gflop_per_frame(pipe: Any, config: StreamConfig) -> dict[str, float]:
    """GFLOP of ``encode, embed, denoise, decode`` for one rendered frame, and their ``total``.

    Pictures have the size of ``config``; all its steps, its guidance and its enabled ControlNets are in it.
    """
    own = getattr(pipe, "controlnet", None)
    nets = list(getattr(own, "nets", [own])) if own is not None else []
    enabled = [net.enabled for net in config.controlnets] or [True] * len(nets)
    nets = [net for net, on in zip(nets, enabled, strict=False) if on]
    frames = config.frame_buffer_size
    with torch.no_grad():
        counted = _count(pipe, nets, config, frames)
    counted = {unit: flop / frames / 1e9 for unit, flop in counted.items()}
    return {**counted, "total": sum(counted.values())}


def unet_rows(config: StreamConfig) -> int:
    """How many rows the UNet predicts while F frames take all their steps (``frame_buffer_size`` F)."""
    steps, frames = len(config.t_index_list), config.frame_buffer_size
    guidance = make_guidance(config.cfg_type, config.guidance_scale)
    if config.use_denoising_batch:
        return steps * frames + guidance.extra_rows(steps * frames, frames)
    return steps * (frames + guidance.extra_rows(frames, frames))


def _count(pipe: Any, nets: list[Any], config: StreamConfig, frames: int) -> dict[str, int]:
    unet, vae = pipe.unet, pipe.vae
    scale = int(pipe.vae_scale_factor)
    h, w = config.height // scale, config.width // scale
    rows = unet_rows(config)

    def made(*shape: int) -> Tensor:
        return torch.empty(shape, device="meta")

    counted: dict[str, int] = {"encode": 0, "embed": 0, "denoise": 0, "decode": 0}
    if config.from_picture:
        counted["encode"] = _flops(Encode(vae), made(frames, 3, config.height, config.width))
    features = made(0, rows)
    if nets:
        counted["embed"] = _flops(Embed(nets), made(len(nets), frames, 3, config.height, config.width))
        features = made(len(nets), rows, nets[0].config.block_out_channels[0], h, w)
    added: dict[str, Tensor] = {}
    if unet.config.addition_embed_type == "text_time":
        ids = 6 * unet.config.addition_time_embed_dim
        added = {"pooled": made(rows, unet.config.projection_class_embeddings_input_dim - ids)}
        added["time_ids"] = made(rows, 6)
    if unet.config.time_cond_proj_dim is not None:
        added["guidance"] = made(rows, unet.config.time_cond_proj_dim)
    length, regions = _text_length(pipe), places(config)
    if regions:
        unet, length = with_images(unet, [], regions=True), (1 + regions) * length
        added["regions"] = made(rows, regions, h, w)
    inputs = (made(rows, unet.config.in_channels, h, w), made(rows), made(rows, length, _text_width(unet)))
    counted["denoise"] = _flops(Denoise(unet, nets), *inputs, features, made(len(nets), rows), **added)
    counted["decode"] = _flops(Decode(vae), made(frames, unet.config.out_channels, h, w))
    return counted


def _text_length(pipe: Any) -> int:
    return min(TEXT_LENGTH, int(getattr(pipe.tokenizer, "model_max_length", TEXT_LENGTH)))


def _text_width(unet: Any) -> int:
    width = unet.config.cross_attention_dim
    return width if isinstance(width, int) else max(width)


def _flops(unit: torch.nn.Module, *inputs: Tensor, **more: Tensor) -> int:
    own = [*unit.named_parameters(remove_duplicate=False), *unit.named_buffers(remove_duplicate=False)]
    weightless = {name: torch.empty_like(value, device="meta") for name, value in own}
    with FlopCounterMode(display=False) as counter:
        functional_call(unit.eval(), weightless, inputs, more, tie_weights=False)
    return counter.get_total_flops()
