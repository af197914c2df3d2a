"""What a training leaves: a model folder that appears whole, with the whole configuration beside the weights."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...stream.errors import ModelError
from ..quiet import quiet
from . import storage

if TYPE_CHECKING:
    from .config import TrainConfig
    from .task import Task

NOTES = "training.json"


def write_model(
    target: Path, task: Task, config: TrainConfig, step: int, seconds: float, earlier: Sequence[dict[str, Any]] = ()
) -> Path:
    """Write a task's model into ``target``, replacing what is there only when all is written. Raises ModelError.

    ``earlier`` are settings that were others in the beginning, as the loop keeps them.
    """
    try:
        with storage.whole(target) as folder, quiet():
            task.write(folder)
            (folder / NOTES).write_text(json.dumps(notes(config, step, seconds, earlier), indent=2) + "\n", "utf-8")
    except OSError as error:
        raise ModelError(
            f"{target}: the model cannot be written: {error.strerror or error}; free some space, then --resume latest"
        ) from error
    return target


def notes(config: TrainConfig, step: int, seconds: float, earlier: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """What made a model: the whole configuration, what of it was other before, how long, and with what."""
    return {
        "inkstream": version("inkstream"),
        "torch": version("torch"),
        "diffusers": version("diffusers"),
        "python": platform.python_version(),
        "kind": type(config).__name__.removesuffix("Config").lower(),
        "steps": step,
        "minutes": round(seconds / 60, 2),
        "samples": step * config.gradient_accumulation_steps * config.train_batch_size,
        "configuration": config.model_dump(mode="json"),
        **({"earlier": list(earlier)} if earlier else {}),
    }
