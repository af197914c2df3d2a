"""The same steps, one frame after the other: what ``use_denoising_batch=False`` asks for."""

from __future__ import annotations

import torch

from .batch import ROWS_SECOND, Entry, Finished, Shared
from .guidance import carry, clean
from .recipe import NetworkInputs, Recipe, Row


class SequentialSteps:
    """Every frame goes through all K steps at once. Slower than a ``StreamBatch``; nothing is ever in flight."""

    takes_levels = False

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self._inputs: list[NetworkInputs] = []  # of each step, for the rows of F frames
        self._inputs_of: tuple[Recipe, int] | None = None
        self.pending = 0

    def clear(self) -> None:
        """Nothing is in flight; the memory is let go."""
        self._inputs, self._inputs_of = [], None

    def step(self, entry: Entry) -> Finished | None:
        """Take F frames through all steps; the numbers of its comments are those of ``StreamBatch.tick``."""
        shared, recipe, s = self.shared, entry.recipe, entry.recipe.schedule
        noise = shared.start_noise(entry)  # (F, 4, h, w)
        with shared.span("encode"):
            x = shared.start(entry.image, noise, s.a[0], s.b[0])  # 1. (F, 4, h, w)
            features = shared.embed(entry.conditions, noise)  # (C, F, E, h, w)
        stock, denoised = recipe.entry_noise.expand_as(x), x
        extra = shared.guidance.extra_rows(len(x), len(x))
        if self._inputs_of != (recipe, len(x)):
            self._inputs = [self._of_step(recipe, k, len(x), extra) for k in range(recipe.steps)]
            self._inputs_of = recipe, len(x)
        with shared.span("denoise"):
            for k in range(recipe.steps):
                row = Row(*(value[None] for value in recipe.row(k)))  # each (1, ...)
                u, c = shared.predict(x, extra, row, features, self._inputs[k])  # 2. (extra, 4, h, w), (F, 4, h, w)
                if shared.guidance.residual and k > 0:
                    u = stock[:extra]  # only the first step was predicted with the negative prompt
                eps, stock = shared.guidance(u, c, stock, row.w, row.delta)  # 3. (F, 4, h, w)
                denoised = clean(x, eps, row)  # 4. (F, 4, h, w)
                x = row.a_next * denoised  # 5. (F, 4, h, w)
                if shared.do_add_noise:
                    x = x + row.b_next * row.noise_next
                if shared.guidance.residual:
                    stock = carry(eps, stock, row)
        return None if all(tag is None for tag in entry.tags) else Finished(denoised, entry.tags)  # 6.

    def _of_step(self, recipe: Recipe, k: int, frames: int, extra: int) -> NetworkInputs:
        rows = [recipe.network_row(k, True)] * extra + [recipe.network_row(k, False)] * frames
        inputs: NetworkInputs = {
            name: torch.stack([row[name] for row in rows], 1 if name in ROWS_SECOND else 0) for name in rows[0]
        }
        self.shared.fold(inputs)
        return inputs
