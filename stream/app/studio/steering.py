"""What pages ask of a session that runs: settings, moments, pictures; and the news of it."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...base.config import StreamConfig
from ...base.files import png
from ...base.frame import Output, reduced
from ...base.kept import png_with, recipe_of
from ...base.openraster import layers_of, openraster
from ...base.plain import reason
from ...base.variants import SEEDS, variants
from ...session.driver import StreamLike
from ...session.session import Session
from ...sinks import Status
from ...sinks.browser import BrowserSink, Encoded, jpeg
from ...sinks.keep import HISTORY, Keeper
from ...sources.canvas import CanvasSource
from .backend import Brought, Changed, Doing, Mark, NotNow, Rendered, Sketch, Stored, Tell, Tried, Values
from .heard import Heard
from .moments import Moments
from .settings import changes_of, values_of
from .sketches import pixels_of

Done = Callable[[str], None]
LOADING = "the model is still being loaded; try again when there is a picture"
NO_PICTURE = "there is no picture yet; draw something first"


class Steering:
    """See ``backend.LiveSession``. Until a session is adopted, settings are only noted, and pictures wait.

    ``tell`` gets the news, from any thread. ``progress()`` says what is being done until then, and which share.
    ``folder`` is where kept pictures go; the last minutes are those that the session records, after ``earlier`` ones
    (``left``).
    """

    def __init__(
        self,
        config: StreamConfig,
        tell: Tell,
        *,
        progress: Callable[[], tuple[str, float | None]],
        model: str,
        folder: str | Path,
        quality: int | None = None,
        earlier: Any = (),
    ) -> None:
        self.canvas = CanvasSource()
        self.sink = BrowserSink(take=self._take) if quality is None else BrowserSink(quality, self._take)
        self._tell, self._progress, self._model = tell, progress, model
        self._config = config  # as it is wanted: what was asked for is in it before it is done
        self._lock = threading.Lock()
        self._waiting: list[tuple[frozenset[str], Done]] = []  # for changes that are on their way
        self._making: list[tuple[frozenset[str], Done]] = []  # those of them that are made just now
        self._keeper = Keeper(folder, done=self._stored)
        self._moments, self._earlier = Moments(None, earlier), earlier
        self._stream: StreamLike | None = None
        self._session: Session | None = None
        self._frozen = False
        self._drawn = False  # a picture to render has come
        self._failed = ""
        self._said = Changed(values_of(config), 0)

    def heard(self, stream: StreamLike) -> Any:
        """The stream as a session is to be given it, so that its changes are heard of."""
        return Heard(stream, self._begins, self._changed)

    def adopt(self, session: Session, stream: StreamLike) -> None:
        """From now on this session is steered, which runs ``heard(stream)``."""
        with self._lock:
            self._stream, self._session = stream, session
            self._moments = Moments(session.history, self._earlier)
            session.freeze(self._frozen)
            late = stream.config.changes_to(self._config)
            if late:  # asked for while it was made
                session.update(**late)
            self._said = Changed(values_of(stream.config), stream.revision)
        self.introduce()

    def introduce(self) -> None:
        """Tell everything that there is to know."""
        if self._session is not None:
            brings = self._session.brings()
            self._tell(Brought(self._model, brings.words, brings.tags, brings.styles))
        self._tell(self._said)
        self._tell(self.doing())

    def look(self, status: Status | None = None) -> None:
        """Tell what it is doing; ``on_status`` of the session."""
        self._tell(self.doing())

    def fail(self, why: str) -> None:
        """No session comes, and this is why."""
        self._failed = why
        self._tell(self.doing())

    def end(self) -> None:
        """Let what is being saved come to its end."""
        self._keeper.close()

    # --- what is asked of it

    def put(self, sketch: Sketch) -> None:
        """The newest picture of the drawing; raises FrameError."""
        pixels = pixels_of(sketch)
        self._drawn = True
        self.canvas.put(pixels, sketch.mark)

    def change(self, patch: Values, done: Done | None = None) -> None:
        """A merge patch of the settings; raises Refused."""
        with self._lock:
            styles = self._session.brings().styles if self._session else ()
            changes = changes_of(self._config, patch, styles)
            self._go_to(changes, done)
        if self._session is None and changes:
            self._tell(self.values())

    def _go_to(self, changes: Mapping[str, Any], done: Done | None = None) -> None:
        if not changes:
            if done is not None:
                done("")
            return
        self._config = self._config.changed(**changes)
        if self._session is None:
            self._said = Changed(values_of(self._config), self._said.revision)
            if done is not None:
                done("")
            return
        self._waiting.append((frozenset(changes), done or (lambda why: None)))
        self._session.update(**changes)

    def freeze(self, frozen: bool) -> None:
        """Take no new picture of the drawing, or go on."""
        self._frozen = frozen
        if self._session is not None:
            self._session.freeze(frozen)
        self._tell(self.doing())

    def keep(self, moment: int | None) -> None:
        """Keep a picture in files; raises NotNow."""
        output = self._output(moment)
        known: dict[str, Any] = {} if moment is None else {"from": HISTORY}
        if not self._keeper.save(output, Status(), **known):
            raise NotNow("busy", "not kept: the disk does not keep up; try again in a moment")

    def rewind(self, moment: int) -> None:
        """Go back to the settings of a moment; raises NotNow."""
        output = self._output(moment)
        assert output.making is not None  # of everything that was recorded
        with self._lock:
            self._go_to(output.making.as_live().changes_from(self._config))

    def vary(self, request: int, count: int) -> None:
        """Try other settings on what is drawn; raises NotNow."""
        session = self._running()
        self._output(None)
        drawn = variants(self._config, session.brings(), random.Random(), count)

        def tried(index: int, output: Output | None, why: str) -> None:
            picture, sides = b"", (0, 0)
            if output is not None:
                picture, sides = jpeg(output.pixels), output.pixels.shape[1::-1]
            plain = self._config.changed(**drawn[index].changes).model_dump(
                mode="json", include=set(drawn[index].changes)
            )
            self._tell(Tried(request, index, count, drawn[index].label, plain, picture, sides[0], sides[1], why))

        session.try_out([each.changes for each in drawn], tried)

    def seed(self, seed: int | None) -> int:
        """Another seed; None draws one. Returns it; raises Refused."""
        drawn = random.randrange(SEEDS) if seed is None else seed
        self.change({"seed": drawn})
        return drawn

    def finish(self, moment: int | None, scale: int, steps: int | None) -> None:
        """Begin to make the still at its best; raises NotNow."""
        session, output = self._running(), self._output(moment)
        if not session.finishing.possible:
            raise NotNow("busy", "pictures cannot be finished here; keep it, and run: inkstream finish PICTURE.png")
        if not session.finish(output, scale, steps, self._keeper.folder):
            raise NotNow("busy", "another picture is being finished; cancel that, or wait for it")

    def cancel(self) -> None:
        """End finishing."""
        if self._session is not None:
            self._session.finishing.cancel()

    def read(self, text: str) -> dict[str, Any]:
        """What the model makes of a prompt; raises NotNow while it is loaded."""
        reading = self._running().read_prompt(text)
        unknown = [list(each) for each in reading.unknown]
        said = {"unknown": unknown, "heeded": reading.heeded, "cut": reading.cut, "added": list(reading.added)}
        taken = [*reading.taken, *([("drawing", reading.guessed)] if reading.guessed else [])]
        said |= {"taken": [list(each) for each in taken], "lost": list(reading.lost)}
        return {**said, "lines": [*reading.lines(), *reading.hints()]}

    # --- what it says

    def values(self) -> Changed:
        """The settings as they are now."""
        return self._said

    def left(self) -> dict[str, Any]:
        """What to open it with again: model, settings, and where its last minutes are."""
        return {"model": self._model, "stream": dict(self._said.values), "history": self._moments.left()}

    def doing(self) -> Doing:
        """What it is doing now. Pictures that were finished meanwhile are told."""
        session = self._session
        if self._failed:
            return Doing("failed", self._failed)
        if session is None:
            return Doing("loading", *self._progress())
        for ended in session.finishing.news():
            self._tell(Stored(ended.path.name if ended.path else "", ended.said, finished=True))
        status, progress = session.status, session.finishing.progress()
        state = "frozen" if self._frozen else str(status.state) if self._drawn else "waiting"
        if status.state == "stopped":
            state = "failed"
        finishing, finished = progress or ("", None)
        message = status.message if state != "waiting" else ""
        figures = (status.fps, status.latency_ms, status.notes)
        return Doing(state, message, None, *figures, self._moments.newest, finishing, finished)

    def history(self, before: int | None, count: int) -> list[dict[str, Any]]:
        """Pictures of the last minutes, the newest first."""
        return self._moments.listed(before, count)

    def picture(self, what: str, moment: int | None = None, side: int | None = None) -> bytes:
        """A file of a render, or of what it was rendered from; raises NotNow."""
        if what == "jpg" and moment is None and side is None and self.sink.newest is not None:
            return self.sink.newest.jpeg
        output = self._output(moment)
        if what == "ora":
            return openraster(layers_of(output), output.pixels, recipe_of(output))
        if what == "sketch":
            if output.input is None:
                raise NotNow("no_picture", NO_PICTURE)
            return png(_sized(output.input, side))
        pixels = _sized(output.pixels, side)
        return jpeg(pixels) if what == "jpg" else png_with(pixels, recipe_of(output))

    def figures(self) -> dict[str, Any]:
        """What was measured."""
        return {} if self._session is None else self._session.metrics.summary()

    # --- what its threads bring

    def _take(self, encoded: Encoded) -> None:
        output = encoded.output
        mark = output.origin.mark if isinstance(output.origin.mark, Mark) else Mark()
        height, width = output.pixels.shape[:2]
        self._tell(Rendered(encoded.jpeg, mark, output.revision, width, height, output.faded < 1))

    def _begins(self, names: frozenset[str]) -> None:
        """Settings are about to be changed: by all who asked for the same ones, whose changes have become one."""
        with self._lock:
            self._making = [each for each in self._waiting if each[0] == names]

    def _changed(self, error: Exception | None) -> None:
        """They were changed, or not, by whomever."""
        session, stream = self._session, self._stream
        if stream is None or session is None or session.trying:
            return
        with self._lock:
            made, self._making = self._making, []
            self._waiting = [each for each in self._waiting if each not in made]
            if not self._waiting:
                self._config = stream.config
            self._said = Changed(values_of(stream.config), stream.revision)
        self._tell(self._said)
        for _, done in made:
            done("" if error is None else reason(error))

    def _stored(self, kept: Path | Exception) -> None:
        if isinstance(kept, Exception):
            why = (kept.strerror if isinstance(kept, OSError) else "") or reason(kept)
            self._tell(Stored("", f"not kept: {why} ({self._keeper.folder})"))
        else:
            self._tell(Stored(kept.name, f"kept: {kept.name}"))

    def _running(self) -> Session:
        if self._failed:
            raise NotNow("failed", self._failed)
        if self._session is None:
            raise NotNow("loading", LOADING)
        return self._session

    def _output(self, moment: int | None) -> Output:
        """The newest picture, or one of the last minutes; raises NotNow."""
        self._running()
        if moment is None:
            if self.sink.newest is None:
                raise NotNow("no_picture", NO_PICTURE)
            return self.sink.newest.output
        output = self._moments.output(moment)
        if output is None:
            raise NotNow("no_moment", f"moment {moment} is not there any more; the last minutes are kept")
        return output


def _sized(pixels: np.ndarray, side: int | None) -> np.ndarray:
    return pixels if side is None else reduced(pixels, side)
