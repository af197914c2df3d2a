"""The model that the finished trainings of a course make: put together, judged, with a card that says what it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ...stream.base.files import png, write_json, write_whole
from ...stream.base.progress import Progress
from ..data.scenes import captions, sample_scene, vocabulary
from ..evaluate.data import USUAL_SEED, open_data
from ..evaluate.evaluation import evaluate
from ..evaluate.rendering import Renderer, native_side, run_for
from ..hub import LORA_FILE
from ..influence import read_influence, write_influence
from ..load import load_pipeline
from ..steps import read_steps, write_steps
from ..styles import FOLDER, SUFFIX
from ..together import together
from ..words import read_vocabulary, write_vocabulary
from . import card
from .outputs import MODEL, NOTES, RECIPE, model_folder
from .sequence import Part

if TYPE_CHECKING:
    from .course import CourseConfig

NAME = "ink-tiny"
COUNTED = 20_000  # scenes, of which is counted what goes together
FIGURES, SHEET = "figures.json", "sheet.png"


def assemble(config: CourseConfig, trained: Sequence[Part], say: Callable[[str], Any], progress: Progress) -> Path:
    """Put the finished parts together in ``output_dir/model``, judge it there, and write its card. Gives the folder.

    Raises ModelError where the disk does not take it.
    """
    parts = {part.name: part for part in trained}
    target = config.folder / MODEL
    with model_folder(target) as folder:
        shutil.copytree(parts["finish" if "finish" in parts else "base"].model, folder, dirs_exist_ok=True)
        (folder / NOTES).unlink()
        _write_words(folder, config)
        if config.steps:
            write_steps(folder, config.steps)
            read_steps(folder)
        if config.influence:
            write_influence(folder, config.influence)
            read_influence(folder)
        for part in parts.values():
            if part.look is not None:
                _write_style(part, folder)
        made = {name: json.loads((part.model / NOTES).read_text("utf-8")) for name, part in parts.items()}
        began = {
            name: other for name, notes in made.items() for other in made if made[other] == notes.get("began_from")
        }
        for name, other in began.items():  # the recipe has it already
            made[name]["began_from"] = other
        settings = config.model_dump(mode="json", exclude={"scenes_path", "traced_path"})
        recipe = {"name": NAME, "course": settings, "parts": made}
        paths = {config.output_dir, str(config.folder), str(config.folder.resolve())}
        paths |= {config.scenes_path or "", config.traced_path or ""}
        write_json(folder / RECIPE, _portable(recipe, sorted(filter(None, paths), key=len, reverse=True)))
        say(f"judging {NAME} on {config.judged} scenes")
        figures = judge(folder, config, progress)
        write_json(folder / FIGURES, figures)
        write_whole(folder / "README.md", card.text(recipe, figures).encode())
    say(f"done: {target}")
    return target


def _write_words(folder: Path, config: CourseConfig) -> None:
    words = vocabulary()
    scenes = (sample_scene(number) for number in range(min(4 * config.scenes, COUNTED)))
    sentences = [(scene.tags, captions(scene)) for scene in scenes]
    said = (text for _, texts in sentences[:2000] for text in texts)
    write_vocabulary(folder, words, said, together(sentences, words["grammar"]))


def _write_style(part: Part, folder: Path) -> None:
    """A style in half precision, under its name."""
    (folder / FOLDER).mkdir(exist_ok=True)
    with safe_open(part.model / LORA_FILE, "pt") as file:
        tensors = {name: file.get_tensor(name).to(torch.float16).contiguous() for name in file.keys()}  # noqa: SIM118
        save_file(tensors, folder / FOLDER / f"{part.look}{SUFFIX}", file.metadata())


def judge(folder: Path, config: CourseConfig, progress: Progress) -> dict[str, Any]:
    """The result of an evaluation on scenes that nothing was learned from; writes its sheet into the folder."""
    run = run_for(str(folder), {})
    pipe = load_pipeline(run.model, run.stream, progress)
    with closing(Renderer(pipe, native_side(pipe), run.stream, progress)) as renderer:
        data = open_data(f"scenes:{USUAL_SEED}:{config.judged}", renderer.side, None, progress, read_vocabulary(folder))
        judged = evaluate(renderer, data, NAME, progress=progress, goals=True)
    write_whole(config.folder / SHEET, png(judged.sheet()))
    return judged.result


def _portable(tree: Any, paths: Sequence[str]) -> Any:
    """The same without ``paths`` of the machine that made it, of which only the last names stay."""
    if isinstance(tree, Mapping):
        return {key: _portable(value, paths) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_portable(value, paths) for value in tree]
    if isinstance(tree, str):
        for path in paths:
            tree = tree.replace(path, Path(path).name)
    return tree
