"""``inkstream doctor``: what is there, what is missing, and what to do about it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from .common import console

if TYPE_CHECKING:
    from ..doctor import Finding

MARKS = {True: ("found  ", "green"), False: ("missing", "red"), None: ("       ", "")}


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False) -> None:
    """Look at this computer, and say what works, what is missing, and what to do.

    It leaves with 0 when the embedded demo can run, else with 1.
    """
    from ..doctor import PROBES, as_data, demo_runs, examine

    report = examine(PROBES)
    if as_json:
        typer.echo(json.dumps(as_data(report), indent=2))
    else:
        _say(report)
    if not demo_runs(report):
        raise typer.Exit(1)


def _say(report: dict[str, list[Finding]]) -> None:
    from rich.text import Text

    screen = console()
    width = max(len(finding.name) for findings in report.values() for finding in findings)
    for area, findings in report.items():
        screen.print(Text(area, "bold"))
        for finding in findings:
            mark, colour = MARKS[finding.found]
            line = Text.assemble("  ", (mark, colour), f"  {finding.name:{width}}  {finding.text}")
            if finding.hint:
                line.append(f"\n{finding.hint}", "dim")
            for number, part in enumerate(line.split("\n")):
                screen.print(part if number == 0 else Text(" " * (width + 13)).append_text(part))
