"""A few-step model of drawings from scratch: text encoder, UNet and ControlNet together, by regression of x0.

The networks predict v, and the loss is that of x0 in v's scale, at the timesteps that few-step samplers visit. An
error of epsilon at t = 999 is multiplied by 14.6 on the way to x0; one of v is not. Later rows start from the network's
own previous step, and from flat paintings, so that more steps add detail and a start picture keeps its colours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...stream.base.errors import ConfigError
from ...stream.base.folders import replacing_folder
from ...stream.base.progress import Progress, silent
from ...stream.base.quiet import quiet
from ..data.sample import Samples
from . import base_networks, crops, losses, seeds
from .adversary import Adversary, OfDrawnPictures, OfLatents
from .caches import captions_of, latents_of
from .data import Batch, Batches, still
from .devices import device_of, settle, settle_process
from .from_scratch import BaseConfig
from .models import Codec, load_autoencoder
from .noise import Noise, normal
from .predict import few_steps, lcm_steps, predict
from .regions import flat
from .sheets import psnr, sharpness, sheet, to_bytes, to_pictures
from .task import Loss, Now, Task, freeze
from .timesteps import Timesteps
from .tokens import build_tokenizer, load_tokenizer, token_ids

FLAT_FROM, FLAT_TO = 200, 800  # timesteps whose rows may start from a flat painting
COLOURS_BELOW = 600  # timesteps whose rows may lose their caption
LATENT_LIMIT = 5.0
VALIDATED = (999, 499, 259)


class BaseTask(Task):
    """The three networks, the frozen autoencoder and, later in the run, the adversary."""

    config: BaseConfig

    def __init__(
        self,
        config: BaseConfig,
        networks: base_networks.BaseNetworks,
        tokenizer: Any,
        vae: Any,
        batches: Batches,
        held: list[Batch],
    ) -> None:
        self.config, self.batches, self.held, self.tokenizer = config, batches, held, tokenizer
        self.device = device_of(config)
        settle_process(config, self.device)
        self.networks, self.codec = networks, Codec(vae)
        settle(self.trained().values(), config, self.device, train=True)
        settle([vae], config.model_copy(update={"torch_compile": False}), self.device, train=False)
        vae.eval()
        if config.decoder:
            settle([vae.decoder], config, self.device, train=True)
        freeze(self.parameters(), config.frozen)
        self.noise = Noise.of(base_networks.scheduler(config.original_inference_steps), self.device)
        self.timesteps = Timesteps.of(
            config.original_inference_steps,
            config.named_timesteps,
            config.first_share,
            config.named_share,
            config.low_share,
        )
        with seeds.new_weights(config.seed, 1):
            channels, reduction = networks.unet.config.in_channels, self.codec.reduction
            network = OfDrawnPictures() if config.gan_sees == "pictures" else OfLatents(channels, reduction)
            gan = config.gan_learning_rate, config.gan_weight, config.gan_from
            self.adversary = Adversary(network, self.device, *gan)
        self._known: dict[str, Tensor] = {}

    @classmethod
    def of(
        cls, config: BaseConfig, samples: Samples, held: Samples, progress: Progress = silent, cache: bool = True
    ) -> BaseTask:
        device = device_of(config)
        vae = load_autoencoder(config.autoencoder).to(device).eval().requires_grad_(False)
        codec = Codec(vae)
        if config.crop and config.crop % codec.reduction:
            raise ConfigError(f"crop: got {config.crop}, expected a multiple of {codec.reduction}")
        channels = config.networks.conditioning_channels
        if not config.init and 2 ** (len(channels) - 1) != codec.reduction:
            raise ConfigError(
                f"networks.conditioning_channels: got {len(channels)} numbers, which make {2 ** (len(channels) - 1)} "
                f"pixels one, but a latent of the autoencoder has {codec.reduction}"
            )
        if config.init:
            networks, tokenizer = base_networks.read(config.init)
        else:
            tokenizer = _tokenizer(config, samples, keep=cache)
            networks = base_networks.build(config, tokenizer, vae.config.latent_channels, codec.reduction)
        latents = latents_of(vae, config, samples, device, progress) if cache else None
        batches = Batches(samples, config.data, config.train_batch_size, config.seed, latents)
        return cls(config, networks, tokenizer, vae, batches, still(held, config.data, config.validation_samples))

    def trained(self) -> dict[str, nn.Module]:
        nets = self.networks
        decoder = {"decoder": self.codec.vae.decoder} if self.config.decoder else {}
        return {"unet": nets.unet, "controlnet": nets.controlnet, "text_encoder": nets.text_encoder, **decoder}

    def extra(self) -> dict[str, Any]:
        return {"adversary": self.adversary} if self.config.gan_weight else {}

    # --- the loss, in the order of a step

    def loss(self, batch: Batch, now: Now) -> Loss:
        config = self.config
        z0 = self.codec.latents(batch)  # (B, C, h, w)
        control, count = batch.control(), len(batch)
        t = self.timesteps.draw(count, now.random)  # on the CPU
        text = self.text(self._captions(batch, t, now.random))
        x = self._start(z0, t, batch, now.random)
        if torch.rand((), generator=now.random) < config.rollout and now.share >= config.rollout_from:
            x = self._own_start(x, t, text, control, now.random)
        t = t.to(self.device)
        x0 = self.noise.x0(x, self._v(x, t, text, control), t)
        regression = losses.regression(x0, z0, self._scale(t))
        total, parts = regression, {"latent": regression, "x0_mse": losses.weighted_mse(x0, z0).detach()}
        if config.crop_weight and now.share >= config.crop_from:
            got, truth, drawn = self._crops(x0, batch, control, now)
            parts["crop"] = losses.picture_l1(got, truth)
            if config.texture_weight:
                parts["texture"] = losses.texture(got, truth)
                parts["crop"] = parts["crop"] + config.texture_weight * parts["texture"]
            total = total + config.crop_weight * parts["crop"]
            if config.gan_sees == "pictures":
                parts |= self.adversary.parts(truth, got, config.crop_weight * parts["crop"], now, drawn)
        if config.gan_sees == "latents":
            parts |= self.adversary.parts(z0, x0, regression, now, batch.drawn())
        return Loss(total + parts.get("pull", 0.0), parts)

    def text(self, captions: Sequence[str]) -> Tensor:
        """(B, L, D), with gradients."""
        new = [caption for caption in dict.fromkeys(captions) if caption not in self._known]
        if new:
            self._known.update(zip(new, token_ids(self.tokenizer, new), strict=True))
        ids = torch.stack([self._known[caption] for caption in captions]).to(self.device)
        return self.networks.text_encoder(ids)[0]

    def _captions(self, batch: Batch, t: Tensor, random: torch.Generator) -> list[str]:
        dropped = (torch.rand(len(t), generator=random) < self.config.low_caption_dropout) & (t < COLOURS_BELOW)
        return ["" if gone else caption for caption, gone in zip(batch.captions, dropped.tolist(), strict=True)]

    def _start(self, z0: Tensor, t: Tensor, batch: Batch, random: torch.Generator) -> Tensor:
        """x_t of each row: of the picture, of its flat painting, or nothing but noise."""
        noise = normal(z0.shape, random, self.device)
        chance, pure = torch.rand(2, len(t), generator=random)
        painted = (chance < self.config.flattened) & (t >= FLAT_FROM) & (t <= FLAT_TO)
        nothing = (t == self.timesteps.last) & (pure < self.config.first_pure)
        begin = torch.where(_rows(painted, z0), flat(z0, batch.labels), z0) if painted.any() else z0
        x = self.noise.add(begin, noise, t.to(self.device))
        return torch.where(_rows(nothing, x), noise, x)

    @torch.no_grad()
    def _own_start(self, x: Tensor, t: Tensor, text: Tensor, control: Tensor, random: torch.Generator) -> Tensor:
        """Rows after the first timestep start from what the network itself makes of nothing but noise, as users' do.

        One step before them is the first; for half of them there is another one in between.
        """
        rows = (t < self.timesteps.last).nonzero().flatten()
        if not len(rows):
            return x
        text, control = (each[rows.to(self.device)] for each in (text, control))
        between, same = torch.rand(2, len(rows), generator=random) < 0.5
        noise, fresh = (normal((len(rows), *x.shape[1:]), random, self.device) for _ in range(2))
        first = torch.full((len(rows),), self.timesteps.last, device=self.device)
        guess = self._guess(noise, first, text, control)
        again = torch.where(_rows(same, noise), noise, fresh)  # a stream keeps its noise, LCMScheduler draws anew
        step = self.timesteps.before(t[rows])
        some = (between & (step < self.timesteps.last)).nonzero().flatten().to(self.device)
        if len(some):
            middle = step.to(self.device)[some]
            earlier = self.noise.add(guess[some], again[some], middle)
            guess[some] = self._guess(earlier, middle, text[some], control[some])
        x = x.clone()
        x[rows.to(self.device)] = self.noise.add(guess, again, t[rows].to(self.device))
        return x

    def _guess(self, x: Tensor, t: Tensor, text: Tensor, control: Tensor) -> Tensor:
        """The network's own clean latents, kept in the range that latents have."""
        return self.noise.x0(x, self._v(x, t, text, control), t).clamp(-LATENT_LIMIT, LATENT_LIMIT)

    def _v(self, x: Tensor, t: Tensor, text: Tensor, control: Tensor) -> Tensor:
        if self.config.channels_last:
            x, control = (each.contiguous(memory_format=torch.channels_last) for each in (x, control))
        return predict(self.networks.unet, [(self.networks.controlnet, 1.0)], x, t, text, [control])

    def _scale(self, t: Tensor) -> Tensor:
        """An error of x0 times this is one of v; at most twice."""
        _, blur = self.noise.signal(t)
        return 1 / blur.clamp(min=0.5)

    def _crops(self, x0: Tensor, batch: Batch, control: Tensor, now: Now) -> tuple[Tensor, Tensor, Tensor]:
        """Decoded crops, one of each of some rows, all at the same place, their truths and what was drawn; without
        their borders where these are not the picture's."""
        reduction = self.codec.reduction
        stride = max(1, round(1 / self.config.crop_share))
        rows = torch.arange(now.step % stride, len(batch), stride)
        if not len(rows):
            rows = torch.arange(len(batch))
        height, width = x0.shape[-2:]
        size = self.config.crop // reduction or height
        y, x = (crops.place(size, side, now.random) for side in (height, width))
        rows = rows.to(self.device)
        got = self.codec.decode(x0[rows, :, y : y + size, x : x + size])
        inside, outside = crops.counted((y, x), size, (height, width), reduction)
        return got[..., *inside], to_pictures(batch.picture[rows, *outside]), control[rows, :, *outside]

    # --- what it is measured by

    @torch.no_grad()
    def generate(self, batch: Batch, steps: Sequence[int]) -> Tensor:
        """Latents (B, C, h, w) of these timesteps, from noise that belongs to each sample, new at every step."""
        text, control = self.text(batch.captions), batch.control()
        sides = [side // self.codec.reduction for side in control.shape[-2:]]
        draw = self._draw(batch, (self.networks.unet.config.in_channels, *sides))
        return few_steps(lambda x, t: self._v(x, t, text, control), self.noise, draw, steps)

    def _draw(self, batch: Batch, shape: tuple[int, ...]) -> Callable[[], Tensor]:
        """Gives noise (B, *shape) that belongs to each sample, new at every call."""
        randoms = [seeds.generator(self.config.seed, seeds.VALIDATION, int(index)) for index in batch.index]
        return lambda: torch.stack([torch.randn(shape, generator=each) for each in randoms]).to(self.device)

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        found: dict[str, list[Tensor]] = {}
        put = lambda name, value: found.setdefault(name, []).append(value.float().cpu().reshape(-1))
        for batch in (each.to(self.device) for each in self.held):
            z0, truth = self.codec.encode(batch.pictures()), batch.pictures()
            control, text = batch.control(), self.text(batch.captions)
            noise = self._draw(batch, z0.shape[1:])()
            for step in VALIDATED:
                t = torch.full((len(batch),), step, device=self.device)
                x = noise if step == self.timesteps.last else self.noise.add(z0, noise, t)
                x0 = self.noise.x0(x, self._v(x, t, text, control), t)
                put(f"x0_mse_{step}", (x0 - z0).square().mean((1, 2, 3)))
            for count in (1, 4):
                got = self.codec.decode(self.generate(batch, self._steps(count)))
                put(f"psnr_{count}", psnr(got, truth))
                put(f"sharpness_{count}", sharpness(got) / sharpness(truth).clamp(min=1e-6))
        return {name: torch.cat(values).mean().item() for name, values in found.items()}

    def _steps(self, count: int) -> list[int]:
        return lcm_steps(count, self.config.original_inference_steps)

    @torch.no_grad()
    def pictures(self) -> np.ndarray | None:
        if not self.held:
            return None
        batch = self.held[0].to(self.device)
        shown = self.config.validation_pictures
        rows = {"sketch": batch.control() * 2 - 1}
        for count in (1, 4):
            rows[f"{count} step{'s' * (count > 1)}"] = self.codec.decode(self.generate(batch, self._steps(count)))
        rows["truth"] = batch.pictures()
        return sheet({name: to_bytes(values)[:shown] for name, values in rows.items()})

    # --- what it leaves

    def write(self, folder: Path) -> None:
        """A pipeline in half precision, as ``StableDiffusionControlNetPipeline.from_pretrained`` reads it."""
        from diffusers import StableDiffusionControlNetPipeline

        networks = {name: module for name, module in self.trained().items() if name != "decoder"}
        parts = {name: _half(module) for name, module in {"vae": self.codec.vae, **networks}.items()}
        parts |= {"safety_checker": None, "feature_extractor": None}
        pipe = StableDiffusionControlNetPipeline(
            tokenizer=self.tokenizer,
            scheduler=base_networks.scheduler(self.config.original_inference_steps),
            requires_safety_checker=False,
            **parts,
        )
        pipe.save_pretrained(folder, safe_serialization=True)


def _rows(chosen: Tensor, like: Tensor) -> Tensor:
    """A mask of rows (B,) as (B, 1, 1, 1) on the device of another tensor."""
    return chosen.view(-1, 1, 1, 1).to(like.device)


def _half(module: Any) -> Any:
    """A copy in half precision with the usual layout; the original trains on."""
    config = module.config
    made = type(module).from_config(config) if hasattr(type(module), "from_config") else type(module)(config)
    made.load_state_dict({name: value.cpu() for name, value in module.state_dict().items()})
    if hasattr(made, "register_to_config"):
        made.register_to_config(_name_or_path="")  # where it began is in the notes
    return made.to(torch.float16).eval()


def _tokenizer(config: BaseConfig, samples: Samples, keep: bool) -> Any:
    """That of the output folder, else one for the words of the captions, which is kept there."""
    folder, length = config.folder / "tokenizer", config.networks.max_tokens
    if (folder / "vocab.json").is_file():
        return load_tokenizer(folder)
    captions = captions_of(samples)
    with quiet():
        if not keep:
            with TemporaryDirectory() as place:
                return build_tokenizer(captions, Path(place), length)
        with replacing_folder(folder) as part:
            build_tokenizer(captions, part, length)
    return load_tokenizer(folder)
