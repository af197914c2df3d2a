"""``inkstream history``: the last minutes of live sessions, to look through and to keep from."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...base.errors import ConfigError
from ...base.progress import note, shown
from ...base.terminal import drain
from .common import console, kept_as
from .models import megabytes

if TYPE_CHECKING:
    from ...history.store import Rewind, Seen

app = typer.Typer(no_args_is_help=True, help="The last ten minutes of every live session, and how to keep from them.")
ON_A_SHEET = 24
NumberArgument = Annotated[
    int, typer.Argument(metavar="[N]", min=1, help="Which session, by its number in history list; 1 is the newest.")
]


@app.command("list")
def list_all() -> None:
    """List the sessions that were recorded, the newest first: when, how many pictures, and of what."""
    from rich.table import Table

    from ...history.store import history_folder, sessions

    found = sessions()
    if not found:
        note(f"nothing is recorded in {history_folder()} yet; inkstream run records live sessions there")
        return
    table = Table("", "began", "lasted", "pictures", "size", "prompts")
    for number, rewind in enumerate(found, 1):
        began = "" if rewind.began is None else f"{rewind.began:%Y-%m-%d %H:%M:%S}"
        prompts = ", ".join(rewind.prompts[:3]) + (", ..." if len(rewind.prompts) > 3 else "")
        row = (str(number), began, _clock(rewind.seconds), f"{len(rewind):,}", megabytes(rewind.size), prompts)
        table.add_row(*map(_plain, row))
    drain()
    console().print(table)


@app.command()
def show(
    number: NumberArgument = 1,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The page, a PNG; a free name beside it if taken.")
    ] = Path("inkstream-history.png"),
) -> None:
    """Put pictures of a session on one page, from its beginning to its end, with time and prompt below each.

    Example:

        inkstream history show 2 -o tuesday.png
    """
    from ...base.files import png
    from ...base.frame import Size, place
    from ..contact_sheet import contact_sheet
    from ..showcase import SIDE, Shot

    rewind = _session(number)
    count = min(ON_A_SHEET, len(rewind))
    last = len(rewind) - 1
    chosen = [last - round(index * last / max(1, count - 1)) for index in range(count)]  # the oldest first
    shots = []
    for seen in (rewind.get(index) for index in chosen):
        if seen is not None:
            drawing = seen.render if seen.input is None else seen.input
            scale = SIDE / max(Size.of(seen.render))
            size = Size(*(max(1, round(side * scale)) for side in Size.of(seen.render)))
            sketch, render = (place(Size.of(each), size, "stretch").apply(each) for each in (drawing, seen.render))
            shots.append([Shot(sketch, render, _prompt(seen), None, _clock(seen.at))])
    if not shots:
        raise ConfigError(f"history: session {number} was let go of meanwhile; see: inkstream history list")
    title = f"{len(rewind):,} pictures in {_clock(rewind.seconds)}"
    title += "" if rewind.began is None else f", {rewind.began:%Y-%m-%d %H:%M}"
    if kept_as("page", output, png(contact_sheet(shots, title))) is None:
        raise typer.Exit(1)


@app.command()
def export(
    number: NumberArgument = 1,
    sink: Annotated[
        str,
        typer.Option(
            "--sink",
            "-t",
            metavar="SINK",
            help="images:folder (PNGs with their recipes; input=1 for drawings), video:out.mp4 or animation:out.webp.",
        ),
    ] = "images:inkstream-history",
) -> None:
    """Write the pictures of a session to files, in their order and at their times.

    Examples:

        inkstream history export 1 --sink images:tuesday,input=1
        inkstream history export 1 --sink video:tuesday.mp4
    """
    from ...base.frame import Origin, Size
    from ...sinks import Status, check_sink, open_sink

    check_sink(sink, "--sink")
    rewind = _session(number)
    opened = open_sink(sink)
    count, written, before = len(rewind), 0, -1.0
    if not getattr(opened, "stores", False):
        opened.close()
        raise ConfigError(f"--sink: got {sink!r}, expected one that keeps pictures: images, video or animation")
    try:
        with shown("writing") as progress:
            for index in reversed(range(count)):
                seen = rewind.get(index)
                if seen is None:
                    continue
                before = max(seen.at, before + 0.001)  # times of files always rise
                origin = Origin(live=False, time=before, done=(count - index) / count)
                opened.write(seen.output(origin), Status(size=Size.of(seen.render), newest_wins=False))
                written += 1
                progress("writing", (count - index) / count)
    finally:
        opened.close()
    note(f"{sink}: {written:,} pictures in {getattr(opened, 'path', '')}")


@app.command()
def clear(yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Remove everything that was recorded. What was exported or kept stays."""
    from ...history.store import clear as remove
    from ...history.store import history_folder, sessions

    found = sessions()
    if found and not yes:
        size = megabytes(sum(rewind.size for rewind in found))
        typer.confirm(f"Remove {len(found)} sessions, {size}, from {history_folder()}?", abort=True)
    with contextlib.suppress(FileNotFoundError):
        typer.echo(f"{remove()} sessions removed")


def _session(number: int) -> Rewind:
    from ...history.store import sessions

    found = sessions()
    if number > len(found):
        have = f"1 to {len(found)}" if found else "a live session of inkstream run to be recorded first"
        raise ConfigError(f"history: got session {number}, expected {have}; see: inkstream history list")
    return found[number - 1]


def _prompt(seen: Seen) -> str:
    from ...base.blends import texts_of

    return ", ".join(texts_of(seen.making.stream.prompt))


def _clock(seconds: float) -> str:
    """Seconds as people read them: 0:07, 12:30."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _plain(text: str) -> str:
    """Text of a file, for a table of rich."""
    from rich.markup import escape

    from ...base.plain import plain

    return escape(plain(text.replace("\n", " "), 120))
