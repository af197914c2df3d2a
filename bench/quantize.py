"""What networks in INT8 and FP8 win and cost: speed, memory, and how far pictures are from those of eager float32.

OpenVINO's are calibrated by what a stream's own frames put into them, and kept; torchao's, of the compile engine, need
no calibration and are made when a stream starts. Table and verdict are the same for both.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np
import torch
from rich.table import Table
from torch import Tensor, nn

from ..engines import QUANTISING, quantising
from ..engines.cache import EngineCache
from ..engines.quantize import torchao
from ..engines.quantize.calibrate import Samples, calibrated_by, missing
from ..lora.devices import resolve_device, resolve_dtype
from ..stream.base.configfile import RunConfig
from ..stream.base.errors import EngineError, SourceEnded
from ..stream.base.progress import Progress, silent
from ..stream.base.results import Result, machine
from ..stream.loop.stream import Stream
from ..stream.sources import open_source
from .fidelity import Sketch, pictures, quality, sketches
from .rows import filled_table
from .timing import StreamRender, alternate, flat, held

CALIBRATING = 0  # seed of the sketches that calibrate; those that judge are drawn by another hand
UNITS = ("encode", "embed", "denoise", "decode")
LEAST_SPEEDUP = 1.2  # against the fastest that is not quantised
LEAST_PSNR = 25.0  # dB against eager
# What a row is called, and the ``dtype`` that it is of.
PRECISIONS = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16", "int8": "int8", "fp8": "float8"}
COLUMNS = {
    "": "{precision}",
    "ms a frame": "{median_ms:.1f}",
    "size MB": "{size_mb:.1f}",
    "memory MB": "{memory_mb:.0f}",
    "PSNR dB": "{psnr_db:.1f}",
    "SSIM": "{ssim:.3f}",
    "edge F1": "{edge_f1:.3f}",
}


@dataclass(frozen=True)
class Row:
    """One precision, measured. Pictures are compared with those of eager float32."""

    precision: str
    median_ms: float
    """Of a frame, host to host."""
    size_mb: float
    """Its graphs in the engine cache or, of an engine that keeps none, the weights that it reads."""
    memory_mb: float
    """What the process, or the memory in use on the GPU, grew by when the stream was loaded."""
    psnr_db: float
    ssim: float
    edge_f1: float
    kept: tuple[str, ...] = ()
    """What is not in this precision, and why."""


@dataclass(frozen=True)
class Verdict:
    """Whether a precision is recommended, and which conditions failed."""

    precision: str
    recommended: bool
    failed: tuple[str, ...]

    def __str__(self) -> str:
        if self.recommended:
            return f"{self.precision} is recommended here: set dtype to {PRECISIONS[self.precision]}"
        return f"{self.precision} is not recommended here: {'; '.join(self.failed)}"


def verdict(quantised: Row, *others: Row) -> Verdict:
    """It must be at least 1.2 times as fast as the fastest of the others, and at least 25 dB from eager."""
    failed = []
    best = min(others, key=lambda row: row.median_ms)
    speedup = best.median_ms / quantised.median_ms
    if not speedup >= LEAST_SPEEDUP:
        failed.append(f"{speedup:.2f} times as fast as {best.precision}, at least {LEAST_SPEEDUP:g} are asked")
    if not quantised.psnr_db >= LEAST_PSNR:
        failed.append(f"{quantised.psnr_db:.1f} dB from eager, at least {LEAST_PSNR:g} are asked")
    return Verdict(quantised.precision, not failed, tuple(failed))


def measure(
    run: RunConfig,
    source: str = "demo",
    samples: int = 64,
    judged: int = 50,
    frames: int = 10,
    rounds: int = 5,
    progress: Progress = silent,
) -> Result:
    """Calibrate where that is needed, build and measure.

    ``source`` gives the ``samples`` frames that calibrate; ``judged`` sketches judge; ``frames`` of each precision are
    timed in each of ``rounds``. The result has ``rows`` and ``verdicts`` (fields of ``Row`` and ``Verdict``),
    ``refused``, why precisions that could not be built are missing, and what they were measured with. Raises
    EngineError when nothing can be quantised.
    """
    device = _device(run)
    engine = quantising(run.stream.acceleration, "int8", device.type)
    calibrates = engine.startswith("openvino")
    why_not = missing() if calibrates else torchao.missing()
    if why_not:
        raise EngineError(f"{engine}: {why_not}")

    def made(acceleration: str, dtype: str, **more: Any) -> Stream:
        stream = run.stream.changed(device=str(device), acceleration=acceleration, dtype=dtype, **more)
        return Stream.from_pretrained(run.model, stream, progress=progress)

    about = machine(device)
    side = max(run.stream.width, run.stream.height)
    judging = list(sketches(judged, side))
    names = precisions(run, engine, device)
    with closing(made("eager", "float32")) as eager:
        expected = pictures(eager, judging, lambda part: progress("pictures: eager", part))
    found: Result = {"engine": engine, "calibration": "", "samples": 0, "judged": judged}
    with ExitStack() as streams:
        if calibrates:
            with closing(made("eager", "auto")) as eager:
                recorded = record(eager, _frames(source, samples, side, progress), f"{source} {samples}")
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
        times = alternate(renders, drawing, rounds, frames, progress=progress)
    rows = []
    for name, (stream, size, memory) in loaded.items():
        kept = tuple(stream.engine.about.split("; ")[1:])
        spent, near = median(flat(times[name])) * 1e3, judgement[name]
        rows.append(Row(name, spent, size, memory, near.psnr_db, near.ssim, near.edge_f1, kept))
    plain = [row for row in rows if PRECISIONS[row.precision] not in QUANTISING]
    return {
        "rows": [asdict(row) for row in rows],
        "verdicts": [asdict(verdict(row, *plain)) for row in rows if row not in plain],
        "refused": refused,
        "machine": about,
        "load_before": about["load"],
        "load_after": machine(device)["load"],
        "round_medians_ms": {name: [median(spent) * 1e3 for spent in each] for name, each in times.items()},
        **found,
        "configuration": run.model_dump(mode="json"),
    }


def record(stream: Stream, frames: Iterable[Sketch], source: str = "frames") -> Samples:
    """Render ``frames``, (picture, prompt or None for the one before), and keep what enters each unit.

    ``stream`` runs eagerly. Raises EngineError for another engine, or when no frame came.
    """
    if stream.engine.name != "eager":
        raise EngineError(f"calibration needs an eager stream, got {stream.engine.name}; set acceleration to eager")
    inputs: dict[str, list[dict[str, Tensor]]] = {}
    with ExitStack() as hooks:
        for name in UNITS:
            unit: Any = getattr(stream.engine, name)
            handle = unit.register_forward_pre_hook(_keeper(inputs.setdefault(name, [])), with_kwargs=True)
            hooks.callback(handle.remove)
        for picture, prompt in frames:
            if prompt is not None:
                stream.update(prompt=prompt)
            stream(picture, gated=False)
        stream.drain()
    inputs = {name: calls for name, calls in inputs.items() if calls}
    if not inputs:
        raise EngineError("calibration: got no frame, expected at least one; name a source that gives some")
    return Samples(source, inputs)


def _keeper(calls: list[dict[str, Tensor]]) -> Callable[..., None]:
    """A hook of PyTorch that keeps the tensors of each call by name, float32 on the CPU."""

    def keep(unit: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = inspect.signature(unit.forward).bind(*args, **kwargs).arguments
        calls.append(
            {
                name: value.detach().float().cpu().clone(memory_format=torch.contiguous_format)
                for name, value in given.items()
                if isinstance(value, Tensor)
            }
        )

    return keep


def precisions(run: RunConfig, engine: str, device: torch.device) -> list[str]:
    """What is compared, by the names of rows: float32, half precision, and what the engine quantises to there."""
    fastest = str(resolve_dtype(run.stream.changed(dtype="auto"), device)).removeprefix("torch.")
    able = [name for name, kinds in QUANTISING.items() if device.type in kinds.get(engine.partition(":")[0], ())]
    wanted = ["float32", "bfloat16" if device.type == "cpu" else fastest, *able]
    return [name for name, dtype in PRECISIONS.items() if dtype in wanted]


def table(result: Result) -> Table:
    """The result for people."""
    return filled_table(f"{result['engine']}, against eager float32", COLUMNS, result["rows"])


def _device(run: RunConfig) -> torch.device:
    """The configuration's; the CPU where ``auto`` would be Apple's GPU, for which nothing is quantised."""
    device = resolve_device(run.stream)
    return torch.device("cpu") if (run.stream.device, device.type) == ("auto", "mps") else device


def _loaded(make: Callable[[], Stream], device: torch.device) -> tuple[Stream, float, float]:
    """A stream, the MB of the graphs that it read from the cache, else of its weights, and the MB that loading took."""
    before, began = held(device), time.time()
    stream = make()
    grown = held(device) - before
    read = [entry.size for entry in EngineCache(stream.config.engine_dir).entries() if entry.used_at >= began - 0.001]
    return stream, stream.engine.weights_mb or sum(read) / 1e6, grown


def _frames(source: str, count: int, side: int, progress: Progress) -> Iterator[Sketch]:
    """Frames that calibrate: sketches with prompts that suit them, or what a source gives."""
    for index, each in enumerate(sketches(count, side, CALIBRATING) if source == "demo" else _read(source, count)):
        progress("calibrating", index / count)
        yield each


def _read(source: str, count: int) -> Iterator[tuple[np.ndarray, None]]:
    with closing(open_source(source)) as opened:
        for _ in range(count):
            try:
                yield opened.read(), None
            except SourceEnded:
                return
