"""``inkstream quantize``: INT8 networks, made from what a stream's own frames put into them, and their price."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._common import ConfigOption, JsonOption, ModelOption, SetOption, check_writable, console, load_run, note
from .build import shown

if TYPE_CHECKING:
    import numpy as np

    from ...engines._quant_judge import Row
    from ..configfile import RunConfig
    from ..stream import Stream

    Picture = tuple[np.ndarray, str | None]

Progress = Callable[..., Any]
PRECISIONS = {"fp32": "float32", "bf16": "bfloat16", "int8": "int8"}
CALIBRATING = 0  # seed of the sketches that calibrate; those that judge are drawn by another hand


def quantize(
    config: ConfigOption = "ink-tiny",
    source: Annotated[
        str, typer.Option("--source", metavar="SPEC", help="Whose frames calibrate: demo, or any source.")
    ] = "demo",
    samples: Annotated[int, typer.Option(min=1, max=2000, help="How many frames calibrate.")] = 64,
    judged: Annotated[int, typer.Option("--judge", min=2, max=2000, help="How many sketches judge.")] = 50,
    frames: Annotated[int, typer.Option(min=1, max=10_000, help="Frames timed of each precision, in each round.")] = 10,
    rounds: Annotated[int, typer.Option(min=1, max=1000, help="How often the precisions take turns.")] = 5,
    model: ModelOption = None,
    sets: SetOption = None,
    json: JsonOption = None,
) -> None:
    """Make INT8 networks for a configuration, and say what they win and cost.

    They are kept and used where dtype is int8, which is never so by itself. The table has the speed of a frame, the
    size of what is kept, the memory that loading it takes, and how far the pictures of the demo's sketches are from
    those of PyTorch in float32.

    Example:

        inkstream quantize --config ink-tiny --json price.json
        inkstream run --config ink-tiny --set dtype=int8
    """
    from ...engines._quant_judge import verdict

    check_writable(json, "--json")
    run = load_run(config, sets, model=model)
    with shown() as progress:
        found = measure(run, source, samples, judged, frames, rounds, progress)
    rows: list[Row] = found.pop("rows")
    console().print(_table(rows))
    for row in rows:
        for why in row.kept:
            note(why)
    by_name = {row.precision: row for row in rows}
    judgement = verdict(by_name["int8"], by_name["fp32"], by_name["bf16"])
    typer.echo(f"load of the machine {found['load_before']:.1f} to {found['load_after']:.1f}")
    typer.echo(str(judgement))
    if json is not None:
        from ..metrics import write_json

        values = {"rows": [asdict(row) for row in rows], "verdict": asdict(judgement), **found}
        write_json(json.expanduser(), {**values, "configuration": run.model_dump(mode="json")})
        note(f"figures: {json}")


def measure(
    run: RunConfig, source: str, samples: int, judged: int, frames: int, rounds: int, progress: Progress
) -> dict[str, Any]:
    """Calibrate, build and measure; gives ``rows``, one for each precision, and what they were measured with."""
    from ...bench._measure import StreamRender, alternate, flat, machine
    from ...bench.fidelity import pictures, quality, sketches
    from ...engines._quant_judge import Row
    from ...engines.quantize import calibrated_by, missing, record
    from .. import Stream
    from ..errors import EngineError

    if missing():
        raise EngineError(missing())

    def made(**changes: Any) -> Stream:
        return Stream.from_pretrained(run.model, run.stream.changed(device="cpu", **changes), progress=progress)

    about = machine("cpu")
    side = max(run.stream.width, run.stream.height)
    judging = list(sketches(judged, side))
    with closing(made(acceleration="eager", dtype="float32")) as eager:
        expected = pictures(eager, judging, lambda part: progress("pictures: eager", part))
    with closing(made(acceleration="eager", dtype="auto")) as eager:
        calibrating = _frames(source, samples, side)
        counted = _told(calibrating, samples, progress, "calibrating")
        recorded = record(eager, counted, f"{source} {samples}")
    # Built once, and loaded from the cache once more: that is what a later start takes.
    with calibrated_by(recorded):
        for dtype in PRECISIONS.values():
            made(acceleration="openvino", dtype=dtype, warmup=0).close()
        loaded = {}
        for name, dtype in PRECISIONS.items():
            loaded[name] = _loaded(lambda dtype=dtype: made(acceleration="openvino", dtype=dtype))
    try:
        judgement = {}
        for name, (stream, *_) in loaded.items():
            got = pictures(stream, judging, lambda part, name=name: progress(f"pictures: {name}", part))
            judgement[name] = quality(got, expected)
        progress("timing", None)
        renders = {name: StreamRender(each[0]) for name, each in loaded.items()}
        drawing = [sketch for sketch, _ in judging]
        alternate(renders, drawing, 1, 3)  # warm
        times = alternate(renders, drawing, rounds, frames)
    finally:
        for stream, *_ in loaded.values():
            stream.close()
    rows = []
    for name, (stream, disk, memory) in loaded.items():
        kept = tuple(part for part in stream.engine.about.split("; ")[1:])
        rows.append(Row(name, median(flat(times[name])) * 1e3, disk, memory, *judgement[name][:3], kept))
    return {"rows": rows, "machine": about, "load_before": about["load"], "load_after": machine("cpu")["load"]} | {
        "round_medians_ms": {name: [median(spent) * 1e3 for spent in each] for name, each in times.items()},
        "calibration": recorded.recipe,
        "samples": samples,
        "judged": judged,
    }


def _loaded(make: Callable[[], Stream]) -> tuple[Stream, float, float]:
    """A stream out of the cache, the MB of the graphs that it read, and the MB that the process grew by."""
    import gc
    import time

    from ...bench._measure import resident
    from ...engines.cache import EngineCache

    gc.collect()
    before, began = resident(), time.time()
    stream = make()
    gc.collect()
    grown = resident() - before
    read = [entry.size for entry in EngineCache(stream.config.engine_dir).entries() if entry.used_at >= began - 0.001]
    return stream, sum(read) / 1e6, grown


def _frames(source: str, count: int, side: int) -> Iterator[Picture]:
    """Frames that calibrate: sketches with prompts that suit them, or what a source gives."""
    if source == "demo":
        from ...bench.fidelity import sketches

        yield from sketches(count, side, CALIBRATING)
        return
    from ..errors import SourceEnded
    from ..sources import open_source

    with closing(open_source(source)) as opened:
        for _ in range(count):
            try:
                yield opened.read(), None
            except SourceEnded:
                return


def _told(frames: Iterator[Picture] | list[Picture], count: int, progress: Progress, text: str) -> Iterator[Picture]:
    for index, each in enumerate(frames):
        progress(text, index / count)
        yield each


def _table(rows: list[Row]) -> Any:
    from rich.table import Table

    table = Table("", title="OpenVINO, against eager float32")
    for name in ("ms a frame", "disk MB", "memory MB", "PSNR dB", "SSIM", "edge F1"):
        table.add_column(name, justify="right")
    for row in rows:
        figures = (f"{row.median_ms:.1f}", f"{row.disk_mb:.1f}", f"{row.memory_mb:.0f}", f"{row.psnr_db:.1f}")
        table.add_row(row.precision, *figures, f"{row.ssim:.3f}", f"{row.edge_f1:.3f}")
    return table
