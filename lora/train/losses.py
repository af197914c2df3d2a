"""Losses, each one small function of tensors. Pictures are (B, 3, H, W) in [-1, 1], latents (B, C, h, w)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
FAINT = 1 / 255  # root mean square of detail that nobody sees
WRONG_COLOURS = 6.0  # a colour that is off by a third of the range counts three times its absolute difference


def huber(got: Tensor, expected: Tensor, c: float = 1e-3) -> Tensor:
    """Mean pseudo-Huber in float32."""
    return huber_values(got.float() - expected.float(), c).mean()


def huber_values(difference: Tensor, c: float = 1e-3) -> Tensor:
    """Pseudo-Huber of each number: sqrt(d^2 + c^2) - c (Song & Dhariwal 2023, arXiv:2310.14189)."""
    return torch.sqrt(difference.float().square() + c * c) - c


def weighted_mse(got: Tensor, expected: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean square, each row times its weight (B,)."""
    rows = (got.float() - expected.float()).square().mean((1, 2, 3))  # (B,)
    return (rows if weight is None else rows * weight).mean()


def regression(got: Tensor, expected: Tensor, scale: Tensor) -> Tensor:
    """Half square (at most 25), half absolute difference, times ``scale`` (B, 1, 1, 1); mean.

    With scale = 1 / sqrt(1 - a_t) a difference of x0 counts as that of v does.
    """
    difference = (got.float() - expected.float()) * scale
    return (0.5 * difference.square().clamp(max=25) + 0.5 * difference.abs()).mean()


def gradients(difference: Tensor) -> Tensor:
    """Mean absolute step between neighbours of a difference of pictures, to the right and down, summed."""
    return difference.diff(dim=-1).abs().mean() + difference.diff(dim=-2).abs().mean()


def picture_l1(got: Tensor, expected: Tensor) -> Tensor:
    """L1 and L1 of gradients at two scales."""
    difference = got.float() - expected.float()
    half = F.avg_pool2d(difference, 2)
    return difference.abs().mean() + gradients(difference) + 0.5 * gradients(half)


def texture(got: Tensor, expected: Tensor, side: int = 8, scales: int = 3) -> Tensor:
    """How far the strength of detail is off, whatever its pattern: that of grass, whose blades nobody could know.

    The root mean square of what a blur takes away, in windows of ``side`` pixels, at ``scales`` sizes of the picture,
    each half as large as the one before and none smaller than a window; mean absolute difference. A regression alone
    makes such places flat.
    """
    total = got.new_zeros((), dtype=torch.float32)
    for _ in range(scales):
        if min(got.shape[-2:]) < side:
            break
        total = total + (_detail(got, side) - _detail(expected, side)).abs().mean()
        got, expected = (F.avg_pool2d(each, 2) for each in (got, expected))
    return total


def _detail(picture: Tensor, side: int) -> Tensor:
    """(B, 3, h, w): root mean square of the detail in overlapping windows of ``side`` pixels."""
    picture = picture.float()
    fine = picture - F.avg_pool2d(F.pad(picture, (1,) * 4, mode="reflect"), 3, 1)
    return (F.avg_pool2d(fine.square(), side, side // 2) + FAINT**2).sqrt()


def chroma(got: Tensor, expected: Tensor) -> Tensor:
    """How far the differences' colour is off, without their lightness: absolute, and square for colours that are wrong.

    Plain losses spend every channel on detail, and let teal become slate and purple blue.
    """
    difference = got.float() - expected.float()
    weights = torch.tensor(LUMA, device=difference.device).view(1, 3, 1, 1)
    colour = difference - (difference * weights).sum(1, keepdim=True)
    return colour.abs().mean() + WRONG_COLOURS * colour.square().mean()


def correlation(latent: Tensor) -> Tensor:
    """Mean square correlation between different channels: 0 where each tells something of its own."""
    channels = latent.shape[1]
    flat = latent.float().transpose(0, 1).reshape(channels, -1)  # (C, B h w)
    flat = flat - flat.mean(1, keepdim=True)
    flat = flat / (flat.std(1, keepdim=True) + 1e-4)
    with torch.autocast(flat.device.type, enabled=False):
        matrix = flat @ flat.T / flat.shape[1]  # (C, C)
    return (matrix - torch.eye(channels, device=matrix.device)).square().sum() / max(1, channels * (channels - 1))


def standardised(latent: Tensor) -> Tensor:
    """Mean square of each channel's mean, and of its standard deviation's distance from 1."""
    latent = latent.float()
    return latent.mean((0, 2, 3)).square().mean() + (latent.std((0, 2, 3)) - 1).square().mean()


def sharpened(picture: Tensor, amount: float, sigma: float = 1.0) -> Tensor:
    """Unsharp masking: ``amount`` times the difference from a Gaussian blur on top; not limited to [-1, 1]."""
    radius = math.ceil(3 * sigma)
    weights = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, device=picture.device) / sigma).square())
    weights = (weights / weights.sum()).to(picture)
    channels = picture.shape[1]
    rows = weights.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    blurred = F.pad(picture, (radius,) * 4, mode="reflect")
    blurred = F.conv2d(F.conv2d(blurred, rows, groups=channels), rows.transpose(2, 3), groups=channels)
    return picture + amount * (picture - blurred)
