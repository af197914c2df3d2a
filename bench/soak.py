"""A session that runs for a long time: does memory grow, does it become slower, does a frame ever take long?

A whole session, with its threads, mailboxes and a sink, renders a drawing that never ends, every frame of it. Samples
are taken every second. The first fifth is left out of ``memory_slope_mb_per_min`` (a straight line through the rest)
and ``fps_drift`` (the last third over the first of what is left: below 1 it has become slower).
"""

from __future__ import annotations

import itertools
import threading
import time
from array import array
from collections.abc import Sequence
from statistics import median
from typing import Annotated, Any

import numpy as np
import psutil
import torch
import typer
from rich.table import Table

from ..stream.base.frame import Frame, Output
from ..stream.base.metrics import Metrics, percentiles
from ..stream.base.progress import Progress, silent
from ..stream.base.results import Result, table_of
from ..stream.loop.stream import Stream
from ..stream.session.around import Around
from ..stream.session.driver import StreamLike
from ..stream.session.session import Session
from ..stream.sinks import Sink
from ..stream.sources.fake import FakeSource
from . import _plot
from .bench import Bench
from .models import Models
from .timing import MB, resident

BENCH = Bench("soak", ("what",), {"p50_ms": "less", "p99_over_p50": "less"})
SETTLING = 0.2  # part of the run before memory and speed are looked at


class TimedStream(Around):
    """A stream whose calls are timed; everything else is the stream's own."""

    def __init__(self, stream: StreamLike) -> None:
        super().__init__(stream)
        self.seconds = array("d")

    def __call__(self, frame: Frame, gated: bool = True) -> Output | None:
        began = time.perf_counter()
        output = self._stream(frame, gated=gated)
        self.seconds.append(time.perf_counter() - began)
        return output


def measure(
    stream: StreamLike,
    about: dict[str, Any],
    seconds: float = 600.0,
    every: float = 1.0,
    sinks: Sequence[Sink | str] = ("null",),
    progress: Progress = silent,
) -> Result:
    """Run for ``seconds`` with a sample ``every`` so many. ``about`` describes the stream."""
    device = torch.device(about.get("device", "cpu"))
    result = BENCH.begin({**about, "seconds": seconds, "every": every}, device)
    timed = TimedStream(stream)
    session = Session(FakeSource(stream.size, pattern="stroke", live=False), timed, list(sinks))
    session.start()
    began, samples = time.perf_counter(), []
    try:
        while time.perf_counter() - began < seconds and not session.wait(every):
            progress("soaking", min(1.0, (time.perf_counter() - began) / seconds))
            samples.append(_sample(time.perf_counter() - began, session.metrics, device))
    finally:
        session.stop()
    if session.error is not None:
        raise session.error
    result["samples"] = samples
    result["rows"] = [{"what": "soak", **figures(samples, timed.seconds)}]
    return result


def _sample(at: float, metrics: Metrics, device: torch.device) -> dict[str, float]:
    process: Any = psutil.Process()
    found = {"at_s": at, "memory_mb": resident(), "rendered": metrics.counter("frames_rendered")}
    if device.type == "cuda":
        found["gpu_mb"] = torch.cuda.memory_reserved(device) / MB
    handles = process.num_fds() if hasattr(process, "num_fds") else process.num_handles()
    return {**found, "threads": threading.active_count(), "descriptors": handles}


def figures(samples: list[dict[str, float]], seconds: Sequence[float]) -> dict[str, Any]:
    """What the samples and the times of all frames say."""
    settled = samples[int(len(samples) * SETTLING) :]
    row: dict[str, Any] = {**percentiles(seconds), "frames": len(seconds), "samples": len(samples)}
    if row["p50_ms"]:
        row["p99_over_p50"] = row["p99_ms"] / row["p50_ms"]
    if len(settled) < 3:
        return row
    times = np.array([each["at_s"] for each in settled])
    rates = np.diff([each["rendered"] for each in settled]) / np.diff(times)
    third = max(1, len(rates) // 3)
    row["fps"] = float(median(rates))
    row["fps_drift"] = float(median(rates[-third:]) / median(rates[:third])) if median(rates[:third]) else None
    for name in ("memory_mb", "gpu_mb"):
        if name in settled[0]:
            values = [each[name] for each in settled]
            row[name.replace("mb", "slope_mb_per_min")] = float(np.polyfit(times, values, 1)[0] * 60)
            row[name.replace("mb", "first_mb")], row[name.replace("mb", "last_mb")] = values[0], values[-1]
    for name in ("threads", "descriptors"):
        row[f"{name}_growth"] = settled[-1][name] - settled[0][name]
    return row


def table(result: Result) -> Table:
    """The result for people."""
    settings, row = result["configuration"], result["rows"][0]
    shown = table_of(f"Soak: {settings['model']}, {settings['seconds']:g} s", ("what",), ("",))
    for name, value in row.items():
        if name != "what":
            text = "-" if value is None else f"{value:,.3f}".rstrip("0").rstrip(".")
            shown.add_row(name.replace("_", " "), text)
    return shown


def draw(result: Result) -> Any:
    """Memory and frames per second over time."""
    samples = result["samples"]
    figure, (left, right) = _plot.figure(result, f"Soak, {result['configuration']['model']}", panels=2, height=2.8)
    minutes = [each["at_s"] / 60 for each in samples]
    _plot.lines(left, {"memory": (minutes, [each["memory_mb"] for each in samples])}, dots=False)
    left.set_ylim(0, 1.25 * max(each["memory_mb"] for each in samples))
    _plot.name(left, "resident memory, MB", "minutes")
    rates = [(b["rendered"] - a["rendered"]) / (b["at_s"] - a["at_s"]) for a, b in itertools.pairwise(samples)]
    _plot.lines(right, {"fps": (minutes[1:], rates)}, dots=False)
    right.set_ylim(0, 1.25 * max(rates, default=1.0))
    _plot.name(right, "frames per second", "minutes")
    return figure


@BENCH.command(table, draw)
def main(
    models: Models,
    seconds: Annotated[float, typer.Option(min=3, help="How long.")] = 600.0,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two samples.")] = 1.0,
    progress: Progress = silent,
) -> Result:
    """Run a session for ten minutes: memory slope, drift of the frame rate, p99 over p50."""
    settings = models.variant(warmup=2)
    stream = Stream(models.pipe(settings), settings)
    try:
        return measure(stream, models.describe(settings), seconds, every, progress=progress)
    finally:
        stream.close()
