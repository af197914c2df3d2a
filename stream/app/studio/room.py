"""A drawing with everybody who looks at it: pages that draw, viewers, and the stream that renders it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from pydantic import BaseModel

from ...base.metrics import Metrics
from . import messages, traces
from .backend import (
    Brought,
    Changed,
    Doing,
    LiveSession,
    News,
    NotNow,
    Rendered,
    Said,
    SessionBackend,
    Stored,
    Tried,
    Values,
)
from .client import Client, Picture
from .document import Redo, Undo
from .drawing import Drawing
from .frames import FADING, Format, Head, Kind
from .incoming import Incoming
from .seat import RESTS, Seat, no_place

log = logging.getLogger(__name__)
SETTINGS = "settings.json"
CHUNK = 200_000  # bytes of operations in one message
Offering = Callable[[Values, Sequence[str]], dict[str, Any]]
RENDER = "render"  # in metrics: from a page's picture to its render, both at this server
SERVER = "server00"  # the client that undoes and redoes for REST


def view_of(session: str) -> str:
    """The name that viewers have for a session, from which nobody finds it."""
    return hashlib.sha256(f"inkstream view {session}".encode()).hexdigest()[:32]


def tag_of(session: str) -> int:
    """What stands in all pictures of a session."""
    return int.from_bytes(hashlib.sha256(f"inkstream tag {session}".encode()).digest()[:8], "little")


class Room:
    """Lives on the event loop, on which all of its methods are called; news of the stream come from other threads.

    ``offers`` is what a model brings that the backend does not know of, classes and presets, under settings and with
    names of styles. ``metrics`` gets how long each picture took. ``make_place`` closes the stream of
    somebody who rests.
    """

    def __init__(
        self,
        session: str,
        drawing: Drawing,
        backend: SessionBackend,
        offers: Offering,
        left: dict[str, Any] | None = None,
        metrics: Metrics | None = None,
        make_place: Callable[[], Awaitable[bool]] = no_place,
    ) -> None:
        self.session, self.drawing = session, drawing
        self.view, self.tag = view_of(session), tag_of(session)
        self.pages: set[Client] = set()
        self.viewers: set[Client] = set()
        self.idle_since = time.monotonic()
        settings = drawing.folder / SETTINGS
        self.seat = Seat(backend, left, settings, self._tell, self.called, make_place, self.heard)
        self.incoming = Incoming(self.tag, self.seat)  # pictures of the drawing
        self.stored: list[str] = []  # names of pictures that were kept since the server began
        self._metrics = metrics or Metrics()
        self._backend, self._make_offers = backend, offers
        self._loop = asyncio.get_running_loop()
        self._offers: messages.Offers | None = None
        self._status = messages.Status(state="waiting")
        self._sequence = 0
        self._render: Rendered | None = None  # the newest, which is shown when the loop gets to it
        self._newest: tuple[Rendered, int] | None = None
        self._taking: set[asyncio.Task[None]] = set()

    # --- who is there

    @property
    def live(self) -> LiveSession | None:
        """The stream of the drawing, where it has one."""
        return self.seat.live

    @property
    def called(self) -> str:
        """What logs call it: whoever knew the session's own name could draw."""
        return f"{self.tag:016x}"

    @property
    def everybody(self) -> set[Client]:
        """Pages and viewers."""
        return self.pages | self.viewers

    async def waken(self) -> LiveSession:
        """The stream, for somebody who is at work. Raises Full."""
        return await self.seat.waken()

    async def failed(self) -> bool:
        """Whether the stream has ended or could not be made; it is asked, for what was said last may be older."""
        live = self.live
        return live is not None and (await asyncio.to_thread(live.doing)).state == "failed"

    def rests(self, now: float) -> bool:
        """Whether nobody has drawn or asked for anything for a while, and nothing is under way."""
        return now - self.seat.active_at > RESTS and self._status.state in ("idle", "waiting")

    def enter(self, client: Client, revision: int, server: str, limits: messages.Limits) -> None:
        """A page or a viewer comes, and is told everything. Raises Full.

        A viewer alone is no reason to render: they see what there is, and more as soon as somebody draws.
        """
        if client.draws:
            self.seat.open()
        (self.pages if client.draws else self.viewers).add(client)
        self._note("a page came" if client.draws else "a viewer came")
        reset, lines = self.drawing.after(revision) if client.draws else (False, [])
        width, height = self._backend.size
        client.say(
            messages.Welcome(
                session=self.session if client.draws else "",
                view=self.view,
                tag=self.called,
                role="draw" if client.draws else "view",
                revision=self.drawing.revision,
                kept=self.drawing.kept.get(client.name, 0),
                reset=reset,
                width=width,
                height=height,
                canvas=self._backend.renders_drawings,
                schema_url="/schema/params",
                limits=limits,
                server=server,
            )
        )
        if client.draws and self.live is not None:
            client.say(self.settings_of(self.live.values()))
            client.say(self._offers or messages.Offers(model=self._backend.model))
        client.say(self._status)
        for text in drawn(lines):
            client.say(text)
        if self._newest is not None:
            client.show(self._pack(*self._newest, client))
        self.tick()

    def leave(self, client: Client) -> None:
        """A page or viewer has gone."""
        self.pages.discard(client)
        self.viewers.discard(client)
        self.incoming.forget(client)
        self._note("a page left" if client.draws else "a viewer left")
        if not self.everybody:
            self.idle_since = time.monotonic()

    def _note(self, text: str) -> None:
        log.info(text, extra={"drawing": self.called, "pages": len(self.pages), "viewers": len(self.viewers)})

    def say(self, message: BaseModel | str, pages_only: bool = False) -> None:
        """Tell everybody."""
        text = message if isinstance(message, str) else message.model_dump_json()
        for client in self.pages if pages_only else self.everybody:
            client.say(text)

    # --- the drawing

    def add(self, client: Client | None, name: str, ops: list[Any]) -> None:
        """Operations of the client ``name``, sent by ``client`` (None: REST). Raises DrawingFull, OSError."""
        added = self.drawing.add(name, ops)
        for text in drawn(added.lines):
            for other in self.pages:
                if other is not client:
                    other.say(text)
        if client is not None:
            client.say(messages.Kept(client=name, number=added.number, revision=self.drawing.revision))
            if added.missing:
                client.say(messages.Missing(client=name, number=added.number + 1))

    def step(self, what: str) -> str:
        """``undo`` or ``redo`` one operation; returns its name. Raises NotNow where there is none."""
        of = self.drawing.to_undo() if what == "undo" else self.drawing.to_redo()
        if of is None:
            raise NotNow("operation", f"there is nothing to {what}")
        number = self.drawing.kept.get(SERVER, 0) + 1
        op = Undo(op="undo", number=number, of=of) if what == "undo" else Redo(op="redo", number=number, of=of)
        self.add(None, SERVER, [op])
        return of

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._taking.add(task)
        task.add_done_callback(self._taking.discard)

    # --- what comes of it

    def tick(self) -> None:
        """Once a second: say how it goes, and write down what has changed."""
        self._do(self._tick())

    async def _tick(self) -> None:
        await self.seat.let_in()
        if self.live is not None:
            self.heard(await asyncio.to_thread(self.live.doing))
        try:
            await asyncio.to_thread(self.drawing.sync)
            await asyncio.to_thread(self.seat.save)
        except OSError as error:
            self.say(messages.Notice(text=f"the drawing cannot be written: {error.strerror or error}; free some space"))

    async def park(self) -> None:
        """Give the stream's place to another; the drawing stays."""
        self._status = messages.Status(state="waiting")
        self.say(self._status)
        await self.seat.close()

    async def close(self) -> None:
        """Park, and close the drawing."""
        await self.incoming.close()
        for task in list(self._taking):
            await asyncio.wait([task], timeout=1.0)
        try:
            await self.park()
        finally:
            await asyncio.to_thread(self.drawing.close)

    def _tell(self, news: News) -> None:
        """From any thread."""
        if isinstance(news, Rendered):
            first, self._render = self._render is None, news
            if not first:
                return  # the newest goes when the loop gets to it
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody hears it any more
            self._loop.call_soon_threadsafe(self._hear, news)

    def _hear(self, news: News) -> None:
        match news:
            case Rendered():
                newest, self._render = self._render, None
                if newest is not None:
                    self._show(newest)
            case Doing():
                if self.live is not None:  # else it is the last word of a stream that was closed
                    self.heard(news)
            case Changed():
                self.say(self.settings_of(news), pages_only=True)
            case Brought():
                tags = {name: list(words) for name, words in news.tags.items()}
                brought = {"model": news.model, "words": list(news.words), "tags": tags, "styles": list(news.styles)}
                values = self.live.values().values if self.live is not None else {}
                self._offers = messages.Offers(**brought, **self._make_offers(values, news.styles))
                self.say(self._offers, pages_only=True)
            case Said():
                self.say(messages.Notice(text=news.text, good=news.good))
            case Stored():
                self.stored += [news.name] if news.name else []
                self.say(messages.Saved(name=news.name, text=news.text, finished=news.finished), pages_only=True)
            case Tried():
                self._tell_tried(news)

    def _show(self, render: Rendered) -> None:
        took = self.incoming.took(render.mark)
        if took is not None:
            self._metrics.record(RENDER, took)
            traces.rendered(took, self.called, render.settings, len(render.jpeg))
        self._sequence += 1
        self._newest = (render, self._sequence)
        for client in self.everybody:
            client.show(self._pack(render, self._sequence, client))

    def _pack(self, render: Rendered, sequence: int, client: Client) -> Picture:
        mark = render.mark
        of, at = (mark.of_page, mark.time) if self.incoming.is_of(mark, client) else (0, 0)
        flags, size = FADING if render.fading else 0, (render.width, render.height)
        head = Head(Kind.RENDER, Format.JPEG, flags, self.tag, sequence, of, mark.document, render.settings, *size, at)
        return Picture(head.pack() + render.jpeg, sequence)

    def _tell_tried(self, tried: Tried) -> None:
        about = {name: getattr(tried, name) for name in ("request", "index", "count", "label", "text")}
        self.say(messages.Variant(**about, changes=dict(tried.changes)), pages_only=True)
        if tried.jpeg:
            size = (tried.width, tried.height)
            head = Head(Kind.VARIANT, Format.JPEG, 0, self.tag, tried.request, tried.index, 0, 0, *size, 0)
            for client in self.pages:
                client.give(head.pack() + tried.jpeg)

    def heard(self, doing: Doing) -> None:
        """What the stream is doing, for everybody."""
        said = {name: getattr(doing, name) for name in ("state", "text", "done", "fps", "latency_ms", "moment")}
        rest = {"notes": list(doing.notes), "finishing": doing.finishing, "finished": doing.finished}
        counts = {"pages": len(self.pages), "viewers": len(self.viewers), "frozen": doing.state == "frozen"}
        status = messages.Status(**said, **rest, **counts)
        if status != self._status:
            self._status = status
            self.say(status)

    @property
    def status(self) -> messages.Status:
        """As it was said last."""
        return self._status

    @staticmethod
    def settings_of(changed: Changed) -> messages.Settings:
        """As it is said."""
        return messages.Settings(revision=changed.revision, values=dict(changed.values))


def drawn(lines: list[bytes]) -> list[str]:
    """Messages ``drawn`` with operations, none of them large."""
    made: list[str] = []
    batch: list[bytes] = []
    size = 0
    for line in [*lines, None]:
        if batch and (line is None or size + len(line) > CHUNK):
            made.append('{"type":"drawn","ops":[' + b",".join(batch).decode() + "]}")
            batch, size = [], 0
        if line is not None:
            batch.append(line)
            size += len(line)
    return made
