"""Numbers of several scenes as named rows of one tensor, so that pixels of different scenes are worked on at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

Numbers = Mapping[str, float | Sequence[float]]


class Table:
    """Named numbers and vectors; ``table.name`` is (...) for a number and (n, ...) for a vector.

    ``...`` is (B,) at first, (B, 1, 1) in ``over_pictures()``, and (N,) in ``at(scene)`` where ``scene`` (N,) int64
    says which scene each of N rays belongs to.
    """

    def __init__(self, rows: Mapping[str, int | slice], data: Tensor) -> None:
        self._rows = rows
        self._data = data  # (R, ...)

    @classmethod
    def of(cls, scenes: Sequence[Numbers], device: torch.device) -> Table:
        """The table of scenes that all have the same names."""
        rows: dict[str, int | slice] = {}
        length = 0
        for name, value in scenes[0].items():
            size = 1 if isinstance(value, int | float) else len(value)
            rows[name] = length if isinstance(value, int | float) else slice(length, length + size)
            length += size
        flat = [
            [number for value in scene.values() for number in ((value,) if isinstance(value, int | float) else value)]
            for scene in scenes
        ]
        return cls(rows, torch.tensor(flat, dtype=torch.float32, device=device).T.contiguous())

    def __getattr__(self, name: str) -> Tensor:
        try:
            return self._data[self._rows[name]]
        except KeyError:
            raise AttributeError(name) from None

    def over_pictures(self) -> Table:
        """For work on whole pictures (..., B, H, W)."""
        return Table(self._rows, self._data[..., None, None])

    def at(self, index: Tensor) -> Table:
        """For work on N rays; ``index`` (N,) int64 chooses columns."""
        return Table(self._rows, self._data.index_select(1, index))
