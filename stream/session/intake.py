"""The source side of a session: reads frames, numbers them, and opens a lost source again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ..base.errors import ConfigError, FrameError, SourceEnded, SourceError, SourceLost, SourceUnavailable
from ..base.frame import Frame, Origin, Rect, Sound
from ..base.mailbox import Mailbox, MailboxClosed
from ..base.metrics import Metrics
from ..base.passes import Passes
from ..sources import Source, open_source, source_present

log = logging.getLogger(__name__)
RETRY = (0.5, 1.0, 2.0, 4.0, 8.0)  # seconds before each try to open a lost source again; the last one repeats
UNSEEN = 1.5  # seconds: the longest pause while the source may be there, so that it is live 2 s after it came back
LOOK = 0.5  # seconds between two looks whether it is there
MOST_SAID = 1000  # different reasons; a camera could find ever new ones
MAX_REFUSED = 100  # unusable frames in a row after which something is wrong with more than a frame


class Intake:
    """Takes frames from a source into a mailbox: the newest wins for a live source, any other waits for its turn.

    ``source`` is a Source, its specification as text, or a function that opens one; a Source without ``again`` cannot
    be opened again after SourceLost. ``retry``: the pauses before each try, in seconds. Only a source that is known to
    be gone is given the long ones: it is tried at once when it is seen to be there. ``stop`` ends everything.
    ``notify`` is called when ``lost`` changes, ``say`` with the reason of each refused frame, once.
    """

    def __init__(
        self,
        source: Source | str | Callable[[], Source],
        inbox: Mailbox[Frame],
        metrics: Metrics,
        clock: Callable[[], float],
        stop: threading.Event,
        notify: Callable[[], None],
        retry: Sequence[float] = RETRY,
        say: Callable[[str], None] = log.warning,
    ) -> None:
        self.name = source if isinstance(source, str) else type(source).__name__
        self.live = True
        self.lost = ""  # why there is no source just now, and when the next try is
        self.arrived_at = clock()  # when the newest frame came; at first, when waiting for it began
        self.ended = False  # nothing will come any more
        self._asked_at: float | None = None  # since when the source is waited for; None while it is not
        self._source: Source | None = None
        self._open: Callable[[], Source] | None = None
        self._present: Callable[[], bool | None] = lambda: None
        if isinstance(source, str):
            self._open = lambda: open_source(source)
            self._present = lambda: source_present(source)
        elif isinstance(source, Source) and not isinstance(source, type):
            self._source = source
        elif callable(source):
            self._open = source
            self.name = getattr(source, "__name__", self.name)
        else:
            raise ConfigError(
                f"source: got {type(source).__name__}, expected an object with read, close and live, "
                'a text such as "screen", or a function without arguments that opens one'
            )
        self._inbox = inbox
        self._metrics = metrics
        self._clock = clock
        self._stop = stop
        self._notify = notify
        self._say = say
        self._retry = tuple(retry)
        self._tries = 0  # since the last frame, or since it was seen to come back
        self._here: bool | None = True  # what the last look said
        self._look_at = clock()  # when the next look may be
        self._refused = 0  # in a row
        self._said: set[str] = set()  # why frames were refused
        self._next_id = 0
        self._files_only = False

    @property
    def about(self) -> str:
        """Which of several things the source took; empty where there is no question."""
        return getattr(self._source, "about", "")

    @property
    def area(self) -> Rect | None:
        """Where on the desktop the source is; None where it is nowhere there."""
        return getattr(self._source, "area", None)

    @property
    def canvas(self) -> Any:
        """What says which part of a window is taken, see ``sources.screen.area``; None where there is no question."""
        return getattr(self._source, "canvas", None)

    @property
    def camera(self) -> Any:
        """What steers the eye in the source's scene, see ``sources.scene.camera``; None where there is none."""
        return getattr(self._source, "camera", None)

    @property
    def notice(self) -> str:
        """What keeps the source's picture from being what is there now; empty: nothing."""
        return getattr(self._source, "notice", "")

    @property
    def sound(self) -> Sound | None:
        """What is to be heard with its pictures, where it has anything."""
        return getattr(self._source, "sound", None)

    def open(self) -> None:
        """Open the source for the first time; raises what opening it raises."""
        if self._source is None and self._open is not None:
            self._source = self._open()

    def begin(self, files_only: bool) -> None:
        """After ``open``, when the sinks are known: ``files_only`` says that nobody watches them."""
        self._files_only = files_only
        self._adopt()

    def run(self) -> None:
        """Take frames until the source ends or the session stops; anything else that goes wrong is raised."""
        try:
            while not self._stop.is_set():
                try:
                    self._take()
                except (SourceLost, SourceUnavailable) as error:
                    self._reopen(error)
        except (SourceEnded, MailboxClosed):
            log.debug("source %s has ended", self.name)
        except Exception as error:  # a driver that is closed under a waiting read() may raise anything
            if not self._stop.is_set():
                raise
            log.debug("source %s ended while stopping: %s", self.name, error)
        finally:
            self._asked_at = None
            self.ended = True
            self.close()

    def quiet(self, now: float) -> float:
        """Seconds for which the source has given nothing, though it was asked, or, when it is live, should have."""
        if self.ended:
            return 0.0
        if self.live:
            return now - self.arrived_at
        asked = self._asked_at
        return 0.0 if asked is None else now - asked

    def close(self) -> None:
        """Let go of the device; from any thread, as often as one likes."""
        source = self._source
        if source is not None:
            source.close()

    def _take(self) -> None:
        assert self._source is not None
        asked = self._asked_at = self._clock()
        try:
            pixels = self._source.read()
        except FrameError as error:
            self._metrics.count("frames_captured")
            self._metrics.count("frames_refused")
            self._refused += 1
            if str(error) not in self._said and len(self._said) < MOST_SAID:
                self._said.add(str(error))
                self._say(str(error))
            if self._refused >= MAX_REFUSED:
                raise FrameError(f"{self.name}: {MAX_REFUSED} unusable frames in a row, the last: {error}") from error
            return
        # A picture is at most as old as this: what a driver or the screen knows about its age does not reach us.
        now = self.arrived_at = self._clock()
        self._refused = self._tries = 0
        self._metrics.record("capture", now - asked)
        self._metrics.count("frames_captured")
        passes = getattr(self._source, "passes", None)
        frame = Frame(pixels, self._next_id, now, self._origin(), passes if isinstance(passes, Passes) else None)
        self._next_id += 1
        self._asked_at = None
        if not self.live:
            self._inbox.put_wait(frame)
        elif self._inbox.put(frame):
            self._metrics.count("frames_dropped")

    def _reopen(self, error: Exception) -> None:
        if self._stop.is_set():
            return
        reopen, present = self._ways_back()
        if reopen is None:
            raise SourceLost(
                f"{error}; a source that was given as an object cannot be opened again: "
                "give its specification as text, or a function that opens it"
            ) from error
        log.warning("source %s: %s", self.name, error)
        self.close()
        self._source = None
        self._here = True
        while self._source is None:
            if not self._pause(error, present):
                return
            try:
                self._source = reopen()
            except SourceEnded:
                raise
            except (SourceError, ConfigError) as again:
                error = again  # even a ConfigError: it was right before, so it is the world that has changed
        self._adopt()
        log.info("source %s is back", self.name)
        self._set_lost("")

    def _ways_back(self) -> tuple[Callable[[], Source] | None, Callable[[], bool | None]]:
        """How the lost source is opened again, and how it is seen to be back: what it was on itself, where it can."""
        return getattr(self._source, "again", self._open), getattr(self._source, "is_back", self._present)

    def _pause(self, error: Exception, present: Callable[[], bool | None]) -> bool:
        """Wait until it is time for the next try; False when the session stops."""
        long = self._retry[min(self._tries, len(self._retry) - 1)]
        self._tries += 1
        begun = now = self._clock()
        said = -1.0
        while not self._stop.is_set():
            if self._came_back(now, present):
                self._tries = 0  # what has just been plugged in may need a moment more
                return True
            pause = long if self._here is False else min(long, UNSEEN)
            if pause != said:
                said = pause
                sooner = ", or when it is back" if self._here is False else ""
                self._set_lost(f"{error}; next try in {pause:g} s{sooner}")
            if now >= begun + pause:
                return True
            self._stop.wait(min(begun + pause, self._look_at) - now)
            now = self._clock()
        return False

    def _came_back(self, now: float, present: Callable[[], bool | None]) -> bool:
        """Whether it is seen now, and was not there at the look before."""
        if now < self._look_at:
            return False
        self._look_at = now + LOOK
        before, self._here = self._here, present()
        return self._here is True and before is not True

    def _origin(self) -> Origin:
        found = getattr(self._source, "origin", None)
        origin = replace(found, live=self.live) if isinstance(found, Origin) else Origin(live=self.live)
        goes_on, moves = getattr(self._source, "goes_on", None), getattr(self._source, "moves", False)
        if origin.goes_on is None and (goes_on or (self.live and goes_on is None)):
            origin = replace(origin, goes_on=True)
        return replace(origin, moves=True) if moves else origin

    def _adopt(self) -> None:
        assert self._source is not None
        if getattr(self._source, "pace", True) is None:
            self._source.pace = not self._files_only  # type: ignore[attr-defined]
        self.live = self._source.live
        self.arrived_at = self._clock()

    def _set_lost(self, text: str) -> None:
        self.lost = text
        self._notify()
