"""What a command shows from its first second on: the window is there before the model, and says what is being done."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import typer

from ..base.errors import SinkClosed, SinkUnavailable
from ..base.plain import plain, reason
from ..base.private import make_private, user_state
from ..base.progress import Progress
from ..base.signals import left_behind

if TYPE_CHECKING:
    from ..base.configfile import RunConfig
    from ..sinks import Sink, Status
    from ..sinks.window import WindowSink
    from ..sources import Source

log = logging.getLogger(__name__)
Made = TypeVar("Made")
FILE = "opening.json"
MOST_KNOWN = 50  # models whose times are remembered
PICTURES = 1 / 30  # seconds between two looks at keys
FAILED_FOR = 10.0  # seconds that an error is shown before the window closes with the program
PHASES: tuple[str, ...] = ("starting", "fetching", "loading", "building")


class Preview(NamedTuple):
    """A window, and what it says until there is something to see."""

    window: WindowSink
    steps: Steps

    def show(self) -> None:
        """Show what is being done now; raises what the window raises."""
        self.window.write(None, self.steps.status())


class Opening:
    """A source and sinks, of which the screen and the window are opened at once, before anything is loaded.

    The screen comes first, because the window stands beside it, and because who picks a part of it does so at the very
    beginning. Everything else is left to the session, as text. ``stack`` closes what was opened.
    Raises SourceUnavailable, and SinkUnavailable where the window is the only sink.
    """

    def __init__(self, source: str, sinks: Sequence[str], run: RunConfig, stack: ExitStack) -> None:
        from ..sinks import check_sink
        from ..sources import check_source, open_source

        self.source: str | Callable[[], Source] = source
        self.sinks: list[str | Sink] = list(sinks)
        self.preview: Preview | None = None
        area = None
        kinds = [check_sink(text, "--sink").kind for text in sinks]
        kind = check_source(source, "--source").kind
        self.stays = kind == "images"  # a picture is to be looked at, when it is the last one, too
        self.paints = kind in ("screen", "canvas")  # somebody may paint there; what a camera sees always has colours
        if kind == "screen":
            opened = open_source(source)
            stack.callback(opened.close)
            if "window" in kinds and getattr(opened, "several", False):
                opened.ask()  # type: ignore[attr-defined]
            area = getattr(opened, "area", None)
            self.source = _named(opened, source)
        if "window" in kinds:
            place = kinds.index("window")
            try:
                window = open_window(sinks[place])
            except SinkUnavailable:
                if set(kinds) == {"window"}:
                    raise
                return  # the session says it, and goes on with the others
            stack.callback(window.close)
            self.sinks[place] = window
            self.preview = Preview(window, Steps(run, area))
            self.preview.show()


def open_window(text: str) -> WindowSink:
    """The window that a specification asks for; it is called by it in what is said. Raises as ``open_sink``."""
    from ..sinks import check_sink
    from ..sinks.window import open as open_spec

    window = open_spec(check_sink(text))
    window.called = text
    return window


def _named(source: Source, text: str) -> Callable[[], Source]:
    def first() -> Source:
        return source

    first.__name__ = text  # the session calls it by this
    return first


class Steps:
    """What is being done before the first picture, in people's words, and about how long it will take.

    It is progress that a thread reports, and that another one shows. How long each phase took is remembered for the
    next time, by model and engine.
    """

    def __init__(self, run: RunConfig, area: Any = None, clock: Callable[[], float] = time.monotonic) -> None:
        stream = run.stream
        self._name = plain(str(run.model), 60)
        self._key = f"{run.model} {stream.acceleration} {stream.width}x{stream.height}"[:200]
        self._size, self._area = (stream.width, stream.height), area
        self._clock, self._began = clock, clock()
        self._known = _read().get(self._key, {})
        self._took = dict.fromkeys(PHASES, 0.0)
        self._phase, self._since = PHASES[0], self._began
        self._text, self._part = "", None

    def __call__(self, text: str, part: float | None = None) -> None:
        """Progress, from any thread."""
        kinds = {"fetching": "fetching", "loading": "loading", "moving": "loading"}
        phase = kinds.get(text.partition(" ")[0], "building")
        if phase != self._phase:
            self._end_phase()
            self._phase = phase
        self._text, self._part = text, part

    def done(self) -> None:
        """Everything is loaded: remember what it took."""
        self._end_phase()
        known = _read()
        known.pop(self._key, None)
        known[self._key] = {name: round(seconds, 2) for name, seconds in self._took.items() if seconds > 0.05}
        _write(dict(list(known.items())[-MOST_KNOWN:]))

    def status(self) -> Status:
        """What the window shows now."""
        from ..sinks import Status

        return Status(size=self._size, area=self._area, step=self.words(), done=self._done())

    def words(self) -> str:
        """Two lines: what, and how long."""
        what = {
            "starting": "starting",
            "fetching": f"fetching {self._name}, once",
            "loading": f"loading {self._name}",
            "building": f"preparing {self._name} for this computer",
        }[self._phase]
        return f"{what}\n{self._long()}"

    def _long(self) -> str:
        spent, left = self._clock() - self._began, self._left()
        if left is not None:
            return f"about {left:.0f} s more" if left >= 1.5 else "a moment more"
        if spent < 3:
            return "the first start takes longer than the next ones"
        return f"{spent:.0f} s so far; the next start will be quicker"

    def _left(self) -> float | None:
        """Seconds, from how long it took the last time; None where that is not known, or too long ago exceeded."""
        if not self._known:
            return None
        now = max(0.0, self._known.get(self._phase, 0.0) - (self._clock() - self._since))
        later = PHASES[PHASES.index(self._phase) + 1 :]
        left = now + sum(self._known.get(name, 0.0) for name in later)
        overdue = self._clock() - self._began > 2 * sum(self._known.values()) + 2
        return None if overdue else left

    def _done(self) -> float | None:
        left, spent = self._left(), self._clock() - self._began
        if left is not None:
            return spent / max(0.1, spent + left)
        return self._part

    def _end_phase(self) -> None:
        now = self._clock()
        self._took[self._phase] += now - self._since
        self._since = now


def behind(preview: Preview, work: Callable[[Progress], Made], progress: Progress) -> Made:
    """Do ``work`` on a thread of its own, while the window lives on this one; gives what it gives.

    An error is shown in the window, until a key is pressed or ten seconds have passed, and raised. A window that is
    closed meanwhile ends the program, and so does Ctrl-C; what is under way is left behind.
    """
    window, steps = preview
    made: list[Made] = []
    failed: list[BaseException] = []
    ended = threading.Event()

    def told(text: str, part: float | None = None) -> None:
        steps(text, part)
        progress(text, part)

    def run() -> None:
        try:
            made.append(work(told))
        except BaseException as error:  # noqa: BLE001 - it is raised on the main thread
            failed.append(error)
        finally:
            ended.set()

    thread = threading.Thread(target=run, name="inkstream loading", daemon=True)
    thread.start()
    try:
        while not ended.wait(PICTURES):
            preview.show()
        if failed:
            _show(window, steps, failed[0])
    except SinkClosed:
        if failed:
            raise failed[0] from None
        raise typer.Exit(0) from None
    finally:
        if thread.is_alive():
            left_behind(thread)
    if failed:
        raise failed[0]
    steps.done()
    return made[0]


def _show(window: WindowSink, steps: Steps, error: BaseException) -> None:
    """An error stays in the window until somebody has seen it; raises SinkClosed when it is closed."""
    if window.shown.clean:
        return
    status = replace(steps.status(), state="stopped", step=f"this did not work; Esc closes\n{reason(error)}", done=None)
    end = time.monotonic() + FAILED_FOR
    tick = threading.Event()
    while time.monotonic() < end:
        window.write(None, status)
        if window.shown.question:  # Esc, or Q
            return
        tick.wait(PICTURES)


def _read() -> dict[str, dict[str, float]]:
    try:
        values = json.loads((user_state() / FILE).read_bytes()[: 1 << 20])
        return {key: {name: float(each[name]) for name in each if name in PHASES} for key, each in values.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        log.info("how long a start takes is not known: %s", reason(error))
        return {}


def _write(values: dict[str, dict[str, float]]) -> None:
    from ..base.files import json_bytes, write_whole

    try:
        write_whole(make_private(user_state()) / FILE, json_bytes(values))
    except OSError as error:
        log.info("how long a start takes is not remembered: %s", reason(error))
