"""What a session says about itself: its state, and what people should know."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from ..base.errors import InkstreamError
from ..base.metrics import Metrics
from ..base.plain import reason
from ..base.terminal import NOTE, notes
from ..sinks import State, Status
from .driver import Driver
from .fanout import Fanout
from .intake import Intake
from .reader import Reader

log = logging.getLogger(__name__)
NOTICE = 10.0  # seconds a notice stays in Status.message


class Life(Protocol):
    """What is asked of the session itself."""

    error: BaseException | None
    metrics: Metrics

    @property
    def ending(self) -> bool: ...
    @property
    def trying(self) -> bool: ...


class Teller:
    """Looks at the parts of a session; may be asked from any thread, as often as one likes. ``clock`` in seconds."""

    def __init__(
        self,
        life: Life,
        intake: Intake,
        driver: Driver,
        fanout: Fanout,
        reader: Reader,
        clock: Callable[[], float],
        stall_after: float,
    ) -> None:
        self._life = life
        self._intake, self._driver, self._fanout, self._reader = intake, driver, fanout, reader
        self._clock, self._stall_after = clock, stall_after
        self._notice = ("", 0.0)  # text, and when it was said
        self._figures = (0.0, 0.0, 0.0)  # when they were made, frames per second, latency in ms

    def say(self, text: str, error: Exception | None = None, good: bool = False) -> None:
        """Say something in the log, and for a while in the status. ``good``: nothing is wrong."""
        # An error of ours says all that is needed; of any other the place matters, too.
        if good:
            notes.log(NOTE, text)
        else:
            log.warning(text, exc_info=None if isinstance(error, InkstreamError) else error)
        self._notice = (text, self._clock())

    def status(self) -> Status:
        """What the session is doing now."""
        now, metrics = self._clock(), self._life.metrics
        made, fps, latency = self._figures
        if now - made >= 0.1 or now < made:
            fps, latency = metrics.recent(now)
            self._figures = (now, fps, latency)
        state, about = self._state(now)
        notice, said = self._notice
        parts = (about, self._intake.notice, self._fanout.stuck, notice if now - said < NOTICE else "")
        config, size = self._driver.seen.config, self._driver.seen.size
        values = {"prompt": config.prompt, "drawing_influence": config.drawing_influence}
        values |= {name: metrics.counter(name) for name in ("frames_dropped", "frames_skipped")}
        return Status(
            state,
            "; ".join(part for part in parts if part),
            fps,
            latency,
            (size.width, size.height),
            values,
            self._intake.live,
            self._driver.done,
            self._intake.about,
            self._intake.area,
            self._reader.notes(config),
            config,
            self._fanout.recording,
        )

    def key(self) -> tuple[object, ...]:
        """What is reported when it changes."""
        state, _ = self._state(self._clock())
        intake, percent = self._intake, int((self._driver.done or 0) * 100)
        return state, intake.lost, intake.about, intake.notice, self._fanout.stuck, self._notice[0], percent

    def _state(self, now: float) -> tuple[State, str]:
        driver, intake, life = self._driver, self._intake, self._life
        settling = driver.seen.pending > 0
        if life.ending:
            return "stopped", reason(life.error) if life.error is not None else ""
        if intake.lost:
            return "reconnecting", intake.lost
        if driver.frozen and not life.trying:
            return "settling" if settling else "idle", "frozen"
        quiet = intake.quiet(now)
        if quiet > self._stall_after:
            return "stalled", f"no picture for {quiet:.0f} s from {intake.about or intake.name}"
        if not intake.live and self._fanout.stuck:
            return "stalled", ""  # everything waits for that sink
        if not driver.shown:
            return "warming", ""
        if driver.static or driver.resting:
            return "settling" if settling else "idle", "that was the last picture" if driver.resting else ""
        return "live", ""
