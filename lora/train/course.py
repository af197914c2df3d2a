"""A course: every training that a small model of drawings needs, one after the other, and the model they make.

Scenes are rendered, the autoencoder learns, its decoder once more, then text encoder, UNet and ControlNet, then a LoRA
for each style. What is done stays done: a course that was stopped goes on where it was. The result is judged, and
the folder says what made it.
"""

from __future__ import annotations

import json
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from ...stream.base.errors import ConfigError
from ...stream.base.files import png, replacing_folder, write_whole
from ...stream.base.progress import Progress, silent
from ..data import looks
from ..steps import read_steps, write_steps
from . import start
from .config import Settings, TrainConfig, read
from .kinds import AutoencoderConfig, BaseConfig, LoraConfig
from .outputs import NOTES, RECIPE

NAME = "ink-tiny"
BUDGETS = ("cpu", "gpu")
MOST_PAIRS = 40  # a style is made from no more
FIGURES, SHEET = "figures.json", "sheet.png"


class CourseConfig(Settings):
    """What is made, and how long each part of it may take."""

    budget: str = Field(min_length=1, max_length=80)
    """The machine that it is meant for, in words; the model's card says it."""
    output_dir: str = Field(f"training/{NAME}", min_length=1)
    """Folder for everything; the finished model is in output_dir/model."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""
    scenes: int = Field(8000, ge=64, le=1_000_000)
    """How many scenes are rendered to learn from."""
    scenes_path: str | None = None
    """Where they are kept; null: in output_dir."""
    seed: int = Field(0, ge=0, lt=2**62)
    """Everything random follows from it."""
    autoencoder: dict[str, Any] = Field(default_factory=dict)
    """Settings of train_autoencoder, by dotted path."""
    decoder: dict[str, Any] = Field(default_factory=dict)
    """Settings of train_autoencoder for the decoder alone, once more on the same latents. Empty: none."""
    base: dict[str, Any] = Field(default_factory=dict)
    """Settings of train_base, by dotted path."""
    styles: tuple[str, ...] = ()
    """Looks that become styles."""
    pairs: int = Field(36, ge=1, le=MOST_PAIRS)
    """Pairs that a style learns from, those that it is validated on included."""
    lora: dict[str, Any] = Field(default_factory=dict)
    """Settings of train_style, by dotted path."""
    steps: dict[int, tuple[int, ...]] = Field(default_factory=dict)
    """The model's step lists: number of steps -> t_index_list of 50."""
    judged: int = Field(96, ge=2, le=2000)
    """How many scenes, of which none was learned from, the model is judged on."""

    @field_validator("styles")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in looks.LOOKS:
                raise ValueError(f"got {name!r}, expected some of: {', '.join(looks.LOOKS)}")
        return names

    @property
    def folder(self) -> Path:
        """The output folder."""
        return Path(self.output_dir).expanduser()


@dataclass(frozen=True)
class Part:
    """One training of a course."""

    name: str
    config: TrainConfig
    look: str | None = None
    """The look of the pairs that it learns from, where they are made for it."""

    @property
    def model(self) -> Path:
        """Folder of what it leaves."""
        return self.config.folder / "model"

    @property
    def done(self) -> bool:
        """Whether it was finished before. Notes are the last thing that is written."""
        return (self.model / NOTES).is_file() and not _unfinished(self.model / NOTES, self.config)

    @property
    def line(self) -> str:
        """What it will take, for people."""
        minutes, steps = self.config.max_train_minutes, self.config.max_train_steps
        ends = f"{minutes:g} minutes" if minutes else f"{steps:,} steps"
        return f"{self.name}: {ends}{', done before' if self.done else ''}; {self.config.folder}"


def parts_of(config: CourseConfig) -> list[Part]:
    """The trainings of a course, in order. Raises ConfigError for settings that a training does not take."""
    scenes = config.scenes_path or str(config.folder / "scenes")
    common: dict[str, Any] = {"device": config.device, "seed": config.seed}
    data = {"data.path": scenes, "data.scenes": config.scenes}
    own = lambda name: {**common, "output_dir": str(config.folder / name)}
    coded = read("train_autoencoder", AutoencoderConfig, {**own("autoencoder"), **data, **config.autoencoder})
    parts = [Part("autoencoder", coded)]
    if config.decoder:
        kept = {"encoder": str(parts[0].model), "init": str(parts[0].model), **config.decoder}
        shown = read("train_autoencoder", AutoencoderConfig, {**own("decoder"), **data, **kept})
        parts.append(Part("decoder", shown))
    learned = {"autoencoder": str(parts[-1].model), **config.base}
    base = Part("base", read("train_base", BaseConfig, {**own("base"), **data, **learned}))
    parts.append(base)
    for look in config.styles:
        settings = {**own(f"style-{look}"), "pretrained_model": str(base.model), "kohya": False}
        pairs = {
            "data.path": str(config.folder / "pairs" / look),
            "data.size": base.config.data.size,
            "data.flip": base.config.data.flip,
        }
        parts.append(Part(f"style {look}", read("train_style", LoraConfig, {**settings, **pairs, **config.lora}), look))
    return parts


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
    config: CourseConfig,
    *,
    say: Callable[[str], Any] = lambda line: None,
    progress: Progress = silent,
) -> Path | None:
    """Go through all parts that are not done yet, and put the model together. None after an interruption.

    Raises ConfigError, ModelError, DataError or TrainError.
    """
    for part in parts_of(config):
        if part.done:
            say(f"{part.name}: done before, {part.model}")
            continue
        say(f"{part.name}: begins")
        if part.look is not None:
            _write_pairs(config, part, progress)
        if start.train(part.config, "latest", say=say, progress=progress).interrupted:
            return None
    return assemble(config, say=say, progress=progress)


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
    return [
        f"{config.scenes:,} scenes: about {hours * 60:.0f} minutes of one core, shared by all there are",
        *(part.line for part in parts),
        f"{left:g} minutes of training are left; the model goes to {config.folder / 'model'}",
    ]


