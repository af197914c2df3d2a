"""LoRA keys as A1111 and ComfyUI read them (kohya's), from PEFT's, which diffusers reads.

PEFT: ``unet.down_blocks.0.attentions.0.to_q.lora_A.weight``. kohya: ``lora_unet_down_blocks_0_attentions_0_to_q`` with
``.lora_down.weight``, ``.lora_up.weight`` and ``.alpha``.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ...stream.base.errors import LoraError

PREFIXES = {
    "unet": "lora_unet",
    "text_encoder": "lora_te",
    "text_encoder_2": "lora_te2",
    "controlnet": "lora_controlnet",
}
SDXL_PREFIXES = {**PREFIXES, "text_encoder": "lora_te1"}
_HALVES = {"lora_A": "lora_down", "lora_B": "lora_up"}


def to_kohya(tensors: Mapping[str, Tensor], alpha: float, sdxl: bool = False) -> dict[str, Tensor]:
    """PEFT's keys, each beginning with its component, to kohya's, with ``alpha`` at every module.

    Raises LoraError for a key of another form.
    """
    prefixes = SDXL_PREFIXES if sdxl else PREFIXES
    found: dict[str, Tensor] = {}
    for key, value in tensors.items():
        component, _, rest = key.partition(".")
        module, _, half = rest.removesuffix(".weight").rpartition(".")
        if component not in prefixes or half not in _HALVES or not rest.endswith(".weight"):
            raise LoraError(f"got the LoRA key {key!r}, expected one like unet.MODULE.lora_A.weight")
        stem = f"{prefixes[component]}_{module.replace('.', '_')}"
        found[f"{stem}.{_HALVES[half]}.weight"] = value
        found[f"{stem}.alpha"] = torch.tensor(float(alpha))
    return found
