"""A stream without a network: for the loop alone, and for trying things out."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..stream.base.config import StreamConfig
from ..stream.base.errors import EngineError, MemoryFull
from ..stream.base.frame import Frame, Output, Size, place
from ..stream.base.making import Making
from ..stream.base.metrics import Metrics
from ..stream.base.pixels import as_rgb
from ..stream.loop.gate import Gate
from ..stream.loop.memory import smaller_picture


class FakeStream:
    """Behaves like a stream batch of ``steps`` rows: the picture of a frame comes out ``steps - 1`` calls later.

    The picture is the negative of the input, fitted to ``size`` (its sides at least 64, multiples of 8). Every call
    that costs a step takes ``delay`` seconds. ``sleep`` is what waits for that long. ``memory``: how many pixels its
    memory holds; larger pictures raise MemoryFull.
    """

    def __init__(
        self,
        steps: int = 2,
        delay: float = 0.0,
        size: Size = Size(64, 64),  # noqa: B008 - a tuple, it cannot change
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
        memory: int | None = None,
    ) -> None:
        self.config = StreamConfig.build(
            width=size.width, height=size.height, t_index_list=tuple(range(steps)), num_inference_steps=max(50, steps)
        )
        self.revision = 0
        self.size = size
        self.metrics = Metrics(clock)
        self._delay = delay
        self._memory = memory
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._gate = Gate(self.config.similar_image_filter_threshold, self.config.similar_image_filter_max_skip_frame)
        self._seen = -1  # revision of the last frame that entered
        self._making = Making("fake", self.config, "no network")
        self._to_fade = 0  # frames until a prompt has faded in
        self._last: Output | None = None  # of the frame that entered last, while it is to be rendered again at rest
        self._to_settle = 0  # steps that this still takes
        self._rows: deque[Output | None] = deque([None] * (steps - 1))
        self._next_id = 0

    @property
    def pending(self) -> int:
        """Frames that entered and have not come out yet."""
        return sum(row is not None for row in self._rows)

    @property
    def ready(self) -> int:
        """Finished pictures that wait: none, each call hands out the one that it finished."""
        return 0

    @property
    def fading(self) -> bool:
        """Whether a prompt has not faded in yet; here only the number of frames is kept, no picture shows it."""
        return self._to_fade > 0

    @property
    def settles(self) -> bool:
        """Whether the last frame is to be rendered again at rest."""
        return self._last is not None and self._last.revision == self.revision and not self.fading

    def __call__(self, frame: Frame | np.ndarray, gated: bool = True) -> Output | None:
        """Let a frame in and run one step; returns the picture that is finished by that, if any.

        When ``gated`` and neither the frame nor the revision has changed, only what is pending goes on.
        Raises FrameError for an unusable frame.
        """
        if not isinstance(frame, Frame):
            frame = Frame(np.asarray(frame), self._next_id, self._clock())
        self._next_id = frame.id + 1
        with self._lock:
            config, revision = self.config, self.revision
        with self.metrics.span("prepare"):
            pixels = as_rgb(frame.pixels)
            self.size = Size(config.width, config.height)
            if self._memory is not None and config.width * config.height > self._memory:
                self.close()
                raise MemoryFull(f"got {self.size}, expected at most {self._memory} pixels")
            pixels = place(Size.of(pixels), self.size, config.fit).apply(pixels)
            enters = not gated or revision != self._seen or self.fading or self._gate.changed(pixels)
        if not enters:
            self.metrics.count("frames_skipped")
            return self.advance()
        self._gate.accept(pixels)
        self._seen = revision
        with self._lock:
            self._to_fade = max(0, self._to_fade - 1)
        if self._making.stream is not config:
            self._making = Making("fake", config, "no network")
        output = Output(255 - pixels, frame.id, frame.captured_at, revision, pixels, making=self._making)
        self._to_settle = config.settle_steps
        self._last = output if config.settle_steps > len(config.t_index_list) else None
        return self._step(output)

    def advance(self) -> Output | None:
        """Run one step without a new frame; None when nothing is pending or nothing came out."""
        return self._step(None) if self.pending else None

    def settle(self) -> Output | None:
        """One of ``settle_steps`` in which the last frame is rendered again; gives its picture after the last."""
        if self._last is None or not self.settles:
            return None
        with self.metrics.span("settle"):
            if self._delay:
                self._sleep(self._delay)
        self._to_settle -= 1
        if self._to_settle:
            return None
        output, self._last = self._last, None
        steps = tuple(range(self.config.settle_steps))
        making = Making("fake", self.config.changed(t_index_list=steps), "no network").rested_from(self.config)
        return replace(output, rendered_at=self._clock(), making=making)

    def update(self, **changes: Any) -> int:
        """Change settings from any thread; returns the new revision. Raises ConfigError and then changes nothing."""
        with self._lock:
            before, self.config = self.config, self.config.changed(**changes)
            frames = self.config.prompt_transition_frames
            self._to_fade = frames if self.config.prompt != before.prompt else min(frames, self._to_fade)
            self.revision += 1
            return self.revision

    def step_down(self) -> str:
        """Go on with smaller pictures; returns what is different. Raises MemoryFull where there are none."""
        step = smaller_picture(self.config)
        if step is None:
            raise MemoryFull(f"nothing smaller than {self.config.width}x{self.config.height} is left")
        self.update(**step[1])
        return step[0]

    def take_back(self) -> str:
        """Raises EngineError: its pictures are always usable."""
        raise EngineError("no other settings gave a usable picture")

    def close(self) -> None:
        """Drop what is pending."""
        self._last = None
        self._rows = deque([None] * len(self._rows))

    def _step(self, row: Output | None) -> Output | None:
        with self.metrics.span("denoise"):
            if self._delay:
                self._sleep(self._delay)
        self._rows.append(row)
        done = self._rows.popleft()
        if done is None:
            return None
        return replace(done, rendered_at=self._clock())
