"""Pictures of one drawing on their way in: parts become whole pictures, and of several waiting the newest goes on."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from ...base.errors import FrameError, InkstreamError
from ...base.plain import reason
from .backend import Full, Mark, Sketch
from .client import Client
from .frames import MORE, Format, Head, Kind, unpack
from .messages import Refused, Took
from .seat import Seat

PACE = 1 / 100  # seconds between pictures of a page that are taken
REMEMBERED = 64  # pictures of which it is known who sent them; more are never under way
_decoding = ThreadPoolExecutor(4, "inkstream sketch")  # of their own: no picture waits for a disk


class Incoming:
    """Lives on the event loop. Pictures go to the stream of ``seat``, or wait there for a place; ``tag`` is that of the
    session.
    """

    def __init__(self, tag: int, seat: Seat) -> None:
        self._tag, self._seat = tag, seat
        self._count = 0
        self._senders: dict[int, Client] = {}  # by our number of a picture
        self._came: dict[int, float] = {}  # and when it came
        self._parts: dict[Client, list[tuple[Head, bytes]]] = {}
        self._waiting: tuple[Client, Sketch] | None = None  # the newest, while another is decoded
        self._decoding: asyncio.Task[None] | None = None

    def take(self, client: Client, data: bytes) -> None:
        """A picture by a page, or a part of one; raises FrameError. ``took`` follows."""
        head, picture = unpack(data)
        self._check(head)
        parts = [each for each in self._parts.pop(client, []) if each[0].sequence == head.sequence]
        parts.append((head, bytes(picture)))
        if head.flags & MORE and len(parts) < len(Kind):
            self._parts[client] = parts
            return
        found = {each.kind: packed for each, packed in parts}
        if Kind.SKETCH not in found or len({(each.width, each.height) for each, _ in parts}) > 1:
            raise FrameError("got labels without their sketch, or of another size; expected both with one sequence")
        mark = Mark(self._counted(client), head.document, head.time, head.sequence)
        labels, things = found.get(Kind.LABELS, b""), found.get(Kind.INSTANCES, b"")
        if self._waiting is not None:  # this one takes its place
            before, left = self._waiting
            before.say(Took(sequence=left.mark.of_page))
        self._waiting = client, Sketch(mark, head.width, head.height, found[Kind.SKETCH], labels, things)
        if self._decoding is None or self._decoding.done():
            self._decoding = asyncio.get_running_loop().create_task(self._put())

    def is_of(self, mark: Mark, client: Client) -> bool:
        """Whether a page has sent the picture with this mark."""
        return self._senders.get(mark.sequence) is client

    def took(self, mark: Mark) -> float | None:
        """Seconds since the picture with this mark came, asked for the first time; else None."""
        came = self._came.pop(mark.sequence, None)
        return None if came is None else time.monotonic() - came

    def forget(self, client: Client) -> None:
        """A page has gone."""
        self._parts.pop(client, None)
        self._senders = {number: each for number, each in self._senders.items() if each is not client}

    async def close(self) -> None:
        """Wait for the one that is decoded."""
        if self._decoding is not None:
            await asyncio.wait([self._decoding], timeout=1.0)

    def _check(self, head: Head) -> None:
        if head.tag != self._tag:
            raise FrameError("got a picture of another session, expected one of this: see tag in welcome")
        if head.kind not in (Kind.SKETCH, Kind.LABELS, Kind.INSTANCES):
            raise FrameError(f"got a picture of kind {head.kind}, expected a sketch, labels or instances")
        if (head.format == Format.DEFLATE) == (head.kind == Kind.SKETCH):
            raise FrameError("got a wrong format, expected JPEG or PNG for a sketch, deflate for labels and instances")

    def _counted(self, client: Client) -> int:
        self._count += 1
        self._senders[self._count] = client
        if len(self._senders) > REMEMBERED:
            del self._senders[min(self._senders)]
        self._came[self._count] = time.monotonic()
        if len(self._came) > REMEMBERED:
            del self._came[min(self._came)]
        return self._count

    async def _put(self) -> None:
        """One picture at a time, the newest that is there."""
        loop = asyncio.get_running_loop()
        while self._waiting is not None:
            (client, sketch), self._waiting = self._waiting, None
            try:
                live = await self._seat.waken(replay=False)
                await loop.run_in_executor(_decoding, live.put, sketch)
                self._seat.took(sketch)
            except Full as error:
                self._seat.hold(sketch, error)
            except InkstreamError as error:
                client.say(Refused(code="picture", text=reason(error)))
            await asyncio.sleep(client.took_at + PACE - loop.time())  # who waits for that is never too fast
            client.took_at = loop.time()
            client.say(Took(sequence=sketch.mark.of_page))
