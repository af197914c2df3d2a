"""``inkstream palette``: the colours that stand for things, on the screen and as swatches for paint programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...base.errors import ConfigError
from .common import FAULT, console, kept_as

if TYPE_CHECKING:
    from ....adapters.palettes import Rgb

app = typer.Typer(no_args_is_help=True, help="Colours that stand for things, and swatches of them for paint programs.")


@app.command()
def show(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A palette. [default: all, in a line each]", show_default=False)
    ] = None,
) -> None:
    """List the palettes, or the classes of one with their colours.

    A thing is painted in its first colour, another one of the same class that touches it in the second.

    Example:

        inkstream palette show ade20k
    """
    from rich.table import Table

    from ....adapters.palettes import ABOUT, NAMES, open_palette

    if name is None:
        width = max(map(len, NAMES))
        for each in NAMES:
            typer.echo(f"{each:{width}}  {ABOUT[each]}")
        return
    palette = open_palette(name)
    table = Table(title=f"{name}: {ABOUT[name]}", title_justify="left", box=None, pad_edge=False)
    for head in ("", "class", "paint", "another", "what the network reads"):
        table.add_column(head, justify="right" if not head else "left")
    for thing in palette.things:
        shown = (_swatch(colour) for colour in (thing.paint, thing.second, thing.network))
        table.add_row(str(thing.number), thing.name, *shown)
    console().print(table)


@app.command()
def export(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A palette: inkstream palette show lists them.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the files go.", file_okay=False)] = Path(),
    formats: Annotated[
        str, typer.Option("--formats", metavar="gpl,aco,ase,png", help="Which files to write.")
    ] = "gpl,aco,ase,png",
) -> None:
    """Write the swatches of a palette, with names, for paint programs.

    .gpl for GIMP, Krita, MyPaint and Inkscape, .aco and .ase for Photoshop and its like, .png to pick colours from in
    any program.

    Example:

        inkstream palette export ink-tiny ~/palettes
    """
    from ....adapters.palettes import open_palette
    from ....adapters.palettes.swatches import FORMATS

    palette = open_palette(name)
    wanted = list(dict.fromkeys(part.strip().lower() for part in formats.split(",")))
    strange = [each for each in wanted if each not in FORMATS]
    if strange:
        raise ConfigError(f"--formats: got {strange[0]!r}, expected some of: {', '.join(FORMATS)}, with commas between")
    folder = folder.expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror or error}; give a folder that you may write to") from error
    kept = [kept_as(each, folder / f"inkstream-{name}.{each}", FORMATS[each](palette)) for each in wanted]
    if None in kept:
        raise typer.Exit(FAULT)


def _swatch(colour: Rgb) -> str:
    text = "#{:02x}{:02x}{:02x}".format(*colour)
    return f"[on {text}]    [/] {text}"
