"""Styles that a model brings: small LoRAs in the folder ``styles`` of its own, known by their names alone.

``lora_dict: {night: 0.8}`` takes ``styles/night.safetensors`` of the model that runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

FOLDER = "styles"
SUFFIX = ".safetensors"


def model_folder(pipe: Any) -> Path | None:
    """The folder that a pipeline was loaded from, found by its tokenizer's; None where there is none on this disk."""
    place = getattr(getattr(pipe, "tokenizer", None), "name_or_path", "") or ""
    folder = Path(place).parent
    return folder if place and folder.is_dir() else None


def styles_in(folder: str | Path) -> dict[str, Path]:
    """Names of the styles in a model's folder, with their files, in order of name."""
    return {path.stem: path for path in sorted((Path(folder) / FOLDER).glob(f"*{SUFFIX}"))}


def styles_of(pipe: Any) -> dict[str, Path]:
    """Those of a loaded pipeline's model."""
    folder = model_folder(pipe)
    return {} if folder is None else styles_in(folder)
