"""What trainings on top of a model share: its frozen parts, texts, latents, noise, and pictures of where they stand."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from ...stream.base.errors import ConfigError
from ...stream.base.progress import Progress, silent
from ..data.palette import NUMBER
from ..data.sample import Samples
from . import seeds
from .augment import BACKGROUND
from .caches import Texts, captions_of, fingerprint, latents_of
from .conditions import condition_images
from .data import Batch, Batches, still
from .devices import device_of, lay_out, settle, settle_process
from .kinds import ControlNetConfig, TunedConfig
from .models import Codec, controlnets_of, load_model
from .noise import Noise, normal
from .predict import predict
from .sheets import sheet, to_bytes
from .task import Task

VALIDATED = (100, 300, 500, 700, 900)  # timesteps of the validation loss


class TunedTask(Task):
    """A frozen pipeline and something in it that is trained. ``texts`` give (L, D), and SDXL's pooled (P,)."""

    config: TunedConfig

    def __init__(self, config: TunedConfig, pipe: Any, batches: Batches, held: list[Batch], texts: Texts) -> None:
        self.config, self.pipe, self.batches, self.held, self.texts = config, pipe, batches, held, texts
        self.device = device_of(config)
        settle_process(config, self.device)
        self.codec = Codec(pipe.vae)
        self.unet: Any = pipe.unet
        self.controlnets = controlnets_of(pipe) if config.conditions else []
        self.noise = Noise.of(pipe.scheduler, self.device)
        self.train_steps = int(pipe.scheduler.config.num_train_timesteps)
        self.begin()
        if len(self.controlnets) != len(config.conditions):
            raise ConfigError(
                f"conditions: got {len(config.conditions)}, but the model has {len(self.controlnets)} ControlNets; "
                "name one in each condition, or set conditions: []"
            )
        frozen = [each for each in (self.unet, *self.controlnets) if each not in set(self.trained().values())]
        settle(frozen, config.model_copy(update={"torch_compile": False}), self.device, train=False)
        for network in self.trained().values():
            lay_out(network, config, self.device)

    @classmethod
    def of(
        cls,
        config: TunedConfig,
        samples: Samples,
        held: Samples,
        progress: Progress = silent,
        cache: bool = True,
        pipe: Any = None,
    ) -> Self:
        """As ``Task.of``; ``pipe``: a pipeline that is there already, whose networks are changed."""
        pipe = pipe or load_for(config, progress)
        return cls(config, pipe, *prepared(config, samples, held, pipe, progress, cache))

    @abstractmethod
    def begin(self) -> None:
        """Make what is trained out of the frozen parts."""

    # --- one prediction

    def text(self, captions: Sequence[str]) -> tuple[Tensor, dict[str, Tensor] | None]:
        """((B, L, D), what SDXL takes besides)."""
        found = self.texts(captions, self.device)
        if len(found) == 1:
            return found[0], None
        side = float(self.config.data.size)
        ids = torch.tensor([[side, side, 0.0, 0.0, side, side]], device=self.device)
        return found[0], {"text_embeds": found[1], "time_ids": ids.expand(len(captions), -1)}

    def conditions(self, batch: Batch) -> list[Tensor]:
        """The image of every ControlNet."""
        return condition_images(self.config.conditions, batch) if self.controlnets else []

    def scaled(self) -> list[tuple[Any, float]]:
        """Every ControlNet with its scale."""
        scales = [each.conditioning_scale for each in self.config.conditions]
        return list(zip(self.controlnets, scales, strict=True)) if self.controlnets else []

    def noised(self, z0: Tensor, random: torch.Generator, t: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """(x_t, noise, t) with t uniform where none is given."""
        noise = normal(z0.shape, random, self.device)
        if self.config.noise_offset:
            noise = noise + self.config.noise_offset * normal((*z0.shape[:2], 1, 1), random, self.device)
        if t is None:
            t = torch.randint(0, self.train_steps, (len(z0),), generator=random).to(self.device)
        return self.noise.add(z0, noise, t), noise, t

    def weight(self, t: Tensor) -> Tensor | None:
        """(B,) of min-SNR, or None."""
        return self.noise.min_snr_weight(t, self.config.snr_gamma) if self.config.snr_gamma is not None else None

    # --- what it is measured by

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """The loss of the prediction at fixed timesteps with fixed noise: the best sign of learning by heart."""
        found: dict[str, list[Tensor]] = {}
        for batch in (each.to(self.device) for each in self.held):
            z0, (text, added), images = self.codec.latents(batch), self.text(batch.captions), self.conditions(batch)
            random = seeds.generator(self.config.seed, seeds.VALIDATION, int(batch.index[0]))
            for step in VALIDATED:
                t = torch.full((len(batch),), min(step, self.train_steps - 1), device=self.device)
                x, noise, _ = self.noised(z0, random, t)
                got = predict(self.unet, self.scaled(), x, t, text, images, added, self._time_cond(len(batch)))
                rows = (got - self.noise.target(z0, noise, t)).square().mean((1, 2, 3)).cpu()
                found.setdefault(f"loss_{step}", []).append(rows)
        means = {name: torch.cat(rows).mean().item() for name, rows in found.items()}
        return {"loss": sum(means.values()) / len(means), **means} if means else {}

    def _time_cond(self, count: int) -> Tensor | None:
        """What a UNet that is told its guidance gets: no guidance."""
        width = self.unet.config.time_cond_proj_dim
        return None if not width else guidance_embedding(torch.zeros(count, device=self.device), width)

    @torch.no_grad()
    def pictures(self) -> np.ndarray | None:
        if not self.held:
            return None
        batch = self.held[0].to(self.device)
        rows = {"sketch": batch.control() * 2 - 1}
        rows[f"{self.config.validation_inference_steps} steps"] = self.codec.decode(self.generate(batch))
        rows["truth"] = batch.pictures()
        return sheet({name: to_bytes(each)[: self.config.validation_pictures] for name, each in rows.items()})

    @torch.no_grad()
    def generate(self, batch: Batch) -> Tensor:
        """Latents (B, C, h, w) by the pipeline's own scheduler, without guidance."""
        scheduler = type(self.pipe.scheduler).from_config(self.pipe.scheduler.config)
        scheduler.set_timesteps(self.config.validation_inference_steps, device=self.device)
        (text, added), images = self.text(batch.captions), self.conditions(batch)
        random = seeds.generator(self.config.seed, seeds.VALIDATION)
        side = batch.picture.shape[1] // self.codec.reduction
        x = normal((len(batch), self.unet.config.in_channels, side, side), random, self.device)
        x = x * scheduler.init_noise_sigma
        for step in scheduler.timesteps:
            t = step.expand(len(batch)).to(self.device)
            scaled = scheduler.scale_model_input(x, step)
            got = predict(self.unet, self.scaled(), scaled, t, text, images, added, self._time_cond(len(batch)))
            more = {"generator": random} if "LCM" in type(scheduler).__name__ else {}
            x = scheduler.step(got, step, x, return_dict=False, **more)[0]
        return x


def guidance_embedding(w: Tensor, width: int) -> Tensor:
    """(B, width): sines and cosines of 1000 w, as LCM's UNet takes it (Kingma et al. 2021, arXiv:2107.00630)."""
    half = width // 2
    rates = torch.exp(torch.arange(half, device=w.device) * -(np.log(10_000.0) / (half - 1)))
    angles = w.float()[:, None] * 1000.0 * rates[None]
    return torch.cat([angles.sin(), angles.cos()], 1)


def encoder_of(pipe: Any) -> Callable[[list[str]], Sequence[Tensor]]:
    """Captions -> [(N, L, D)], and for SDXL [(N, L, D), (N, P)], as the pipeline encodes prompts."""

    @torch.no_grad()
    def encode(captions: list[str]) -> Sequence[Tensor]:
        found = pipe.encode_prompt(
            captions, device=pipe.text_encoder.device, num_images_per_prompt=1, do_classifier_free_guidance=False
        )
        return [found[0]] if len(found) == 2 else [found[0], found[2]]

    return encode


def prepared(
    config: TunedConfig, samples: Samples, held: Samples, pipe: Any, progress: Progress = silent, cache: bool = True
) -> tuple[Batches, list[Batch], Texts]:
    """Batches with cached latents and texts of a frozen pipeline."""
    texts = Texts(config.folder / "cache" if cache else None, _text_key(pipe), encoder_of(pipe))
    texts.prepare(captions_of(samples) if cache else [], progress)
    latents = None
    if cache and config.cache_latents:
        latents = latents_of(pipe.vae, config, samples, pipe.vae.device, progress)
    batches = Batches(samples, config.data, config.train_batch_size, config.seed, latents)
    return batches, still(held, config.data, config.validation_samples), texts


def _text_key(pipe: Any) -> str:
    encoders = [pipe.text_encoder, getattr(pipe, "text_encoder_2", None)]
    return fingerprint(*(each for each in encoders if each is not None))


def load_for(config: TunedConfig, progress: Progress = silent) -> Any:
    """The pipeline of a configuration with the ControlNets that its conditions name."""
    wanted = [(each.controlnet, each.conditioning_scale) for each in config.conditions]
    if isinstance(config, ControlNetConfig) and config.conditions[0].controlnet is None:
        wanted = []  # a new one is made of the UNet
    pipe = load_model(config.pretrained_model, device_of(config), wanted, progress)
    check_size(config, pipe)
    return pipe


def check_size(config: TunedConfig, pipe: Any) -> None:
    """Raises ConfigError when pictures of that size do not fit the networks."""
    levels = len(pipe.unet.config.block_out_channels) - 1
    step = Codec(pipe.vae).reduction * 2**levels
    if config.data.size % step:
        raise ConfigError(f"data.size: got {config.data.size}, expected a multiple of {step} for this model")


def background_weight(batch: Batch, less: float, like: Tensor) -> Tensor:
    """(B, 1, h, w): 1 at things, 1 - ``less`` at the background, in the size of latents."""
    if batch.labels is None:
        return torch.ones_like(like[:, :1])
    numbers = torch.tensor([NUMBER[name] for name in BACKGROUND], device=like.device)
    things = (~torch.isin(batch.labels, numbers)).float()[:, None]
    share = torch.nn.functional.interpolate(things, size=like.shape[-2:], mode="area")
    return 1 - less * (1 - share)
