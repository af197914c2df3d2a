"""What a model is: its family, what it predicts, and whether it was distilled to few steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from ..stream.base.errors import ModelError
from .safety import Header, read_config

Family = Literal["sd1", "sd2", "sdxl"]
FAMILY_NAMES = {"sd1": "Stable Diffusion 1.x", "sd2": "Stable Diffusion 2.x", "sdxl": "Stable Diffusion XL"}


REFINER = (
    "this is the SDXL refiner, which only finishes pictures of another model; use "
    "stabilityai/stable-diffusion-xl-base-1.0, or a model made from it"
)
# What takes another number of channels than a latent's 4, and what would do instead.
_CHANNELS = {
    3: ("DeepFloyd IF", "a Stable Diffusion or SDXL base model"),
    5: ("depth2img", "the base model, with a depth ControlNet under controlnets"),
    7: ("an upscaler", "a base model"),
    8: ("InstructPix2Pix", "a base model in mode img2img, with the instruction as its prompt"),
    9: ("inpainting", "the base model that it was made from"),
}
_ENCODERS: dict[str, Family | Literal["refiner"]] = {
    "conditioner.embedders.1.": "sdxl",
    "conditioner.": "refiner",
    "cond_stage_model.model.": "sd2",
    "cond_stage_model.transformer.": "sd1",
}
_POSITIONS = (
    "cond_stage_model.transformer.text_model.embeddings.position_embedding.weight",
    "conditioner.embedders.0.transformer.text_model.embeddings.position_embedding.weight",
)


def refuse_channels(channels: Any, name: str, latent: Any = 4) -> None:
    """Raise ModelError for a UNet that takes more or less than the channels of a latent; ``name`` stands for it.

    Latents have 4 channels, but those of a model that comes with an autoencoder of its own may have others.
    """
    if isinstance(channels, int) and channels in (4, latent):
        return
    what, instead = _CHANNELS.get(channels if isinstance(channels, int) else 0, ("", "a base model"))
    what = f" ({what})" if what else ""
    raise ModelError(
        f"{name}: its UNet takes {str(channels)[:20]} channels{what}, expected {str(latent)[:20]}; use {instead}"
    )


def is_turbo(scheduler: Any) -> bool:
    """Whether a model that comes with this scheduler was distilled adversarially, as SD-Turbo and SDXL-Turbo were.

    Such a model wants scheduler "turbo" and no guidance.
    """
    # How models distilled to few steps are published; bases that need many steps have another spacing.
    return type(scheduler).__name__.startswith("Euler") and scheduler.config.get("timestep_spacing") == "trailing"


def is_tiny(vae: Any) -> bool:
    """Whether an autoencoder is a TAESD."""
    return type(vae).__name__ == "AutoencoderTiny"


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

    Raises ModelError for anything that is not a whole Stable Diffusion 1.x, 2.x or SDXL base model (its autoencoder may
    be missing).
    """
    names = header.tensors
    prefix = "model.diffusion_model."
    if f"{prefix}input_blocks.0.0.weight" not in names:
        raise ModelError(f"{path}: not a whole Stable Diffusion model: it has no {prefix}*; {_guess(header)}")
    shape = names[f"{prefix}input_blocks.0.0.weight"][1]
    if len(shape) != 4:
        raise ModelError(f"{path}: {prefix}input_blocks.0.0.weight has the shape {list(shape)}, expected 4 dimensions")
    refuse_channels(shape[1], str(path))
    family: Family | Literal["refiner"] | None = None
    for start, kind in _ENCODERS.items():
        if family is None and any(name.startswith(start) for name in names):
            family = kind
    if family == "refiner":
        raise ModelError(f"{path}: {REFINER}")
    positions = [names[name][1] for name in _POSITIONS if name in names]
    if positions and positions[0][:1] != (77,):
        raise ModelError(
            f"{path}: its text encoder has {'x'.join(map(str, positions[0]))} positions (LongCLIP has 248), expected "
            f"CLIP's 77; use the checkpoint with its usual text encoder, or the model as a folder in diffusers layout"
        )
    if family is not None:
        return family
    raise ModelError(f"{path}: it holds no text encoder, expected a whole model; look for the full checkpoint")


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
