"""The same steps, one frame after the other: what ``use_denoising_batch=False`` asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from .batch import ROWS_SECOND, Entry, Finished, Shared
from .chain import Memory
from .guidance import carry, clean
from .recipe import NetworkInputs, Recipe, Row


@dataclass(eq=False)
class _Way:
    """F frames between two steps."""

    recipe: Recipe
    inputs: list[NetworkInputs]
    embedded: Mapping[str, Tensor]  # (C, F, E, h, w) and more
    extra: int
    x: Tensor  # (F, 4, h, w)
    stock: Tensor  # (F, 4, h, w)
    denoised: Tensor  # (F, 4, h, w)
    rows: Mapping[str, Tensor]  # (F, ...)


class SequentialSteps:
    """Every frame goes through all K steps at once. Slower than a ``StreamBatch``; nothing is ever in flight."""

    takes_levels = False

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self._inputs: list[NetworkInputs] = []  # of each step, for the rows of F frames
        self._inputs_of: tuple[Recipe, int] | None = None
        self._memory: Memory | None = None  # what adapters keep
        self.pending = 0

    def clear(self) -> None:
        """Nothing is in flight; the memory is let go."""
        self._inputs, self._inputs_of, self._memory = [], None, None

    def step(self, entry: Entry) -> Finished | None:
        """Take F frames through all steps; the numbers of its comments are those of ``StreamBatch.tick``."""
        shared = self.shared
        with shared.span("encode"):
            way = self._begin(entry)
        with shared.span("denoise"):
            for k in range(entry.recipe.steps):
                self._step(way, k)
        return None if all(tag is None for tag in entry.tags) else Finished(way.denoised, entry.tags)  # 6.

    def walk(self, entry: Entry) -> Iterator[Tensor]:
        """The same, one step each time that it is asked: gives the clean latents (F, 4, h, w), the last ones finished.

        Between two steps anything else may be rendered, with these steps, too.
        """
        way = self._begin(entry)
        for k in range(entry.recipe.steps):
            self._step(way, k)
            yield way.denoised

    def _begin(self, entry: Entry) -> _Way:
        shared, recipe, s = self.shared, entry.recipe, entry.recipe.schedule
        noise = shared.start_noise(entry)  # (F, 4, h, w)
        x = shared.start(entry.image, noise, s.a[0], s.b[0], entry.rows)  # 1. (F, 4, h, w)
        embedded = {**shared.embed(entry.conditions, noise), **entry.rows}  # (C, F, E, h, w) and more
        extra = shared.guidance.extra_rows(len(x), len(x))
        if self._inputs_of != (recipe, len(x)):
            self._inputs = [self._of_step(recipe, k, len(x), extra) for k in range(recipe.steps)]
            self._inputs_of = recipe, len(x)
        if self._memory is None:
            self._memory = shared.chain.memory(recipe.steps, x.device)
        return _Way(recipe, self._inputs, embedded, extra, x, recipe.entry_noise.expand_as(x), x, entry.rows)

    def _step(self, way: _Way, k: int) -> None:
        shared, recipe, x, extra = self.shared, way.recipe, way.x, way.extra
        row = Row(*(value[None] for value in recipe.row(k)))  # each (1, ...)
        u, c = shared.predict(x, extra, row, way.embedded, way.inputs[k])  # 2. (extra, 4, h, w), (F, 4, h, w)
        if shared.guidance.residual and k > 0:
            u = way.stock[:extra]  # only the first step was predicted with the negative prompt
        eps, stock = shared.guidance(u, c, way.stock, row.w, row.delta)  # 3. (F, 4, h, w)
        denoised, on = clean(x, eps, row), len(x) if k < recipe.steps - 1 else 0  # 4. (F, 4, h, w)
        way.denoised = shared.chain.latent_after(denoised, way.rows, self._memory or [], on, slice(k, k + 1))
        x = row.a_next * way.denoised  # 5. (F, 4, h, w)
        if shared.do_add_noise:
            x = x + row.b_next * row.noise_next
        way.x, way.stock = x, carry(eps, stock, row) if shared.guidance.residual else stock

    def _of_step(self, recipe: Recipe, k: int, frames: int, extra: int) -> NetworkInputs:
        return step_inputs(self.shared, recipe, k, frames, extra)


def step_inputs(shared: Shared, recipe: Recipe, k: int, frames: int, extra: int) -> NetworkInputs:
    """What the network is given in step k about ``frames`` rows, the first ``extra`` of them with the negative prompt,
    too."""
    rows = [recipe.network_row(k, True)] * extra + [recipe.network_row(k, False)] * frames
    inputs: NetworkInputs = {
        name: torch.stack([row[name] for row in rows], 1 if name in ROWS_SECOND else 0) for name in rows[0]
    }
    shared.fold(inputs)
    return inputs
