"""The stream of one drawing, at a worker: what the gateway knows of it, and asks of it."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

from ...base.variants import SEEDS
from ..studio.backend import Brought, Changed, Doing, News, NotNow, Rendered, Sketch, Tell, Values
from ..studio.settings import changes_of
from ..studio.sketches import check_head
from .host import Answer, State
from .link import Link, Lost, unpacked
from .snapshot import Snapshot

Done = Callable[[str], None]
AWAY = "another worker takes this drawing over; try again in a moment"
WITHIN = 0.5  # seconds for a sketch to be taken; a later one takes its place
PATIENCE = 15.0  # seconds for a file


class FarSession:
    """See ``backend.LiveSession``. Where no worker has it, settings and the newest sketch are only noted; ``placed``
    gives them to one.
    """

    def __init__(self, snapshot: Snapshot, tell: Tell, name: str = "") -> None:
        self.link: Link | None = None
        self.name = name  # in logs
        self.key = ""  # at its worker; another one each time that it is placed
        self._snapshot, self._tell = snapshot, tell
        self._lock = threading.Lock()
        self._pending: dict[int, Done] = {}  # changes that are on their way
        self._count = 0
        self._doing = Doing("loading", "waiting for a worker")
        self._figures: dict[str, Any] = {}

    # --- where it is, by the backend

    def placed(self, link: Link, key: str, then: Callable[[Any], None]) -> None:
        """A worker opens it; ``then`` gets its answer."""
        with self._lock:
            self.link, self.key = link, key
            snapshot = self._snapshot
            link.begin("open", key, snapshot.left(), snapshot.sketch, snapshot.frozen, self.name, then=then)

    def moved(self, why: str) -> None:
        """Its worker has it no more. What was asked for is in the snapshot, and so as good as done."""
        with self._lock:
            self.link, self.key = None, ""
            pending, self._pending = self._pending, {}
            said = self._snapshot.moved()
        self._tell(said)
        for done in pending.values():
            done("")
        self.waits(why)

    def waits(self, why: str) -> None:
        """No worker has it, and this is why."""
        state = "reconnecting" if self._snapshot.sketch is not None else "loading"
        self._doing = Doing(state, why)
        self._tell(self._doing)

    def hear(self, news: News | Answer) -> None:
        """News of its worker."""
        if isinstance(news, Answer):
            with self._lock:
                done = self._pending.pop(news.value, None)
                self._snapshot.answered(not news.kind)
            if done is not None:
                done(news.text)
            return
        with self._lock:
            if isinstance(news, Changed):
                news = self._snapshot.changed(news)
            elif isinstance(news, Rendered):
                news = self._snapshot.rendered(news)
            elif isinstance(news, Brought):
                self._snapshot.styles = news.styles
            elif isinstance(news, Doing):
                self._doing = news
        self._tell(news)

    def known(self, state: State) -> None:
        """How it is doing at its worker; said once a second."""
        with self._lock:
            self._doing, self._figures = state.doing, state.figures
            self._snapshot.history = state.history

    # --- what pages ask

    def put(self, sketch: Sketch) -> None:
        """The newest picture of the drawing; raises FrameError. What is none, or of another size, goes nowhere."""
        check_head(sketch)
        with self._lock:
            before, self._snapshot.sketch = self._snapshot.sketch, sketch
            link, key = self.link, self.key
        if link is None:
            return
        try:
            answer = link.ask("ask", key, "put", sketch, within=WITHIN)
        except (Lost, TimeoutError):  # it is in the snapshot
            return
        if answer.kind == "FrameError":
            with self._lock:
                if self._snapshot.sketch is sketch:
                    self._snapshot.sketch = before
            unpacked(answer)

    def change(self, patch: Values, done: Done | None = None) -> None:
        """A merge patch of the settings; raises Refused."""
        said = None
        with self._lock:
            changes = changes_of(self._snapshot.config, patch, self._snapshot.styles)
            if changes:
                self._snapshot.asked(changes)
            if changes and self.link is not None:
                self._count += 1
                self._pending[self._count] = done or (lambda why: None)
                self.link.begin("change", self.key, self._count, dict(patch))
                return
            if changes:
                said = self._snapshot.noted()
        if said is not None:
            self._tell(said)
        if done is not None:
            done("")

    def freeze(self, frozen: bool) -> None:
        """Take no new picture of the drawing, or go on."""
        with self._lock:
            self._snapshot.frozen = frozen
            if self.link is not None:
                self.link.begin("ask", self.key, "freeze", frozen)

    def seed(self, seed: int | None) -> int:
        """Another seed; None draws one. Returns it."""
        drawn = random.randrange(SEEDS) if seed is None else seed
        self.change({"seed": drawn})
        return drawn

    def cancel(self) -> None:
        """End finishing."""
        with self._lock:
            if self.link is not None:
                self.link.begin("ask", self.key, "cancel")

    def keep(self, moment: int | None) -> None:
        """Keep a picture in files of the worker; raises NotNow."""
        self._ask("keep", moment)

    def rewind(self, moment: int) -> None:
        """Go back to the settings of a moment; raises NotNow."""
        self._ask("rewind", moment)

    def vary(self, request: int, count: int) -> None:
        """Try other settings; raises NotNow."""
        self._ask("vary", request, count)

    def finish(self, moment: int | None, scale: int, steps: int | None) -> None:
        """Begin to make the still at its best; raises NotNow."""
        self._ask("finish", moment, scale, steps)

    def read(self, text: str) -> dict[str, Any]:
        """What the model makes of a prompt; raises NotNow."""
        return self._ask("read", text)

    def history(self, before: int | None, count: int) -> list[dict[str, Any]]:
        """Pictures of the last minutes, the newest first; raises NotNow."""
        return self._ask("history", before, count)

    def picture(self, what: str, moment: int | None = None, side: int | None = None) -> bytes:
        """A file of a render, or of what it was rendered from; raises NotNow."""
        return self._ask("picture", what, moment, side)

    def values(self) -> Changed:
        """The settings as they are now."""
        with self._lock:
            return self._snapshot.said

    def left(self) -> dict[str, Any]:
        """What to open it with again."""
        with self._lock:
            return self._snapshot.left()

    def doing(self) -> Doing:
        """What it is doing, as it was said last."""
        return self._doing

    def figures(self) -> dict[str, Any]:
        """What was measured, as it was said last."""
        return self._figures

    def _ask(self, what: str, *given: Any) -> Any:
        with self._lock:
            link, key = self.link, self.key
        if link is None:
            raise NotNow("loading", AWAY)
        try:
            return unpacked(link.ask("ask", key, what, *given, within=PATIENCE))
        except Lost:
            raise NotNow("loading", AWAY) from None
        except TimeoutError:
            raise NotNow("busy", f"the worker gave no answer within {PATIENCE:g} s; try again in a moment") from None
