"""``inkstream run``: any source through any model to any sinks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from ...base.options import (
    DEFAULT_CONFIG,
    RUNNING,
    AdapterOption,
    ConfigOption,
    JsonOption,
    LikeOption,
    ModelOption,
    PromptOption,
    SeedOption,
    SetOption,
    check_writable,
    chosen_config,
    load_run,
)
from ...base.progress import Progress, note, shown, silent
from ..ahead import ahead
from ..control import check_controls, steered
from ..opening import Opening
from .common import check_kinds, exit_code, loaded, say_results, with_adapters
from .recording import MEGABYTES, HistoryOption, JournalOption, recording
from .steered import ControlOption, CuesOption, read_show

if TYPE_CHECKING:
    from ...base.configfile import RunConfig
    from ...sinks import Status
    from ..studio.beside import Beside

ENDS = "From where to where"
WHILE_DRAWN = re.compile(r"\(\d[\d.,]* [KMGT]i?B\)|[*•●]|\s")  # what changes in a window's title while one draws


def _list_sources(wanted: bool) -> None:
    if wanted:
        from ..ends import as_text

        typer.echo(as_text())
        raise typer.Exit


def run(
    source: Annotated[
        str,
        typer.Option(
            "--source",
            "-s",
            metavar="SOURCE",
            rich_help_panel=ENDS,
            help="screen:pick (asks for a part of the screen), screen:window=Krita, screen:region=0,0,512,512, screen, "
            "camera:0, video:clip.mp4, images:folder, demo, or canvas: (drawn in the browser).",
        ),
    ] = "screen:pick",
    sinks: Annotated[
        list[str] | None,
        typer.Option(
            "--sink",
            "-t",
            metavar="SINK",
            rich_help_panel=ENDS,
            help="window (the default), virtualcam, video:out.mp4, images:folder, animation:clip.webp, browser:, "
            "mjpeg:8090, rtmp://..., ndi: or null. Can be repeated.",
        ),
    ] = None,
    controls: ControlOption = None,
    cues: CuesOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    like: LikeOption = None,
    model: ModelOption = None,
    prompt: PromptOption = None,
    seed: SeedOption = None,
    sets: SetOption = None,
    adapter: AdapterOption = None,
    frames: Annotated[
        int | None, typer.Option(min=1, rich_help_panel=RUNNING, help="Stop after this many different pictures.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.0, rich_help_panel=RUNNING, help="Stop after this long.")
    ] = None,
    history: HistoryOption = MEGABYTES,
    journal: JournalOption = None,
    json: JsonOption = None,
    help_sources: Annotated[
        bool,
        typer.Option(
            "--help-sources",
            callback=_list_sources,
            is_eager=True,
            rich_help_panel=ENDS,
            help="List all sources and sinks with all their options, and leave.",
        ),
    ] = False,
) -> None:
    """Show what you draw, in any program, as a finished render while the pen is still moving.

    It runs until the window is closed, the source ends (of images the last one stays in the window), or Ctrl-C. A sink
    that fails is dropped with its reason, and the others go on. Live, the newest frame wins. From a file to files
    (video, images, animation) every frame is rendered, at its own time and with the file's sound; pace=1 or pace=0 in
    the source says otherwise.

    Examples:

        inkstream run --source screen:window=Krita --sink window
        inkstream run -s screen:pick -t window -t virtualcam -c sd15-lcm -p "an oil painting of a harbour"
        inkstream run --like inkstream-output/20310203-120000-a-red-sedan-car.png -s screen:window=Krita
        inkstream run -s screen:window=Krita --control osc:9000 --control midi:learn --cues show.yaml
        inkstream run -s video:sketching.mp4 -t video:render.mp4 --json figures.json
    """
    check_writable(json, "--json")
    check_writable(journal, "--journal")
    check_kinds(source, sinks or [])
    if controls:
        check_controls(controls)
    show = None if cues is None else read_show(cues)
    chosen = with_adapters(load_run(chosen_config(config, like), sets, model=model, prompt=prompt, seed=seed), adapter)
    kept = True
    ends = sinks or (["browser:"] if drawn_in_browser(source) else ["window"])
    with ExitStack() as opened:
        with ahead():
            opening = Opening(source, ends, chosen, opened)
            page = opened.enter_context(page_beside(opening, source, ends, chosen))
            feeds = page is None or page.sink not in opening.sinks
            desk = opened.enter_context(steered(controls or [], chosen, page, feeds, lambda: ("", None)))
        stream = opened.enter_context(loaded(chosen, opening.preview, page.steps if page else silent))
        records = opened.enter_context(recording(history, journal))
        from ...finish.finisher import beside
        from ...session.session import Session
        from ..colours import Colours

        finisher = opened.enter_context(closing(beside(stream)))
        asked = [text.partition("=")[0].strip() for text in sets or ()] + (["mode"] if like else [])
        colours = Colours(stream.config, asked)
        with ExitStack() as bars:
            narrator = Narrator(bars, page.look if page else None)
            heard = page.heard(stream) if page else stream
            session = Session(
                opening.source,
                desk.heard(heard) if desk else heard,
                opening.sinks,
                on_status=narrator,
                on_output=[
                    *records.on_output,
                    *([colours.look] if opening.paints else ()),
                    *([desk.look] if desk else ()),
                ],
                history=records.history,
                finisher=finisher,
                stay=opening.stays,
            )
            colours.session = session
            if page:
                page.adopt(session, stream)
            if desk:
                desk.adopt(session, stream)
            if show is not None:
                session.cues.load(show)
            try:
                session.run(frames=frames, seconds=seconds)
            finally:
                bars.close()
                if session.metrics.counter("frames_captured"):
                    kept = say_results(session, chosen, json)
    # Somebody watches a live source; a script that renders files wants to know.
    refused = session.metrics.counter("frames_refused") and not session.status.newest_wins
    exit_code(session, fault=not kept or bool(refused))


def drawn_in_browser(source: str) -> bool:
    """Whether the source is the studio's page."""
    from ...sources import check_source

    return check_source(source, "--source").kind == "canvas"


