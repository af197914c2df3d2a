"""A session: one source, one stream, any number of sinks, and the threads between them.

Source thread -> mailbox -> engine thread -> one mailbox for each sink -> sink threads; windows live on the main thread.
A live source never waits and never queues: the newest frame wins. Of any other source every frame is rendered.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ..base.errors import ConfigError, InkstreamError
from ..base.frame import Frame, Output
from ..base.mailbox import Mailbox, MailboxClosed
from ..base.metrics import Metrics
from ..base.plain import reason
from ..base.signals import interrupts, saving
from ..base.terminal import settle, unheard
from ..base.waits import said
from ..sinks import Sink, Status
from ..sources import Source
from .changes import Changes, not_changed
from .crew import Crew
from .cues import CuePlayer
from .driver import Driver, StreamLike
from .fanout import Fanout
from .feedback import Feedback
from .finishing import Finishes, Finishing
from .intake import RETRY, Intake
from .reader import Reader
from .recording import Recordings
from .reporter import Reporter
from .teller import Teller
from .trials import Tell, Trials

if TYPE_CHECKING:
    from ..history.store import HistoryRecorder

log = logging.getLogger(__name__)
STOP_WITHIN = 1.8  # seconds until threads that do not end are left behind; 2 s are promised
GRACE = 0.2  # seconds a source gets to come back from read() before it is closed under it
SLICE = 0.1  # seconds after which a waiting main thread looks for signals, which do not end a wait on Windows


class Session:
    """Runs once. ``run`` blocks and drives windows; ``start`` does not, and windows then need ``pump`` from the caller.

    ``source``: a Source, its specification as text, or a function without arguments that opens one; a source that is
    lost can be opened again in the latter two cases only. ``sinks``: Sinks, or their specifications. The session closes
    its source and its sinks; the stream stays open, it belongs to the caller.
    ``on_status`` is called from a thread of its own when state or notice changes. ``on_output`` are called with every
    picture on the engine's thread, so they must return at once; one that raises is not called again. ``history`` is one
    of them that records the last minutes, where the window's film strip finds them; the caller closes it. ``finisher``
    makes stills beside the stream (``finish``, ``finishing``); the caller closes that, too.
    ``stall_after`` and ``retry`` are seconds: after how long without a frame a source counts as stalled, and the pauses
    before each try to open a lost source. Pauses above 1.5 s are for a source that is known to be gone, and end when it
    is seen to come back. With ``stay`` the last picture stays when the source has ended, and changes still act on it,
    until the last window is closed; without a window it ends as ever.
    """

    def __init__(
        self,
        source: Source | str | Callable[[], Source],
        stream: StreamLike,
        sinks: Sequence[Sink | str],
        *,
        clock: Callable[[], float] = time.perf_counter,
        metrics: Metrics | None = None,
        on_status: Callable[[Status], None] | None = None,
        on_output: Sequence[Callable[[Output], None]] = (),
        history: HistoryRecorder | None = None,
        finisher: Finishes | None = None,
        stall_after: float = 1.0,
        retry: Sequence[float] = RETRY,
        stay: bool = False,
    ) -> None:
        if not sinks or isinstance(sinks, str):
            raise ConfigError(f'sinks: got {sinks!r}, expected a list of at least one, for example ["null"]')
        self.metrics = metrics or Metrics(clock)
        self.error: BaseException | None = None  # what ended the session, when it was a fault
        self.interrupted: int | None = None  # number of the signal that ended it
        unheard()
        stream.metrics = self.metrics
        self._stream = stream
        self._clock = clock
        self._on_output = [*on_output, *([history.take] if history else [])]
        self.history = history
        self._stop = threading.Event()  # asked to end now
        self._bell = threading.Event()  # something for the main thread to look at
        self._changes = Changes()
        self._reader = Reader(stream, self._changes.put)
        self.read_prompt, self.brings = self._reader.read, self._reader.brings
        self.finishing = Finishing(finisher, self._say)
        self.finish = self.finishing.start
        self._inbox: Mailbox[Frame] = Mailbox()
        self._intake = Intake(source, self._inbox, self.metrics, clock, self._stop, self._inbox.wake, retry, self._say)
        self.feedback = Feedback()
        self._driver = Driver(
            stream,
            self._intake,
            self._inbox,
            self.metrics,
            clock,
            self._stop,
            stall_after,
            deliver=self._deliver,
            report=lambda: self._reporter.report(),
            say=self._say,
            watched=lambda: stay and self._fanout.watched,
            feedback=self.feedback,
        )
        self.cues = CuePlayer(self._change, lambda: stream.config, lambda: self.status.fps, self.say)
        self.frozen = False  # whether it was asked to stop taking new frames
        self._trials = Trials(stream, self._stop, self._hold, self._inbox.wake)
        self._fanout = Fanout(
            sinks,
            self.metrics,
            clock,
            lambda: self.status,
            end=self._halt,
            fail=self._fail,
            say=self._say,
            ring=self._bell.set,
        )
        self._teller = Teller(self, self._intake, self._driver, self._fanout, self._reader, clock, stall_after)
        self._reporter = Reporter(self._teller.key, self._teller.status, on_status)
        self._crew = Crew(self._fail)
        self._recordings = Recordings(self._fanout, self._crew, self._bell.set)
        self._owner = threading.get_ident()  # the thread that drives sinks of the main thread
        self._lock = threading.Lock()
        self._ended = False

    # --- life

    def run(self, frames: int | None = None, seconds: float | None = None) -> None:
        """Run until the source ends, a window is closed, ``frames`` were rendered, ``seconds`` passed, or stop().

        The first SIGINT or SIGTERM stops it within 2 s and leaves its number in ``interrupted``; the second ends the
        process at once with exit code 130. Raises what ended it, when that was a fault.
        """
        self._driver.limit = frames
        with interrupts(partial(setattr, self, "interrupted"), halt=self._halt):
            try:
                self.start()
                self.wait(seconds)
            finally:
                self.stop()
        if self.error is not None:
            raise self.error

    def start(self) -> None:
        """Open source and sinks, and start the threads; nothing happens when it was started before.

        Raises SourceUnavailable, ConfigError, or SinkUnavailable when none of the sinks can be opened.
        """
        if self._ended:
            raise RuntimeError("session: start() after its end; make a new Session for each run")
        if self._crew:
            return
        self._owner = threading.get_ident()
        try:
            with said(f"{self._intake.name}: waiting for it to open", self._say):
                self._intake.open()
            self._fanout.open(self)
            self._intake.begin(self._fanout.files_only)
            if self._intake.sound is not None and not self._intake.live:
                self._fanout.accompany(self._intake.sound)
        except BaseException:
            self.stop()
            raise
        self._reader.notes(self._stream.config)
        self._crew.add("engine", self._driver.run, self._finish)
        self._crew.add("control", self._control, self._changes.close)
        self._crew.add("status", self._reporter.run, lambda: None)
        for outlet in self._fanout.outlets:
            if not outlet.on_main_thread:
                self._crew.add(f"sink {outlet.name}", partial(self._fanout.drive, outlet), self._bell.set)
        self._crew.add("source", self._intake.run, self._driver.source_ended)
        self._crew.start()

    def pump(self) -> float:
        """Write what is due to sinks of the main thread; returns the seconds (at most 0.1) until the next is due."""
        if threading.get_ident() != self._owner:
            raise RuntimeError("session: pump() must be called by the thread that called start()")
        return self._fanout.pump(SLICE)

    def wait(self, timeout: float | None = None) -> bool:
        """After ``start``: wait until the session has ended by itself; returns whether it did in ``timeout`` seconds.

        On the thread that called ``start`` this also writes to sinks of the main thread.
        """
        end = None if timeout is None else self._clock() + timeout
        while not (self._stop.is_set() or self.finished):
            left = SLICE if end is None else end - self._clock()
            if left <= 0 or self.interrupted:
                return False
            if self._fanout.finishing:
                self._fanout.leave_stuck()
                self._reporter.report()
            if threading.get_ident() != self._owner:
                self._stop.wait(min(SLICE, left))
                continue
            self._bell.wait(min(SLICE, left, self.pump()))
            self._bell.clear()
        return True

    def stop(self) -> None:
        """End within 2 s, whatever a driver does: a thread that does not end is named in the log and left behind.

        May be called from any thread, and again. Sinks of the main thread are closed on the thread that called
        ``start``.
        """
        with saving():  # in sinks
            self._stop_within(time.perf_counter() + STOP_WITHIN)

    def _stop_within(self, deadline: float) -> None:
        self._halt()
        self._crew.join(GRACE, "source")
        closer = threading.Thread(target=self._close_source, name="inkstream close source", daemon=True)
        closer.start()
        left = self._crew.leave(deadline - time.perf_counter(), "status", closer)
        if threading.get_ident() == self._owner:
            self._fanout.close_main()
        with self._lock:
            again, self._ended = self._ended, True
        if again:
            return
        if not self._crew:
            self._fanout.close_unstarted()
        if left:
            log.warning("left behind, because they do not end: %s", ", ".join(left))
        self._reporter.report()
        self._reporter.close()
        self._crew.join(max(GRACE, deadline - time.perf_counter()), "status")
        settle()

    @property
    def trying(self) -> bool:
        """Whether settings are tried just now, and the picture holds."""
        return self._trials.active

    @property
    def canvas(self) -> Any:
        """What says which part of the source's window is taken, see ``Controls``; None where there is no question."""
        return self._intake.canvas

    camera = property(lambda self: self._intake.camera, doc="The eye in the source's scene, see ``Controls``, or None.")

    @property
    def ending(self) -> bool:
        """Whether it was asked to end, or has ended."""
        return self._ended or self._stop.is_set()

    @property
    def finished(self) -> bool:
        """Whether nothing will be written any more."""
        return self._ended or self._fanout.closed

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- controls

    def update(self, **changes: Any) -> None:
        """Change settings, soon: returns at once. A refused change is said in ``Status.message`` and in the log.

        Changes of the same settings that are still waiting become one, so a fast slider does not fall behind.
        """
        self.cues.overruled(changes)
        self._change(**changes)

    def _change(self, **changes: Any) -> None:
        try:
            self._changes.put(changes)
        except (MailboxClosed, OverflowError) as error:
            self._say(f"{', '.join(changes)} not changed: {error}")

    def freeze(self, frozen: bool) -> None:
        """Stop taking new frames, or go on.

        What was taken still comes out, and a changed setting still acts on the last frame.
        """
        self.frozen = frozen
        self._hold(False)

    def _hold(self, trying: bool) -> None:
        held = self.frozen or trying
        self._driver.frozen = held
        self._inbox.hold(held)

    def try_out(self, changes: Sequence[Mapping[str, Any]], tell: Tell) -> None:
        """Render the newest frame under each of several changes of the settings, and go on as before; returns at once.

        ``tell(number, output, why)`` is called on another thread with each picture, or with None and why there is none.
        No sink sees these pictures. Meanwhile the stream stands still, and frames that come are left out.
        """
        try:
            self._changes.put_task(partial(self._trials.run, list(changes), tell))
        except (MailboxClosed, OverflowError) as error:
            self._say(f"nothing is tried: {error}")

    def record(self, open: Callable[[], Sink] | None) -> None:
        """Keep every picture from now on in the sink that ``open()`` opens, beside the others; None ends that.

        Returns at once; what cannot be opened is said. One at a time: asked again, the one before ends first.
        """
        if open is None or not self.ending:
            self._recordings.ask(open)

    def say(self, text: str) -> None:
        """Tell whoever watches, for a while: nothing is wrong."""
        self._say(text, good=True)

    # --- what it says

    @property
    def status(self) -> Status:
        """What it is doing now; may be asked from any thread, as often as one likes."""
        return self._teller.status()

    def summary(self) -> dict[str, Any]:
        """What was measured (see ``Metrics.summary``), state and message, whether the newest frame won, the sinks that
        are gone, with why, and where the others kept pictures."""
        status = self.status
        about = {"state": status.state, "message": status.message, "dropped": dict(self._fanout.dropped)}
        about["kept"], about["newest_wins"] = self._fanout.kept, status.newest_wins
        return {**self.metrics.summary(), **about}

    def _say(self, text: str, error: Exception | None = None, good: bool = False) -> None:
        self._teller.say(text, error, good)
        self._reporter.report()  # now, before another notice takes its place

    # --- what its threads do

    def _deliver(self, output: Output) -> bool:
        """Hand a picture to all sinks; returns whether it is the first one of its source frame."""
        if self._trials.takes(output):
            return False
        for look in list(self._on_output):
            try:
                look(output)
            except Exception as error:  # noqa: BLE001 - who only looks on must not end the stream
                self._on_output.remove(look)
                self._say(reason(error), error)
        unique = self.metrics.rendered(output.source_id, output.captured_at, self._clock())
        # Of a source that is not live every picture counts, so the engine waits for the sinks.
        self._fanout.deliver(output, unique, not self._intake.live, self._reporter.report)
        return unique

    def _control(self) -> None:
        while not self._stop.is_set():
            try:
                changes = self._changes.get()
            except MailboxClosed:
                return
            try:
                if isinstance(changes, dict):
                    self._stream.update(**changes)
                else:
                    changes()
            except Exception as error:  # noqa: BLE001 - whatever a change meets, the picture goes on without it
                said = not_changed(changes, error) if isinstance(changes, dict) else reason(error)
                self._say(said, error)
            self._reader.notes(self._stream.config)  # here, so that no picture waits for it
            self._driver.look()
            self._inbox.wake()

    def _fail(self, error: Exception) -> None:
        with self._lock:
            late = self.error is not None or self._stop.is_set()
            if not late:
                self.error = error
        if late:
            log.warning("while stopping: %s", error, exc_info=None if isinstance(error, InkstreamError) else error)
        self._halt()

    def _halt(self) -> None:
        self._stop.set()
        self._inbox.close()
        self._inbox.wake()
        self._changes.close()
        self.cues.close()
        self._finish()

    def _finish(self) -> None:
        self._fanout.finish()
        self._bell.set()

    def _close_source(self) -> None:
        try:
            self._intake.close()
        except Exception as error:  # noqa: BLE001 - a driver may fail in any way, and the session ends all the same
            log.warning("source %s cannot be closed: %s", self._intake.name, error)
