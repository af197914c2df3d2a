"""Batches from any set of pairs. Batch k is a function of k and the seed alone: that is what makes resuming exact."""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ...stream.base.errors import ConfigError
from ...stream.base.progress import Progress, silent
from ..data.sample import Part, Sample, Samples, drawings_of, sample_of, texts_of
from . import seeds
from .augment import varied
from .caches import Latents
from .config import DataConfig
from .sharpened import Sharpened
from .sheets import to_pictures

FEW = 2  # scenes that stand for all where nothing is to be rendered into a folder


@dataclass(frozen=True, eq=False)
class Batch:
    """B samples. Pictures are bytes until they are on the device, where they take a quarter of the way."""

    index: Tensor  # (B,) int64, which samples
    flipped: Tensor  # (B,) bool
    picture: Tensor  # (B, H, W, 3) uint8
    lines: Tensor  # (B, H, W) uint8
    clean: Tensor | None  # (B, H, W) uint8, exact lines
    labels: Tensor | None  # (B, H, W) uint8
    paint: Tensor | None  # (B, H, W, 3) uint8, under the lines; black: nothing
    captions: tuple[str, ...]
    latent: Tensor | None  # (B, C, h, w) float16, from the cache

    def to(self, device: Any) -> Batch:
        """The same on a device."""
        moved = {
            field.name: value.to(device, non_blocking=True)
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), Tensor)
        }
        return replace(self, **moved)

    def __len__(self) -> int:
        return len(self.index)

    def pictures(self) -> Tensor:
        """(B, 3, H, W) float32 in [-1, 1]."""
        return to_pictures(self.picture)

    def drawn(self) -> Tensor:
        """(B, 1, H, W) float32 in [0, 1]: the lines."""
        return self.lines[:, None].float().div(255)

    def control(self) -> Tensor:
        """(B, 3, H, W) float32 in [0, 1]: white lines over black, or over paint; see ``adapters/paint.py``."""
        share = self.drawn()
        if self.paint is None:
            return share.expand(-1, 3, -1, -1).contiguous()
        return self.paint.permute(0, 3, 1, 2).float().div(255) * (1 - share) + share


def open_data(config: DataConfig, progress: Progress = silent, whole: bool = True) -> tuple[Samples, Samples]:
    """(training, held out) pairs of a configuration; renders scenes first where it asks for them.

    Without ``whole`` a few scenes stand for those that are not rendered yet, and nothing is written.
    Raises ConfigError when there is nothing there, DataError when a folder of pairs is damaged.
    """
    folder = Path(config.path).expanduser()
    if config.scenes:
        from ..data.cache import ABOUT, SceneCache

        if config.validation >= config.scenes:
            raise ConfigError(
                f"data.validation: got {config.validation} of {config.scenes} scenes, expected fewer than data.scenes"
            )
        if not whole and not (folder / ABOUT).is_file():
            few = _some_scenes(config)
            return few, few[:0]
        cache = SceneCache(
            folder, config.scenes_seed, config.scenes, config.size, painter=config.painter, progress=progress
        )
        border = len(cache) - config.validation
        return _learned(Part(cache, 0, border), config), Part(cache, border, len(cache))
    if not folder.is_dir():
        raise ConfigError(
            f"data.path: got {config.path!r}, which is no folder; name one that inkstream prepare made, or set "
            "data.scenes to render some"
        )
    from ..data.folder import METADATA, Pairs

    train = Pairs(folder, split="train", size=config.size)
    listed = folder / "validation" / METADATA
    some = listed.is_file() and listed.stat().st_size > 0
    held = Pairs(folder, split="validation", size=config.size) if some else Part(train, 0, 0)
    return _learned(train, config), held


def _learned(samples: Samples, config: DataConfig) -> Samples:
    """Pairs as a network learns from them."""
    for word, having in _having(samples, config.often).items():
        if not having.any():
            raise ConfigError(f"data.often: got {word!r}, which no caption has, expected a word that some have")
    return Sharpened(samples, config.sharpen, config.sharpen_share) if config.sharpen else samples


def _some_scenes(config: DataConfig) -> list[Sample]:
    from ..data import scenes

    chosen = [scenes.sample_scene(config.scenes_seed + number) for number in range(min(FEW, config.scenes))]
    return scenes.samples(scenes.render(chosen, config.size), chosen)


