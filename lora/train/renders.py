"""Latents that a model makes of drawings: what its decoder gets once people draw, beside what an encoder would give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...stream.errors import ConfigError
from ..data.sample import Samples
from . import caches, seeds
from .data import control_images
from .models import Codec, controlnets_of, load_model
from .noise import Noise
from .predict import few_steps, lcm_steps, predict
from .tuned import encoder_of

STEPS = (1, 2, 4)  # a drawing gets one of these numbers of steps, in turn


class Renders:
    """A model, and the latents (C, h, w) that it makes of samples: of their sketch with their first caption."""

    def __init__(self, model: str, device: torch.device, seed: int, half: bool = True) -> None:
        """Raises ModelError, and ConfigError for a model without exactly one ControlNet."""
        self.pipe = load_model(model, device, [(None, 1.0)])
        self.nets = controlnets_of(self.pipe)
        if len(self.nets) != 1:
            raise ConfigError(f"generator: got {model} with {len(self.nets)} ControlNets, expected one")
        self.device, self.seed, self.codec = device, seed, Codec(self.pipe.vae)
        self.noise = Noise.of(self.pipe.scheduler, device)
        self._text = encoder_of(self.pipe)
        self.half = half
        self._kept: Any = np.zeros((0,))

    def keep(self, folder: Path, samples: Samples, count: int, progress: Callable[..., Any] | None = None) -> None:
        """Make those of the first ``count`` samples, or take them from the folder where they are there."""
        networks = [self.pipe.unet, *self.nets, self.pipe.text_encoder]
        key = caches.fingerprint(count, self.seed, self.half, *networks)
        path = folder / f"renders-{caches.data_fingerprint(samples)}-{key}.npy"
        folder.mkdir(parents=True, exist_ok=True)
        if not path.is_file():

            def rows(start: int, stop: int) -> np.ndarray:
                some = [samples[each] for each in range(start, stop)]
                lines = torch.from_numpy(np.stack([sample.sketch for sample in some]))
                return self.of(lines, [sample.captions[0] for sample in some], range(start, stop)).numpy()

            caches.fill(path, count, rows, progress, "renders")
        self._kept = np.load(path, mmap_mode="r")

    @torch.no_grad()
    def of(self, lines: Tensor, captions: Sequence[str], numbers: Sequence[int]) -> Tensor:
        """(B, C, h, w) float16 on the CPU, as an encoder gives them, for lines (B, H, W) uint8.

        A sample's noise and its number of steps follow from its number.
        """
        made: list[Any] = [None] * len(captions)
        for place, steps in enumerate(STEPS):
            rows = [row for row, number in enumerate(numbers) if number % len(STEPS) == place]
            if rows:
                found = self._made(lines[rows], [captions[row] for row in rows], [numbers[row] for row in rows], steps)
                for row, latent in zip(rows, found, strict=True):
                    made[row] = latent
        return torch.stack(made).half()

    def _made(self, lines: Tensor, captions: list[str], numbers: list[int], steps: int) -> Tensor:
        control = control_images(lines.to(self.device), None, torch.zeros(len(lines), dtype=torch.bool))
        text = self._text(captions)[0]
        sides = [side // self.codec.reduction for side in control.shape[-2:]]
        shape = (self.pipe.unet.config.in_channels, *sides)
        randoms = [seeds.generator(self.seed, seeds.SAMPLE, number) for number in numbers]
        draw = lambda: torch.stack([torch.randn(shape, generator=each) for each in randoms]).to(self.device)
        net = [(self.nets[0], 1.0)]
        with torch.autocast(self.device.type, torch.bfloat16) if self.half else nullcontext():
            x0 = few_steps(
                lambda x, t: predict(self.pipe.unet, net, x, t, text, [control]), self.noise, draw, lcm_steps(steps)
            )
        return (x0 / self.codec.scale + self.codec.shift).float().cpu()

    def put(self, latents: Tensor, index: Tensor, corners: Tensor) -> Tensor:
        """``latents`` (B, C, h, w) of crops, with those of the samples that are kept instead, cut alike.

        ``index`` (B,) says which samples, negative for none of them; ``corners`` (B, 2) where, in latents.
        """
        side, made = latents.shape[-1], latents.clone()
        for row, (number, (y, x)) in enumerate(zip(index.tolist(), corners.tolist(), strict=True)):
            if 0 <= number < len(self._kept):
                made[row] = torch.from_numpy(self._kept[number, :, y : y + side, x : x + side].copy()).to(made)
        return made
