"""What a training leaves: a model folder that appears whole, with the whole configuration beside the weights."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from ...stream.base.errors import ModelError
from ...stream.base.files import regular_file, write_json
from ...stream.base.folders import replacing_folder
from ...stream.base.plain import reason
from ...stream.base.quiet import quiet
from .kinds import name_of

if TYPE_CHECKING:
    from .config import TrainConfig
    from .task import Task

MODEL, NOTES, RECIPE = "model", "training.json", "recipe.json"


def write_model(
    target: Path, task: Task, config: TrainConfig, step: int, seconds: float, earlier: Sequence[dict[str, Any]] = ()
) -> Path:
    """Write a task's model into ``target``, replacing what is there only when all is written.

    ``earlier`` are settings that were others in the beginning, as the loop keeps them. Raises ModelError, and then what
    was there before stays.
    """
    with model_folder(target) as folder, quiet():
        task.write(folder)
        write_json(folder / NOTES, notes(config, step, seconds, earlier))
    return target


@contextmanager
def model_folder(target: Path) -> Iterator[Path]:
    """A folder to write a model into, see ``replacing_folder``. Raises ModelError where the disk does not take it."""
    try:
        with replacing_folder(target) as folder:
            yield folder
    except (OSError, SafetensorError) as error:  # that of safetensors stands for a full disk, too
        raise ModelError(f"{target}: the model cannot be written: {reason(error)}") from error


def notes(config: TrainConfig, step: int, seconds: float, earlier: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """What made a model: the whole configuration, what of it was other before, how long, and with what."""
    return {
        "inkstream": version("inkstream"),
        "torch": version("torch"),
        "diffusers": version("diffusers"),
        "python": platform.python_version(),
        "kind": name_of(config),
        "steps": step,
        "minutes": round(seconds / 60, 2),
        "samples": step * config.gradient_accumulation_steps * config.train_batch_size,
        "configuration": config.model_dump(mode="json"),
        **({"earlier": list(earlier)} if earlier else {}),
        **({"began_from": began} if (began := _beginning(config)) else {}),
    }


def _beginning(config: TrainConfig) -> dict[str, Any] | None:
    """What made the weights that a training begins from, where their folder says it."""
    folder, kind = Path(str(getattr(config, "init", None) or "")), name_of(config)
    if not folder.is_dir() or folder == Path():
        return None
    found = _read(folder / NOTES)
    if found is None:
        parts = (_read(folder / RECIPE) or {}).get("parts", {})
        # Of a whole model: a decoder's training comes last, and changed what the autoencoder's left.
        found = next(
            (parts[name] for name in ("finish", "decoder", kind) if parts.get(name, {}).get("kind") == kind), None
        )
    return found if found and found.get("kind") == kind else None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(regular_file(path).read_text("utf-8"))
    except (OSError, ValueError):  # notes are for people: weights without them are as good
        return None
    return found if isinstance(found, dict) else None
