"""The stream batch (StreamDiffusion, arXiv 2312.12491, section 3.1): successive frames, each one step further, denoised
together.

Row k is a frame that has k steps behind it. A row owns everything of its frame: latent, noise, residual noise,
condition features, what adapters leave with it, prompt, scales, coefficients. What changes with every frame moves up by
one row each tick, on the device (``line``). What changes only with the configuration is written into a row when a frame
with another recipe arrives there.

With F frames entering together, row k is F rows: k F to (k + 1) F - 1; the batch has B = K F rows for K steps. The
network sees N rows: some of them a second time, in front, with the negative prompt (``Guidance.extra_rows``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor

from ...engines.units import Units
from ..base.config import FROM_PICTURE, Mode
from .chain import Chain, Memory
from .guidance import Guidance, carry, clean
from .line import DelayLine
from .noise import SeedNoise
from .recipe import NetworkInputs, NetworkKey, Recipe, Row
from .regions import MASKS

ROWS_SECOND: tuple[NetworkKey, ...] = ("scales", "lora", "image_scales")  # rows are their second dimension
# Only some networks take them.
ADDED: tuple[NetworkKey, ...] = ("pooled", "time_ids", "guidance", "lora", "tokens", "image_scales", "folded")


@dataclass(frozen=True, eq=False)
class Entry:
    """F frames on their way in.

    ``image`` (F, 3, H, W) in [-1, 1], used by ``img2img``; ``conditions`` (C, F, 3, H, W) in [0, 1]; ``tags`` has one
    object for each frame, handed back with its picture (None: a filler, whose picture nobody wants). ``rows`` (F, ...)
    are what adapters leave with the frames.
    """

    image: Tensor | None
    conditions: Tensor
    recipe: Recipe
    tags: Sequence[Any]
    rows: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def filler(self) -> Entry:
        """The same, for nobody: it takes out what is in flight, and leaves no trace."""
        rows = {name: torch.zeros_like(value) for name, value in self.rows.items()}
        return replace(self, tags=(None,) * len(self.tags), rows=rows)


@dataclass(frozen=True, eq=False)
class Finished:
    """F frames that went through every step, and their tags.

    Either ``latent`` (F, 4, h, w), not decoded yet, or ``levels`` (F, H, W, 3) uint8 and ``usable`` (F,) bool, with the
    ``image`` (F, 3, H, W) in about [-1, 1] that they were made of; the next tick may write over that.
    """

    latent: Tensor | None
    tags: Sequence[Any]
    levels: Tensor | None = None
    usable: Tensor | None = None
    image: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Shared:
    """What all frames share, whatever their recipe."""

    units: Units
    guidance: Guidance
    prediction: Literal["epsilon", "v_prediction"] = "epsilon"
    mode: Mode = "img2img"
    do_add_noise: bool = True
    noise: SeedNoise | None = None  # new noise for txt2img; None: the recipe's
    span: Callable[[str], AbstractContextManager[Any]] = lambda name: nullcontext()  # times a stage
    chain: Chain = field(default_factory=Chain)  # the adapters

    def start_noise(self, entry: Entry) -> Tensor:
        """The noise that new frames start with: (F, 4, h, w)."""
        noise, count = entry.recipe.entry_noise, len(entry.tags)
        if self.mode == "txt2img" and self.noise is not None:
            return self.noise.draw(count, *noise.shape[1:]).to(noise.device)
        return noise.expand(count, -1, -1, -1)

    def start(
        self, image: Tensor | None, noise: Tensor, a: Tensor, b: Tensor, rows: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """New frames at the noise level of the first step: a x0 + b eps (F, 4, h, w), with ``a``, ``b`` (1, 1, 1).
        ``rows`` are what adapters left with them."""
        if image is None or self.mode not in FROM_PICTURE:
            return noise
        return a * self.chain.latent_before(self.units.encode(image), rows or {}) + b * noise

    def embed(self, conditions: Tensor, noise: Tensor) -> dict[str, Tensor]:
        """What networks make of condition images, once a frame: ``features`` (C, F, E, h, w) for ControlNets, without
        any (0, F); and where there are T2I-Adapters their ``maps`` (F, M)."""
        if not len(conditions):
            return {"features": noise.new_zeros(0, len(noise))}
        made = {"features": self.units.embed(conditions)}
        return made if self.units.adapt is None else {**made, "maps": self.units.adapt(conditions)}

    def predict(
        self, x: Tensor, extra: int, row: Row, embedded: Mapping[str, Tensor], inputs: NetworkInputs
    ) -> tuple[Tensor, Tensor]:
        """Noise estimates ``u`` (extra, 4, h, w) with the negative prompt, and ``c`` (B, 4, h, w) with the prompt.

        A v prediction (arXiv 2202.00512) becomes ``eps = a v + b x`` here, and nobody else needs to know.
        """
        added: dict[str, Tensor] = {name: inputs[name] for name in ADDED if name in inputs}
        features = embedded["features"]  # (C, B, E, h, w)
        if "maps" in embedded:
            maps = embedded["maps"]  # (B, M)
            added["maps"] = torch.cat([maps[:extra], maps]) if extra else maps
        if MASKS in embedded:
            masks = embedded[MASKS]  # (B, R, h, w)
            added[MASKS] = torch.cat([masks[:extra], masks]) if extra else masks
        if extra:
            features = torch.cat([features[:, :extra], features], 1) if len(features) else features  # (C, N, E, h, w)
        noisy = torch.cat([x[:extra], x]) if extra else x  # (N, 4, h, w)
        out = self.units.denoise(noisy, inputs["timestep"], inputs["text"], features, inputs["scales"], **added)
        u, c = out[:extra], out[extra:]
        if self.prediction == "v_prediction":
            u, c = row.a[:extra] * u + row.b[:extra] * x[:extra], row.a * c + row.b * x
        return u, c

    def fold(self, inputs: NetworkInputs) -> None:
        """Where the engine folds: put ``folded`` (N, M) among the inputs, at the place in memory where it was."""
        if self.units.fold is None:
            return
        folded = self.units.fold(**inputs)
        if "folded" in inputs:
            inputs["folded"].copy_(folded)
        else:
            inputs["folded"] = folded.clone()


class StreamBatch:
    """K frames in flight, in tensors of fixed shape that are changed in place."""

    takes_levels = False  # its entries hold numbers, not the levels of a picture

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self._inputs: NetworkInputs = {}  # what the network is given about its N rows; those repeated come first
        self._folded = False  # whether what is folded was made of these inputs
        self._rows: Row | None = None  # (B, ...)
        self._latent = self._stock = torch.empty(0)
        self._line = DelayLine()  # what belongs to the frames of each row
        self._memory: Memory = []  # what adapters keep
        self._in_row: list[Entry | None] = []  # the frames of each row
        self._extra = 0

    @property
    def pending(self) -> int:
        """How many frames have entered and not come out."""
        return sum(tag is not None for entry in self._in_row[:-1] if entry for tag in entry.tags)

    def clear(self) -> None:
        """Let go of everything in flight, and of the memory that it took."""
        self._rows, self._inputs, self._in_row, self._memory = None, {}, [], []
        self._latent = self._stock = torch.empty(0)
        self._line.clear()

    def step(self, entry: Entry) -> Finished | None:
        """One tick: frames enter, every row takes its step, and the last row's frames come out (None: nobody's).

        Where a network fails, the frames that were in flight are where they were; those that were to enter are not in.
        """
        recipe, start = entry.recipe, self.shared.start_noise(entry)
        s = recipe.schedule
        if not self._in_row:
            self.begin(entry, entry.conditions)
        with self.seated(entry):
            finished = self.tick(entry.image, entry.conditions, start, recipe.entry_noise, s.a[0], s.b[0], entry.rows)
        tags = self.leaving
        return Finished(finished.clone(), tags) if tags else None

    def tick(
        self,
        image: Tensor | None,
        conditions: Tensor,
        start: Tensor,
        noise: Tensor,
        a: Tensor,
        b: Tensor,
        rows: Mapping[str, Tensor],
    ) -> Tensor:
        """One step of every frame in flight; gives the clean latents of the F frames whose last step it was.

        New frames bring ``image`` (F, 3, H, W), ``conditions`` (C, F, 3, H, W), their noise ``start`` (F, 4, h, w) and
        the first step's shares ``a`` and ``b`` (1, 1, 1), and what adapters left with them, ``rows`` (F, ...); residual
        noise starts as ``noise`` (1, 4, h, w). Writes into tensors that were made before and never move, so that it can
        be recorded once and played back.
        """
        shared, row, F = self.shared, self.rows, len(start)

        # 1. New frames are noised to the level of the first step and take the first row; all others have moved up.
        with shared.span("encode"):
            self._latent[:F] = shared.start(image, start, a, b, rows)  # (F, 4, h, w)
            embedded = shared.embed(conditions, start)  # (C, F, E, h, w) and more
        self._stock[:F] = noise  # (F, 4, h, w) the virtual residual noise of section 3.2, before the first step
        self._line.enter({**embedded, **rows})

        with shared.span("denoise"):
            # 2. One call of the network predicts the noise of every row, each at its own level (section 3.1).
            x, stock = self._latent, self._stock  # (B, 4, h, w)
            u, c = shared.predict(x, self._extra, row, self._line, self._inputs)  # (extra, 4, h, w), (B, 4, h, w)

            # 3. Guidance. With R-CFG (section 3.2) the residual noise takes the place of the negative prediction u.
            eps, stock = shared.guidance(u, c, stock, row.w, row.delta)  # (B, 4, h, w)

            # 4. The clean latent of every row: c_out (x - b eps) / a + c_skip x.
            denoised = clean(x, eps, row)  # (B, 4, h, w)
            denoised = shared.chain.latent_after(denoised, self._line, self._memory, on=len(x) - F)

            # 5. Noised to the level of the next step, each frame moves up one row, with all that is its own.
            if len(x) > F:
                x_next = row.a_next * denoised  # (B, 4, h, w)
                if shared.do_add_noise:
                    x_next = x_next + row.b_next * row.noise_next
                self._latent[F:] = x_next[:-F]
                if shared.guidance.residual:
                    self._stock[F:] = carry(eps, stock, row)[:-F]
                self._line.shift(F)

        # 6. The frames of the last row are finished.
        return denoised[-F:]  # (F, 4, h, w)

    @property
    def rows(self) -> Row:
        """The coefficients of all B rows; there are none before the first frame."""
        assert self._rows is not None
        return self._rows

    @property
    def leaving(self) -> Sequence[Any]:
        """Tags of the frames whose last step this tick is; empty when nobody waits for their pictures."""
        out = self._in_row[-1]
        return () if out is None or all(tag is None for tag in out.tags) else out.tags

    @property
    def state(self) -> tuple[Tensor, ...]:
        """What a tick changes: latents, residuals and all that belongs to rows, and what adapters keep."""
        kept = (value for memory in self._memory for value in memory.values())
        return self._latent, self._stock, *self._line.values(), *kept

    @contextmanager
    def seated(self, entry: Entry) -> Iterator[None]:
        """Everyone moves up one row, for the step inside; and back again where that fails.

        A tick moves what lies in the rows when all networks have been called, so before that nothing but the first row
        has changed, which the next frame writes anew.
        """
        before = self._in_row
        try:
            self._sit([entry, *before[:-1]])
            yield
        except BaseException:
            self._sit(before)
            raise

    def _sit(self, entries: list[Entry | None]) -> None:
        """A row whose frame has another recipe than the one before is written."""
        before, self._in_row = self._in_row, entries
        for k, (new, old) in enumerate(zip(entries, before, strict=True)):
            if new is not None and (old is None or new.recipe is not old.recipe):
                self._folded = False
                self._write(k, new)
        if not self._folded:
            self.shared.fold(self._inputs)
            self._folded = True

    def begin(self, entry: Entry, conditions: Tensor) -> None:
        """Tensors for all rows. Those that hold no frame yet compute with noise, and nobody sees what comes of it.

        ``conditions`` (C, F, 3, H, W) are the entry's, in [0, 1].
        """
        recipe, frames = entry.recipe, len(entry.tags)
        total = recipe.steps * frames
        self._latent = recipe.noise.repeat_interleave(frames, 0).contiguous()  # (B, 4, h, w)
        self._stock = self._latent.clone()  # (B, 4, h, w)
        embedded = self.shared.embed(conditions, recipe.noise[:1].expand(frames, -1, -1, -1))
        self._line.begin({**embedded, **entry.rows}, recipe.steps)  # (C, B, E, h, w), (B, ...)
        self._memory = self.shared.chain.memory(recipe.steps, recipe.noise.device)
        self._extra = self.shared.guidance.extra_rows(total, frames)
        device = recipe.noise.device
        self._rows = Row(
            *(torch.zeros((total, *value.shape), dtype=value.dtype, device=device) for value in recipe.row(0))
        )
        wide = total + self._extra
        for name, value in recipe.network_row(0, False).items():
            shape = (*value.shape, wide) if name in ROWS_SECOND else (wide, *value.shape)
            self._inputs[name] = torch.zeros(shape, dtype=value.dtype, device=device)
        self._in_row = [None] * recipe.steps
        for k in range(recipe.steps):
            self._write(k, entry)

    def _write(self, k: int, entry: Entry) -> None:
        """Put the recipe of frames that arrive in row k there."""
        frames = len(entry.tags)
        place = slice(k * frames, (k + 1) * frames)
        for values, value in zip(self.rows, entry.recipe.row(k), strict=True):
            values[place] = value
        self._give(slice(place.start + self._extra, place.stop + self._extra), entry.recipe.network_row(k, False))
        if place.stop <= self._extra:
            self._give(place, entry.recipe.network_row(k, True))

    def _give(self, place: slice, row: NetworkInputs) -> None:
        for name, value in row.items():
            if name in ROWS_SECOND:
                self._inputs[name][:, place] = value[:, None]
            else:
                self._inputs[name][place] = value
