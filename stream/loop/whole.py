"""A frame as one piece of work: the tick of a stream batch, from levels to levels, recorded once and played back.

On a GPU a frame of hundreds of kernels takes longer to launch than to compute. So everything between the uint8 picture
that comes in and the uint8 picture that goes out (encode, embed, noise, every row's step, guidance, the shift of the
rows, decode) is recorded where the engine can do that, and each frame is one launch. Prompts, scales, noise and
coefficients lie in tensors that never move, so a change of them records nothing again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from .batch import Entry, Finished, Shared, StreamBatch
from .codec import condition_of, image_of, levels_of

ROWS = "rows."  # what adapters leave with a frame is kept under names that begin so


class WholeFrame:
    """A ``StreamBatch`` whose entries hold levels: ``image`` (F, H, W, 3), ``conditions`` (C, F, H, W, 3), uint8."""

    takes_levels = True

    def __init__(self, shared: Shared, record: Callable[[Callable[[], Any]], Callable[[], Any]]) -> None:
        self.shared = shared
        self._batch = StreamBatch(replace(shared, span=lambda name: nullcontext()))  # no stage inside can be timed
        self._record = record
        self._play: Callable[[], tuple[Tensor, Tensor, Tensor]] | None = None
        self._given: dict[str, Tensor] = {}  # what a frame brings: copies at places that never move

    @property
    def pending(self) -> int:
        """How many frames have entered and not come out."""
        return self._batch.pending

    def clear(self) -> None:
        """Let go of everything in flight, and of the memory that it took."""
        self._batch.clear()
        self._play, self._given = None, {}

    def step(self, entry: Entry) -> Finished | None:
        """One tick: frames enter, every row takes its step, and the last row's frames come out (None: nobody's)."""
        brought = self._brought(entry)
        if self._play is None:
            self._given = {name: value.clone(memory_format=torch.contiguous_format) for name, value in brought.items()}
            self._batch.begin(entry, self._conditions())
        else:
            for name, value in brought.items():
                self._given[name].copy_(value, non_blocking=True)
        with self._batch.seated(entry), self.shared.span("denoise"):
            if self._play is None:
                self._play = self._recorded()
            levels, usable, image = self._play()
        tags = self._batch.leaving
        return Finished(None, tags, levels, usable, image) if tags else None

    def _brought(self, entry: Entry) -> dict[str, Tensor]:
        """Everything of a frame that the recorded work reads, apart from what its rows hold."""
        recipe = entry.recipe
        brought = {
            "conditions": entry.conditions,
            "start": self.shared.start_noise(entry),
            "noise": recipe.entry_noise,
            "a": recipe.schedule.a[0],
            "b": recipe.schedule.b[0],
        }
        brought |= {f"{ROWS}{name}": value for name, value in entry.rows.items()}
        return brought if entry.image is None else {**brought, "image": entry.image}

    def _conditions(self) -> Tensor:
        levels = self._given["conditions"]
        return condition_of(levels) if len(levels) else levels

    def _frame(self) -> tuple[Tensor, Tensor, Tensor]:
        """What is recorded."""
        given = self._given
        image = image_of(given["image"]) if "image" in given else None
        rows = {name.removeprefix(ROWS): value for name, value in given.items() if name.startswith(ROWS)}
        finished = self._batch.tick(
            image, self._conditions(), given["start"], given["noise"], given["a"], given["b"], rows
        )
        image = self.shared.units.decode(finished)
        return *levels_of(image), image

    def _recorded(self) -> Callable[[], tuple[Tensor, Tensor, Tensor]]:
        """Running it for the record moves every row on, so the rows are put back afterwards."""
        before = [value.clone() for value in self._batch.state]
        play = self._record(self._frame)
        for value, kept in zip(self._batch.state, before, strict=True):
            value.copy_(kept)
        return play
