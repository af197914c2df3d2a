"""Single-file checkpoints, in the layout of the original code: weights only, with the rest from the family's base."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch

from ..stream.base.errors import ModelError
from ..stream.base.progress import Progress
from . import hub
from .declared import check_sizes
from .describe import FAMILY_NAMES, file_family
from .parts import NO_VAE, OwnVae, load_scheduler, read_index
from .prediction import find_parameterisation, scheduler_with
from .registry import CONFIGS
from .safety import check_folder, check_safetensors, read_config, refuse_quantised
from .tokens import fit_tokenizers, load_tokenizer

log = logging.getLogger(__name__)
_VAE = "first_stage_model."


def load_file(path: Path, dtype: torch.dtype, own_vae: OwnVae, say: Progress) -> dict[str, Any]:
    """The parts of a single-file checkpoint; its configurations and tokenizers come from the family's base model.

    ``vae`` is None unless ``own_vae`` is "any", as none of these files holds a tiny one. Raises ModelError for a file
    that is damaged, of another kind, or lacks something.
    """
    import diffusers

    header = check_safetensors(path)
    family = file_family(path, header)
    parts = (_VAE, "model.diffusion_model.", "cond_stage_model.", "conditioner.", "scaled_fp8")
    refuse_quantised({name: each for name, each in header.tensors.items() if name.startswith(parts)}, path)
    found = find_parameterisation(path, header, family)
    if own_vae == "any" and not any(name.startswith(_VAE) for name in header.tensors):
        raise ModelError(f"{path}: {NO_VAE}")
    log.log(
        logging.INFO if found.sure or family != "sd2" else logging.WARNING,
        "%s: taken to predict %s, %s; if its colours are wrong, set prediction_type",
        *(path.name, found.prediction, found.why),
    )
    say(f"loading {path.name}, {FAMILY_NAMES[family]}, {found.prediction}", None)
    source = CONFIGS[family]
    configs = hub.cached(source)
    if configs is None or not (configs / "tokenizer").is_dir():
        configs = hub.fetch_folder(source, say, configs_only=True)
    check_folder(configs)
    classes, settings = read_index(configs)
    for name in ("unet", "vae", "text_encoder", "text_encoder_2"):
        if name in classes:
            check_sizes(read_config(configs / name / "config.json"), configs / name, len(header.tensors))
    scheduler = load_scheduler(getattr(diffusers, classes["scheduler"]), configs / "scheduler")
    given: dict[str, Any] = {"scheduler": scheduler_with(scheduler, found.prediction, found.zero_snr)}
    given |= {name: load_tokenizer(configs / name) for name in ("tokenizer", "tokenizer_2") if name in classes}
    without = ["feature_extractor", "image_encoder", *(["safety_checker"] if family != "sdxl" else [])]
    without += [] if own_vae == "any" else ["vae"]
    kind = diffusers.StableDiffusionXLPipeline if family == "sdxl" else diffusers.StableDiffusionPipeline
    pipe: Any = kind.from_single_file(
        str(path),
        config=str(configs),
        torch_dtype=dtype,
        local_files_only=True,
        use_safetensors=True,
        **given,
        **dict.fromkeys(without),
    )
    parts = {name: part for name, part in pipe.components.items() if name not in without}
    fit_tokenizers(parts)
    return {"vae": None, **parts, "controlnet": [], "settings": settings}
