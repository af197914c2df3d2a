"""What every training is told: one frozen configuration of each kind, checked before anything is loaded.

Options that diffusers' training scripts have carry their names. ``read`` takes a YAML file and ``--set`` on top.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ... import configs
from ...stream.base import safeyaml
from ...stream.base.configfile import build, put
from ...stream.base.errors import ConfigError
from ...stream.base.safeyaml import Document, Place

TRACKERS = {"jsonl": "json", "wandb": "wandb", "trackio": "trackio", "tensorboard": "tensorboard"}  # name -> module


class Settings(BaseModel):
    """A group of settings: unknown names and infinities are refused, and nothing changes later."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True, protected_namespaces=()
    )


Channels = Annotated[int, Field(ge=1, le=16_384)]


class DataConfig(Settings):
    """Which pairs, and how they are varied while training."""

    path: str = Field(min_length=1)
    """A folder of pairs as inkstream prepare writes it, or a folder for rendered scenes."""
    scenes: int = Field(0, ge=0, le=10_000_000)
    """How many scenes to render into the folder where they are not there yet; 0: it is a folder of pairs."""
    scenes_seed: int = Field(0, ge=0, lt=2**62)
    """Seed of the first scene."""
    painter: Literal["fast", "traced"] = "fast"
    """Who painted, or paints, the scenes: traced are those of inkstream scenes render."""
    size: int = Field(256, ge=32, le=2048, multiple_of=8)
    """Side of the pictures in pixels."""
    validation: int = Field(64, ge=0, le=100_000)
    """How many of the rendered scenes, the last ones, are held out; a folder of pairs has its own split."""
    flip: float = Field(0.5, ge=0, le=1)
    """Share of samples that are mirrored."""
    clean: float = Field(0.35, ge=0, le=1)
    """Share of samples that come with their exact lines instead of a drawn sketch, where there are some."""
    blank: float = Field(0.03, ge=0, le=1)
    """Share of samples without any line."""
    partial: float = Field(0.35, ge=0, le=1)
    """Share of sketches that are unfinished: without the horizon, a third of the lines missing, or half drawn."""
    horizonless: float = Field(0.5, ge=0, le=1)
    """Share of these that lack their horizon and nothing else."""
    palette: float = Field(0.4, ge=0, le=1)
    """Share of samples whose lines lie over paint, where classes are known."""
    painted: float = Field(0.0, ge=0, le=1)
    """Share of these that are painted as people do it: some areas, in blobs, in the colours that they shall have or
    those of their classes. The others have the colour of its class everywhere."""
    painted_colours: float = Field(0.5, ge=0, le=1)
    """Share of painted areas that have the colour they shall have."""
    palette_alone: float = Field(0.2, ge=0, le=1)
    """Share of these that come without any line, so that the colours say where things are."""
    caption_dropout: float = Field(0.05, ge=0, le=1)
    """Share of samples whose caption is empty."""
    often: dict[str, Annotated[int, Field(ge=1, le=100)]] = Field(default_factory=dict)
    """Words, and how many times pairs whose captions have them come in each round of all pairs: {brick: 4}. For what is
    rare, small and hard."""
    sharpen: float = Field(0.0, ge=0, le=4)
    """Unsharp masking (1 pixel, times this) of the pictures that are learned from, never of those that are held out. A
    regression blurs what nothing explains; this gives edges their contrast back."""
    sharpen_share: float = Field(1.0, ge=0, le=1)
    """Share of the pictures that are sharpened, always the same ones."""


