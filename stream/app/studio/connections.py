"""Connections that are made and then say nothing, or say it a letter at a time, are closed: uvicorn waits for ever."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_WITHIN = 10.0  # seconds from the first byte, or from connecting, to the end of a request's head
MOST = 512  # connections
MOST_OF_ONE = 96  # of one address, unless it is this computer
HERE = ("127.0.0.1", "::1")


def careful(head_within: float = HEAD_WITHIN, most: int = MOST, most_of_one: int = MOST_OF_ONE) -> type[H11Protocol]:
    """uvicorn's protocol for one server, with limits."""
    peers: Counter[str] = Counter()

    class Careful(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None
        _peer = ""
        _upgraded = False

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._peer = self.client[0] if self.client else ""
            peers[self._peer] += 1
            crowd = peers[self._peer] > most_of_one and self._peer not in HERE
            if crowd or len(self.connections) > most:
                transport.abort()
                return
            self._begin()

        def connection_lost(self, exc: Exception | None) -> None:
            self._end()
            self._left()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._upgraded:
                return
            if self.cycle is not None and not self.cycle.response_complete:
                self._end()
            elif self._deadline is None and self.timeout_keep_alive_task is None and not self.transport.is_closing():
                self._begin()

        def handle_websocket_upgrade(self, event: Any) -> None:
            self._end()
            self._left()  # sockets are counted by the guard
            self._upgraded = True
            super().handle_websocket_upgrade(event)

        def _begin(self) -> None:
            self._deadline = self.loop.call_later(head_within, self.transport.close)

        def _end(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _left(self) -> None:
            if self._peer:
                peers[self._peer] -= 1
                if not peers[self._peer]:
                    del peers[self._peer]
                self._peer = ""

    return Careful
