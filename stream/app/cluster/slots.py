"""Who draws where: places of workers, who waits for one, and for how long."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass

FORGET = 15.0  # seconds after which nobody waits any more who did not ask again
REMEMBERED = 32  # times at which a place was given back, from which the next one is estimated


@dataclass
class Place:
    """A worker, as the gateway counts it."""

    slots: int
    others: int = 0
    """Drawings that other gateways have there."""
    draining: bool = False
    mine: int = 0

    @property
    def free(self) -> int:
        """Places that nobody has."""
        return max(0, self.slots - self.others - self.mine)


class Ledger:
    """Places of all workers. ``spare`` workers' worth of them is kept for drawings whose worker is lost."""

    def __init__(self, spare: int = 0) -> None:
        self.workers: dict[str, Place] = {}
        self._spare = spare

    def joined(self, worker: str, slots: int) -> None:
        """A worker is there, and empty."""
        self.workers[worker] = Place(slots)

    def lost(self, worker: str) -> None:
        """A worker is gone, with all of its places."""
        self.workers.pop(worker, None)

    @property
    def open(self) -> int:
        """Places that new drawings may still take. The last worker keeps nothing back, or nobody could draw."""
        able = [place for place in self.workers.values() if not place.draining]
        kept = sorted((place.slots for place in able), reverse=True)[: min(self._spare, max(0, len(able) - 1))]
        return max(0, sum(place.free for place in able) - sum(kept))

    @property
    def slots(self) -> int:
        """Places that drawings may have at once."""
        able = [place.slots for place in self.workers.values() if not place.draining]
        return sum(sorted(able)[: max(1, len(able) - self._spare)])

    @property
    def has_place(self) -> bool:
        """Whether a drawing that lost its worker finds another."""
        return any(place.free and not place.draining for place in self.workers.values())

    def take(self, again: bool = False) -> str | None:
        """A place at the worker with most free ones; None: there is none. ``again``: for a drawing whose worker is
        lost, which may have those that are kept back.
        """
        if not again and self.open < 1:
            return None
        able = [name for name, place in self.workers.items() if place.free and not place.draining]
        if not able:
            return None
        best = max(able, key=lambda name: self.workers[name].free)
        self.workers[best].mine += 1
        return best

    def give(self, worker: str) -> None:
        """A drawing has left its place."""
        place = self.workers.get(worker)
        if place is not None:
            place.mine = max(0, place.mine - 1)


class Queue:
    """Those who were refused, in the order in which they asked first. They wait as long as they go on asking."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[Hashable, float] = OrderedDict()  # who -> when they asked last
        self._given: deque[float] = deque(maxlen=REMEMBERED)

    def turn(self, who: Hashable, free: int, now: float) -> int:
        """0: it is their turn, as ``free`` places are there. Else which one they are, from 1, and they wait."""
        self.count(now)
        order = [*self._waiting] if who in self._waiting else [*self._waiting, who]
        position = order.index(who) + 1
        if position <= free:
            self._waiting.pop(who, None)
            return 0
        self._waiting[who] = now
        return position

    def count(self, now: float) -> int:
        """How many wait; who did not ask again is forgotten."""
        for each in [each for each, asked in self._waiting.items() if now - asked > FORGET]:
            del self._waiting[each]
        return len(self._waiting)

    def gave_back(self, now: float) -> None:
        """A place was given back."""
        self._given.append(now)

    def estimate(self, position: int, now: float) -> float | None:
        """Seconds until the ``position``-th place is given back, as it went until now; None: nobody can tell yet."""
        if len(self._given) < 2:
            return None
        each = (now - self._given[0]) / len(self._given)
        return position * each
