"""Twice as large: a small network that a model may bring for what it paints, in the folder ``upscaler`` of its own.

Convolutions at the picture's own size and one sub-pixel convolution at the end (Shi et al. 2016, arXiv:1609.05158); the
network learns what is missing in bicubic interpolation (Kim et al. 2016, arXiv:1511.04587) in residual blocks without
normalisation (Lim et al. 2017, arXiv:1707.02921).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..stream.base.errors import ModelError
from ..stream.base.files import write_json
from ..stream.base.names import short
from .safety import check_safetensors, read_config, read_tensors
from .styles import model_folder

FOLDER, CONFIG, WEIGHTS = "upscaler", "config.json", "model.safetensors"
KIND, SCALE = "inkstream-upscaler", 2
MOST_CHANNELS, MOST_BLOCKS, MOST_BYTES = 256, 64, 64 * 2**20
TILE = 256  # side of what is enlarged at once, so that memory does not grow with the picture


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.relu(self.first(x)))  # (B, channels, H, W)


class Upscaler(nn.Module):
    """(B, 3, H, W) in [-1, 1] -> (B, 3, 2 H, 2 W) in about [-1, 1]. As it is made new it interpolates bicubically."""

    def __init__(self, channels: int = 32, blocks: int = 5) -> None:
        super().__init__()
        self.channels, self.blocks = channels, blocks
        self.enter = nn.Conv2d(3, channels, 3, padding=1)
        self.body = nn.Sequential(*(_Block(channels) for _ in range(blocks)))
        self.leave = nn.Conv2d(channels, 3 * SCALE * SCALE, 3, padding=1)
        for values in self.leave.parameters():
            nn.init.zeros_(values)

    @property
    def reach(self) -> int:
        """How many pixels of the small picture, to each side, a pixel of the large one depends on."""
        return 2 * self.blocks + 2 + 2  # convolutions, and two for bicubic interpolation

    def forward(self, x: Tensor) -> Tensor:
        missing = F.pixel_shuffle(self.leave(self.body(F.relu(self.enter(x)))), SCALE)  # (B, 3, 2 H, 2 W)
        return bicubic(x) + missing


def bicubic(x: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 3, 2 H, 2 W): what the network begins with, and is judged against."""
    return F.interpolate(x.float(), scale_factor=SCALE, mode="bicubic", align_corners=False)


@torch.inference_mode()
def enlarged(network: Upscaler, pixels: np.ndarray, step: Callable[[float], None] = lambda share: None) -> np.ndarray:
    """``(H, W, 3)`` uint8 RGB, twice as large on each side.

    In tiles that overlap by what a pixel depends on, so that no border shows: the same as in one piece. ``step`` is
    told the share that is done, and may raise to end it.
    """
    weights = next(network.parameters())
    height, width = pixels.shape[:2]
    image = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]  # (1, 3, H, W)
    large = np.empty((height * SCALE, width * SCALE, 3), np.uint8)
    for share, (top, bottom), (left, right) in _tiles(height, width):
        step(share)
        y, x = max(0, top - network.reach), max(0, left - network.reach)
        part = image[:, :, y : bottom + network.reach, x : right + network.reach]
        made = network(part.to(weights).div(127.5).sub(1))[0].float()  # (3, 2 h, 2 w)
        made = ((made.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).cpu().numpy()
        inside = np.s_[(top - y) * SCALE : (bottom - y) * SCALE, (left - x) * SCALE : (right - x) * SCALE]
        large[top * SCALE : bottom * SCALE, left * SCALE : right * SCALE] = made[inside]
    step(1.0)
    return large


def _tiles(height: int, width: int) -> Iterator[tuple[float, tuple[int, int], tuple[int, int]]]:
    rows, columns = range(0, height, TILE), range(0, width, TILE)
    for number, (top, left) in enumerate((top, left) for top in rows for left in columns):
        share = number / (len(rows) * len(columns))
        yield share, (top, min(top + TILE, height)), (left, min(left + TILE, width))


def upscaler_of(pipe: Any) -> Upscaler | None:
    """That of a loaded pipeline's model, on its device; None where it brings none. Raises ModelError."""
    folder = model_folder(pipe)
    if folder is None or not (folder / FOLDER / CONFIG).is_file():
        return None
    return read_upscaler(folder / FOLDER).to(pipe.unet.device)


def read_upscaler(folder: str | Path) -> Upscaler:
    """From its folder, in float32 on the CPU, frozen. Raises ModelError, UnsafeWeightsError."""
    folder = Path(folder)
    config = read_config(folder / CONFIG)
    channels, blocks = config.get("channels"), config.get("blocks")
    known = config.get("kind") == KIND and config.get("scale") == SCALE
    if not known or not _whole(channels, MOST_CHANNELS) or not _whole(blocks, MOST_BLOCKS):
        raise ModelError(
            f"{folder / CONFIG}: got {short(config)}, expected kind {KIND}, scale {SCALE}, channels up to "
            f"{MOST_CHANNELS} and blocks up to {MOST_BLOCKS}; train it with: inkstream train upscaler"
        )
    check_safetensors(folder / WEIGHTS, MOST_BYTES)
    tensors = read_tensors(folder / WEIGHTS)
    network = Upscaler(channels, blocks)
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    if wanted != {name: tuple(value.shape) for name, value in tensors.items()}:
        raise ModelError(f"{folder / WEIGHTS}: got other tensors than {CONFIG} says, expected those of {short(config)}")
    network.load_state_dict(tensors)
    return network.eval().requires_grad_(False)


def write_upscaler(network: Upscaler, folder: Path) -> None:
    """Write it into an empty folder, in half precision. Raises OSError, SafetensorError."""
    from safetensors.torch import save_file

    tensors = {name: value.detach().cpu().half().contiguous() for name, value in network.state_dict().items()}
    save_file(tensors, folder / WEIGHTS)
    sizes = {"channels": network.channels, "blocks": network.blocks}
    write_json(folder / CONFIG, {"kind": KIND, "scale": SCALE, **sizes})


def _whole(value: Any, most: int) -> TypeGuard[int]:
    return type(value) is int and 1 <= value <= most
