"""What validations show and measure: sheets of pictures, and figures of batches of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...stream.base.page import Page
from .losses import LUMA

GAP, LABEL = 4, 20  # pixels


def sheet(rows: Mapping[str, Sequence[np.ndarray]]) -> np.ndarray:
    """(H, W, 3) uint8 of named rows of pictures (h, w, 3) uint8, all of one size; each name stands above its row."""
    height, width = next(iter(rows.values()))[0].shape[:2]
    page = Page(max(map(len, rows.values())) * (width + GAP), len(rows) * (LABEL + height + GAP))
    for number, (name, pictures) in enumerate(rows.items()):
        y = number * (LABEL + height + GAP)
        page.write(GAP, y + 2, name, 13)
        for column, picture in enumerate(pictures):
            page.picture(column * (width + GAP), y + LABEL, picture)
    return page.pixels()


def to_bytes(pictures: Tensor) -> list[np.ndarray]:
    """Pictures (B, 3, H, W) in [-1, 1] as (H, W, 3) uint8 each."""
    values = ((pictures.float().clamp(-1, 1) + 1) * 127.5).round().byte()
    return list(values.permute(0, 2, 3, 1).cpu().numpy())


def to_pictures(values: Tensor) -> Tensor:
    """Pictures (B, H, W, 3) uint8 as (B, 3, H, W) float32 in [-1, 1]."""
    return values.permute(0, 3, 1, 2).float().div(127.5).sub(1)


def psnr(got: Tensor, expected: Tensor) -> Tensor:
    """(B,) in dB, of pictures (B, 3, H, W) in [-1, 1]."""
    square = ((got.float().clamp(-1, 1) - expected.float()) / 2).square().mean((1, 2, 3))
    return -10 * square.clamp(min=1e-10).log10()


def sharpness(pictures: Tensor) -> Tensor:
    """(B,): mean magnitude of the Laplacian of the lightness of pictures (B, 3, H, W) in [-1, 1]."""
    weights = torch.tensor(LUMA, device=pictures.device).view(1, 3, 1, 1)
    grey = (pictures.float().clamp(-1, 1) * weights).sum(1, keepdim=True)
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]], device=pictures.device).view(1, 1, 3, 3)
    with torch.autocast(grey.device.type, enabled=False):
        return F.conv2d(grey, kernel).abs().mean((1, 2, 3))
