"""Erlang's formulas: who finds no place, and who must wait for one; and the same by simulation.

A. K. Erlang, "Solution of some problems in the theory of probabilities of significance in automatic telephone
exchanges", 1917. ``offered`` is load in erlangs: those who come in a second, times the seconds that each stays.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from random import Random
from typing import NamedTuple

Stay = Callable[[Random], float]  # seconds that one stays


def erlang_b(places: int, offered: float) -> float:
    """The share, 0 to 1, of those who find all places taken, where who is refused does not come again.

    How long people stay counts by its mean alone. Raises ValueError for a load or a number below 0.
    """
    _check(places, offered)
    refused = 1.0
    for number in range(1, places + 1):
        refused = offered * refused / (number + offered * refused)
    return refused


def erlang_c(places: int, offered: float) -> float:
    """The share of those who must wait, where everybody does; 1 where more come than there is room for.

    Holds for exponential stays. Raises ValueError as ``erlang_b``.
    """
    refused = erlang_b(places, offered)
    if offered >= places:
        return 1.0
    return refused / (1 - offered / places * (1 - refused))


def offered_at(places: int, refused: float) -> float:
    """The load in erlangs at which this share of those who come is refused. Raises ValueError unless 0 < share < 1."""
    if not 0 < refused < 1:
        raise ValueError(f"refused: got {refused}, expected a share between 0 and 1")
    low, high = 0.0, places / (1 - refused) + 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if erlang_b(places, middle) < refused else (low, middle)
    return low


def places_for(offered: float, refused: float) -> int:
    """The fewest places at which at most this share is refused. Raises ValueError as ``offered_at``."""
    if not 0 < refused < 1:
        raise ValueError(f"refused: got {refused}, expected a share between 0 and 1")
    low, high = 0, 1
    while erlang_b(high, offered) > refused:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if erlang_b(middle, offered) <= refused else (middle, high)
    return high


class Came(NamedTuple):
    """What became of those who came."""

    refused: float
    """The share that was refused where nobody waits."""
    waited: float
    """The share that waited where everybody does."""
    wait: float
    """Seconds, the mean of all who came there."""


def exponential(mean: float) -> Stay:
    """Stays that end at any moment with the same chance."""
    return lambda random: random.expovariate(1 / mean)


def lognormal(mean: float, spread: float = 1.0) -> Stay:
    """Many short stays and few long ones; ``spread`` is the deviation of their logarithm."""
    middle = math.log(mean) - spread**2 / 2
    return lambda random: random.lognormvariate(middle, spread)


def simulate(places: int, rate: float, stay: Stay, people: int, random: Random) -> Came:
    """``people`` come by chance, ``rate`` a second, to two houses with so many places: one sends away who finds none
    free, in the other everybody waits for their turn. The first tenth of them is not counted.
    """
    taken: list[float] = []  # when each place of the first house gets free
    free = [0.0] * places  # the same of the second
    now, refused, waited, wait = 0.0, 0, 0, 0.0
    counted = people - people // 10
    for number in range(people):
        now += random.expovariate(rate)
        stays, counts = stay(random), number >= people - counted
        while taken and taken[0] <= now:
            heapq.heappop(taken)
        if len(taken) < places:
            heapq.heappush(taken, now + stays)
        else:
            refused += counts
        begins = max(now, free[0])
        heapq.heapreplace(free, begins + stays)
        waited += counts and begins > now
        wait += (begins - now) * counts
    return Came(refused / counted, waited / counted, wait / counted)


def _check(places: int, offered: float) -> None:
    if places < 0 or not offered >= 0:
        raise ValueError(f"got {places} places and a load of {offered} erlangs, expected neither below 0")
