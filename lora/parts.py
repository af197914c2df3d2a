"""The parts of a model folder in diffusers layout, each loaded by a class that is named here, not by the folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from ..stream.base.errors import ModelError
from ..stream.base.progress import Progress
from .declared import check_scheduler, check_sizes, text_settings, vision_settings
from .describe import REFINER, refuse_channels
from .safety import check_folder, find_weights, read_config, refuse_quantised
from .tokens import fit_tokenizers, load_tokenizer

PIPELINES = frozenset(
    f"{family}{kind}Pipeline"
    for family in ("StableDiffusion", "StableDiffusionXL")
    for kind in ("", "Img2Img", "ControlNet", "ControlNetImg2Img")
) | {"LatentConsistencyModelPipeline", "LatentConsistencyModelImg2ImgPipeline"}
# Part of a model -> (library, class) that it may be.
CLASSES = {
    "tokenizer": {("transformers", "CLIPTokenizer"), ("transformers", "CLIPTokenizerFast")},
    "tokenizer_2": {("transformers", "CLIPTokenizer"), ("transformers", "CLIPTokenizerFast")},
    "text_encoder": {("transformers", "CLIPTextModel"), ("transformers", "CLIPTextModelWithProjection")},
    "text_encoder_2": {("transformers", "CLIPTextModelWithProjection")},
    "unet": {("diffusers", "UNet2DConditionModel")},
    "vae": {("diffusers", "AutoencoderKL"), ("diffusers", "AutoencoderTiny")},
    "controlnet": {("diffusers", "ControlNetModel"), ("diffusers", "MultiControlNetModel")},
    # These are accepted and left on the disk: the loop has no use for them.
    "safety_checker": {("stable_diffusion", "StableDiffusionSafetyChecker")},
    "feature_extractor": {("transformers", "CLIPImageProcessor"), ("transformers", "CLIPFeatureExtractor")},
    "image_encoder": {("transformers", "CLIPVisionModelWithProjection")},
}
MAX_CONTROLNETS = 16
OwnVae = Literal["any", "tiny", "none"]
"""Whether a model's own autoencoder is wanted: in any case, only a tiny one, or not at all."""
NO_VAE = "it holds no autoencoder (VAE), expected one; set use_tiny_vae: true, or name one as vae_id"
INCOMPLETE = "weights are missing: the file is incomplete, or belongs to another kind of model; fetch it again"


