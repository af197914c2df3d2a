"""How fast a stream is: engines, steps, guidance, sizes and ControlNets, each combination one row.

A row has a process of its own, because what ran before in one, other engines' threads for example, can make the next
up to a fifth slower. ``compile_s`` is the time until the first picture's step is done: building the engine,
encoding the prompt, and the first turn with all that compiles in it. ``warmup_s`` is that of the turns after it which
are not counted. A turn takes one frame (or one full buffer of them) from pixels on the host to pixels on the host;
``p50_ms, p95_ms, p99_ms`` are those of the turns that rendered something new, and ``fps`` counts different frames that
were rendered: one that the gate skipped is in ``skipped`` and nowhere else. ``gflop`` is the work of one rendered
frame (see ``work``), and ``peak_fraction`` what part of the machine's own matrix product speed that makes: the best of
many products in the row's precision, just before and after it (``matmul_tflops``). Where they are slower than the row
itself they are no peak, and there is no fraction; nor is there one of INT8 and FP8.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.table import Table

from ..stream.base.config import StreamConfig
from ..stream.base.configfile import RunConfig
from ..stream.base.errors import ConfigError
from ..stream.base.frame import Size
from ..stream.base.options import listed, numbers
from ..stream.base.progress import Progress, silent
from ..stream.base.results import Result, Row
from ..stream.loop.guidance import make_guidance
from ..stream.loop.stream import Stream
from . import _plot
from .bench import Bench
from .models import Models, engine_named, row_of
from .rows import filled_table, measured, not_measured
from .timing import Memory, drive, in_process, matmul_peak, pages, resident
from .work import gflop_per_frame

KEYS = ("engine", "steps", "size", "cfg_type", "controlnets", "frame_buffer_size")
BENCH = Bench("fps", KEYS, {"p50_ms": "less", "p99_ms": "less", "compile_s": "less", "peak_mb": "less"})
COLUMNS = {
    "engine": "{engine}",
    "steps": "{steps}",
    "size": "{size}",
    "guidance": "{cfg_type}",
    "nets": "{controlnets}",
    "fps": "{fps:.1f}",
    "p50\nms": "{p50_ms:.1f}",
    "p95\nms": "{p95_ms:.1f}",
    "p99\nms": "{p99_ms:.1f}",
    "compile\ns": "{compile_s:.1f}",
    "warm-up\ns": "{warmup_s:.1f}",
    "peak\nMB": "{peak_mb:,.0f}",
    "GFLOP": "{gflop:,.1f}",
    "of\npeak": "{peak_fraction:.0%}",
}
WARM_TURNS = 6
GUIDANCES = ("none", "full", "self", "initialize")


def measure(
    models: Models,
    engines: list[str],
    steps: Sequence[int | None],
    sizes: Sequence[Size | None],
    cfg_types: Sequence[str | None],
    controlnets: Sequence[int | None],
    frames: int = 60,
    matmul_seconds: float = 0.5,
    alone: bool = True,
    progress: Progress = silent,
) -> Result:
    """Every combination; None stands for what the configuration has.

    ``alone``: each in a process of its own; else all in this one.
    """
    result = BENCH.begin({**models.describe(models.run.stream), "frames": frames}, models.device)
    wanted = list(itertools.product(controlnets, cfg_types, sizes, steps, engines))
    for index, (count, cfg_type, size, number, engine) in enumerate(wanted):
        progress(f"{engine}, row {index + 1} of {len(wanted)}", index / len(wanted))
        changes = {"steps": number, "size": size, "cfg_type": cfg_type, "controlnets": count}
        asked = (engine, changes, frames, matmul_seconds)
        row = in_process(_row_alone, models.run, models.shape, *asked) if alone else measure_row(models, *asked)
        result["rows"].append(row)
    peaks = [row["matmul_tflops"] for row in measured(result)]
    result["matmul_tflops"] = {_dtype(models): max(peaks)} if peaks else {}
    return result


def _dtype(models: Models) -> str:
    return str(models.dtype).removeprefix("torch.")


def _row_alone(run: RunConfig, shape: str | None, *rest: Any) -> Row:
    return measure_row(Models(run, shape), *rest)


def measure_row(models: Models, engine: str, changes: dict[str, Any], frames: int, matmul_seconds: float) -> Row:
    """One combination, between two measurements of the machine.

    Where its engine cannot run here the row has ``skipped_because`` and no figures.
    """
    named, why_not = engine_named(engine, models.device)
    config = models.variant(engine=named, **changes)

    def figures() -> Row:
        machine = lambda: matmul_peak(models.device, matmul_seconds, dtypes=(models.dtype,))[_dtype(models)]
        before = machine()
        row = run(models, config, frames)
        row["matmul_tflops"] = max(before, machine())
        row["gflop"] = gflop_per_frame(models.pipe(config), config)["total"]
        part = row["gflop"] * row["fps"] / 1e3 / row["matmul_tflops"]
        row["peak_fraction"] = part if part <= 1 and config.dtype not in ("int8", "float8") else None
        return row

    return row_of({"engine": named, **about(config)}, why_not, figures)


def about(config: StreamConfig) -> Row:
    """What a row is about."""
    guided = type(make_guidance(config.cfg_type, config.guidance_scale)).__name__.removesuffix("Guidance").lower()
    return {
        "steps": len(config.t_index_list),
        "size": f"{config.width}x{config.height}",
        "cfg_type": "none" if guided == "no" else guided,
        "controlnets": sum(net.enabled for net in config.controlnets),
        "frame_buffer_size": config.frame_buffer_size,
        "mode": config.mode,
    }


def run(models: Models, config: StreamConfig, frames: int) -> Row:
    """Figures of one stream: build it, warm it up, drive it."""
    drawing = pages(Size(config.width, config.height))
    pipe = models.pipe(config)
    before, memory = resident(), Memory(models.device)
    buffer = config.frame_buffer_size
    warm_frames = buffer * (len(config.t_index_list) + WARM_TURNS)
    began = time.perf_counter()
    stream = Stream(pipe, config)
    try:
        engine = stream.engine
        drive(stream, drawing, buffer)
        compiled = time.perf_counter()
        drive(stream, drawing, warm_frames, first_id=buffer)
        warm = time.perf_counter()
        driven = drive(stream, drawing, -(-frames // buffer) * buffer, first_id=buffer + warm_frames)
    finally:
        stream.close()
    return {
        "engine": engine.name,
        "engine_about": engine.about,
        **driven.summary(),
        "ms_per_frame": 1e3 * driven.seconds / driven.rendered if driven.rendered else None,
        "compile_s": compiled - began,
        "warmup_s": warm - compiled,
        "peak_mb": memory.peak(),
        "peak_since": memory.since,
        "before_mb": before,
    }


def table(result: Result) -> Table:
    """The result for people."""
    settings = result["configuration"]
    peak = ", ".join(f"{name} {value:.3g}" for name, value in result["matmul_tflops"].items())
    shown = filled_table(f"Frames per second: {settings['model']}, {settings['dtype']}", COLUMNS, measured(result))
    shown.caption = f"machine's own matrix products, TFLOP/s: {peak}; GFLOP: work of one frame\n"
    shown.caption += not_measured(result, "engine")
    return shown


def draw(result: Result) -> Any:
    """Frames per second of every row."""
    rows = measured(result)
    title = f"Frames per second, {result['configuration']['model']}"
    figure, (axis,) = _plot.figure(result, title, height=max(1.6, 0.28 * len(rows) + 0.5))
    differ = ["engine", *(key for key in KEYS[1:] if len({row[key] for row in rows}) > 1)]
    labels = [", ".join(_said(key, row[key]) for key in differ) for row in rows]
    _plot.rows(axis, labels, [row["fps"] for row in rows], "fps")
    figure.subplots_adjust(left=0.02 + 0.0105 * max((len(label) for label in labels), default=0))
    return figure


def _said(key: str, value: Any) -> str:
    plural = {"steps": "step", "controlnets": "ControlNet"}
    if key in plural:
        return f"{value} {plural[key]}{'' if value == 1 else 's'}"
    return f"buffer {value}" if key == "frame_buffer_size" else str(value)


def guidances(text: str) -> list[str]:
    """``"none,self"`` -> ["none", "self"]. Raises ConfigError for an unknown one."""
    chosen = listed(text)
    for each in chosen:
        if each not in GUIDANCES:
            raise ConfigError(f"--cfg-type: got {each!r}, expected some of: {', '.join(GUIDANCES)}")
    return chosen


@BENCH.command(table, draw)
def main(
    models: Models,
    engine: Annotated[str, typer.Option(metavar="A,B", help="Engines.")] = "auto",
    steps: Annotated[str | None, typer.Option(metavar="N,N", help="Numbers of steps.")] = None,
    size: Annotated[str | None, typer.Option(metavar="S,S", help="Sizes, for example 256,512x384.")] = None,
    cfg_type: Annotated[str | None, typer.Option(metavar="A,B", help="none, full, self, initialize.")] = None,
    controlnets: Annotated[str | None, typer.Option(metavar="N,N", help="Numbers of ControlNets.")] = None,
    frames: Annotated[int, typer.Option(min=1, help="Frames of each row.")] = 60,
    alone: Annotated[
        bool, typer.Option("--alone/--together", help="Each row in a process of its own, or all in one.")
    ] = True,
    progress: Progress = silent,
) -> Result:
    """Measure frames per second for engines, steps, guidances, sizes and ControlNets.

    Examples:

        inkstream bench fps --engine eager,openvino --steps 1,2,4 --json fps.json
        inkstream bench fps --config sd-turbo --shape sd-turbo --steps 1 --controlnets 0,1
    """
    engines = list(dict.fromkeys(engine_named(part, models.device)[0] for part in listed(engine)))
    return measure(
        models,
        engines,
        numbers("--steps", steps) if steps else [None],
        [Size.parse(part) for part in listed(size)] if size else [None],
        guidances(cfg_type) if cfg_type else [None],
        numbers("--controlnets", controlnets) if controlnets else [None],
        frames,
        alone=alone,
        progress=progress,
    )
