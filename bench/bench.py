"""What every bench does with its result: show it, write it, draw it, keep it, and hold it against an older one.

A bench is a module with a ``Bench`` of its own and the functions ``measure``, ``table``, ``draw`` and ``main``, the
command of ``inkstream bench``.
"""

from __future__ import annotations

import functools
import inspect
import io
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
from ..stream.base.errors import InkstreamError
from ..stream.base.files import json_bytes, write_new, write_whole
from ..stream.base.options import RESULTS, JsonOption, check_writable
from ..stream.base.plain import reason
from ..stream.base.progress import note, shown
from ..stream.base.results import Result, machine_name, result_of
from ..stream.base.signals import saving
from ..stream.base.terminal import drain
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
        """Write what was asked for, and print the table. ``draw`` makes a figure of matplotlib from a result.

        A file never takes the place of another; what is kept takes the place of what was kept before. Raises
        InkstreamError at the end for what could not be written.
        """
        kept = KEPT / machine_name(result["machine"]) / result["bench"]
        older = [changes_table(read_result(self.compare), result)] if self.compare else []
        with saving():
            faults = _written(self.json, json_bytes(result))
            if self.plot or self.keep:
                drawn = _png(draw(result))
                faults += _written(self.plot, drawn)
            if self.keep:
                faults += _kept(kept.with_suffix(".json"), json_bytes(result))
                faults += _kept(kept.with_suffix(".png"), drawn)
        _show(table, _small_print(result), *older)
        if faults:
            raise InkstreamError("; ".join(faults))


def publish(result: Result, table: Table, json: Path | None) -> None:
    """Write a result that is compared with no other, and print its table; raises InkstreamError as ``Wanted`` does."""
    with saving():
        faults = _written(json, json_bytes(result))
    _show(table)
    if faults:
        raise InkstreamError("; ".join(faults))


def _show(table: Table, small: str = "", *more: Table) -> None:
    drain()
    screen = Console(highlight=False)
    wide = max(Console(width=1000).measure(each).maximum for each in (table, *more))
    screen.width = max(screen.width, wide)  # a cut number is worse than a wrapped line
    screen.print(table)
    if small:
        screen.print(small, style="dim")
    for each in more:
        screen.print(each)


def _written(path: Path | None, data: bytes) -> list[str]:
    """Write one file that was asked for under a free name, and say where it is; what went wrong, if anything did."""
    if path is None:
        return []
    try:
        note(f"written: {write_new(path.expanduser(), data)}")
    except OSError as error:
        return [f"{path} cannot be written: {reason(error)}"]
    return []


def _kept(path: Path, data: bytes) -> list[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        note(f"kept: {write_whole(path, data)}")
    except OSError as error:
        return [f"{path} cannot be written: {reason(error)}"]
    return []


def _png(figure: Any) -> bytes:
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return drawn.getvalue()


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
