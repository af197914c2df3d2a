"""LoRA keys in both spellings: PEFT's, which diffusers reads, and kohya's, which A1111 and ComfyUI read.

PEFT: ``unet.down_blocks.0.attentions.0.to_q.lora_A.weight``. kohya: ``lora_unet_down_blocks_0_attentions_0_to_q`` with
``.lora_down.weight``, ``.lora_up.weight`` and ``.alpha``; the way back needs the networks, since ``_`` stands for both
a dot and itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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


def from_kohya(
    tensors: Mapping[str, Tensor], modules: Mapping[str, Iterable[str]], sdxl: bool = False
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """kohya's keys to PEFT's, and the alpha of every module, ``unet.MODULE`` -> number.

    ``modules`` are the names of all modules of each component, as ``named_modules`` gives them. Raises LoraError for a
    key that belongs to none of them.
    """
    prefixes = SDXL_PREFIXES if sdxl else PREFIXES
    known = {
        f"{prefixes[component]}_{name.replace('.', '_')}": f"{component}.{name}"
        for component, names in modules.items()
        for name in names
        if name
    }
    halves = {ours: theirs for theirs, ours in _HALVES.items()}
    found: dict[str, Tensor] = {}
    alphas: dict[str, float] = {}
    for key, value in tensors.items():
        stem, _, rest = key.partition(".")
        if stem not in known:
            raise LoraError(f"got the LoRA key {key!r}, which belongs to no module of this model")
        if rest == "alpha":
            alphas[known[stem]] = float(value)
        elif rest.removesuffix(".weight") in halves:
            found[f"{known[stem]}.{halves[rest.removesuffix('.weight')]}.weight"] = value
        else:
            raise LoraError(f"got the LoRA key {key!r}, expected lora_down, lora_up or alpha at its end")
    return found, alphas
