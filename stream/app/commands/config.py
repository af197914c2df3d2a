"""``inkstream config``: presets and the settings that are in effect."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ...base.options import ModelOption, SetOption, load_run
from ...base.terminal import say

app = typer.Typer(no_args_is_help=True, help="Presets, and the settings that are in effect.")


@app.command("list")
def list_presets() -> None:
    """List the presets and what each is for."""
    from ...base.configfile import presets

    known = presets()
    width = max(map(len, known))
    for name, purpose in known.items():
        typer.echo(f"{name:{width}}  {purpose}")


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME|FILE", help="A preset, a YAML file, or a kept picture (PNG).")
    ] = "ink-tiny",
    model: ModelOption = None,
    sets: SetOption = None,
) -> None:
    """Print every setting in effect, with what it means, as YAML that can be saved, changed and run.

    Examples:

        inkstream config show sd15-lcm > mine.yaml
        inkstream config show inkstream-output/20310203-120000-a-red-sedan-car.png
    """
    from ...base.configfile import dump_yaml

    typer.echo(dump_yaml(load_run(name, sets, model=model), descriptions=True), nl=False)


@app.command()
def convert(
    theirs: Annotated[Path, typer.Argument(metavar="THEIRS.yaml", help="A file of livepeer's StreamDiffusion.")],
    ours: Annotated[
        Path | None, typer.Argument(metavar="OURS.yaml", help="A new file; without it, the screen.")
    ] = None,
) -> None:
    """Turn a configuration of livepeer's StreamDiffusion into one of ours, and say what became of each key.

    Example:

        inkstream config convert theirs.yaml ours.yaml && inkstream run --config ours.yaml
    """
    from ...base import safeyaml
    from ...base.errors import ConfigError
    from ...base.files import write_new
    from ...compat.livepeer import convert as converted

    try:
        made = converted(safeyaml.read_file(theirs))
    except OSError as error:
        raise ConfigError(f"{theirs}: cannot be read: {error.strerror or 'it is no file'}") from error
    for note in made.notes:
        say(str(note))
    if ours is None:
        typer.echo(made.yaml(), nl=False)
        return
    ours = ours.expanduser()
    if os.path.lexists(ours):
        raise ConfigError(f"{ours}: is there already, expected a new file; name another")
    try:
        write_new(ours, made.yaml().encode())
    except OSError as error:
        raise ConfigError(f"{ours}: cannot be written: {error.strerror}; name another place") from error
