"""What live changes cost: a stream on which prompt, LoRA scale, ControlNet scale and seed change again and again.

Frames with changes and frames without alternate in blocks of the same run, on the same stream, so that the ratio holds
when the machine's speed drifts. Every change is made in another thread while frames are rendered, as a person makes it.
"""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ..stream import Frame, Stream
from ..stream.configfile import load_config
from ..stream.metrics import write_json
from ..stream.sources.demo import sketch
from .loop import machine
from .tiny import tiny_lora

LIMIT = 2.0  # no frame may take longer than this many medians
PROMPTS = (
    "a glossy blue sedan car, side view, on road, sunset",
    "a matte yellow sedan car, side view, in a studio",
    "a red brick house with a gable roof, on grass, day",
    "a white wood cottage with a gable roof, on snow, night",
)


def measure(config: str = "ink-tiny", changes: int = 100, frames_per_change: int = 3) -> dict[str, Any]:
    """Make ``changes`` changes of each kind; returns times in milliseconds, and what became of every frame."""
    run = load_config(config)
    stream = Stream.from_pretrained(run.model, run.stream, similar_image_filter_threshold=None)
    with tempfile.TemporaryDirectory() as folder:
        lora = str(tiny_lora(stream.pipe, Path(folder) / "style.safetensors", strength=0.05))
        stream.update(lora_dict={lora: 0.5})
        bench = _Bench(stream, lora)
        for _ in range(20):  # shapes have changed: let caches fill
            bench.render(changing=None)
        bench.forget()
        for number in range(changes):
            bench.render_block(number, frames_per_change)
        bench.finish()
    return {
        "configuration": {"model": run.model, "changes": changes, "frames_per_change": frames_per_change}
        | run.stream.model_dump(mode="json"),
        "machine": machine(),
        "limit": LIMIT,
        **bench.result(),
    }


class _Bench:
    def __init__(self, stream: Stream, lora: str) -> None:
        self._stream, self._lora = stream, lora
        self._pages = [sketch(subject, max(stream.size), 0) for subject in ("sedan", "house")]
        self._entered = 0
        self._came_out: list[int] = []
        self._times: dict[str, list[float]] = {"with changes": [], "without": []}

    def forget(self) -> None:
        self._times = {"with changes": [], "without": []}

    def render(self, changing: bool | None) -> None:
        """One frame, timed."""
        frame = Frame(self._pages[self._entered % 2], id=self._entered)
        self._entered += 1
        began = time.perf_counter()
        output = self._stream(frame)
        spent = (time.perf_counter() - began) * 1e3
        if changing is not None:
            self._times["with changes" if changing else "without"].append(spent)
        if output is not None:
            self._came_out.append(output.source_id)

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
        self._stream.update(
            prompt=PROMPTS[number % len(PROMPTS)],
            lora_dict={self._lora: number % 10 / 10},
            controlnets=[{"conditioning_scale": 0.5 + number % 6 / 10}],
            seed=number,
        )

    def finish(self) -> None:
        self._came_out += [output.source_id for output in self._stream.drain()]

    def result(self) -> dict[str, Any]:
        figures = {
            name: {"p50_ms": median(times), "max_ms": max(times), "max_over_p50": max(times) / median(times)}
            for name, times in self._times.items()
        }
        middle = figures["without"]["p50_ms"]
        slow = {name: sum(spent > LIMIT * middle for spent in times) for name, times in self._times.items()}
        return {
            "frames": figures,
            "slower_than_limit": slow,
            "frames_entered": self._entered,
            "frames_lost": self._entered - len(set(self._came_out)),
            "in_order": self._came_out == sorted(self._came_out),
        }


def table(result: dict[str, Any]) -> Table:
    """The result for people."""
    settings = result["configuration"]
    title = f"Live changes: {settings['changes']} x (prompt, LoRA scale, ControlNet scale, seed), {settings['model']}"
    shown = Table(title=title, title_justify="left")
    for column in ("frames", "p50 ms", "max ms", "max / p50", f"over {LIMIT:g} x p50"):
        shown.add_column(column, justify="left" if column == "frames" else "right")
    for name, figures in result["frames"].items():
        slow = result["slower_than_limit"][name]
        shown.add_row(name, *(f"{figures[key]:.2f}" for key in ("p50_ms", "max_ms", "max_over_p50")), str(slow))
    shown.caption = f"{result['frames_entered']} frames entered, {result['frames_lost']} lost"
    return shown


def main(
    config: Annotated[str, typer.Option(help="Preset or file.")] = "ink-tiny",
    changes: Annotated[int, typer.Option(min=1, help="How many changes of each kind.")] = 100,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures to a file.")] = None,
) -> None:
    """Change prompt, LoRA scale, ControlNet scale and seed while frames are rendered, and time every frame."""
    result = measure(config, changes)
    Console().print(table(result))
    if json is not None:
        write_json(json, result)
