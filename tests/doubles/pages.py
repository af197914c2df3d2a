"""A drawing that grows page by page, and what a stream makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np


def growing_pages(count: int, side: int = 64) -> Iterator[np.ndarray]:
    """Pages (side, side, 3) uint8 RGB, each with one more stroke than the one before."""
    rng, page = np.random.default_rng(0), np.full((side, side, 3), 255, np.uint8)
    for _ in range(count):
        x, y = rng.integers(0, side - 16, 2)
        page = page.copy()
        page[y : y + 3, x : x + 16] = rng.integers(0, 120, 3)
        yield page


def rendered(stream: Any, changes: Sequence[Mapping[str, Any]] = (), count: int = 12) -> dict[int, np.ndarray]:
    """What comes out of ``count`` pages, by the number of the page, with one of ``changes`` before every second."""
    left, outputs = list(changes), []
    for number, page in enumerate(growing_pages(count)):
        if number % 2 and left:
            stream.update(**left.pop(0))
        outputs.append(stream(page))
    outputs += stream.drain()
    return {output.source_id: output.pixels.astype(int) for output in outputs if output}


def same(ones: Mapping[int, np.ndarray], others: Mapping[int, np.ndarray]) -> bool:
    """Whether the same pictures came out, apart from rounding."""
    assert ones.keys() == others.keys() and ones
    return max(np.abs(ones[key] - others[key]).max() for key in ones) <= 1
