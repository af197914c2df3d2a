"""How many drawings one worker takes, from what was measured of its model on its machine."""

from __future__ import annotations

import math
from typing import NamedTuple

HEADROOM = 0.7  # of what a worker renders: hands draw in bursts, and at once
FREE = 0.9  # of the free memory that drawings may take


class Measured(NamedTuple):
    """What a worker found out about its model at the start."""

    fps: float
    """Pictures a second, of one stream that is always busy."""
    stream_bytes: int
    """Memory that one more drawing takes; 0: not measurable."""
    free_bytes: int
    """Memory that is free with the model loaded."""


def slots_of(measured: Measured, fps: float, duty: float, most: int) -> int:
    """How many drawings a worker takes, 1 to ``most``: each is to have ``fps`` pictures a second while its hand moves,
    which it does ``duty`` (0 to 1) of the time.
    """
    by_speed = math.floor(measured.fps * HEADROOM / (fps * duty))
    by_memory = math.floor(measured.free_bytes * FREE / measured.stream_bytes) if measured.stream_bytes else most
    return max(1, min(by_speed, by_memory, most))