def _minutes(parts: Sequence[Part]) -> float:
    return sum(part.config.max_train_minutes or 0.0 for part in parts)


def _write_pairs(config: CourseConfig, part: Part, progress: Progress) -> None:
    held = min(4, config.pairs - 1)
    assert part.look is not None
    looks.write_pairs(part.config.data.path, part.look, config.pairs - held, held, part.config.data.size, progress)


def _unfinished(notes: Path, config: TrainConfig) -> bool:
    """Whether a model was written at a checkpoint, before its budget was spent."""
    try:
        found = json.loads(notes.read_text("utf-8"))
        minutes, steps = float(found["minutes"]), int(found["steps"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{notes}: damaged ({type(error).__name__}); delete {notes.parent} and go on") from error
    enough = config.max_train_steps is not None and steps >= config.max_train_steps
    return not enough and (config.max_train_minutes is None or minutes < config.max_train_minutes - 0.01)


# --- the model


def assemble(
    config: CourseConfig,
    *,
    say: Callable[[str], Any] = lambda line: None,
    progress: Progress = silent,
) -> Path:
    """Put the finished parts together in ``output_dir/model``, judge it there, and write its card. Gives the folder."""
    from . import card

    parts = {part.name: part for part in parts_of(config)}
    target = config.folder / "model"
    with replacing_folder(target) as folder:
        shutil.copytree(parts["base"].model, folder, dirs_exist_ok=True)
        (folder / NOTES).unlink()
        _write_words(folder, config)
        if config.steps:
            write_steps(folder, config.steps)
            read_steps(folder)
        for part in parts.values():
            if part.look is not None:
                _write_style(part, folder)
        made = {name: json.loads((part.model / NOTES).read_text("utf-8")) for name, part in parts.items()}
        began = {
            name: other for name, notes in made.items() for other in made if made[other] == notes.get("began_from")
        }
        for name, other in began.items():  # the recipe has it already
            made[name]["began_from"] = other
        recipe = {"name": NAME, "course": config.model_dump(mode="json", exclude={"scenes_path"}), "parts": made}
        (folder / RECIPE).write_text(json.dumps(_portable(recipe, config), indent=2) + "\n", "utf-8")
        say(f"judging {NAME} on {config.judged} scenes")
        figures = judge(folder, config, progress)
        (folder / FIGURES).write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
        (folder / "README.md").write_text(card.text(recipe, figures), "utf-8")
    say(f"done: {target}")
    return target


def _write_words(folder: Path, config: CourseConfig) -> None:
    from ..data.scenes import captions, sample_scene, vocabulary
    from ..words import write_vocabulary

    said = (text for number in range(min(config.scenes, 2000)) for text in captions(sample_scene(number)))
    write_vocabulary(folder, vocabulary(), said)


def _write_style(part: Part, folder: Path) -> None:
    """A style in half precision, under its name."""
    import torch
    from safetensors import safe_open
    from safetensors.torch import save_file

    from ..hub import LORA_FILE
    from ..styles import FOLDER, SUFFIX

    (folder / FOLDER).mkdir(exist_ok=True)
    with safe_open(part.model / LORA_FILE, "pt") as file:
        tensors = {name: file.get_tensor(name).to(torch.float16).contiguous() for name in file.keys()}  # noqa: SIM118
        save_file(tensors, folder / FOLDER / f"{part.look}{SUFFIX}", file.metadata())


def judge(folder: Path, config: CourseConfig, progress: Progress) -> dict[str, Any]:
    """The result of an evaluation on scenes that nothing was learned from; writes its sheet into the folder."""
    from ..evaluate.data import USUAL_SEED, open_data
    from ..evaluate.evaluation import evaluate
    from ..evaluate.rendering import Renderer, native_side, run_for
    from ..load import load_pipeline

    run = run_for(str(folder), {})
    pipe = load_pipeline(run.model, run.stream, progress)
    with closing(Renderer(pipe, native_side(pipe), run.stream, progress)) as renderer:
        data = open_data(f"scenes:{USUAL_SEED}:{config.judged}", renderer.side, None, progress)
        judged = evaluate(renderer, data, NAME, progress=progress, goals=True)
    write_whole(config.folder / SHEET, png(judged.sheet()))
    return judged.result


def _portable(tree: Any, config: CourseConfig) -> Any:
    """The same without the paths of the machine that made it."""
    if isinstance(tree, Mapping):
        return {key: _portable(value, config) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_portable(value, config) for value in tree]
    if isinstance(tree, str):
        for path in _longest_first(config):
            tree = tree.replace(path, Path(path).name)
    return tree


def _longest_first(config: CourseConfig) -> Iterator[str]:
    paths = {config.output_dir, str(config.folder), str(config.folder.resolve()), config.scenes_path or ""}
    return iter(sorted(filter(None, paths), key=len, reverse=True))
