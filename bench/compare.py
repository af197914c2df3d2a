"""Our loop against the published one and against plain diffusers, in one process, turn and turn about.

Contenders alternate A B A B in short rounds on the same pictures, with the same weights, noise levels, autoencoder,
precision and seed; each has networks of its own, because a memory layout belongs to the network. ``ratio`` is the
median of a contender's times over that of our eager loop: above 1, ours is faster. ``ratio_low`` and ``ratio_high`` are
the least and most of the single rounds. ``psnr_db`` says how near the contender's pictures are to ours, so that a
fast wrong answer is seen (99: equal). Only the published loop's self guidance with one step cannot agree, because it
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
from ..stream.app.commands.common import ConfigOption, SetOption, load_run
from ..stream.base.config import StreamConfig
from ..stream.base.errors import ConfigError, EngineError
from ..stream.base.frame import Size
from ..stream.loop.stream import Stream
from . import _plot
from ._measure import StreamRender, alternate, clock_name, cpu_clock, flat, pages, percentiles, ratio
from ._models import CpuTimeOption, Models, ShapeOption, ThreadsOption, engine_named
from ._progress import tell
from ._reference import DiffusersRender, StreamDiffusionRender, compiler_missing, streamdiffusion
from ._results import CompareOption, JsonOption, KeepOption, PlotOption, Wanted, result_of, table_of
from .fps import guidances, numbers
from .shapes import load_shape, random_pipeline

OURS = "inkstream eager"
KEYS = ("cfg_type", "steps", "contender")
FIGURES = {"p50_ms": "less", "ratio": "more"}
EQUAL_DB = 99.0
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
) -> dict[str, Any]:
    """Every guidance with every number of steps. ``engines`` of ours run beside our eager loop.

    ``wrap`` may put something around a contender. Raises ConfigError where the reference is not installed.
    """
    streamdiffusion()
    if models.shape is None:
        raise ConfigError("compare: name a --shape; each contender needs a copy of the same weights")
    if "text_encoder_2" in load_shape(models.shape):
        raise ConfigError(f"compare: got --shape {models.shape}, but the reference runs Stable Diffusion 1 and 2 only")
    configuration = {**models.describe(), "rounds": rounds, "frames_a_round": frames, "timed": clock_name(clock)}
    base = models.variant(controlnets=0, mode="img2img", scheduler="lcm")
    configuration["stream"] = base.model_dump(mode="json")
    result = result_of("compare", configuration, models.device, KEYS, FIGURES)
    for cfg_type in cfg_types:
        for number in steps:
            config = models.variant(
                engine="eager",
                steps=number,
                cfg_type=cfg_type,
                controlnets=0,
                mode="img2img",
                scheduler="lcm",
                similar_image_filter_threshold=None,
            )
            tell(f"{cfg_type}, {number} steps: preparing")
            made, absent = contenders(models, config, engines, compile_reference)
            made = {name: wrap(name, render) for name, render in made.items()}
            rows = _rows(made, config, rounds, frames, clock)
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
        return random_pipeline(str(models.shape), dtype=dtype, device=models.device, prediction_type="epsilon", seed=0)

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
    made: dict[str, Render], config: StreamConfig, rounds: int, frames: int, clock: Callable[[], float]
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
    times = alternate(made, drawing, rounds, frames, clock)
    rows = []
    for name, spent in times.items():
        row = {"contender": name, **percentiles(flat(spent)), "first_call_s": compiling[name]}
        row["fps"] = 1 / median(flat(spent)) if median(flat(spent)) > 0 else 0.0
        if name != OURS:
            row |= {**ratio(spent, times[OURS]), "psnr_db": psnr(warm[OURS], warm[name])}
        rows.append(row)
    return rows


def psnr(a: np.ndarray | None, b: np.ndarray | None) -> float | None:
    """Peak signal-to-noise ratio of two uint8 pictures in dB, at most 99 (equal)."""
    if a is None or b is None:
        return None
    error = float(np.mean((a.astype(np.float64) - b) ** 2))
    return min(EQUAL_DB, 10 * np.log10(255**2 / error)) if error else EQUAL_DB


def table(result: dict[str, Any]) -> Table:
    """The result for people."""
    settings = result["configuration"]
    shown = table_of(
        f"Against the reference: {settings['model']}, {settings['dtype']}; a ratio above 1 says that ours is faster",
        ("guidance", "steps", "contender"),
        ("p50\nms", "p95\nms", "p99\nms", "first call\ns", "its time\n/ ours", "in rounds", "PSNR\ndB"),
    )
    shown.caption = ""
    for row in result["rows"]:
        first = (row["cfg_type"], str(row["steps"]), row["contender"])
        if "skipped_because" in row:
            note = f"{row['contender']}: {row['skipped_because']}\n"
            shown.caption += "" if note in shown.caption else note
            continue
        times = (f"{row[key]:.1f}" for key in ("p50_ms", "p95_ms", "p99_ms"))
        against = ("", "", "")
        if "ratio" in row:
            near = "-" if row["psnr_db"] is None else f"{row['psnr_db']:.0f}"
            against = (f"{row['ratio']:.2f}", f"{row['ratio_low']:.2f} to {row['ratio_high']:.2f}", near)
        shown.add_row(
            *first, *times, f"{row['first_call_s']:.1f}", *against, style="bold" if row["contender"] == OURS else None
        )
    return shown


def draw(result: dict[str, Any]) -> Any:
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


def main(
    config: ConfigOption = "ink-tiny",
    shape: ShapeOption = "ink-tiny",
    sets: SetOption = None,
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
    json: JsonOption = None,
    plot: PlotOption = None,
    compare: CompareOption = None,
    keep: KeepOption = False,
) -> None:
    """Measure our loop against streamdiffusion 0.1.1 and against diffusers' image-to-image pipeline, in turns.

    Examples:

        inkstream bench compare --set dtype=float32 --threads 2 --json compare.json
        inkstream bench compare --config sd-turbo --shape sd-turbo --steps 1 --cfg-type none
    """
    wanted = Wanted(json, plot, compare, keep)
    clock = cpu_clock(threads, cpu_time)
    models = Models(load_run(config, sets), shape)
    chosen = [each for each in guidances(cfg_type) if each]
    counts = [number for number in numbers("--steps", steps) if number]
    # Other engines have threads of their own, whose time is not this thread's.
    engines = () if cpu_time else tuple(part.strip() for part in engine.split(","))
    result = measure(models, chosen, counts, rounds, frames, engines, compile_reference, clock)
    wanted.publish(result, table(result), draw)


if __name__ == "__main__":
    typer.run(main)
