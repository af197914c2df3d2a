"""Which pipelines the loop can run. What it cannot is refused here by name, with what would do instead."""

from __future__ import annotations

import copy
import math
from typing import Any, Literal

import torch

from ...lora.describe import REFINER, is_tiny, refuse_channels
from ...lora.devices import DTYPES
from ...lora.tokens import fit_tokenizers
from ..base.config import StreamConfig
from ..base.errors import ConfigError, ModelError
from ..base.frame import Size
from ..base.quiet import quiet
from ..base.twin import twin

Prediction = Literal["epsilon", "v_prediction"]
TOO_LARGE = 2.3  # times the pixels that a UNet was trained on; 768x768 of a model for 512x512 are 2.25
_BASE = "use a base model of Stable Diffusion 1.x, 2.x or SDXL"
_AUTOENCODERS = ("AutoencoderTiny", "AutoencoderKL", "AsymmetricAutoencoderKL")
# What a UNet may ask for that the loop has not got: key of its configuration -> (values it may have, what to do).
_EXTRAS: dict[str, tuple[tuple[Any, ...], str]] = {
    "encoder_hid_dim_type": (
        (None,),
        "take an IP-Adapter out with pipe.unload_ip_adapter() and name it under ip_adapters, or " + _BASE,
    ),
    "class_embed_type": ((None,), _BASE),
    "num_class_embeds": ((None,), _BASE),
    "addition_embed_type": ((None, "text_time"), _BASE),
    "attention_type": ((None, "default"), "GLIGEN is not supported: " + _BASE),
}


def admitted(pipe: Any) -> Any:
    """A copy of a pipeline of diffusers for the loop to work with; it shares all weights that stay as they are.

    Its autoencoder is a twin, or in float32 where float16 is too small for it; texts end where the text encoders do.
    Raises ModelError for a pipeline that the loop cannot run.
    """
    name = type(pipe).__name__
    _check_parts(pipe, name)
    _check_unet(pipe.unet, pipe.vae, name)
    check_vae(pipe.vae, pipe, name)
    for net in controlnets_of(pipe):
        _check_controlnet(net, pipe.unet, name)
    pipe = copy.copy(pipe)
    pipe.vae = working_vae(pipe.vae, pipe.unet)
    _end_texts(pipe)
    return pipe


def controlnets_of(pipe: Any) -> list[Any]:
    """The ControlNets that a pipeline brings along."""
    own = getattr(pipe, "controlnet", None)
    return list(getattr(own, "nets", [own])) if own is not None else []


def working_vae(vae: Any, unet: Any) -> Any:
    """The autoencoder as the loop runs it: its settings are its own, its weights are shared.

    The one of SDXL gives infinities in float16 and says so (``force_upcast``): as in diffusers, it works in float32.
    """
    sdxl = unet.config.addition_embed_type == "text_time"
    if sdxl and vae.dtype == torch.float16 and vae.config.get("force_upcast"):
        with quiet():  # that it may be less exact so is not meant for this direction
            return copy.deepcopy(vae).to(torch.float32)
    return twin(vae)


def settled(pipe: Any, config: StreamConfig) -> StreamConfig:
    """The first configuration of a stream, true to a pipeline that is given ready; its size where none was given.

    Raises ConfigError for a device or a precision that it is not on: moving it would change it for others.
    """
    device = torch.device(config.device) if config.device != "auto" else pipe.unet.device
    if (device.type, device.index or 0) != (pipe.unet.device.type, pipe.unet.device.index or 0):
        raise ConfigError(
            f"device: got {config.device}, and the pipeline is on {pipe.unet.device}; "
            f'move it first: pipe.to("{config.device}"), or leave device out'
        )
    wanted, have = DTYPES.get(config.dtype), str(pipe.unet.dtype).removeprefix("torch.")
    if wanted not in (None, pipe.unet.dtype):
        raise ConfigError(
            f"dtype: got {config.dtype}, and the pipeline is in {have}; "
            f"convert it first: pipe.to(torch.{config.dtype}), or leave dtype out"
        )
    given, changes = config.model_fields_set, {}
    by_name = "use_tiny_vae" in given and given != set(type(config).model_fields)
    if config.use_tiny_vae and not config.vae_id and not by_name and not is_tiny(pipe.vae):
        changes["use_tiny_vae"] = False  # it is a default, and the pipeline has another autoencoder
    size = native_size(pipe)
    if size is not None and not {"width", "height"} & given:
        changes |= {"width": size.width, "height": size.height}
    return config.changed(**changes) if changes else config


