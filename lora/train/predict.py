"""One call of a UNet with its ControlNets and adapters, as pipelines make it, and a few of them in a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from .noise import Noise


def predict(
    unet: Any,
    controlnets: Sequence[tuple[Any, float]],
    x: Tensor,
    t: Tensor,
    text: Tensor,
    conditions: Sequence[Tensor] = (),
    added: Mapping[str, Tensor] | None = None,
    time_cond: Tensor | None = None,
) -> Tensor:
    """What the UNet gives for latents x (B, C, h, w) at timesteps t (B,), float32.

    ``controlnets`` are (network, scale), each with its condition image (B, 3, H, W) in [0, 1]; what they give is
    summed. ``added`` is what SDXL takes besides, ``time_cond`` (B, P) the embedding of a guidance.
    """
    down: list[Tensor] | None = None
    middle: Tensor | None = None
    for (net, scale), image in zip(controlnets, conditions, strict=True):
        found, last = net(x, t, text, image, conditioning_scale=scale, added_cond_kwargs=added, return_dict=False)
        down = list(found) if down is None else [a + b for a, b in zip(down, found, strict=True)]
        middle = last if middle is None else middle + last
    return unet(
        x,
        t,
        encoder_hidden_states=text,
        timestep_cond=time_cond,
        added_cond_kwargs=added,
        down_block_additional_residuals=down,
        mid_block_additional_residual=middle,
        return_dict=False,
    )[0].float()


def lcm_steps(count: int, original: int = 50) -> list[int]:
    """The timesteps of ``LCMScheduler`` with this many steps: 999, 759, 499, 259 for four."""
    grid = [(index + 1) * (1000 // original) - 1 for index in range(original)][::-1]
    return [grid[int(index)] for index in torch.linspace(0, original, count + 1).floor()[:-1]]


def few_steps(
    predicted: Callable[[Tensor, Tensor], Tensor], noise: Noise, draw: Callable[[], Tensor], steps: Sequence[int]
) -> Tensor:
    """Clean latents (B, C, h, w) by LCM's sampling (arXiv:2310.04378): each step begins at the last one's, noised anew.

    ``predicted(x, t)`` is the network's output for t (B,), ``draw()`` gives noise.
    """
    x = x0 = draw()
    for place, step in enumerate(steps):
        t = torch.full((len(x),), step, device=x.device)
        if place:
            x = noise.add(x0, draw(), t)
        x0 = noise.x0(x, predicted(x, t), t)
    return x0
