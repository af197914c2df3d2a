"""Distances in the features of a network: how alike two pictures look, and how alike two sets of pictures are.

The published measures LPIPS (Zhang et al. 2018) and FID (Heusel et al. 2017) are defined by certain trained weights,
which nobody has by default, and whose usual packages bring torchvision. What is here has their form with other
features, and is named after these: a CLIP image encoder where there is one on this computer, else random convolutions
of our own. Figures are comparable only where the features are the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...stream.base.errors import ConfigError, ModelError
from ..data.quality import CLIP_MEAN, CLIP_STD

RANDOM = "random"
CLIP = "openai/clip-vit-large-patch14"  # taken by itself where it is in the cache
WIDTHS = (32, 64, 96, 128)  # of the random convolutions, each level at half the size of the one before
SEED = 0


class Features(ABC):
    """A network that sees pictures."""

    name: str
    """What the features are, for the result."""

    @abstractmethod
    def maps(self, pictures: Tensor) -> list[Tensor]:
        """``pictures`` (B, 3, H, W) float32 in [0, 1] -> maps of several levels, each (B, C, h, w)."""

    @torch.inference_mode()
    def distance(self, a: np.ndarray, b: np.ndarray) -> float:
        """How different two pictures (H, W, 3) uint8 look; 0 where they are equal.

        As in LPIPS: at every place of every level the feature vectors are brought to length 1; the squared distance is
        averaged over places, then over levels. There are no learned weights of channels.
        """
        levels = self.maps(torch.cat([self._tensor(a), self._tensor(b)]))
        return float(np.mean([_unit(level).diff(dim=0).square().sum(1).mean().item() for level in levels]))

    @torch.inference_mode()
    def vector(self, picture: np.ndarray) -> np.ndarray:
        """What a picture (H, W, 3) uint8 is as a whole: (D,) float64, the last level's mean over places."""
        return self.maps(self._tensor(picture))[-1].mean((2, 3))[0].double().cpu().numpy()

    @torch.inference_mode()
    def places(self, picture: np.ndarray, level: int) -> np.ndarray:
        """What is at every place of a picture (H, W, 3) uint8: (h w, D) float64."""
        return self.maps(self._tensor(picture))[level][0].flatten(1).T.double().cpu().numpy()

    def _tensor(self, picture: np.ndarray) -> Tensor:
        return torch.from_numpy(picture).to(self._device).permute(2, 0, 1)[None].float() / 255

    _device: torch.device = torch.device("cpu")


class RandomFeatures(Features):
    """Four levels of convolutions (3 x 3, ReLU, halved by averaging) with orthogonal random weights, always the same.

    Untrained features see colours, edges and textures, not things.
    """

    name = "random convolutions"

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self._device = torch.device(device)
        generator = torch.Generator().manual_seed(SEED)
        self._weights = []
        for inputs, outputs in zip((3, *WIDTHS), WIDTHS, strict=False):
            weight = torch.nn.init.orthogonal_(torch.empty(outputs, inputs * 9), 2**0.5, generator)
            self._weights.append(weight.view(outputs, inputs, 3, 3).to(self._device))

    def maps(self, pictures: Tensor) -> list[Tensor]:
        x, levels = 2 * pictures - 1, []
        for weight in self._weights:
            x = F.relu(F.conv2d(x, weight, padding=1))  # (B, C, h, w)
            levels.append(x)
            x = F.avg_pool2d(x, 2)
        return levels


class ClipFeatures(Features):
    """The image encoder of a CLIP model (Radford et al. 2021): four of its layers, evenly, the last one included."""

    def __init__(self, folder: Path, name: str, device: torch.device | str = "cpu") -> None:
        """Raises ModelError for a folder without a CLIP model, UnsafeWeightsError for weights that can carry code."""
        from transformers import CLIPVisionModel

        from ...stream.base.quiet import quiet
        from ..safety import check_folder, find_weights, read_config

        self.name, self._device = f"CLIP image encoder {name}", torch.device(device)
        check_folder(folder)
        if read_config(folder / "config.json").get("model_type") not in ("clip", "clip_vision_model"):
            raise ModelError(f"{folder}: got no CLIP model, expected one, for example {CLIP}")
        find_weights(folder)
        with quiet():
            network: Any = CLIPVisionModel.from_pretrained(str(folder), local_files_only=True, use_safetensors=True)
        self._network = network.to(self._device).eval().requires_grad_(False)
        depth = self._network.config.num_hidden_layers
        self._layers = sorted({max(1, round(depth * part / 4)) for part in range(1, 5)})

    def maps(self, pictures: Tensor) -> list[Tensor]:
        side = self._network.config.image_size
        sized = F.interpolate(pictures, (side, side), mode="bicubic", antialias=True).clamp(0, 1)
        mean, std = (torch.tensor(each, device=pictures.device).view(1, 3, 1, 1) for each in (CLIP_MEAN, CLIP_STD))
        states = self._network((sized - mean) / std, output_hidden_states=True).hidden_states
        grid = side // self._network.config.patch_size
        return [states[layer][:, 1:].mT.unflatten(2, (grid, grid)).float() for layer in self._layers]  # (B, D, h, w)


