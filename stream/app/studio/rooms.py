"""All drawings: those that are open, and those that lie on the disk."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import shutil
import time
from pathlib import Path
from typing import Any

from ...base.errors import DataError, InkstreamError
from ...base.files import open_regular
from ...base.locks import Busy, locked
from ...base.metrics import Metrics
from ...base.plain import reason
from ...base.private import make_private, user_state
from .backend import Full, SessionBackend
from .client import Rate
from .drawing import FILE, LOCK, Drawing
from .moderation import Moderation
from .quotas import Quotas
from .room import SETTINGS, Offering, Room, view_of

log = logging.getLogger(__name__)
PARK = 600.0  # seconds without anybody after which a drawing is closed
TICK = 1.0
UNDRAWN = 100  # bytes of a drawing without an operation
DAY = 86_400.0  # seconds
NEW_A_SECOND, NEW_AT_ONCE = 20.0, 400  # new drawings, of everybody
_LETTERS = frozenset("0123456789abcdef")


def drawings_folder() -> Path:
    """Where drawings are kept; it may not exist yet."""
    return user_state() / "studio" / "drawings"


class Unknown(InkstreamError):
    """There is no such drawing."""


class Rooms:
    """Lives on the event loop. ``folder`` holds one folder for each drawing. ``offers`` as for ``Room``."""

    def __init__(
        self,
        backend: SessionBackend,
        folder: Path | None = None,
        offers: Offering = lambda values, styles: {},
        quotas: Quotas | None = None,
        moderation: Moderation | None = None,
    ) -> None:
        self.backend = backend
        self.open: dict[str, Room] = {}
        self._folder = folder or drawings_folder()
        self._offers = offers
        self._views: dict[str, str] = {}  # viewers' name -> session
        self._opening: dict[str, asyncio.Future[Room]] = {}
        self._new = Rate(NEW_A_SECOND, NEW_AT_ONCE)
        self.metrics = Metrics()
        self.quotas, self.moderation = quotas or Quotas(), moderation or Moderation()

    async def make(self, who: str = "") -> Room:
        """A new drawing of somebody, or the one that there is where there is one at a time. Raises Full, OSError."""
        if self.backend.alone and self.open:
            return next(iter(self.open.values()))
        self.quotas.new(who)
        if not self._new.takes():
            raise Full("too many new drawings at once; try again in a moment")
        return await self._opened(secrets.token_hex(16))

    async def get(self, session: str) -> Room:
        """A drawing that there is; raises Unknown, DrawingBusy, DataError, OSError."""
        if session in self.open:
            return self.open[session]
        if not _plain(session) or not await asyncio.to_thread((self._folder / session / FILE).is_file):
            raise Unknown("there is no such drawing here; begin a new one")
        return await self._opened(session)

    async def seen(self, view: str) -> Room:
        """The drawing that viewers know by a name; raises as ``get``."""
        if view not in self._views:
            names = await asyncio.to_thread(self._names)
            self._views = {view_of(name): name for name in {*names, *self.open}}
        if view not in self._views:
            raise Unknown("there is no such drawing here; ask for the address anew")
        return await self.get(self._views[view])

    def admit(self, room: Room, who: str) -> None:
        """Before a stream is opened for somebody: raises Full where they have as many as they may."""
        if room.live is None:
            self.quotas.open(who, sum(each.live is not None and each.seat.owner == who for each in self.open.values()))
            room.seat.owner = who

    async def remove(self, session: str) -> None:
        """A drawing, and all that belongs to it, is gone for good. Raises as ``get``."""
        room = await self.get(session)
        self.open.pop(session, None)
        for client in room.everybody:
            client.end()
        await room.close()
        await asyncio.to_thread(shutil.rmtree, self._folder / session, True)

    async def make_place(self) -> bool:
        """Park the drawing that nobody has looked at for longest, else one whose hand rests: it is back with the next
        stroke. False where somebody draws on every one.
        """
        lively, now = [room for room in self.open.values() if room.live is not None], time.monotonic()
        left = [room for room in lively if not room.everybody]
        idle = left or [room for room in lively if room.rests(now)]
        if not idle:
            return False
        await min(idle, key=lambda room: room.idle_since if left else room.seat.active_at).park()
        return True

    async def run(self) -> None:
        """Look after all of them, until it is cancelled."""
        await asyncio.to_thread(self._sweep)
        while True:
            await asyncio.sleep(TICK)
            now = time.monotonic()
            for session, room in list(self.open.items()):
                if room.everybody or now - room.idle_since < PARK:
                    room.tick()
                else:
                    self.open.pop(session, None)
                    await self._close(room)

    async def close(self) -> None:
        """Close all."""
        rooms, self.open = list(self.open.values()), {}
        await asyncio.gather(*(self._close(room) for room in rooms))

    async def _close(self, room: Room) -> None:
        try:
            await room.close()
        except (OSError, InkstreamError) as error:
            log.warning("a drawing cannot be closed: %s", reason(error))

    async def _opened(self, session: str) -> Room:
        """Once, whoever asks meanwhile."""
        if session in self._opening:
            return await self._opening[session]
        future = self._opening[session] = asyncio.get_running_loop().create_future()
        try:
            drawing, left = await asyncio.to_thread(self._read, self._folder / session)
            left = await self.moderation.cleaned(left)
            about = (self._offers, left, self.metrics, self.make_place)
            room = self.open[session] = Room(session, drawing, self.backend, *about)
            self._views[room.view] = session
            future.set_result(room)
            return room
        except BaseException as error:
            future.set_exception(error)
            future.exception()  # it is raised here, and perhaps nobody else waits
            raise
        finally:
            del self._opening[session]

    def _read(self, folder: Path) -> tuple[Drawing, dict[str, Any] | None]:
        make_private(self._folder)
        drawing = Drawing(folder)
        left = None
        with contextlib.suppress(FileNotFoundError):
            try:
                with open_regular(folder / SETTINGS) as file:
                    left = json.loads(file.read(1 << 20))
            except (OSError, ValueError, RecursionError) as error:
                if isinstance(error, FileNotFoundError):
                    raise
                log.warning("%s: settings are left out: %s", folder, reason(error))
        return drawing, left if isinstance(left, dict) and isinstance(left.get("stream"), dict) else None

    def _sweep(self) -> None:
        """Drawings in which nothing was ever drawn are let go of after a day."""
        with contextlib.suppress(InkstreamError):
            for name in self._names():
                folder = self._folder / name
                with contextlib.suppress(OSError, Busy):  # who has it open keeps it
                    status = (folder / FILE).stat()
                    if status.st_size <= UNDRAWN and time.time() - status.st_mtime > DAY:
                        with locked(folder / LOCK):
                            shutil.rmtree(folder, True)

    def _names(self) -> list[str]:
        try:
            return [path.name for path in self._folder.iterdir() if _plain(path.name)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise DataError(f"{self._folder}: cannot be read: {error.strerror}") from error


def _plain(session: str) -> bool:
    return len(session) == 32 and _LETTERS.issuperset(session)
