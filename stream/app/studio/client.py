"""One socket's way out: texts in order, and of pictures the newest, one on its way at a time."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from pydantic import BaseModel

MOST_WAITING = 4096  # texts
MOST_BYTES = 80 << 20  # of texts: a drawing that is as large as it may be, and more
PATIENCE = 30.0  # seconds for a page to say that it has shown a picture


class Slow(Exception):
    """Whoever is at the other end takes nothing any more."""


class Picture(NamedTuple):
    """A binary message, and what acknowledges it."""

    data: bytes
    sequence: int


class Client:
    """What is sent to one page. ``say`` and ``show`` never wait; ``run`` sends, until ``end``, or raises Slow."""

    def __init__(
        self,
        name: str,
        draws: bool,
        send_text: Callable[[str], Awaitable[None]],
        send_bytes: Callable[[bytes], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.draws = draws
        self.ended: asyncio.Event = asyncio.Event()
        self.took_at = 0.0  # when a picture of the drawing was taken last
        self.farewell: tuple[int, BaseModel] | None = None  # close code, and what is said before
        self._send_text, self._send_bytes, self._clock = send_text, send_bytes, clock
        self._texts: deque[str] = deque()
        self._bytes = 0
        self._others: deque[bytes] = deque(maxlen=16)  # pictures that are no renders, each sent
        self._next: Picture | None = None
        self._on_its_way: int | None = None
        self._sent_at = 0.0
        self._news = asyncio.Event()

    def say(self, message: BaseModel | str) -> None:
        """Leave a text message."""
        text = message if isinstance(message, str) else message.model_dump_json()
        self._texts.append(text)
        self._bytes += len(text)
        if len(self._texts) > MOST_WAITING or self._bytes > MOST_BYTES:
            self._texts.clear()
            self.ended.set()
        self._news.set()

    def show(self, picture: Picture) -> None:
        """Leave a render, in the place of one that was not sent yet."""
        self._next = picture
        self._news.set()

    def give(self, data: bytes) -> None:
        """Leave a picture that is sent in any case."""
        self._others.append(data)
        self._news.set()

    def shown(self, sequence: int) -> None:
        """The page has shown a render: the next may go."""
        if self._on_its_way is not None and sequence >= self._on_its_way:
            self._on_its_way = None
            self._news.set()

    def end(self, code: int = 1000, message: BaseModel | None = None) -> None:
        """Close the socket, after what was said."""
        if self.farewell is None and message is not None:
            self.farewell = (code, message)
        self.ended.set()
        self._news.set()

    async def run(self) -> None:
        """Send what there is; raises what sending raises, and Slow."""
        while True:
            while self._texts:
                text = self._texts.popleft()
                self._bytes -= len(text)
                await self._send(self._send_text(text))
            if self.ended.is_set():
                return
            while self._others:
                await self._send(self._send_bytes(self._others.popleft()))
            if self._next is not None and self._on_its_way is None:
                picture, self._next = self._next, None
                self._on_its_way, self._sent_at = picture.sequence, self._clock()
                await self._send(self._send_bytes(picture.data))
            if self._texts or self._others:
                continue
            self._news.clear()
            if self._ready():
                continue
            await self._wait()

    async def _send(self, sending: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(PATIENCE):  # wait_for may swallow that it is cancelled
                await sending
        except TimeoutError:
            raise Slow from None

    async def _wait(self) -> None:
        left = None if self._on_its_way is None else self._sent_at + PATIENCE - self._clock()
        if left is not None and left <= 0:
            raise Slow
        try:
            async with asyncio.timeout(left):
                await self._news.wait()
        except TimeoutError:
            if self._on_its_way is not None and self._clock() >= self._sent_at + PATIENCE:
                raise Slow from None

    def _ready(self) -> bool:
        return bool(self._next is not None and self._on_its_way is None) or self.ended.is_set()


class Rate:
    """How much may come in a second; ``burst`` at once, by default as much as in two seconds."""

    def __init__(
        self, per_second: float, burst: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second, self._clock = per_second, clock
        self._burst = 2 * per_second if burst is None else burst
        self._left, self._at = self._burst, clock()

    def takes(self, much: float = 1.0) -> bool:
        """Whether so much may come; it counts in any case."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        self._left -= much
        return self._left >= 0
