"""Hands that draw at one worker, simulated turn by turn: what becomes of their pictures, and how long each takes.

The worker is as ``engines/together.py`` and ``stream/session/driver.py`` have it. A turn takes drawings that have
something to do, those that waited longest first, and as many as go through the networks at once. In a turn the newest
picture of a drawing enters its batch, and what is in its batch moves up one step; so a picture is out after as many
turns as it has steps. What is not new goes on at once, whether or not another picture comes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random


@dataclass(frozen=True)
class Times:
    """How long a worker takes, and who measured it."""

    model: str
    source: str
    turn_ms: Mapping[int, float]
    """Of so many drawings at once, milliseconds of a whole turn. Fewer drawings take as long as the next number."""
    steps: int
    """Turns from a picture to its render."""
    measured: bool
    """Whether it was measured with inkstream; else it was published by others."""

    @property
    def seats(self) -> int:
        """Drawings at most in one turn."""
        return max(self.turn_ms)

    @property
    def fps(self) -> float:
        """Pictures a second of one drawing that is always busy."""
        return 1e3 / self.turn_ms[1]

    def seconds(self, drawings: int) -> float:
        """Of a turn with 1 to ``seats`` drawings."""
        return self.turn_ms[min(count for count in self.turn_ms if count >= drawings)] / 1e3


@dataclass(frozen=True)
class Hand:
    """How people draw: ``fps`` pictures a second while the hand moves, which it does ``duty`` of the time, ``stroke``
    seconds at once on average; strokes and pauses are exponential.
    """

    fps: float = 12.0
    duty: float = 0.4
    stroke: float = 2.0

    def pictures(self, seconds: float, random: Random) -> list[float]:
        """When the pictures of one hand come, in order."""
        found: list[float] = []
        pause = self.stroke * (1 - self.duty) / self.duty
        moves = random.random() < self.duty
        now = 0.0
        while now < seconds:
            end = now + random.expovariate(1 / (self.stroke if moves else pause)) if pause else seconds
            if moves or not pause:
                at = now + random.random() / self.fps
                while at < min(end, seconds):
                    found.append(at)
                    at += 1 / self.fps
            now, moves = end, not moves
        return found


@dataclass
class _Drawing:
    waiting: float | None = None  # when its newest picture came that has not entered yet
    flying: deque[list[float]] = field(
        default_factory=deque
    )  # when each of those came that are in its batch, turns left
    turned: float = -1.0  # when it had its last turn


@dataclass(frozen=True)
class Drawn:
    """What became of the pictures of all hands."""

    latencies: list[float]
    """Seconds from a picture to its render, of all that were rendered."""
    sent: int
    replaced: int
    """Pictures in whose place a newer one was rendered."""
    busy: float
    """The share of the time in which the worker was at work."""


def draw(times: Times, hand: Hand, drawings: int, seconds: float, random: Random) -> Drawn:
    """Let so many hands draw at one worker for ``seconds``."""
    comes = sorted((at, number) for number in range(drawings) for at in hand.pictures(seconds, random))
    all_of_them = [_Drawing() for _ in range(drawings)]
    latencies: list[float] = []
    now, busy, replaced, place = 0.0, 0.0, 0, 0
    while True:
        while place < len(comes) and comes[place][0] <= now:
            at, number = comes[place]
            replaced += all_of_them[number].waiting is not None
            all_of_them[number].waiting = at
            place += 1
        wanting = [each for each in all_of_them if each.waiting is not None or each.flying]
        if not wanting:
            if place == len(comes):
                return Drawn(latencies, len(comes), replaced, busy / max(now, seconds))
            now = comes[place][0]
            continue
        turn = sorted(wanting, key=lambda each: each.turned)[: times.seats]
        took = times.seconds(len(turn))
        now, busy = now + took, busy + took
        for each in turn:
            if each.waiting is not None:
                each.flying.append([each.waiting, times.steps])
                each.waiting = None
            for picture in each.flying:
                picture[1] -= 1
            while each.flying and each.flying[0][1] <= 0:
                latencies.append(now - each.flying.popleft()[0])
            each.turned = now
