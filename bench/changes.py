"""What live changes cost: a stream on which prompt, LoRA, ControlNet and guidance scale and seed change all the time.

Frames with changes and frames without alternate in blocks of the same run, on the same stream, so that the ratio holds
when the machine's speed drifts. Every change is made in another thread while frames are rendered, as a person makes it.
``rebuilt`` counts how often a change made the engine build anything.
"""

from __future__ import annotations

import functools
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import torch
import typer
from rich.table import Table
from safetensors.torch import save_file
from torch import nn

from ..stream.base.frame import Frame
from ..stream.base.options import listed
from ..stream.base.progress import Progress, share_of, silent
from ..stream.base.results import Result
from ..stream.loop.stream import Stream
from ..stream.sources.drawing import sketch
from . import _plot
from .bench import Bench
from .models import Models, engine_named, row_of
from .rows import filled_table, measured, not_measured

LIMIT = 2.0  # no frame may take longer than this many medians
BENCH = Bench("changes", ("engine",), {"p50_ms": "less", "max_over_p50": "less", "update_ms": "less"})
COLUMNS = {
    "engine": "{engine}",
    "frames": "{frames}",
    "p50 ms": "{p50_ms:.2f}",
    "max ms": "{max_ms:.2f}",
    "max / p50": "{max_over_p50:.2f}",
    f"over {LIMIT:g} x p50": "{slower_than_limit}",
    "rebuilt": "{rebuilt}",
    "lost": "{frames_lost}",
}
WARM_FRAMES = 20
PROMPTS = (
    "a glossy blue sedan car, side view, on road, sunset",
    "a matte yellow sedan car, side view, in a studio",
    "a red brick house with a gable roof, on grass, day",
    "a white wood cottage with a gable roof, on snow, night",
)


def measure(
    models: Models,
    engines: Sequence[str] = ("auto",),
    changes: int = 100,
    frames_per_change: int = 3,
    progress: Progress = silent,
) -> Result:
    """Make ``changes`` changes of everything at once under each engine."""
    counts = {"changes": changes, "frames_per_change": frames_per_change, "limit": LIMIT}
    result = BENCH.begin({**models.describe(models.variant()), **counts}, models.device)
    for number, engine in enumerate(engines):
        named, why_not = engine_named(engine, models.device)
        told = share_of(progress, number, len(engines))
        work = functools.partial(_figures, models, named, changes, frames_per_change, told)
        result["rows"].append(row_of({"engine": named}, why_not, work))
    return result


def _figures(models: Models, engine: str, changes: int, frames_per_change: int, progress: Progress) -> dict[str, Any]:
    models = Models(models.run, models.shape)  # networks of its own, because a LoRA is hung into them
    config = models.variant(engine=engine, cfg_type="self", similar_image_filter_threshold=None)
    stream = Stream(models.pipe(config), config)
    try:
        with tempfile.TemporaryDirectory() as folder:
            lora = str(_random_lora(stream.pipe.unet, Path(folder) / "style.safetensors"))
            stream.update(lora_dict={lora: 0.5})
            timed = Timed(stream, lora)
            for _ in range(WARM_FRAMES):
                timed.render(changing=None)
            timed.begin()
            for number in range(changes):
                progress(f"{engine}: change {number + 1} of {changes}", number / changes)
                timed.render_block(number, frames_per_change)
            timed.finish()
            return {**timed.result(), "update_ms": timed.one_scalar()}
    finally:
        stream.close()


def _random_lora(unet: nn.Module, path: Path, rank: int = 4, strength: float = 0.05) -> Path:
    """Write a LoRA for attention and feed-forward; what switching one costs does not depend on its numbers."""
    generator, tensors = torch.Generator().manual_seed(0), {}
    for name, layer in unet.named_modules():
        if ".attentions." in name and isinstance(layer, nn.Linear | nn.Conv2d):
            outputs, inputs, *kernel = layer.weight.shape
            down = torch.randn(rank, inputs, *kernel, generator=generator) * layer.weight[0].numel() ** -0.5
            up = torch.randn(outputs, rank, *(1 for _ in kernel), generator=generator) * strength * rank**-0.5
            tensors |= {f"unet.{name}.lora_A.weight": down, f"unet.{name}.lora_B.weight": up}
    save_file(tensors, path)
    return path


