"""What ``drawing_influence`` does: how much each quarter of its range changes the picture, and how many lines stay.

``change`` is the mean distance of two pictures in grey levels, 0 to 255, from one influence to the next; ``lines`` the
part of the drawn lines, 0 to 1, that an edge of the picture is near to (2 pixels of 256). Goals: a quarter changes
pictures by 6 grey levels or more in the mean of the sketches, and more influence never loses lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from ..stream.base.configfile import RunConfig
from ..stream.base.errors import ConfigError
from ..stream.base.measures import covered, edges
from ..stream.base.options import ConfigOption, SetOption, load_run
from ..stream.base.progress import Progress, silent
from ..stream.base.results import Result
from ..stream.loop.plan import Preparer
from ..stream.loop.stream import Stream
from . import _plot
from .bench import Bench
from .fidelity import pictures, sketches
from .models import Models
from .rows import filled_table

BENCH = Bench("influence", ("drawing_influence",), {"change": "more", "lines": "more"})
QUARTERS = (0.0, 25.0, 50.0, 75.0, 100.0)
GOAL = 6.0  # grey levels
INK = 128  # level above which a line of the condition image is one
COLUMNS = {
    "influence": "{drawing_influence:g}",
    "change": "{changed}",
    "least": "{least_said}",
    "lines kept": "{lines:.2f}",
    "": "{said}",
}


def measure(run: RunConfig, count: int = 24, progress: Progress = silent) -> Result:
    """Render ``count`` sketches at every quarter; one row for each influence, the first without a change.

    Raises ConfigError for a model that no lines steer.
    """
    models = Models(run)
    result = BENCH.begin({**models.describe(run.stream), "sketches": count}, models.device)
    side = max(run.stream.width, run.stream.height)
    drawn = list(sketches(count, side))
    rendered: dict[float, list[np.ndarray]] = {}
    with Stream.from_pretrained(run.model, run.stream, progress=progress) as stream:
        if not stream.config.controlnets:
            raise ConfigError(
                f"{run.model}: got no ControlNet, expected one that takes lines; --config ink-tiny has it"
            )
        preparer = Preparer(stream.config)
        lines = [preparer.prepare(preparer.fitted(page)).conditions[0][..., 0] > INK for page, _ in drawn]
        for number, influence in enumerate(QUARTERS):
            stream.update(drawing_influence=influence)
            at = partial(_report, progress, number)
            rendered[influence] = pictures(stream, drawn, at)
    tolerance = max(1, round(2 * side / 256))
    kept = {influence: _kept(lines, all_, tolerance) for influence, all_ in rendered.items()}
    result["rows"] = [_row(QUARTERS[0], [], kept[QUARTERS[0]], 0.0)]
    for low, high in pairwise(QUARTERS):
        changes = [_distance(*pair) for pair in zip(rendered[low], rendered[high], strict=True)]
        result["rows"].append(_row(high, changes, kept[high], kept[low]))
    return result


def _report(progress: Progress, number: int, part: float) -> None:
    progress("pictures", (number + part) / len(QUARTERS))


def _kept(lines: Sequence[np.ndarray], pictures: Sequence[np.ndarray], tolerance: int) -> float:
    shares = [covered(line, edges(picture), tolerance) for line, picture in zip(lines, pictures, strict=True)]
    return float(np.mean(shares))


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(np.int16) - other).mean())


def _row(influence: float, changes: Sequence[float], lines: float, before: float) -> dict[str, Any]:
    change = float(np.mean(changes)) if changes else None
    met = lines >= before and (change is None or change >= GOAL)
    least = min(changes) if changes else None
    return {"drawing_influence": influence, "change": change, "least": least, "lines": lines, "met": met}


def table(result: Result) -> Table:
    """The result for people."""
    rows = [
        {
            **row,
            "changed": "-" if row["change"] is None else f"{row['change']:.1f}",
            "least_said": "-" if row["least"] is None else f"{row['least']:.1f}",
            "said": "met" if row["met"] else "missed",
        }
        for row in result["rows"]
    ]
    settings = result["configuration"]
    shown = filled_table(
        f"Influence of the drawing: {settings['model']}, {settings['sketches']} sketches", COLUMNS, rows
    )
    shown.caption = f"change: mean grey levels from the row before, goal {GOAL:g}; lines kept: never fewer"
    return shown


def draw(result: Result) -> Any:
    """Change of each quarter beside its goal, and the lines that are kept."""
    rows = result["rows"]
    figure, (left, right) = _plot.figure(result, f"Influence, {result['configuration']['model']}", panels=2)
    labels = [f"{row['drawing_influence']:g}" for row in rows]
    _plot.bars(left, labels[1:], {"change": [row["change"] for row in rows[1:]]}, ".1f")
    _plot.level(left, GOAL)
    _plot.name(left, "mean grey levels a quarter", "influence of the drawing")
    _plot.bars(right, labels, {"lines kept": [row["lines"] for row in rows]}, ".2f")
    _plot.name(right, "part of the drawn lines", "influence of the drawing")
    return figure


@BENCH.command(table, draw)
def main(
    config: ConfigOption = "ink-tiny",
    sets: SetOption = None,
    sketches: Annotated[int, typer.Option(min=2, max=2000, help="How many sketches.")] = 24,
    progress: Progress = silent,
) -> Result:
    """Measure what every quarter of the influence does to pictures of the demo's sketches."""
    return measure(load_run(config, sets), sketches, progress)
