"""The forward process and the conversions between what networks predict. Tensors (B, C, h, w), timesteps (B,) int64.

x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) e, and v = sqrt(a_t) e - sqrt(1 - a_t) x_0 (Salimans & Ho 2022, arXiv:2202.00512).
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

Prediction = Literal["epsilon", "v_prediction", "sample"]


class Noise:
    """The amounts of noise of a scheduler's training, and its kind of prediction."""

    def __init__(self, alphas_cumprod: Tensor, prediction: Prediction, device: Any = "cpu") -> None:
        self.alphas = alphas_cumprod.float().to(device)  # (T,)
        self.prediction: Prediction = prediction

    @classmethod
    def of(cls, scheduler: Any, device: Any = "cpu") -> Noise:
        """That of a diffusers scheduler."""
        return cls(scheduler.alphas_cumprod, scheduler.config.prediction_type, device)

    def signal(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """sqrt(a_t) and sqrt(1 - a_t), each (B, 1, 1, 1)."""
        a = self.alphas[t].view(-1, 1, 1, 1)
        return a.sqrt(), (1 - a).sqrt()

    def add(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """x_t."""
        keep, blur = self.signal(t)
        return keep * x0 + blur * noise

    def target(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """What a network of this kind should give."""
        keep, blur = self.signal(t)
        if self.prediction == "epsilon":
            return noise
        return keep * noise - blur * x0 if self.prediction == "v_prediction" else x0

    def leading(self, x: Tensor, x0: Tensor, t: Tensor) -> Tensor:
        """The output that leads from any x, of x0 or not, to x0."""
        keep, blur = self.signal(t)
        if self.prediction == "epsilon":
            return (x - keep * x0) / blur
        return (keep * x - x0) / blur if self.prediction == "v_prediction" else x0

    def x0(self, x: Tensor, output: Tensor, t: Tensor) -> Tensor:
        """The clean latent that an output stands for."""
        keep, blur = self.signal(t)
        if self.prediction == "epsilon":
            return (x - blur * output) / keep
        return keep * x - blur * output if self.prediction == "v_prediction" else output

    def epsilon(self, x: Tensor, output: Tensor, t: Tensor) -> Tensor:
        """The noise that an output stands for."""
        keep, blur = self.signal(t)
        if self.prediction == "epsilon":
            return output
        if self.prediction == "v_prediction":
            return keep * output + blur * x
        return (x - keep * output) / blur

    def min_snr_weight(self, t: Tensor, gamma: float) -> Tensor:
        """(B,): weights of the loss of each row (Hang et al. 2023, arXiv:2303.09556).

        min(SNR, gamma) is the weight of the error of x0; an error of epsilon has 1 / SNR of it, one of v
        1 / (SNR + 1), and so do their weights.
        """
        a = self.alphas[t]
        snr = a / (1 - a)
        weight = snr.clamp(max=gamma)
        if self.prediction == "epsilon":
            return weight / snr
        return weight / (snr + 1) if self.prediction == "v_prediction" else weight


def normal(shape: tuple[int, ...] | torch.Size, generator: torch.Generator, device: Any) -> Tensor:
    """Standard normal numbers, drawn on the CPU so that every device trains on the same ones."""
    return torch.randn(shape, generator=generator).to(device, non_blocking=True)


def uniform(count: int, generator: torch.Generator, device: Any) -> Tensor:
    """(count,) numbers in [0, 1), drawn on the CPU."""
    return torch.rand(count, generator=generator).to(device, non_blocking=True)
