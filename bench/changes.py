"""What live changes cost: a stream on which prompt, LoRA, ControlNet and guidance scale and seed change all the time.

Frames with changes and frames without alternate in blocks of the same run, on the same stream, so that the ratio holds
when the machine's speed drifts. Every change is made in another thread while frames are rendered, as a person makes it.
``rebuilt`` counts how often a change made the engine build anything.
"""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from rich.table import Table

from ..stream.app.commands.common import ConfigOption, SetOption, load_run
from ..stream.base.configfile import RunConfig
from ..stream.base.errors import EngineError
from ..stream.base.frame import Frame
from ..stream.loop.stream import Stream
from ..stream.sources.drawing import sketch
from . import _plot
from ._models import Models, ShapeOption, engine_named
from ._progress import tell
from ._results import CompareOption, JsonOption, KeepOption, PlotOption, Wanted, result_of, table_of
from .random_lora import tiny_lora

LIMIT = 2.0  # no frame may take longer than this many medians
KEYS = ("engine",)
FIGURES = {"p50_ms": "less", "max_over_p50": "less"}
WARM_FRAMES = 20
PROMPTS = (
    "a glossy blue sedan car, side view, on road, sunset",
    "a matte yellow sedan car, side view, in a studio",
    "a red brick house with a gable roof, on grass, day",
    "a white wood cottage with a gable roof, on snow, night",
)


def measure(
    run: RunConfig,
    shape: str | None = None,
    engines: tuple[str, ...] = ("auto",),
    changes: int = 100,
    frames_per_change: int = 3,
) -> dict[str, Any]:
    """Make ``changes`` changes of everything at once under each engine; returns the result (see ``_results``)."""
    models = Models(run, shape)
    configuration = {**models.describe(), "changes": changes, "frames_per_change": frames_per_change, "limit": LIMIT}
    configuration["stream"] = models.variant().model_dump(mode="json")
    result = result_of("changes", configuration, models.device, KEYS, FIGURES)
    for engine in engines:
        named, why_not = engine_named(engine, models.device)
        if why_not:
            result["rows"].append({"engine": named, "skipped_because": why_not})
            continue
        try:
            # Networks of its own for each, because a LoRA is hung into them.
            result["rows"].append({"engine": named, **_row(Models(run, shape), named, changes, frames_per_change)})
        except EngineError as error:
            result["rows"].append({"engine": named, "skipped_because": str(error)})
    return result


def _row(models: Models, engine: str, changes: int, frames_per_change: int) -> dict[str, Any]:
    config = models.variant(engine=engine, cfg_type="self", similar_image_filter_threshold=None)
    stream = Stream(models.pipe(config), config)
    try:
        with tempfile.TemporaryDirectory() as folder:
            lora = str(tiny_lora(stream.pipe, Path(folder) / "style.safetensors", strength=0.05))
            stream.update(lora_dict={lora: 0.5})
            bench = _Bench(stream, lora)
            for _ in range(WARM_FRAMES):
                bench.render(changing=None)
            bench.begin()
            for number in range(changes):
                tell(f"{engine}: change {number + 1} of {changes}", number / changes)
                bench.render_block(number, frames_per_change)
            bench.finish()
        return bench.result()
    finally:
        stream.close()


