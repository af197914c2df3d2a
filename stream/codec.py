"""Between pictures on the host and tensors on the device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def to_image(pictures: Sequence[np.ndarray], device: torch.device | str) -> Tensor:
    """F pictures (H, W, 3) uint8 RGB -> (F, 3, H, W) float32 in [-1, 1]."""
    return _stack(pictures, device) / 127.5 - 1.0


def to_condition(pictures: Sequence[Sequence[np.ndarray]], device: torch.device | str) -> Tensor:
    """F frames of C condition pictures (H, W, 3) uint8 -> (C, F, 3, H, W) float32 in [0, 1]."""
    if not pictures[0]:
        return torch.zeros(0, len(pictures), device=device)
    return torch.stack([_stack(column, device) / 255.0 for column in zip(*pictures, strict=True)])


def _stack(pictures: Sequence[np.ndarray], device: torch.device | str) -> Tensor:
    batch = torch.from_numpy(np.stack(pictures)).to(device)  # (F, H, W, 3) uint8
    return batch.permute(0, 3, 1, 2).float()  # channels last in memory, which convolutions like


def to_pixels(image: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """(F, 3, H, W) in [-1, 1] -> (F, H, W, 3) uint8, and for each picture whether it can be shown.

    A picture with NaN or infinity, or one that is black all over, is not shown: both are what a failing network gives.
    """
    finite = torch.isfinite(image).flatten(1).all(1)  # (F,)
    pixels = (image.nan_to_num(nan=-1.0) * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8)
    pixels = pixels.permute(0, 2, 3, 1).contiguous()  # (F, H, W, 3)
    lit = pixels.amax(dim=(1, 2, 3)) > 1  # (F,)
    return pixels.cpu().numpy(), (finite & lit).cpu().numpy()
