"""Pipelines from folders, hub ids and single files: safetensors only, and nothing of a model is ever run as code.

What diffusers and transformers read is checked before (``safety``), the result is checked after.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

from ..stream.base.config import StreamConfig
from ..stream.base.errors import InkstreamError, ModelError
from ..stream.base.progress import Progress, silent
from ..stream.base.quiet import quiet
from .declared import check_sizes
from .describe import FAMILY_NAMES, Family, unet_family
from .devices import resolve_device, resolve_dtype
from .parts import INCOMPLETE, MAX_CONTROLNETS, OwnVae, load_part, load_parts
from .places import locate
from .prediction import scheduler_with
from .registry import PRESETS, TINY_VAE
from .safety import check_folder, check_safetensors, read_config, refuse_quantised
from .singlefile import load_file
from .trial import try_controlnet, try_networks

log = logging.getLogger(__name__)


def load_pipeline(model: str | Path, config: StreamConfig, progress: Progress | None = None) -> Any:
    """Load a Stable Diffusion 1.x, 2.x or SDXL pipeline of diffusers, ready for inference.

    ``model`` is the name of an embedded model or a preset, a folder in diffusers layout, a single ``.safetensors``
    file, or a hub id, which is downloaded when it is not in the cache. ControlNets are those of ``config.controlnets``
    in order (``model_id`` None: the model's own next one); an empty list keeps all of the model's own. LoRAs are not
    loaded here. All networks are in evaluation mode without gradients, on ``resolve_device(config)`` in
    ``resolve_dtype(config, device)``. ``progress(text, part in [0, 1] or None)`` is told what is being done.

    Raises UnsafeWeightsError for any format or folder that can carry code, ModelError when the model is missing, cannot
    be downloaded, is damaged, of another kind, too large for the memory, or does not fit its ControlNets.
    """
    device = resolve_device(config)
    dtype = resolve_dtype(config, device)
    say = progress or silent
    with quiet(), named_faults(str(model)):
        place = locate(model, say)
        own_vae: OwnVae = "none" if config.vae_id else "tiny" if config.use_tiny_vae else "any"
        if place.is_dir():
            own = sum(net.model_id is None for net in config.controlnets) if config.controlnets else MAX_CONTROLNETS
            parts = load_parts(place, dtype, own_vae, own, say)
        else:
            parts = load_file(place, dtype, own_vae, say)
        if parts["vae"] is None:
            parts["vae"] = read_vae(config.vae_id, unet_family(parts["unet"].config), dtype, say)
        if config.prediction_type != "auto":
            parts["scheduler"] = scheduler_with(parts["scheduler"], config.prediction_type)
        nets = _choose_controlnets(config, parts.pop("controlnet"), parts["unet"], dtype, say)
        pipe = _assemble(parts, nets)
        pipe.register_to_config(_name_or_path=str(model))  # as diffusers does; pictures say what they were made with
        say("moving to the device", None)
        _settle(pipe, device)
        try_networks(pipe, nets)
    return pipe


_loaded_from: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


def loaded_from(controlnet: Any) -> str | None:
    """The ``model_id`` that a ControlNet was loaded by; None where a model brought it, or another program loaded it."""
    return _loaded_from.get(controlnet)


def load_controlnet(model_id: str | Path, pipe: Any) -> Any:
    """Load a ControlNet (folder, hub id or single ``.safetensors`` file), a ControlNet-Union or a T2I-Adapter (folder
    or hub id) for a pipeline, on its device and precision.

    Raises ModelError when it is missing or was made for another base model, UnsafeWeightsError like ``load_pipeline``.
    """
    with quiet(), named_faults(str(model_id)):
        net = _read_controlnet(model_id, pipe.unet, pipe.unet.dtype, silent)
        settle_network(net, str(model_id), pipe.unet.device)
        try_controlnet(net, pipe)
    _loaded_from[net] = str(model_id)
    return net


def load_vae(vae_id: str | None, pipe: Any) -> Any:
    """Load another autoencoder for a pipeline, on its device and in its precision: a folder or a hub id in diffusers
    layout, of an AutoencoderTiny or an AutoencoderKL. None: the tiny one of its family.

    Raises ModelError when it is missing, or has other latents than the pipeline's UNet.
    """
    with quiet(), named_faults(vae_id or "vae"):
        vae = read_vae(vae_id, unet_family(pipe.unet.config), pipe.unet.dtype, silent)
        settle_network(vae, vae_id or "vae", pipe.unet.device)
    return vae


def read_vae(vae_id: str | None, family: Family, dtype: torch.dtype, say: Progress) -> Any:
    """The autoencoder of that name on the CPU, or a family's own TAESD (Ollin Boer Bohan,
    https://github.com/madebyollin/taesd): some quality against most of the time."""
    import diffusers

    name = vae_id or TINY_VAE[family]
    say(f"loading {name}", None)
    try:
        place = locate(name, say)
        if place.is_file():
            raise ModelError(f"{name}: got a file, expected the folder or hub id of an autoencoder in diffusers layout")
        if (place / "model_index.json").is_file():  # a whole pipeline, of which its autoencoder is meant
            place = place / "vae"
        check_folder(place)
        kind = read_config(place / "config.json").get("_class_name")
        if kind not in ("AutoencoderTiny", "AutoencoderKL"):
            raise ModelError(f"{name}: got a {str(kind)[:60]}, expected an AutoencoderTiny or an AutoencoderKL")
        vae: Any = load_part(getattr(diffusers, kind), place, dtype)
    except ModelError as error:
        advice = "leave vae_id out" if vae_id else "set use_tiny_vae: false, to use the model's own autoencoder"
        raise type(error)(f"{error}; or {advice}") from error
    vae.register_to_config(_name_or_path=name)
    return vae


def _choose_controlnets(
    config: StreamConfig, own: list[Any], unet: Any, dtype: torch.dtype, say: Progress
) -> list[Any]:
    if not config.controlnets:
        return own
    chosen, loaded, left = [], {}, list(own)
    for index, entry in enumerate(config.controlnets):
        if entry.model_id is None and not left:
            raise ModelError(
                f"controlnets.{index}.model_id: not set, and the model brings {len(own)} ControlNets of its own; "
                f"name a folder or hub id, for example {PRESETS['sd15-lcm'].parts[2]}"
            )
        if entry.model_id is None:
            chosen.append(left.pop(0))
            continue
        if entry.model_id not in loaded:
            net = loaded[entry.model_id] = _read_controlnet(entry.model_id, unet, dtype, say)
            _loaded_from[net] = entry.model_id
        chosen.append(loaded[entry.model_id])
    return chosen


def _read_controlnet(model_id: str | Path, unet: Any, dtype: torch.dtype, say: Progress) -> Any:
    from diffusers import ControlNetModel, ControlNetUnionModel, T2IAdapter

    say(f"loading {model_id}", None)
    place = locate(model_id, say)
    if place.is_file():
        return _read_controlnet_file(place, unet, dtype)
    if (place / "model_index.json").is_file():  # a whole pipeline, of which its first ControlNet is meant
        place = place / "controlnet"
    check_folder(place)
    config = read_config(place / "config.json")
    kind = config.get("_class_name")
    if kind == "T2IAdapter":
        return load_part(T2IAdapter, place, dtype)
    _check_fit(str(model_id), "cross_attention_dim", config.get("cross_attention_dim"), unet)
    _check_fit(str(model_id), "block_out_channels", config.get("block_out_channels"), unet)
    return load_part(ControlNetUnionModel if kind == "ControlNetUnionModel" else ControlNetModel, place, dtype)


def _read_controlnet_file(path: Path, unet: Any, dtype: torch.dtype) -> Any:
    """A ControlNet in one file. Without a configuration beside it, it has the shape of the base model's encoder."""
    from diffusers import ControlNetModel

    names = check_safetensors(path).tensors
    inner = [name for name in names if name.endswith("attn2.to_k.weight")]
    if not inner or not any("input_hint_block.0" in name or "controlnet_cond_embedding" in name for name in names):
        raise ModelError(f"{path}: this is no ControlNet, expected one for {FAMILY_NAMES[unet_family(unet.config)]}")
    _check_fit(str(path), "cross_attention_dim", names[inner[0]][1][1], unet)
    refuse_quantised(names, path)
    if (path.parent / "config.json").is_file():
        check_sizes(read_config(path.parent / "config.json"), path.parent / "config.json", len(names))
        return ControlNetModel.from_single_file(
            str(path), config=str(path.parent), torch_dtype=dtype, local_files_only=True
        )
    hint = [f"controlnet_cond_embedding.{layer}.weight" for layer in ("conv_in", "blocks.1", "blocks.3", "blocks.5")]
    widths = tuple(names[name][1][0] for name in hint) if all(name in names for name in hint) else (16, 32, 96, 256)
    with torch.device("meta"):
        shape = ControlNetModel.from_unet(
            unet, conditioning_embedding_out_channels=widths, load_weights_from_unet=False
        )
    with TemporaryDirectory() as folder:
        shape.save_config(folder)
        return ControlNetModel.from_single_file(str(path), config=folder, torch_dtype=dtype, local_files_only=True)


def _check_fit(name: str, key: str, got: Any, unet: Any) -> None:
    wanted = unet.config[key]
    if (list(got) if isinstance(got, list | tuple) else got) != (list(wanted) if isinstance(wanted, tuple) else wanted):
        raise ModelError(
            f"{name}: got a ControlNet with {key} {got}, the model has {wanted}; it was made for another base model: "
            f"choose one for {FAMILY_NAMES[unet_family(unet.config)]}"
        )


def _assemble(parts: dict[str, Any], controlnets: list[Any]) -> Any:
    import diffusers

    settings = parts.pop("settings")
    sdxl = unet_family(parts["unet"].config) == "sdxl"
    kind = f"StableDiffusion{'XL' if sdxl else ''}{'ControlNet' if controlnets else ''}Pipeline"
    if sdxl:
        empty = settings.get("force_zeros_for_empty_prompt", True)
        parts |= {"force_zeros_for_empty_prompt": empty, "add_watermarker": False}
    else:
        parts |= {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    if controlnets:
        parts["controlnet"] = controlnets if len(controlnets) > 1 else controlnets[0]
    return getattr(diffusers, kind)(**parts)


def _settle(pipe: Any, device: torch.device) -> None:
    for name, part in pipe.components.items():
        if isinstance(part, nn.Module):
            settle_network(part, name, device)
    pipe.set_progress_bar_config(disable=True)


def settle_network(network: nn.Module, name: str, device: torch.device) -> None:
    """Put a network on its device, ready for inference. Raises ModelError for a weight that is no finite number."""
    network.to(device).eval().requires_grad_(False)
    for key, value in network.named_parameters():
        if not torch.isfinite(value).all():
            raise ModelError(f"{name}: {key} holds NaN or infinity; the file is damaged, fetch it again")


@contextmanager
def named_faults(name: str) -> Iterator[None]:
    """Turn what the libraries underneath raise, which can be anything, into a ModelError that names the model."""
    try:
        yield
    except InkstreamError:
        raise
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise ModelError(
            f"{name}: it does not fit into the device's memory; use a smaller model, or dtype: float16"
        ) from error
    except Exception as error:
        if isinstance(error, NotImplementedError) and "meta tensor" in str(error):
            raise ModelError(f"{name}: {INCOMPLETE}") from error
        if isinstance(error, OSError) and error.strerror:
            raise ModelError(f"{name}: {error.filename or 'a file of it'} cannot be read: {error.strerror}") from error
        log.debug("%s", name, exc_info=True)
        raise ModelError(
            f"{name}: cannot be loaded: diffusers refuses it ({type(error).__name__}), expected a model as it saves "
            f"them; fetch it again, --debug shows the reason"
        ) from error
