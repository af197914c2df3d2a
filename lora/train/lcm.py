"""Latent consistency distillation (Luo et al. 2023, arXiv:2310.04378), of a whole UNet or as a LoRA (arXiv:2311.05556).

The student f(x_t, t) should give the same clean latent wherever on the teacher's path it is asked: its answer at
t_{n+k} is drawn to its own answer at t_n, which the teacher reaches from t_{n+k} by one guided DDIM step.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from . import adapters, losses, seeds
from .data import Batch
from .devices import lay_out
from .kinds import LcmConfig
from .noise import normal, uniform
from .predict import predict
from .task import Loss, Now
from .tuned import TunedTask, guidance_embedding

SIGMA = 0.5  # standard deviation of the data in the boundary condition


class LcmTask(TunedTask):
    """A student, its teacher, and for a full student a running mean of it as target."""

    config: LcmConfig

    def begin(self) -> None:
        from diffusers import LCMScheduler

        config = self.config
        self.pipe.scheduler = LCMScheduler.from_config(
            self.pipe.scheduler.config,
            original_inference_steps=config.num_ddim_timesteps,
            timestep_scaling=config.timestep_scaling_factor,
        )
        for network in (self.unet, *self.controlnets):
            network.requires_grad_(False)
        self.teacher, self.target = self.unet, None
        if config.student == "lora":
            adapters.inject(self.unet, config.target_modules, config.rank, config.alpha, 0.0, config.seed)
        else:
            self.unet = _student(self.teacher, config.time_cond_proj_dim).requires_grad_(True)
            self.target = copy.deepcopy(self.unet).requires_grad_(False)
            for network in (self.teacher, self.target):
                lay_out(network, config.model_copy(update={"torch_compile": False}), self.device)
        stride = self.train_steps // config.num_ddim_timesteps
        self.grid = ((torch.arange(config.num_ddim_timesteps) + 1) * stride - 1).to(self.device)  # (N,) ascending
        self.stride = stride

    def trained(self) -> dict[str, nn.Module]:
        return {"unet": self.unet}

    def extra(self) -> dict[str, Any]:
        return {} if self.target is None else {"target": self.target}

    def loss(self, batch: Batch, now: Now) -> Loss:
        self._follow(now.step)
        return Loss(self.consistency(batch, now.random), {})

    def consistency(self, batch: Batch, random: torch.Generator) -> Tensor:
        """The loss of a batch; symbols and order are those of algorithm 1 of the paper."""
        config, count = self.config, len(batch)
        z0 = self.codec.latents(batch)
        (text, added), (no_text, no_added) = self.text(batch.captions), self.text([""] * count)
        images = self.conditions(batch)
        n = torch.randint(0, len(self.grid), (count,), generator=random).to(self.device)
        later = self.grid[n]  # t_{n+k}
        earlier = (later - self.stride).clamp(min=0)  # t_n
        noise = normal(z0.shape, random, self.device)
        z = self.noise.add(z0, noise, later)
        w = config.w_min + (config.w_max - config.w_min) * uniform(count, random, self.device)
        told = guidance_embedding(w, config.time_cond_proj_dim) if self.target is not None else None
        got = self.boundary(z, later, predict(self.unet, self.scaled(), z, later, text, images, added, told))
        with torch.no_grad():
            step = self._guided_step(z, later, earlier, w, (text, added), (no_text, no_added), images)
            network = self.unet if self.target is None else self.target
            output = predict(network, self.scaled(), step, earlier, text, images, added, told)
            wanted = self.boundary(step, earlier, output)
        return losses.huber(got, wanted, config.huber_c)

    def boundary(self, z: Tensor, t: Tensor, output: Tensor) -> Tensor:
        """The consistency function: c_skip z + c_out x0, which is z itself at t = 0."""
        scaled = (t.float() * self.config.timestep_scaling_factor).view(-1, 1, 1, 1)
        skip = SIGMA**2 / (scaled.square() + SIGMA**2)
        out = scaled / (scaled.square() + SIGMA**2).sqrt()
        return skip * z + out * self.noise.x0(z, output, t)

    def _guided_step(
        self,
        z: Tensor,
        later: Tensor,
        earlier: Tensor,
        w: Tensor,
        text: tuple[Tensor, Any],
        no_text: tuple[Tensor, Any],
        images: list[Tensor],
    ) -> Tensor:
        """The teacher's DDIM step from ``later`` to ``earlier`` with guidance w = scale - 1."""
        strength = w.view(-1, 1, 1, 1)
        with self._as_teacher():
            with_text, without = (
                predict(self.teacher, self.scaled(), z, later, each, images, added) for each, added in (text, no_text)
            )
        x0 = [self.noise.x0(z, each, later) for each in (with_text, without)]
        epsilon = [self.noise.epsilon(z, each, later) for each in (with_text, without)]
        x0_guided = x0[0] + strength * (x0[0] - x0[1])
        epsilon_guided = epsilon[0] + strength * (epsilon[0] - epsilon[1])
        return self.noise.add(x0_guided, epsilon_guided, earlier)

    @contextmanager
    def _as_teacher(self) -> Iterator[None]:
        """The teacher of a LoRA is the network without it."""
        wrapped = adapters.layers(self.teacher).values()
        kept = [layer.scaling[adapters.NAME] for layer in wrapped]
        for layer in wrapped:
            layer.scaling[adapters.NAME] = 0.0
        try:
            yield
        finally:
            for layer, scale in zip(wrapped, kept, strict=True):
                layer.scaling[adapters.NAME] = scale

    @torch.no_grad()
    def _follow(self, step: int) -> None:
        """The target is a running mean of the student."""
        if self.target is not None and step:
            mine, theirs = list(self.target.parameters()), list(self.unet.parameters())
            torch._foreach_lerp_(mine, theirs, 1 - self.config.ema_decay)

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """The consistency loss of held-out samples with fixed noise, and the error of one step from nothing."""
        found: dict[str, list[Tensor]] = {}
        for batch in (each.to(self.device) for each in self.held):
            random = seeds.generator(self.config.seed, seeds.VALIDATION, int(batch.index[0]))
            found.setdefault("loss", []).append(self.consistency(batch, random).cpu())
            error = (self.generate(batch) - self.codec.latents(batch)).square().mean().cpu()
            found.setdefault(f"mse_{self.config.validation_inference_steps}_steps", []).append(error)
        return {name: torch.stack(values).mean().item() for name, values in found.items()}

    def write(self, folder: Path) -> None:
        """``unet/`` and ``scheduler/`` of a full student, or an LCM-LoRA."""
        if self.target is None:
            sdxl = self.unet.config.addition_embed_type == "text_time"
            adapters.write_lora(folder, {"unet": self.unet}, self.config.rank, self.config.alpha, True, sdxl)
        else:
            adapters.write_network(self.unet, folder / "unet")
        self.pipe.scheduler.save_pretrained(folder / "scheduler")


def _student(teacher: Any, width: int) -> Any:
    """A UNet like the teacher that is also told the guidance; what tells it starts at zero."""
    student = type(teacher).from_config(teacher.config, time_cond_proj_dim=width)
    student.load_state_dict(teacher.state_dict(), strict=False)
    if teacher.config.time_cond_proj_dim != width:
        nn.init.zeros_(student.time_embedding.cond_proj.weight)
    return student
