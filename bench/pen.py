"""From the pen to ink and render on the studio's page, in a real browser.

``inkstream studio`` is started in a process of its own, and a mouse draws in Chromium without a rest, 60 points a
second.
``ink`` is from the browser's own time of an event to the line that is drawn for it; ``render`` from the newest point of
a picture that was sent until its render is on the page. The page measures both as it does for everybody.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from math import cos, sin
from typing import Annotated, Any

import typer
from rich.table import Table

from ..stream.base.errors import InkstreamError
from ..stream.base.metrics import percentiles
from ..stream.base.options import ConfigOption, load_run
from ..stream.base.progress import Progress, silent
from ..stream.base.results import Result
from . import _plot
from .bench import Bench
from .rows import filled_table

BENCH = Bench("pen", ("what",), {"p50_ms": "less", "p95_ms": "less"})
GOALS_MS = {"ink": 25.0, "render": 150.0}  # p95
COLUMNS = {
    "": "{words}",
    "p50 ms": "{p50_ms:.1f}",
    "p95 ms": "{p95_ms:.1f}",
    "p99 ms": "{p99_ms:.1f}",
    "goal p95": "{goal_ms:.0f}",
    "a second": "{per_second:.1f}",
}
WORDS = {"ink": "pen to ink", "render": "pen to render"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
COMMAND = "from inkstream.stream.app.cli import main; main()"
LOADS_FOR, BETWEEN = 180.0, 1 / 60  # seconds
PAPER = """(() => { const { stage, studio } = inkstream, box = stage.getBoundingClientRect();
  return [box.left + stage.place.left, box.top + stage.place.top, stage.place.scale * studio.raster.paper.width];
})()"""


def measure(config: str = "ink-tiny", seconds: float = 10.0, progress: Progress = silent) -> Result:
    """Draw for so long once the first render is there. Raises InkstreamError without a browser, or without a page."""
    load_run(config)
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        raise InkstreamError(f"got no browser, expected one of: {', '.join(BROWSERS)}; install chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise InkstreamError("playwright is not installed: pip install playwright") from None
    result = BENCH.begin({"config": config, "seconds": seconds}, "cpu")
    with ExitStack() as stack:
        progress("starting a studio", None)
        address = _studio(config, stack)
        browser = stack.enter_context(sync_playwright()).chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(address)
        _until(page, "window.inkstream?.studio.connection.link === 'open'")
        x, y, side = page.evaluate(f"() => {PAPER}")
        hand = _hand(x, y, side)
        progress("loading the model", None)
        ends = time.monotonic() + LOADS_FOR
        _draw(page, hand, lambda: _rendered(page) or time.monotonic() > ends)
        _draw(page, hand, _after(1.0))
        page.evaluate("() => { inkstream.studio.renders.ways.length = 0; inkstream.stage.inkTimes.length = 0; }")
        progress("drawing", None)
        began = time.monotonic()
        _draw(page, hand, _after(seconds))
        took = time.monotonic() - began
        found = {
            "ink": page.evaluate("() => [...inkstream.stage.inkTimes]"),
            "render": page.evaluate("() => [...inkstream.studio.renders.ways]"),
        }
        browser.close()
    for what, milliseconds in found.items():
        if not milliseconds:
            raise InkstreamError(f"the page drew for {took:.0f} s and showed nothing; draw longer: --seconds")
        figures = percentiles([each / 1e3 for each in milliseconds])
        row = {"what": what, "goal_ms": GOALS_MS[what], "per_second": len(milliseconds) / took}
        result["rows"].append({**row, **figures})
    return result


def _studio(config: str, stack: ExitStack) -> str:
    """A studio in a process of its own; gives its address when it answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-c", COMMAND, "studio", "-c", config, "--no-open", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    address, ends = f"http://127.0.0.1:{port}/", time.monotonic() + LOADS_FOR
    while time.monotonic() < ends and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}healthz", timeout=5):
                return address
        except OSError:
            time.sleep(0.05)
    raise InkstreamError("the studio did not start; try: inkstream studio")


def _hand(x: float, y: float, side: float) -> Iterator[tuple[float, float]]:
    """Points of one line without an end, all over the middle of the paper."""
    turn = 0.0
    while True:
        turn += 0.09
        yield x + side * (0.5 + 0.36 * sin(turn)), y + side * (0.5 + 0.3 * cos(1.37 * turn))


def _draw(page: Any, hand: Iterator[tuple[float, float]], ends: Any) -> None:
    """Strokes of a second each."""
    while not ends():
        page.mouse.move(*next(hand))
        page.mouse.down()
        lifts = time.monotonic() + 1.0
        while time.monotonic() < lifts and not ends():
            due = time.monotonic() + BETWEEN
            page.mouse.move(*next(hand))
            time.sleep(max(0.0, due - time.monotonic()))
        page.mouse.up()


def _after(seconds: float) -> Any:
    ends = time.monotonic() + seconds
    return lambda: time.monotonic() >= ends


def _rendered(page: Any) -> bool:
    return bool(page.evaluate("() => inkstream.studio.renders.ways.length > 0"))


def _until(page: Any, expression: str) -> None:
    ends = time.monotonic() + LOADS_FOR
    while not page.evaluate(f"() => Boolean({expression})"):
        if time.monotonic() > ends:
            raise InkstreamError("the studio's page did not open; try: inkstream studio")
        time.sleep(0.05)


def table(result: Result) -> Table:
    """The result for people."""
    rows = [{**row, "words": WORDS[row["what"]]} for row in result["rows"]]
    return filled_table(f"The studio's page: {result['configuration']['config']}", COLUMNS, rows)


def draw(result: Result) -> Any:
    """Both, at the median and the 95th percentile."""
    figure, (axis,) = _plot.figure(result, "From the pen to the page")
    names = [WORDS[row["what"]] for row in result["rows"]]
    for percent in ("p50_ms", "p95_ms"):
        axis.plot(names, [row[percent] for row in result["rows"]], "o", label=percent.removesuffix("_ms"))
    axis.set_ylim(bottom=0)
    _plot.name(axis, "ms")
    _plot.legend(figure, axis)
    return figure


@BENCH.command(table, draw)
def main(
    config: ConfigOption = "ink-tiny",
    seconds: Annotated[float, typer.Option(min=1.0, help="How long the mouse draws.")] = 10.0,
    progress: Progress = silent,
) -> Result:
    """Measure from the pen to ink and render on the studio's page, in a real browser (Chromium, playwright)."""
    return measure(config, seconds, progress)