@contextmanager
def page_beside(opening: Opening, source: str, sinks: list[str], chosen: RunConfig) -> Iterator[Beside | None]:
    """The studio's page, where source or sinks ask for it; else nothing of it is loaded."""
    from ...sinks import check_sink

    if not drawn_in_browser(source) and all(check_sink(each, "--sink").kind != "browser" for each in sinks):
        yield None
        return
    from .studio import check_installed

    check_installed()
    from ..studio.beside import page_of

    with page_of(opening, source, sinks, chosen) as page:
        yield page


class Narrator:
    """Says each change of state in one line, and how much of a file is rendered; notices are in the log already."""

    def __init__(self, bars: ExitStack, also: Callable[[Status], None] | None = None) -> None:
        self._bars, self._also = bars, also
        self._progress: Progress | None = None
        self._said = self._source = ""
        self._begun = False

    def __call__(self, status: Status) -> None:
        if self._also is not None:
            self._also(status)
        source = WHILE_DRAWN.sub("", status.source)
        if source != self._source:
            self._source = source
            if source:
                note(f"source: {status.source}")
        if status.state in ("idle", "settling", "stopped"):
            return
        if status.state != self._said:
            self._said = status.state
            self._say(status)
        if status.done is not None:
            if self._progress is None:
                self._progress = self._bars.enter_context(shown("rendering", remaining=True))
            self._progress("rendering", status.done)

    def _say(self, status: Status) -> None:
        lost = status.state in ("stalled", "reconnecting")
        if status.state == "live" and not self._begun:
            self._begun = True
            note("live: the newest frame wins" if status.newest_wins else "every frame is rendered")
        elif status.newest_wins or status.state != "live":
            note(f"{status.state}: {status.message}" if lost else status.state)
