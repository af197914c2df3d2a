"""What a model can do on the machine of a worker: pictures a second, and memory of one more drawing."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import numpy as np
import psutil

from ...base.capacity import Measured
from ...base.config import StreamConfig
from ...base.frame import Frame
from ...base.progress import Progress
from ..studio.inprocess import Maker
from ..studio.live import Made

log = logging.getLogger(__name__)
WARM, SECONDS = 3, 1.0  # pictures that do not count; how long it is measured


class Measuring:
    """Makes streams as ``make`` does, and measures a second one when the first is made, which stays as it is."""

    def __init__(self, make: Maker, seconds: float = SECONDS) -> None:
        self._make, self._seconds = make, seconds
        self.measured: Measured | None = None

    def __call__(self, config: StreamConfig, progress: Progress) -> Made:
        """Raises what loading raises."""
        first = self._make(config, progress)
        if self.measured is None:
            progress("measuring how many can draw")
            try:
                self.measured = self._measure(first.stream.config, progress)
            except BaseException:
                first.close()
                raise
        return first

    def _measure(self, config: StreamConfig, progress: Progress) -> Measured:
        before = used_memory()
        made = self._make(config, progress)
        try:
            random = np.random.default_rng(0)
            shape = (config.height, config.width, 3)
            pictures = [random.integers(0, 255, shape, np.uint8) for _ in range(4)]
            count, began = 0, time.perf_counter()
            while count < WARM or time.perf_counter() - began < self._seconds:
                made.stream(Frame(pictures[count % len(pictures)], count), False)
                count += 1
                if count == WARM:
                    began = time.perf_counter()
            fps = (count - WARM) / max(time.perf_counter() - began, 1e-6)
            return Measured(fps, max(0, used_memory() - before), free_memory())
        finally:
            made.close()


def used_memory() -> int:
    """Bytes that this process has: of the GPU where one is used, else of this computer. Others may come and go."""
    torch = _cuda()
    return int(torch.cuda.memory_reserved() if torch else psutil.Process().memory_info().rss)


def free_memory() -> int:
    """Bytes that are free: of the GPU where one is used, else of this computer."""
    torch = _cuda()
    return int(torch.cuda.mem_get_info()[0] if torch else psutil.virtual_memory().available)


def _cuda() -> Any:
    torch = sys.modules.get("torch")
    return torch if torch is not None and torch.cuda.is_available() else None
