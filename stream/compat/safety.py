"""The safety checker that StreamDiffusion's wrapper can load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...lora.load import locate
from ...lora.parts import load_part
from ..base.quiet import quiet
from ..loop.outputs import SafetyChecker

MODEL = "CompVis/stable-diffusion-safety-checker"


def load_safety_checker(device: torch.device, model: str | Path = MODEL) -> SafetyChecker:
    """Stable Diffusion's own checker (a folder or hub id): a refused picture is replaced by a black one.

    Raises ModelError when it is not there, UnsafeWeightsError like ``load_pipeline``.
    """
    with quiet():
        from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
        from transformers import CLIPImageProcessor

        network: Any = load_part(StableDiffusionSafetyChecker, locate(model), torch.float32)
        prepare = CLIPImageProcessor()
    network.to(device).eval().requires_grad_(False)

    def checker(picture: np.ndarray) -> bool | np.ndarray:
        with torch.inference_mode():
            seen = prepare(images=picture, return_tensors="pt").pixel_values.to(device)  # (1, 3, 224, 224)
            _, found = network(clip_input=seen, images=np.zeros((1, 1, 1, 3)))
        return np.zeros_like(picture) if found[0] else True

    return checker
