"""``inkstream scenes``: scenes to train on, rendered ahead by a path tracer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ...base.errors import ConfigError
from ...base.progress import note, shown

app = typer.Typer(no_args_is_help=True, help="Scenes to train on: cars, buildings, landscapes and things.")


@app.callback()
def _scenes() -> None:
    """A callback keeps the word ``render``, of which there is one only."""


@app.command()
def render(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="A new folder, or one that this began before.")
    ],
    count: Annotated[int, typer.Option(min=1, help="How many scenes.")] = 4000,
    size: Annotated[int, typer.Option(help="Side of the pictures in pixels, a multiple of 8.")] = 512,
    kind: Annotated[
        str | None, typer.Option(metavar="KIND", help="Only car, building, landscape or thing; without it all of them.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the first scene; the others follow.")] = 0,
    drawings: Annotated[int, typer.Option(min=1, max=64, help="Drawings of each scene.")] = 3,
    painter: Annotated[
        str, typer.Option(metavar="NAME", help="traced, by Blender's path tracer, or fast, by inkstream itself.")
    ] = "traced",
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Processes, with one thread each. [default: one for each core]")
    ] = None,
) -> None:
    """Render scenes into a folder that trainings read: pictures, exact lines, classes, drawings and captions.

    It can be interrupted, or killed, at any moment: run again it goes on where it was, and in the end nobody can tell.
    A finished folder can be moved to another computer, which needs no Blender to train on it.

    Examples:

        inkstream scenes render --count 4000 --size 512 --output traced
        inkstream scenes render --count 500 --kind car -o cars
        inkstream train base --set data.path=traced --set data.scenes=4000 --set data.size=512 --set data.painter=traced
    """
    from ....lora.data.cache import SceneCache

    if size % 8:
        raise ConfigError(f"--size: got {size}, expected a multiple of 8, which networks can take")
    began = time.monotonic()
    with shown("rendering scenes", remaining=True) as progress:
        try:
            cache = SceneCache(
                output,
                seed,
                count,
                size,
                drawings=drawings,
                painter=painter,
                kind=kind,
                workers=workers,
                progress=progress,
            )
        except KeyboardInterrupt:
            note(f"what is rendered is kept in {output}; run the same command again to go on")
            raise
    minutes = (time.monotonic() - began) / 60
    settings = f"data.path={output} data.scenes={len(cache)} data.size={size} data.painter={painter}"
    settings += f" data.scenes_seed={seed}" if seed else ""
    typer.echo(f"{len(cache)} scenes are in {output}, after {minutes:.1f} minutes; train on them with: {settings}")
