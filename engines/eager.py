"""The units as PyTorch runs them, operation by operation: always there, and the measure of the others."""

from __future__ import annotations

from typing import Any

import torch

from ..stream.base.twin import twin
from . import Options
from .controls import Adapt
from .shapes import Shapes
from .units import Decode, Denoise, Embed, Encode, Units


def available(where: str = "") -> str:
    """Eager always runs."""
    return ""


def build(pipe: Any, controlnets: list[Any], shapes: Shapes, options: Options) -> Units:
    """Units that share the modules of ``pipe`` and ``controlnets``; their memory layout becomes channels last."""
    for module in (pipe.unet, pipe.vae, *controlnets):
        module.to(memory_format=torch.channels_last)
    return Units(
        encode=Encode(pipe.vae).eval(),
        embed=Embed(controlnets).eval(),
        denoise=Denoise(twin(pipe.unet) if shapes.loras else pipe.unet, controlnets, shapes.loras).eval(),
        decode=Decode(pipe.vae).eval(),
        adapt=Adapt(controlnets).eval() if shapes.adapters else None,
        name="eager",
        follows_pipe=True,
        about=f"PyTorch {torch.__version__} on {pipe.unet.device}, {str(pipe.unet.dtype).removeprefix('torch.')}",
    )
