"""A tiny autoencoder (Ollin Boer Bohan's TAESD shape, https://github.com/madebyollin/taesd) from pictures alone."""

from __future__ import annotations

import math
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
from . import crops, losses, seeds
from .adversary import Adversary, OfPictures
from .caches import latents_of
from .data import Batch, Batches, still
from .devices import device_of, settle, settle_process
from .from_scratch import AutoencoderConfig
from .models import Codec, load_autoencoder
from .noise import normal
from .sheets import psnr, sharpness, sheet, to_bytes, to_pictures
from .task import Loss, Now, Task

DECODER_BLOCKS = (3, 2, 1, 1)  # of the last stages; those before have as many as the first


class AutoencoderTask(Task):
    """Random crops, several per picture and step are never taken: variety counts more than pixels."""

    config: AutoencoderConfig

    def __init__(self, config: AutoencoderConfig, batches: Batches, held: list[Batch]) -> None:
        self.config, self.batches, self.held = config, batches, held
        self.device = device_of(config)
        settle_process(config, self.device)
        self.network: Any = _network(config)
        self.reduction = Codec(self.network).reduction
        if config.crop % self.reduction:
            raise ConfigError(f"crop: got {config.crop}, expected a multiple of {self.reduction}")
        settle([self.network.encoder], config, self.device, train=config.encoder is None)
        settle([self.network.decoder], config, self.device, train=True)
        self.start: Any = None
        if config.sharpen and config.init:
            self.start = load_autoencoder(config.init).decoder
            settle([self.start], config, self.device, train=False)
        with seeds.new_weights(config.seed, 1):
            gan = config.gan_learning_rate, config.gan_weight, config.gan_from
            self.adversary = Adversary(OfPictures(), self.device, *gan)

    @classmethod
    def of(
        cls, config: AutoencoderConfig, samples: Samples, held: Samples, progress: Progress = silent, cache: bool = True
    ) -> AutoencoderTask:
        if config.crop > config.data.size:
            raise ConfigError(f"crop: got {config.crop}, expected at most data.size = {config.data.size}")
        latents = None
        if config.encoder and cache:
            vae = load_autoencoder(config.encoder).to(device_of(config)).eval().requires_grad_(False)
            latents = latents_of(vae, config, samples, device_of(config), progress)
        batches = Batches(samples, config.data, config.train_batch_size, config.seed, latents)
        return cls(config, batches, still(held, config.data, config.validation_samples))

    def trained(self) -> dict[str, nn.Module]:
        return {"decoder": self.network.decoder} if self.config.encoder else {"vae": self.network}

    def extra(self) -> dict[str, Any]:
        return {"adversary": self.adversary} if self.config.gan_weight else {}

    def loss(self, batch: Batch, now: Now) -> Loss:
        config, vae = self.config, self.network
        corners = self._corners(batch, now.random)
        truth = x = self._crops(batch, corners)  # (B, 3, crop, crop) in [-1, 1]
        z = self._encoded(x) if batch.latent is None else self._cut(batch.latent, corners)
        if self.start is not None:
            x = self._sharper(z)
        if batch.latent is None and torch.rand((), generator=now.random) < config.equivariance:
            z, x = self._smaller(z, x, now.random)
            truth = x
        noise = normal(z.shape, now.random, z.device)
        got = vae.decoder(z + config.latent_noise * noise).float()
        if batch.latent is not None:
            counts = self._counts(corners, batch)
            truth, x, got = (each * counts for each in (truth, x, got))
        difference = got - x
        parts = {
            "mse": difference.square().mean(),
            "l1": difference.abs().mean(),
            "chroma": losses.chroma(got, x),
            "gradient": losses.gradients(difference),
            **({"texture": losses.texture(got, x)} if config.texture_weight else {}),
            "correlation": losses.correlation(z),
            "standard": losses.standardised(z),
        }
        total = x.new_zeros(())
        for name, value in parts.items():
            total = total + getattr(config, f"{name}_weight") * value
        near = config.mse_weight * parts["mse"] + config.l1_weight * parts["l1"]
        parts |= self.adversary.parts(truth, got, near, now)
        return Loss(total + parts.get("pull", 0.0), parts)

    def _smaller(self, z: Tensor, x: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Latents and pictures between a third and three quarters as large."""
        whole = z.shape[-1]
        side = int(torch.randint(math.ceil(whole / 3), max(2, 3 * whole // 4) + 1, (), generator=random))
        sized = lambda values, to: F.interpolate(values, (to, to), mode="bicubic", antialias=True)
        return sized(z, side), sized(x, side * self.reduction).clamp(-1, 1)

    @torch.no_grad()
    def _sharper(self, z: Tensor) -> Tensor:
        """What init's decoder makes of latents, sharpened."""
        return losses.sharpened(self.start(z).float().clamp(-1, 1), self.config.sharpen)

    def _cut(self, latents: Tensor, corners: Tensor) -> Tensor:
        """Of latents (B, C, h, w) of whole pictures those of the crops that begin there.

        A crop that is encoded by itself has borders in its latents, which no latents of a whole picture have.
        """
        side, codec = self.config.crop // self.reduction, Codec(self.network)
        latents = latents.float()
        rows = [latents[row, :, y : y + side, x : x + side] for row, (y, x) in enumerate(corners.tolist())]
        return torch.stack(rows) / codec.scale + codec.shift

    def _counts(self, corners: Tensor, batch: Batch) -> Tensor:
        """(B, 1, crop, crop): 1 where crops that were cut out of whole latents count, see ``crops``, else 0."""
        size, side = self.config.crop // self.reduction, batch.picture.shape[1] // self.reduction
        mask = torch.zeros((len(batch), 1, self.config.crop, self.config.crop), device=batch.picture.device)
        for row, (y, x) in enumerate(corners.tolist()):
            inside, _ = crops.counted((y, x), size, (side, side), self.reduction)
            mask[row, :, *inside] = 1.0
        return mask

    def _encoded(self, x: Tensor) -> Tensor:
        """Latents of crops, float32; of an encoder that stays as it is without gradients."""
        with torch.set_grad_enabled(self.config.encoder is None):
            return self.network.encoder(x).float()

    def _corners(self, batch: Batch, random: torch.Generator) -> Tensor:
        """(B, 2): the upper left corner of one crop of each picture, in latents."""
        size, side = self.config.crop // self.reduction, batch.picture.shape[1] // self.reduction
        return torch.tensor([[crops.place(size, side, random) for _ in range(2)] for _ in range(len(batch))])

    def _crops(self, batch: Batch, corners: Tensor) -> Tensor:
        """The crops that begin there, (B, 3, crop, crop) in [-1, 1]."""
        crop, places = self.config.crop, (corners * self.reduction).tolist()
        cut = torch.stack(
            [batch.picture[row, y : y + crop, x : x + crop] for row, (y, x) in enumerate(places)]
        )  # (B, crop, crop, 3)
        layout = torch.channels_last if self.config.channels_last else torch.contiguous_format
        return to_pictures(cut).contiguous(memory_format=layout)

    def measure(self) -> dict[str, float]:
        found: dict[str, list[Tensor]] = {"psnr_db": [], "sharpness": []}
        latents = []
        for x, z, got in self._held():
            found["psnr_db"].append(psnr(got, x))
            found["sharpness"].append(sharpness(got) / sharpness(x).clamp(min=1e-6))
            latents.append(z.float())
        if not latents:
            return {}
        z = torch.cat(latents)
        figures = {name: torch.cat(values).mean().item() for name, values in found.items()}
        return figures | {"latent_std": z.std().item(), "latent_correlation": losses.correlation(z).item()}

    def pictures(self) -> np.ndarray | None:
        for x, _, got in self._held():
            shown = self.config.validation_pictures
            return sheet({"truth": to_bytes(x)[:shown], "reconstruction": to_bytes(got)[:shown]})
        return None

    def _held(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """(pictures, latents, reconstructions) of the held-out batches."""
        for batch in self.held:
            x = batch.to(self.device).pictures()
            z = self.network.encoder(x)
            yield x, z, self.network.decoder(z).float()

    def write(self, folder: Path) -> None:
        """``scaling_factor`` makes the latents' standard deviation 1; that of an encoder that stays, stays as well."""
        vae = _network(self.config)
        vae.load_state_dict(self.network.state_dict())
        if self.config.encoder is None:
            spread = torch.cat([self.network.encoder(self._some(place)).float() for place in range(4)]).std().item()
            vae.register_to_config(scaling_factor=round(1 / spread, 4), shift_factor=0.0)
        vae.to(memory_format=torch.contiguous_format).save_pretrained(folder)

    def _some(self, place: int) -> Tensor:
        """16 training pictures, always the same for a place."""
        rng = seeds.numpy_generator(self.config.seed, seeds.VALIDATION, place)
        chosen = [(int(index), rng) for index in rng.integers(0, len(self.batches.samples), 16)]
        return self.batches.of(chosen).to(self.device).pictures()


def _network(config: AutoencoderConfig) -> Any:
    from diffusers import AutoencoderTiny

    start = load_autoencoder(config.init) if config.init else None
    if config.encoder is None and start is not None:
        return start
    widths: Any = (config.channels,) * len(config.encoder_blocks)
    settings: dict[str, Any] = {
        "encoder_block_out_channels": widths,
        "num_encoder_blocks": config.encoder_blocks,
        "latent_channels": config.latent_channels,
    }
    kept = load_autoencoder(config.encoder) if config.encoder else None
    if kept is not None:
        names = ("encoder_block_out_channels", "num_encoder_blocks", "latent_channels", "scaling_factor")
        settings |= {name: kept.config[name] for name in names}
    stages = len(settings["encoder_block_out_channels"])
    settings["decoder_block_out_channels"] = (config.channels,) * stages
    settings["num_decoder_blocks"] = config.decoder_blocks or _usual_blocks(stages)
    if start is not None:
        settings["decoder_block_out_channels"] = start.config["decoder_block_out_channels"]
        settings["num_decoder_blocks"] = _blocks(tuple(start.config["num_decoder_blocks"]), config.decoder_blocks)
        if start.config.latent_channels != settings["latent_channels"]:
            got = start.config.latent_channels
            raise ConfigError(f"init: got {got} latent channels, the encoder has {settings['latent_channels']}")
    with seeds.new_weights(config.seed):
        made = AutoencoderTiny(**settings)
        _pass_on(made.encoder, made.decoder)
    if kept is not None:
        made.encoder.load_state_dict(kept.encoder.state_dict())
    if start is not None:
        _grow(made.decoder, start.decoder)
    return made


@torch.no_grad()
def _pass_on(*coders: Any) -> None:
    """Let convolutions without a shortcut, one after each change of size, begin near the identity.

    Through five stages of them random weights lose where things are: at 16 x 16 pixels a latent this is half a dB
    after 400 steps.
    """
    for layer in (layer for coder in coders for layer in coder.layers):
        if isinstance(layer, nn.Conv2d) and layer.in_channels == layer.out_channels:
            kernel = torch.zeros_like(layer.weight)
            if layer.stride[0] == 2:
                kernel[:, :, 1:, 1:] = 0.25 * torch.eye(layer.in_channels)[:, :, None, None]
            else:
                nn.init.dirac_(kernel)
            layer.weight.mul_(0.3).add_(kernel)


def _usual_blocks(stages: int) -> tuple[int, ...]:
    missing = stages - len(DECODER_BLOCKS)
    return (DECODER_BLOCKS[0],) * missing + DECODER_BLOCKS[max(0, -missing) :]


def _blocks(start: tuple[int, ...], asked: tuple[int, ...] | None) -> tuple[int, ...]:
    """Blocks of each stage of a decoder that begins as one with ``start``; raises ConfigError where it would shrink."""
    asked = asked or start
    fits = len(asked) == len(start) and all(new == old or new > old > 0 for old, new in zip(start, asked, strict=True))
    if not fits:
        raise ConfigError(
            f"decoder_blocks: got {list(asked)}, but init has {list(start)}, of which each but 0 may only grow"
        )
    return asked


def _grow(decoder: Any, start: Any) -> None:
    """Let a decoder begin as another one with as many or fewer blocks a stage: its other blocks change nothing.

    What leaves a block is at least 0, so that one after it whose last convolution is 0 passes it on.
    """
    left = [*start.layers]
    for layer in decoder.layers:
        if type(layer) is type(left[0]):
            layer.load_state_dict(left.pop(0).state_dict())
        else:
            nn.init.zeros_(layer.conv[-1].weight)
            nn.init.zeros_(layer.conv[-1].bias)
