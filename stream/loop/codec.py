"""Between pictures on the host and tensors on the device.

On a CPU this is left to OpenCV and numpy: PyTorch would wake its threads for it, which go on spinning for milliseconds
afterwards, and take the cores from an engine that brings threads of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

_LEVELS = np.arange(256, dtype=np.float32)
_IMAGE = _LEVELS / np.float32(127.5) - np.float32(1.0)
_CONDITION = _LEVELS / np.float32(255.0)


def to_image(pictures: Sequence[np.ndarray], device: torch.device | str) -> Tensor:
    """F pictures (H, W, 3) uint8 RGB -> (F, 3, H, W) float32 in [-1, 1]."""
    return _looked_up([pictures], _IMAGE, device)[0]


def to_condition(pictures: Sequence[Sequence[np.ndarray]], device: torch.device | str) -> Tensor:
    """F frames of C condition pictures (H, W, 3) uint8 -> (C, F, 3, H, W) float32 in [0, 1]."""
    if not pictures[0]:
        return torch.zeros(0, len(pictures), device=device)
    return _looked_up(list(zip(*pictures, strict=True)), _CONDITION, device)


def _looked_up(columns: Sequence[Sequence[np.ndarray]], table: np.ndarray, device: torch.device | str) -> Tensor:
    """C columns of F pictures (H, W, 3) -> what ``table`` has for each level: (C, F, 3, H, W)."""
    if torch.device(device).type == "cpu":
        values = np.empty((len(columns), len(columns[0]), *columns[0][0].shape), np.float32)
        for column, of_column in zip(columns, values, strict=True):
            for picture, of_picture in zip(column, of_column, strict=True):
                cv2.LUT(picture, table, of_picture)
        batch = torch.from_numpy(values)
    else:
        levels = torch.from_numpy(np.stack([np.stack(column) for column in columns])).to(device)
        batch = torch.from_numpy(table).to(device)[levels.int()]
    return batch.permute(0, 1, 4, 2, 3)  # channels last in memory, which convolutions like


def to_levels(pictures: Sequence[np.ndarray], device: torch.device | str) -> Tensor:
    """F pictures (H, W, 3) uint8 RGB as they are, on the device: (F, H, W, 3) uint8."""
    levels = torch.from_numpy(np.stack(pictures))
    if torch.device(device).type == "cuda":
        levels = levels.pin_memory()
    return levels.to(device, non_blocking=True)


def levels_of_conditions(pictures: Sequence[Sequence[np.ndarray]], device: torch.device | str) -> Tensor:
    """F frames of C condition pictures (H, W, 3) uint8, as they are, on the device: (C, F, H, W, 3) uint8."""
    if not pictures[0]:
        return torch.zeros(0, len(pictures), dtype=torch.uint8, device=device)
    columns = zip(*pictures, strict=True)
    return to_levels([np.stack(column) for column in columns], device)


def on_host(values: Tensor | None) -> np.ndarray:
    """A copy in the computer's memory; nothing becomes an empty array."""
    return np.empty(0) if values is None else np.array(values.cpu().numpy())


def image_of(levels: Tensor) -> Tensor:
    """(F, H, W, 3) uint8 -> (F, 3, H, W) float32 in [-1, 1], on the device."""
    return (levels.float() / 127.5 - 1.0).permute(0, 3, 1, 2)


def condition_of(levels: Tensor) -> Tensor:
    """(C, F, H, W, 3) uint8 -> (C, F, 3, H, W) float32 in [0, 1], on the device."""
    return (levels.float() / 255.0).permute(0, 1, 4, 2, 3)


def levels_of(image: Tensor) -> tuple[Tensor, Tensor]:
    """``to_pixels`` on the device: (F, 3, H, W) in [-1, 1] -> (F, H, W, 3) uint8, and (F,) bool, usable or not."""
    finite = torch.isfinite(image).flatten(1).all(1)  # (F,)
    levels = (image.nan_to_num(nan=-1.0) * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8)
    levels = levels.permute(0, 2, 3, 1).contiguous()  # (F, H, W, 3)
    return levels, finite & (levels.amax(dim=(1, 2, 3)) > 1)


def to_pixels(image: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """(F, 3, H, W) in [-1, 1] -> (F, H, W, 3) uint8, and for each picture whether it can be shown.

    A picture with NaN or infinity, or one that is black all over, is not shown: both are what a failing network gives.
    """
    if image.device.type == "cpu":
        return _to_pixels_on_host(np.ascontiguousarray(image.permute(0, 2, 3, 1).numpy()))
    levels, usable = levels_of(image)
    return levels.cpu().numpy(), usable.cpu().numpy()


def _to_pixels_on_host(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    pixels = np.empty(images.shape, np.uint8)  # (F, H, W, 3)
    usable = np.zeros(len(images), bool)
    for index, (image, of_image) in enumerate(zip(images, pixels, strict=True)):
        cv2.addWeighted(image, 127.5, image, 0.0, 127.5, of_image, cv2.CV_8U)  # rounds to even, saturates
        finite = np.isfinite(image.min()) and np.isfinite(image.max())  # both give NaN when there is one
        usable[index] = finite and of_image.max() > 1
    return pixels, usable
