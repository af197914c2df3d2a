"""Pictures larger than a model paints at once: tiles that overlap, and agree at every step.

MultiDiffusion (Bar-Tal et al. 2023, arXiv:2302.08113): each step predicts the noise of every tile, and where tiles
overlap the weighted mean of their predictions counts (equation 5). So all of them go on from one latent, and what lies
beside each other fits. Here the weights fall linearly towards a tile's border, where a network sees least.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .batch import Shared
from .guidance import carry, clean
from .recipe import Recipe, Row
from .sequential import step_inputs


class Tile(NamedTuple):
    """A part of a picture, in latents."""

    y: int
    x: int
    height: int
    width: int

    def of(self, values: Tensor, factor: int = 1) -> Tensor:
        """The same part of values (..., factor H, factor W)."""
        rows = slice(self.y * factor, (self.y + self.height) * factor)
        return values[..., rows, self.x * factor : (self.x + self.width) * factor]


def tiles_of(height: int, width: int, tile: tuple[int, int], overlap: int) -> tuple[Tile, ...]:
    """Tiles of ``tile`` (height, width) that cover ``height`` x ``width``, evenly, neighbours sharing ``overlap`` or
    more; a tile is never larger than the whole. All in latents."""
    rows, columns = min(tile[0], height), min(tile[1], width)
    return tuple(
        Tile(y, x, rows, columns) for y in _starts(height, rows, overlap) for x in _starts(width, columns, overlap)
    )


def _starts(length: int, tile: int, overlap: int) -> list[int]:
    if tile >= length:
        return [0]
    stride = max(1, tile - min(overlap, tile - 1))
    count = -(-(length - tile) // stride) + 1
    return [place * (length - tile) // (count - 1) for place in range(count)]


def window(height: int, width: int, overlap: int) -> Tensor:
    """(height, width) weights in (0, 1]: 1 inside, falling linearly to the border over ``overlap``."""
    sides = []
    for length in (height, width):
        near = torch.arange(1, length + 1, dtype=torch.float32)
        sides.append(torch.minimum(near, near.flip(0)).clamp(max=max(1, overlap)) / max(1, overlap))
    return sides[0][:, None] * sides[1]


def blended(parts: Iterable[tuple[Tile, Tensor]], size: tuple[int, int], overlap: int, factor: int = 1) -> Tensor:
    """One tensor (..., factor H, factor W) from its tiles; ``size`` (H, W) and ``overlap`` are in latents.

    A tile that is the whole is given as it is.
    """
    total = weights = None
    for tile, values in parts:
        if (tile.height, tile.width) == size:
            return values
        share = window(tile.height * factor, tile.width * factor, overlap * factor).to(values)
        if total is None or weights is None:
            shape = size[0] * factor, size[1] * factor
            total, weights = values.new_zeros(*values.shape[:-2], *shape), values.new_zeros(shape)
        tile.of(total, factor).add_(values * share)
        tile.of(weights, factor).add_(share)
    assert total is not None and weights is not None, "no tiles"
    return total / weights


class TiledSteps:
    """One picture through all steps of a recipe, in tiles: as ``SequentialSteps``, but for its size.

    ``shared.units`` take one tile at a time. ``step(share)`` is told how much is done before each of them, and may
    raise to end it.
    """

    def __init__(
        self, shared: Shared, tiles: Sequence[Tile], overlap: int, factor: int, step: Callable[[float], None]
    ) -> None:
        """``overlap`` in latents, of which one is ``factor`` pixels of a side."""
        self._shared, self._tiles, self._overlap, self._factor, self._step = shared, tiles, overlap, factor, step
        self._done = self._all = 0

    @torch.inference_mode()
    def render(self, image: Tensor, conditions: Tensor, recipe: Recipe, rows: Mapping[str, Tensor]) -> Tensor:
        """``image`` (1, 3, H, W) in [-1, 1] and ``conditions`` (C, 1, 3, H, W) in [0, 1] -> (1, 3, H, W); ``rows``
        (1, ..., h, w) are what else belongs to the picture.

        The recipe's noise is that of the whole picture. The numbers are those of ``StreamBatch.tick``.
        """
        shared, tiles, factor, s = self._shared, self._tiles, self._factor, recipe.schedule
        size = recipe.noise.shape[-2], recipe.noise.shape[-1]
        self._done, self._all = 0, len(tiles) * (recipe.steps + 2)
        extra = shared.guidance.extra_rows(1, 1)
        noise = recipe.entry_noise  # (1, 4, h, w)

        def encode(tile: Tile) -> Tensor:
            a, b = s.a[0], s.b[0]
            return shared.start(tile.of(image, factor), tile.of(noise), a, b).clone()  # (1, 4, th, tw)

        x = self._over_tiles(encode, size)  # 1. (1, 4, h, w)
        embedded = [
            _kept({**shared.embed(tile.of(conditions, factor), tile.of(noise)), **_parts(rows, tile)}) for tile in tiles
        ]
        stock, denoised = noise, x
        for k in range(recipe.steps):
            row = Row(*(value[None] for value in recipe.row(k)))  # each (1, ...)
            inputs = step_inputs(shared, recipe, k, 1, extra)

            def predict(tile: Tile, k: int = k, x: Tensor = x, stock: Tensor = stock, row: Row = row) -> Tensor:
                held = embedded[tiles.index(tile)]
                u, c = shared.predict(tile.of(x), extra, row, held, inputs)  # noqa: B023 2.
                if shared.guidance.residual and k > 0:
                    u = tile.of(stock)[:extra]
                return torch.cat(shared.guidance(u, c, tile.of(stock), row.w, row.delta))  # 3. (2, 4, th, tw)

            eps, stock = self._over_tiles(predict, size).split(1)  # (1, 4, h, w) each
            denoised = clean(x, eps, row)  # 4.
            x = row.a_next * denoised  # 5.
            if shared.do_add_noise:
                x = x + row.b_next * row.noise_next
            if shared.guidance.residual:
                stock = carry(eps, stock, row)
        return self._over_tiles(lambda tile: shared.units.decode(tile.of(denoised)).clone(), size, factor)  # 6.

    def _over_tiles(self, work: Callable[[Tile], Tensor], size: tuple[int, int], factor: int = 1) -> Tensor:
        return blended(((tile, self._told(work, tile)) for tile in self._tiles), size, self._overlap, factor)

    def _told(self, work: Callable[[Tile], Tensor], tile: Tile) -> Tensor:
        self._step(self._done / self._all)
        self._done += 1
        return work(tile)


def _parts(rows: Mapping[str, Tensor], tile: Tile) -> dict[str, Tensor]:
    return {name: tile.of(value) for name, value in rows.items()}


def _kept(made: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What a unit gave, which may be overwritten when it is called again."""
    return {name: value.clone() for name, value in made.items()}
