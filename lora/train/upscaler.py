"""A network that makes pictures twice as large: pictures at full size, and what a model would have painted of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...stream.base.errors import ConfigError
from ...stream.base.progress import Progress, silent
from ..data.sample import Samples
from ..upscaler import SCALE, Upscaler, bicubic, write_upscaler
from . import losses, seeds
from .data import Batch, Batches, still
from .devices import device_of, settle, settle_process
from .from_scratch import UpscalerConfig
from .models import Codec, load_autoencoder
from .noise import normal
from .sheets import psnr, sharpness, sheet, to_bytes, to_pictures
from .task import Loss, Now, Task

SIGMA = 1.5  # pixels of the large picture, of unsharp masking
BLUR_REACH = 3  # pixels
ALONE = 4  # pixels of a small crop's border that have no context, and are not learned from


class UpscalerTask(Task):
    """Crops of pictures, made half as large; most of them as the autoencoder of a model gives them back."""

    config: UpscalerConfig

    def __init__(self, config: UpscalerConfig, batches: Batches, held: list[Batch]) -> None:
        self.config, self.batches, self.held = config, batches, held
        self.device = device_of(config)
        settle_process(config, self.device)
        with seeds.new_weights(config.seed):
            self.network: Any = Upscaler(config.channels, config.blocks)
        settle([self.network], config, self.device, train=True)
        self.codec: Codec | None = None
        if config.autoencoder:
            vae = load_autoencoder(config.autoencoder)
            settle([vae], config, self.device, train=False)
            self.codec = Codec(vae)

    @classmethod
    def of(
        cls, config: UpscalerConfig, samples: Samples, held: Samples, progress: Progress = silent, cache: bool = True
    ) -> UpscalerTask:
        if config.crop > config.data.size:
            raise ConfigError(f"crop: got {config.crop}, expected at most data.size = {config.data.size}")
        batches = Batches(samples, config.data, config.train_batch_size, config.seed)
        return cls(config, batches, still(held, config.data, config.validation_samples))

    def trained(self) -> dict[str, nn.Module]:
        return {"upscaler": self.network}

    def loss(self, batch: Batch, now: Now) -> Loss:
        truth = self._crops(batch, now.random)  # (B, 3, crop, crop) in [-1, 1]
        small, painted = self._seen(_halved(truth), now.random)  # (B, 3, crop / 2, crop / 2), (B, 1, 1, 1)
        border = ALONE * SCALE
        sharper = losses.sharpened(truth, self.config.sharpen, SIGMA).clamp(-1, 1)
        wanted = torch.where(painted, sharper, truth)
        difference = (self.network(small).float() - wanted)[..., border:-border, border:-border]
        parts = {"l1": difference.abs().mean(), "gradient": losses.gradients(difference)}
        return Loss(parts["l1"] + self.config.gradient_weight * parts["gradient"], parts)

    @torch.no_grad()
    def _seen(self, small: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Small pictures as the network is given them, and which of them are as a model would have painted them; the
        others stay as they are, for what is enlarged twice."""
        if self.codec is None:
            return small, torch.zeros(len(small), 1, 1, 1, dtype=torch.bool, device=small.device)
        painted = (torch.rand(len(small), generator=random) < self.config.painted).to(small.device).view(-1, 1, 1, 1)
        sigma = self.config.blur * torch.rand(len(small), generator=random)
        noise = normal((len(small), *self._latent(small)), random, small.device)
        z = self.codec.encode(_blurred(small, sigma.to(small.device))) + self.config.latent_noise * noise
        return torch.where(painted, self.codec.decode(z).clamp(-1, 1), small), painted

    def _latent(self, small: Tensor) -> tuple[int, ...]:
        assert self.codec is not None
        side = [size // self.codec.reduction for size in small.shape[2:]]
        return self.codec.vae.config.latent_channels, *side

    def _crops(self, batch: Batch, random: torch.Generator) -> Tensor:
        """``crops`` of each picture, on the grid of the autoencoder: reading a picture takes longer than learning."""
        crop, grid, each = self.config.crop, 16, self.config.crops
        places = (batch.picture.shape[1] - crop) // grid + 1
        corners = (torch.randint(0, places, (len(batch) * each, 2), generator=random) * grid).tolist()
        rows = [batch.picture[row // each, y : y + crop, x : x + crop] for row, (y, x) in enumerate(corners)]
        layout = torch.channels_last if self.config.channels_last else torch.contiguous_format
        return to_pictures(torch.stack(rows)).contiguous(memory_format=layout)

    def measure(self) -> dict[str, float]:
        found: dict[str, list[Tensor]] = {}
        for x, ways in self._held():
            for name, got in ways.items():
                found.setdefault(f"{name}_psnr_db", []).append(psnr(got, x))
                found.setdefault(f"{name}_sharpness", []).append(sharpness(got) / sharpness(x).clamp(min=1e-6))
        return {name: torch.cat(values).mean().item() for name, values in found.items()}

    def pictures(self) -> np.ndarray | None:
        for x, ways in self._held():
            shown = self.config.validation_pictures
            rows = {"truth": x} | {name.replace("_", " "): got for name, got in ways.items()}
            return sheet({name: to_bytes(each)[:shown] for name, each in rows.items()})
        return None

    def _held(self) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        """Held-out pictures, and what is made of them half as large: as they are, and as the model paints them."""
        for batch in self.held:
            for start in range(0, len(batch), 4):  # large pictures take memory
                x = to_pictures(batch.picture[start : start + 4].to(self.device))
                small = _halved(x)
                ways = {"bicubic": bicubic(small), "upscaled": self.network(small).float()}
                if self.codec is not None:
                    painted = self.codec.decode(self.codec.encode(small)).clamp(-1, 1)
                    ways |= {"painted_bicubic": bicubic(painted), "painted_upscaled": self.network(painted).float()}
                yield x, ways

    def write(self, folder: Path) -> None:
        write_upscaler(self.network, folder)


def _halved(pictures: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 3, H / 2, W / 2), each pixel the mean of four."""
    return F.avg_pool2d(pictures, SCALE)


def _blurred(pictures: Tensor, sigma: Tensor) -> Tensor:
    """(B, 3, H, W), each blurred by a Gaussian of its own ``sigma`` (B,) in pixels."""
    count, channels, height, width = pictures.shape
    places = torch.arange(-BLUR_REACH, BLUR_REACH + 1, device=sigma.device)
    weights = torch.exp(-0.5 * (places / sigma.clamp(min=0.05)[:, None]).square())  # (B, 7)
    weights = (weights / weights.sum(1, keepdim=True)).repeat_interleave(channels, 0)[:, None, None]  # (B C, 1, 1, 7)
    flat = F.pad(pictures, (BLUR_REACH,) * 4, mode="replicate").reshape(
        1, count * channels, *(side + 2 * BLUR_REACH for side in (height, width))
    )
    with torch.autocast(pictures.device.type, enabled=False):
        across = F.conv2d(flat, weights, groups=count * channels)
        return F.conv2d(across, weights.transpose(2, 3), groups=count * channels).view_as(pictures)
