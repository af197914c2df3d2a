"""``inkstream midi``: maps that say what controls of MIDI devices do: list them, look at one, forget."""

from __future__ import annotations

from typing import Annotated

import typer

from ...base.errors import ConfigError

app = typer.Typer(
    no_args_is_help=True, help="What MIDI controls do (--control midi:learn): maps, yours and ready-made."
)
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A map: inkstream midi list names them.")]


@app.command("list")
def listed() -> None:
    """List the maps: yours, and ready-made ones for well-known devices.

    Example:

        inkstream midi list
    """
    from ..control import mapping, maps

    known = maps.all_of_them()
    width = max(len(each.name) for each in known)
    for each in known:
        try:
            found = maps.read(each.path)
            said = f"{len(found.controls)} controls{found.about and f', {found.about}'}"
        except ConfigError as error:
            said = f"cannot be read: {error}"
        typer.echo(f"{each.name:{width}}  {'yours' if each.own else 'ready'}  {said}")
    typer.echo(f"\nuse one:  --control midi:learn,map={known[0].name}\nyours are in {mapping.folder()}")


@app.command()
def show(name: NameArgument) -> None:
    """Show what each control does.

    Example:

        inkstream midi show nanokontrol2
    """
    from rich.table import Table

    from ..control import maps
    from .common import console

    known = maps.find(name)
    found = maps.read(known.path)
    table = Table(title=f"{name}: {found.about or known.path}", title_justify="left", box=None, pad_edge=False)
    for head in ("control", "address", "value or ends"):
        table.add_column(head)
    for each in found.controls:
        ends = " to ".join(f"{end:g}" for end in each.ends)
        table.add_row(str(each.control), f"/{each.address}", ends if each.value is None else str(each.value))
    console().print(table)


@app.command()
def forget(
    name: NameArgument,
    control: Annotated[
        str | None,
        typer.Argument(metavar="CONTROL", help='One control, as "cc 21 channel 1". [default: all]', show_default=False),
    ] = None,
) -> None:
    """Forget a map of yours, or what one control does. A run that uses it hears of it within seconds.

    Example:

        inkstream midi forget midi "cc 21 channel 1"
    """
    from ..control import maps

    typer.echo(maps.forget(name, control))
