"""``inkstream finish``: a kept picture at its best, in more steps and larger."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...base.errors import ConfigError
from ...base.options import check_writable
from ...base.progress import note, shown
from .common import kept_as

if TYPE_CHECKING:
    import numpy as np

    from ...finish.still import Kept


def finish(
    picture: Annotated[
        Path | None,
        typer.Argument(metavar="[PICTURE.png]", help="A picture that inkstream kept, its drawing beside it."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The finished picture, a PNG; a free name beside it if taken.",
            show_default="PICTURE-2x.png",
        ),
    ] = None,
    scale: Annotated[int, typer.Option(metavar="1|2|4", help="Times as large on each side.")] = 2,
    steps: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="Steps of the still, or of its tiles.", show_default="the model's best"),
    ] = None,
    session: Annotated[
        int | None,
        typer.Option(
            "--history", metavar="N", min=1, help="In place of a file: a picture of this session of inkstream history."
        ),
    ] = None,
    back: Annotated[
        int, typer.Option(min=0, metavar="K", help="With --history: so many pictures before its newest.")
    ] = 0,
) -> None:
    """Make the still at its best of a picture that was kept: in more steps, and two or four times as large.

    The embedded model brings a small upscaler of its own. Any other model paints the enlarged picture anew in tiles
    that overlap, steered by the drawing. Ctrl-C ends it, and leaves nothing behind.

    Examples:

        inkstream finish inkstream-output/20310203-120000-a-red-sedan-car.png
        inkstream finish picture.png --scale 4 -o poster.png
        inkstream finish --history 1 --back 20
    """
    if (picture is None) == (session is None):
        raise ConfigError("finish: expected one picture: a file, or --history N for one of the last ten minutes")
    check_writable(output, "--output")
    if picture is not None:
        kept, more = _of_file(picture.expanduser())
        target = output or picture.with_name(f"{picture.stem}-{scale}x.png")
    else:
        kept, more, name = _of_history(session or 1, back)
        target = output or Path(f"{name}-{scale}x.png")
    check_writable(target, "-o")
    from ....lora.load import load_pipeline
    from ...base.kept import png_with
    from ...finish.still import check, finish, to_load

    check(kept, scale, steps)
    if not kept.making.model:
        raise ConfigError(f"{picture or 'history'}: got a recipe without a model, expected one of inkstream run")
    if kept.drawing is None:
        note("no drawing is beside it (NAME-input.png), so the picture is enlarged as it is")
    with shown(f"loading {kept.making.model}", remaining=True) as progress:
        pipe = load_pipeline(kept.making.model, to_load(kept.making.stream), progress)
        still = finish(pipe, kept, scale, steps, progress)
    if kept_as("finished", target, png_with(still.pixels, still.recipe(**more))) is None:
        raise typer.Exit(1)


def _of_file(path: Path) -> tuple[Kept, dict[str, Any]]:
    """A kept picture with what lies beside it; raises ConfigError."""
    from ...base.frame import Size
    from ...base.kept import read_recipe
    from ...base.making import Making
    from ...finish.still import Kept

    recipe = read_recipe(path)
    try:
        making = Making.of(recipe)
    except ConfigError as error:
        raise ConfigError(*error.after(f"{path}: ")) from error
    known = recipe.get("picture")
    said = known.get("input") if isinstance(known, dict) else None
    names = [said] if isinstance(said, str) and Path(said).name == said else []
    beside = (path.with_name(name) for name in (*names, f"{path.stem}-input.png"))
    drawing = next((each for each in beside if each.is_file()), None)
    kept = Kept(_read(path), None if drawing is None else _read(drawing), making)
    got, wanted = Size.of(kept.render), Size(making.stream.width, making.stream.height)
    if got != wanted:
        done = isinstance(known, dict) and "finished" in known
        hint = "it is finished already" if done else "another program has changed it"
        raise ConfigError(
            f"{path}: got {got} pixels, its recipe says {wanted}: {hint}; name the picture as it was kept"
        )
    return kept, {"of": path.name}


def _of_history(number: int, back: int) -> tuple[Kept, dict[str, Any], str]:
    """A picture of the last ten minutes, and a name for it; raises ConfigError, DataError."""
    from datetime import datetime

    from ...base.kept import name_of
    from ...finish.still import Kept
    from ...history.store import sessions

    found = sessions()
    if number > len(found):
        have = f"1 to {len(found)}" if found else "a live session of inkstream run to be recorded first"
        raise ConfigError(f"--history: got session {number}, expected {have}; see: inkstream history list")
    rewind = found[number - 1]
    if back >= len(rewind):
        raise ConfigError(
            f"--back: got {back}, expected 0 to {len(rewind) - 1}: the session has {len(rewind)} pictures"
        )
    seen = rewind.get(back)
    if seen is None:
        raise ConfigError(f"--history: session {number} was let go of meanwhile; see: inkstream history list")
    name = name_of(seen.time or datetime.now(), seen.output())
    return Kept(seen.render, seen.input, seen.making), {"of": f"history {rewind.session.name}", "at": seen.at}, name


def _read(path: Path) -> np.ndarray:
    from ...base.errors import FrameError
    from ...base.pictures import read_picture

    try:
        return read_picture(path)
    except FrameError as error:
        raise ConfigError(f"{path}: {error}") from error
