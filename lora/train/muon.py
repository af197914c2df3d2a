"""Muon: momentum whose matrices are made orthogonal (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon).

Rates are matched to AdamW's as in "Muon is Scalable for LLM Training" (Liu et al. 2025, arXiv:2502.16982): an update
has a root mean square of 0.2 whatever the shape. torch's own Muon takes matrices only, one after the other; here a
convolution kernel (O, I, h, w) counts as a matrix (O, I h w), and equal shapes are made orthogonal together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
SMALLEST = 4096  # elements; smaller ones are left to AdamW, which is cheaper and no worse there


def orthogonal(matrices: Tensor, steps: int = 5) -> Tensor:
    """(N, R, C) in any precision -> about U V' of each one's singular value decomposition, float32, by Newton-Schulz.

    Singular values end between about 0.7 and 1.2, which is enough.
    """
    a, b, c = COEFFICIENTS
    wide = matrices.shape[1] <= matrices.shape[2]
    x = matrices.bfloat16() if wide else matrices.bfloat16().mT  # (N, small, large)
    x = x / (x.float().norm(dim=(1, 2), keepdim=True) + 1e-7).bfloat16()
    for _ in range(steps):
        gram = x @ x.mT  # (N, small, small)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x if wide else x.mT).float()


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, made orthogonal, for parameters of two dimensions or more; weight decay is decoupled."""

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float = 3.5e-3,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
        steps: int = 5,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "steps": steps})
        for group in self.param_groups:
            flat = [tuple(each.shape) for each in group["params"] if each.ndim < 2]
            if flat:
                raise ValueError(f"Muon: got a parameter of shape {flat[0]}, expected two dimensions or more")

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step; gradients have to be there already, so no closure is taken."""
        if closure is not None:
            raise ValueError("Muon: got a closure, expected gradients that are computed before")
        for group in self.param_groups:
            shapes: dict[tuple[int, int], list[nn.Parameter]] = {}
            for each in group["params"]:
                if each.grad is not None:
                    shapes.setdefault((each.shape[0], each[0].numel()), []).append(each)
            for shape, alike in shapes.items():
                self._step_alike(alike, shape, group)

    def _step_alike(self, parameters: list[nn.Parameter], shape: tuple[int, int], group: dict[str, Any]) -> None:
        beta, rate = group["momentum"], group["lr"]
        gradients = [each.grad for each in parameters if each.grad is not None]  # all have one
        buffers = [self._buffer(each) for each in parameters]
        torch._foreach_lerp_(buffers, gradients, 1 - beta)
        ahead = [gradient.lerp(buffer, beta) for gradient, buffer in zip(gradients, buffers, strict=True)]
        stacked = torch.stack([each.reshape(shape) for each in ahead])  # (N, R, C)
        updates = orthogonal(stacked, group["steps"]) * (0.2 * max(shape) ** 0.5)
        for parameter, update in zip(parameters, updates, strict=True):
            parameter.mul_(1 - rate * group["weight_decay"])
            parameter.add_(update.view(parameter.shape), alpha=-rate)

    def _buffer(self, parameter: nn.Parameter) -> Tensor:
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        return state["momentum_buffer"]


def takes(name: str, parameter: nn.Parameter) -> bool:
    """Whether Muon is for this parameter: an inner matrix or kernel, no embedding, first or last layer.

    The first layer sees, and the last one gives, numbers with a meaning of their own, and embeddings are tables.
    """
    inner = not any(part in name for part in ("embeddings.", "conv_in.", "conv_out.", "cond_embedding.conv_out"))
    return (
        inner
        and parameter.ndim >= 2
        and parameter.numel() >= SMALLEST
        and min(parameter.shape[0], parameter[0].numel()) >= 16
    )


def split(parameters: Mapping[str, nn.Parameter]) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """(those for Muon, the rest), both in order."""
    mine = [each for name, each in parameters.items() if takes(name, each)]
    rest = [each for name, each in parameters.items() if not takes(name, each)]
    return mine, rest
