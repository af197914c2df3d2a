"""Our loop against the published one and against plain diffusers, in one process, turn and turn about.

Contenders alternate A B A B in short rounds on the same pictures, with the same weights, noise levels, autoencoder,
precision and seed; each has networks of its own, because a memory layout belongs to the network. ``ratio`` is the
median of a contender's times over that of our eager loop: above 1, ours is faster. ``ratio_low`` and ``ratio_high`` are
the least and most of the single rounds. ``psnr_db`` says how near the contender's pictures are to ours, so that a
fast wrong answer is seen (100: equal). Only the published loop's self guidance with one step cannot agree, because it
carries noise from frame to frame.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.table import Table

from ..lora.devices import resolve_dtype
from ..stream.base.config import StreamConfig
from ..stream.base.errors import ConfigError, EngineError
from ..stream.base.frame import Size
from ..stream.base.measures import psnr
from ..stream.base.metrics import percentiles
from ..stream.base.options import listed, numbers
from ..stream.base.progress import Progress, silent
from ..stream.base.results import Result
from ..stream.loop.stream import Stream
from . import _plot
from ._reference import DiffusersRender, StreamDiffusionRender, compiler_missing, streamdiffusion
from .bench import Bench
from .fps import guidances
from .models import CpuTimeOption, Models, ThreadsOption, engine_named
from .rows import filled_table, measured, not_measured
from .shapes import EMBEDDED, load_shape, random_pipeline
from .timing import StreamRender, alternate, clock_name, cpu_clock, flat, pages, ratio

OURS = "inkstream eager"
BENCH = Bench("compare", ("cfg_type", "steps", "contender"), {"p50_ms": "less", "ratio": "more"})
COLUMNS = {
    "guidance": "{cfg_type}",
    "steps": "{steps}",
    "contender": "{contender}",
    "p50\nms": "{p50_ms:.1f}",
    "p95\nms": "{p95_ms:.1f}",
    "p99\nms": "{p99_ms:.1f}",
    "first call\ns": "{first_call_s:.1f}",
    "its time\n/ ours": "{ratio:.2f}",
    "in rounds": "{ratio_low:.2f} to {ratio_high:.2f}",
    "PSNR\ndB": "{psnr_db:.0f}",
}
Render = Callable[[np.ndarray], "np.ndarray | None"]


def measure(
    models: Models,
    cfg_types: list[str],
    steps: list[int],
    rounds: int = 12,
    frames: int = 6,
    engines: tuple[str, ...] = (),
    compile_reference: bool = False,
    clock: Callable[[], float] = time.perf_counter,
    wrap: Callable[[str, Render], Render] = lambda name, render: render,
    progress: Progress = silent,
) -> Result:
    """Every guidance with every number of steps. ``engines`` of ours run beside our eager loop.

    ``wrap`` may put something around a contender. Raises ConfigError where the reference is not installed.
    """
    streamdiffusion()
    if models.shape is None:
        raise ConfigError("compare: name a --shape; each contender needs a copy of the same weights")
    if "text_encoder_2" in load_shape(models.shape):
        raise ConfigError(f"compare: got --shape {models.shape}, but the reference runs Stable Diffusion 1 and 2 only")
    usual = {"controlnets": 0, "mode": "img2img", "scheduler": "lcm"}
    turns = {"rounds": rounds, "frames_a_round": frames, "timed": clock_name(clock)}
    result = BENCH.begin({**models.describe(models.variant(**usual)), **turns}, models.device)
    for cfg_type in cfg_types:
        for number in steps:
            config = models.variant(
                engine="eager", steps=number, cfg_type=cfg_type, similar_image_filter_threshold=None, **usual
            )
            progress(f"{cfg_type}, {number} steps: preparing")
            made, absent = contenders(models, config, engines, compile_reference)
            made = {name: wrap(name, render) for name, render in made.items()}
            rows = _rows(made, config, rounds, frames, clock, progress)
            about = {"cfg_type": cfg_type, "steps": number}
            result["rows"] += [{**about, **row} for row in rows]
            result["rows"] += [{**about, "contender": name, "skipped_because": why} for name, why in absent.items()]
    return result


def contenders(
    models: Models, config: StreamConfig, engines: tuple[str, ...], compile_reference: bool
) -> tuple[dict[str, Render], dict[str, str]]:
    """Everyone who takes part, ours first, and who cannot, with the reason.

    Where ``dtype`` is set to another one than inkstream would take here, inkstream as it is installed takes part too:
    its own choice of engine and precision.
    """

    def pipe(dtype: torch.dtype = models.dtype) -> Any:
        return random_pipeline(str(models.shape), dtype=dtype, device=models.device, prediction_type="epsilon")

    made: dict[str, Render] = {OURS: StreamRender(Stream(pipe(), config))}
    absent: dict[str, str] = {}
    for engine in engines:
        named, why_not = engine_named(engine, models.device)
        if named == "eager":
            continue
        try:
            if why_not:
                raise EngineError(why_not)
            made[f"inkstream {named}"] = StreamRender(Stream(pipe(), config.changed(acceleration=named)))
        except EngineError as error:
            absent[f"inkstream {named}"] = str(error)
    installed = config.changed(acceleration="auto", dtype="auto")
    dtype = resolve_dtype(installed, models.device)
    if engines and dtype != models.dtype:
        name = f"inkstream {engine_named('auto', models.device)[0]} {str(dtype).removeprefix('torch.')}"
        made[name] = StreamRender(Stream(pipe(dtype), installed))
    made["streamdiffusion"] = StreamDiffusionRender(pipe(), config)
    made["streamdiffusion channels_last"] = StreamDiffusionRender(pipe(), config, "channels_last")
    name = "streamdiffusion compile"
    why_not = compiler_missing() if compile_reference else "not asked for: --compile-reference"
    if why_not:
        absent[name] = why_not
    else:
        made[name] = StreamDiffusionRender(pipe(), config, "compile")
    if config.cfg_type in ("none", "full"):
        made["diffusers"] = DiffusersRender(pipe(), config)
    else:
        absent["diffusers"] = f"has no {config.cfg_type} guidance"
    return made, absent


def _rows(
    made: dict[str, Render],
    config: StreamConfig,
    rounds: int,
    frames: int,
    clock: Callable[[], float],
    progress: Progress,
) -> list[dict[str, Any]]:
    drawing = pages(Size(config.width, config.height))
    warm, compiling = {}, {}
    lag = len(config.t_index_list) - 1
    for name, render in made.items():
        began = time.perf_counter()
        render(drawing[0])
        compiling[name] = time.perf_counter() - began
        outputs = [render(page) for page in drawing[: lag + 4]]
        # The picture of a frame comes ``lag`` calls later, but for diffusers, which has no batch.
        warm[name] = outputs[-1] if name != "diffusers" else outputs[-1 - lag]
    times = alternate(made, drawing, rounds, frames, clock, progress)
    rows = []
    for name, spent in times.items():
        row = {"contender": name, **percentiles(flat(spent)), "first_call_s": compiling[name]}
        row["fps"] = 1 / median(flat(spent)) if median(flat(spent)) > 0 else 0.0
        if name != OURS:
            ours, theirs = warm[OURS], warm[name]
            near = None if ours is None or theirs is None else psnr(ours, theirs)
            row |= {**ratio(spent, times[OURS]), "psnr_db": near}
        rows.append(row)
    return rows


def table(result: Result) -> Table:
    """The result for people."""
    settings = result["configuration"]
    title = f"Against the reference: {settings['model']}, {settings['dtype']}; a ratio above 1 says that ours is faster"
    shown = filled_table(title, COLUMNS, measured(result), bold=lambda row: row["contender"] == OURS)
    shown.caption = not_measured(result, "contender")
    return shown


def draw(result: Result) -> Any:
    """Ratios by guidance and steps."""
    rows = [row for row in result["rows"] if "ratio" in row]
    guidance = list(dict.fromkeys(row["cfg_type"] for row in rows))
    names = list(dict.fromkeys(row["contender"] for row in rows))
    title = f"Time of others over time of our eager loop, {result['configuration']['model']}"
    figure, panels = _plot.figure(result, title, panels=len(guidance), width=max(7.2, 3.0 * len(guidance)))
    for axis, each in zip(panels, guidance, strict=True):
        steps = sorted({row["steps"] for row in rows if row["cfg_type"] == each})
        found = {(row["steps"], row["contender"]): row["ratio"] for row in rows if row["cfg_type"] == each}
        series = {name: [found.get((step, name)) for step in steps] for name in names}
        _plot.bars(axis, [f"{step} step{'' if step == 1 else 's'}" for step in steps], series, first=1)
        _plot.level(axis, 1.0)
        _plot.name(axis, f"guidance {each}")
    highest = max(axis.get_ylim()[1] for axis in panels)
    for axis in panels:
        axis.set_ylim(0, highest)
    _plot.legend(figure, panels[0])
    return figure


@BENCH.command(table, draw)
def main(
    models: Models,
    cfg_type: Annotated[str, typer.Option(metavar="A,B", help="Guidances.")] = "none,full,self,initialize",
    steps: Annotated[str, typer.Option(metavar="N,N", help="Numbers of steps.")] = "1,2,4",
    engine: Annotated[str, typer.Option(metavar="A,B", help="Engines of ours beside eager.")] = "auto",
    rounds: Annotated[int, typer.Option(min=2, help="How often the contenders take turns.")] = 12,
    frames: Annotated[int, typer.Option(min=1, help="Frames of each turn.")] = 6,
    threads: ThreadsOption = None,
    cpu_time: CpuTimeOption = False,
    compile_reference: Annotated[
        bool, typer.Option(help="Also the reference with channels_last and torch.compile; takes minutes on a CPU.")
    ] = torch.cuda.is_available(),
    progress: Progress = silent,
) -> Result:
    """Measure our loop against streamdiffusion 0.1.1 and against diffusers' image-to-image pipeline, in turns.

    Without --shape: ink-tiny.

    Examples:

        inkstream bench compare --set dtype=float32 --threads 2 --json compare.json
        inkstream bench compare --config sd-turbo --shape sd-turbo --steps 1 --cfg-type none
    """
    clock = cpu_clock(threads, cpu_time)
    # Other engines have threads of their own, whose time is not this thread's.
    engines = () if cpu_time else tuple(listed(engine))
    if models.shape is None:
        models = Models(models.run, EMBEDDED)
    combined = (guidances(cfg_type), numbers("--steps", steps))
    return measure(models, *combined, rounds, frames, engines, compile_reference, clock, progress=progress)
