"""Distillation held to what it promises: a teacher of many steps, a student and an LCM-LoRA, in one table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from ...stream.base.errors import ConfigError
from ...stream.base.files import write_json
from ...stream.base.progress import Progress, silent
from .config import Settings, read
from .from_scratch import BaseConfig
from .kinds import LcmConfig
from .sequence import Part, begun, train_all
from .storage import alone

TABLE = "table.json"
# Of both students: a guidance of the teacher that pictures of one renderer need, and batches that a CPU takes.
DISTILLED: dict[str, Any] = {
    "conditions": [{"image": "sketch"}],
    "w_min": 0.0,
    "w_max": 1.0,
    "train_batch_size": 8,
    "validation_inference_steps": 4,
    "gradient_checkpointing": False,
    "max_train_steps": None,
}


class ProofConfig(Settings):
    """What is trained, and how long each part may take."""

    output_dir: str = Field("training/lcm-proof", min_length=1)
    """Folder for everything."""
    base: str = Field(min_length=1)
    """Model that the teacher begins from: its folder, or its name."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""
    scenes: int = Field(8000, ge=64, le=1_000_000)
    """How many scenes are rendered to learn from."""
    scenes_path: str | None = None
    """Where they are kept; null: in output_dir."""
    teacher: dict[str, Any] = Field(default_factory=dict)
    """Settings of train_teacher, by dotted path."""
    student: dict[str, Any] = Field(default_factory=dict)
    """Settings of the full student's train_lcm."""
    lora: dict[str, Any] = Field(default_factory=dict)
    """Settings of the LCM-LoRA's train_lcm."""
    judged: int = Field(48, ge=2, le=2000)
    """How many scenes, of which none was learned from, they are judged on."""

    @model_validator(mode="after")
    def _parts_take_them(self) -> ProofConfig:
        try:
            parts_of(self)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def folder(self) -> Path:
        """The output folder."""
        return Path(self.output_dir).expanduser()


def parts_of(config: ProofConfig) -> list[Part]:
    """Teacher, student and LCM-LoRA. Raises ConfigError for settings that a training does not take."""
    drawn = {"data.path": config.scenes_path or str(config.folder / "scenes"), "data.scenes": config.scenes}
    own = lambda name: {"output_dir": str(config.folder / name), "device": config.device, **drawn}
    first = {**own("teacher"), "init": config.base, "autoencoder": config.base}
    parts = [Part("teacher", read("train_teacher", BaseConfig, {**first, **config.teacher}, "teacher"))]
    taught = {"pretrained_model": str(parts[0].model), "data.flip": 0, "data.size": parts[0].config.data.size}
    for name, student, rate, chosen in (("student", "full", 3e-4, config.student), ("lora", "lora", 1e-4, config.lora)):
        settings = {**own(name), **DISTILLED, **taught, "student": student, "learning_rate": rate, **chosen}
        parts.append(Part(name, read("train_lcm", LcmConfig, settings, name)))
    return parts


def train(
    config: ProofConfig, *, say: Callable[[str], Any] = lambda line: None, progress: Progress = silent
) -> dict[str, Any] | None:
    """Train what is not done yet, and give the table's result, which is kept. None after an interruption."""
    from ..evaluate.distilled import compare

    parts = parts_of(config)
    with alone(config.folder, () if begun(parts) else (TABLE,), progress):
        if not train_all(parts, say, progress):
            return None
        teacher, student, lora = (part.model for part in parts)
        result = compare(teacher, student, lora, config.judged, config.device, progress)
        write_json(config.folder / TABLE, result)
    return result
