"""``inkstream models``: what is on this computer, and what is fetched to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...base.errors import ModelError
from ...base.progress import shown
from .common import console

if TYPE_CHECKING:
    from ....lora.registry import ModelInfo

app = typer.Typer(no_args_is_help=True, help="Models on this computer, and fetching more.")


def megabytes(size: int) -> str:
    """A size in bytes as people say it."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


@app.command("list")
def list_all() -> None:
    """List the embedded models, those in the hub's cache, and the short names that can be fetched."""
    from rich.table import Table

    from ....lora.registry import PRESETS, list_models

    here = list_models()
    table = Table("model", "family", "size", "where")
    for model in here:
        table.add_row(model.name, model.family or "part", megabytes(model.size), str(model.path))
    screen = console()
    screen.print(table)
    names = {model.name for model in here}
    for name, preset in PRESETS.items():
        if preset.model not in names:
            screen.print(f"not here: {name} ({preset.model})", markup=False)


@app.command()
def fetch(
    model: Annotated[
        str, typer.Argument(metavar="ID", help="A short name (inkstream models list), owner/name, or owner/name:file.")
    ],
) -> None:
    """Download a model with all its parts, so that it runs without a network. Safetensors only.

    Example:

        inkstream models fetch sd15-lcm
    """
    from ....lora.registry import fetch as fetch_model

    with shown(f"fetching {model}", remaining=True) as progress:
        place = fetch_model(model, progress)
    typer.echo(place)


NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A model that is on this computer.")]


@app.command()
def path(name: NameArgument) -> None:
    """Print where a model lies; downloads nothing."""
    typer.echo(_here(name).path)


@app.command()
def show(name: Annotated[str, typer.Argument(metavar="NAME|FOLDER", help="A model that is on this computer.")]) -> None:
    """Say what a model is, its words, steps and styles where it lists them; downloads nothing.

    Example:

        inkstream models show ink-tiny
    """
    from rich.table import Table

    from ....lora.steps import read_steps
    from ....lora.styles import styles_in
    from ....lora.words import read_vocabulary

    folder = Path(name).expanduser()
    screen = console()
    if not folder.is_dir():
        model = _here(name)
        folder = model.path
        screen.print(f"{model.name}: {model.family or 'part'}, {megabytes(model.size)}, {folder}", markup=False)
    words = read_vocabulary(folder)
    if words is None:
        screen.print("any words: it brings no list of those that it knows")
    else:
        table = Table("", "words")
        for tag, known in words.tags.items():
            table.add_row(tag, ", ".join(known))
        screen.print(table)
    steps = read_steps(folder)
    if steps:
        listed = "; ".join(f"{count}: t_index_list={list(each)}" for count, each in steps.items())
        screen.print(f"steps that it is best in: {listed}", markup=False)
    styles = styles_in(folder)
    if styles:
        screen.print(f"styles, each with a scale: {', '.join(styles)}; --set lora_dict.{next(iter(styles))}=0.8")


def _here(name: str) -> ModelInfo:
    """A model that can be used without a download; raises ModelError for any other."""
    from ....lora.registry import PRESETS, list_models

    wanted = PRESETS[name].model if name in PRESETS else name
    found = {model.name: model for model in list_models()}
    if wanted not in found:
        raise ModelError(f"{wanted or repr(name)}: not on this computer; fetch it with: inkstream models fetch {name}")
    return found[wanted]
