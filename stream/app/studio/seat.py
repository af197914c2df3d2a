"""The stream of one drawing: opened when somebody is at work, closed when nobody is, or for another's sake."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from ...base.errors import InkstreamError
from ...base.files import write_json
from ...base.plain import reason
from .backend import Doing, Full, LiveSession, SessionBackend, Sketch, Tell

log = logging.getLogger(__name__)
RESTS = 60.0  # seconds without anything asked for after which a place may go to another


async def no_place() -> bool:
    """Nobody's stream is closed for another."""
    return False


class Seat:
    """Lives on the event loop. ``left`` is how the drawing was left, which is written to ``settings``; logs know it as
    ``called``. ``make_place`` closes the stream of somebody who rests, ``said`` tells those who draw.
    """

    def __init__(
        self,
        backend: SessionBackend,
        left: dict[str, Any] | None,
        settings: Path,
        tell: Tell,
        called: str,
        make_place: Callable[[], Awaitable[bool]],
        said: Callable[[Doing], None],
    ) -> None:
        self.live: LiveSession | None = None
        self.owner = ""  # for whom it was opened, see ``Quotas``
        self.active_at = time.monotonic()  # when somebody last asked for something
        self.newest: Sketch | None = None  # of the pictures that a stream was given
        self._backend, self._left, self._settings = backend, left, settings
        self._tell, self._called, self._make_place, self._said = tell, called, make_place, said
        self._held: Sketch | None = None  # a picture that waits for a place

    def open(self) -> LiveSession:
        """The stream, which is opened where it is not; raises Full."""
        if self.live is None:
            self.live = self._backend.open(self._left, self._tell, self._called)
            log.info("a stream is opened", extra={"drawing": self._called})
        return self.live

    async def waken(self, replay: bool = True) -> LiveSession:
        """The stream, for somebody who is at work: one that was closed is opened again, and given the newest picture of
        the drawing (``replay``); where all places are taken, somebody's who rests is closed. Raises Full.
        """
        self.active_at = time.monotonic()
        new = self.live is None
        try:
            live = self.open()
        except Full:
            if not await self._make_place():
                raise
            live = self.open()
        if new and replay and self.newest is not None:
            await asyncio.to_thread(live.put, self.newest)
        return live

    def took(self, sketch: Sketch) -> None:
        """The stream was given a picture."""
        self.newest = sketch

    def hold(self, sketch: Sketch, why: Full) -> None:
        """There is no place for a picture: it waits, and whoever draws sees for what."""
        self._held = sketch
        self._said(Doing("loading", str(why)))

    async def let_in(self) -> None:
        """Ask again for a place for the picture that waits, if one does."""
        held, self._held = self._held, None
        if held is None or self.live is not None:
            return
        try:
            live = await self.waken(replay=False)
            await asyncio.to_thread(live.put, held)
            self.newest = held
        except Full as error:
            if self._held is None:
                self.hold(held, error)
        except InkstreamError as error:
            log.info("a picture is left out: %s", reason(error), extra={"drawing": self._called})

    def save(self) -> None:
        """Write down how it would be opened again, where that has changed; raises OSError. From any thread."""
        live = self.live
        if live is not None:
            self._save(live)

    async def close(self) -> None:
        """Give the stream's place to another; raises OSError."""
        live, self.live = self.live, None
        if live is not None:
            log.info("its stream is closed", extra={"drawing": self._called})
            await asyncio.to_thread(self._save, live)
            given = [live]
            del live
            await asyncio.to_thread(lambda: self._backend.leave(given.pop()))  # which holds it alone, and lets go of it

    def _save(self, live: LiveSession) -> None:
        left = live.left()
        if left != self._left:
            write_json(self._settings, left)
            self._left = left
