"""The speed goals on an NVIDIA H200, and how near this machine comes: one command fills the whole table.

Milliseconds are from a picture on the host to a picture on the host, 512 x 512, tiny autoencoder, random weights. The
floor is computed from the work (2 x multiply-accumulate) and the memory traffic at the speeds that the GPU really
reaches; gate, target and stretch are goals. ``ratio`` is against eager PyTorch in the same process, turn and turn
about: the better of the published loop's memory layouts where it can run the case, our own eager engine where it
cannot (ControlNets, SDXL). ``ratio_compiled`` is against the published loop with ``torch.compile`` added. ``host_ms``
is what the median turn took beyond the GPU's own work. Without an NVIDIA GPU every row says "not measured".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Annotated, Any

import torch
import typer
from rich.table import Table

from ..stream.base.config import StreamConfig
from ..stream.base.frame import Size
from ..stream.base.options import SetOption
from ..stream.base.progress import Progress, silent
from ..stream.base.results import Result
from ..stream.loop.stream import Stream
from . import _plot
from ._reference import StreamDiffusionRender, compiler_missing, streamdiffusion
from .bench import Bench
from .models import Models, engine_named, plain_run
from .rows import filled_table
from .shapes import random_pipeline
from .timing import StreamRender, alternate, drive, flat, pages, ratio

BENCH = Bench("goals", ("case",), {"ms_per_frame": "less", "p99_over_p50": "less", "ratio": "more"})
COLUMNS = {
    "case": "{case}",
    "engine": "{engine}",
    "floor": "{floor_ms:.2f}",
    "gate": "{gate_ms:.2f}",
    "target": "{target_ms:.2f}",
    "stretch": "{stretch_ms:.2f}",
    "ms a frame": "{ms_per_frame:.2f}",
    "p99/p50": "{p99_over_p50:.2f}",
    "host ms": "{host_ms:.2f}",
    "eager / ours": "{ratio:.2f}",
    "compiled / ours": "{ratio_compiled:.2f}",
    "": "{verdict}",
}
GOALS_ARE_FOR = "H200"
WARM_TURNS = 8


@dataclass(frozen=True)
class Case:
    """One row: a shape and its goals, in milliseconds a frame on one H200. ``faster``: than eager, gate and target."""

    case: str
    shape: str
    steps: int
    floor_ms: float
    gate_ms: float
    target_ms: float
    stretch_ms: float
    faster: tuple[float, float] | None
    controlnets: int = 0
    sessions: int = 1


CASES = (
    Case("SD-Turbo, 1 step", "sd-turbo", 1, 1.35, 5.4, 4.2, 3.4, (3.5, 5.0)),
    Case("SD-Turbo, 1 step, ControlNet", "sd-turbo", 1, 1.70, 7.0, 5.6, 4.6, (3.5, 5.0), controlnets=1),
    Case("SD 1.5, LCM 4 steps", "sd15", 4, 4.39, 11.0, 9.2, 8.0, (2.0, 2.5)),
    Case("SDXL-Turbo, 1 step", "sdxl-turbo", 1, 2.28, 9.1, 7.6, 6.5, (3.0, 4.0)),
    # 350 frames a second together; the floor of a frame is that of one session.
    Case("SD-Turbo, 1 step, 8 sessions", "sd-turbo", 1, 1.35, 1e3 / 350, 1e3 / 350, 1e3 / 350, None, sessions=8),
)


def measure(
    cases: Sequence[Case] = CASES,
    size: Size = Size(512, 512),  # noqa: B008 - a tuple, it cannot change
    sets: list[str] | None = None,
    engine: str = "auto",
    frames: int = 200,
    rounds: int = 8,
    anywhere: bool = False,
    progress: Progress = silent,
) -> Result:
    """Every case. ``sets`` are settings as text; ``anywhere`` measures without an NVIDIA GPU, too."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    asked = {"size": str(size), "engine": engine, "frames": frames, "rounds": rounds}
    result = BENCH.begin({**asked, "goals_for": GOALS_ARE_FOR}, device)
    for case in cases:
        progress(case.case)
        row: dict[str, Any] = {**asdict(case), "faster": list(case.faster or ())}
        if device.type == "cuda" or anywhere:
            models = Models(plain_run(case.shape, size, [f"device={device.type}", *(sets or [])]), case.shape)
            row |= _row(models, case, engine, frames, rounds)
            row["verdict"] = verdict(row, result["machine"].get("gpu", ""))
        else:
            row["skipped_because"] = "not measured: this machine has no NVIDIA GPU"
        result["rows"].append(row)
    return result


