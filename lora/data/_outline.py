"""Lines out of parts, and pictures brought down to their size."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from ._noise import dot
from .palette import NUMBER

CREASE = 0.78  # cosine between neighbouring normals at which a surface folds
GAIN = 1.25  # lines lose brightness when they are brought down; this gives it back


def neighbours_differ(values: Tensor) -> Tensor:
    """(B, H, W) -> bool, true on the right or lower one of two neighbours that are not the same."""
    return _beside(values, lambda a, b: a != b)


def _beside(values: Tensor, differ: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    found = torch.zeros(values.shape[-3:], dtype=torch.bool, device=values.device)
    found[..., :, 1:] |= differ(values[..., :, 1:], values[..., :, :-1])
    found[..., 1:, :] |= differ(values[..., 1:, :], values[..., :-1, :])
    return found


def _widened(here: Tensor) -> Tensor:
    """(B, H, W) bool: and the eight neighbours of all."""
    rows = here.clone()
    rows[..., 1:, :] |= here[..., :-1, :]
    rows[..., :-1, :] |= here[..., 1:, :]
    wide = rows.clone()
    wide[..., :, 1:] |= rows[..., :, :-1]
    wide[..., :, :-1] |= rows[..., :, 1:]
    return wide


def creases(normal: Tensor, label: Tensor) -> Tensor:
    """(B, H, W) bool: where a car's body folds; normal is (3, B, H, W)."""
    folded = _beside(normal, lambda a, b: dot(a, b) < CREASE)
    body = label == NUMBER["body"]
    return folded & ~_widened(~body)


def clean_lines(part: Tensor, stroke: Tensor, size: int) -> Tensor:
    """(B, size, size) uint8, white on black, of (B, S, S) parts and strokes; 2 pixels wide at 256."""
    wide = neighbours_differ(part) | stroke
    for _ in range(max(1, round(size / 256))):
        wide = _widened(wide)
    return (brought_down(wide.float(), size) * (255 * GAIN)).clamp(0, 255).round().to(torch.uint8)


@functools.cache
def _areas(large: int, small: int, device: torch.device) -> Tensor:
    """(small, large): the share that each of the large pixels has in a small one."""
    edges = torch.arange(small + 1, dtype=torch.float64) * large / small
    begin = torch.arange(large, dtype=torch.float64)
    covered = torch.minimum(edges[1:, None], begin + 1) - torch.maximum(edges[:-1, None], begin)
    return (covered.clamp_min(0) * small / large).float().to(device)


def brought_down(picture: Tensor, size: int) -> Tensor:
    """(..., S, S) -> (..., size, size): every pixel the mean of the area that it covers."""
    weights = _areas(picture.shape[-1], size, picture.device)
    return weights @ picture @ weights.T


def picked(values: Tensor, size: int) -> Tensor:
    """(..., S, S) -> (..., size, size): the value at every pixel's middle, for what has no mean."""
    large = values.shape[-1]
    index = ((torch.arange(size, device=values.device) + 0.5) * large / size).long()
    return values[..., index, :][..., index]
