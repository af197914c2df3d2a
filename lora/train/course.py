"""A course: every training that a small model of drawings needs, one after the other, and the model they make.

Scenes are rendered, the autoencoder learns, its decoder once more, then text encoder, UNet and ControlNet, then a LoRA
for each style. What is done stays done: a course that was stopped goes on where it was. The result is judged, and
the folder says what made it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from ...stream.base.errors import ConfigError
from ...stream.base.progress import Progress, silent
from ..data import looks
from ..data.sample import Samples
from ..influence import MOST_CONTROL
from .config import Settings, read
from .from_scratch import AutoencoderConfig, BaseConfig
from .kinds import LoraConfig
from .outputs import MODEL
from .sequence import Part, begun, train_all
from .storage import alone

BUDGETS = ("cpu", "gpu")
Step = Annotated[int, Field(ge=0, le=49)]
TRACED_SEED = 100_000  # of the first traced scene
TRACED_SECONDS = 12.0  # that one takes at 512 pixels
MOST_PAIRS = 40  # a style is made from no more


Control = Annotated[float, Field(ge=0, le=MOST_CONTROL)]
Ink = Annotated[float, Field(ge=0, le=1)]


class CourseConfig(Settings):
    """What is made, and how long each part of it may take."""

    budget: str = Field(min_length=1, max_length=80)
    """The machine that it is meant for, in words; the model's card says it."""
    output_dir: str = Field("training/ink-tiny", min_length=1)
    """Folder for everything; the finished model is in output_dir/model."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""
    scenes: int = Field(8000, ge=64, le=1_000_000)
    """How many scenes are rendered to learn from."""
    scenes_path: str | None = None
    """Where they are kept; null: in output_dir."""
    traced: int = Field(0, ge=0, le=1_000_000)
    """How many more are painted by the path tracer, with seeds of their own: autoencoder, decoder and finish learn from
    these alone. 0: none, and all learn from the others."""
    traced_path: str | None = None
    """Where those are kept; null: in output_dir."""
    seed: int = Field(0, ge=0, lt=2**62)
    """Everything random follows from it."""
    autoencoder: dict[str, Any] = Field(default_factory=dict)
    """Settings of train_autoencoder, by dotted path."""
    decoder: dict[str, Any] = Field(default_factory=dict)
    """Settings of train_autoencoder for the decoder alone, once more on the same latents. Empty: none."""
    base: dict[str, Any] = Field(default_factory=dict)
    """Settings of train_base, by dotted path."""
    finish: dict[str, Any] = Field(default_factory=dict)
    """Settings of train_base once more, from where base ended; its decoder may learn along. Empty: none."""
    styles: tuple[str, ...] = ()
    """Looks that become styles."""
    pairs: int = Field(36, ge=1, le=MOST_PAIRS)
    """Pairs that a style learns from, those that it is validated on included: of the scenes that the finished base
    learned from where those are traced, else of others by the fast painter."""
    lora: dict[str, Any] = Field(default_factory=dict)
    """Settings of train_style, by dotted path."""
    steps: dict[Annotated[int, Field(ge=1, le=50)], tuple[Annotated[int, Field(ge=0, le=49)], ...]] = Field(
        default_factory=dict
    )
    """The model's step lists: number of steps -> t_index_list of 50."""
    influence: dict[Annotated[float, Field(gt=0, le=100)], tuple[Control, Ink]] = Field(default_factory=dict)
    """What drawing_influence does to the model: influence -> control and ink, see lora/influence.py."""
    judged: int = Field(96, ge=2, le=2000)
    """How many scenes, of which none was learned from, the model is judged on."""

    @field_validator("styles")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in looks.LOOKS:
                raise ValueError(f"got {name!r}, expected some of: {', '.join(looks.LOOKS)}")
        return names

    @model_validator(mode="after")
    def _parts_take_them(self) -> CourseConfig:
        try:
            parts_of(self)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def folder(self) -> Path:
        """The output folder."""
        return Path(self.output_dir).expanduser()


