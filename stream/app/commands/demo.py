"""``inkstream demo``: a hand draws, and the embedded model renders; no tablet, no paint program, no download."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from ...base.progress import Progress, note, shown
from ..ahead import ahead
from ..opening import Preview, Steps, open_window
from .common import exit_code, kept_as, loaded, say_results

if TYPE_CHECKING:
    from ...base.configfile import RunConfig
    from ...base.frame import Output
    from ...session.session import Session
    from ...sinks import Status
    from ..showcase import Album

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
    from ...sinks.video import CONTAINERS, VideoSink

    if output.suffix.lower() not in CONTAINERS:
        raise ConfigError(f"--output: got {str(output)!r}, expected a name that ends in {', '.join(CONTAINERS)}")
    run = load_run(config, sets, seed=seed)
    follow = not any(text.partition("=")[0].strip() == "prompt" for text in sets or [])
    with ExitStack() as opened:
        with ahead():
            preview = None if headless else _open_window(run, opened)
        window = preview and preview.window
        frames = frames or (None if window else HEADLESS_FRAMES)
        speed, live = (1.0, True) if window else (HEADLESS_SPEED, False)
        stream = opened.enter_context(loaded(run, preview))
        from ...finish.finisher import beside
        from ...session.session import Session
        from ...sources.drawing import DemoSource
        from ..showcase import Album, Following, Narrated, Retimed

        with ExitStack() as stack:
            number = run.stream.seed if seed is not None and isinstance(run.stream.seed, int) else 0  # -1 was drawn
            hand = Narrated(DemoSource(seed=number, subject=subject, speed=speed, live=live))
            album = Album(hand.moments)
            video = VideoSink(output, fps=15, input=True)
            stack.callback(video.close)
            if window:
                sinks = [album, video, window]
            else:
                progress = stack.enter_context(shown("rendering", remaining=True))
                sinks = [album, Retimed(video, hand.moments), Bar(frames or HEADLESS_FRAMES, progress)]
            finisher = stack.enter_context(closing(beside(stream)))
            followed = Following(stream, hand.moments) if follow else stream
            session = Session(hand, followed, sinks, finisher=finisher)
            session.run(frames=frames)
        exit_code(session, fault=not _say(session, run, album, video.path, json))


def _say(session: Session, run: RunConfig, album: Album, video: Path, json: Path | None) -> bool:
    """Write the page of the best moments; print the results, and where the files are. Returns whether all is there."""
    from ...base.files import png
    from ..contact_sheet import contact_sheet

    files: dict[str, str] = {}
    if video.exists():
        files["recording"] = str(video)
        note(f"recording: {video}")
    drawings, whole = album.shots(), True
    if drawings:
        fps = session.metrics.summary()["unique_fps"]
        title = f"inkstream demo: {run.model}, {len(run.stream.t_index_list)} steps, {fps:.1f} pictures a second"
        page = kept_as("page", video.with_suffix(".png"), png(contact_sheet(drawings, title)))
        files |= {"page": str(page)} if page else {}
        whole = page is not None
    return say_results(session, run, json, {"files": files}) and whole


def _open_window(run: RunConfig, stack: ExitStack) -> Preview | None:
    size = f"{3 * run.stream.width}x{3 * run.stream.height // 2}"  # two pictures of 1.5 times their size
    try:
        window = open_window(f"window:inset=side,size={size}")
        stack.callback(window.close)
        preview = Preview(window, Steps(run))
        preview.show()
        return preview
    except SinkUnavailable as error:
        note(f"no window ({error}): going on as with --headless")
        return None


class Bar:
    """A sink that says how far a run of ``frames`` pictures is."""

    interval: float | None = None
    on_main_thread = False

    def __init__(self, frames: int, progress: Progress) -> None:
        self._frames, self._progress = frames, progress
        self._written = 0

    def write(self, output: Output | None, status: Status) -> None:
        """One more picture."""
        if output is not None:
            self._written += 1
            self._progress(f"rendering {self._written}/{self._frames}", self._written / self._frames)

    def close(self) -> None:
        """There is nothing to let go of."""
