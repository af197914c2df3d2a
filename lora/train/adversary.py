"""PatchGANs: they sharpen what a regression leaves soft. They see latents and the lines, pictures, or pictures and the
drawing.

Isola et al. 2017 (arXiv:1611.07004), hinge loss, spectral normalisation (arXiv:1802.05957), and the adaptive weight of
VQGAN (Esser et al. 2021, arXiv:2012.09841): the pull is as strong as a share of the regression's own gradient.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from . import storage
from .noise import normal
from .task import Now

STRONGEST = 5.0
PULL_LATER = 0.02  # share of the budget in which the discriminator learns alone


class OfLatents(nn.Module):
    """Latents (B, C, h, w) and lines (B, 1, 8 h, 8 w) -> (B, 1, h / 2, w / 2), higher where it looks real."""

    blur = 0.1
    """Noise on what it sees, so that it cannot win by tiny differences."""

    def __init__(self, channels: int = 4, reduction: int = 8) -> None:
        super().__init__()
        self.reduction = reduction
        self.latent = nn.Conv2d(channels, 64, 3, padding=1)
        self.lines = nn.Conv2d(reduction * reduction, 64, 1)
        self.body = nn.Sequential(
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(64, 96, 3, padding=1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(96, 128, 4, stride=2, padding=1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(128, 128, 3, padding=1)),
            nn.LeakyReLU(0.2),
            nn.Conv2d(128, 1, 3, padding=1),
        )

    def forward(self, latent: Tensor, lines: Tensor) -> Tensor:
        return self.body(self.latent(latent) + self.lines(F.pixel_unshuffle(lines, self.reduction)))


class OfPictures(nn.Module):
    """Pictures (B, 3, H, W) in [-1, 1] -> (B, 1, H / 4, W / 4), higher where the 22 pixels around look real."""

    blur = 0.03
    """Noise on what it sees, so that it cannot win by tiny differences."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(2 * width, 3 * width, 3, padding=1)),
            nn.LeakyReLU(0.2),
            nn.Conv2d(3 * width, 1, 3, padding=1),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        return self.body(pictures)


class OfDrawnPictures(nn.Module):
    """Pictures (B, 3, H, W) in [-1, 1] and what they were painted from (B, 3, H, W) in [0, 1] -> (B, n) scores.

    Two networks look, one of them at a picture half as large, which is where a window or a wheel shows that it is
    wrong (pix2pixHD, Wang et al. 2018, arXiv:1711.11585). A picture that is real by itself and not what was drawn is
    wrong, too, so that nothing is invented over the lines.
    """

    blur = 0.03
    """Noise on what it sees, so that it cannot win by tiny differences."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.bodies = nn.ModuleList([_patches(6, width), _patches(6, width)])

    def forward(self, pictures: Tensor, control: Tensor) -> Tensor:
        seen = torch.cat([pictures, control * 2 - 1], 1)
        scores = []
        for body in self.bodies:
            scores.append(body(seen).flatten(1))
            seen = F.avg_pool2d(seen, 2)
        return torch.cat(scores, 1)


def _patches(channels: int, width: int) -> nn.Sequential:
    """(B, channels, H, W) -> (B, 1, H / 8, W / 8): a score for the 54 pixels around."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(4 * width, 4 * width, 3, padding=1)),
        nn.LeakyReLU(0.2),
        nn.Conv2d(4 * width, 1, 3, padding=1),
    )


Discriminator = OfLatents | OfPictures | OfDrawnPictures


class Adversary:
    """A discriminator and its optimiser, ``weight`` and the share of the budget at which it ``begins``.

    ``given`` is what it sees besides.
    """

    def __init__(
        self,
        network: Discriminator,
        device: torch.device,
        rate: float,
        weight: float,
        begins: float,
    ) -> None:
        self.network = network.to(device)
        self.optimiser = torch.optim.AdamW(self.network.parameters(), lr=rate, betas=(0.5, 0.98), weight_decay=0.0)
        self.weight, self.begins = weight, begins

    def parts(self, real: Tensor, made: Tensor, base: Tensor, now: Now, *given: Tensor) -> dict[str, Tensor]:
        """What it has of a step: ``discriminator``, its own loss, and, once that has learned, ``pull``; {} before."""
        found: dict[str, Tensor] = {}
        if self.weight and now.share >= self.begins:
            found["discriminator"] = self.learn(real, made, now.random, *given)
            if now.share >= self.begins + PULL_LATER:
                found["pull"] = self.pull(made, base, self.weight, now.random, *given)
        return found

    def learn(self, real: Tensor, made: Tensor, random: torch.Generator, *given: Tensor) -> Tensor:
        """One step of the discriminator; gives its loss."""
        self.network.requires_grad_(True)
        true, false = (self._seen(each.detach(), random, given) for each in (real, made))
        loss = F.relu(1 - true).mean() + F.relu(1 + false).mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        self.network.requires_grad_(False)
        return loss.detach()

    def pull(self, made: Tensor, base: Tensor, weight: float, random: torch.Generator, *given: Tensor) -> Tensor:
        """What is added to a loss: ``made`` should look real, with ``weight`` of the gradient that ``base`` has."""
        self.network.requires_grad_(False)
        loss = -self._seen(made, random, given).mean()
        own = torch.autograd.grad(base, made, retain_graph=True)[0].float().norm()
        pulled = torch.autograd.grad(loss, made, retain_graph=True)[0].float().norm()
        return (weight * own / (pulled + 1e-8)).clamp(max=STRONGEST) * loss

    def _seen(self, values: Tensor, random: torch.Generator, given: tuple[Tensor, ...]) -> Tensor:
        noise = normal(values.shape, random, values.device)
        return self.network(values + self.network.blur * noise, *given).float()

    def state_dict(self) -> dict[str, Any]:
        return {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        storage.load_optimiser(self.optimiser, state["optimiser"])