class _Bench:
    def __init__(self, stream: Stream, lora: str) -> None:
        self._stream, self._lora = stream, lora
        self._pages = [sketch(subject, max(stream.size), 0) for subject in ("sedan", "house")]
        self._entered = 0
        self._came_out: list[int] = []
        self._times: dict[bool, list[float]] = {True: [], False: []}
        self._engine, self._rebuilt = stream.engine, 0

    def begin(self) -> None:
        """From here on it counts."""
        self._times = {True: [], False: []}
        self._engine, self._rebuilt = self._stream.engine, 0

    def render(self, changing: bool | None) -> None:
        """One frame, timed."""
        frame = Frame(self._pages[self._entered % 2], id=self._entered)
        self._entered += 1
        began = time.perf_counter()
        output = self._stream(frame)
        spent = (time.perf_counter() - began) * 1e3
        if changing is not None:
            self._times[changing].append(spent)
        if output is not None:
            self._came_out.append(output.source_id)
        if self._stream.engine is not self._engine:
            self._engine, self._rebuilt = self._stream.engine, self._rebuilt + 1

    def render_block(self, number: int, frames: int) -> None:
        """As many frames without a change as with one that is made meanwhile."""
        for _ in range(frames):
            self.render(changing=False)
        changed = threading.Thread(target=self._change, args=(number,))
        changed.start()
        for _ in range(frames):
            self.render(changing=True)
        changed.join()

    def _change(self, number: int) -> None:
        nets = [{"conditioning_scale": 0.5 + number % 6 / 10}] if self._stream.config.controlnets else None
        self._stream.update(
            prompt=PROMPTS[number % len(PROMPTS)],
            lora_dict={self._lora: number % 10 / 10},
            controlnets=nets,
            guidance_scale=1.1 + number % 5 / 10,
            delta=0.6 + number % 5 / 10,
            seed=number,
        )

    def finish(self) -> None:
        self._came_out += [output.source_id for output in self._stream.drain()]

    def result(self) -> dict[str, Any]:
        calm, changed = self._times[False], self._times[True]
        middle = median(calm)
        return {
            "p50_ms": median(changed),
            "p50_ms_without": middle,
            "max_ms": max(changed),
            "max_ms_without": max(calm),
            "max_over_p50": max(changed) / middle,
            "slower_than_limit": sum(spent > LIMIT * middle for spent in changed),
            "slower_than_limit_without": sum(spent > LIMIT * middle for spent in calm),
            "rebuilt": self._rebuilt,
            "frames_entered": self._entered,
            "frames_lost": self._entered - len(set(self._came_out)),
            "in_order": self._came_out == sorted(self._came_out),
        }


def table(result: dict[str, Any]) -> Table:
    """The result for people."""
    settings = result["configuration"]
    shown = table_of(
        f"{settings['changes']} live changes: {settings['model']}, {settings['dtype']}",
        ("engine", "frames"),
        ("p50 ms", "max ms", "max / p50", f"over {LIMIT:g} x p50", "rebuilt", "lost"),
    )
    shown.caption = "each change: prompt, LoRA scale, ControlNet scale, guidance scale, delta and seed at once"
    for row in result["rows"]:
        if "skipped_because" in row:
            shown.caption += f"\n{row['engine']} is not measured: {row['skipped_because']}"
            continue
        for what, end in (("with changes", ""), ("without", "_without")):
            times = (row[f"p50_ms{end}"], row[f"max_ms{end}"], row[f"max_ms{end}"] / row["p50_ms_without"])
            counts = (str(row["rebuilt"]), str(row["frames_lost"])) if not end else ()
            shown.add_row(
                row["engine"], what, *(f"{x:.2f}" for x in times), str(row[f"slower_than_limit{end}"]), *counts
            )
    return shown


def draw(result: dict[str, Any]) -> Any:
    """Median and slowest frame of every engine, with changes and without."""
    rows = [row for row in result["rows"] if "skipped_because" not in row]
    title = f"{result['configuration']['changes']} live changes, {result['configuration']['model']}"
    figure, (axis,) = _plot.figure(result, title)
    series = {
        "median, with changes": [row["p50_ms"] for row in rows],
        "median, without": [row["p50_ms_without"] for row in rows],
        "slowest, with changes": [row["max_ms"] for row in rows],
        "slowest, without": [row["max_ms_without"] for row in rows],
    }
    _plot.bars(axis, [row["engine"] for row in rows], series, ".0f")
    _plot.name(axis, "milliseconds a frame")
    _plot.legend(figure, axis)
    return figure


def main(
    config: ConfigOption = "ink-tiny",
    shape: ShapeOption = None,
    sets: SetOption = None,
    engine: Annotated[str, typer.Option(metavar="A,B", help="Engines to measure.")] = "auto",
    changes: Annotated[int, typer.Option(min=1, help="How many changes.")] = 100,
    json: JsonOption = None,
    plot: PlotOption = None,
    compare: CompareOption = None,
    keep: KeepOption = False,
) -> None:
    """Change prompt, LoRA, ControlNet and guidance scale and seed while frames are rendered, and time every frame.

    Example:

        inkstream bench changes --engine eager,openvino,onnxruntime,compile --json changes.json
    """
    wanted = Wanted(json, plot, compare, keep)
    engines = tuple(part.strip() for part in engine.split(","))
    result = measure(load_run(config, sets), shape, engines, changes)
    wanted.publish(result, table(result), draw)


if __name__ == "__main__":
    typer.run(main)
