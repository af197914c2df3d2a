"""What tests of the names of StreamDiffusion share: models in folders, and what our own stream makes of the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from inkstream.lora.load import load_pipeline
from inkstream.stream import Stream, StreamConfig

SIDE = 64


def pictures(count: int, seed: int = 0) -> list[np.ndarray]:
    """(64, 64, 3) uint8 RGB each, every one another, of large coloured fields."""
    rng = np.random.default_rng(seed)
    return [np.kron(rng.integers(0, 255, (8, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8) for _ in range(count)]


def ours(model: Path, frames: Sequence[np.ndarray], **settings: Any) -> list[np.ndarray]:
    """What ``Stream`` renders of each frame, (64, 64, 3) int each; ``settings`` are fields of StreamConfig."""
    config = StreamConfig.build(
        **{"width": SIDE, "height": SIDE, "acceleration": "eager", "warmup": 0, "fit": "stretch", **settings}
    )
    stream = Stream(load_pipeline(model, config), config.changed(similar_image_filter_threshold=None))
    outputs = [stream(frame) for frame in frames] + stream.drain()
    return [output.pixels.astype(int) for output in outputs if output is not None]


def apart(picture: Any, pixels: np.ndarray) -> int:
    """The largest difference in levels: ``picture`` a PIL image, or a tensor (3, H, W) in about [-1, 1]."""
    if not isinstance(picture, PIL.Image.Image):
        picture = ((picture.float().cpu().numpy() / 2 + 0.5).clip(0, 1) * 255).round().transpose(1, 2, 0)
    return int(np.abs(np.asarray(picture).astype(int) - pixels).max())
