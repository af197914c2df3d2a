"""What every bench does with its result: show it, write it, draw it, keep it, and hold it against an older one.

A bench is a module with a ``Bench`` of its own and the functions ``measure``, ``table``, ``draw`` and ``main``, the
command of ``inkstream bench``.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table

from ..stream.base.config import StreamConfig
from ..stream.base.files import write_json
from ..stream.base.options import RESULTS, JsonOption, check_writable
from ..stream.base.progress import shown
from ..stream.base.results import Result, machine_name, result_of
from . import _plot
from .models import chosen_models
from .older import changes_table, read_result

KEPT = Path("bench") / "results"

PlotOption = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE.png", dir_okay=False, rich_help_panel=RESULTS, help="Draw the figures."),
]
CompareOption = Annotated[
    Path | None,
    typer.Option(
        "--compare",
        metavar="OLD.json",
        dir_okay=False,
        rich_help_panel=RESULTS,
        help="Say what became faster and slower since an older --json file.",
    ),
]
KeepOption = Annotated[
    bool,
    typer.Option("--keep", rich_help_panel=RESULTS, help=f"Keep figures and plot under {KEPT.as_posix()}/<machine>/."),
]


@dataclass(frozen=True)
class Bench:
    """A bench by its name, and what its rows hold.

    ``keys`` are the fields that say what a row is about, ``figures`` those that were measured, each with ``less`` or
    ``more``: which is better.
    """

    name: str
    keys: tuple[str, ...]
    figures: dict[str, str]

    def begin(self, configuration: dict[str, Any], device: torch.device | str) -> Result:
        """A result without rows, made before anything is measured."""
        return result_of(self.name, configuration, device, self.keys, self.figures)

    def command(
        self, table: Callable[[Result], Table], draw: Callable[[Result], Any]
    ) -> Callable[[Callable[..., Result]], Callable[..., None]]:
        """Make a command of a function that measures; ``typer`` makes options of what both take.

        The function may take ``models``, which are chosen by ``--config, --shape, --set``; it takes ``progress``, which
        is shown on stderr, and gives a result. That is shown by ``table``, which makes a table for people, drawn by
        ``draw``, which makes a figure of matplotlib, and published as ``Wanted`` says. What could not be done in the
        end is refused with ConfigError before anything is measured.
        """

        def decorate(run: Callable[..., Result]) -> Callable[..., None]:
            taken = _parameters(run)
            more, chosen = _parameters(Wanted), _parameters(chosen_models) if "models" in taken else {}

            @functools.wraps(run)
            def main(**options: Any) -> None:
                wanted = Wanted(**{name: options.pop(name) for name in more})
                if chosen:
                    options["models"] = chosen_models(**{name: options.pop(name) for name in chosen})
                with shown(self.name) as progress:
                    result = run(**options, progress=progress)
                wanted.publish(result, table(result), draw)

            own = {name: each for name, each in taken.items() if name not in ("models", "progress")}
            # ``inspect.signature``, and so typer, looks there first.
            vars(main)["__signature__"] = inspect.Signature([*(chosen | own | more).values()])
            return main

        return decorate


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function, eval_str=True).parameters)


@dataclass(frozen=True)
class Wanted:
    """What is to become of a result; raises ConfigError at once for what could not be done in the end."""

    json: JsonOption = None
    plot: PlotOption = None
    compare: CompareOption = None
    keep: KeepOption = False

    def __post_init__(self) -> None:
        check_writable(self.json, "--json")
        check_writable(self.plot, "--plot")
        if self.plot or self.keep:
            _plot.check_library()
        if self.compare:
            read_result(self.compare)

    def publish(self, result: Result, table: Table, draw: Callable[[Result], Any] = lambda result: None) -> None:
        """Print the table and do the rest. ``draw`` makes a figure of matplotlib from a result, for a plot."""
        tables = [table, *([changes_table(read_result(self.compare), result)] if self.compare else [])]
        screen = Console(highlight=False)
        wide = max(Console(width=1000).measure(each).maximum for each in tables)
        screen.width = max(screen.width, wide)  # a cut number is worse than a wrapped line
        screen.print(table)
        screen.print(_small_print(result), style="dim")
        for changes in tables[1:]:
            screen.print(changes)
        folder = KEPT / machine_name(result["machine"])
        if self.keep:
            folder.mkdir(parents=True, exist_ok=True)
        kept = folder / result["bench"]
        for path in filter(None, [self.json, kept.with_suffix(".json") if self.keep else None]):
            write_json(path.expanduser(), result)
        for path in filter(None, [self.plot, kept.with_suffix(".png") if self.keep else None]):
            draw(result).savefig(path.expanduser(), format="png")
        if self.keep:
            screen.print(f"kept: {kept}.json, {kept}.png")


def _small_print(result: Result) -> str:
    told = dict(result["configuration"])
    usual = StreamConfig.build().model_dump(mode="json")
    if isinstance(told.get("stream"), dict):  # the file has them all
        told["stream"] = {key: value for key, value in told["stream"].items() if value != usual.get(key)}
    lines = []
    for name, values in (("configuration", told), ("machine", result["machine"])):
        lines.append(f"{name}: " + ", ".join(f"{key} {_short(value)}" for key, value in values.items()))
    return "\n".join(lines)


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} {_short(each)}" for key, each in value.items()) + "}"
    return json.dumps(value) if isinstance(value, str) and ("," in value or not value) else str(value)
