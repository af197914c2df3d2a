"""The file that a name of small weights stands for: a path, a folder with one file, or a hub id."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ..stream.base.errors import ModelError
from . import hub
from .safety import refuse_pickle


def locate(source: str | Path, own: Mapping[str, Path] | None = None) -> Path:
    """The .safetensors file of a LoRA or an embedding; downloads one of a hub id that is not in the cache.

    ``source`` is a file, a folder with one, ``owner/name`` or ``owner/name:file.safetensors``. ``own`` are the styles
    that the model brings, by name; ``./night`` is a folder, whatever they are. Raises ModelError, and
    UnsafeWeightsError for the name of a format that can carry code.
    """
    text, own = str(source), own or {}
    if text in own:
        return own[text]
    path = Path(text).expanduser()
    if path.is_dir():
        choices = [path / hub.LORA_FILE] if (path / hub.LORA_FILE).is_file() else sorted(path.glob("*.safetensors"))
        if len(choices) != 1:
            raise ModelError(
                f"{path}: got a folder with {len(choices)} .safetensors files, expected one; name the file"
            )
        return choices[0]
    refuse_pickle(text)
    if path.exists():
        return path
    repo_id, _, file = text.partition(":")
    if not hub.is_repo_id(repo_id) or (text.endswith(".safetensors") and not file):
        named = f"a style of this model ({', '.join(own)}), " if own else ""
        raise ModelError(
            f"{text}: no such file; expected {named}a .safetensors file, owner/name, or owner/name:file.safetensors"
        )
    return hub.fetch_file(*hub.split_file(text))


def stem_of(source: str | Path) -> str:
    """What people call it: the last part of its name, without the ending."""
    repo_id, _, file = str(source).partition(":")
    return Path(file or repo_id).name.removesuffix(".safetensors")


def word_of(source: str | Path, kept: str = "") -> str:
    """The same as one word, of letters, digits, ``_`` and the characters of ``kept`` (a regular expression's set)."""
    return re.sub(rf"[^\w{kept}]+", "_", stem_of(source)).strip("_")
