"""``inkstream train``: networks from pairs of drawings and pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ...base.errors import ConfigError
from ...base.progress import note, shown
from ...base.signals import INTERRUPTED

WHOLE, PROOF = "ink-tiny", "lcm-proof"
KINDS = (
    f"autoencoder, base, controlnet, lcm, lora, reader or upscaler; {WHOLE}: all of the embedded model, "
    f"one after the other; {PROOF}: a teacher and what is distilled from it, in one table"
)


def train(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"What is trained: {KINDS}.")],
    config: Annotated[
        str | None,
        typer.Option("--config", "-c", metavar="NAME|FILE", help="A YAML file, or one that ships: train_KIND."),
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change one setting, data.path=pairs for example."),
    ] = None,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="latest|STEP", help="Go on from a checkpoint of output_dir.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Take a few real steps, say what it will take, and keep nothing.")
    ] = False,
    show: Annotated[bool, typer.Option("--show", help="Print the whole configuration, and leave.")] = False,
    budget: Annotated[
        str, typer.Option("--budget", metavar="cpu|gpu", help="ink-tiny: the machine whose settings are taken.")
    ] = "cpu",
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", min=0, help="ink-tiny: minutes of training in all, shared out as in its settings."),
    ] = None,
) -> None:
    """Train a part of a model, or all of one, on pairs that inkstream prepare made or on rendered scenes.

    It can be stopped at any moment (Ctrl-C, or a lost machine) and goes on with --resume latest as if nothing had been.
    What comes out is in output_dir/model, in the layout of diffusers.

    Examples:

        inkstream train lora --config train_lora --set data.path=pairs --set output_dir=out --dry-run
        inkstream train lora --config train_style --set data.path=pairs
        inkstream train base --config my.yaml --resume latest
        inkstream train ink-tiny --budget cpu
        inkstream train ink-tiny --minutes 60 --set output_dir=smaller
    """
    if kind == WHOLE:
        _all_of_it(config, budget, minutes, sets, dry_run, show)
        return
    if minutes is not None:
        raise ConfigError(f"--minutes: got {kind}, expected {WHOLE}; elsewhere --set changes max_train_minutes")
    if kind == PROOF:
        _proof(config, sets, dry_run, show)
        return
    from ....lora.train.kinds import kind_of

    chosen = _chosen(config or f"train_{kind}", kind_of(kind), sets, show)
    if dry_run:
        _say_dry_run(chosen)
        return
    from ....lora.train.start import train as run

    with shown() as progress:
        finished = run(chosen, resume, say=_say, progress=progress)
    if finished.interrupted:
        raise typer.Exit(INTERRUPTED)


def _chosen(
    name: str, kind: Any, sets: list[str] | None, show: bool, change: Callable[[Any], Any] = lambda chosen: chosen
) -> Any:
    """The configuration with what was set on top, its folder checked; with ``show`` it is printed, and that is all."""
    from ....lora.train.config import read
    from ...base.configfile import dump_yaml, parse_set

    chosen = change(read(name, kind, dict(parse_set(text) for text in sets or [])))
    if show:
        typer.echo(dump_yaml(chosen, descriptions=True), nl=False)
        raise typer.Exit
    _check_folder(chosen.folder)
    return chosen


def _all_of_it(
    config: str | None, budget: str, minutes: float | None, sets: list[str] | None, dry_run: bool, show: bool
) -> None:
    """Every training of the embedded model. What is done is not done again, so that there is nothing to resume."""
    from ....lora.train.course import BUDGETS, CourseConfig, plan, within
    from ....lora.train.course import train as run

    if budget not in BUDGETS:
        raise ConfigError(f"--budget: got {budget!r}, expected one of: {', '.join(BUDGETS)}")
    change = lambda course: course if minutes is None else within(course, minutes)
    chosen = _chosen(config or f"train_{WHOLE}_{budget}", CourseConfig, sets, show, change)
    if dry_run:
        for line in plan(chosen):
            typer.echo(line)
        return
    with shown() as progress:
        model = run(chosen, say=_say, progress=progress)
    if model is None:
        raise typer.Exit(INTERRUPTED)


def _proof(config: str | None, sets: list[str] | None, dry_run: bool, show: bool) -> None:
    from rich.console import Console

    from ....lora.evaluate.distilled import table
    from ....lora.train.lcm_proof import ProofConfig, parts_of
    from ....lora.train.lcm_proof import train as run

    chosen = _chosen(config or f"train_{PROOF}", ProofConfig, sets, show)
    if dry_run:
        for part in parts_of(chosen):
            typer.echo(part.line)
        return
    with shown() as progress:
        result = run(chosen, say=_say, progress=progress)
    if result is None:
        raise typer.Exit(INTERRUPTED)
    Console().print(table(result))


def _say(line: str) -> None:
    """One line with the time of day, on stderr."""
    import time

    note(f"{time.strftime('%H:%M:%S')} {line}")


def _say_dry_run(config: Any) -> None:
    from ....lora.train.report import dry_run as measure

    with shown() as progress:
        report = measure(config, progress)
    for line in report.lines():
        typer.echo(line)


def _check_folder(folder: Path) -> None:
    """Refuse an output folder that is a file, before anything is loaded."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"output_dir: got {str(folder)!r}, which is a file; expected a folder or a new name")