def parts_of(config: CourseConfig) -> list[Part]:
    """The trainings of a course, in order. Raises ConfigError for settings that a training does not take."""
    scenes = config.scenes_path or str(config.folder / "scenes")
    common: dict[str, Any] = {"device": config.device, "seed": config.seed}
    data = {"data.path": scenes, "data.scenes": config.scenes}
    real = _traced(config) if config.traced else data
    own = lambda name: {**common, "output_dir": str(config.folder / name)}
    coded = read(
        "train_autoencoder", AutoencoderConfig, {**own("autoencoder"), **real, **config.autoencoder}, "autoencoder"
    )
    parts = [Part("autoencoder", coded)]
    if config.decoder:
        kept = {"encoder": str(parts[0].model), "init": str(parts[0].model), **config.decoder}
        shown = read("train_autoencoder", AutoencoderConfig, {**own("decoder"), **real, **kept}, "decoder")
        parts.append(Part("decoder", shown))
    learned = {"autoencoder": str(parts[-1].model)}
    settings = {**own("base"), **data, **learned, **config.base}
    base = Part("base", read("train_base", BaseConfig, settings, "base"))
    parts.append(base)
    if config.finish:
        settings = {**own("finish"), **real, **learned, "init": str(base.model), **config.finish}
        base = Part("finish", read("train_base", BaseConfig, settings, "finish"))
        parts.append(base)
    for look in config.styles:
        settings = {**own(f"style-{look}"), "pretrained_model": str(base.model), "kohya": False}
        pairs = {
            "data.path": str(config.folder / "pairs" / look),
            "data.size": base.config.data.size,
            "data.flip": base.config.data.flip,
        }
        style = read("train_style", LoraConfig, {**settings, **pairs, **config.lora}, "lora")
        parts.append(Part(f"style {look}", style, look))
    return parts


def _traced(config: CourseConfig) -> dict[str, Any]:
    return {
        "data.path": config.traced_path or str(config.folder / "traced"),
        "data.scenes": config.traced,
        "data.scenes_seed": TRACED_SEED,
        "data.painter": "traced",
    }


def within(config: CourseConfig, minutes: float) -> CourseConfig:
    """The same course with ``minutes`` of training in all; its networks share them as they did before.

    Styles keep what they have, as lines drift in a LoRA that is stopped early. Raises ConfigError where nothing would
    be left for the networks, or where a part has its budget in steps.
    """
    parts = parts_of(config)
    for part in parts:
        if part.config.max_train_minutes is None:
            raise ConfigError(f"minutes: got {minutes:g}, but {part.name} has its budget in steps, expected minutes")
    networks = [part for part in parts if part.look is None]
    styles = [part for part in parts if part.look is not None]
    taken = _minutes(styles)
    if minutes <= taken:
        raise ConfigError(f"minutes: got {minutes:g}, expected more than the {taken:g} of {len(styles)} styles")
    share = (minutes - taken) / _minutes(networks)
    changed = {
        part.name: {**getattr(config, part.name), "max_train_minutes": round(_minutes([part]) * share, 2)}
        for part in networks
    }
    return config.model_copy(update=changed)


def train(
    config: CourseConfig, *, say: Callable[[str], Any] = lambda line: None, progress: Progress = silent
) -> Path | None:
    """Go through all parts that are not done yet, and put the model together. None after an interruption.

    Raises ConfigError, ModelError, DataError or TrainError.
    """
    from .assembly import assemble

    parts = parts_of(config)

    def before(part: Part) -> None:
        if part.look is not None:
            held, data = min(4, config.pairs - 1), part.config.data
            scenes = _traced_scenes(parts, config.pairs, progress)
            looks.write_pairs(data.path, part.look, config.pairs - held, held, data.size, progress, scenes)

    with alone(config.folder, () if begun(parts) else (MODEL,), progress):
        return assemble(config, parts, say, progress) if train_all(parts, say, progress, before) else None


def _traced_scenes(parts: Sequence[Part], count: int, progress: Progress) -> Samples | None:
    """The first ``count`` scenes that the finished base learned from where a path tracer painted them, or None."""
    from ..data.cache import SceneCache

    taught = [part for part in parts if part.look is None][-1].config.data
    if taught.painter != "traced":
        return None
    return SceneCache(
        taught.path, taught.scenes_seed, min(count, taught.scenes), taught.size, painter="traced", progress=progress
    )


def plan(config: CourseConfig) -> list[str]:
    """What ``train`` would do, a line for each part, with the time that rendering takes as measured on five scenes."""
    from ..data.render import render
    from ..data.scenes import sample_scene

    took = []
    for number in range(5):
        began = time.perf_counter()
        render([sample_scene(config.seed + number)])
        took.append(time.perf_counter() - began)
    hours = statistics.median(took) * config.scenes / 3600
    parts = parts_of(config)
    left = _minutes([part for part in parts if not part.done])
    traced = [f"{config.traced:,} traced scenes: about {config.traced * TRACED_SECONDS / 3600:.1f} hours of one core"]
    return [
        f"{config.scenes:,} scenes: about {hours * 60:.0f} minutes of one core, shared by all there are",
        *(traced if config.traced else []),
        *(part.line for part in parts),
        f"{left:g} minutes of training are left; the model goes to {config.folder / 'model'}",
    ]


def _minutes(parts: Sequence[Part]) -> float:
    return sum(part.config.max_train_minutes or 0.0 for part in parts)
