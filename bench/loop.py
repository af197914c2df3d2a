"""What the loop itself costs: sessions with a stream that has no network.

``overhead``: from the captured picture to the written sink when the stream costs nothing; the goal is 2 ms at p99.
``backlog``: a source of 240 fps in front of an engine of 20 fps; latency must be flat, nothing may queue.
"""

from __future__ import annotations

from statistics import median
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from ..stream.base.frame import Output, Size
from ..stream.base.metrics import Metrics
from ..stream.base.options import JsonOption, check_writable
from ..stream.base.progress import Progress, shown, silent
from ..stream.base.results import Result, machine
from ..stream.loop.gate import similarity
from ..stream.session.session import Session
from ..stream.sinks import Status
from ..stream.sources.fake import FakeSource
from .bench import publish
from .rows import filled_table
from .synthetic import FakeStream
from .timing import run_whole

GOAL_MS = 2.0
COLUMNS = {
    "": "{what}",
    "p50 ms": "{p50_ms:.3f}",
    "p95 ms": "{p95_ms:.3f}",
    "p99 ms": "{p99_ms:.3f}",
    "max ms": "{max_ms:.3f}",
    " ": "{remark}",
}


class _Ages:
    """A sink that notes how old each picture is when it arrives."""

    interval: float | None = None
    on_main_thread = False

    def __init__(self, metrics: Metrics) -> None:
        self.milliseconds: list[float] = []
        self._clock = metrics.clock

    def write(self, output: Output | None, status: Status) -> None:
        """Note the age of one picture."""
        if output is not None:
            self.milliseconds.append((self._clock() - output.captured_at) * 1e3)

    def close(self) -> None:
        """There is nothing to let go of."""


def measure(
    frames: int = 2000,
    size: Size = Size(512, 512),  # noqa: B008 - a tuple, it cannot change
    fps: float = 200.0,
    progress: Progress = silent,
) -> Result:
    """Run both cases; returns the configuration, the machine, and for each case what was measured, in milliseconds.

    ``frames`` are rendered for the overhead, from a live source of ``fps`` on which a pen writes on and on, and a tenth
    of them (at least 20) for the backlog.
    """
    about = {"frames": frames, "size": str(size), "fps": fps, "stream": "FakeStream", "steps": 1}
    progress("the loop alone")
    overhead = _overhead(frames, size, fps)
    progress("240 frames a second into 20")
    backlog = _backlog(max(20, frames // 10), size)
    return {"configuration": about, "machine": machine(), "overhead": overhead, "backlog": backlog}


def _overhead(frames: int, size: Size, fps: float) -> dict[str, Any]:
    metrics = Metrics(window=max(2, frames))
    source = FakeSource(size, fps=fps, pattern="stroke")
    with Session(source, FakeStream(1, size=size), [_Ages(metrics)], metrics=metrics) as session:
        run_whole(session, frames)
    stages = metrics.summary()["stages"]
    return {
        "goal_p99_ms": GOAL_MS,
        "end_to_end": stages["end_to_end"],
        "prepare": stages["prepare"],
        "sink": stages["sink"],
        "gate": _gate(size),
        "unique_fps": metrics.summary()["unique_fps"],
        "met": stages["end_to_end"]["p99_ms"] <= GOAL_MS,
    }


def _gate(size: Size, times: int = 200) -> dict[str, Any]:
    """The gate alone, on the two pictures that cost it most: everything differs."""
    metrics = Metrics()
    random = np.random.default_rng(0)
    first, second = (random.integers(0, 256, (size.height, size.width, 3), np.uint8) for _ in range(2))
    for _ in range(times):
        with metrics.span("gate"):
            similarity(first, second)
    return metrics.summary()["stages"]["gate"]


def _backlog(frames: int, size: Size, fps: float = 240.0, delay: float = 0.05) -> dict[str, Any]:
    metrics = Metrics()
    ages = _Ages(metrics)
    source = FakeSource(size, fps=fps, pattern="stroke")
    with Session(source, FakeStream(1, delay=delay, size=size), [ages], metrics=metrics) as session:
        run_whole(session, frames)
    half = len(ages.milliseconds) // 2
    first, second = median(ages.milliseconds[:half]), median(ages.milliseconds[half:])
    summary = metrics.summary()
    return {
        "source_fps": fps,
        "inference_ms": delay * 1e3,
        "first_half_p50_ms": first,
        "second_half_p50_ms": second,
        "end_to_end": summary["stages"]["end_to_end"],
        "captured": summary["frames_captured"],
        "rendered": summary["frames_rendered"],
        "dropped": summary["frames_dropped"],
        "unique_fps": summary["unique_fps"],
        "flat": second <= first * 1.2,
    }


def table(result: Result) -> Table:
    """The result for people."""
    settings = ", ".join(f"{name} {value}" for name, value in result["configuration"].items())
    settings += f"; backlog: {result['backlog']['source_fps']:g} fps to {result['backlog']['inference_ms']:g} ms"
    versions = ", ".join(f"{name} {value}" for name, value in result["machine"].items())
    overhead, backlog = result["overhead"], result["backlog"]
    met, flat = ("met" if overhead["met"] else "missed"), ("flat" if backlog["flat"] else "NOT flat")
    halves = f"{backlog['first_half_p50_ms']:.1f} -> {backlog['second_half_p50_ms']:.1f} ms"
    rows = [
        {**overhead["end_to_end"], "what": "overhead", "remark": f"p99 goal {GOAL_MS:g} ms {met}"},
        {**overhead["prepare"], "what": "- prepare"},
        {**overhead["sink"], "what": "- sink"},
        {**overhead["gate"], "what": "gate, worst"},
        {**backlog["end_to_end"], "what": "backlog", "remark": f"{halves} {flat}"},
    ]
    filled = filled_table("Loop without a network", COLUMNS, rows)
    filled.caption = f"{settings}\n{versions}"
    return filled


def main(
    frames: Annotated[int, typer.Option(help="Frames to render.", min=20)] = 2000,
    size: Annotated[str, typer.Option(help="Size of the pictures, WIDTHxHEIGHT.")] = "512x512",
    json: JsonOption = None,
) -> None:
    """Measure what the loop itself costs, without a network."""
    check_writable(json, "--json")
    with shown("loop") as progress:
        result = measure(frames, Size.parse(size), progress=progress)
    publish(result, table(result), json)
