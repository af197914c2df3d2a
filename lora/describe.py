"""What a model is: its family, what it predicts, and whether it was distilled to few steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from ..stream.base.errors import ModelError
from .safety import Header, read_config

Family = Literal["sd1", "sd2", "sdxl"]
FAMILY_NAMES = {"sd1": "Stable Diffusion 1.x", "sd2": "Stable Diffusion 2.x", "sdxl": "Stable Diffusion XL"}


def is_turbo(scheduler: Any) -> bool:
    """Whether a model that comes with this scheduler was distilled adversarially, as SD-Turbo and SDXL-Turbo were.

    Such a model wants scheduler "turbo" and no guidance.
    """
    # How models distilled to few steps are published; bases that need many steps have another spacing.
    return type(scheduler).__name__.startswith("Euler") and scheduler.config.get("timestep_spacing") == "trailing"


def unet_family(unet: Any) -> Family:
    """The family that a UNet's configuration belongs to."""
    if unet.get("addition_embed_type") == "text_time":
        return "sdxl"
    return "sd2" if unet.get("use_linear_projection") or unet.get("cross_attention_dim") == 1024 else "sd1"


def folder_family(folder: Path) -> Family | None:
    """The family of a model folder in diffusers layout; None when it is something else, a ControlNet for example."""
    path = folder / "unet" / "config.json"
    return unet_family(read_config(path)) if path.is_file() else None


def file_family(path: Path, header: Header) -> Family:
    """The family of a single-file checkpoint (the layout of the original code), from the shapes in its header.

    Raises ModelError for anything that is not a whole Stable Diffusion 1.x, 2.x or SDXL base model.
    """
    names = header.tensors
    prefix = "model.diffusion_model."
    if f"{prefix}input_blocks.0.0.weight" not in names:
        raise ModelError(f"{path}: not a whole Stable Diffusion model: it has no {prefix}*; {_guess(header)}")
    channels = names[f"{prefix}input_blocks.0.0.weight"][1][1]
    if channels != 4:
        raise ModelError(
            f"{path}: its UNet takes {channels} channels (inpainting), expected a base model, which takes 4"
        )
    if any(name.startswith("conditioner.embedders.1.") for name in names):
        return "sdxl"
    if any(name.startswith("conditioner.") for name in names):
        raise ModelError(f"{path}: this is the SDXL refiner; use the base model")
    if any(name.startswith("cond_stage_model.model.") for name in names):
        return "sd2"
    if any(name.startswith("cond_stage_model.transformer.") for name in names):
        return "sd1"
    raise ModelError(f"{path}: it holds no text encoder, expected a whole model; look for the full checkpoint")


def file_prediction(header: Header) -> str | None:
    """What a single-file checkpoint says it predicts; None when it does not say."""
    said = header.metadata.get("modelspec.prediction_type") or header.metadata.get("modelspec.predict_key") or ""
    if "v_pred" in header.tensors or said.lower() in ("v", "v_prediction"):
        return "v_prediction"
    return "epsilon" if said.lower() in ("epsilon", "eps") else None


def _guess(header: Header) -> str:
    names = header.tensors
    if any("lora" in name for name in names):
        return "this looks like a LoRA: name it in lora_dict"
    if any("controlnet_cond_embedding" in name or name.startswith("control_model.") for name in names):
        return "this looks like a ControlNet: name it in controlnets"
    if any(
        name.startswith(("double_blocks.", "joint_blocks.", "model.diffusion_model.double_blocks.")) for name in names
    ):
        return "this looks like a transformer model (Flux, SD3), which does not run in real time here"
    return "expected a full checkpoint of Stable Diffusion 1.x, 2.x or SDXL"
