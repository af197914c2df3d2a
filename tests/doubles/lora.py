"""LoRAs as other programs write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from doubles.random_lora import lora_factors


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
