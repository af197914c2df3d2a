"""What commands share: options, loading, and how results are said."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...base.errors import ConfigError
from ...base.signals import INTERRUPTED

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from ...base.configfile import RunConfig
    from ...loop.stream import Stream
    from ...session.session import Session

PICTURE = "What is drawn"
RUNNING = "How long"
RESULTS = "Results"

_spoke = time.monotonic()

ConfigOption = Annotated[
    str,
    typer.Option(
        "--config",
        "-c",
        metavar="NAME|FILE",
        rich_help_panel=PICTURE,
        help="A preset (inkstream config list) or a YAML file.",
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        rich_help_panel=PICTURE,
        help="Another model: a folder, a hub id, a .safetensors file, or an embedded one.",
    ),
]
PromptOption = Annotated[str | None, typer.Option("--prompt", "-p", rich_help_panel=PICTURE, help="What it shows.")]
SeedOption = Annotated[int | None, typer.Option(min=0, rich_help_panel=PICTURE, help="Seed of the fixed noise.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        rich_help_panel=PICTURE,
        help="Change one setting, for example guidance_scale=1.4 or controlnets.0.conditioning_scale=0.5. "
        "Can be repeated; inkstream config show lists them all.",
    ),
]
JsonOption = Annotated[
    Path | None,
    typer.Option(
        "--json", metavar="FILE", dir_okay=False, rich_help_panel=RESULTS, help="Write the figures to a file, too."
    ),
]


def console(stderr: bool = False) -> Console:
    """A rich console for the output stream as it is now."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=True)


def note(text: str) -> None:
    """Say something that is not a result, on stderr."""
    global _spoke
    _spoke = time.monotonic()
    typer.echo(text, err=True)


def silence() -> float:
    """Seconds since the last ``note``."""
    return time.monotonic() - _spoke


def load_run(
    config: str,
    sets: list[str] | None = None,
    *,
    model: str | None = None,
    prompt: str | None = None,
    seed: int | None = None,
) -> RunConfig:
    """The configuration with everything that was asked for on top; raises ConfigError."""
    from ...base.configfile import load_config, parse_set

    overrides = dict(parse_set(text) for text in sets or [])
    overrides |= {name: value for name, value in (("prompt", prompt), ("seed", seed)) if value is not None}
    return load_config(config, overrides, model=model)


def check_writable(path: Path | None, option: str) -> None:
    """Refuse a file that could not be written, before an hour of work depends on it; raises ConfigError."""
    if path is None:
        return
    folder = path.expanduser().absolute().parent
    if not folder.is_dir():
        raise ConfigError(f"{option}: got {str(path)!r}, but there is no folder {folder}; make it first")
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"{option}: got {str(path)!r}, but {folder} cannot be written to; choose another folder")


def check_kinds(source: str, sinks: list[str]) -> None:
    """Refuse a misspelt source or sink before a model is loaded for it; raises ConfigError."""
    from ...base.spec import parse_spec
    from ...sinks import KINDS as SINKS
    from ...sources import KINDS as SOURCES

    for option, text, kinds in [("--source", source, SOURCES), *(("--sink", sink, SINKS) for sink in sinks)]:
        if parse_spec(text).kind not in kinds:
            raise ConfigError(f"{option}: got {text!r}, expected one of: {', '.join(kinds)}")


@contextmanager
def loaded(run: RunConfig) -> Iterator[Stream]:
    """The stream of a configuration, loaded with its progress shown on stderr, and closed at the end."""
    from ...loop.stream import Stream

    screen = console(stderr=True)
    with screen.status(f"loading {run.model}") as status:

        def progress(text: str, part: float | None = None) -> None:
            status.update(text if part is None else f"{text} {part:4.0%}")

        stream = Stream.from_pretrained(run.model, run.stream, progress=progress)
    try:
        yield stream
    finally:
        stream.close()


def figures(summary: dict[str, Any]) -> Table:
    """What was measured, as a table: stages in milliseconds, and the counters that are not zero below."""
    from rich.table import Table

    counts = {name: value for name, value in summary.items() if isinstance(value, int) and value}
    caption = [f"{summary['unique_fps']:.1f} unique pictures a second, {summary['emitted_fps']:.1f} shown a second"]
    caption.append(", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in counts.items()))
    table = Table(caption="\n".join(filter(None, caption)), caption_justify="left", caption_style="")
    table.add_column("milliseconds")
    for name in ("count", "p50", "p95", "p99", "max"):
        table.add_column(name, justify="right")
    for stage, row in summary["stages"].items():
        if row["count"]:
            name = "end to end" if stage == "end_to_end" else stage
            values = [f"{row[key]:,.1f}" for key in ("p50_ms", "p95_ms", "p99_ms", "max_ms")]
            table.add_row(name, f"{row['count']:,}", *values, style="bold" if stage == "end_to_end" else None)
    return table


def say_results(session: Session, run: RunConfig, json: Path | None, more: dict[str, Any] | None = None) -> None:
    """Print the figures of a session, and write them with the exact configuration that they belong to."""
    import platform
    from importlib.metadata import version

    from ...base.files import write_json

    summary = session.summary()
    screen = console()
    screen.print(figures(summary))
    for sink, reason in summary["dropped"].items():
        note(f"{sink}: {reason}")
    if json is None:
        return
    made = {
        "inkstream": version("inkstream"),
        "torch": version("torch"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "configuration": run.model_dump(mode="json"),
    }
    try:
        write_json(json.expanduser(), {**made, **(more or {}), **summary})
    except OSError as error:
        raise ConfigError(f"--json: {json} cannot be written: {error.strerror or error}") from error
    note(f"figures: {json}")


def exit_code(session: Session) -> None:
    """Leave with 130 when a signal ended the session."""
    if session.interrupted:
        raise typer.Exit(INTERRUPTED)
