"""The tables of StreamDiffusion (arXiv 2312.12491v2) measured on this machine, as ratios beside the published ones.

Published: one RTX 4090, 512 x 512, tiny autoencoder; Table 1 (time by steps, with TensorRT and without), Table 2 (time
by guidance, with TensorRT), and "around 1.5x" for the stream batch over sequential steps (abstract; Figures 5 and 6
give no numbers). What a ratio is depends on how much of the frame is UNet, so the shape must have the proportions of
Stable Diffusion; and a stream batch wins where one row does not fill the machine, so it wins little on a CPU. The loop
is what is measured, so the engine is eager unless ``acceleration`` is set.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Annotated, Any

import torch
import typer
from rich.table import Table

from ..stream.base.config import StreamConfig
from ..stream.base.frame import Size
from ..stream.base.options import SetOption, numbers
from ..stream.base.progress import Progress, silent
from ..stream.base.results import Result
from ..stream.loop.stream import Stream
from . import _plot
from .bench import Bench
from .models import CpuTimeOption, Models, ShapeOption, ThreadsOption, plain_run
from .rows import filled_table
from .timing import StreamRender, alternate, clock_name, cpu_clock, flat, pages, ratio

PAPER = "arXiv 2312.12491v2"
BATCH = 1.5  # sequential over stream batch
BY_STEPS = {1: 21.34, 2: 30.61, 4: 48.15, 10: 96.94}  # ms, Table 1 without TensorRT
BY_STEPS_TENSORRT = {1: 10.65, 2: 16.74, 4: 26.93, 10: 62.00}  # ms, Table 1
BY_GUIDANCE = {  # ms, Table 2
    "self": {1: 11.04, 2: 16.61, 3: 20.64, 4: 26.19, 5: 31.47},
    "initialize": {1: 16.55, 2: 20.64, 3: 27.25, 4: 31.65, 5: 36.04},
    "full": {1: 16.74, 2: 27.18, 3: 35.91, 4: 49.71, 5: 64.64},
}
PAIRS = (("full", "self"), ("full", "initialize"), ("initialize", "self"), ("none", "self"))
BENCH = Bench("paper", ("table", "steps", "what"), {"p50_ms": "less"})
COLUMNS = {
    "table": "{table}",
    "steps": "{steps}",
    "ratio of times": "{what}",
    "here": "{ratio:.2f}",
    "in rounds": "{ratio_low:.2f} to {ratio_high:.2f}",
    "published": "{theirs}",
    "here / published": "{against:.2f}",
}


def measure(
    models: Models,
    batch_steps: Sequence[int] = (1, 2, 4, 10),
    guidance_steps: Sequence[int] = (1, 2, 3, 4, 5),
    rounds: int = 6,
    frames: int = 3,
    clock: Callable[[], float] = time.perf_counter,
    progress: Progress = silent,
) -> Result:
    """Both tables; within each all contenders take turns. Rows: ``ratio``, and ``published`` where the paper has it."""
    asked = {"rounds": rounds, "frames_a_round": frames, "timed": clock_name(clock), "published": PAPER}
    result = BENCH.begin({**models.describe(_config(models)), **asked}, models.device)
    turns = {"rounds": rounds, "frames": frames, "clock": clock, "progress": progress}
    result["rows"] = _batch(models, batch_steps, turns)
    for steps in guidance_steps:
        result["rows"] += _guidance(models, steps, turns)
    return result


def _config(models: Models, **changes: Any) -> StreamConfig:
    plain = {"controlnets": 0, "mode": "img2img", "similar_image_filter_threshold": None}
    return models.variant(**{**plain, **changes})


def _times(models: Models, configs: dict[Any, StreamConfig], turns: dict[str, Any]) -> dict[Any, list[list[float]]]:
    turns["progress"](f"{len(configs)} streams: preparing")
    renders = {name: StreamRender(Stream(models.pipe(config), config)) for name, config in configs.items()}
    first = next(iter(configs.values()))
    drawing = pages(Size(first.width, first.height))
    for name, render in renders.items():
        for page in drawing[: len(configs[name].t_index_list) + 1]:
            render(page)
    return alternate(renders, drawing, **turns)


def _batch(models: Models, steps: Sequence[int], turns: dict[str, Any]) -> list[dict[str, Any]]:
    configs = {
        (together, count): _config(models, steps=count, cfg_type="none", use_denoising_batch=together)
        for count in steps
        for together in (False, True)
    }
    times = _times(models, configs, turns)
    middle = {name: median(flat(spent)) for name, spent in times.items()}
    rows, one = [], steps[0]
    for count in steps:
        alone, together = times[False, count], times[True, count]
        about = {"table": "stream batch", "steps": count, "what": "sequential / batch", "published": None}
        if count > 1:
            about["published"] = BATCH
        rows.append({**about, **ratio(alone, together), "p50_ms": middle[True, count] * 1e3})
    for count in steps[1:]:
        about = {"table": "steps", "steps": count, "what": f"{count} steps / {one}", "published": None}
        if one in BY_STEPS and count in BY_STEPS:
            about["published"] = BY_STEPS[count] / BY_STEPS[one]
            about["published_tensorrt"] = BY_STEPS_TENSORRT[count] / BY_STEPS_TENSORRT[one]
        rows.append({**about, **ratio(times[True, count], times[True, one]), "p50_ms": middle[True, count] * 1e3})
    return rows


def _guidance(models: Models, steps: int, turns: dict[str, Any]) -> list[dict[str, Any]]:
    kinds = ("none", "self", "initialize", "full")
    times = _times(models, {kind: _config(models, steps=steps, cfg_type=kind) for kind in kinds}, turns)
    rows = []
    for slow, fast in PAIRS:
        published = 1.0 if slow == "none" else None  # "merely lightweight vector operations"
        if steps in BY_GUIDANCE["self"] and slow != "none":
            published = BY_GUIDANCE[slow][steps] / BY_GUIDANCE[fast][steps]
        about = {"table": "guidance", "steps": steps, "what": f"{slow} / {fast}", "published": published}
        rows.append({**about, **ratio(times[slow], times[fast]), "p50_ms": median(flat(times[slow])) * 1e3})
    return rows


def table(result: Result) -> Table:
    """The result for people."""
    settings = result["configuration"]
    rows = []
    for row in result["rows"]:
        theirs, against = "-", None
        if row["published"] is not None:
            theirs, against = f"{row['published']:.2f}", row["ratio"] / row["published"]
        if "published_tensorrt" in row:
            theirs += f" ({row['published_tensorrt']:.2f} with TensorRT)"
        rows.append({**row, "theirs": theirs, "against": against})
    shown = filled_table(f"StreamDiffusion's tables: {settings['model']}, {settings['dtype']}", COLUMNS, rows)
    shown.caption = f"published: {PAPER}, RTX 4090"
    return shown


def draw(result: Result) -> Any:
    """Here beside published, one panel for each table."""
    settings = result["configuration"]
    figure, panels = _plot.figure(result, f"StreamDiffusion's tables, {settings['model']}", panels=3, width=12.6)
    for axis, (name, title) in zip(
        panels,
        (("stream batch", "sequential over stream batch"), ("steps", "n steps over one"), ("guidance", "guidances")),
        strict=True,
    ):
        rows = [row for row in result["rows"] if row["table"] == name]
        if name == "guidance":
            last = 4 if any(row["steps"] == 4 for row in rows) else max(row["steps"] for row in rows)
            rows = [row for row in rows if row["steps"] == last]
            title = f"cost of guidance at {last} steps"
        labels = [row["what"] if name == "guidance" else f"{row['steps']}" for row in rows]
        series = {"here": [row["ratio"] for row in rows], "published": [row["published"] for row in rows]}
        _plot.bars(axis, labels, series)
        _plot.level(axis, 1.0)
        _plot.name(axis, title, "" if name == "guidance" else "steps")
    _plot.legend(figure, panels[-1])
    return figure


@BENCH.command(table, draw)
def main(
    shape: ShapeOption = None,
    size: Annotated[str | None, typer.Option(help="Size of the pictures.")] = None,
    sets: SetOption = None,
    batch_steps: Annotated[str, typer.Option(metavar="N,N", help="Steps of the stream batch table.")] = "1,2,4,10",
    guidance_steps: Annotated[str, typer.Option(metavar="N,N", help="Steps of the guidance table.")] = "1,2,3,4,5",
    rounds: Annotated[int, typer.Option(min=2, help="How often the contenders take turns.")] = 6,
    frames: Annotated[int, typer.Option(min=1, help="Frames of each turn.")] = 3,
    threads: ThreadsOption = None,
    cpu_time: CpuTimeOption = False,
    progress: Progress = silent,
) -> Result:
    """Measure StreamDiffusion's tables here: stream batch against sequential steps, and the cost of each guidance.

    Without --shape and --size: sd15 at 512 on a GPU, sd15-quarter at 256 on a CPU.
    """
    shape = shape or ("sd15" if torch.cuda.is_available() else "sd15-quarter")
    sides = Size.parse(size or ("512" if torch.cuda.is_available() else "256"))
    models = Models(plain_run(shape, sides, ["acceleration=eager", *(sets or [])]), shape)
    counts = (numbers("--batch-steps", batch_steps), numbers("--guidance-steps", guidance_steps))
    return measure(models, *counts, rounds, frames, cpu_clock(threads, cpu_time), progress)
