"""Fixed fields of noise, the same on every machine, and the small functions that pictures are made with.

Nothing random about a picture may come from anything but its caption and its lines, so every texture is one of these
fields, laid over the picture or over the thing.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

SIDE = 512
_FIELDS = {  # name: (seed, octaves, how much of the one before each octave has)
    "soft": (7, 7, 0.55),
    "fine": (11, 7, 0.95),
    "smooth": (13, 2, 0.35),
}


@functools.cache
def _field(name: str, device: torch.device) -> Tensor:
    """(1, 1, SIDE + 1, SIDE + 1): mean 0, standard deviation 1, its last row and column are the first again."""
    seed, octaves, share = _FIELDS[name]
    rng = np.random.default_rng(seed)
    total = torch.zeros(1, 1, SIDE, SIDE)
    for octave in range(octaves):
        cells = 4 * 2**octave
        values = torch.from_numpy(rng.standard_normal((1, 1, cells, cells)).astype(np.float32))
        times = SIDE // cells
        large = F.interpolate(F.pad(values, (2, 2, 2, 2), mode="circular"), scale_factor=times, mode="bicubic")
        total += share**octave * large[..., 2 * times : 2 * times + SIDE, 2 * times : 2 * times + SIDE]
    total = (total - total.mean()) / total.std()
    return F.pad(total, (0, 1, 0, 1), mode="circular").to(device)


def noise(name: str, across: Tensor, along: Tensor) -> Tensor:
    """The field at coordinates in which it repeats every 1; any shapes that broadcast."""
    across, along = torch.broadcast_tensors(across, along)
    grid = torch.stack([across - across.floor(), along - along.floor()], -1).mul_(2).sub_(1)  # (..., 2)
    found = F.grid_sample(_field(name, across.device), grid.reshape(1, 1, -1, 2), align_corners=True)
    return found.view(across.shape)


def scatter(first: Tensor, second: Tensor) -> Tensor:
    """A number from 0 to 1 for two whole coordinates, different for neighbours, always the same."""
    total = 12.9898 * first + 78.233 * second
    wave = torch.sin(total) * 437.585
    return wave - wave.floor()


def step(low: float | Tensor, high: float | Tensor, x: Tensor) -> Tensor:
    """0 below ``low``, 1 above ``high``, smooth between; ``low`` may be the greater one."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def mix(a: Tensor, b: Tensor, share: Tensor | float) -> Tensor:
    """``a`` where ``share`` is 0, ``b`` where it is 1."""
    return a + (b - a) * share


def dot(a: Tensor, b: Tensor) -> Tensor:
    """(3, ...) and (3, ...) -> (...)."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def unit(a: Tensor) -> Tensor:
    """(3, ...) of length 1."""
    return a * torch.rsqrt(dot(a, a).clamp_min(1e-12))


def mirrored(direction: Tensor, normal: Tensor) -> Tensor:
    """(3, ...) as a mirror of that normal throws it back."""
    return direction - 2 * dot(direction, normal) * normal


def blurred(values: Tensor) -> Tensor:
    """(N, 1, H, W), each the weighted mean of the 5 x 5 around it; the border goes on outside."""
    kernel = values.new_tensor([1, 4, 6, 4, 1]) / 16
    values = F.conv2d(F.pad(values, (2, 2, 2, 2), mode="replicate"), kernel.view(1, 1, 1, 5))
    return F.conv2d(values, kernel.view(1, 1, 5, 1))
