"""How the cost of a frame grows: with sessions in one batch, with size, with steps, with ControlNets, with regions.

Everything but one setting stays as in the configuration; the values of that setting take turns, so that their ratios
hold when the machine's speed drifts. Sessions in one batch are frames that enter together (``frame_buffer_size``).
``cost`` is time per frame over that of the first value.
"""

from __future__ import annotations

from statistics import median
from typing import Annotated, Any

import typer
from rich.table import Table

from ..stream.base.frame import Size
from ..stream.base.metrics import percentiles
from ..stream.base.options import listed, numbers
from ..stream.base.progress import Progress, silent
from ..stream.base.results import Result, Row
from ..stream.loop.stream import Stream
from . import _plot
from .bench import Bench
from .models import PROMPT, Models
from .rows import filled_table
from .timing import Memory, StreamRender, alternate, flat, pages
from .work import gflop_per_frame

BENCH = Bench("scale", ("what", "value"), {"ms_per_frame": "less"})
COLUMNS = {
    "what": "{words}",
    "value": "{value}",
    "ms a frame": "{ms_per_frame:.1f}",
    "fps": "{fps:.1f}",
    "cost": "{cost:.2f}",
    "work": "{work:.2f}",
    "turn p50 ms": "{p50_ms:.1f}",
    "p95 ms": "{p95_ms:.1f}",
    "p99 ms": "{p99_ms:.1f}",
}
WORDS = {"sessions": "frames in one batch", "size": "side in pixels", "steps": "steps", "controlnets": "ControlNets"}
WORDS |= {"regions": "regions"}


def measure(
    models: Models, values: dict[str, list[Any]], rounds: int = 6, frames: int = 3, progress: Progress = silent
) -> Result:
    """``values``: what to measure for ``sessions, size, steps, controlnets, regions`` (numbers; for size ``Size``)."""
    turns = {"rounds": rounds, "turns_a_round": frames}
    result = BENCH.begin({**models.describe(models.variant()), **turns}, models.device)
    for what, each in values.items():
        result["rows"] += _rows(models, what, each, rounds, frames, progress)
    return result


def _rows(models: Models, what: str, values: list[Any], rounds: int, frames: int, progress: Progress) -> list[Row]:
    setting = "frame_buffer_size" if what == "sessions" else what
    rows: list[Row] = []
    renders, drawings, works, memory = {}, {}, {}, Memory(models.device)
    # Without a ControlNet nothing would carry the drawing in mode sketch, and another mode has other work.
    same = {"mode": "img2img"} if what == "controlnets" else {}
    for value in values:
        progress(f"{WORDS[what]} {value}: preparing")
        given = _regions(value) if what == "regions" else value
        config = models.variant(**{setting: given, "similar_image_filter_threshold": None, **same})
        pipe = models.pipe(config)
        renders[value] = StreamRender(Stream(pipe, config))
        # The work of one frame is the same however many enter together.
        again = what == "sessions" and works
        works[value] = works[values[0]] if again else gflop_per_frame(pipe, config)["total"]
        drawings[value] = pages(Size(config.width, config.height))
        for page in drawings[value][: len(config.t_index_list) + 2]:
            renders[value](page)
    # Each contender draws from its own pages, because their sizes differ; a page is given by its number.
    numbered = {value: _by_number(renders[value], drawings[value]) for value in values}
    times = alternate(numbered, range(len(drawings[values[0]])), rounds, frames, progress=progress)
    for value in values:
        together = renders[value].stream.config.frame_buffer_size
        spent = [seconds / together for seconds in flat(times[value])]
        rows.append(
            {
                "what": what,
                "value": str(value) if isinstance(value, Size) else value,
                "engine": renders[value].stream.engine.name,
                "ms_per_frame": median(spent) * 1e3,
                "fps": 1 / median(spent),
                **percentiles(flat(times[value])),
                "gflop": works[value],
                "peak_mb": memory.peak(),
            }
        )
    for row in rows:
        row["cost"] = row["ms_per_frame"] / rows[0]["ms_per_frame"]
        row["work"] = row["gflop"] / rows[0]["gflop"]
    return rows


def _regions(count: int) -> list[dict[str, str]]:
    """Regions of as many colours; there is a place for each, be it on the page or not."""
    return [{"where": f"#{30 * number:02x}0000", "prompt": f"{PROMPT} {number}"} for number in range(count)]


def _by_number(render: StreamRender, drawing: list[Any]) -> Any:
    return lambda number: render(drawing[number])


def table(result: Result) -> Table:
    """The result for people."""
    settings = result["configuration"]
    rows = [{**row, "words": WORDS[row["what"]]} for row in result["rows"]]
    shown = filled_table(f"What a frame costs: {settings['model']}, {settings['dtype']}", COLUMNS, rows)
    shown.caption = f"engine: {', '.join(dict.fromkeys(row['engine'] for row in result['rows']))}\n"
    shown.caption += "cost: time, work: floating point operations, both of a frame and over the first value"
    return shown


def draw(result: Result) -> Any:
    """Time and work of a frame over those of the first value."""
    kinds = list(dict.fromkeys(row["what"] for row in result["rows"]))
    title = f"What a frame costs, {result['configuration']['model']}"
    figure, panels = _plot.figure(result, title, panels=len(kinds), width=max(7.2, 3.2 * len(kinds)))
    for axis, kind in zip(panels, kinds, strict=True):
        rows = [row for row in result["rows"] if row["what"] == kind]
        places = list(range(len(rows)))
        series = {"time": [row["cost"] for row in rows], "work (FLOP)": [row["work"] for row in rows]}
        _plot.lines(axis, {name: (places, values) for name, values in series.items()})
        axis.set_xticks(places, [str(row["value"]) for row in rows])
        axis.set_ylim(bottom=0)
        _plot.name(axis, f"{WORDS[kind]}, a frame over the first")
    _plot.legend(figure, panels[-1])
    return figure


@BENCH.command(table, draw)
def main(
    models: Models,
    sessions: Annotated[str, typer.Option(metavar="N,N", help="Frames in one batch.")] = "1,2,4,8",
    size: Annotated[str, typer.Option(metavar="S,S", help="Sizes.")] = "128,256,384",
    steps: Annotated[str, typer.Option(metavar="N,N", help="Numbers of steps.")] = "1,2,4",
    controlnets: Annotated[str, typer.Option(metavar="N,N", help="Numbers of ControlNets.")] = "0,1",
    regions: Annotated[str, typer.Option(metavar="N,N", help="Numbers of regions.")] = "0,1,8",
    rounds: Annotated[int, typer.Option(min=1, help="How often the values take turns.")] = 6,
    frames: Annotated[int, typer.Option(min=1, help="Turns of each in a round.")] = 3,
    progress: Progress = silent,
) -> Result:
    """Measure how the cost of a frame grows with sessions in one batch, size, steps, ControlNets and regions."""
    values = {
        "sessions": numbers("--sessions", sessions),
        "size": [Size.parse(part) for part in listed(size)],
        "steps": numbers("--steps", steps),
        "controlnets": numbers("--controlnets", controlnets),
        "regions": numbers("--regions", regions),
    }
    return measure(models, values, rounds, frames, progress)