class TrainConfig(Settings):
    """What every kind of training has."""

    output_dir: str = Field(min_length=1)
    """Folder for checkpoints, the log, pictures and the finished model."""
    data: DataConfig
    """Which pairs, and how they are varied while training."""
    seed: int = Field(0, ge=0, lt=2**62)
    """Everything random follows from it."""

    # --- how long
    max_train_steps: int | None = Field(None, ge=1, le=10**9)
    """Budget in steps."""
    max_train_minutes: float | None = Field(None, gt=0, le=1e6)
    """Budget in minutes of training, pauses between two runs not counted. Of two budgets the first to end counts."""

    # --- where
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""
    mixed_precision: Literal["no", "bf16", "fp16"] = "bf16"
    """Precision of the networks' arithmetic; weights and their sums stay float32."""
    channels_last: bool = True
    """Lay pictures out with their channels together, which convolutions like."""
    torch_compile: bool = False
    """Compile the networks: minutes at the start, faster on a GPU."""
    gradient_checkpointing: bool = False
    """Compute activations twice instead of keeping them: less memory, a third slower."""
    threads: int = Field(0, ge=0, le=1024)
    """Threads of PyTorch on a CPU; 0: as many as it likes."""
    dataloader_num_workers: int = Field(0, ge=0, le=256)
    """Processes that prepare batches ahead; 0: the training itself does."""

    # --- steps
    train_batch_size: int = Field(16, ge=1, le=65_536)
    """Samples a step and device."""
    gradient_accumulation_steps: int = Field(1, ge=1, le=4096)
    """Batches that are summed up before the weights change."""
    max_grad_norm: float = Field(1.0, gt=0, le=1e6)
    """Longer gradients are shortened to this."""
    optimizer: Literal["adamw", "adamw8bit", "muon"] = "adamw"
    """muon: Muon for matrices and kernels, AdamW for the rest. adamw8bit needs bitsandbytes and a GPU."""
    learning_rate: float = Field(1e-4, gt=0, le=1)
    """Rate of AdamW."""
    muon_learning_rate: float = Field(3.5e-3, gt=0, le=1)
    """Rate of Muon."""
    adam_beta1: float = Field(0.9, ge=0, lt=1)
    """Memory of AdamW's mean."""
    adam_beta2: float = Field(0.999, ge=0, lt=1)
    """Memory of AdamW's square."""
    adam_weight_decay: float = Field(0.01, ge=0, le=1)
    """Decay of weights."""
    adam_epsilon: float = Field(1e-8, gt=0, le=1)
    """Smallest divisor of AdamW."""
    lr_warmup_steps: int = Field(60, ge=0, le=10**9)
    """Steps in which the rates rise to their values."""
    lr_flat: float = Field(0.55, ge=0, le=1)
    """Share of the budget with constant rates; a cosine follows."""
    lr_end: float = Field(0.01, ge=0, le=1)
    """What the cosine ends at, as a share of the rate."""
    ema_decay: float = Field(0.0, ge=0, lt=1)
    """Decay of the running mean of the weights, which is what is validated and written; 0: the weights themselves."""

    # --- what is kept
    checkpointing_steps: int | None = Field(None, ge=1, le=10**9)
    """Keep a checkpoint after this many steps."""
    checkpointing_minutes: float | None = Field(5.0, gt=0, le=1e6)
    """Keep a checkpoint after this many minutes."""
    checkpoints_total_limit: int = Field(3, ge=2, le=10_000)
    """How many checkpoints stay; two at least, because the newest can be damaged."""
    model_at_checkpoints: bool = False
    """Write the model at every checkpoint, too, not only at the end."""

    # --- what is looked at
    validation_steps: int | None = Field(None, ge=1, le=10**9)
    """Measure on held-out samples after this many steps."""
    validation_minutes: float | None = Field(5.0, gt=0, le=1e6)
    """Measure on held-out samples after this many minutes."""
    validation_samples: int = Field(48, ge=1, le=10_000)
    """How many held-out samples are measured, always the same."""
    validation_pictures: int = Field(8, ge=0, le=64)
    """How many of them are shown on a sheet at each validation."""
    logging_seconds: float = Field(30.0, gt=0, le=1e6)
    """One line for people after this many seconds; the file has every step."""
    report_to: tuple[Literal["jsonl", "wandb", "trackio", "tensorboard"], ...] = ("jsonl",)
    """Where figures go; metrics.jsonl is always written."""
    tracker_project_name: str = Field("inkstream", min_length=1, max_length=128)
    """Project at wandb and trackio."""
    tracker_offline: bool = True
    """wandb writes to the output folder and sends nothing."""

    @model_validator(mode="after")
    def _has_an_end(self) -> TrainConfig:
        if self.max_train_steps is None and self.max_train_minutes is None:
            raise ValueError("max_train_steps: got no budget, expected max_train_steps or max_train_minutes")
        return self

    @model_validator(mode="after")
    def _trackers_are_there(self) -> TrainConfig:
        missing = [name for name in self.report_to if find_spec(TRACKERS[name]) is None]
        if missing:
            raise ValueError(
                f"report_to: got {missing[0]!r}, which is not installed; pip install {missing[0]}, or leave it out"
            )
        if self.optimizer == "adamw8bit" and find_spec("bitsandbytes") is None:
            raise ValueError(
                "optimizer: got 'adamw8bit', which needs bitsandbytes; pip install bitsandbytes, or set adamw"
            )
        return self

    @property
    def folder(self) -> Path:
        """The output folder."""
        return Path(self.output_dir).expanduser()


Config = TypeVar("Config", bound=TrainConfig)


def read(
    name: str | Path, kind: type[Config], overrides: Mapping[str, Any] | None = None, place: str = "--set"
) -> Config:
    """Read a YAML file, or one of the files that ship (``train_lora``), as a configuration of ``kind``.

    ``overrides`` are settings by dotted path and come on top; ``place`` says where they stand. Raises ConfigError:
    ``file:line:column: setting: got, expected``.
    """
    document = _document(name)
    if document.value is None:
        document.value = {}
    if isinstance(document.value, dict):
        for path, new in (overrides or {}).items():
            put(document.value, path, new)
            document.places[path] = Place(f"{place} {path}")
    return build(document, kind)


def _document(name: str | Path) -> Document:
    """A shipped configuration, or a file."""
    shipped = files(configs) / f"{name}.yaml"
    if str(name).startswith("train_") and shipped.is_file():
        return safeyaml.read(shipped.read_text("utf-8"), f"{name}.yaml")
    try:
        return safeyaml.read_file(Path(name).expanduser())
    except OSError as error:
        raise ConfigError(f"--config: {str(name)!r} cannot be read: {error.strerror}; name a YAML file") from None


_HARMLESS = (
    "checkpoint",
    "dataloader",
    "device",
    "logging",
    "model_at_",
    "output_dir",
    "report_to",
    "threads",
    "tracker",
    "validation",
)


def differences(before: dict[str, Any], after: dict[str, Any], group: str = "") -> dict[str, Any]:
    """What settings were, by dotted path, that differ and change what is learned; a new one is no change."""
    found: dict[str, Any] = {}
    for name in sorted(before.keys() & after.keys()):
        old, new, path = before[name], after[name], f"{group}{name}"
        if isinstance(old, dict) and isinstance(new, dict):
            found |= differences(old, new, f"{path}.")
        elif old != new and not path.startswith(_HARMLESS):
            found[path] = old
    return found
