"""Pictures and latents made flat: every area of one class gets the mean of what is in it, as a painter blocks in."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..data.palette import CLASSES


def flat(values: Tensor, labels: Tensor | None) -> Tensor:
    """(B, C, h, w): the mean of each class in each row; ``labels`` (B, H, W) are reduced to the size of ``values``.

    Without classes, means of squares of 4 x 4.
    """
    rows, channels, height, width = values.shape
    if labels is None:
        return F.interpolate(F.avg_pool2d(values, 4), size=(height, width), mode="nearest")
    near = labels[:, None].float()
    near = F.interpolate(near, size=(height, width), mode="nearest").long()  # (B, 1, h, w)
    place = near.flatten(2)  # (B, 1, h w)
    count = len(CLASSES)
    ones = torch.ones_like(place, dtype=values.dtype)
    total = values.new_zeros(rows, channels, count)
    total.scatter_add_(2, place.expand(-1, channels, -1), values.flatten(2))
    number = values.new_zeros(rows, 1, count).scatter_add_(2, place, ones)
    means = total / number.clamp(min=1)  # (B, C, classes)
    return means.gather(2, place.expand(-1, channels, -1)).view_as(values)
