"""Checkpoints: everything that a training is, so that one killed at any moment goes on as if nothing had been.

``OUTPUT/checkpoints/step-00001200/`` appears whole or not at all. A damaged one is passed over with a warning.
"""

from __future__ import annotations

import logging
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ...stream.base.errors import ConfigError, ModelError
from ...stream.base.folders import replacing_folder
from ...stream.base.plain import reason
from . import seeds, storage

if TYPE_CHECKING:
    from .loop import Loop

logger = logging.getLogger(__name__)
FOLDER = "checkpoints"
_NAME = re.compile(r"step-(\d{8,})")


class Checkpoints:
    """The checkpoints of one output folder, the newest ``limit`` of them."""

    def __init__(self, output: Path, limit: int = 3) -> None:
        self.folder, self.limit = output / FOLDER, limit

    def all(self) -> list[Path]:
        """Folders of the checkpoints, the oldest first."""
        if not self.folder.is_dir():
            return []
        found = [path for path in self.folder.iterdir() if _NAME.fullmatch(path.name) and path.is_dir()]
        return sorted(found, key=_step)

    def save(self, step: int, state: dict[str, Any]) -> Path | None:
        """Keep a state; gives None, after a warning, where the disk does not take it: what was there before stays."""
        target = self.folder / f"step-{step:08d}"
        try:
            with replacing_folder(target) as part:
                storage.write_tree(part, state)
        except OSError as error:
            kept = self.all()
            last = f"the last one is {kept[-1].name}" if kept else "there is none yet"
            logger.warning(
                "checkpoint of step %d not kept: %s; %s, training goes on; free some space",
                step,
                reason(error),
                last,
            )
            return None
        for old in self.all()[: -self.limit]:
            shutil.rmtree(old, ignore_errors=True)
        return target

    def load(self, which: str = "latest") -> tuple[Path, dict[str, Any]] | None:
        """(folder, state) of ``latest``, or of a checkpoint by path or name; None when there is none to take.

        Where the newest is damaged, the one before is taken, after a warning. Raises ConfigError when a named one is
        not there, ModelError when it, or all of them, are damaged.
        """
        if which != "latest":
            path = next((path for path in (self.folder / which, Path(which).expanduser()) if path.is_dir()), None)
            if path is None:
                names = ", ".join(path.name for path in self.all()) or "none"
                raise ConfigError(f"--resume: got {which!r}, expected latest or one of: {names}")
            return path, storage.read_tree(path)
        broken: list[ModelError] = []
        for path in reversed(self.all()):
            try:
                state = storage.read_tree(path)
            except ModelError as error:
                logger.warning("%s; the checkpoint before it is taken", error)
                broken.append(error)
                continue
            return path, state
        if broken:
            raise ModelError(f"{broken[0]}; no other checkpoint is whole: begin anew in another output_dir")
        return None


def state_of(run: Loop) -> dict[str, Any]:
    """All that a training needs to go on."""
    return {
        "step": run.step,
        "seconds": run.spent,
        "weights": {name: value.detach() for name, value in run.parameters.items()},
        "ema": run.ema.means,
        "optimisers": [each.state_dict() for each in run.optimisers],
        "scaler": run.accelerator.scaler.state_dict() if run.accelerator.scaler is not None else None,
        "extra": {name: each.state_dict() for name, each in run.task.extra().items()},
        "random": seeds.states(),
        "configuration": run.config.model_dump(mode="json"),
        "earlier": run.earlier,
    }


def set_state(run: Loop, state: dict[str, Any]) -> None:
    """Set a training to a state. Raises ModelError when it is of other networks."""
    weights = state["weights"]
    shapes = {name: tuple(value.shape) for name, value in run.parameters.items()}
    other = sorted(
        name
        for name in shapes.keys() | weights.keys()
        if name not in shapes or name not in weights or tuple(weights[name].shape) != shapes[name]
    )
    if other or len(state["ema"]) != len(run.ema.means):
        what = other[0] if other else "ema_decay"
        raise ModelError(f"--resume: the checkpoint is of other networks ({what}); use its configuration")
    with torch.no_grad():
        for name, value in run.parameters.items():
            value.copy_(weights[name])
    run.ema.load(state["ema"])
    for optimiser, saved in zip(run.optimisers, state["optimisers"], strict=True):
        storage.load_optimiser(optimiser, saved)
    if state["scaler"] is not None and run.accelerator.scaler is not None:
        run.accelerator.scaler.load_state_dict(state["scaler"])
    for name, each in run.task.extra().items():
        each.load_state_dict(state["extra"][name])
    run.step, run.spent = state["step"], state["seconds"]
    run.earlier = list(state.get("earlier", ()))
    seeds.restore(state["random"])


def _step(path: Path) -> int:
    found = _NAME.fullmatch(path.name)
    return int(found[1]) if found else -1
