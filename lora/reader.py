"""What a drawing shows, in words: a small network that a model may bring, in the folder ``reader`` of its own.

It sees lines alone, and gives the words of the model that lines can say: the kind of thing, its style, from where it is
seen, which parts it has. How sure it is was calibrated on drawings that it did not learn from (temperature scaling, Guo
et al. 2017, arXiv:1706.04599), one temperature for each group of words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..stream.base.errors import ModelError
from ..stream.base.files import write_json
from ..stream.base.names import short
from .safety import check_safetensors, read_config, read_tensors
from .styles import model_folder

FOLDER, CONFIG, WEIGHTS = "reader", "config.json", "model.safetensors"
KIND_OF_FILE = "inkstream-reader"
MOST_CHANNELS, MOST_WORDS, MOST_BYTES = 256, 4096, 64 * 2**20
SIDE = 64  # pixels of what the network sees
CELLS, DIRECTIONS = 8, 8  # of its first layer
KIND = "kind"  # the group that says which other groups there are
NONE = "none"  # the word of a group whose thing is not there
LEAST_INK = 0.012  # share of what the network sees that is drawn; with less, there is nothing to be read
DRAWN = 0.25  # of 1, from which on a pixel counts as drawn


@dataclass(frozen=True)
class Words:
    """The words that a reader chooses among."""

    groups: Mapping[str, tuple[str, ...]]
    """Group -> its words, NONE among them where there may be nothing. ``KIND`` is one of them."""
    of: Mapping[str, Mapping[str, tuple[str, ...]]]
    """Kind -> the groups that it can have -> which of their words."""
    forms: Mapping[str, str] = field(default_factory=dict)
    """Group -> how a word of it is said, where that is not the word alone: "{} view"."""

    @property
    def count(self) -> int:
        """Of all groups together: the length of what the network gives."""
        return sum(map(len, self.groups.values()))


class DrawingReader(nn.Module):
    """(B, 1, SIDE, SIDE) in [0, 1], 1 is ink -> (B, ``words.count``) logits, group after group.

    The first layer is not learned: how much ink runs in each direction in each of CELLS x CELLS places (after Dalal and
    Triggs 2005). What is left to be learned is small, and takes minutes on a CPU.
    """

    temperatures: Tensor  # (groups,), 1 before it is calibrated

    def __init__(self, words: Words, widths: Sequence[int] = (32, 64)) -> None:
        super().__init__()
        self.words, self.widths = words, tuple(widths)
        wide, last = self.widths
        self.near = nn.Conv2d(DIRECTIONS + 1, wide, 3, padding=1)
        self.whole = nn.Linear(wide * (CELLS // 2) ** 2, last)
        self.drop = nn.Dropout(0.2)
        self.leave = nn.Linear(last, words.count)
        self.register_buffer("temperatures", torch.ones(len(words.groups)))

    def forward(self, lines: Tensor) -> Tensor:
        return self.judged(directions(lines))

    def judged(self, found: Tensor) -> Tensor:
        """What ``directions`` found (B, DIRECTIONS + 1, CELLS, CELLS) -> (B, count)."""
        x = F.avg_pool2d(F.relu(self.near(found)), 2).flatten(1)  # (B, 32 * 4 * 4)
        return self.leave(self.drop(F.relu(self.whole(self.drop(x)))))

    def parted(self, logits: Tensor) -> dict[str, Tensor]:
        """(B, count) -> group -> (B, words of it)."""
        sizes = [len(words) for words in self.words.groups.values()]
        return dict(zip(self.words.groups, logits.split(sizes, dim=1), strict=True))

    def shares(self, logits: Tensor) -> dict[str, Tensor]:
        """How sure it is of each word: group -> (B, words of it), each row sums to 1."""
        parted = self.parted(logits.float())
        hot = dict(zip(parted, self.temperatures.tolist(), strict=True))
        return {name: (values / hot[name]).softmax(dim=1) for name, values in parted.items()}


def directions(lines: Tensor) -> Tensor:
    """(B, 1, SIDE, SIDE) in [0, 1] -> (B, DIRECTIONS + 1, CELLS, CELLS) in about [0, 2]: ink by its direction in each
    place, and ink."""
    padded = F.pad(lines, (1, 1, 1, 1))
    across = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]  # (B, 1, SIDE, SIDE)
    down = padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    angles = torch.arange(DIRECTIONS, device=lines.device, dtype=lines.dtype) * (np.pi / DIRECTIONS)
    along = (across * angles.cos().view(1, -1, 1, 1) + down * angles.sin().view(1, -1, 1, 1)).abs()
    clear = F.relu(along - 0.75 * (across.square() + down.square() + 1e-8).sqrt())  # (B, DIRECTIONS, SIDE, SIDE)
    pooled = F.avg_pool2d(torch.cat([4 * clear, lines], dim=1), SIDE // CELLS)
    return (pooled + 1e-4).sqrt() * 2 - 0.02


def seen(lines: np.ndarray) -> np.ndarray:
    """Lines as the network takes them: (H, W) uint8, white on black, any size -> (SIDE, SIDE) float32 in [0, 1].

    Thin lines of a large sheet come out as dark as those of a small one.
    """
    small = cv2.resize(lines, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    inked = small[small > 0.04]
    return small if not inked.size else np.clip(small / max(0.1, float(np.percentile(inked, 80))), 0, 1)


def empty(sheet: np.ndarray) -> bool:
    """Whether there is too little on what ``seen`` gave to be read."""
    return float((sheet > DRAWN).mean()) < LEAST_INK


@torch.inference_mode()
def read_drawing(network: DrawingReader, lines: np.ndarray) -> dict[str, dict[str, float]]:
    """How sure it is of each word, by groups; nothing where next to nothing is drawn. ``lines`` as for ``seen``.

    The sheet as it is and a little smaller both count, so that a pixel here or there decides nothing.
    """
    sheet = seen(lines)
    if empty(sheet):
        return {}
    inner = cv2.resize(sheet, (SIDE - 6, SIDE - 6), interpolation=cv2.INTER_AREA)
    smaller = cv2.copyMakeBorder(inner, 3, 3, 3, 3, cv2.BORDER_CONSTANT, value=(0.0,))
    weights = network.leave.weight
    given = torch.from_numpy(np.stack([sheet, smaller])[:, None]).to(weights)  # (2, 1, SIDE, SIDE)
    shares = network.shares(network(given))
    return {
        name: dict(zip(network.words.groups[name], values.mean(0).tolist(), strict=True))
        for name, values in shares.items()
    }


def reader_of(pipe: Any) -> DrawingReader | None:
    """That of a loaded pipeline's model, on the CPU; None where it brings none. Raises ModelError."""
    folder = model_folder(pipe)
    if folder is None or not (folder / FOLDER / CONFIG).is_file():
        return None
    return read_reader(folder / FOLDER)


