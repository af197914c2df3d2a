"""A mailbox with one slot between two threads: the newest item wins, or the sender waits.

A queue between a fast sender and a slow receiver only turns backlog into latency, so there is none. Waiting is by
condition, and closing wakes everybody, as in the capture pipelines that python-mss shows.
"""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class MailboxClosed(Exception):
    """The mailbox was closed: nothing more can be put, or nothing more will come."""


class Mailbox(Generic[T]):
    """One slot. ``put`` never waits, ``put_wait`` waits for room, ``get`` waits for an item.

    Closing refuses new items; an item that already lies in the slot can still be taken.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._items: list[T] = []  # none or one; a list, so that None can be an item
        self._closed = False
        self._held = False
        self._woken = False

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed

    def put(self, item: T) -> bool:
        """Leave an item at once; returns whether it replaced one that nobody had taken. Raises MailboxClosed."""
        with self._changed:
            if self._closed:
                raise MailboxClosed
            replaced = bool(self._items)
            self._items[:] = [item]
            self._changed.notify_all()
            return replaced

    def put_wait(self, item: T, timeout: float | None = None) -> None:
        """Leave an item as soon as the slot is empty.

        Raises TimeoutError after ``timeout`` seconds (None: never), MailboxClosed when it is or gets closed.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._closed or not self._items, timeout):
                raise TimeoutError
            if self._closed:
                raise MailboxClosed
            self._items.append(item)
            self._changed.notify_all()

    def get(self, timeout: float | None = None) -> T:
        """Take the item, waiting for one if need be.

        Raises TimeoutError after ``timeout`` seconds (None: never; 0: do not wait) or when ``wake`` was called, and
        MailboxClosed when the mailbox is closed and empty.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._woken or (not self._held and (self._items or self._closed)), timeout)
            self._woken = False
            if self._items and not self._held:
                item = self._items.pop()
                self._changed.notify_all()
                return item
            if self._closed and not self._held:
                raise MailboxClosed
            raise TimeoutError

    def hold(self, held: bool) -> None:
        """While held, ``get`` finds the mailbox empty and open, whatever comes. Also wakes the one who is in it."""
        with self._changed:
            self._held = held
            self._woken = True
            self._changed.notify_all()

    def wake(self) -> None:
        """End the wait of the one who is in ``get``, or else their next one, before its time."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def close(self) -> None:
        """Refuse new items and wake everybody. May be called twice."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
