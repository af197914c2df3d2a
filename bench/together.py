"""What several drawings cost on one machine: in processes of their own, in one process each by itself, or together.

Every drawing has a stream of its own that renders as fast as it can, each page another than the last. ``together``
they go through the networks at once (``engines/together.py``), ``apart`` they only share the weights. Ways take turns,
so that their ratios hold when the machine's speed drifts. Memory is that of all processes, pages that they share
counted once (Linux).
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from rich.table import Table

from ..engines.together import Pool
from ..lora.load import load_pipeline
from ..stream.base.errors import InkstreamError
from ..stream.base.frame import Size
from ..stream.base.options import ConfigOption, load_run, numbers
from ..stream.base.progress import Progress, silent
from ..stream.base.results import Result
from ..stream.loop.stream import Stream
from . import _plot
from .bench import Bench
from .rows import filled_table
from .timing import pages

WAYS = {"processes": "a process each", "apart": "one process, apart", "together": "one process, together"}
BENCH = Bench("together", ("way", "drawings"), {"fps": "more", "memory_mb": "less"})
COLUMNS = {
    "drawings": "{drawings}",
    "": "{words}",
    "fps of all": "{fps:.1f}",
    "slowest fps": "{slowest_fps:.1f}",
    "of processes'": "{ratio:.2f}",
    "MB": "{memory_mb:.0f}",
}
ROUNDS = 3
PROMPTS = ("a red car", "a blue car", "a brick house", "a landscape")


class Drawings:
    """``count`` streams of one model in this process; ``together``: they go through its networks at once."""

    def __init__(self, config: str, count: int, together: bool) -> None:
        run = load_run(config, ["similar_image_filter_threshold=null"])
        pipe = load_pipeline(run.model, run.stream, silent)
        pool = Pool() if together else None
        self._streams = [
            Stream(pipe, run.stream.changed(prompt=PROMPTS[number % len(PROMPTS)], seed=number), pool=pool)
            for number in range(count)
        ]
        self._pages = pages(Size(run.stream.width, run.stream.height))
        self.render(0.5)

    def render(self, seconds: float) -> list[float]:
        """Pictures a second of each stream, while all render for so long."""
        found = [0.0] * len(self._streams)
        start = threading.Barrier(len(self._streams))

        def work(number: int) -> None:
            stream, done = self._streams[number], 0
            start.wait()
            began = time.perf_counter()
            while time.perf_counter() - began < seconds:
                done += stream(self._pages[(done + number) % len(self._pages)]) is not None
            found[number] = done / (time.perf_counter() - began)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(len(found))]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        return found


class Process:
    """Such drawings in a process of its own, which renders when it is told to."""

    def __init__(self, config: str, count: int, together: bool, stack: ExitStack) -> None:
        command = [sys.executable, "-c", f"from {__name__} import serve; serve()", config, str(count), str(together)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        stack.callback(self._end)
        self._answer()

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate()

    def begin(self, seconds: float) -> None:
        """Render for so long."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()

    def end(self) -> list[float]:
        """Pictures a second of each of its drawings."""
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise InkstreamError("a process that renders has ended; it says above why")
        return json.loads(line)

    @property
    def memory_mb(self) -> float | None:
        """What it takes, where the system says it."""
        try:
            text = Path(f"/proc/{self._process.pid}/smaps_rollup").read_text(encoding="utf-8")
        except OSError:
            return None
        return next(int(line.split()[1]) / 1e3 for line in text.splitlines() if line.startswith("Pss:"))


def serve() -> None:
    """What such a process does: a line with seconds comes in, a line with figures goes out."""
    config, count, together = sys.argv[1:]
    drawings = Drawings(config, int(count), together == "True")
    print(json.dumps([]), flush=True)
    for line in sys.stdin:
        print(json.dumps(drawings.render(float(line))), flush=True)


def measure(
    config: str = "ink-tiny", counts: Sequence[int] = (1, 2, 4), seconds: float = 4.0, progress: Progress = silent
) -> Result:
    """Render ``counts`` drawings in every way, ``ROUNDS`` times ``seconds`` long each, in turns; medians."""
    result = BENCH.begin({"config": config, "seconds": seconds, "rounds": ROUNDS}, "cpu")
    for place, count in enumerate(counts):
        with ExitStack() as stack:
            ways = {}
            for way in WAYS:
                progress(f"{count} drawings, {WAYS[way]}: starting", place / len(counts))
                each = range(count if way == "processes" else 1)
                ways[way] = [Process(config, count // len(each), way == "together", stack) for _ in each]
            result["rows"] += _turns(ways, count, seconds, progress)
    return result


def _turns(ways: dict[str, list[Process]], count: int, seconds: float, progress: Progress) -> list[dict[str, Any]]:
    taken: dict[str, list[list[float]]] = {way: [] for way in ways}
    memory: dict[str, float | None] = {}
    for number in range(ROUNDS):
        for way, processes in ways.items():
            progress(f"{count} drawings, {WAYS[way]}", number / ROUNDS)
            for each in processes:
                each.begin(seconds)
            taken[way].append([fps for each in processes for fps in each.end()])
            held = [each.memory_mb for each in processes]
            memory[way] = None if None in held else sum(mb for mb in held if mb is not None)
    rows = []
    for way, rounds in taken.items():
        fps = median(sum(each) for each in rounds)
        row = {"way": way, "drawings": count, "fps": fps, "slowest_fps": median(min(each) for each in rounds)}
        rows.append({**row, "ratio": fps / median(sum(each) for each in taken["processes"]), "memory_mb": memory[way]})
    return rows


def table(result: Result) -> Table:
    """The result for people."""
    rows = [{**row, "words": WAYS[row["way"]]} for row in result["rows"]]
    return filled_table(f"Several drawings at once: {result['configuration']['config']}", COLUMNS, rows)


def draw(result: Result) -> Any:
    """Pictures a second of all drawings, by how many there are."""
    figure, (axis,) = _plot.figure(result, "Several drawings at once")
    series = {}
    for way, words in WAYS.items():
        rows = [row for row in result["rows"] if row["way"] == way]
        series[words] = ([row["drawings"] for row in rows], [row["fps"] for row in rows])
    _plot.lines(axis, series)
    axis.set_ylim(bottom=0)
    _plot.name(axis, "pictures a second of all, by drawings")
    _plot.legend(figure, axis)
    return figure


@BENCH.command(table, draw)
def main(
    config: ConfigOption = "ink-tiny",
    drawings: Annotated[str, typer.Option(metavar="N,N", help="How many drawings at once.")] = "1,2,4",
    seconds: Annotated[float, typer.Option(min=0.1, help="How long a turn takes.")] = 4.0,
    progress: Progress = silent,
) -> Result:
    """Measure several drawings on this machine: in processes of their own, in one process apart, and together."""
    return measure(config, numbers("--drawings", drawings), seconds, progress)
