"""From the command to the window, and to the first render: what a person waits for, watched from outside on X11.

``inkstream run`` is started in a process of its own, with the demo's hand as source and the preview as sink, and its
window is watched through a connection of its own:

- ``first window``: until the preview is on the screen
- ``first render``: until most of it is a picture, and no longer the sheet that is shown before

Cases take turns. In a ``fresh home`` nothing of an earlier run is found: no built engine, no cache, nothing remembered.
A ``warm`` one has had one run, which is not counted. From the ``start page`` of a warm one it counts from the choice,
after somebody has read for some seconds. Python's own compiled files stay, as they do after an install.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from ..stream.base.errors import InkstreamError, SourceError
from ..stream.base.frame import Rect
from ..stream.base.options import ConfigOption, load_run
from ..stream.base.progress import Progress, silent
from ..stream.base.results import Result
from ..stream.sinks.slate import BACKGROUND
from ..stream.sources.screen.windows import WindowSystem, open_window_system
from . import _plot
from ._desk import Eye, put, start_server
from .bench import Bench
from .rows import filled_table

CASES = ("warm", "fresh home", "start page")
BENCH = Bench("start", ("case",), {"first_window_s": "less", "first_render_s": "less"})
COLUMNS = {
    "case": "{case}",
    "first window s": "{first_window_s:.2f}",
    "first render s": "{first_render_s:.2f}",
    "slowest window s": "{slowest_window_s:.2f}",
    "slowest render s": "{slowest_render_s:.2f}",
}
READY = "inkstream.stream.app.start.ready"  # the process that the start page keeps
READ_FOR = 8.0  # seconds that somebody reads the start page
COMMAND = "from inkstream.stream.app.cli import main; main()"
GIVEN_UP = 180.0  # seconds
SLATE = 0.6  # part of the preview that is bare before the first render
LOOK = 0.01  # seconds


def measure(
    config: str = "ink-tiny", count: int = 5, display: str | None = None, progress: Progress = silent
) -> Result:
    """``count`` starts of each case, in turns; medians and the slowest, in seconds. ``display``: see ``main``.

    Raises ConfigError without an X server, InkstreamError when a run shows nothing.
    """
    result = BENCH.begin({"config": config, "count": count}, "cpu")
    taken: dict[str, list[tuple[float, float]]] = {case: [] for case in CASES}
    with ExitStack() as stack:
        name = display or start_server(stack)
        for key, value in (("DISPLAY", name), ("WAYLAND_DISPLAY", None), ("XDG_SESSION_TYPE", None)):
            stack.callback(put, key, os.environ.get(key))
            put(key, value)
        kept = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="inkstream-start-")))
        progress("a start that is not counted", None)
        _start(config, kept)
        for number in range(count):
            for case in CASES:
                progress(f"start {number + 1}/{count}, {case}", (number + CASES.index(case) / len(CASES)) / count)
                with tempfile.TemporaryDirectory(prefix="inkstream-start-") as fresh:
                    home = Path(fresh) if case == "fresh home" else kept
                    taken[case].append(_start(config, home, page=case == "start page"))
    for case, times in taken.items():
        windows, renders = zip(*times, strict=True)
        result["rows"].append(
            {
                "case": case,
                "first_window_s": median(windows),
                "first_render_s": median(renders),
                "slowest_window_s": max(windows),
                "slowest_render_s": max(renders),
            }
        )
    return result


def _start(config: str, home: Path, page: bool = False) -> tuple[float, float]:
    """Seconds from the command to the first window and to the first render, with ``home`` as the user's home.

    ``page``: the command is given to a process that the start page keeps ready.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    environment |= {"HOME": str(home), "SDL_VIDEODRIVER": "x11"}
    words = ["run", "--source", "demo", "--sink", "window", "--config", config]
    ends: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True, "env": environment, "cwd": home}
    system = open_window_system()
    if page:
        program = subprocess.Popen([sys.executable, "-m", READY], stdin=subprocess.PIPE, **ends)
        threading.Event().wait(READ_FOR)
        began = time.perf_counter()
        assert program.stdin is not None
        with program.stdin as told:
            told.write(json.dumps(words) + "\n")
        program.stdin = None  # or communicate would look at it again
    else:
        began = time.perf_counter()
        program = subprocess.Popen([sys.executable, "-c", COMMAND, *words], **ends)
    try:
        window, area = _until(program, lambda: _shown(system))
        eye = Eye(area)
        try:
            render, _ = _until(program, lambda: _rendered(eye))
        finally:
            eye.close()
        return window - began, render - began
    finally:
        program.terminate()
        try:
            program.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            program.kill()
            program.communicate()
        system.close()


def _until(program: subprocess.Popen[str], look: Any) -> tuple[float, Any]:
    tick = threading.Event()
    end = time.perf_counter() + GIVEN_UP
    while time.perf_counter() < end:
        found = look()
        if found is not None:
            return time.perf_counter(), found
        if program.poll() is not None:
            said = program.communicate()[1].strip().splitlines()
            raise InkstreamError(f"start: the run ended before anything was seen: {said[-1] if said else 'no word'}")
        tick.wait(LOOK)
    raise InkstreamError(f"start: nothing was seen for {GIVEN_UP:g} s")


def _shown(system: WindowSystem) -> Rect | None:
    found = [window.content for window in system.windows() if window.is_preview and window.shown]
    return found[-1] if found else None


def _rendered(eye: Eye) -> bool | None:
    try:
        picture = eye.look()
    except SourceError:  # the window is just taking its place
        return None
    bare = (np.abs(picture.astype(np.int16) - BACKGROUND) <= 1).all(axis=2).mean()
    return True if picture.max() > 0 and bare < SLATE and picture.mean() > 2 * BACKGROUND else None


def table(result: Result) -> Table:
    """The result for people."""
    settings = result["configuration"]
    return filled_table(f"Start: {settings['config']}, {settings['count']} times each", COLUMNS, result["rows"])


def draw(result: Result) -> Any:
    """Both times of each case."""
    figure, (axis,) = _plot.figure(result, f"Start, {result['configuration']['config']}")
    names = [row["case"] for row in result["rows"]]
    for number, field in enumerate(("first_render_s", "first_window_s")):
        values = [row[field] for row in result["rows"]]
        axis.bar(names, values, width=0.5, label=field[:-2].replace("_", " "), color=_plot.COLOURS[number])
    _plot.name(axis, "", "", "seconds")
    _plot.legend(figure, axis)
    return figure


@BENCH.command(table, draw)
def main(
    config: ConfigOption = "ink-tiny",
    count: Annotated[int, typer.Option(min=1, help="How many starts of each case.")] = 5,
    display: Annotated[
        str | None, typer.Option(metavar=":N", help="X display to open windows on. Without it Xvfb is started.")
    ] = None,
    progress: Progress = silent,
) -> Result:
    """Measure from the command to the first window and to the first render, on X11.

    Warm, in a fresh home, and from the start page.
    """
    load_run(config)
    return measure(config, count, display, progress)