class Batches(Dataset):
    """Batch k for every k, without an end: each epoch is one random order of all samples."""

    def __init__(
        self, samples: Samples, config: DataConfig, batch_size: int, seed: int = 0, latents: Latents | None = None
    ) -> None:
        if not len(samples):
            raise ConfigError("data: got no samples, expected one at least")
        self.samples, self.config, self.batch_size, self.seed, self.latents = samples, config, batch_size, seed, latents
        self._round = _round(samples, config.often)
        self._epoch, self._order = -1, np.zeros(0, np.int64)

    def __getitem__(self, number: int) -> Batch:
        places = range(number * self.batch_size, (number + 1) * self.batch_size)
        return self.of([(self._at(place), seeds.numpy_generator(self.seed, seeds.SAMPLE, place)) for place in places])

    def of(self, chosen: list[tuple[int, np.random.Generator]]) -> Batch:
        """The batch of these samples, each varied by its generator."""
        rows = [(index, varied(self._sample(index, rng), self.config, rng)) for index, rng in chosen]
        clean, labels = [row.clean for _, row in rows], [row.labels for _, row in rows]
        paint = None
        if any(row.paint is not None for _, row in rows):
            paint = _stacked([np.zeros_like(row.picture) if row.paint is None else row.paint for _, row in rows])
        latent = None
        if self.latents is not None:
            latent = torch.from_numpy(np.stack([self.latents.read(index, row.flipped) for index, row in rows]))
        return Batch(
            index=torch.tensor([index for index, _ in rows]),
            flipped=torch.tensor([row.flipped for _, row in rows]),
            picture=_stacked([row.picture for _, row in rows]),
            lines=_stacked([row.lines for _, row in rows]),
            clean=None if any(each is None for each in clean) else _stacked(clean),
            labels=None if any(each is None for each in labels) else _stacked(labels),
            paint=paint,
            captions=tuple(row.caption for _, row in rows),
            latent=latent,
        )

    def _sample(self, index: int, rng: np.random.Generator) -> Sample:
        """A sample with any of its drawings."""
        drawings = drawings_of(self.samples)
        sample = sample_of(self.samples, index, int(rng.integers(drawings)) if drawings > 1 else 0)
        side = self.config.size
        if sample.picture.shape != (side, side, 3):
            raise ConfigError(
                f"data.size: got {side}, but picture {index} is {sample.picture.shape[1]}x{sample.picture.shape[0]}; "
                "set data.size to what the pairs have"
            )
        return sample

    def _at(self, place: int) -> int:
        """Which sample is at a place of the endless order."""
        epoch, within = divmod(place, len(self._round))
        if epoch != self._epoch:
            rng = seeds.numpy_generator(self.seed, seeds.ORDER, epoch)
            self._epoch, self._order = epoch, rng.permutation(self._round)
        return int(self._order[within])

    def since(self, number: int, workers: int = 0) -> Iterator[Batch]:
        """Batches from ``number`` on; ``workers`` processes prepare them ahead, in the same order."""
        if not workers:
            return (self[each] for each in _count(number))
        context = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
        loader = DataLoader(
            self,
            batch_size=None,
            sampler=_From(number),
            num_workers=workers,
            prefetch_factor=2,
            multiprocessing_context=context,
            worker_init_fn=_quiet_worker,
            generator=torch.Generator(),  # else it takes a number of the global one, which a resumed run would miss
        )
        return iter(loader)


def _round(samples: Samples, often: Mapping[str, int]) -> np.ndarray:
    """Which samples a round of all has, in order."""
    times = np.ones(len(samples), np.int64)
    for word, having in _having(samples, often).items():
        times[having] = np.maximum(times[having], often[word])
    return np.repeat(np.arange(len(samples)), times)


def _having(samples: Samples, words: Iterable[str]) -> dict[str, np.ndarray]:
    """Of each word whether a sample's captions have it, (N,) bool."""
    words = [*words]
    known = [set(re.findall(r"\w+", " ".join(texts).lower())) for texts in texts_of(samples)] if words else []
    return {word: np.array([word.lower() in each for each in known], bool) for word in words}


class _From(torch.utils.data.Sampler):
    def __init__(self, start: int) -> None:
        self.start = start

    def __iter__(self) -> Iterator[int]:
        return _count(self.start)


def _count(number: int) -> Iterator[int]:
    while True:
        yield number
        number += 1


def _quiet_worker(_: int) -> None:
    import signal

    import cv2

    cv2.setNumThreads(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the training, which needs its last batch


def _stacked(arrays: list[Any]) -> Tensor:
    return torch.from_numpy(np.stack(arrays))


def still(samples: Samples, config: DataConfig, count: int) -> list[Batch]:
    """The first ``count`` samples in batches of up to 16, without any variation: finished sketches, first captions."""
    if not len(samples):
        return []
    plain = config.model_copy(
        update=dict.fromkeys(("flip", "clean", "blank", "partial", "palette", "caption_dropout"), 0.0) | {"often": {}}
    )
    batches = Batches(samples, plain, 1)
    made = []
    for start in range(0, min(count, len(samples)), 16):
        chosen = range(start, min(start + 16, count, len(samples)))
        batch = batches.of([(index, seeds.numpy_generator(0, seeds.VALIDATION, index)) for index in chosen])
        firsts = tuple(samples[index].captions[0] for index in chosen)
        made.append(replace(batch, captions=firsts))
    return made
