"""From the stroke to the pixel: a mouse button is pressed over a paint program, and the preview window changes.

Everything is real but the hand: an X server (Xvfb, or the display that is there), a program that paints where the
button is pressed, the screen source that captures it, the stream, and the preview window, which is watched from outside
through a connection of its own. For every stroke:

- ``event to painted``: from pressing until the program has drawn (not ours)
- ``painted to captured``: until the screen source has the picture
- ``captured to rendered``: until the stream has the finished picture on the host, all steps included
- ``rendered to shown``: until the preview has drawn it
- ``shown to seen``: until the change is found on the screen; up to a millisecond of it is the watching itself
- ``stroke to pixel``: the whole

and from the stream's own meter ``prepare, encode, denoise, decode``, which are parts of captured to rendered (denoise
comes once for each step of the batch), and ``capture``, a part of painted to captured.
"""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.table import Table

from ..stream.base.errors import ConfigError, InkstreamError
from ..stream.base.frame import Output, Rect, Size
from ..stream.base.metrics import percentiles
from ..stream.base.progress import Progress, silent
from ..stream.base.results import Result
from ..stream.loop.stream import Stream
from ..stream.session.driver import StreamLike
from ..stream.session.session import Session
from ..stream.sinks import Status
from ..stream.sinks.window import WindowSink
from . import _plot
from ._canvas import SPOT
from ._desk import TITLE, Desk, Eye, differs, preview_window, spots
from .bench import Bench
from .models import Models
from .rows import filled_table
from .synthetic import FakeStream

STAGES = (
    "event to painted",
    "painted to captured",
    "captured to rendered",
    "rendered to shown",
    "shown to seen",
    "stroke to pixel",
)
PARTS = ("capture", "prepare", "encode", "denoise", "decode")
BENCH = Bench("latency", ("stage",), {"p50_ms": "less", "p99_ms": "less"})
COLUMNS = {
    "stage": "{name}",
    "p50 ms": "{p50_ms:.1f}",
    "p95 ms": "{p95_ms:.1f}",
    "p99 ms": "{p99_ms:.1f}",
    "max ms": "{max_ms:.1f}",
    "count": "{count}",
}
GIVEN_UP = 20.0  # seconds without a change in the preview
AT_REST = 0.4  # seconds that the preview must not change before the next stroke


@dataclass(frozen=True)
class Stroke:
    """Moments of one stroke, in seconds of ``time.perf_counter``."""

    pressed: float
    painted: float
    captured: float
    rendered: float
    shown: float
    seen: float

    def spans(self) -> dict[str, float]:
        """Seconds of each of ``STAGES``."""
        moments = (self.pressed, self.painted, self.captured, self.rendered, self.shown, self.seen)
        parts = [later - earlier for earlier, later in itertools.pairwise(moments)]
        return dict(zip(STAGES, [*parts, self.seen - self.pressed], strict=True))