def verdict(row: dict[str, Any], gpu: str) -> str:
    """stretch, target, gate or missed; empty on a machine for which the goals were not made."""
    if GOALS_ARE_FOR not in gpu:
        return ""
    for goal in ("stretch", "target", "gate"):
        if row["ms_per_frame"] <= row[f"{goal}_ms"]:
            return goal
    return "missed"


def _row(models: Models, case: Case, engine: str, frames: int, rounds: int) -> dict[str, Any]:
    config = models.variant(
        engine=engine_named(engine, models.device)[0],
        steps=case.steps,
        cfg_type="none",
        controlnets=case.controlnets,
        mode="img2img",
        frame_buffer_size=case.sessions,
        similar_image_filter_threshold=None,
    )
    stream = Stream(models.pipe(config), config)
    drawing = pages(Size(config.width, config.height))
    drive(stream, drawing, case.sessions * (case.steps + WARM_TURNS))
    driven = drive(stream, drawing, -(-frames // case.sessions) * case.sessions, first_id=1_000_000)
    row = driven.summary()
    row["ms_per_frame"] = median(driven.turns) * 1e3 / case.sessions
    row["p99_over_p50"] = row["p99_ms"] / row["p50_ms"]
    row["host_ms"] = row["p50_ms"] - row["gpu_ms"] if "gpu_ms" in row else None
    row["engine"] = stream.engine.name
    if case.faster:
        row |= _ratios(models, case, config, stream, drawing, rounds, min(8, frames))
    return row


def _ratios(
    models: Models, case: Case, config: StreamConfig, stream: Stream, drawing: list[Any], rounds: int, frames: int
) -> dict[str, Any]:
    """The fastest eager contender over ours, and the published loop compiled over ours."""
    made: dict[str, Any] = {"ours": StreamRender(stream)}
    if case.controlnets or "xl" in case.shape:
        eager = config.changed(acceleration="eager")
        made["our eager engine"] = StreamRender(Stream(models.pipe(eager), eager))
    else:
        streamdiffusion()
        variants = ["eager", "channels_last", *([] if compiler_missing() else ["compile"])]
        for variant in variants:
            pipe = random_pipeline(case.shape, dtype=models.dtype, device=models.device)
            made[f"streamdiffusion {variant}"] = StreamDiffusionRender(pipe, config, variant)
    for render in made.values():
        for page in drawing[: case.steps + 4]:
            render(page)
    times = alternate(made, drawing, rounds, frames)
    compiled = times.pop("streamdiffusion compile", None)
    ours = times.pop("ours")
    best = min(times, key=lambda name: median(flat(times[name])))
    found = {"against": best, **ratio(times[best], ours)}
    if compiled is not None:
        found["ratio_compiled"] = ratio(compiled, ours)["ratio"]
    return found


def table(result: Result) -> Table:
    """The result for people."""
    where = result["machine"].get("gpu") or "no NVIDIA GPU"
    rows = [{"verdict": "not measured", **row} for row in result["rows"]]
    shown = filled_table(f"Speed goals for one {GOALS_ARE_FOR}, measured on: {where}", COLUMNS, rows)
    notes = [f"{row['case']}: eager is {row['against']}" for row in rows if "against" in row]
    shown.caption = "\n".join(notes) or "run it where an NVIDIA GPU is: inkstream bench goals --keep"
    return shown


def draw(result: Result) -> Any:
    """Measured milliseconds between the goals."""
    figure, (axis,) = _plot.figure(result, f"Speed goals for one {GOALS_ARE_FOR}, ms a frame", width=9.0)
    rows = result["rows"]
    names = {"measured": "ms_per_frame", "floor": "floor_ms", "stretch": "stretch_ms", "gate": "gate_ms"}
    series = {label: [row.get(key) for row in rows] for label, key in names.items()}
    _plot.bars(axis, [row["case"].replace(", ", "\n") for row in rows], series, ".1f")
    _plot.legend(figure, axis)
    return figure


@BENCH.command(table, draw)
def main(
    sets: SetOption = None,
    engine: Annotated[str, typer.Option(metavar="NAME", help="Our engine; auto is the fastest there is.")] = "auto",
    frames: Annotated[int, typer.Option(min=20, help="Frames of each case.")] = 200,
    rounds: Annotated[int, typer.Option(min=2, help="How often the contenders take turns.")] = 8,
    progress: Progress = silent,
) -> Result:
    """Fill the table of speed goals on an NVIDIA GPU: ours, and eager PyTorch in the same run.

    Examples:

        inkstream bench goals --set dtype=bfloat16 --keep
    """
    return measure(sets=sets, engine=engine, frames=frames, rounds=rounds, progress=progress)
