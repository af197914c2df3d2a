"""What commands share: loading, and how results are said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ...base.metrics import IN_WORDS
from ...base.plain import reason
from ...base.progress import Progress, note, shown, silent
from ...base.signals import INTERRUPTED, saving
from ...base.spec import kind_of
from ...base.terminal import drain
from ..ahead import hurried, imported
from ..opening import behind

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from ...base.configfile import RunConfig
    from ...loop.stream import Stream
    from ...session.session import Session
    from ..opening import Preview

FAULT = 1  # exit code


def console(stderr: bool = False) -> Console:
    """A rich console for the output stream as it is now."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=True)


def check_kinds(source: str, sinks: list[str]) -> None:
    """Refuse a misspelt source or sink before a model is loaded for it; raises ConfigError."""
    from ...sinks import check_sink
    from ...sources import check_source

    check_source(source, "--source")
    for sink in sinks:
        check_sink(sink, "--sink")


def with_adapters(run: RunConfig, asked: list[str] | None) -> RunConfig:
    """The configuration with adapters that ``--adapter`` asked for, whose files are run now; raises ConfigError.

    One that the configuration names already stays where it stands there.
    """
    if not asked:
        return run
    from ....adapters.registry import trust

    named = {each.name for each in run.stream.adapters}
    new = [spec for spec in dict.fromkeys(map(trust, asked)) if spec not in named]
    stream = run.stream.changed(adapters=[*run.stream.adapters, *new])
    return run.model_copy(update={"stream": stream})


@contextmanager
def loaded(run: RunConfig, preview: Preview | None = None, also: Progress = silent) -> Iterator[Stream]:
    """The stream of a configuration, loaded with its progress shown on stderr, and closed at the end.

    Where there is a ``preview``, that shows the progress, too, and what goes wrong. ``also`` is told of it, too.
    """

    def load(progress: Progress) -> Stream:
        imported()
        from ...loop.stream import Stream

        def told(text: str, part: float | None = None) -> None:
            progress(text, part)
            also(text, part)

        return Stream.from_pretrained(run.model, run.stream, progress=told)

    with hurried(), shown(f"loading {run.model}", begins=True) as progress:
        stream = load(progress) if preview is None else behind(preview, load, progress)
    try:
        yield stream
    finally:
        stream.close()


def figures(summary: dict[str, Any]) -> Table:
    """What was measured, as a table: stages in milliseconds, and the counters that are not zero below."""
    from rich.table import Table

    counts = {name: value for name, value in summary.items() if type(value) is int and value}
    rate = f"{summary['unique_fps']:.1f} unique pictures a second" if summary["frames_rendered"] > 1 else ""
    if rate and summary["newest_wins"]:
        rate += f", {summary['emitted_fps']:.1f} shown a second"
    counted = ", ".join(f"{value:,} {IN_WORDS.get(name, name.replace('_', ' '))}" for name, value in counts.items())
    table = Table(caption="\n".join(filter(None, (rate, counted))), caption_justify="left", caption_style="")
    table.add_column("milliseconds")
    for name in ("count", "p50", "p95", "p99", "max"):
        table.add_column(name, justify="right")
    for stage, row in summary["stages"].items():
        if row["count"]:
            name = "end to end" if stage == "end_to_end" else stage
            values = [f"{row[key]:,.1f}" for key in ("p50_ms", "p95_ms", "p99_ms", "max_ms")]
            table.add_row(name, f"{row['count']:,}", *values, style="bold" if stage == "end_to_end" else None)
    return table


def say_results(session: Session, run: RunConfig, json: Path | None, more: dict[str, Any] | None = None) -> bool:
    """Write the figures of a session with the exact configuration that they belong to, and print them.

    Returns whether the file, if one was asked for, could be written; it says why where it could not.
    """
    import platform
    from importlib.metadata import version

    from ...base.files import json_bytes

    summary = session.summary()
    made = {
        "inkstream": version("inkstream"),
        "torch": version("torch"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "configuration": run.model_dump(mode="json"),
    }
    # Before anything is printed, because a terminal may not take it.
    kept = json is None or kept_as("figures", json, json_bytes({**made, **(more or {}), **summary})) is not None
    drain()
    if summary["frames_rendered"]:
        console().print(figures(summary))
    for sink, why in summary["dropped"].items():
        for line in why.split("\n"):  # of an error, which may have several
            note(f"{sink}: {line.removeprefix(f'{kind_of(sink)}: ')}")
    for sink, place in summary["kept"].items():
        note(f"{sink}: {place}")
    return kept


def kept_as(what: str, path: Path, data: bytes) -> Path | None:
    """Write a file that was asked for, under a free name, and say where it is; None, and why, where that fails."""
    from ...base.files import write_new

    try:
        with saving():
            free = write_new(path.expanduser(), data)
    except OSError as error:
        note(f"error: {what}: {path} cannot be written: {reason(error)}")
        return None
    note(f"{what}: {free}")
    return free


def exit_code(session: Session, fault: bool = False) -> None:
    """Leave with 130 when a signal ended the session, with 1 after a ``fault`` that was said."""
    if session.interrupted or fault:
        raise typer.Exit(INTERRUPTED if session.interrupted else FAULT)
