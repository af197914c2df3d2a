"""``inkstream prepare``: pairs to train on, made from a folder of one's own pictures."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...base.errors import ConfigError
from ...base.progress import note, shown
from .common import console

if TYPE_CHECKING:
    from ....lora.data.prepare import Summary

MOST_NAMED = 20
SKETCHES = "Sketches"
CAPTIONS = "Captions"
CHOICE = "Which pictures"


def prepare(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the pictures are; folders in it count, too.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="A new folder, or one that this made before.")
    ],
    size: Annotated[int, typer.Option(help="Side of pictures and sketches in pixels.")] = 512,
    centre: Annotated[
        bool, typer.Option("--centre/--no-centre", help="Bring what stands on a plain background to the middle.")
    ] = True,
    seed: Annotated[int, typer.Option(help="Of everything that is left to chance.")] = 0,
    lines: Annotated[
        str,
        typer.Option(
            metavar="A,B",
            rich_help_panel=SKETCHES,
            help="How lines are found: canny, xdog, softedge, lineart; each sketch takes one of those named at random.",
        ),
    ] = "canny,xdog,softedge",
    strengths: Annotated[
        str,
        typer.Option(
            "--hand",
            metavar="A,B",
            rich_help_panel=SKETCHES,
            help="How far the drawing hand errs, 0 (exact lines) to 4; each sketch takes one at random.",
        ),
    ] = "0,0.5,1",
    sketches: Annotated[int, typer.Option(rich_help_panel=SKETCHES, help="Sketches of each picture.")] = 2,
    early: Annotated[
        tuple[int, str] | None,
        typer.Option(
            metavar="STEPS MODEL",
            rich_help_panel=SKETCHES,
            help="Take half of the sketches from what this model makes of the picture when it is stopped after STEPS.",
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(metavar="NAME", rich_help_panel=SKETCHES, help="Where models run: auto, cpu, cuda, mps.")
    ] = "auto",
    captions: Annotated[
        list[str] | None,
        typer.Option(
            "--caption",
            metavar="TEXT",
            rich_help_panel=CAPTIONS,
            help="For pictures without a .txt or .caption file, for example '{structure}[ of {color}][ made of "
            "{material}]'; what is in brackets may be unknown. Can be repeated.",
        ),
    ] = None,
    grammar: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", dir_okay=False, rich_help_panel=CAPTIONS, help="More of them, and their words, in YAML."
        ),
    ] = None,
    prompts: Annotated[int, typer.Option(rich_help_panel=CAPTIONS, help="Captions of each picture, at most.")] = 3,
    keep: Annotated[
        float,
        typer.Option(rich_help_panel=CHOICE, help="Share of each class that stays, the best of it; 0.65 is usual."),
    ] = 1.0,
    validation: Annotated[
        float, typer.Option(rich_help_panel=CHOICE, help="Share of the pictures that is kept apart for validation.")
    ] = 0.05,
) -> None:
    """Make pairs of sketch, picture and captions from a folder of pictures.

    A picture's captions are the lines of the .txt or .caption file beside it. Without one they are made from what is
    known: a .json file beside it ({"material": "brick"}), words in the names of file and folders, the main colour;
    where nothing is, it is "a picture". A drawing of a picture, house.sketch.png for house.jpg, is taken off its paper
    and used as it is. Interrupted, run it again: it goes on where it was. Pictures that are added later keep what is
    there where it is.

    Examples:

        inkstream prepare photos --output pairs
        inkstream prepare photos -o pairs --keep 0.65 --caption "a photo of a [{color} ]{structure}"
        inkstream prepare photos -o pairs --early 2 ink-tiny
    """
    from ....lora.data import prepare as work
    from ....lora.data.captions import Grammars
    from ....lora.data.quality import cached_pickscore

    recipe = work.Preparation(
        size=size,
        lines=_names(lines),
        strengths=_numbers(strengths),
        sketches=sketches,
        prompts=prompts,
        validation=validation,
        keep=keep,
        centre=centre,
        seed=seed,
        grammars=Grammars.of(captions or (), grammar),
    )
    work.find_pictures(folder.expanduser(), output.expanduser())  # before a model is loaded for them
    with ExitStack() as opened:
        progress = opened.enter_context(shown())
        settings: dict[str, Any] = {"score": cached_pickscore(device)}
        if early is not None:
            from ....lora.data.early import Early

            maker = opened.enter_context(closing(Early(early[1], early[0], size, device, progress)))
            settings |= {"early": maker, "early_name": f"{early[0]} {early[1]}"}
        try:
            summary = work.prepare(folder, output, recipe, progress=progress, **settings)
        except KeyboardInterrupt:
            note(f"what is done is kept in {output}; run the same command again to go on")
            raise
    _say(summary, output)


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in text.split(","))))


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in _names(text))
    except ValueError:
        raise ConfigError(f"--hand: got {text!r}, expected numbers with commas between, for example 0,0.5,1") from None


def _pictures(count: int) -> str:
    return "1 picture is" if count == 1 else f"{count:,} pictures are"


def _say(summary: Summary, output: Path) -> None:
    from rich.table import Table

    if summary.by_name:
        note(f"{_pictures(summary.by_name)} called what the file or folder is called, as there is no caption beside")
    if summary.unknown:
        note(
            f"{_pictures(summary.unknown)} called 'a picture', and by colour, as neither a caption nor a name says "
            "what is shown; NAME.txt beside NAME.jpg, or --caption 'a sentence', says it"
        )
    for _, _, reason in summary.dropped[:MOST_NAMED]:
        note(f"left out: {reason}")
    if len(summary.dropped) > MOST_NAMED:
        note(f"and {len(summary.dropped) - MOST_NAMED} more")
    table = Table("pictures", title=str(output))
    table.add_column("", justify="right")
    table.add_row("kept", f"{summary.pictures:,}", style="bold")
    for why, count in summary.reasons.most_common():
        table.add_row(f"left out: {why}", f"{count:,}")
    table.add_section()
    for split, count in summary.pairs.items():
        table.add_row(f"pairs in {split}", f"{count:,}")
    table.caption = f"quality by {summary.score}; what was kept and left out, and why: {output / 'prepare.json'}"
    console().print(table)
