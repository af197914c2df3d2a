"""Models from the Hugging Face Hub: only the files that are needed, only safetensors, and named errors.

Written against the documentation of huggingface_hub 1.0 to 2.4; a real download is not part of the tests, which put a
fake in its place.
"""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from ..stream.base.errors import ModelError, UnsafeWeightsError
from ..stream.base.progress import Progress, silent
from .safety import CONVERT, PICKLES

_REPO = r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}"
_CONFIGS = re.compile(
    r"(model_index|vocabulary|(.+/)?config|scheduler/scheduler_config|(.+/)?[\w.-]+\.safetensors\.index(\.fp16)?"
    r"|tokenizer(_2)?/(vocab|tokenizer|tokenizer_config|special_tokens_map))\.json|tokenizer(_2)?/merges\.txt"
)
_PARTS = ("", "unet/", "vae/", "text_encoder/", "text_encoder_2/", "controlnet/", "controlnet_1/", "controlnet_2/")
_WEIGHTS = re.compile(r"(diffusion_pytorch_model|model)(\.fp16)?(-\d{5}-of-\d{5})?(\.fp16)?\.safetensors")
LORA_FILE = "pytorch_lora_weights.safetensors"
PEFT_FILE, PEFT_CONFIG = "adapter_model.safetensors", "adapter_config.json"  # which has what PEFT's tensors do not say
ENCODER_FILE = "model.safetensors"  # of a network of transformers in a folder of its own
_BESIDE = {PEFT_FILE: PEFT_CONFIG, ENCODER_FILE: "config.json"}


def is_repo_id(text: str) -> bool:
    """Whether a text has the form ``owner/name`` of a hub id."""
    return re.fullmatch(_REPO, text) is not None and ".." not in text


def split_file(text: str) -> tuple[str, str | None]:
    """Split ``owner/name`` or ``owner/name:file.safetensors`` into id and file; raises ModelError for anything else."""
    repo_id, _, file = text.partition(":")
    if not is_repo_id(repo_id) or ".." in file or file.startswith("/"):
        raise ModelError(f"got {text!r}, expected an existing path, owner/name, or owner/name:file.safetensors")
    return repo_id, file or None


def cached(repo_id: str, file: str | None = None) -> Path | None:
    """The folder (or the file) of a repository that is in the cache on this computer; None when it is not."""
    from huggingface_hub import try_to_load_from_cache

    for name in (file,) if file else ("model_index.json", "config.json", LORA_FILE):
        path = try_to_load_from_cache(repo_id, name)
        if isinstance(path, str):
            return Path(path) if file else Path(path).parent
    return None


def fetch_folder(repo_id: str, progress: Progress | None = None, configs_only: bool = False) -> Path:
    """Download what a model needs (fp16 where there is a choice), or find it in the cache; returns its folder.

    Raises ModelError when the hub cannot be reached, the repository is missing, locked or empty of weights, or the disk
    has no room; UnsafeWeightsError when the repository only holds weights that can carry code.
    """
    sizes = _list(repo_id)
    wanted = [name for name in sizes if _CONFIGS.fullmatch(name)] if configs_only else select_files(repo_id, sizes)
    return _download(repo_id, {name: sizes[name] for name in wanted}, progress)


def fetch_file(repo_id: str, file: str | None = None, progress: Progress | None = None) -> Path:
    """Download one .safetensors file of a repository, or find it in the cache; returns its path.

    Without a name it is the repository's LoRA, or its only .safetensors file. PEFT's settings come along with its file,
    and those of a network with ``model.safetensors``. Raises like ``fetch_folder``.
    """
    found = cached(repo_id, file or LORA_FILE)
    if found is not None:
        return found
    sizes = _list(repo_id)
    if file is None:
        choices = [name for name in sizes if name.endswith(".safetensors") and "/" not in name]
        if LORA_FILE in choices:
            choices = [LORA_FILE]
        if len(choices) != 1:
            listed = ", ".join(choices[:8]) or "none"
            raise ModelError(f"{repo_id}: got several or no .safetensors files ({listed}); name one: {repo_id}:FILE")
        file = choices[0]
    if file not in sizes:
        raise ModelError(f"{repo_id}: it has no file {file!r}; it has: {', '.join(sorted(sizes)[:12])}")
    beside = str(PurePosixPath(file).with_name(_BESIDE.get(PurePosixPath(file).name, PurePosixPath(file).name)))
    wanted = {name: sizes[name] for name in (file, beside) if name in sizes}
    return _download(repo_id, wanted, progress) / file


