"""What became better and worse since an older result of the same bench."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from ..stream.base.errors import ConfigError
from ..stream.base.plain import reason
from ..stream.base.results import Result, machine_name, table_of

SAME = 0.03  # a change of less than this part is no change


def read_result(path: Path) -> Result:
    """An older result; raises ConfigError where the file is none."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"--compare: {path} cannot be read: {reason(error)}") from error
    except ValueError:
        raise ConfigError(f"--compare: {path} is no JSON; give a file that --json wrote") from None
    if not isinstance(found, dict) or not {"bench", "keys", "figures", "rows", "machine"} <= found.keys():
        raise ConfigError(f"--compare: {path} is no result of a bench; give a file that --json wrote")
    return found


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


def compare(old: Result, new: Result) -> list[Change]:
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


def changes_table(old: Result, new: Result) -> Table:
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
