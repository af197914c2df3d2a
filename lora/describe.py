"""What a model is: its family, what it predicts, and for how few steps it was distilled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..stream.base.errors import ModelError
from .safety import Header, read_config

Family = Literal["sd1", "sd2", "sdxl"]
FAMILY_NAMES = {"sd1": "Stable Diffusion 1.x", "sd2": "Stable Diffusion 2.x", "sdxl": "Stable Diffusion XL"}


@dataclass(frozen=True)
class Description:
    """What matters about a loaded pipeline."""

    family: Family
    prediction_type: str  # epsilon or v_prediction
    turbo: bool  # distilled adversarially (SD-Turbo, SDXL-Turbo): use scheduler "turbo", no guidance
    lcm: bool  # a consistency model by itself: needs no LCM-LoRA
    cross_attention_dim: int
    controlnets: int
    tiny_vae: bool


def describe(pipe: Any) -> Description:
    """Describe a diffusers pipeline of the Stable Diffusion or SDXL kind."""
    unet, schedule = pipe.unet.config, pipe.scheduler.config
    own = getattr(pipe, "controlnet", None)
    kind = type(pipe.scheduler).__name__
    return Description(
        family=unet_family(unet),
        prediction_type=schedule.get("prediction_type", "epsilon"),
        # How models distilled to few steps are published; bases that need many steps have another spacing.
        turbo=kind.startswith("Euler") and schedule.get("timestep_spacing") == "trailing",
        lcm=kind == "LCMScheduler" or unet.get("time_cond_proj_dim") is not None,
        cross_attention_dim=unet["cross_attention_dim"],
        controlnets=0 if own is None else len(getattr(own, "nets", [own])),
        tiny_vae=type(pipe.vae).__name__ == "AutoencoderTiny",
    )


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
