"""What belongs to a frame travels with its row: one delay line for everything that a frame brings beside its latent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

SECOND = ("features",)  # rows are their second dimension


class DelayLine(Mapping[str, Tensor]):
    """Tensors by name, with B = K F rows in places that never move: row k F + j is frame j of those with k steps done.

    What a frame brings is put into the first row when it enters, and goes up with it: k ticks later it lies in row k.
    Nothing of it is copied to or from the host, so that a tick with it can be recorded and played back.
    """

    def __init__(self) -> None:
        self._values: dict[str, Tensor] = {}

    def __getitem__(self, name: str) -> Tensor:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def begin(self, brought: Mapping[str, Tensor], steps: int) -> None:
        """Make the tensors, for what F frames bring and K ``steps``; until other frames come, all rows hold that."""
        self._values = {}
        for name, value in brought.items():
            times = [1] * value.dim()
            times[_dim(name)] = steps
            self._values[name] = value.repeat(times)

    def enter(self, brought: Mapping[str, Tensor]) -> None:
        """F new frames take the first rows."""
        for name, value in brought.items():
            to, new = _by_row(name, self._values[name]), _by_row(name, value)
            _move(to[: len(new)], new)

    def shift(self, frames: int) -> None:
        """Everybody moves up by F ``frames``; those in the last rows leave, and the first rows wait for new ones."""
        for name, value in self._values.items():
            rows = _by_row(name, value)
            _move(rows[frames:], rows[:-frames])

    def clear(self) -> None:
        """Let go of the memory."""
        self._values = {}


def _dim(name: str) -> int:
    return 1 if name in SECOND else 0


def _by_row(name: str, value: Tensor) -> Tensor:
    """The same memory, rows first."""
    return value.movedim(_dim(name), 0)


def _move(to: Tensor, values: Tensor) -> None:
    """Copy, also between places that overlap; nothing where there is nothing (features without ControlNets).

    On a CPU numpy does it, for the reason that ``codec`` gives; condition features are most of what a frame moves.
    """
    if not values.numel():
        return
    if to.device.type == "cpu":
        np.copyto(to.numpy(), values.numpy())
    else:
        to.copy_(values.clone() if _overlap(to, values) else values)


def _overlap(one: Tensor, other: Tensor) -> bool:
    return one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()


def zeros(names: Mapping[str, tuple[int, ...]], count: int, device: torch.device) -> dict[str, Tensor]:
    """Tensors (count, *shape) of zeros, by name."""
    return {name: torch.zeros((count, *shape), device=device) for name, shape in names.items()}
