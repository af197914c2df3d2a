"""How near every engine's pictures are to those of eager PyTorch in float32, on sketches of the demo.

``psnr_db`` is of all pictures together and ``worst_db`` of the worst single one (100: equal); ``ssim`` and ``edge_f1``
are means. A row is ``met`` where ``psnr_db`` reaches the goal of its precision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import mean
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
import typer
from rich.table import Table

from ..stream.app.commands.common import ConfigOption, SetOption, load_run
from ..stream.base.errors import EngineError
from ..stream.base.frame import Frame
from ..stream.base.measures import edge_f1, psnr, ssim
from ..stream.loop.stream import Stream
from ..stream.sources.drawing import prompt_for, sketch, subjects
from . import _plot
from ._models import Models, engine_named
from ._progress import tell
from ._results import CompareOption, JsonOption, KeepOption, PlotOption, Wanted, result_of, table_of

if TYPE_CHECKING:
    from ..stream.base.configfile import RunConfig

KEYS = ("engine", "dtype")
FIGURES = {"psnr_db": "more", "worst_db": "more", "ssim": "more", "edge_f1": "more"}
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


def pictures(stream: Stream, drawn: list[Sketch], progress: Callable[[float], Any] = lambda part: None) -> list[Any]:
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
    run: RunConfig,
    engines: tuple[str, ...],
    dtypes: tuple[str, ...],
    count: int = 50,
) -> dict[str, Any]:
    """Every engine in every precision; returns the result (see ``_results``)."""
    models = Models(run)
    result = result_of("fidelity", {**models.describe(), "sketches": count}, models.device, KEYS, FIGURES)
    result["configuration"]["stream"] = run.stream.model_dump(mode="json")
    drawn = list(sketches(count, max(run.stream.width, run.stream.height)))

    def rendered(engine: str, dtype: str) -> list[Any]:
        config = run.stream.changed(acceleration=engine, dtype=dtype)
        stream = Stream.from_pretrained(run.model, config, progress=tell)
        try:
            return pictures(stream, drawn, lambda part: tell(f"{engine} {dtype}: pictures", part))
        finally:
            stream.close()

    expected = rendered("eager", "float32")
    for engine in engines:
        for dtype in dtypes:
            named, why_not = engine_named(engine, models.device)
            if not why_not and (named, dtype) == ("eager", "float32"):
                continue
            row = {"engine": named, "dtype": dtype, "goal_db": GOALS[dtype]}
            try:
                if why_not:
                    raise EngineError(why_not)
                found = quality(rendered(named, dtype), expected)
                row |= {**found._asdict(), "met": found.psnr_db >= GOALS[dtype]}
            except EngineError as error:
                row["skipped_because"] = str(error)
            result["rows"].append(row)
    return result


def table(result: dict[str, Any]) -> Table:
    """The result for people."""
    settings = result["configuration"]
    shown = table_of(
        f"Pictures of {settings['sketches']} sketches against eager float32: {settings['model']}",
        ("engine", "precision"),
        ("PSNR dB", "worst dB", "SSIM", "edge F1", "goal dB", ""),
    )
    notes = []
    for row in result["rows"]:
        if "skipped_because" in row:
            notes.append(f"{row['engine']} {row['dtype']} is not measured: {row['skipped_because']}")
            continue
        figures = (f"{row['psnr_db']:.1f}", f"{row['worst_db']:.1f}", f"{row['ssim']:.4f}", f"{row['edge_f1']:.3f}")
        shown.add_row(row["engine"], row["dtype"], *figures, f"{row['goal_db']:g}", "met" if row["met"] else "missed")
    shown.caption = "\n".join(notes)
    return shown


def draw(result: dict[str, Any]) -> Any:
    """PSNR of every row beside its goal."""
    rows = [row for row in result["rows"] if "skipped_because" not in row]
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


def main(
    config: ConfigOption = "ink-tiny",
    sets: SetOption = None,
    engine: Annotated[str, typer.Option(metavar="A,B", help="Engines to measure.")] = "eager,openvino,onnxruntime",
    dtype: Annotated[
        str, typer.Option(metavar="A,B", help=f"Precisions: {', '.join(GOALS)}. For int8: inkstream quantize first.")
    ] = "float32,bfloat16",
    sketches: Annotated[int, typer.Option(min=2, max=2000, help="How many sketches.")] = 50,
    json: JsonOption = None,
    plot: PlotOption = None,
    compare: CompareOption = None,
    keep: KeepOption = False,
) -> None:
    """Compare every engine's pictures of the demo's sketches with those of eager PyTorch in float32."""
    wanted = Wanted(json, plot, compare, keep)
    parts = [tuple(part.strip() for part in text.split(",")) for text in (engine, dtype)]
    unknown = [name for name in parts[1] if name not in GOALS]
    if unknown:
        raise typer.BadParameter(f"got {unknown[0]!r}, expected some of: {', '.join(GOALS)}", param_hint="--dtype")
    result = measure(load_run(config, sets), *parts, sketches)
    wanted.publish(result, table(result), draw)


if __name__ == "__main__":
    typer.run(main)
