"""LoRAs of random numbers that fit a pipeline, as different programs write them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save_file
from torch import Tensor, nn


def tiny_lora(
    pipe: Any,
    path: str | Path,
    rank: int = 4,
    seed: int = 0,
    conv: bool = False,
    text_encoder: bool = False,
    time: bool = False,
    strength: float = 0.5,
) -> Path:
    """Write a LoRA that fits ``pipe`` in the diffusers / PEFT key format; both factors are non-zero.

    It covers the attention and feed-forward projections; ``conv`` adds the convolutions of the ResNet blocks, ``time``
    the projections of the time embedding, ``text_encoder`` the attention of every text encoder.
    """
    factors = lora_factors(pipe, rank, seed, conv, text_encoder, time, strength)
    tensors = {f"{component}.{module}.lora_{half}.weight": value for component, module, half, value in factors}
    save_file(tensors, path)
    return Path(path)


def tiny_kohya_lora(
    pipe: Any,
    path: str | Path,
    rank: int = 4,
    alpha: float = 2.0,
    seed: int = 0,
    conv: bool = False,
    text_encoder: bool = False,
    time: bool = False,
    strength: float = 0.5,
) -> Path:
    """Write the same LoRA as ``tiny_lora`` in the key format of kohya's trainer, which A1111 reads.

    The factors are the same numbers; each module also carries ``alpha``, so it acts with ``alpha / rank`` times the
    strength of the other.
    """
    sdxl = hasattr(pipe, "text_encoder_2")
    prefixes = {
        "unet": "lora_unet",
        "text_encoder": "lora_te1" if sdxl else "lora_te",
        "text_encoder_2": "lora_te2",
    }
    tensors = {}
    for component, module, half, value in lora_factors(pipe, rank, seed, conv, text_encoder, time, strength):
        if component != "unet" and not module.startswith("text_model."):
            module = f"text_model.{module}"  # files keep the name of the module that transformers 5 flattened
        name = f"{prefixes[component]}_{module.replace('.', '_')}"
        tensors[f"{name}.lora_{'down' if half == 'A' else 'up'}.weight"] = value
        tensors[f"{name}.alpha"] = torch.tensor(float(alpha))
    save_file(tensors, path)
    return Path(path)


def lora_factors(
    pipe: Any, rank: int, seed: int, conv: bool, text_encoder: bool, time: bool, strength: float
) -> Iterator[tuple[str, str, Literal["A", "B"], Tensor]]:
    """Yield (component, module, A or B, weight); ``B @ A`` has about ``strength`` times the scale of a base weight."""
    generator = torch.Generator().manual_seed(seed)
    wanted = [
        ("unet", (".to_q", ".to_k", ".to_v", ".to_out.0", ".ff.net.0.proj", ".ff.net.2", ".proj_in", ".proj_out"))
    ]
    wanted += [("unet", (".conv1", ".conv2", ".conv_shortcut"))] if conv else []
    wanted += [("unet", (".time_emb_proj", "time_embedding.linear_1", "time_embedding.linear_2"))] if time else []
    if text_encoder:
        encoders = [name for name in ("text_encoder", "text_encoder_2") if getattr(pipe, name, None) is not None]
        wanted += [(name, (".q_proj", ".k_proj", ".v_proj", ".out_proj")) for name in encoders]
    for component, endings in wanted:
        for name, module in getattr(pipe, component).named_modules():
            name = name.removesuffix(".base_layer")  # where a LoRA is loaded already
            if not name.endswith(endings) or not isinstance(module, nn.Linear | nn.Conv2d):
                continue
            outputs, inputs, *kernel = module.weight.shape
            fan = inputs * (kernel[0] * kernel[1] if kernel else 1)
            down = torch.randn(rank, inputs, *kernel, generator=generator) * fan**-0.5
            up = torch.randn(outputs, rank, *(1 for _ in kernel), generator=generator) * strength * rank**-0.5
            yield component, name, "A", down
            yield component, name, "B", up
