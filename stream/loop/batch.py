"""The stream batch (StreamDiffusion, arXiv 2312.12491, section 3.1): successive frames, each one step further, denoised
together.

Row k is a frame that has k steps behind it. A row owns everything of its frame: latent, noise, residual noise,
condition features, prompt, scales, coefficients. What changes with every frame shifts by one row each tick, on the
device. What changes only with the configuration is written into a row when a frame with another recipe arrives there.

With F frames entering together, row k is F rows: k F to (k + 1) F - 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ...engines.units import Units
from .guidance import Guidance, carry, clean
from .recipe import Recipe
from .schedule import Schedule

ALONG = ("scales", "lora")  # rows are their second dimension
ADDED = ("pooled", "time_ids", "guidance", "lora", "folded")  # what only some networks or engines are told


@dataclass(frozen=True, eq=False)
class Entry:
    """F frames on their way in.

    ``image`` (F, 3, H, W) in [-1, 1], used by ``img2img``; ``conditions`` (C, F, 3, H, W) in [0, 1]; ``tags`` has one
    object for each frame, handed back with its picture (None: a filler, whose picture nobody wants).
    """

    image: Tensor | None
    conditions: Tensor
    recipe: Recipe
    tags: Sequence[Any]


@dataclass(frozen=True, eq=False)
class Finished:
    """F frames that went through every step, and their tags.

    Either ``latent`` (F, 4, h, w), not decoded yet, or ``levels`` (F, H, W, 3) uint8 and ``usable`` (F,) bool.
    """

    latent: Tensor | None
    tags: Sequence[Any]
    levels: Tensor | None = None
    usable: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Loop:
    """What all frames share, whatever their recipe."""

    units: Units
    guidance: Guidance
    prediction: Literal["epsilon", "v_prediction"] = "epsilon"
    mode: Literal["img2img", "txt2img", "sketch"] = "img2img"
    do_add_noise: bool = True
    lora_rows: Callable[[int], Tensor] | None = None  # n -> the (A, n) tensor that LoRA layers read their scales from
    generator: torch.Generator | None = None  # new noise for txt2img
    span: Callable[[str], AbstractContextManager[Any]] = lambda name: nullcontext()  # times a stage

    def enter(self, entry: Entry) -> tuple[Tensor, Tensor]:
        """The first noisy latent of new frames, and their condition features: (F, 4, h, w), (C, F, E, h, w)."""
        s = entry.recipe.schedule
        with self.span("encode"):
            return self.first(entry.image, entry.conditions, self.noise_of(entry), s.a[0], s.b[0])

    def noise_of(self, entry: Entry) -> Tensor:
        """The noise that new frames start with: (F, 4, h, w)."""
        noise, count = entry.recipe.entry_noise, len(entry.tags)
        if self.mode == "txt2img":
            return torch.randn((count, *noise.shape[1:]), generator=self.generator).to(noise.device)
        return noise.expand(count, -1, -1, -1)

    def first(
        self, image: Tensor | None, conditions: Tensor, noise: Tensor, a: Tensor, b: Tensor
    ) -> tuple[Tensor, Tensor]:
        """``enter`` on tensors alone: ``a`` and ``b`` (1, 1, 1) are the first step's shares of picture and noise."""
        features = self.units.embed(conditions) if len(conditions) else noise.new_zeros(0, len(noise))
        x = a * self.units.encode(image) + b * noise if self.mode == "img2img" else noise
        return x, features

    def predict_eps(
        self, x: Tensor, extra: int, s: Schedule, features: Tensor, told: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Noise estimates of the first ``extra`` rows with the negative prompt, and of all B rows with the prompt.

        A v prediction (arXiv 2202.00512) becomes ``eps = a v + b x`` here, and nobody else needs to know.
        """

        def both(value: Tensor, dim: int = 0) -> Tensor:
            return torch.cat([value.narrow(dim, 0, extra), value], dim) if extra else value

        x = both(x)  # (N, 4, h, w)
        features = both(features, 1) if len(features) else features  # (C, N, E, h, w)
        added = {name: told[name] for name in ADDED if name in told}
        eps = self.units.denoise(x, told["timestep"], told["text"], features, told["scales"], **added)  # (N, 4, h, w)
        if self.prediction == "v_prediction":
            eps = both(s.a) * eps + both(s.b) * x
        return eps[:extra], eps[extra:]

    def fold(self, told: dict[str, Tensor]) -> None:
        """Where the engine folds: leave ``folded`` (N, M) among what rows are told, at the place where it was."""
        if self.units.fold is None:
            return
        folded = self.units.fold(**told)
        if "folded" in told:
            told["folded"].copy_(folded)
        else:
            told["folded"] = folded.clone()


class StreamBatch:
    """K frames in flight, in tensors of fixed shape that are changed in place."""

    takes_levels = False  # its entries hold numbers, not the levels of a picture

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self._rows: dict[str, Tensor] = {}  # (B, ...) coefficients and noise of each row
        self._network: dict[str, Tensor] = {}  # (N, ...) what the network is told; the negative rows first
        self._folded = False  # whether what is folded is of what the network is told now
        self._latent = self._stock = self._features = torch.empty(0)
        self._in_row: list[Entry | None] = []  # the frames of each row group
        self._extra = 0

    @property
    def pending(self) -> int:
        """How many frames have entered and not come out."""
        return sum(tag is not None for entry in self._in_row[:-1] if entry for tag in entry.tags)

    def clear(self) -> None:
        """Let go of everything in flight, and of the memory that it took."""
        self._rows, self._network, self._in_row = {}, {}, []
        self._latent = self._stock = self._features = torch.empty(0)

    def step(self, entry: Entry) -> Finished | None:
        """One tick: frames enter, every row takes its step, and the last row's frames come out (None: nobody's)."""
        x, features = self.loop.enter(entry)
        if not self._in_row:
            self.begin(entry, x, features)
        self.seat(entry)
        with self.loop.span("denoise"):
            denoised = self.denoise(x, features, entry.recipe.entry_noise)
        tags = self.leaving
        return Finished(denoised[-len(tags) :].clone(), tags) if tags else None

    @property
    def leaving(self) -> Sequence[Any]:
        """Tags of the frames whose last step this tick is; empty when nobody waits for their pictures."""
        out = self._in_row[-1]
        return () if out is None or all(tag is None for tag in out.tags) else out.tags

    @property
    def state(self) -> tuple[Tensor, Tensor, Tensor]:
        """What a tick changes: latents, residuals and features of all rows."""
        return self._latent, self._stock, self._features

    def seat(self, entry: Entry) -> None:
        """Everyone moves up one row; a row whose frame has another recipe than the one before is written."""
        before = self._in_row
        self._in_row = [entry, *before[:-1]]
        for k, (new, old) in enumerate(zip(self._in_row, before, strict=True)):
            if new is not None and (old is None or new.recipe is not old.recipe):
                self._folded = False
                self._write(k, new)
        if not self._folded:
            self.loop.fold(self._network)
            self._folded = True

    def denoise(self, x: Tensor, features: Tensor, noise: Tensor) -> Tensor:
        """Every row's step; leaves each row's latent, residual and features where the next tick wants them.

        Works on tensors of fixed places alone. ``noise`` (1, 4, h, w) is what the new frames entered with.
        """
        frames, rows = len(x), self._rows
        s = Schedule(**{name: rows[name] for name in Schedule._fields})
        self._latent[:frames] = x
        self._stock[:frames] = noise
        if len(features):
            _move(self._features[:, :frames], features)
        x, stock = self._latent, self._stock  # (B, 4, h, w)
        u, c = self.loop.predict_eps(x, self._extra, s, self._features, self._network)
        eps, stock = self.loop.guidance(u, c, stock, rows["w"], rows["delta"])
        denoised = clean(x, eps, s)
        if len(x) > frames:
            following = s.a_next * denoised
            if self.loop.do_add_noise:
                following = following + s.b_next * rows["noise_next"]
            self._latent[frames:] = following[:-frames]
            if self.loop.guidance.residual:
                self._stock[frames:] = carry(eps, stock, rows["noise_next"], s)[:-frames]
            if len(features):
                _move(self._features[:, frames:], self._features[:, :-frames])
        return denoised  # (B, 4, h, w)

    def begin(self, entry: Entry, x: Tensor, features: Tensor) -> None:
        """Buffers for K row groups, all holding the first frame, noised to each row's own level."""
        recipe, frames, device = entry.recipe, len(x), x.device
        steps = recipe.steps
        total = steps * frames
        s = recipe.schedule
        levels = s.a * x[:1] + s.b * recipe.noise if self.loop.mode == "img2img" else recipe.noise  # (K, 4, h, w)
        self._latent = levels.repeat_interleave(frames, 0).contiguous()
        self._stock = recipe.noise.repeat_interleave(frames, 0).contiguous()
        self._features = features.repeat(1, steps, *([1] * (features.dim() - 2))) if len(features) else features
        self._extra = self.loop.guidance.extra_rows(total, frames)
        for name, value in recipe.row(0).items():
            self._rows[name] = torch.zeros((total, *value.shape), dtype=value.dtype, device=device)
        wide = total + self._extra
        for name, value in recipe.network_row(0, False).items():
            shape = (*value.shape, wide) if name in ALONG else (wide, *value.shape)
            self._network[name] = torch.zeros(shape, dtype=value.dtype, device=device)
        if self.loop.lora_rows is not None:
            self._network["lora"] = self.loop.lora_rows(wide)
        self._in_row = [None] * steps
        for k in range(steps):
            self._write(k, entry)

    def _write(self, k: int, entry: Entry) -> None:
        frames = len(entry.tags)
        rows = slice(k * frames, (k + 1) * frames)
        for name, value in entry.recipe.row(k).items():
            self._rows[name][rows] = value
        self._tell(slice(rows.start + self._extra, rows.stop + self._extra), entry.recipe.network_row(k, False))
        if rows.stop <= self._extra:
            self._tell(rows, entry.recipe.network_row(k, True))

    def _tell(self, rows: slice, values: dict[str, Tensor]) -> None:
        for name, value in values.items():
            if name == "scales":
                self._network[name][:, rows] = value[:, None]
            elif name == "lora":  # a LoRA that was loaded after this frame's recipe was made is off for it
                self._network[name][:, rows] = 0.0
                self._network[name][: len(value), rows] = value[:, None]
            else:
                self._network[name][rows] = value


