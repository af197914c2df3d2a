"""Streams of one model in one batch: what several of them ask of the networks at the same time is asked once.

A stream's rows depend on nothing but themselves, so rows of several streams may go through a network together, which
pays where a call costs more than its arithmetic. On two CPU cores it is as fast as a process for each, in two thirds of
the memory (``inkstream bench together``); on a GPU it was not measured. Each stream keeps its own loop, settings and
thread; only its units are of a ``Pool``. Who calls first leads: it waits a moment for streams that are about to ask for
the same, has the network run for all of them, and gives each its part. Streams that once went together stay together,
as they all go on at the same moment. A stream that is alone waits for nobody.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from . import Options, build
from .shapes import Shapes
from .units import Units

SEATS = 8  # streams at most whose rows go through a network at once
PATIENCE = 0.5  # of what a call takes, which one waits for others at most
AWAY = 0.25  # seconds after which who has not asked for anything is not waited for
ROWS_SECOND = {
    "conditions",
    "features",
    "scales",
    "lora",
    "image_scales",
}  # rows are their second dimension, of all others the first
INPUTS = {  # what a unit is given by position
    "encode": ("image",),
    "embed": ("conditions",),
    "adapt": ("conditions",),
    "denoise": ("sample", "timestep", "text", "features", "scales"),
    "decode": ("latent",),
}


@dataclass(eq=False)
class _Member:
    """A stream's place; it is given back when its units are let go."""

    last: float = 0.0
    """When it asked for something last."""


@dataclass(eq=False)
class _Ask:
    """What one stream wants of a unit, until it has it."""

    unit: str
    values: dict[str, Tensor]
    member: _Member
    result: Tensor | None = None
    failed: BaseException | None = None

    @property
    def done(self) -> bool:
        return self.result is not None or self.failed is not None


class Pool:
    """Gives units to streams that share their weights; thread-safe. One for each pipeline is enough."""

    def __init__(self, seats: int = SEATS, clock: Callable[[], float] = time.monotonic) -> None:
        """``seats``: how many streams may be in one call. Raises ValueError for less than one."""
        if seats < 1:
            raise ValueError(f"seats: got {seats}, expected 1 or more")
        self._seats, self._clock = seats, clock
        self._lock = threading.Lock()
        self._groups: dict[Hashable, _Group] = {}

    def build(self, name: str, pipe: Any, controlnets: list[Any], shapes: Shapes, options: Options) -> Units:
        """What ``engines.build`` gives, for one more stream; builds what so many streams need. Raises EngineError.

        Streams go together whose networks are the same objects, and whose shapes, engine and precision are the same.
        """
        networks = (pipe.unet, pipe.vae, *controlnets)
        key = (name, options.quantised, options.folder, shapes, *map(id, networks))
        with self._lock:
            for left in [other for other, group in self._groups.items() if not group.members and other != key]:
                del self._groups[left]
            group = self._groups.setdefault(key, _Group(shapes, self._clock, networks))
            return group.join(lambda seats: build(name, pipe, controlnets, _wide(shapes, seats), options), self._seats)


class _Group:
    """Streams of the same networks and shapes."""

    def __init__(self, shapes: Shapes, clock: Callable[[], float], networks: tuple[Any, ...]) -> None:
        self.members: weakref.WeakSet[_Member] = weakref.WeakSet()
        self._shapes, self._clock = shapes, clock
        self._networks = networks  # held, so that no other network gets the same id
        self._units: dict[int, Units] = {}  # for so many streams at once
        self._waiting: list[_Ask] = []
        self._leading = False
        self._took: dict[str, float] = {}  # seconds that a call of a unit takes
        self._changed = threading.Condition()

    def join(self, wide: Callable[[int], Units], most: int) -> Units:
        """Units of one more stream. What they need for so many streams is built first, while others go on."""
        member = _Member()
        seats = 1
        while seats < min(len(self.members) + 1, most):
            seats *= 2
        for count in (1, min(seats, most)):
            if count not in self._units:
                self._units = {**self._units, count: wide(count)}
        self.members.add(member)

        def caller(unit: str) -> Callable[..., Tensor]:
            names = INPUTS[unit]

            def call(*values: Tensor, **more: Tensor) -> Tensor:
                return self._ask(_Ask(unit, dict(zip(names, values, strict=False)) | more, member))

            return call

        # A recorded frame is one stream's: it reads the tensors of that one alone.
        own = self._units[1]
        called = [unit for unit in INPUTS if getattr(own, unit) is not None]
        return replace(own, record=None, **{unit: caller(unit) for unit in called})

    def _ask(self, ask: _Ask) -> Tensor:
        """The result for one stream; raises what the network raised."""
        with self._changed:
            ask.member.last = self._clock()
            self._waiting.append(ask)
            self._changed.notify_all()
            while not ask.done:
                if self._leading:
                    self._changed.wait()
                else:
                    self._lead()
            ask.member.last = self._clock()
        if ask.failed is not None:
            raise ask.failed
        assert ask.result is not None
        return ask.result

    def _lead(self) -> None:
        """Run the unit that somebody has waited for longest, for all who wait for it; the lock is held."""
        self._leading = True
        together: list[_Ask] = []
        try:
            unit = self._waiting[0].unit
            self._wait_for_others(unit)
            together = [each for each in self._waiting if each.unit == unit][: max(self._units)]
            self._waiting = [each for each in self._waiting if each not in together]
            began = self._clock()
            for each, result in zip(together, self._unlocked(unit, together), strict=True):
                each.result = result
            taken = self._clock() - began
            self._took[unit] = taken + 0.8 * (self._took.get(unit, taken) - taken)
        except Exception as error:  # noqa: BLE001 - what became of one became of all, and each raises it
            for each in together:
                each.failed = error
        except BaseException:  # the one who leads is interrupted, and another one may lead
            self._waiting = [each for each in [*together, *self._waiting] if not each.done]
            raise
        finally:
            self._leading = False
            self._changed.notify_all()

    def _wait_for_others(self, unit: str) -> None:
        """Until everyone who is at work waits for something, or it has taken too long."""
        ends = self._clock() + PATIENCE * self._took.get(unit, 0.0)
        while len({each.member for each in self._waiting}) < self._busy():
            left = ends - self._clock()
            if left <= 0 or sum(each.unit == unit for each in self._waiting) >= max(self._units):
                return
            self._changed.wait(left)

    def _busy(self) -> int:
        now, waiting = self._clock(), {each.member for each in self._waiting}
        return sum(member in waiting or now - member.last < AWAY for member in self.members)

    def _unlocked(self, unit: str, together: list[_Ask]) -> list[Tensor]:
        """One call of the network, while others may come and wait; each stream's part of what comes of it."""
        units = self._units
        self._changed.release()
        try:
            seats = min(count for count in units if count >= len(together))
            filled = [*together, *[together[-1]] * (seats - len(together))]
            values = {
                name: torch.cat([each.values[name] for each in filled], int(name in ROWS_SECOND))
                for name in together[0].values
            }
            given = [values.pop(name) for name in INPUTS[unit]]
            parts = getattr(units[seats], unit)(*given, **values).chunk(seats, int(unit == "embed"))
            return [part.clone() for part in parts[: len(together)]]
        finally:
            self._changed.acquire()


def _wide(shapes: Shapes, seats: int) -> Shapes:
    """The shapes of so many streams at once."""
    return replace(shapes, frames=shapes.frames * seats, rows=shapes.rows * seats)
