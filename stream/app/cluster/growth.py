"""How many workers there should be, by who draws and who waits."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from .link import Link
from .slots import Place

REST = 600.0  # seconds for which workers were not needed when they end


class Growth:
    """``least`` to ``most`` workers, of which ``spare`` are for those who come and for lost workers' drawings. More are
    wanted at once, fewer only after ``rest`` seconds. Not for several threads at once.
    """

    def __init__(self, least: int, most: int, spare: int = 1, rest: float = REST) -> None:
        self._least, self._most, self._spare, self._rest = least, max(least, most), spare, rest
        self._wanted = least
        self._peak, self._since = least, 0.0  # of what was needed since then, while it was less

    def wanted(self, workers: Mapping[str, Place], waiting: int, now: float) -> int:
        """How many are wanted, where ``waiting`` drawings have no place; while none is there, as many as before."""
        if not workers:
            return self._wanted
        each = sum(place.slots for place in workers.values()) / len(workers)
        taken = sum(place.mine + place.others for place in workers.values())
        needed = math.ceil((taken + waiting) / max(each, 1)) + self._spare
        needed = min(max(needed, self._least), self._most)
        if needed >= self._wanted:
            self._wanted, self._peak, self._since = needed, self._least, now
            return needed
        self._peak = max(self._peak, needed)
        if now - self._since >= self._rest:
            self._wanted, self._peak, self._since = self._peak, self._least, now
        return self._wanted


class Grows(NamedTuple):
    """What a gateway needs for it."""

    growth: Growth
    resize: Callable[[int], Sequence[Link]]
    """Have so many workers, the first ones of those there are; returns them, and may take its time. Raises
    InkstreamError."""
