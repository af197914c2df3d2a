"""``inkstream quantize``: networks in INT8 and FP8, and what they win and cost.

OpenVINO's are calibrated by what a stream's own frames put into them, and kept; torchao's, of the compile engine, need
no calibration and are made when a stream starts. Table and verdict are the same for both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...base.progress import Progress
from .common import ConfigOption, JsonOption, ModelOption, SetOption, check_writable, console, load_run, note
from .progress import shown

if TYPE_CHECKING:
    import numpy as np
    import torch

    from ...base.configfile import RunConfig
    from ...base.measures import Row
    from ...loop.stream import Stream

    Picture = tuple[np.ndarray, str | None]

CALIBRATING = 0  # seed of the sketches that calibrate; those that judge are drawn by another hand


def quantize(
    config: ConfigOption = "ink-tiny",
    source: Annotated[
        str, typer.Option("--source", metavar="SPEC", help="Whose frames calibrate OpenVINO: demo, or any source.")
    ] = "demo",
    samples: Annotated[int, typer.Option(min=1, max=2000, help="How many frames calibrate.")] = 64,
    judged: Annotated[int, typer.Option("--judge", min=2, max=2000, help="How many sketches judge.")] = 50,
    frames: Annotated[int, typer.Option(min=1, max=10_000, help="Frames timed of each precision, in each round.")] = 10,
    rounds: Annotated[int, typer.Option(min=1, max=1000, help="How often the precisions take turns.")] = 5,
    model: ModelOption = None,
    sets: SetOption = None,
    json: JsonOption = None,
) -> None:
    """Quantise the networks of a configuration, and say what that wins and costs: INT8, on NVIDIA GPUs also FP8.

    On a CPU OpenVINO's are made and kept, on an NVIDIA GPU those of the compile engine are tried. They are used where
    dtype is int8 or float8, which is never so by itself. The table has the speed of a frame, the size of what is kept
    or read, the memory that loading it takes, and how far the pictures of the demo's sketches are from those of PyTorch
    in float32.

    Example:

        inkstream quantize --config ink-tiny --json price.json
        inkstream run --config ink-tiny --set dtype=int8
    """
    from ....engines import QUANTISING
    from ...base.measures import PRECISIONS, verdict

    check_writable(json, "--json")
    run = load_run(config, sets, model=model)
    with shown() as progress:
        found = measure(run, source, samples, judged, frames, rounds, progress)
    rows: list[Row] = found.pop("rows")
    console().print(_table(found["engine"], rows))
    for row in rows:
        for why in row.kept:
            note(why)
    for name, why in found["refused"].items():
        note(f"{name} is not measured: {why}")
    plain = [row for row in rows if PRECISIONS[row.precision] not in QUANTISING]
    judgements = [verdict(row, *plain) for row in rows if row not in plain]
    typer.echo(f"load of the machine {found['load_before']:.1f} to {found['load_after']:.1f}")
    for judgement in judgements:
        typer.echo(str(judgement))
    if json is not None:
        from ...base.files import write_json

        values = {"rows": [asdict(row) for row in rows], "verdicts": [asdict(each) for each in judgements], **found}
        write_json(json.expanduser(), {**values, "configuration": run.model_dump(mode="json")})
        note(f"figures: {json}")


def measure(
    run: RunConfig, source: str, samples: int, judged: int, frames: int, rounds: int, progress: Progress
) -> dict[str, Any]:
    """Calibrate where that is needed, build and measure.

    Gives ``rows``, one for each precision; ``refused``, why those that could not be built are missing; and what they
    were measured with. Raises EngineError when nothing can be quantised.
    """
    from ....bench._measure import StreamRender, alternate, flat, machine
    from ....bench.fidelity import pictures, quality, sketches
    from ....engines import QUANTISING, quantising
    from ....engines.quantize import torchao as _quant_torchao
    from ....engines.quantize.calibrate import calibrated_by, missing, record
    from ...base.errors import EngineError
    from ...base.measures import PRECISIONS, Row
    from ...loop.stream import Stream

    device = _device(run)
    engine = quantising(run.stream.acceleration, "int8", device.type)
    calibrates = engine.startswith("openvino")
    why_not = missing() if calibrates else _quant_torchao.missing()
    if why_not:
        raise EngineError(f"{engine}: {why_not}")

    def made(acceleration: str, dtype: str, **more: Any) -> Stream:
        stream = run.stream.changed(device=str(device), acceleration=acceleration, dtype=dtype, **more)
        return Stream.from_pretrained(run.model, stream, progress=progress)

    about = machine(device)
    side = max(run.stream.width, run.stream.height)
    judging = list(sketches(judged, side))
    names = _precisions(run, engine, device)
    with closing(made("eager", "float32")) as eager:
        expected = pictures(eager, judging, lambda part: progress("pictures: eager", part))
    found: dict[str, Any] = {"engine": engine, "calibration": "", "samples": 0, "judged": judged}
    with ExitStack() as streams:
        if calibrates:
            with closing(made("eager", "auto")) as eager:
                counted = _told(_frames(source, samples, side), samples, progress, "calibrating")
                recorded = record(eager, counted, f"{source} {samples}")
            found |= {"calibration": recorded.recipe, "samples": samples}
            # Built once, and loaded from the cache once more: that is what a later start takes.
            streams.enter_context(calibrated_by(recorded))
            for name in names:
                made(engine, PRECISIONS[name], warmup=0).close()
        loaded, refused = {}, {}
        for name in names:
            try:
                loaded[name] = _loaded(lambda dtype=PRECISIONS[name]: made(engine, dtype), device)
                streams.callback(loaded[name][0].close)
            except EngineError as error:
                if PRECISIONS[name] not in QUANTISING:
                    raise
                refused[name] = str(error)
        if not any(PRECISIONS[name] in QUANTISING for name in loaded):
            raise EngineError("; ".join(refused.values()))
        judgement = {}
        for name, (stream, *_) in loaded.items():
            got = pictures(stream, judging, lambda part, name=name: progress(f"pictures: {name}", part))
            judgement[name] = quality(got, expected)
        progress("timing", None)
        renders = {name: StreamRender(each[0]) for name, each in loaded.items()}
        drawing = [sketch for sketch, _ in judging]
        alternate(renders, drawing, 1, 3)  # warm
        times = alternate(renders, drawing, rounds, frames)
    rows = []
    for name, (stream, size, memory) in loaded.items():
        kept = tuple(part for part in stream.engine.about.split("; ")[1:])
        spent, near = median(flat(times[name])) * 1e3, judgement[name]
        rows.append(Row(name, spent, size, memory, near.psnr_db, near.ssim, near.edge_f1, kept))
    loads = {"load_before": about["load"], "load_after": machine(device)["load"]}
    medians = {name: [median(spent) * 1e3 for spent in each] for name, each in times.items()}
    return {"rows": rows, "refused": refused, "machine": about, **loads, "round_medians_ms": medians, **found}


def _device(run: RunConfig) -> torch.device:
    """The configuration's; the CPU where ``auto`` would be Apple's GPU, for which nothing is quantised."""
    import torch

    from ....lora.devices import resolve_device

    device = resolve_device(run.stream)
    return torch.device("cpu") if (run.stream.device, device.type) == ("auto", "mps") else device


def _precisions(run: RunConfig, engine: str, device: torch.device) -> list[str]:
    """What is compared, by the names of rows: float32, half precision, and what the engine quantises to there."""
    from ....engines import QUANTISING
    from ....lora.devices import resolve_dtype
    from ...base.measures import PRECISIONS

    fastest = str(resolve_dtype(run.stream.changed(dtype="auto"), device)).removeprefix("torch.")
    able = [name for name, kinds in QUANTISING.items() if device.type in kinds.get(engine.partition(":")[0], ())]
    wanted = ["float32", "bfloat16" if device.type == "cpu" else fastest, *able]
    return [name for name, dtype in PRECISIONS.items() if dtype in wanted]


def _loaded(make: Callable[[], Stream], device: torch.device) -> tuple[Stream, float, float]:
    """A stream, the MB of the graphs that it read from the cache, else of its weights, and the MB that loading took."""
    import time

    from ....bench._measure import held
    from ....engines.cache import EngineCache

    before, began = held(device), time.time()
    stream = make()
    grown = held(device) - before
    read = [entry.size for entry in EngineCache(stream.config.engine_dir).entries() if entry.used_at >= began - 0.001]
    return stream, stream.engine.weights_mb or sum(read) / 1e6, grown


def _frames(source: str, count: int, side: int) -> Iterator[Picture]:
    """Frames that calibrate: sketches with prompts that suit them, or what a source gives."""
    if source == "demo":
        from ....bench.fidelity import sketches

        yield from sketches(count, side, CALIBRATING)
        return
    from ...base.errors import SourceEnded
    from ...sources import open_source

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


def _table(engine: str, rows: list[Row]) -> Any:
    from rich.table import Table

    table = Table("", title=f"{engine}, against eager float32")
    for name in ("ms a frame", "size MB", "memory MB", "PSNR dB", "SSIM", "edge F1"):
        table.add_column(name, justify="right")
    for row in rows:
        figures = (f"{row.median_ms:.1f}", f"{row.size_mb:.1f}", f"{row.memory_mb:.0f}", f"{row.psnr_db:.1f}")
        table.add_row(row.precision, *figures, f"{row.ssim:.3f}", f"{row.edge_f1:.3f}")
    return table