def read_index(folder: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """The classes of a model's parts, and its plain settings.

    Raises ModelError when the index names a pipeline, a part or a class that is not known here, so that a model cannot
    have anything else imported; or when a part is missing that every model has.
    """
    path = folder / "model_index.json"
    if not path.is_file():
        raise ModelError(f"{folder}: no model_index.json, expected a pipeline in diffusers layout; {_meant(folder)}")
    index = read_config(path)
    kind = index.get("_class_name")
    if not isinstance(kind, str) or kind not in PIPELINES:
        raise ModelError(f"{folder}: got a pipeline of class {kind!r}, expected one of: {', '.join(sorted(PIPELINES))}")
    classes: dict[str, str] = {}
    settings: dict[str, Any] = {}
    for name, value in index.items():
        if name.startswith("_") or value in (None, [None, None]):
            continue
        if isinstance(value, bool | int | float | str):
            settings[name] = value
        elif isinstance(value, list) and len(value) == 2 and _is_known(name, *value):
            classes[name] = value[1]
        else:
            raise ModelError(f"{path}: got {name!r} of class {value}, which is not known here; expected a plain model")
    missing = {"unet", "text_encoder", "tokenizer", "scheduler"} - classes.keys()
    if "text_encoder" in missing and "text_encoder_2" in classes:
        raise ModelError(f"{folder}: {REFINER}")
    if missing:
        raise ModelError(f"{path}: it names no {', '.join(sorted(missing))}; expected a whole model")
    return classes, settings


def _meant(folder: Path) -> str:
    """What may have been meant by a folder that is no pipeline."""
    inner = sorted(path.parent.name for path in folder.glob("*/model_index.json"))
    files = sorted(path.name for path in folder.glob("*.safetensors"))
    if inner:
        return f"name one of those in it: {', '.join(inner[:8])}"
    if (folder.parent / "model_index.json").is_file():
        return f"it is a part of {folder.parent}: name that"
    if (folder / "config.json").is_file():
        return "it is a single part, a ControlNet or an autoencoder"
    return f"name one of the files in it: {', '.join(files[:8])}" if files else "check the path"


def _is_known(part: str, library: Any, name: Any) -> bool:
    import diffusers

    if part != "scheduler":
        return any((library, name) == known for known in CLASSES.get(part, ()))
    kind = getattr(diffusers, name, None) if library == "diffusers" and isinstance(name, str) else None
    return isinstance(kind, type) and issubclass(kind, diffusers.SchedulerMixin)


def load_parts(folder: Path, dtype: torch.dtype, own_vae: OwnVae, controlnets: int, say: Progress) -> dict[str, Any]:
    """Load a model's parts; ``controlnet`` is a list of at most ``controlnets``, ``settings`` are the pipeline's own.

    The vae is None where ``own_vae`` is "none", or "tiny" and it is not. Raises like ``load_part`` and ``read_index``.
    """
    import diffusers
    import transformers

    check_folder(folder)
    classes, settings = read_index(folder)
    parts: dict[str, Any] = {"settings": settings, "controlnet": [], "vae": None}
    jobs: list[tuple[str, Path]] = [
        (name, folder / name)
        for name in ("tokenizer", "tokenizer_2", "text_encoder", "text_encoder_2", "unet", "vae")
        if name in classes
    ]
    if own_vae == "any" and "vae" not in classes:
        raise ModelError(f"{folder}: {NO_VAE}")
    if own_vae == "none" or (own_vae == "tiny" and classes.get("vae") != "AutoencoderTiny"):
        jobs = [job for job in jobs if job[0] != "vae"]
    coder = folder / "vae" / "config.json"
    latent = read_config(coder).get("latent_channels", 4) if "vae" in classes and coder.is_file() else 4
    refuse_channels(read_config(folder / "unet" / "config.json").get("in_channels", 4), str(folder), latent)
    if "controlnet" in classes:
        places = [folder / "controlnet", *(folder / f"controlnet_{number}" for number in range(1, MAX_CONTROLNETS))]
        jobs += [("controlnet", place) for place in places if place.is_dir()][:controlnets]
    for step, (name, place) in enumerate(jobs):
        say(f"loading {place.name}", step / len(jobs))
        if name.startswith("tokenizer"):
            parts[name] = load_tokenizer(place)
        elif name == "controlnet":
            parts[name].append(load_part(diffusers.ControlNetModel, place, dtype))
        else:
            library = transformers if name.startswith("text_encoder") else diffusers
            parts[name] = load_part(getattr(library, classes[name]), place, dtype)
    parts["scheduler"] = load_scheduler(getattr(diffusers, classes["scheduler"]), folder / "scheduler")
    fit_tokenizers(parts)
    return parts


def load_scheduler(kind: Any, folder: Path) -> Any:
    """Load a scheduler (a class of diffusers) from its folder; raises ModelError."""
    path = folder / "scheduler_config.json"
    check_scheduler(read_config(path), path)
    return kind.from_pretrained(str(folder), local_files_only=True)


def load_part(kind: Any, folder: Path, dtype: torch.dtype) -> nn.Module:
    """Load one network (a diffusers or transformers class) from its folder, on the CPU in ``dtype``.

    Takes the fp16 files where there are some and half precision is wanted. Raises UnsafeWeightsError and ModelError
    like ``safety.find_weights``, and ModelError when the folder holds another class or weights are missing.
    """
    config = read_config(folder / "config.json")
    named = config.get("_class_name") or (config.get("architectures") or [kind.__name__])[0]
    if named != kind.__name__:
        raise ModelError(f"{folder}: got a {named}, expected a {kind.__name__}")
    weights = find_weights(folder, prefer_fp16=dtype != torch.float32)
    refuse_quantised(weights.tensors, folder)
    check_sizes(config, folder / "config.json", len(weights.tensors))
    # Both libraries take "torch_dtype"; transformers 5 prefers its new name and older diffusers only know the old one.
    if kind.__module__.startswith("diffusers"):
        more: dict[str, Any] = {"torch_dtype": dtype}
    else:
        settings = vision_settings if "Vision" in kind.__name__ else text_settings
        more = {"dtype": dtype, "config": kind.config_class(**settings(config))}
    network, report = kind.from_pretrained(
        str(folder),
        variant=weights.variant,
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
        **more,
    )
    missing = sorted(report.get("missing_keys", ()))
    if missing:
        raise ModelError(f"{folder}: {INCOMPLETE} ({len(missing)} missing, first: {missing[0]})")
    return network
