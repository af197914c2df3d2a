"""LoRA training of attention, or of any modules, of the UNet and the ControlNets, in three modes.

**conventional** (Hu et al. 2021): W x + s B A x, where only A and B are trained. **modified**: W is trained as well,
under its delta; few pairs then change more than a delta alone could. **two-step**: modified first, both merged into
one weight, then a conventional delta on that for the fine structure.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...stream.base.errors import ConfigError
from ...stream.base.progress import Progress, silent
from ..data.sample import Samples
from . import adapters, losses
from .data import Batch, Batches, open_data
from .edges import EdgeLoss
from .from_scratch import BaseConfig
from .kinds import LoraConfig
from .loop import Finished, Loop
from .outputs import NOTES
from .predict import predict
from .task import Loss, Now
from .timesteps import Timesteps
from .tuned import TunedTask, background_weight, load_for, prepared

logger = logging.getLogger(__name__)
FIRST = "first-step"


class LoraTask(TunedTask):
    """Deltas in the networks that ``config.train`` names."""

    config: LoraConfig
    merging = False  # whether ``write`` gives weights with their deltas in them, and no deltas

    def begin(self) -> None:
        config = self.config
        if "controlnet" in config.train and not self.controlnets:
            raise ConfigError("train: got controlnet, but the model has none; name one in conditions")
        networks: dict[str, Any] = {"unet": self.unet} if "unet" in config.train else {}
        if "controlnet" in config.train:
            for number, net in enumerate(self.controlnets):
                networks["controlnet" if number == 0 else f"controlnet_{number}"] = net
        for network in (self.unet, *self.controlnets):
            network.requires_grad_(False)
        for number, network in enumerate(networks.values()):
            adapters.inject(
                network,
                config.target_modules,
                config.rank,
                config.alpha,
                config.lora_dropout,
                config.seed + number,
                base_too=config.mode == "modified",
            )
        self._networks = networks
        self.edges = EdgeLoss(config.rectangle_weight).to(self.device) if config.edge_weight else None
        self.visited = visited(self.pipe.scheduler) if config.timesteps == "few-step" else None

    def trained(self) -> dict[str, nn.Module]:
        return self._networks

    def loss(self, batch: Batch, now: Now) -> Loss:
        config = self.config
        z0 = self.codec.latents(batch)  # (B, C, h, w)
        x, target, t = self._few_steps(z0, now.random) if self.visited is not None else self._any_step(z0, now.random)
        text, added = self.text(batch.captions)
        output = predict(self.unet, self.scaled(), x, t, text, self.conditions(batch), added)
        mask = background_weight(batch, config.masked, z0) if config.masked else None
        total = _prediction_loss(output, target, mask, self.weight(t), config.loss)
        parts: dict[str, Tensor] = {"prediction": total}
        if self.edges is not None:
            low = (t < config.edge_below).nonzero().flatten()
            if len(low):
                x0 = self.noise.x0(x, output, t)
                parts["edges"] = self.edges(self.codec.decode(x0[low]), batch.pictures()[low])
                total = total + config.edge_weight * parts["edges"] * len(low) / len(t)
        return Loss(total, parts)

    def _any_step(self, z0: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """(x_t, what the network should give, t) with t anywhere."""
        x, noise, t = self.noised(z0, random)
        return x, self.noise.target(z0, noise, t), t

    def _few_steps(self, z0: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """The same where few-step samplers go; at the first step there is no trace of the picture, as in use."""
        assert self.visited is not None
        t = self.visited.draw(len(z0), random)
        first, t = t == self.visited.last, t.to(self.device)
        x, noise, t = self.noised(z0, random, t)
        x = torch.where(first.view(-1, 1, 1, 1).to(self.device), noise, x)
        return x, self.noise.leading(x, z0, t), t

    def write(self, folder: Path) -> None:
        """LoRA files; with trained or merged base weights those networks, too, in folders of their own."""
        config = self.config
        for name, network in self._networks.items():
            if config.mode == "modified" or self.merging:
                adapters.write_network(network, folder / name, merged=self.merging)
        if not self.merging:
            sdxl = self.unet.config.addition_embed_type == "text_time"
            adapters.write_lora(folder, self._networks, config.rank, config.alpha, config.kohya, sdxl)


def visited(scheduler: Any) -> Timesteps:
    """Where few-step samplers of this schedule go, in the shares that base models of few steps learn them."""
    shares = BaseConfig.model_fields
    first, named, low = (shares[name].default for name in ("first_share", "named_share", "low_share"))
    total = int(scheduler.config.num_train_timesteps)
    steps = tuple(step for step in shares["named_timesteps"].default if step < total)
    grid = int(scheduler.config.get("original_inference_steps", shares["original_inference_steps"].default))
    return Timesteps.of(grid, steps, first, named, low, total)


def _prediction_loss(got: Tensor, target: Tensor, mask: Tensor | None, weight: Tensor | None, kind: str) -> Tensor:
    """Mean over rows of their loss times their weight."""
    difference = got.float() - target.float()
    values = difference.square() if kind == "mse" else losses.huber_values(difference)
    if mask is not None:
        values = values * mask / mask.mean((1, 2, 3), keepdim=True).clamp(min=1e-3)
    rows = values.mean((1, 2, 3))  # (B,)
    return (rows if weight is None else rows * weight).mean()


def train(
    config: LoraConfig,
    resume: str | None = None,
    *,
    say: Callable[[str], Any] = logger.info,
    progress: Progress = silent,
) -> Finished:
    """Train in one step, or in two."""
    load = lambda: load_for(config, progress)
    return train_samples(config, *open_data(config.data, progress), load, resume, say=say, progress=progress)


def train_samples(
    config: LoraConfig,
    samples: Samples,
    held: Samples,
    load: Callable[[], Any],
    resume: str | None = None,
    *,
    say: Callable[[str], Any] = logger.info,
    progress: Progress = silent,
) -> Finished:
    """As ``train``, on pairs that are there already; ``load`` gives a pipeline of its own at each call."""
    pipe = load()
    batches, still, texts = prepared(config, samples, held, pipe, progress)
    if config.mode != "two-step":
        return Loop(LoraTask(config, pipe, batches, still, texts), config, say=say, progress=progress).run(resume)
    first = _part(config, config.first_share, mode="modified", output_dir=str(config.folder / FIRST))
    if not (first.folder / "model" / NOTES).is_file():
        say("first step: weights and deltas")
        task = LoraTask(first, pipe, batches, still, texts)
        task.merging = True
        finished = Loop(task, first, say=say, progress=progress).run(resume)
        if finished.interrupted:
            return finished
        pipe = load()
    say("second step: deltas on what the first one made")
    return _second(config, pipe, batches, still, texts, first.folder / "model", resume, say, progress)


def _second(
    config: LoraConfig,
    pipe: Any,
    batches: Batches,
    still: list[Batch],
    texts: Any,
    model: Path,
    resume: str | None,
    say: Callable[[str], Any],
    progress: Progress,
) -> Finished:
    """A conventional training whose base is the first step's model, which is written again beside its deltas."""
    second = _part(config, 1 - config.first_share, mode="conventional", seed=config.seed + 1)
    batches = Batches(batches.samples, config.data, config.train_batch_size, second.seed, batches.latents)
    task = _OnFirst(second, pipe, batches, still, texts)
    task.read(model)
    return Loop(task, second, say=say, progress=progress).run(resume)


class _OnFirst(LoraTask):
    """Deltas on networks that were changed before."""

    def read(self, model: Path) -> None:
        """Put the weights of the first step's networks under the deltas."""
        from safetensors.torch import load_file

        for name, network in self._networks.items():
            weights = load_file(model / name / "diffusion_pytorch_model.safetensors")
            wrapped = adapters.layers(network)
            state = {}
            for key, value in weights.items():
                module, _, last = key.rpartition(".")
                state[f"{module}.base_layer.{last}" if module in wrapped else key] = value
            network.load_state_dict(state, strict=False)

    def write(self, folder: Path) -> None:
        for name, network in self._networks.items():
            adapters.write_network(network, folder / name)
        super().write(folder)


def _part(config: LoraConfig, share: float, **changes: Any) -> LoraConfig:
    """A part of the budget, with other settings changed as well."""
    steps, minutes = config.max_train_steps, config.max_train_minutes
    changes["max_train_steps"] = None if steps is None else max(1, round(steps * share))
    changes["max_train_minutes"] = None if minutes is None else minutes * share
    return config.model_copy(update=changes)