def native_size(pipe: Any) -> Size | None:
    """The size of pictures that the UNet was trained on, as diffusers reads it; None where its settings do not say."""
    sample = pipe.unet.config.get("sample_size")
    sides = sample if isinstance(sample, list | tuple) else (sample, sample)
    if len(sides) != 2 or not all(type(side) is int and side > 0 for side in sides):
        return None
    size = Size(*(side * pipe.vae_scale_factor for side in reversed(sides)))  # (height, width) there
    return size if min(size) >= 64 and max(size) <= 4096 else None  # what a configuration can say


def too_large(size: Size, pipe: Any) -> str:
    """What to say of pictures far larger than those that the UNet was trained on; empty: nothing."""
    native = native_size(pipe)
    times = 0.0 if native is None else size.width * size.height / (native.width * native.height)
    if native is None or times < TOO_LARGE:
        return ""
    near = Size(*(round(side / times**0.5) for side in size)).rounded(64)
    return (
        f"{size} pixels are {times:.1f} times as many as this model was trained on ({native}), and it may draw badly "
        f"there: set width={near.width} and height={near.height}"
    )


def wants_vae(pipe: Any, config: StreamConfig) -> bool:
    """Whether a configuration names another autoencoder than the one that the pipeline has."""
    if config.vae_id:
        return pipe.vae.config.get("_name_or_path") != config.vae_id
    return config.use_tiny_vae and not is_tiny(pipe.vae)


def prediction_of(pipe: Any, config: StreamConfig) -> Prediction:
    """What the UNet predicts: what the configuration says, else what the scheduler does. Raises ModelError."""
    if config.prediction_type != "auto":
        return config.prediction_type
    found = pipe.scheduler.config.get("prediction_type", "epsilon")
    if found not in ("epsilon", "v_prediction"):
        raise ModelError(
            f"got prediction type {str(found)[:40]!r}, expected epsilon or v_prediction; "
            f"set prediction_type where the model predicts one of these"
        )
    return found


def _check_parts(pipe: Any, name: str) -> None:
    if getattr(pipe, "transformer", None) is not None and getattr(pipe, "unet", None) is None:
        raise ModelError(f"got {name}, which has a transformer in place of a UNet (SD3, Flux and others); {_BASE}")
    for part in ("unet", "vae", "scheduler"):
        if getattr(pipe, part, None) is None:
            raise ModelError(f"got {name} without {part}, expected a Stable Diffusion or SDXL pipeline of diffusers")
    if getattr(pipe, "adapter", None) is not None:
        raise ModelError(
            f"got {name}, with a T2I-Adapter of its own; give the plain pipeline, and name it under controlnets"
        )
    second = getattr(pipe, "text_encoder_2", None)
    if getattr(pipe, "text_encoder", None) is None and second is not None:
        raise ModelError(f"got {name} without its first text encoder: {REFINER}")
    for part in ("text_encoder", "tokenizer"):
        if getattr(pipe, part, None) is None:
            raise ModelError(f"got {name} without {part}, expected a whole pipeline: prompts are encoded live")
    if not hasattr(pipe, "encode_prompt"):
        raise ModelError(f"got {name}, which encodes no prompts; {_BASE}")


