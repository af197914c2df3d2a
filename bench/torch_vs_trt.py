"""The fastest engine there is against torch: frames per second, latency and memory.

That engine is TensorRT where it can run; where it cannot, the table says why, and the fastest of the others takes its
place. Torch runs in the engine's precision, and on a CPU in float32 as well, which is what it usually runs there. Two
measurements: each alone in a process of its own, for compile time and memory; then all in one process, taking turns,
for the ratio of their times, which holds when the machine's speed drifts.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from .. import engines
from ..stream.base.configfile import RunConfig
from ..stream.base.errors import EngineError
from ..stream.base.frame import Size
from ..stream.base.progress import Progress, silent
from ..stream.base.results import Result, Row
from ..stream.loop.stream import Stream
from . import _plot, fps
from .bench import Bench
from .models import Models, engine_named
from .rows import filled_table
from .timing import StreamRender, alternate, in_process, pages, ratio

TORCH = "eager"
FIGURES = {"p50_ms": "less", "p99_ms": "less", "peak_mb": "less", "compile_s": "less"}
BENCH = Bench("torch_vs_trt", ("engine", "dtype"), FIGURES)
COLUMNS = {
    "engine": "{engine}",
    "precision": "{dtype}",
    "fps": "{fps:.1f}",
    "p50 ms": "{p50_ms:.1f}",
    "p95 ms": "{p95_ms:.1f}",
    "p99 ms": "{p99_ms:.1f}",
    "compile s": "{compile_s:.1f}",
    "peak MB": "{peak_mb:,.0f}",
    "its time / the engine's": "{ratio:.2f}",
    "in rounds": "{ratio_low:.2f} to {ratio_high:.2f}",
}


def measure(
    models: Models,
    engine: str = "auto",
    frames: int = 60,
    rounds: int = 10,
    alone: bool = True,
    progress: Progress = silent,
) -> Result:
    """``engine`` against torch. ``alone``: measure memory in processes of their own; else in this one, one by one.

    Rows of torch have ``ratio``: how many times as long as the engine it takes.
    """
    turns = {"frames": frames, "rounds": rounds}
    result = BENCH.begin({**models.describe(models.variant()), **turns}, models.device)
    result["not_here"] = {each.name: each.why_not for each in engines.engines() if each.why_not}
    named, why_not = engine_named(engine, models.device)
    if why_not:
        raise EngineError(f"--engine {engine}: {why_not}")
    ratios = {} if named == TORCH else against(models, named, frames, rounds, progress)
    for name, dtype in contenders(models, named):
        progress(f"{name} {dtype}, alone")
        each = models.in_dtype(dtype)
        found = in_process(_alone, each.run, each.shape, name, frames) if alone else _here(each, name, frames)
        row = {"engine": name, "dtype": dtype, **found}
        row["requested"], row["engine"] = name, row["engine"] if name == TORCH else name
        result["rows"].append(row | ratios.get((name, dtype), {}))
    return result


def contenders(models: Models, engine: str) -> list[tuple[str, str]]:
    """(engine, precision) of everyone who takes part: torch, then ``engine``."""
    dtype = str(models.dtype).removeprefix("torch.")
    precisions = ("float32", dtype) if models.device.type == "cpu" else (dtype,)
    return list(dict.fromkeys([*((TORCH, each) for each in precisions), (engine, dtype)]))


def _here(models: Models, engine: str, frames: int) -> Row:
    return fps.run(models, models.variant(engine=engine), frames)


def _alone(run: RunConfig, shape: str | None, engine: str, frames: int) -> Row:
    return _here(Models(run, shape), engine, frames)


def against(
    models: Models, engine: str, frames: int, rounds: int, progress: Progress = silent
) -> dict[tuple[str, str], dict[str, float]]:
    """How many times as long torch takes; all on the same pictures, turn and turn about."""
    made = {}
    for name, dtype in contenders(models, engine):
        each = models.in_dtype(dtype)
        config = each.variant(engine=name, similar_image_filter_threshold=None)
        made[name, dtype] = StreamRender(Stream(each.pipe(config), config))
    config = models.variant()
    drawing = pages(Size(config.width, config.height))
    for render in made.values():
        for page in drawing[: len(config.t_index_list) + 3]:
            render(page)
    times = alternate(made, drawing, rounds, max(1, frames // rounds), progress=progress)
    *torches, last = times
    return {each: ratio(times[each], times[last]) for each in torches}


def table(result: Result) -> Table:
    """The result for people."""
    settings = result["configuration"]
    title = f"The fastest engine against torch: {settings['model']}, {settings['dtype']}"
    shown = filled_table(title, COLUMNS, result["rows"])
    notes = [f"{name} is not measured: {why}" for name, why in result["not_here"].items()]
    if all(row["engine"] == TORCH for row in result["rows"]):
        notes.append("there is no faster engine here than torch's own")
    shown.caption = "\n".join(notes)
    return shown


def draw(result: Result) -> Any:
    """Frames per second and memory, side by side."""
    title = f"Engines, {result['configuration']['model']}"
    figure, (left, right) = _plot.figure(result, title, panels=2, height=2.6)
    names = [f"{row['engine']} {row['dtype']}" for row in result["rows"]]
    for axis, key, label, digits in ((left, "fps", "frames per second", ".1f"), (right, "peak_mb", "peak MB", ",.0f")):
        # One colour for each engine, in both panels.
        for number, row in enumerate(result["rows"]):
            values = [row[key] if other == number else None for other in range(len(names))]
            _plot.bars(axis, names, {names[number]: values}, digits, first=len(names) - 1 - number)
        _plot.name(axis, label)
    return figure


@BENCH.command(table, draw)
def main(
    models: Models,
    engine: Annotated[str, typer.Option(metavar="NAME", help="The engine; auto is the fastest there is.")] = "auto",
    frames: Annotated[int, typer.Option(min=10, help="Frames of each.")] = 60,
    rounds: Annotated[int, typer.Option(min=2, help="How often they take turns.")] = 10,
    progress: Progress = silent,
) -> Result:
    """Measure the fastest engine there is (TensorRT where it runs) against torch: fps, latency and memory."""
    return measure(models, engine, frames, rounds, progress=progress)
