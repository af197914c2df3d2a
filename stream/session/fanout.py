"""All sinks of a session: opened, given their pictures, and dropped when they fail, without harm to the others."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..base.errors import SinkClosed, SinkUnavailable
from ..base.frame import Output, Sound
from ..base.metrics import Metrics
from ..base.plain import one_line, reason
from ..base.spec import kind_of, shown
from ..base.waits import said
from ..sinks import Controls, Sink, Status, open_sink
from .outlet import Delivery, Outlet

log = logging.getLogger(__name__)
STUCK_AFTER = 2.0  # seconds at one picture, or at its end, after which it is said that a sink is stuck
LEAVE_AFTER = 10.0  # seconds at one picture after which those that wait for it go on without it


class Fanout:
    """Sinks, given as objects or as specifications, and an ``Outlet`` for each.

    ``end`` is called when the user has closed a window, or the last sink; ``fail`` when the last sink has failed;
    ``say`` with what people should know; ``ring`` when there is something for the main thread to write.
    """

    def __init__(
        self,
        sinks: Sequence[Sink | str],
        metrics: Metrics,
        clock: Callable[[], float],
        status: Callable[[], Status],
        *,
        end: Callable[[], None],
        fail: Callable[[Exception], None],
        say: Callable[..., None],
        ring: Callable[[], None],
    ) -> None:
        self.outlets: list[Outlet] = []
        self.extra: list[Outlet] = []  # of those, what was opened later and may end alone: recordings
        self.finishing = False  # no more pictures will come
        self.dropped: dict[str, str] = {}  # names of sinks that are gone, and why
        self._newest: Delivery | None = None
        self._kept: dict[str, str] = {}  # what recordings left that have ended
        self._sinks = list(sinks)
        self._metrics = metrics
        self._clock = clock
        self._status = status
        self._end = end
        self._fail = fail
        self._say = say
        self._ring = ring

    @property
    def closed(self) -> bool:
        """Whether every sink is closed; False before they were opened."""
        return bool(self.outlets) and all(outlet.closed or outlet.left for outlet in self.outlets)

    @property
    def watched(self) -> bool:
        """Whether there is a window that nobody has closed yet."""
        return any(outlet.on_main_thread and not (outlet.closing or outlet.closed) for outlet in self.outlets)

    @property
    def kept(self) -> dict[str, str]:
        """Where each sink that keeps pictures has put them, by its name."""
        return {**self._kept, **{outlet.name: outlet.path for outlet in self.outlets if outlet.path}}

    @property
    def recording(self) -> str:
        """Where a recording goes that is under way; empty: there is none."""
        return next((outlet.path for outlet in self.extra if not outlet.closing), "")

    @property
    def stuck(self) -> str:
        """Which sinks do not come back; empty: all do."""
        stuck = [outlet.name for outlet in self.outlets if outlet.stuck() > STUCK_AFTER]
        return f"waiting for {', '.join(stuck)}" if stuck else ""

    def open(self, controls: Controls) -> None:
        """Open all sinks. Raises ConfigError, and SinkUnavailable when none can be opened; one of several is let go."""
        seen: Counter[str] = Counter()
        refused: list[tuple[str, SinkUnavailable]] = []
        for item in self._sinks:
            plain = one_line(
                shown(item) if isinstance(item, str) else getattr(item, "called", "") or type(item).__name__
            )
            seen[plain] += 1
            name = plain if seen[plain] == 1 else f"{plain} #{seen[plain]}"
            try:
                with said(f"{name}: waiting for it to open", self._say):
                    sink = open_sink(item) if isinstance(item, str) else item
            except SinkUnavailable as error:
                self.dropped[name] = str(error)
                refused.append((name, error))
                continue
            if hasattr(sink, "controls"):
                sink.controls = controls  # type: ignore[attr-defined]
            self.outlets.append(Outlet(sink, name, self._metrics, self._clock, self._status))
        if not self.outlets:
            raise SinkUnavailable(f"none of the sinks can be opened: {self._reasons()}")
        for name, error in refused:  # else the error that is raised says it
            self._say(f"{name} is off: {reason(error).removeprefix(f'{kind_of(name)}: ')}", error)

    @property
    def files_only(self) -> bool:
        """Whether every sink keeps all pictures in files, so that nobody minds when they come."""
        return all(outlet.stores for outlet in self.outlets)

    def accompany(self, sound: Sound) -> None:
        """Give the sound that belongs to the pictures to the sinks that record any."""
        for outlet in self.outlets:
            outlet.accompany(sound)

    def join(self, name: str, open: Callable[[], Sink]) -> Outlet | None:
        """Open one more sink beside the others, on the caller's thread; None when it cannot be, which is said."""
        try:
            sink = open()
        except Exception as error:  # noqa: BLE001 - whatever a recording meets, the pictures go on
            self._say(f"{name} is off: {reason(error)}", error)
            return None
        outlet = Outlet(sink, name, self._metrics, self._clock, self._status)
        if self._newest is not None:  # what is there now is the beginning, however long it has been there
            output, now = self._newest.output, self._clock()
            seen = now - self._status().latency_ms / 1e3  # as if it came just now, as late as all others
            outlet.offer(Delivery(replace(output, captured_at=seen, rendered_at=now), False))
        self.extra.append(outlet)
        self.outlets.append(outlet)
        return outlet

    def part(self, outlet: Outlet) -> None:
        """Let go of one that ``join`` opened, when it has ended, and say where its pictures are."""
        self.extra = [each for each in self.extra if each is not outlet]
        self.outlets = [each for each in self.outlets if each is not outlet]
        if outlet.path and outlet.name not in self.dropped:
            self._kept[outlet.name] = outlet.path
            self._say(f"recorded {one_line(outlet.path)}", good=True)

    def deliver(self, output: Output, unique: bool, every: bool, report: Callable[[], None]) -> None:
        """Give a picture to all sinks; ``every``: those that take each picture once are waited for.

        One that does not come back is left after a while. ``report`` is called now and then while this waits.
        """
        self._newest = Delivery(output, unique)
        for outlet in self.outlets:
            if outlet.left:
                continue
            wait = STUCK_AFTER / 4 if every and outlet.every else None
            while not outlet.offer(Delivery(output, unique), wait):
                report()
                self.leave_stuck()
            if outlet.on_main_thread:
                self._ring()

    def leave_stuck(self) -> None:
        """Go on without sinks that do not come back from a picture. When they do, they still close."""
        for outlet in self.outlets:
            if outlet.stuck() > LEAVE_AFTER and not (outlet.closing or outlet.left or outlet.closed):
                outlet.left = True
                outlet.finish()
                stuck = SinkUnavailable(f"it has been at one picture for {outlet.stuck():.0f} s, and is left behind")
                self._say(f"{outlet.name} is off: {stuck}", stuck)
                self.dropped[outlet.name] = str(stuck)
                self._end_with_the_last(stuck)

    def turn(self, outlet: Outlet, block: bool) -> float | None:
        """Let one sink write what is due, and close it at its end; returns the seconds until the next, if known."""
        try:
            due = outlet.turn(block)
            if outlet.ended:
                outlet.close()
                outlet.closed = True
            return due
        except SinkClosed as error:
            log.info("%s was closed", outlet.name)
            self._drop(outlet, error)
            if outlet.on_main_thread:
                self._end()
        except Exception as error:  # noqa: BLE001 - a sink may fail in any way, and the others go on
            self._say(f"{outlet.name} is off: {reason(error)}", error)
            self._drop(outlet, error)
        return None

    def drive(self, outlet: Outlet) -> None:
        """Let one sink write, on the caller's thread, until it is closed."""
        while not outlet.closed:
            self.turn(outlet, block=True)

    def pump(self, longest: float) -> float:
        """Write what is due on the main thread; returns the seconds until the next is due, ``longest`` at most."""
        wait = longest
        for outlet in self.outlets:
            if outlet.on_main_thread and not outlet.closed:
                due = self.turn(outlet, block=False)
                wait = min(wait, longest if due is None else due)
        return wait

    def finish(self) -> None:
        """No more pictures will come; what is on its way is still written."""
        self.finishing = True
        for outlet in self.outlets:
            outlet.finish()

    def close_main(self) -> None:
        """After ``finish``: write what is left on the main thread, and close."""
        for outlet in self.outlets:
            while outlet.on_main_thread and not outlet.closed:
                self.turn(outlet, block=False)

    def close_unstarted(self) -> None:
        """Close what threads would have closed, had they been started."""
        for sink in [*self.outlets, *(item for item in self._sinks if not isinstance(item, str))]:
            try:
                sink.close()
            except Exception as error:  # noqa: BLE001 - the others want to be closed, too
                self._say(f"{type(sink).__name__} cannot be closed: {reason(error)}", error)

    def _drop(self, outlet: Outlet, error: Exception) -> None:
        """Close a sink that ended before its time. It counts as closed only when everything was said about it."""
        self.dropped[outlet.name] = reason(error) if str(error) else "closed"
        try:
            outlet.close()
        except Exception as again:  # noqa: BLE001 - a sink may fail in any way, and the others go on
            self._say(f"{outlet.name} cannot be closed: {reason(again)}", again)
            self.dropped[outlet.name] += f"; then it could not be closed: {again}"
        self._end_with_the_last(error)
        outlet.closed = True

    def _end_with_the_last(self, error: Exception) -> None:
        if all(other.name in self.dropped for other in self.outlets if other not in self.extra):
            if isinstance(error, SinkClosed):
                self._end()
            else:
                last = SinkUnavailable(f"no sink is left: {self._reasons()}")
                last.__cause__ = error
                self._fail(last)

    def _reasons(self) -> str:
        return "; ".join(f"{name}: {reason}" for name, reason in self.dropped.items())
