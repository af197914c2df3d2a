"""The sink side of a session: hands pictures to one sink, as they come or at a fixed cadence."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ..base.frame import Output, Sound
from ..base.mailbox import Mailbox, MailboxClosed
from ..base.metrics import Metrics
from ..base.pacing import Pacer
from ..sinks import Sink, Status

log = logging.getLogger(__name__)
REST = 0.5  # seconds without a picture after which a sink that wants to know is told


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
        self.stores: bool = getattr(sink, "stores", False)  # in a file, whenever they come
        self.ended = False  # nothing more will be written
        self.closed = False  # and what was written is finished, and what went wrong with that was said; see Fanout
        self.left = False  # it did not come back from a picture, and nobody waits for it any more
        self.closing = False  # it is at its end
        self._inside: float | None = None  # when the sink was called that has not come back yet
        self._sink = sink
        self._metrics = metrics
        self._clock = clock
        self._status = status
        self._box: Mailbox[Delivery] = Mailbox()
        self._pacer = None if sink.interval is None else Pacer(sink.interval, clock)
        self._at_rest: Callable[[float], None] | None = getattr(sink, "at_rest", None)
        self._newest: Delivery | None = None
        self._unwritten = False

    @property
    def path(self) -> str:
        """Where the sink has put the pictures that it keeps; empty where it keeps none."""
        return str(getattr(self._sink, "path", None) or "")

    def accompany(self, sound: Sound) -> None:
        """Give the sink the sound that belongs to the pictures, before the first of them, if it records any."""
        take = getattr(self._sink, "accompany", None)
        if take is not None:
            take(sound)

    def offer(self, delivery: Delivery, wait: float | None = None) -> bool:
        """Give a picture to the sink's thread: at once, or when the one before was taken.

        Returns False when that has not happened in ``wait`` seconds.
        """
        try:
            if wait is None:
                self._box.put(delivery)
            else:
                self._box.put_wait(delivery, wait)
        except TimeoutError:
            return False
        except MailboxClosed:
            log.debug("sink %s takes no more pictures", self.name)
        return True

    def stuck(self) -> float:
        """For how many seconds the sink has been at one picture, or at its end; 0 when it is at neither."""
        begun = self._inside
        return 0.0 if begun is None else self._clock() - begun

    def turn(self, block: bool) -> float | None:
        """Write one picture if it is time to; ``block`` waits for that.

        Returns the seconds until the next one is due, None for as soon as there is one. Raises what the sink raises.
        """
        due = REST if self._at_rest is not None else self._due_in()
        try:
            self._newest = self._box.get(due if block else 0.0)
            self._unwritten = True
        except TimeoutError:  # nothing newer has come
            if self._at_rest is not None and block:
                with self._calling():
                    self._at_rest(self._clock())
        except MailboxClosed:
            self.ended = True
            if self._at_rest is not None and not self._unwritten:  # the last picture was there until now
                with self._calling():
                    self._at_rest(self._clock())
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
        if not self.closing:
            self.closing = True
            with self._calling():
                self._sink.close()

    @contextmanager
    def _calling(self) -> Iterator[None]:
        self._inside = self._clock()
        try:
            yield
        finally:
            self._inside = None

    def _due_in(self) -> float | None:
        return None if self._pacer is None else self._pacer.left()

    def _write(self) -> None:
        delivery, unique = self._newest, self._unwritten
        self._unwritten = False
        start = self._clock()
        with self._calling():
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