def _check_unet(unet: Any, vae: Any, name: str) -> None:
    if "UNet2DConditionModel" not in _kinds(unet):
        raise ModelError(f"got {name} with a {type(unet).__name__}, expected a UNet2DConditionModel; {_BASE}")
    taken, given = unet.config.in_channels, unet.config.out_channels
    refuse_channels(taken, name, getattr(vae, "config", {}).get("latent_channels", 4))
    if given != taken:
        raise ModelError(f"got {name}, whose UNet gives {given} channels, expected {taken}; {_BASE}")
    for key, (known, advice) in _EXTRAS.items():
        value = unet.config.get(key)
        if value not in known:
            raise ModelError(f"got {name}, whose UNet has {key} {str(value)[:40]!r}, which the loop has not; {advice}")
    if getattr(unet, "encoder_hid_proj", None) is not None:
        raise ModelError(
            f"got {name} with an IP-Adapter of its own; pipe.unload_ip_adapter(), and name it under ip_adapters"
        )


def check_vae(vae: Any, pipe: Any, name: str) -> None:
    """Raise ModelError for an autoencoder whose latents are not those of the pipeline's UNet."""
    if not _kinds(vae) & set(_AUTOENCODERS):
        raise ModelError(f"got {name} with a {type(vae).__name__}, expected an AutoencoderKL or an AutoencoderTiny")
    config, channels = vae.config, pipe.unet.config.in_channels
    if config.get("latent_channels", 4) != channels:
        raise ModelError(
            f"got {name} with an autoencoder of {config.latent_channels} latent channels, its UNet takes {channels}; "
            f"use the autoencoder of its own family"
        )
    widths = config.get("block_out_channels") or config.get("encoder_block_out_channels")
    if widths is not None and 2 ** (len(widths) - 1) != int(pipe.vae_scale_factor):
        raise ModelError(
            f"got {name} with an autoencoder that scales by {2 ** (len(widths) - 1)}, expected {pipe.vae_scale_factor}"
        )
    scale, shift = config.get("scaling_factor", 1.0), config.get("shift_factor") or 0.0
    mean, std = config.get("latents_mean"), config.get("latents_std")
    if (mean is None) != (std is None):
        raise ModelError(f"got {name}, whose autoencoder has only one of latents_mean and latents_std, expected both")
    numbers = [scale, shift, *(mean or ()), *(std or ())]
    if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
        raise ModelError(f"got {name}, whose autoencoder scales its latents by {numbers}, expected finite numbers")
    if scale <= 0 or min(std or (1,)) <= 0 or any(len(each) != channels for each in (mean, std) if each is not None):
        raise ModelError(
            f"got {name}, whose autoencoder has scaling_factor {scale}, latents_mean {mean} and latents_std {std}; "
            f"expected a scale above 0, and {channels} means and deviations"
        )


def _check_controlnet(net: Any, unet: Any, name: str) -> None:
    kinds = _kinds(net)
    if "T2IAdapter" in kinds:
        return
    if not kinds & {"ControlNetModel", "ControlNetUnionModel"}:
        raise ModelError(
            f"got {name} with a {type(net).__name__}, expected a ControlNetModel, ControlNetUnionModel or T2IAdapter; "
            f"use the ControlNet of the one kind that you need, such as scribble or canny"
        )
    if net.config.get("conditioning_channels", 3) != 3:
        raise ModelError(f"got {name}, whose ControlNet takes {net.config.conditioning_channels} channels, expected 3")
    if net.config.cross_attention_dim != unet.config.cross_attention_dim:
        raise ModelError(
            f"got {name}, whose ControlNet has cross_attention_dim {net.config.cross_attention_dim}, its UNet "
            f"{unet.config.cross_attention_dim}; use one made for this base model"
        )


def _end_texts(pipe: Any) -> None:
    names = [name for name in ("tokenizer", "tokenizer_2") if getattr(pipe, name, None) is not None]
    parts = {name: copy.copy(getattr(pipe, name)) for name in names}
    encoders = {name: getattr(pipe, name, None) for name in ("text_encoder", "text_encoder_2")}
    fit_tokenizers({**parts, **encoders})
    for name, tokenizer in parts.items():
        if tokenizer.model_max_length != getattr(pipe, name).model_max_length:
            setattr(pipe, name, tokenizer)


def _kinds(part: Any) -> set[str]:
    return {kind.__name__ for kind in type(part).__mro__}
