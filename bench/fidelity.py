"""How near every engine's pictures are to those of eager PyTorch in float32, on sketches of the demo.

``psnr_db`` is of all pictures together and ``worst_db`` of the worst single one (100: equal); ``ssim`` and ``edge_f1``
are means. A row is ``met`` where ``psnr_db`` reaches the goal of its precision.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from statistics import mean
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from rich.table import Table

from ..stream.base.configfile import RunConfig
from ..stream.base.frame import Frame
from ..stream.base.measures import edge_f1, psnr, ssim
from ..stream.base.options import ConfigOption, SetOption, listed, load_run
from ..stream.base.progress import Progress, silent
from ..stream.base.results import Result
from ..stream.loop.stream import Stream
from ..stream.sources.drawing import prompt_for, sketch, subjects
from . import _plot
from .bench import Bench
from .models import Models, engine_named, row_of
from .rows import filled_table, measured, not_measured

FIGURES = {"psnr_db": "more", "worst_db": "more", "ssim": "more", "edge_f1": "more"}
BENCH = Bench("fidelity", ("engine", "dtype"), FIGURES)
COLUMNS = {
    "engine": "{engine}",
    "precision": "{dtype}",
    "PSNR dB": "{psnr_db:.1f}",
    "worst dB": "{worst_db:.1f}",
    "SSIM": "{ssim:.4f}",
    "edge F1": "{edge_f1:.3f}",
    "goal dB": "{goal_db:g}",
    "": "{said}",
}
GOALS = {"float32": 40.0, "bfloat16": 30.0, "float16": 30.0, "int8": 25.0, "float8": 25.0}  # dB
JUDGING = 1000  # seed of the first sketch
Sketch = tuple[np.ndarray, str | None]  # (picture, its prompt; None: the one before)


class Quality(NamedTuple):
    """How near pictures are to those expected."""

    psnr_db: float
    ssim: float
    edge_f1: float
    worst_db: float


def sketches(count: int, side: int, seed: int = JUDGING) -> Iterator[Sketch]:
    """Sketches of every subject in turn, each with a prompt that suits it."""
    names = subjects()
    for index in range(count):
        name = names[index % len(names)]
        yield sketch(name, side, seed + index), prompt_for(name, index // len(names))


def pictures(
    stream: Stream, drawn: list[Sketch], progress: Callable[[float], Any] = lambda part: None
) -> list[np.ndarray]:
    """The picture of every sketch, in order: (H, W, 3) uint8."""
    found = {}
    for index, (page, prompt) in enumerate(drawn):
        progress(index / len(drawn))
        stream.update(prompt=prompt)
        for output in [stream(Frame(page, id=index), gated=False), *stream.drain()]:
            if output is not None:
                found[output.source_id] = output.pixels.copy()
    return [found[index] for index in range(len(drawn))]


def quality(got: list[np.ndarray], expected: list[np.ndarray]) -> Quality:
    """PSNR of all pictures together and of the worst, means of SSIM and edge F1."""
    pairs = list(zip(got, expected, strict=True))
    return Quality(
        psnr(np.stack(got), np.stack(expected)),
        mean(float(ssim(*pair)) for pair in pairs),
        mean(float(edge_f1(*pair)) for pair in pairs),
        min(psnr(*pair) for pair in pairs),
    )


def measure(
    run: RunConfig, engines: list[str], dtypes: list[str], count: int = 50, progress: Progress = silent
) -> Result:
    """Every engine in every precision, on ``count`` sketches."""
    models = Models(run)
    result = BENCH.begin({**models.describe(run.stream), "sketches": count}, models.device)
    drawn = list(sketches(count, max(run.stream.width, run.stream.height)))

    def rendered(engine: str, dtype: str) -> list[np.ndarray]:
        config = run.stream.changed(acceleration=engine, dtype=dtype)
        stream = Stream.from_pretrained(run.model, config, progress=progress)
        try:
            return pictures(stream, drawn, lambda part: progress(f"{engine} {dtype}: pictures", part))
        finally:
            stream.close()

    expected = rendered("eager", "float32")

    def judged(engine: str, dtype: str) -> dict[str, Any]:
        found = quality(rendered(engine, dtype), expected)
        return {**found._asdict(), "met": found.psnr_db >= GOALS[dtype]}

    for engine in engines:
        for dtype in dtypes:
            named, why_not = engine_named(engine, models.device)
            if not why_not and (named, dtype) == ("eager", "float32"):
                continue
            about = {"engine": named, "dtype": dtype, "goal_db": GOALS[dtype]}
            result["rows"].append(row_of(about, why_not, functools.partial(judged, named, dtype)))
    return result


def table(result: Result) -> Table:
    """The result for people."""
    settings = result["configuration"]
    rows = [{**row, "said": "met" if row["met"] else "missed"} for row in measured(result)]
    title = f"Pictures of {settings['sketches']} sketches against eager float32: {settings['model']}"
    shown = filled_table(title, COLUMNS, rows)
    shown.caption = not_measured(result, "engine", "dtype")
    return shown


def draw(result: Result) -> Any:
    """PSNR of every row beside its goal."""
    rows = measured(result)
    figure, (axis,) = _plot.figure(result, f"Pictures against eager float32, {result['configuration']['model']}")
    series = {
        "all pictures": [row["psnr_db"] for row in rows],
        "the worst": [row["worst_db"] for row in rows],
        "goal": [row["goal_db"] for row in rows],
    }
    _plot.bars(axis, [f"{row['engine']}\n{row['dtype']}" for row in rows], series, ".0f")
    _plot.name(axis, "PSNR in dB, at most 100")
    _plot.legend(figure, axis)
    return figure


@BENCH.command(table, draw)
def main(
    config: ConfigOption = "ink-tiny",
    sets: SetOption = None,
    engine: Annotated[str, typer.Option(metavar="A,B", help="Engines to measure.")] = "eager,openvino,onnxruntime",
    dtype: Annotated[
        str, typer.Option(metavar="A,B", help=f"Precisions: {', '.join(GOALS)}. For int8: inkstream quantize first.")
    ] = "float32,bfloat16",
    sketches: Annotated[int, typer.Option(min=2, max=2000, help="How many sketches.")] = 50,
    progress: Progress = silent,
) -> Result:
    """Compare every engine's pictures of the demo's sketches with those of eager PyTorch in float32."""
    dtypes = listed(dtype)
    unknown = [name for name in dtypes if name not in GOALS]
    if unknown:
        raise typer.BadParameter(f"got {unknown[0]!r}, expected some of: {', '.join(GOALS)}", param_hint="--dtype")
    return measure(load_run(config, sets), listed(engine), dtypes, sketches, progress)