def read_reader(folder: str | Path) -> DrawingReader:
    """From its folder, in float32 on the CPU, frozen. Raises ModelError, UnsafeWeightsError."""
    folder = Path(folder)
    config = read_config(folder / CONFIG)
    words = _words(config)
    widths = config.get("widths")
    known = isinstance(widths, list) and len(widths) == 2 and all(_width(each) for each in widths)
    if config.get("kind") != KIND_OF_FILE or words is None or not isinstance(widths, list) or not known:
        raise ModelError(
            f"{folder / CONFIG}: got {short(config)}, expected kind {KIND_OF_FILE}, two widths up to "
            f"{MOST_CHANNELS}, and groups of words; train it with: inkstream train reader"
        )
    check_safetensors(folder / WEIGHTS, MOST_BYTES)
    tensors = read_tensors(folder / WEIGHTS)
    network = DrawingReader(words, widths)
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    if wanted != {name: tuple(value.shape) for name, value in tensors.items()}:
        raise ModelError(f"{folder / WEIGHTS}: got other tensors than {CONFIG} says, expected those of {short(widths)}")
    if bool((tensors["temperatures"] <= 0).any()):
        raise ModelError(f"{folder / WEIGHTS}: got temperatures of 0 or less, expected more; get the file anew")
    network.load_state_dict(tensors)
    return network.eval().requires_grad_(False)


def write_reader(network: DrawingReader, folder: Path) -> None:
    """Write it into an empty folder, in half precision. Raises OSError, SafetensorError."""
    from safetensors.torch import save_file

    tensors = {name: value.detach().cpu().half().contiguous() for name, value in network.state_dict().items()}
    save_file(tensors, folder / WEIGHTS)
    words = network.words
    table = {"groups": words.groups, "of": words.of, "forms": words.forms}
    write_json(folder / CONFIG, {"kind": KIND_OF_FILE, "widths": list(network.widths), **table})


def _words(config: Mapping[str, Any]) -> Words | None:
    """The words of a configuration; None where it has none that make sense."""
    groups, of, forms = (config.get(name) for name in ("groups", "of", "forms"))
    if not isinstance(groups, dict) or not isinstance(of, dict) or not isinstance(forms, dict):
        return None
    if not all(_texts(each) for each in groups.values()) or not 1 <= sum(map(len, groups.values())) <= MOST_WORDS:
        return None
    if set(of) != set(groups.get(KIND, ())) or not all(isinstance(each, dict) for each in of.values()):
        return None
    for own in of.values():
        if not all(_texts(each) and set(each) <= set(groups.get(name, ())) for name, each in own.items()):
            return None
    if not all(isinstance(each, str) and each.count("{}") == 1 for each in forms.values()):
        return None
    return Words(
        {name: tuple(each) for name, each in groups.items()},
        {kind: {name: tuple(each) for name, each in own.items()} for kind, own in of.items()},
        forms,
    )


def _texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, str) and each for each in value)


def _width(value: Any) -> bool:
    return type(value) is int and 1 <= value <= MOST_CHANNELS
