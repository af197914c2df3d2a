"""``inkstream engines``: which engines run here, and what is kept of those that were built."""

from __future__ import annotations

import time
from textwrap import shorten
from typing import TYPE_CHECKING, Annotated

import typer

from .common import console
from .models import megabytes

if TYPE_CHECKING:
    from ....engines.cache import KeptEngine

app = typer.Typer(no_args_is_help=True, help="Engines that run here, and those that were built.")
DAY = 86400.0
FolderOption = Annotated[
    str | None,
    typer.Option("--dir", metavar="FOLDER", help="Where they are kept, if not in the user's cache (engine_dir)."),
]


@app.command("list")
def list_all(folder: FolderOption = None) -> None:
    """List the engines and what each lacks here, and everything that was built."""
    from rich.table import Table

    from .... import engines
    from ....engines.cache import EngineCache

    screen = console()
    known = Table("engine", "on this computer")
    for engine in engines.engines():
        known.add_row(engine.name, engine.why_not or "runs")
    screen.print(known)
    cache = EngineCache(folder)
    entries = cache.entries()
    if not entries:
        screen.print(f"nothing was built yet in {cache.folder}", markup=False)
        return
    table = Table(*("size", "last used", "built", "for", "in", "with", "on"))
    for entry in sorted(entries, key=lambda entry: -entry.used_at):
        table.add_row(megabytes(entry.size), _age(time.time() - entry.used_at), *_row(entry))
    screen.print(table)
    for entry in entries:
        reason = entry.unknown or _why_not(entry)
        if reason:
            screen.print(f"{entry.path.name}: {reason}", markup=False)
    total = megabytes(sum(entry.size for entry in entries))
    screen.print(f"{len(entries)} files, {total}, in {cache.folder}", markup=False)


@app.command()
def prune(
    everything: Annotated[bool, typer.Option("--all", help="Remove everything that was built.")] = False,
    older_than: Annotated[
        float | None,
        typer.Option("--older-than", min=0.0, metavar="DAYS", help="Remove what was not used for so many days."),
    ] = None,
    keep: Annotated[
        float | None,
        typer.Option(min=0.0, metavar="GB", help="Remove what was not used for longest, until so much is left."),
    ] = None,
    folder: FolderOption = None,
) -> None:
    """Remove what was built and cannot be used here: damaged, from elsewhere, or for another GPU or version.

    What a build that was interrupted left behind goes too. Whatever is removed is built again when it is needed.

    Example:

        inkstream engines prune --older-than 30 --keep 20
    """
    from ....engines.cache import EngineCache

    removed = EngineCache(folder).prune(
        everything=everything,
        older_than=None if older_than is None else older_than * DAY,
        keep_bytes=None if keep is None else int(keep * 1e9),
        unusable=_why_not,
    )
    for entry in removed:
        typer.echo(f"removed {entry.path.name}")
    typer.echo(f"{len(removed)} files, {megabytes(sum(entry.size for entry in removed))}")


def _why_not(entry: KeptEngine) -> str:
    from ....engines.trt.engine import unusable

    return entry.fault or unusable(entry)


def _row(entry: KeptEngine) -> list[str]:
    """What a file is, as the table shows it."""
    parts = entry.parts
    if not parts:
        return ["unusable", "", "", "", ""]
    built = " + ".join([str(parts["unit"]), *(f"LoRA {name}" for name in parts["loras"])])
    count = parts["controlnets"]
    controlnets = f" + {count} ControlNet{'s' if count > 1 else ''}" if count else ""
    rest = (entry.notes.get("size", parts["profile"]), parts["precision"], parts["library"], parts["device"])
    return [f"{built}{controlnets}", *(shorten(str(text), 28, placeholder="...") for text in rest)]


def _age(seconds: float) -> str:
    """A time ago, as people say it."""
    for unit, length in (("day", DAY), ("hour", 3600.0), ("minute", 60.0)):
        count = int(seconds // length)
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "now"