def _move(to: Tensor, values: Tensor) -> None:
    """Copy, also between places that overlap.

    On a CPU numpy does it, for the reason that ``codec`` gives; condition features are most of what a frame moves.
    """
    if to.device.type == "cpu":
        np.copyto(to.numpy(), values.numpy())
    else:
        to.copy_(values.clone())


class SequentialSteps:
    """The same steps, one frame after the other: every frame goes through all K at once. Slower; nothing in flight."""

    takes_levels = False

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self._lora = (
            loop.lora_rows(1) if loop.lora_rows else None
        )  # (A, 1): one frame's scales serve every row of a call
        self._told: list[dict[str, Tensor]] = []  # what the network is told at each step, F frames at a time
        self._told_of: tuple[Recipe, int] | None = None
        self.pending = 0

    def clear(self) -> None:
        """Nothing is in flight; the memory is let go."""
        self._told, self._told_of = [], None

    def step(self, entry: Entry) -> Finished | None:
        """Take F frames through all steps."""
        x, features = self.loop.enter(entry)
        recipe, frames = entry.recipe, len(x)
        if self._lora is not None:
            self._lora[:] = recipe.lora_scales[:, None]
        stock, denoised = recipe.entry_noise.expand_as(x), x
        extra = self.loop.guidance.extra_rows(frames, frames)
        if self._told_of != (recipe, frames):
            self._told = [self._network(recipe, k, frames, extra) for k in range(recipe.steps)]
            self._told_of = recipe, frames
        with self.loop.span("denoise"):
            for k in range(recipe.steps):
                row = recipe.row(k)
                s = Schedule(**{name: row[name].expand(frames, *row[name].shape) for name in Schedule._fields})
                u, c = self.loop.predict_eps(x, extra, s, features, self._told[k])
                if self.loop.guidance.residual and k > 0:
                    u = stock[:extra]
                eps, stock = self.loop.guidance(u, c, stock, row["w"], row["delta"])
                denoised = clean(x, eps, s)
                x = s.a_next * denoised + (s.b_next * row["noise_next"] if self.loop.do_add_noise else 0.0)
                if self.loop.guidance.residual:
                    stock = carry(eps, stock, row["noise_next"], s)
        if all(tag is None for tag in entry.tags):
            return None
        return Finished(denoised, entry.tags)

    def _network(self, recipe: Recipe, k: int, frames: int, extra: int) -> dict[str, Tensor]:
        rows = [recipe.network_row(k, True)] * extra + [recipe.network_row(k, False)] * frames
        told = {name: torch.stack([row[name] for row in rows], 1 if name in ALONG else 0) for name in rows[0]}
        self.loop.fold(told)
        return told