def open_features(wanted: str | None = None, device: torch.device | str = "cpu") -> Features:
    """A network by name: ``random``, or a CLIP model's folder or hub id; None: CLIP's if it is cached, else random.

    Nothing is downloaded. Raises ConfigError for a model that is not on this computer.
    """
    from .. import hub

    if wanted == RANDOM:
        return RandomFeatures(device)
    name = wanted or CLIP
    folder = Path(name).expanduser()
    if not folder.is_dir():
        cached = hub.cached(name) if hub.is_repo_id(name) else None
        if cached is None and wanted is None:
            return RandomFeatures(device)
        if cached is None:
            raise ConfigError(
                f"--features: {name} is not on this computer, expected {RANDOM!r}, or the folder or hub id of a CLIP "
                f"model that is; fetch it with: inkstream models fetch {name}"
            )
        folder = cached
    return ClipFeatures(folder, folder.name if wanted and Path(wanted).is_dir() else name, device)


class DetailFeatures(RandomFeatures):
    """Those convolutions blind to what is even: the first ones are 0 on an area of one colour, and see but changes."""

    name = "random convolutions of changes"

    def __init__(self, device: torch.device | str = "cpu") -> None:
        super().__init__(device)
        self._weights[0] = self._weights[0] - self._weights[0].mean((2, 3), keepdim=True)


class Patches:
    """What pieces of pictures look like: mean and covariance of ``DetailFeatures`` at every place of one level.

    It sees textures and edges within 18 pixels. Two sets of pictures whose pieces look the same are equally sharp and
    made of the same stuff, whatever they show and wherever it is: mirrored pictures are at .003 of each other, those
    blurred by one pixel at .1, by two at .3.
    """

    LEVEL = 2

    def __init__(self, features: DetailFeatures) -> None:
        self._features = features
        size = WIDTHS[self.LEVEL]
        self.count, self._sum, self._square = 0, np.zeros(size), np.zeros((size, size))

    def add(self, picture: np.ndarray) -> None:
        """Take the places of a picture (H, W, 3) uint8 in."""
        vectors = self._features.places(picture, self.LEVEL)
        self.count += len(vectors)
        self._sum += vectors.sum(0)
        self._square += vectors.T @ vectors

    def distance(self, real: Patches) -> float:
        """Fréchet distance to the pieces of real pictures, 0 where they are the same, in shares of how much those vary.

        ``trace`` of the covariance of the real ones is 1.
        """
        normal = real._normal()
        return frechet_of(*self._normal(), *normal) / max(float(np.trace(normal[1])), 1e-12)

    def _normal(self) -> tuple[np.ndarray, np.ndarray]:
        mean = self._sum / self.count
        return mean, (self._square - self.count * np.outer(mean, mean)) / (self.count - 1)


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """Fréchet distance (Dowson and Landau 1982) of two sets of vectors, (N, D) and (M, D), taken as normal.

    Few vectors make it large: compare only sets of the same number. Raises ValueError for a set of less than two.
    """
    if min(len(a), len(b)) < 2:
        raise ValueError(f"frechet: got sets of {len(a)} and {len(b)}, expected at least 2 vectors each")
    A, B = (np.atleast_2d(np.cov(each, rowvar=False)) for each in (a, b))  # (D, D)
    return frechet_of(a.mean(0), A, b.mean(0), B)


def frechet_of(mean_a: np.ndarray, A: np.ndarray, mean_b: np.ndarray, B: np.ndarray) -> float:
    """Of two normal distributions with means (D,) and covariances (D, D):
    ``|mean a - mean b|^2 + trace(A + B - 2 (A B)^(1/2))``."""
    # The trace of (A B)^(1/2) is that of (S B S)^(1/2), S = A^(1/2), which stays symmetric.
    values, vectors = np.linalg.eigh(A)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    both = np.sqrt(np.linalg.eigvalsh(root @ B @ root).clip(0)).sum()
    apart = np.square(mean_a - mean_b).sum()
    return float(max(0.0, apart + np.trace(A) + np.trace(B) - 2 * both))


def _unit(level: Tensor) -> Tensor:
    return level / (level.norm(dim=1, keepdim=True) + 1e-10)
