"""Random numbers as functions of where training stands, so that a resumed run draws the same ones."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

ORDER, SAMPLE, STEP, INIT, VALIDATION = range(5)  # what numbers are drawn for


def number(*keys: int) -> int:
    """A seed below 2**63 that follows from the keys, and is unlike that of any other keys."""
    return int(np.random.SeedSequence(keys).generate_state(1, np.uint64)[0] >> np.uint64(1))


def generator(*keys: int) -> torch.Generator:
    """A generator on the CPU for the keys; numbers go to the device afterwards, so that all devices train alike."""
    return torch.Generator().manual_seed(number(*keys))


def numpy_generator(*keys: int) -> np.random.Generator:
    """A numpy generator for the keys."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(keys)))


@contextmanager
def new_weights(seed: int, *keys: int) -> Iterator[None]:
    """Weights that are made inside follow from the seed alone; the global generator of the CPU stays where it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(number(seed, INIT, *keys))
        yield


def states() -> dict[str, Any]:
    """The state of every global generator: Python's, numpy's and torch's on all devices (dropout draws from those)."""
    legacy: Any = np.random.get_state()
    kind, keys, position, has_gauss, gauss = legacy
    version, internal, following = random.getstate()
    return {
        "python": [version, list(internal), following],
        "numpy": [str(kind), torch.from_numpy(keys.astype(np.int64)), int(position), int(has_gauss), float(gauss)],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore(state: dict[str, Any]) -> None:
    """Set every global generator to what ``states`` gave; GPUs only where as many are there as then."""
    version, internal, following = state["python"]
    random.setstate((version, tuple(internal), following))
    kind, keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, gauss))
    torch.set_rng_state(state["torch"])
    if state["cuda"] and torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
