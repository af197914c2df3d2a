"""``inkstream config``: presets and the settings that are in effect."""

from __future__ import annotations

from typing import Annotated

import typer

from ...base.options import ModelOption, SetOption, load_run

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
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A preset or a YAML file.")] = "ink-tiny",
    model: ModelOption = None,
    sets: SetOption = None,
) -> None:
    """Print every setting in effect, with what it means, as YAML that can be saved, changed and run.

    Example:

        inkstream config show sd15-lcm > mine.yaml
    """
    from ...base.configfile import dump_yaml

    typer.echo(dump_yaml(load_run(name, sets, model=model), descriptions=True), nl=False)
