"""``inkstream render``: a journal rendered again, exactly as it was or with another model, size or speed."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...base.options import (
    PICTURE,
    RUNNING,
    AdapterOption,
    JsonOption,
    ModelOption,
    PromptOption,
    SeedOption,
    SetOption,
    asked_for,
    check_writable,
)
from ...base.progress import note
from .common import exit_code, loaded, say_results, with_adapters
from .run import Narrator

if TYPE_CHECKING:
    from ...base.configfile import RunConfig
    from ...history.journal import Journal


def render(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What inkstream run --journal FILE recorded.")],
    sinks: Annotated[
        list[str] | None,
        typer.Option(
            "--sink",
            "-t",
            metavar="SINK",
            help="video:out.mp4, images:folder, animation:clip.webp or any other. Can be repeated.",
            show_default="video:inkstream-render.mp4",
        ),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(
            "--config",
            "-c",
            metavar="NAME|FILE",
            rich_help_panel=PICTURE,
            help="Render with another preset, file or kept picture than it was drawn with.",
        ),
    ] = None,
    model: ModelOption = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="WxH", rich_help_panel=PICTURE, help="Another size, for example 1024 or 1024x768."),
    ] = None,
    prompt: PromptOption = None,
    seed: SeedOption = None,
    sets: SetOption = None,
    adapter: AdapterOption = None,
    speed: Annotated[
        float, typer.Option(min=0.01, max=10_000, rich_help_panel=RUNNING, help="Times as fast: 20 is a time-lapse.")
    ] = 1.0,
    json: JsonOption = None,
) -> None:
    """Render again what was drawn, stroke by stroke and change by change.

    With nothing else asked for, the pictures are those that were seen, bit for bit on a CPU with the engine eager.
    With another preset or model only what belongs to who drew is taken from the journal: prompt, seed and influence,
    and when they changed. What is given here stays as it is given.

    Examples:

        inkstream run -s screen:window=Krita --journal tuesday.ink
        inkstream render tuesday.ink --sink video:tuesday.mp4
        inkstream render tuesday.ink --config sdxl-turbo --size 1024 --speed 20 --sink video:lapse.mp4
    """
    from ...base.frame import Size
    from ...history.journal import Journal, JournalSource
    from ...sinks import check_sink

    asked = sinks or ["video:inkstream-render.mp4"]
    check_writable(json, "--json")
    for sink in asked:
        check_sink(sink, "--sink")
    journal = Journal(file.expanduser())
    fixed = asked_for(sets, prompt, seed) | ({} if size is None else Size.parse(size)._asdict())
    chosen = with_adapters(_chosen(journal, config, model, fixed), adapter)
    names, other = {path.partition(".")[0] for path in fixed}, config is not None or model is not None
    from ...session.again import Again
    from ...session.session import Session

    if journal.lost:
        note(f"{file}: the disk did not keep up {journal.lost} times, so that pictures are missing there")
    with loaded(chosen) as stream:
        kept = True
        source = JournalSource(journal, speed)
        again = Again(stream, journal, source.taken, names, other)
        with ExitStack() as bars:
            session = Session(source, again, asked, on_status=Narrator(bars))
            try:
                session.run()
            finally:
                bars.close()
                if session.metrics.counter("frames_captured"):
                    kept = say_results(session, chosen, json)
        exit_code(session, fault=not kept)


def _chosen(journal: Journal, config: str | None, model: str | None, fixed: dict[str, Any]) -> RunConfig:
    """What the stream begins with. Raises ConfigError, DataError."""
    from ...base.configfile import from_recipe, load_config
    from ...history.journal import drawn_with

    first = journal.first
    if config is None:
        return from_recipe(first.recipe(), str(journal.path), fixed, model=model)
    return load_config(config, {**drawn_with(first.stream, fixed), **fixed}, model=model)
