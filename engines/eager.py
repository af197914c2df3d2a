"""The units as PyTorch runs them, operation by operation: always there, and the measure of the others."""

from __future__ import annotations

from typing import Any

import torch

from .units import Decode, Denoise, Embed, Encode, Units


def available() -> str:
    """Eager always runs."""
    return ""


def build(pipe: Any, controlnets: list[Any]) -> Units:
    """Units that share the weights of ``pipe`` and ``controlnets``; their memory layout becomes channels last."""
    for module in (pipe.unet, pipe.vae, *controlnets):
        module.to(memory_format=torch.channels_last)
    return Units(
        encode=Encode(pipe.vae).eval(),
        embed=Embed(controlnets).eval(),
        denoise=Denoise(pipe.unet, controlnets).eval(),
        decode=Decode(pipe.vae).eval(),
    )