def select_files(repo_id: str, files: Iterable[str]) -> list[str]:
    """Choose what to download: configurations, tokenizers, and each part's safetensors, as fp16 where that is offered.

    Raises UnsafeWeightsError when a part has only weights that can carry code, ModelError when there are none at all.
    """
    files = list(files)
    wanted = [name for name in files if _CONFIGS.fullmatch(name)]
    found = False
    for part in _PARTS:
        inside = [name for name in files if name.startswith(part) and "/" not in name[len(part) :]]
        weights = [name for name in inside if _WEIGHTS.fullmatch(name[len(part) :])]
        half = [name for name in weights if ".fp16" in name]
        if not part and not weights:
            weights = [name for name in inside if name == LORA_FILE]
        found = found or bool(weights)
        wanted += half or weights
        pickles = [name for name in inside if Path(name).suffix in PICKLES]
        if pickles and not weights and f"{part}config.json" in inside:
            raise UnsafeWeightsError(f"{repo_id}: got only {pickles[0]} for one of its parts; {CONVERT}")
    if not found:
        raise ModelError(f"{repo_id}: no weights in diffusers layout there, expected unet/*.safetensors or the like")
    return wanted


def _list(repo_id: str) -> dict[str, int]:
    """The files of a repository with their sizes in bytes."""
    from huggingface_hub import HfApi

    try:
        info = HfApi().model_info(repo_id, files_metadata=True, timeout=10)
    except _hub_faults() as error:
        raise _named(repo_id, error) from None
    return {file.rfilename: file.size or 0 for file in info.siblings or []}


def _download(repo_id: str, sizes: dict[str, int], progress: Progress | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.constants import HF_HUB_CACHE

    missing = sum(size for name, size in sizes.items() if cached(repo_id, name) is None)
    room = next(
        shutil.disk_usage(path).free for path in (Path(HF_HUB_CACHE), *Path(HF_HUB_CACHE).parents) if path.exists()
    )
    if missing > room:
        raise ModelError(
            f"{repo_id}: needs {missing / 1e9:.1f} GB, {room / 1e9:.1f} GB are free in {HF_HUB_CACHE}; make room, or "
            "set HF_HUB_CACHE to a folder on a larger disk"
        )
    bars = _bars(f"fetching {repo_id}", missing, progress or silent)
    try:
        return Path(snapshot_download(repo_id, allow_patterns=[_literal(name) for name in sizes], tqdm_class=bars))
    except _hub_faults() as error:
        raise _named(repo_id, error) from None


def _literal(name: str) -> str:
    """A pattern that matches this name alone."""
    return re.sub(r"([*?\[])", r"[\1]", name)


def _hub_faults() -> tuple[type[Exception], ...]:
    """What a call of the hub's library may raise on purpose.

    The library changed its HTTP client twice, so its root error is taken from the library rather than by name.
    """
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    http = tuple(kind for kind in HfHubHTTPError.__mro__ if kind.__name__ in ("HTTPError", "RequestException"))
    return (*http, OSError, HFValidationError)


def _named(repo_id: str, error: Exception) -> ModelError:
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, RepositoryNotFoundError

    page = f"https://huggingface.co/{repo_id}"
    if isinstance(error, GatedRepoError):
        return ModelError(f"{repo_id}: its owner asks for consent: open {page}, agree, then log in with: hf auth login")
    if isinstance(error, RepositoryNotFoundError):
        return ModelError(
            f"{repo_id}: no such model; check the spelling at {page}, and if it is private: hf auth login"
        )
    if isinstance(error, HFValidationError):
        return ModelError(f"{repo_id}: not a hub id, expected owner/name")
    response = getattr(error, "response", None) if isinstance(error, HfHubHTTPError) else None
    if response is not None:
        return ModelError(
            f"{repo_id}: the hub answered {response.status_code}; try again later: inkstream models fetch {repo_id}"
        )
    if type(error).__name__ == "OfflineModeIsEnabled":
        return ModelError(
            f"{repo_id}: not on this computer, and HF_HUB_OFFLINE keeps the hub away; unset it, then run: "
            f"inkstream models fetch {repo_id}"
        )
    return ModelError(
        f"{repo_id}: not on this computer, and the hub cannot be reached ({type(error).__name__}). "
        f"Connect to the internet and run: inkstream models fetch {repo_id}"
    )


def _bars(text: str, total: int, progress: Progress) -> type[Any]:
    """A tqdm class that draws nothing and reports how much of ``total`` bytes is there."""
    from tqdm import tqdm

    class Bars(tqdm):
        monitor_interval = 0  # its watching thread would outlive the download

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            super().__init__(*args, **{**kwargs, "file": io.StringIO(), "disable": False})

        def display(self, *args: Any, **kwargs: Any) -> None:
            if self.unit == "B":  # the others count files
                progress(text, min(1.0, self.n / total) if total else None)

    return Bars
