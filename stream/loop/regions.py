"""Regions in the loop: their texts stand behind the prompt's in every row, and their masks travel with each frame.

There are more places than regions: one more builds nothing, as long as there is a place for it. A place that is empty
has a mask of zeros.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..base.config import StreamConfig
from .prompt import PromptEncoder
from .recipe import Recipe

PLACES = (4, 8)  # how many there may be
MASKS = "regions"  # what rows of a frame are called


def places(config: StreamConfig) -> int:
    """R, the places for a configuration's regions; 0 where it has none."""
    return next(count for count in (0, *PLACES) if count >= len(config.regions))


def texts_of(config: StreamConfig, prompts: PromptEncoder) -> Tensor | None:
    """What is written for each place, (R, L, D); None without regions."""
    found = [prompts.region(each.prompt, config) for each in config.regions]  # (1, L, D) each
    if not found:
        return None
    return torch.cat([*found, *[torch.zeros_like(found[0])] * (places(config) - len(found))])


def masks_of(pictures: Sequence[np.ndarray | None], recipe: Recipe) -> dict[str, Tensor]:
    """What F pictures bring for their rows: masks (F, R, h, w), of each (its regions, h, w) the first; without regions
    nothing."""
    if recipe.regions is None:
        return {}
    masks = np.zeros((len(pictures), len(recipe.regions), *recipe.noise.shape[-2:]), np.float32)
    for place, picture in zip(masks, pictures, strict=True):
        if picture is not None:
            place[: len(picture)] = picture
    return {MASKS: torch.from_numpy(masks).to(recipe.noise.device)}
