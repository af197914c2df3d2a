"""Pipelines from folders, hub ids and single files: safetensors only, and nothing of a model is ever run as code.

What diffusers and transformers read is checked before (``safety``), the result is checked after.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

from ..models import embedded
from ..stream.base.config import StreamConfig
from ..stream.base.errors import InkstreamError, ModelError
from ..stream.base.progress import Progress, silent
from ..stream.base.quiet import quiet
from . import hub
from .describe import FAMILY_NAMES, file_family, file_prediction, unet_family
from .devices import resolve_device, resolve_dtype
from .parts import INCOMPLETE, MAX_CONTROLNETS, load_part, load_parts, read_index
from .registry import CONFIGS, PRESETS, TINY_VAE
from .safety import check_folder, check_safetensors, read_config, refuse_pickle


def load_pipeline(model: str | Path, config: StreamConfig, progress: Progress | None = None) -> Any:
    """Load a Stable Diffusion 1.x, 2.x or SDXL pipeline of diffusers, ready for inference.

    ``model`` is the name of an embedded model or a preset, a folder in diffusers layout, a single ``.safetensors``
    file, or a hub id, which is downloaded when it is not in the cache. ControlNets are those of ``config.controlnets``
    in order (``model_id`` None: the model's own next one); an empty list keeps all of the model's own. LoRAs are not
    loaded here. All networks are in evaluation mode without gradients, on ``resolve_device(config)`` in
    ``resolve_dtype(config, device)``; only SDXL's large autoencoder stays in float32 where that is float16, whose range
    it exceeds. ``progress(text, part in [0, 1] or None)`` is told what is being done.

    Raises UnsafeWeightsError for any format or folder that can carry code, ModelError when the model is missing, cannot
    be downloaded, is damaged, of another kind, too large for the memory, or does not fit its ControlNets.
    """
    device = resolve_device(config)
    dtype = resolve_dtype(config, device)
    say = progress or silent
    with quiet(), _named_faults(str(model)):
        place = locate(model, say)
        if place.is_dir():
            own = sum(net.model_id is None for net in config.controlnets) if config.controlnets else MAX_CONTROLNETS
            parts = load_parts(place, dtype, config.use_tiny_vae, own, say)
        else:
            parts = _load_file(place, dtype, say)
        if config.use_tiny_vae and (config.vae_id or not _is_tiny(parts["vae"])):
            parts["vae"] = _load_tiny_vae(config.vae_id or TINY_VAE[unet_family(parts["unet"].config)], dtype, say)
        nets = _choose_controlnets(config, parts.pop("controlnet"), parts["unet"], dtype, say)
        pipe = _assemble(parts, nets)
        say("moving to the device", None)
        _settle(pipe, device)
    return pipe


_loaded_from: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


def loaded_from(controlnet: Any) -> str | None:
    """The ``model_id`` that a ControlNet was loaded by; None where a model brought it, or another program loaded it."""
    return _loaded_from.get(controlnet)


def load_controlnet(model_id: str | Path, pipe: Any) -> Any:
    """Load a ControlNet (folder, hub id or single ``.safetensors`` file) for a pipeline, on its device and precision.

    Raises ModelError when it is missing or was made for another base model, UnsafeWeightsError like ``load_pipeline``.
    """
    with quiet(), _named_faults(str(model_id)):
        net = _read_controlnet(model_id, pipe.unet, pipe.unet.dtype, silent)
        _settle_network(net, str(model_id), pipe.unet.device)
    _loaded_from[net] = str(model_id)
    return net


def locate(model: str | Path, progress: Progress | None = None) -> Path:
    """The folder or .safetensors file that a model's name stands for; downloads a hub id that is not in the cache."""
    text = str(model)
    if text in embedded():
        return embedded()[text]
    path = Path(text).expanduser()
    if path.exists():
        return path
    refuse_pickle(text)
    if text in PRESETS:
        text = PRESETS[text].model
    if not hub.is_repo_id(text.partition(":")[0]) or (text.endswith(".safetensors") and ":" not in text):
        names = ", ".join([*embedded(), *PRESETS])
        raise ModelError(f"{text}: no such folder or file; expected one, a hub id (owner/name), or one of: {names}")
    repo_id, file = hub.split_file(text)
    if file:
        refuse_pickle(file)
        return hub.fetch_file(repo_id, file, progress)
    found = hub.cached(repo_id)
    return found if found is not None and _is_complete(found) else hub.fetch_folder(repo_id, progress)


def _is_complete(folder: Path) -> bool:
    """Whether a folder of the cache has weights for each of its parts, so that its download was not broken off."""
    places = [folder]
    if (folder / "model_index.json").is_file():
        classes, _ = read_index(folder)
        places = [folder / name for name in ("unet", "vae", "text_encoder", "text_encoder_2") if name in classes]
    return all(any(place.glob("*.safetensors")) for place in places)


def _load_file(path: Path, dtype: torch.dtype, say: Progress) -> dict[str, Any]:
    """The parts of a single-file checkpoint; its configurations and tokenizers come from the family's base model."""
    import diffusers

    header = check_safetensors(path)
    family = file_family(path, header)
    source = CONFIGS[family]
    say(f"loading {path.name}, {FAMILY_NAMES[family]}", None)
    configs = hub.cached(source)
    if configs is None or not (configs / "tokenizer").is_dir():
        configs = hub.fetch_folder(source, say, configs_only=True)
    check_folder(configs)
    _, settings = read_index(configs)
    kind = diffusers.StableDiffusionXLPipeline if family == "sdxl" else diffusers.StableDiffusionPipeline
    without = {"safety_checker": None, "feature_extractor": None, "image_encoder": None}
    if family == "sdxl":
        del without["safety_checker"]
    pipe = kind.from_single_file(
        str(path), config=str(configs), torch_dtype=dtype, local_files_only=True, use_safetensors=True, **without
    )
    prediction = file_prediction(header)
    if prediction is not None:
        pipe.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config, prediction_type=prediction)
    parts = {name: part for name, part in pipe.components.items() if name not in without}
    return {**parts, "controlnet": [], "settings": settings}


