"""The sink side of a session: hands pictures to one sink, as they come or at a fixed cadence."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

from ..base.frame import Output
from ..base.mailbox import Mailbox, MailboxClosed
from ..base.metrics import Metrics
from ..base.pacing import Pacer
from ..sinks import Sink, Status

log = logging.getLogger(__name__)


class Delivery(NamedTuple):
    """A picture on its way to a sink."""

    output: Output
    unique: bool  # the first picture of its source frame: its age is a latency


class Outlet:
    """One sink with its own mailbox, so that a slow sink holds up nobody."""

    def __init__(
        self, sink: Sink, name: str, metrics: Metrics, clock: Callable[[], float], status: Callable[[], Status]
    ) -> None:
        self.name = name
        self.on_main_thread = sink.on_main_thread
        self.every = sink.interval is None  # takes every output, none twice
        self.ended = False  # nothing more will be written
        self.closed = False  # and what was written is finished, and what went wrong with that was said; see Fanout
        self._closing = False
        self._sink = sink
        self._metrics = metrics
        self._clock = clock
        self._status = status
        self._box: Mailbox[Delivery] = Mailbox()
        self._pacer = None if sink.interval is None else Pacer(sink.interval, clock)
        self._newest: Delivery | None = None
        self._unwritten = False

    def offer(self, delivery: Delivery, wait: bool) -> None:
        """Give a picture to the sink's thread: at once, or (``wait``) when the one before was taken."""
        try:
            if wait:
                self._box.put_wait(delivery)
            else:
                self._box.put(delivery)
        except MailboxClosed:
            log.debug("sink %s takes no more pictures", self.name)

    def turn(self, block: bool) -> float | None:
        """Write one picture if it is time to; ``block`` waits for that.

        Returns the seconds until the next one is due, None for as soon as there is one. Raises what the sink raises.
        """
        due = self._due_in()
        try:
            self._newest = self._box.get(due if block else 0.0)
            self._unwritten = True
        except TimeoutError:
            pass  # nothing newer has come
        except MailboxClosed:
            self.ended = True
        due = self._due_in()
        if self._unwritten if due is None or self.ended else due <= 0.0:
            self._write()
            due = self._due_in()
        return due

    def finish(self) -> None:
        """Nothing more will come: what lies in the mailbox is still written."""
        self._box.close()

    def close(self) -> None:
        """Close the sink, once; raises what it raises."""
        self._box.close()
        if not self._closing:
            self._closing = True
            self._sink.close()

    def _due_in(self) -> float | None:
        return None if self._pacer is None else self._pacer.left()

    def _write(self) -> None:
        delivery, unique = self._newest, self._unwritten
        self._unwritten = False
        start = self._clock()
        self._sink.write(delivery.output if delivery else None, self._status())
        now = self._clock()
        if self._pacer is not None:
            self._pacer.done()
        if delivery is None:
            return
        self._metrics.record("sink", now - start)
        self._metrics.emitted(self.name, now)
        if unique and delivery.unique:
            self._metrics.record("end_to_end", now - delivery.output.captured_at)
