"""Depth of plain pictures, guessed by Depth Anything V2 (Yang et al., 2024) at its own pace, beside the stream."""

from __future__ import annotations

import threading
import weakref
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..stream.base.errors import ConfigError
from ..stream.base.plain import reason

SMALL = "depth-anything/Depth-Anything-V2-Small-hf"  # Apache-2.0; Base and Large are not for commercial use
SIDE = 266  # pixels of the shorter side that the network sees: 19 of its patches, a quarter of the work of its own 518
PATCH = 14
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
FOLLOW = 0.05  # how far the ends of the depths follow each new picture, so that no cut makes them jump
FIRST = 120.0  # seconds that the first estimate may take


class Estimator:
    """Gives the newest depth that there is, (H, W) float32 of 0 (far) to 1 (near); only the first call waits for one.

    ``network`` takes (1, 3, h, w) and gives inverse depths, ``predicted_depth`` (1, h, w). It runs on a thread of its
    own, which takes the newest picture whenever it has done with the one before, and ends with the estimator.
    """

    def __init__(self, network: Any, device: str = "cpu") -> None:
        self._box = _Box()
        worker = threading.Thread(target=_work, args=(network, device, self._box), name="inkstream depth", daemon=True)
        self._end = weakref.finalize(self, self._box.close)
        worker.start()

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """``pixels`` (H, W, 3) uint8 RGB. Raises the fault of the network, if it had one."""
        depth = self._box.exchange(pixels)
        height, width = pixels.shape[:2]
        return depth if depth.shape == (height, width) else cv2.resize(depth, (width, height))

    def settle(self) -> None:
        """Wait until the newest picture is estimated."""
        self._box.settle()

    def close(self) -> None:
        """End the thread."""
        self._end()


class _Box:
    """Between who asks and who works: the newest picture, and the newest depth."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._picture: np.ndarray | None = None
        self._depth: np.ndarray | None = None
        self._busy = self._closed = False
        self._fault: Exception | None = None

    def exchange(self, pixels: np.ndarray) -> np.ndarray:
        with self._changed:
            self._picture = pixels
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._depth is not None or self._fault or self._closed, FIRST)
            if self._fault is not None:
                raise self._fault
            return self._depth if self._depth is not None else np.zeros(pixels.shape[:2], np.float32)

    def settle(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: (self._picture is None and not self._busy) or self._fault, FIRST)

    def take(self) -> np.ndarray | None:
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._picture is not None or self._closed)
            picture, self._picture, self._busy = self._picture, None, True
            return None if self._closed else picture

    def give(self, depth: np.ndarray | None, fault: Exception | None = None) -> None:
        with self._changed:
            self._depth, self._fault = depth, fault
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def _work(network: Any, device: str, box: _Box) -> None:
    import torch

    ends: np.ndarray | None = None
    while (picture := box.take()) is not None:
        try:
            with torch.inference_mode():
                given = torch.from_numpy(seen(picture)).to(device, next(network.parameters()).dtype)
                found = network(pixel_values=given).predicted_depth[0].float().cpu().numpy()
        except Exception as error:  # noqa: BLE001 - whoever asks is told, whatever it was
            box.give(None, error)
            return
        now = np.percentile(found, [1, 99])
        ends = now if ends is None else ends + FOLLOW * (now - ends)
        scaled = (found - ends[0]) / max(float(ends[1] - ends[0]), 1e-6)
        box.give(np.clip(scaled, 0.0, 1.0).astype(np.float32))


def seen(pixels: np.ndarray) -> np.ndarray:
    """As the network takes it: (H, W, 3) uint8 RGB -> (1, 3, h, w) float32, sides multiples of its patches."""
    height, width = pixels.shape[:2]
    scale = SIDE / min(height, width)
    size = tuple(max(PATCH, round(side * scale / PATCH) * PATCH) for side in (width, height))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    return np.ascontiguousarray(((small.astype(np.float32) / 255 - MEAN) / DEVIATION).transpose(2, 0, 1)[None])


@lru_cache(maxsize=1)
def open_estimator(model: str) -> Estimator:
    """The estimator of a model that is there already: nothing is downloaded. Raises ConfigError with how to get it."""
    import torch
    from huggingface_hub import try_to_load_from_cache
    from transformers import AutoModelForDepthEstimation

    if not Path(model).is_dir() and not isinstance(try_to_load_from_cache(model, "config.json"), str):
        raise ConfigError(f"the model {model!r} is not here; get it with: hf download {model}")
    try:
        network = AutoModelForDepthEstimation.from_pretrained(model, local_files_only=True, use_safetensors=True)
    except Exception as error:
        raise ConfigError(f"the model {model!r} cannot be loaded ({reason(error)}); {SMALL} is one that can") from error
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return Estimator(network.eval().to(device), device)


def normals_of(depth: np.ndarray) -> np.ndarray:
    """What such depths face, after their slopes alone, in BAE's colours: (H, W) float32 -> (H, W, 3) uint8."""
    smooth = cv2.GaussianBlur(depth, (0, 0), 1.2)
    scale = 0.25 * max(depth.shape) / 8  # a slope of all the depths over the picture is a steep one
    x = cv2.Sobel(smooth, cv2.CV_32F, 1, 0) * scale
    y = cv2.Sobel(smooth, cv2.CV_32F, 0, 1) * scale
    # Towards the right it comes nearer: it faces left, and red is left.
    normal = np.dstack([x, y, np.ones_like(x)])
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    return ((normal + 1) * 127.5).round().astype(np.uint8)
