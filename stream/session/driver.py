"""The engine's side of a session: which frame the stream gets next, and when it only goes on with what it has."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ..base.config import StreamConfig
from ..base.errors import EngineError, FrameError, MemoryFull
from ..base.frame import Frame, Origin, Output, Size, place
from ..base.mailbox import Mailbox, MailboxClosed
from ..base.metrics import Metrics
from .feedback import Feedback
from .intake import MAX_REFUSED, Intake

log = logging.getLogger(__name__)
REST = 0.2  # seconds between two looks whether anybody still watches a source that has ended
GROUP_WAIT = 0.1  # seconds that a group of frames (frame_buffer_size) is given to become full
LEAST = 64  # pixels of a side that can be rendered
SEEN = 0.9  # a frame of which less is rendered is cropped without that having been wished for
SETTLE_AFTER = 0.4  # seconds without a new frame after which the hand rests; between two strokes it does not
FADE_EVERY = 0.05  # seconds between frames of a fade when no new ones come; below that a source keeps its own pace


class StreamLike(Protocol):
    """What a session needs of a stream; see ``Stream`` and ``FakeStream``."""

    metrics: Metrics

    @property
    def config(self) -> StreamConfig: ...
    @property
    def revision(self) -> int: ...
    @property
    def size(self) -> Size: ...
    @property
    def pending(self) -> int: ...
    @property
    def ready(self) -> int: ...
    @property
    def fading(self) -> bool: ...
    @property
    def settles(self) -> bool: ...
    def __call__(self, frame: Frame, gated: bool = True) -> Output | None: ...
    def advance(self) -> Output | None: ...
    def settle(self) -> Output | None: ...
    def update(self, **changes: Any) -> int: ...
    def step_down(self) -> str: ...
    def take_back(self) -> str: ...


@dataclass(frozen=True)
class StreamState:
    """A stream as it was after the last turn, for everybody who only wants to know."""

    config: StreamConfig
    size: Size
    pending: int


class Driver:
    """Drives a stream from the mailbox of a source.

    A new frame always goes first. Without one, a live source's pending frames go on at once, because their latency
    counts; and a changed configuration is applied to the last frame, once, or while a prompt fades, and with feedback,
    again and again.
    When the hand rests, the last frame is rendered once more in better quality, step by step, if that is wanted; then
    it costs nothing until something comes.
    A source that is not live has every frame rendered, in full batches; what is pending comes out when it has ended.
    While somebody has ``watched`` a source that has ended, changes still act on its last frame.
    """

    def __init__(
        self,
        stream: StreamLike,
        intake: Intake,
        inbox: Mailbox[Frame],
        metrics: Metrics,
        clock: Callable[[], float],
        stop: threading.Event,
        stall_after: float,
        deliver: Callable[[Output], bool],
        report: Callable[[], None],
        say: Callable[[str], None],
        watched: Callable[[], bool] = lambda: False,
        feedback: Feedback | None = None,
    ) -> None:
        self.resting = False  # the source has ended, and its last picture is looked at
        self.frozen = False  # the mailbox is held
        self.static = False  # the newest frame was like the last rendered one
        self.shown = 0  # source frames whose picture came out
        self.done: float | None = None  # which share of the source that is, where it knows
        self.limit: int | None = None  # end after this many of them
        self._stream = stream
        self._intake = intake
        self._inbox = inbox
        self._metrics = metrics
        self._clock = clock
        self._stop = stop
        self._stall_after = stall_after
        self._deliver = deliver
        self._report = report
        self._say = say
        self._watched = watched
        self._feedback = feedback or Feedback()
        self.seen = StreamState(stream.config, stream.size, stream.pending)
        self._last: Frame | None = None  # the newest frame that entered the stream
        self._revision = -1  # of the configuration under which the stream was last given a frame
        self._entered_at = clock()  # when a frame last entered the stream
        self._refused = 0  # frames in a row
        self._origins: dict[int, Origin] = {}  # of frames that entered the stream, by their numbers
        self._lost: set[str] = set()  # which sides of frames were said to be cut off
        self._silent_since = -1.0  # arrival of the frame after which a stall was reported

    def run(self) -> None:
        """Until the source has ended and everything is out, the limit is reached, or the session stops."""
        try:
            while self._going():
                self._turn()
        except MailboxClosed:
            while self._going() and self._stream.pending:
                self._advance()
                self._end_turn()

    def source_ended(self) -> None:
        """The source gives nothing any more: the end comes now, or when nobody watches its last picture any more."""
        self.resting = self._watched()
        if self.resting:
            self._inbox.wake()
        else:
            self._inbox.close()

    def look(self) -> None:
        """Publish what the stream stands at now. So sinks, which ask sixty times a second, never ask the stream."""
        self.seen = StreamState(self._stream.config, self._stream.size, self._stream.pending)

    def _going(self) -> bool:
        return not self._stop.is_set() and (self.limit is None or self.shown < self.limit)

    def _turn(self) -> None:
        at_once = self._intake.live or self.frozen or self.resting
        again = self._again_in() if at_once else None
        pending = at_once and self._stream.pending > 0
        rest = self._rests_in() if again is None and not pending else None
        frame = self._next_frame(again, pending, rest)
        if self._stop.is_set():
            return
        if frame is None and again is not None and (again == 0 or not pending):
            frame = self._last
        if frame is not None:
            self._submit(frame)
        elif pending:
            self._advance()
        elif rest == 0:
            self._settle()
        self._end_turn()

    def _end_turn(self) -> None:
        if self.resting and not self._watched():
            self._inbox.close()
        self.look()
        self._report()

    def _again_in(self) -> float | None:
        """Seconds until the last frame enters again: 0 after a change, a pause in a fade; None when it does not."""
        if self._last is None:
            return None
        if self._stream.revision != self._revision:
            return 0.0
        moves = self._stream.fading or self._feedback.acts(self._stream.config)
        return max(0.0, self._entered_at + FADE_EVERY - self._clock()) if moves else None

    def _rests_in(self) -> float | None:
        """Seconds until the hand has rested for long enough; None where nothing waits for that."""
        if not self._intake.live or self.frozen or not self._stream.settles:
            return None
        return max(0.0, self._entered_at + SETTLE_AFTER - self._clock())

    def _next_frame(self, again: float | None, pending: bool, rest: float | None) -> Frame | None:
        """The next frame; None when there is something else to do, or to report. Raises MailboxClosed at the end."""
        try:
            if again == 0:
                return self._inbox.get(0.0)
            if pending:
                group = self._stream.config.frame_buffer_size > 1
                return self._inbox.get(GROUP_WAIT if group else 0.0)
            waits = (again,) if again is not None else (REST,) if self.resting else (rest, self._until_stalled())
            return self._inbox.get(min((each for each in waits if each is not None), default=None))
        except TimeoutError:
            return None

    def _until_stalled(self) -> float | None:
        """Seconds until a silent live source must be reported as stalled; None when that is done, or no question."""
        arrived = self._intake.arrived_at
        if not self._intake.live or self._intake.lost or self._silent_since == arrived:
            return None
        left = arrived + self._stall_after - self._clock()
        if left <= 0:
            self._silent_since = arrived  # this turn reports it
        return max(0.0, left)

    def _submit(self, frame: Frame) -> None:
        # Read before the call: a change during it is then noticed, at worst rendered twice, and never missed.
        revision = self._stream.revision
        skipped = self._metrics.counter("frames_skipped")
        self._origins[frame.id] = frame.origin
        try:
            mixed = self._feedback.mix(frame, self._stream.size, self._stream.config)
            output = self._stream(mixed, gated=self._intake.live)
        except MemoryFull as error:
            self._step_down(error)
            self._submit(frame)
            return
        except EngineError as error:
            self._take_back(error)
            return
        except FrameError as error:
            self._metrics.count("frames_refused")
            self._refused += 1
            self._origins.pop(frame.id, None)
            log.debug("frame %d refused: %s", frame.id, error)
            if self._refused >= MAX_REFUSED:
                raise FrameError(f"{MAX_REFUSED} unusable frames in a row, the last: {error}") from error
            return
        if self._last is None or Size.of(self._last.pixels) != Size.of(frame.pixels):
            self._tell_cut(Size.of(frame.pixels))
        self._refused = 0
        self.static = self._metrics.counter("frames_skipped") > skipped
        self._revision = revision
        if self.static and self._last is not None and self._last.id != frame.id:
            self._origins.pop(frame.id, None)
        if not self.static:
            self._last, self._entered_at = frame, self._clock()
        self._hand_on(output)

    def _tell_cut(self, size: Size) -> None:
        """Say it when much of a frame lies outside of what is rendered: nobody would look for the setting.

        It is said of the first frame, and once more when, in another size, it is other sides that are lost.
        """
        config = self._stream.config
        to = self._stream.size
        used = place(size, to, config.fit).crop.size
        if config.mode != "txt2img" and config.fit == "crop" and _much_is_cut(size, to):
            scale = (to.width * to.height / (size.width * size.height)) ** 0.5
            near = Size(*(round(side * scale) for side in size))
            shapes = [near.rounded(64), near.rounded(8)]
            fitting = [each for each in shapes if min(each) >= LEAST and not _much_is_cut(size, each)]
            sides = [f"width={each.width} and height={each.height}, or " for each in fitting[:1]]
            whole = f"set {''.join(sides)}fit=letterbox to see all of it (in the preview: C, fit)"
            lost = "the sides are" if used.width < size.width else "top and bottom are"
            if lost in self._lost:
                return
            self._lost.add(lost)
            self._say(f"cropped: {lost} cut off, of {size} pixels the middle {used} are rendered; {whole}")

    def _settle(self) -> None:
        try:
            self._hand_on(self._stream.settle())
        except MemoryFull as error:
            log.info("%s", error)
            self._say("the device's memory is full, so pictures stay as they are when the hand rests (settle_steps 0)")
            self._stream.update(settle_steps=0)

    def _advance(self) -> None:
        try:
            self._hand_on(self._stream.advance())
        except MemoryFull as error:
            self._step_down(error)
        except EngineError as error:
            self._take_back(error)

    def _take_back(self, error: EngineError) -> None:
        """Go on with the settings before a change that made pictures unusable; raises ``error`` without one."""
        try:
            changed = self._stream.take_back()
        except EngineError:
            raise error from None
        self._say(f"changed {changed}: then no usable picture came, so that this is taken back")

    def _step_down(self, error: MemoryFull) -> None:
        """Go on with less; raises MemoryFull where nothing smaller is left, so that this ends."""
        log.info("%s", error)
        self._say(f"the device's memory is full, so it goes on with {self._stream.step_down()}")

    def _hand_on(self, output: Output | None) -> None:
        self._give(output)
        while self._stream.ready and self._going():  # several were finished at once
            self._give(self._stream.advance())

    def _give(self, output: Output | None) -> None:
        if output is None or self._stop.is_set():
            return
        if origin := self._origins.get(output.source_id):
            output = replace(output, origin=origin)
            self.done = None if origin.live else origin.done
            for number in [number for number in self._origins if number < output.source_id]:
                del self._origins[number]
        self._feedback.keep(output)
        if self._deliver(output):
            self.shown += 1


def _much_is_cut(size: Size, to: Size) -> bool:
    used = place(size, to).crop.size
    return used.width * used.height < SEEN * size.width * size.height