def _is_tiny(vae: Any) -> bool:
    return type(vae).__name__ == "AutoencoderTiny"


def _load_tiny_vae(vae_id: str, dtype: torch.dtype, say: Progress) -> Any:
    """TAESD (Ollin Boer Bohan, https://github.com/madebyollin/taesd): some quality against most of the time."""
    from diffusers import AutoencoderTiny

    say(f"loading {vae_id}", None)
    try:
        folder = locate(vae_id, say)
        check_folder(folder)
        return load_part(AutoencoderTiny, folder, dtype)
    except ModelError as error:
        raise type(error)(f"{error}; or set use_tiny_vae: false, to use the model's own autoencoder") from error


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
    from diffusers import ControlNetModel

    say(f"loading {model_id}", None)
    place = locate(model_id, say)
    if place.is_file():
        return _read_controlnet_file(place, unet, dtype)
    if (place / "model_index.json").is_file():  # a whole pipeline, of which its first ControlNet is meant
        place = place / "controlnet"
    check_folder(place)
    config = read_config(place / "config.json")
    _check_fit(str(model_id), "cross_attention_dim", config.get("cross_attention_dim"), unet)
    _check_fit(str(model_id), "block_out_channels", config.get("block_out_channels"), unet)
    return load_part(ControlNetModel, place, dtype)


def _read_controlnet_file(path: Path, unet: Any, dtype: torch.dtype) -> Any:
    """A ControlNet in one file. Without a configuration beside it, it has the shape of the base model's encoder."""
    from diffusers import ControlNetModel

    names = check_safetensors(path).tensors
    inner = [name for name in names if name.endswith("attn2.to_k.weight")]
    if not inner or not any("input_hint_block.0" in name or "controlnet_cond_embedding" in name for name in names):
        raise ModelError(f"{path}: this is no ControlNet, expected one for {FAMILY_NAMES[unet_family(unet.config)]}")
    _check_fit(str(path), "cross_attention_dim", names[inner[0]][1][1], unet)
    if (path.parent / "config.json").is_file():
        read_config(path.parent / "config.json")
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
    vae = pipe.vae
    if vae.dtype == torch.float16 and not _is_tiny(vae) and unet_family(pipe.unet.config) == "sdxl":
        vae.to(torch.float32)
    for name, part in pipe.components.items():
        if isinstance(part, nn.Module):
            _settle_network(part, name, device)
    pipe.set_progress_bar_config(disable=True)


def _settle_network(network: nn.Module, name: str, device: torch.device) -> None:
    network.to(device).eval().requires_grad_(False)
    for key, value in network.named_parameters():
        if not torch.isfinite(value).all():
            raise ModelError(f"{name}: {key} holds NaN or infinity; the file is damaged, fetch it again")


@contextmanager
def _named_faults(name: str) -> Iterator[None]:
    """Turn what the libraries underneath raise, which can be anything, into a ModelError that names the model."""
    try:
        yield
    except InkstreamError:
        raise
    except torch.OutOfMemoryError as error:
        raise ModelError(
            f"{name}: it does not fit into the device's memory; use a smaller model, or dtype: float16"
        ) from error
    except Exception as error:
        if isinstance(error, NotImplementedError) and "meta tensor" in str(error):
            raise ModelError(f"{name}: {INCOMPLETE}") from error
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"{name}: cannot be loaded: {type(error).__name__}: {reason}") from error
