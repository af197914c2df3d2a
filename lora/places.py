"""Where a model lies that somebody names: embedded, a preset, a folder, a file, or a hub id."""

from __future__ import annotations

from pathlib import Path

from ..models import embedded
from ..stream.base.errors import ModelError
from ..stream.base.names import did_you_mean
from ..stream.base.progress import Progress
from . import hub
from .parts import read_index
from .registry import PRESETS
from .safety import refuse_pickle

LONGEST = 1000  # characters of a name
MOST = 10_000  # entries of a folder among which a misspelt name is looked for


def locate(model: str | Path, progress: Progress | None = None) -> Path:
    """The folder or .safetensors file that a model's name stands for; downloads a hub id that is not in the cache.

    Raises ModelError for a name that stands for nothing, with the one that is most like it, UnsafeWeightsError for that
    of a format that can carry code, and like ``hub.fetch_folder``.
    """
    text = str(model)
    if text in embedded():
        return embedded()[text]
    path = _existing(text)
    if path is not None:
        return path
    refuse_pickle(text)
    if text in PRESETS:
        text = PRESETS[text].model
    if not hub.is_repo_id(text.partition(":")[0]) or (text.endswith(".safetensors") and ":" not in text):
        names = [*embedded(), *PRESETS]
        hint = did_you_mean(text, [*_beside(text), *names])
        raise ModelError(
            f"{text}: no such folder or file{hint or '; expected one, a hub id (owner/name), or one of: '}"
            f"{'' if hint else ', '.join(names)}"
        )
    repo_id, file = hub.split_file(text)
    if file:
        refuse_pickle(file)
        return hub.fetch_file(repo_id, file, progress)
    found = hub.cached(repo_id)
    if found is not None and _is_complete(found):
        return found
    try:
        return hub.fetch_folder(repo_id, progress)
    except ModelError as error:
        hint = did_you_mean(text, _beside(text))
        raise (type(error)(f"{error}. There is no folder {text} either{hint}") if hint else error) from error


def _existing(text: str) -> Path | None:
    """What lies there, if anything does. Raises ModelError for what cannot be the name of a file."""
    if not text or len(text) > LONGEST or "\0" in text:
        raise ModelError(f"got a name of {len(text)} characters for a model, expected a folder, a file or a hub id")
    try:
        path = Path(text).expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError) as error:  # too long for a file, not to be looked into, or nobody's home
        reason = error.strerror if isinstance(error, OSError) else "there is no such user"
        raise ModelError(f"{text[:200]}: {reason}; expected a folder, a file or a hub id") from error


def _beside(text: str) -> list[str]:
    """What might have been meant by the name of a folder or a file that is not there, as it would be written."""
    parent = Path(text).expanduser().parent
    try:
        found = [entry for entry, _ in zip(parent.iterdir(), range(MOST), strict=False)]
        models = [entry.name for entry in found if entry.suffix == ".safetensors" or entry.is_dir()]
    except OSError:
        return []
    start = text[: len(text.rstrip("/")) - len(Path(text).name)]
    return [start + name for name in models]


def _is_complete(folder: Path) -> bool:
    """Whether a folder of the cache has weights for each of its parts, so that its download was not broken off."""
    places = [folder]
    if (folder / "model_index.json").is_file():
        classes, _ = read_index(folder)
        places = [folder / name for name in ("unet", "vae", "text_encoder", "text_encoder_2") if name in classes]
    return all(any(place.glob("*.safetensors")) for place in places)
