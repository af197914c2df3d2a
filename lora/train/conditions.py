"""What a ControlNet sees while training: (B, 3, H, W) float32 in [0, 1], made from a batch."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from ...stream.base.errors import ConfigError
from ..data.palette import colours
from .data import Batch
from .kinds import ConditionConfig
from .regions import flat


def condition_image(kind: str, batch: Batch) -> Tensor:
    """One kind of condition image. Raises ConfigError where the pairs lack what it is made of."""
    if kind == "sketch":
        return batch.control()
    if kind == "edges":
        return _grey(_edges(batch.lines))
    if kind == "clean":
        if batch.clean is None:
            raise ConfigError("conditions: got image: clean, but the pairs have no exact lines; take sketch")
        return _grey(batch.clean)
    if batch.labels is None:
        raise ConfigError(f"conditions: got image: {kind}, but the pairs have no classes; take sketch or edges")
    if kind == "palette":
        table = torch.from_numpy(colours()).to(batch.labels.device)
        return table[batch.labels.long()].permute(0, 3, 1, 2).float().div(255)
    return flat((batch.pictures() + 1) / 2, batch.labels)  # materials


def condition_images(conditions: Sequence[ConditionConfig], batch: Batch) -> list[Tensor]:
    """That of every ControlNet, in order."""
    return [condition_image(each.image, batch) for each in conditions]


def _grey(lines: Tensor) -> Tensor:
    return lines[:, None].float().div(255).expand(-1, 3, -1, -1).contiguous()


def _edges(lines: Tensor) -> Tensor:
    """Canny's edges (1986) of drawings (B, H, W) uint8: both sides of every stroke."""
    found = [cv2.Canny(each, 100, 200) for each in lines.cpu().numpy()]
    return torch.from_numpy(np.stack(found)).to(lines.device)