class WatchedWindow(WindowSink):
    """The preview window, which notes when it has drawn each picture."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.drawn: list[tuple[float, float, float]] = []  # captured, rendered, shown
        self._newest: Output | None = None

    def write(self, output: Output | None, status: Status) -> None:
        """Draw as the window does."""
        super().write(output, status)
        if output is not None and output is not self._newest:
            self._newest = output
            self.drawn.append((output.captured_at, output.rendered_at, time.perf_counter()))


def measure(
    stream: StreamLike,
    about: dict[str, Any],
    strokes: int = 50,
    display: str | None = None,
    fps: float = 60.0,
    scale: float = 1.5,
    canvas: int = 384,
    rest: float = AT_REST,
    progress: Progress = silent,
) -> Result:
    """Press ``strokes`` times; ``about`` is said of the stream in the result. Must be called on the main thread.

    ``fps`` of the capture, ``scale`` of the preview, ``canvas`` its side in pixels. Raises ConfigError where a program
    is missing or the picture in the preview does not change.
    """
    asked = {"strokes": strokes, "capture_fps": fps, "preview_scale": scale, "canvas": canvas}
    result = BENCH.begin({**about, **asked}, about.get("device", "cpu"))
    with Desk(display, canvas) as desk:
        window = WatchedWindow(scale=scale, top=True)
        session = Session(f"screen:window={TITLE},area=window,fps={fps:g}", stream, [window])
        hand = _Hand(desk, session, window, strokes, rest, progress)
        session.start()
        try:
            hand.thread.start()
            while hand.thread.is_alive() and not session.finished:
                session.wait(0.05)
        finally:
            hand.stop.set()
            hand.thread.join()
            session.stop()
    for fault in (session.error, hand.error):
        if fault is not None:
            raise fault
    if len(hand.strokes) < strokes:
        raise InkstreamError(f"got {len(hand.strokes)} of {strokes} strokes, then the preview was closed")
    spans = [stroke.spans() for stroke in hand.strokes]
    for stage in STAGES:
        result["rows"].append({"stage": stage, **percentiles([each[stage] for each in spans]), "count": len(spans)})
    stages = session.summary()["stages"]
    result["rows"] += [{"stage": part, **stages[part]} for part in PARTS if stages[part]["count"]]
    result["strokes_ms"] = [{stage: seconds * 1e3 for stage, seconds in each.items()} for each in spans]
    return result


class _Hand:
    """Draws stroke after stroke and watches, in a thread of its own, because the window needs the main thread."""

    def __init__(
        self, desk: Desk, session: Session, window: WatchedWindow, strokes: int, rest: float, progress: Progress
    ) -> None:
        self.strokes: list[Stroke] = []
        self.error: Exception | None = None
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, name="inkstream bench hand", daemon=True)
        self._desk, self._session, self._window = desk, session, window
        self._wanted, self._rest, self._progress = strokes, rest, progress

    def _run(self) -> None:
        try:
            places = spots(self._desk.side)
            for number in range(self._wanted):
                self._progress(f"stroke {number + 1} of {self._wanted}", number / self._wanted)
                if self.stop.is_set():
                    return
                self.strokes.append(self._stroke(*places[number % len(places)]))
        except Exception as error:  # noqa: BLE001 - raised again on the thread that called measure()
            self.error = error

    def _stroke(self, x: int, y: int) -> Stroke:
        self._desk.point(x, y)
        self._settle()
        eye = Eye(self._watched(x, y))
        try:
            before = self._still(eye)
            known = len(self._window.drawn)
            pressed = self._desk.press()
            seen = eye.change(before, GIVEN_UP, self.stop)
            painted = self._desk.painted()
        finally:
            eye.close()
        if seen is None:
            raise ConfigError(f"latency: the preview did not change within {GIVEN_UP:g} s of a stroke")
        # The flip returns before its note is made, so the eye may be quicker than the note.
        end = time.perf_counter() + GIVEN_UP
        while time.perf_counter() < end and not self.stop.is_set():
            for captured, rendered, shown in self._window.drawn[known:]:
                if captured >= painted:
                    return Stroke(pressed, painted, captured, rendered, shown, max(seen, shown))
            self.stop.wait(0.005)
        raise ConfigError("latency: the preview changed, but no picture of the stroke came out of the stream")

    def _settle(self) -> None:
        """Wait until the session has shown something and nothing is under way."""
        end = time.perf_counter() + GIVEN_UP
        while not (self._window.drawn and self._session.status.state == "idle"):
            if time.perf_counter() > end:
                state = self._session.status.state
                raise ConfigError(f"latency: the session is {state!r} for {GIVEN_UP:g} s, expected it to come to rest")
            if self.stop.wait(0.01):
                return

    def _still(self, eye: Eye) -> Any:
        """A picture of the preview that has not changed for a while."""
        picture, since = eye.look(), time.perf_counter()
        while time.perf_counter() < since + self._rest and not self.stop.wait(0.01):
            now = eye.look()
            if differs(picture, now):
                picture, since = now, time.perf_counter()
        return picture

    def _watched(self, x: int, y: int) -> Rect:
        """The part of the preview where a spot of the canvas appears."""
        preview = preview_window()
        across, down = preview.width / self._desk.side, preview.height / self._desk.side
        left, top = preview.x + round((x - SPOT) * across), preview.y + round((y - SPOT) * down)
        return Rect(left, top, max(4, round(2 * SPOT * across)), max(4, round(2 * SPOT * down)))


def table(result: Result) -> Table:
    """The result for people."""
    settings = result["configuration"]
    whole = STAGES[-1]
    names = {stage: stage if stage in STAGES else f"- {stage}" for stage in (*STAGES, *PARTS)}
    rows = [{**row, "name": names[row["stage"]]} for row in result["rows"]]
    title = f"Stroke to pixel: {settings['model']}, {settings['strokes']} strokes"
    return filled_table(title, COLUMNS, rows, bold=lambda row: row["stage"] == whole)


def draw(result: Result) -> Any:
    """Every stroke as a stack of its stages, quickest first."""
    title = f"Stroke to pixel, {result['configuration']['model']}"
    figure, (axis,) = _plot.figure(result, title)
    strokes = sorted(result["strokes_ms"], key=lambda each: each[STAGES[-1]])
    base = [0.0] * len(strokes)
    for number, stage in enumerate(STAGES[:-1]):
        values = [max(0.0, each[stage]) for each in strokes]
        axis.bar(
            range(len(strokes)), values, bottom=base, width=0.9, label=stage, color=_plot.COLOURS[(number + 3) % 5]
        )
        base = [a + b for a, b in zip(base, values, strict=True)]
    whole = next(row for row in result["rows"] if row["stage"] == STAGES[-1])
    _plot.level(axis, whole["p50_ms"], f"p50 {whole['p50_ms']:.0f} ms")
    _plot.name(axis, "", "strokes, quickest first", "ms")
    axis.set_xticks([])
    _plot.legend(figure, axis)
    return figure


@BENCH.command(table, draw)
def main(
    models: Models,
    network: Annotated[
        bool, typer.Option(help="--no-network: a stream without a network, for the latency of everything else.")
    ] = True,
    strokes: Annotated[int, typer.Option(min=1, help="How many strokes.")] = 50,
    display: Annotated[
        str | None, typer.Option(metavar=":N", help="X display; the pointer moves there. Without it Xvfb is started.")
    ] = None,
    fps: Annotated[float, typer.Option(min=1, help="Pictures of the screen a second.")] = 60.0,
    progress: Progress = silent,
) -> Result:
    """Measure from a mouse button to the changed pixel in the preview window, on X11, with every stage between."""
    stream: Stream | FakeStream
    if network:
        settings = models.variant(warmup=2)
        stream, about = Stream(models.pipe(settings), settings), models.describe(settings)
    else:
        stream, about = FakeStream(1, size=Size(256, 256)), {"model": "no network", "device": "cpu"}
    try:
        return measure(stream, about, strokes, display, fps, progress=progress)
    finally:
        stream.close()