class Timed:
    """A stream on which everything changes while it renders, and the times of its frames."""

    def __init__(self, stream: Stream, lora: str) -> None:
        self.stream, self._lora = stream, lora
        self._pages = [sketch(subject, max(stream.size), 0) for subject in ("sedan", "house")]
        self._entered = 0
        self._came_out: list[int] = []
        self._times: dict[bool, list[float]] = {True: [], False: []}
        self._engine, self.rebuilt = stream.engine, 0

    def begin(self) -> None:
        """From here on it counts."""
        self._times = {True: [], False: []}
        self._engine, self.rebuilt = self.stream.engine, 0

    def render(self, changing: bool | None) -> None:
        """One frame, timed."""
        frame = Frame(self._pages[self._entered % 2], id=self._entered)
        self._entered += 1
        began = time.perf_counter()
        output = self.stream(frame)
        spent = (time.perf_counter() - began) * 1e3
        if changing is not None:
            self._times[changing].append(spent)
        if output is not None:
            self._came_out.append(output.source_id)
        if self.stream.engine is not self._engine:
            self._engine, self.rebuilt = self.stream.engine, self.rebuilt + 1

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
        nets = [{"conditioning_scale": 0.5 + number % 6 / 10}] if self.stream.config.controlnets else None
        self.stream.update(
            prompt=PROMPTS[number % len(PROMPTS)],
            lora_dict={self._lora: number % 10 / 10},
            controlnets=nets,
            guidance_scale=1.1 + number % 5 / 10,
            delta=0.6 + number % 5 / 10,
            seed=number,
        )

    def finish(self) -> None:
        self._came_out += [output.source_id for output in self.stream.drain()]

    def one_scalar(self, times: int = 50) -> float:
        """Median of the milliseconds that a change of ``delta`` alone takes, while nothing is rendered."""
        spent = []
        for number in range(times):
            began = time.perf_counter()
            self.stream.update(delta=0.5 + number / 1000)
            spent.append((time.perf_counter() - began) * 1e3)
        return median(spent)

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
            "rebuilt": self.rebuilt,
            "frames_entered": self._entered,
            "frames_lost": self._entered - len(set(self._came_out)),
            "in_order": self._came_out == sorted(self._came_out),
        }


def table(result: Result) -> Table:
    """The result for people."""
    settings = result["configuration"]
    lines = []
    for row in measured(result):
        without = {key.removesuffix("_without"): value for key, value in row.items() if key.endswith("_without")}
        without["max_over_p50"] = without["max_ms"] / without["p50_ms"]
        lines.append({**row, "frames": "with changes"})
        lines.append({"engine": row["engine"], "frames": "without", **without})
    title = f"{settings['changes']} live changes: {settings['model']}, {settings['dtype']}"
    shown = filled_table(title, COLUMNS, lines)
    shown.caption = "each change: prompt, LoRA scale, ControlNet scale, guidance scale, delta and seed at once\n"
    for row in measured(result):
        shown.caption += f"{row['engine']}: one scalar alone, while nothing is rendered: {row['update_ms']:.2f} ms\n"
    shown.caption += not_measured(result, "engine")
    return shown


def draw(result: Result) -> Any:
    """Median and slowest frame of every engine, with changes and without."""
    rows = measured(result)
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


@BENCH.command(table, draw)
def main(
    models: Models,
    engine: Annotated[str, typer.Option(metavar="A,B", help="Engines to measure.")] = "auto",
    changes: Annotated[int, typer.Option(min=1, help="How many changes.")] = 100,
    progress: Progress = silent,
) -> Result:
    """Change prompt, LoRA, ControlNet and guidance scale and seed while frames are rendered, and time every frame.

    Example:

        inkstream bench changes --engine eager,openvino,onnxruntime,compile --json changes.json
    """
    return measure(models, listed(engine), changes, progress=progress)
