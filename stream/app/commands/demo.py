"""``inkstream demo``: a hand draws, and the embedded model renders; no tablet, no paint program, no download."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...base.errors import ConfigError, SinkUnavailable
from ...base.options import (
    PICTURE,
    RESULTS,
    RUNNING,
    ConfigOption,
    JsonOption,
    SeedOption,
    SetOption,
    check_writable,
    load_run,
)
from ...base.progress import note
from .common import console, exit_code, loaded, say_results

if TYPE_CHECKING:
    from ...base.configfile import RunConfig
    from ...loop.stream import Stream
    from ...session.session import Session
    from ...sinks import Sink
    from ..showcase import Album, Narrated

HEADLESS_FRAMES = 240
HEADLESS_SPEED = 20  # times a hand's; at 30 frames a second three drawings take about 100 pictures


def demo(
    headless: Annotated[
        bool, typer.Option("--headless", rich_help_panel=RUNNING, help="No window: render every frame, then stop.")
    ] = False,
    frames: Annotated[
        int | None,
        typer.Option(
            min=1,
            rich_help_panel=RUNNING,
            help=f"Stop after this many different pictures. Without a window: {HEADLESS_FRAMES}.",
            show_default=False,
        ),
    ] = None,
    subject: Annotated[
        str, typer.Option(rich_help_panel=PICTURE, help="What the hand draws: all in turn, or one, for example house.")
    ] = "all",
    config: ConfigOption = "ink-tiny",
    seed: SeedOption = None,
    sets: SetOption = None,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", rich_help_panel=RESULTS, help="The recording: sketch left, render right."
        ),
    ] = Path("inkstream-demo.mp4"),
    json: JsonOption = None,
) -> None:
    """Watch a hand draw cars, buildings and landscapes, and the render that follows every stroke.

    It records what it shows, puts its best moments on one page beside the recording (a PNG of the same name), and
    prints what every stage took. Files are never replaced: a second run writes inkstream-demo-2.mp4.

    Examples:

        inkstream demo
        inkstream demo --headless --frames 120 --json figures.json
        inkstream demo --subject house --set controlnets.0.conditioning_scale=0.6
    """
    check_writable(json, "--json")
    _check_recording(output)
    run = load_run(config, sets, seed=seed)
    follow = not any(text.partition("=")[0].strip() == "prompt" for text in sets or [])
    with loaded(run) as stream:
        window = None if headless else _open_window(run)
        _Demo(run, subject, seed or 0, frames, output, json, follow).play(stream, window)


class _Demo:
    """One run of the demo, with everything that was asked for."""

    def __init__(
        self,
        run: RunConfig,
        subject: str,
        seed: int,
        frames: int | None,
        output: Path,
        json: Path | None,
        follow: bool,
    ) -> None:
        self._run = run
        self._subject = subject
        self._seed = seed
        self._frames = frames
        self._output = output
        self._json = json
        self._follow = follow

    def play(self, stream: Stream, window: Sink | None) -> None:
        """Until the window is closed, or all frames are rendered; then say and write the results."""
        from ...session.session import Session
        from ...sinks.video import VideoSink
        from ..showcase import Album, Following, Retimed

        frames = self._frames or (None if window else HEADLESS_FRAMES)
        with ExitStack() as stack:
            if window:
                stack.callback(window.close)
            hand = self._hand(live=window is not None)
            album = Album(hand.moments)
            video = VideoSink(self._output, fps=15, input=True)
            stack.callback(video.close)
            recording: Sink = video if window else Retimed(video, hand.moments)
            sinks: list[Sink] = [album, recording, *([window] if window else [Bar(frames, stack)])]
            followed = Following(stream, hand.moments) if self._follow else stream
            session = Session(hand, followed, sinks)
            session.run(frames=frames)
        self._say(session, album, video.path)
        exit_code(session)

    def _hand(self, live: bool) -> Narrated:
        from ...sources.drawing import DemoSource
        from ..showcase import Narrated

        speed = 1.0 if live else HEADLESS_SPEED
        return Narrated(DemoSource(seed=self._seed, subject=self._subject, speed=speed, live=live))

    def _say(self, session: Session, album: Album, video: Path) -> None:
        from ...base.files import png, write_new
        from ..contact_sheet import contact_sheet

        files: dict[str, str] = {}
        if video.exists():
            files["recording"] = str(video)
        drawings = album.shots()
        if drawings:
            fps = session.metrics.summary()["unique_fps"]
            steps = len(self._run.stream.t_index_list)
            title = f"inkstream demo: {self._run.model}, {steps} steps, {fps:.1f} pictures a second"
            files["page"] = str(write_new(video.with_suffix(".png"), png(contact_sheet(drawings, title))))
        say_results(session, self._run, self._json, {"files": files})
        for what, path in files.items():
            note(f"{what}: {path}")


def _check_recording(output: Path) -> None:
    from ...sinks.video import CONTAINERS

    if output.suffix.lower() not in CONTAINERS:
        raise ConfigError(f"--output: got {str(output)!r}, expected a name that ends in {', '.join(CONTAINERS)}")


def _open_window(run: RunConfig) -> Sink | None:
    from ...sinks import open_sink

    size = f"{3 * run.stream.width}x{3 * run.stream.height // 2}"  # two pictures of 1.5 times their size
    try:
        return open_sink(f"window:inset=side,size={size}")
    except SinkUnavailable as error:
        note(f"no window ({error}): going on as with --headless")
        return None


class Bar:
    """A sink that shows how far a run without a window is."""

    interval: float | None = None
    on_main_thread = False

    def __init__(self, frames: int | None, stack: ExitStack) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("rendering"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = stack.enter_context(Progress(*columns, console=console(stderr=True)))
        self._task = self._progress.add_task("", total=frames)

    def write(self, output: Any, status: Any) -> None:
        """One more picture."""
        if output is not None:
            self._progress.advance(self._task)

    def close(self) -> None:
        """The bar stays where it is."""
