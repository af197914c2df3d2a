"""What every bench does with its result: show it, write it, draw it, keep it, and hold it against an older one.

A result is a mapping ready for JSON: ``bench`` (its name), ``configuration``, ``machine``, ``rows``, ``keys`` (the
fields that say what a row is about) and ``figures`` (the fields that were measured: ``less`` or ``more`` is better).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from ..stream.app.commands.common import check_writable
from ..stream.base.config import StreamConfig
from ..stream.base.errors import ConfigError
from ..stream.base.files import write_json
from ._measure import machine
from ._progress import done

KEPT = Path("bench") / "results"
SAME = 0.03  # a change of less than this part is no change
RESULTS = "Results"

JsonOption = Annotated[
    Path | None,
    typer.Option(
        "--json", metavar="FILE", dir_okay=False, rich_help_panel=RESULTS, help="Write the figures to a file."
    ),
]
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


def result_of(
    bench: str, configuration: dict[str, Any], device: Any, keys: tuple[str, ...], figures: dict[str, str]
) -> dict[str, Any]:
    """The beginning of a result, made before anything is measured; ``rows`` are still missing."""
    return {
        "bench": bench,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "configuration": configuration,
        "machine": machine(device),
        "keys": list(keys),
        "figures": figures,
        "rows": [],
    }


@dataclass(frozen=True)
class Wanted:
    """What was asked for on the command line; raises ConfigError at once for what could not be done in the end."""

    json: Path | None = None
    plot: Path | None = None
    compare: Path | None = None
    keep: bool = False

    def __post_init__(self) -> None:
        check_writable(self.json, "--json")
        check_writable(self.plot, "--plot")
        if self.plot or self.keep:
            from ._plot import check_library

            check_library()
        if self.compare:
            read_result(self.compare)

    def publish(self, result: dict[str, Any], shown: Table, draw: Callable[[dict[str, Any]], Any]) -> None:
        """Print the table and do the rest. ``draw`` makes a figure of matplotlib from a result."""
        done()
        tables = [shown, *([changes_table(read_result(self.compare), result)] if self.compare else [])]
        screen = Console(highlight=False)
        wide = max(Console(width=1000).measure(table).maximum for table in tables)
        screen.width = max(screen.width, wide)  # a cut number is worse than a wrapped line
        screen.print(shown)
        screen.print(_small_print(result), style="dim")
        for table in tables[1:]:
            screen.print(table)
        folder = KEPT / machine_name(result["machine"])
        if self.keep:
            folder.mkdir(parents=True, exist_ok=True)
        kept = folder / result["bench"]
        for path in filter(None, [self.json, kept.with_suffix(".json") if self.keep else None]):
            write_json(path, result)
        for path in filter(None, [self.plot, kept.with_suffix(".png") if self.keep else None]):
            draw(result).savefig(path, format="png")
        if self.keep:
            screen.print(f"kept: {kept}.json, {kept}.png")


def read_result(path: Path) -> dict[str, Any]:
    """An older result; raises ConfigError where the file is none."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"--compare: {path} cannot be read: {error}") from error
    if not isinstance(found, dict) or not {"bench", "keys", "figures", "rows", "machine"} <= found.keys():
        raise ConfigError(f"--compare: {path} is no result of a bench; give a file that --json wrote")
    return found


def machine_name(about: dict[str, Any]) -> str:
    """The GPU, else the CPU with its cores, as the name of a folder."""
    text = about.get("gpu") or f"{about['processor']} {about['cores']} cores"
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


@dataclass(frozen=True)
class Change:
    """One figure of one row, then and now. ``gain`` above 1 is better."""

    about: dict[str, Any]
    figure: str
    old: float
    new: float
    gain: float

    @property
    def verdict(self) -> str:
        """better, worse or same."""
        if abs(self.gain - 1) < SAME:
            return "same"
        return "better" if self.gain > 1 else "worse"


def compare(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """Every figure that both results have, of rows that are about the same. Raises ConfigError for another bench."""
    if old["bench"] != new["bench"]:
        raise ConfigError(f"--compare: got a result of {old['bench']}, expected one of {new['bench']}")
    identity = lambda row: json.dumps([row.get(key) for key in new["keys"]])
    before = {identity(row): row for row in old["rows"]}
    changes = []
    for row in new["rows"]:
        then = before.get(identity(row), {})
        for figure, better in new["figures"].items():
            a, b = then.get(figure), row.get(figure)
            if not a or not b:
                continue
            about = {key: row.get(key) for key in new["keys"]}
            changes.append(Change(about, figure, a, b, a / b if better == "less" else b / a))
    return changes


def changes_table(old: dict[str, Any], new: dict[str, Any]) -> Table:
    """What got better and worse, for people; what stayed is only counted."""
    changes = compare(old, new)
    since = f"Since {old.get('measured_at', 'the older result')}"
    shown = table_of(since, (", ".join(new["keys"]), "figure"), ("then", "now", "change"))
    for change in changes:
        if change.verdict == "same":
            continue
        about = ", ".join(f"{value}" for value in change.about.values() if value is not None)
        values = (f"{change.old:.4g}", f"{change.new:.4g}", f"{_times(change.gain)} {change.verdict}")
        shown.add_row(about, change.figure, *values, style="green" if change.verdict == "better" else "red")
    same = sum(change.verdict == "same" for change in changes)
    shown.caption = f"{same} of {len(changes)} figures within {SAME:.0%}"
    if machine_name(old["machine"]) != machine_name(new["machine"]):
        shown.caption += f"; measured on another machine: {machine_name(old['machine'])}"
    if not changes:
        shown.caption = "the older result has no row in common with this one"
    return shown


def _times(gain: float) -> str:
    return f"{gain if gain > 1 else 1 / gain:.2f}x"


def table_of(title: str, left: tuple[str, ...], right: tuple[str, ...]) -> Table:
    """An empty table: columns of words, then columns of numbers."""
    shown = Table(title=title, title_justify="left", caption_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in (*left, *right):
        shown.add_column(column, justify="left" if column in left else "right", no_wrap=True)
    return shown


def _small_print(result: dict[str, Any]) -> str:
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
