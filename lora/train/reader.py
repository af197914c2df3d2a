"""A network that says what a drawing shows: drawings as people make them, and the tags of what they are of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...stream.base.errors import ConfigError
from ...stream.base.progress import Progress, silent
from ..data.sample import Samples, drawings_of, sample_of, tags_of
from ..reader import CELLS, DIRECTIONS, KIND, NONE, DrawingReader, Words, directions, seen, write_reader
from . import augment, seeds
from .data import Batch, Batches
from .devices import device_of, settle, settle_process
from .from_scratch import ReaderConfig
from .task import Loss, Now, Task

FEW = 64  # drawings at once
IGNORED = -100  # the target of a group that a scene does not have
FORMS = {"view": "{} view", "roof": "{} roof", "behind": "{} behind"}  # as captions say them
TEMPERATURES = np.geomspace(0.5, 5.0, 40)  # that are tried
DRAWN_AT = 112  # side at which drawings are varied; strokes are made anew for none of them, which would take longer
BROADEST = 15  # pixels of a brush at 256 x 256
FARTHEST = 0.14  # of a side, that a drawing is moved


class Places(Batches):
    """Batches that only say which samples they are: what is learned from was made of these before."""

    def of(self, chosen: list[tuple[int, np.random.Generator]]) -> Batch:
        nothing = torch.zeros(len(chosen), 0, 0, dtype=torch.uint8)
        index = torch.tensor([index for index, _ in chosen])
        flipped = torch.zeros(len(chosen), dtype=torch.bool)
        captions = ("",) * len(chosen)
        return Batch(index, flipped, nothing[..., None], nothing, None, None, None, captions, None)


class ReaderTask(Task):
    """Sketches, moved, made larger and smaller, drawn with broad pens, hatched and unfinished."""

    config: ReaderConfig

    def __init__(
        self, config: ReaderConfig, samples: Samples, held: Samples, progress: Progress = silent, cache: bool = True
    ) -> None:
        self.config = config
        self.batches = Places(samples, config.data, config.train_batch_size, config.seed)
        self.device = device_of(config)
        settle_process(config, self.device)
        tags, count = tags_of(samples), min(len(held), config.validation_samples)
        words = words_of(tags, config.groups, config.least)
        with seeds.new_weights(config.seed):
            self.network: Any = DrawingReader(words, config.widths)
        settle([self.network], config, self.device, train=True)
        self._targets = targets_of(tags, words)  # (N, groups)
        self._seen = self._varied_all(samples, len(samples), config.variations if cache else 1, progress)
        finished = [seen(held[place].sketch) for place in range(count)]
        self._held = [_found(finished), self._varied_all(held, count, 1, silent)[0]]
        self._held_targets = targets_of(tags_of(held)[:count], words)

    @classmethod
    def of(
        cls, config: ReaderConfig, samples: Samples, held: Samples, progress: Progress = silent, cache: bool = True
    ) -> ReaderTask:
        return cls(config, samples, held, progress, cache)

    def trained(self) -> dict[str, nn.Module]:
        return {"reader": self.network}

    def loss(self, batch: Batch, now: Now) -> Loss:
        index = batch.index.cpu()
        which = torch.randint(len(self._seen), (len(batch),), generator=now.random)
        found = self._seen[which, index].to(self.device).float()  # (B, DIRECTIONS + 1, CELLS, CELLS)
        turned = torch.rand(len(batch), 1, 1, 1, generator=now.random).to(self.device) < self.config.data.flip
        logits = self.network.judged(torch.where(turned, mirrored(found), found))  # (B, count)
        targets = self._targets[index].to(self.device)  # (B, groups)
        parts = {
            name: F.cross_entropy(values, targets[:, place], ignore_index=IGNORED, reduction="sum") / len(batch)
            for place, (name, values) in enumerate(self.network.parted(logits.float()).items())
        }
        return Loss(sum(parts.values(), torch.zeros((), device=self.device)), {KIND: parts[KIND]})

    def _varied_all(self, samples: Samples, count: int, variations: int, progress: Progress) -> Tensor:
        """(variations, count, DIRECTIONS + 1, CELLS, CELLS) float16: what the first layer sees of varied drawings."""
        made = torch.zeros(variations, count, DIRECTIONS + 1, CELLS, CELLS, dtype=torch.float16)
        drawings = drawings_of(samples)
        for start in range(0, count, FEW):
            progress("drawings", start / max(1, count))
            places = range(start, min(start + FEW, count))
            for number in range(variations):
                sheets = []
                for place in places:
                    rng = seeds.numpy_generator(self.config.seed, seeds.SAMPLE, place, number)
                    lines = sample_of(samples, place, number % drawings).sketch
                    sheets.append(self._varied(lines, rng))
                made[number, start : start + len(places)] = _found(sheets)
        return made

    def _varied(self, lines: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A drawing as somebody else would have drawn it, (SIDE, SIDE) float32."""
        chances = rng.random(4)
        lines = cv2.resize(lines, (DRAWN_AT, DRAWN_AT), interpolation=cv2.INTER_AREA)
        lines = cv2.convertScaleAbs(lines, alpha=1.8)
        if chances[0] < self.config.unfinished:
            lines = augment.half_drawn(lines, rng) if rng.random() < 0.5 else augment.with_gaps(lines, rng)
        if chances[1] < self.config.searching:
            lines = searched(lines, rng)
        if chances[2] < self.config.hatched:
            lines = hatched(lines, rng)
        if chances[3] < self.config.broad:
            lines = broad(lines, rng)
        return seen(moved(lines, rng))

    def measure(self) -> dict[str, float]:
        if not len(self._held_targets):
            return {}
        measured = {}
        for name, found in zip(("finished", "varied"), self._held, strict=True):
            logits = self._logits(found)
            for place, (group, values) in enumerate(self.network.parted(logits).items()):
                targets = self._held_targets[:, place]
                right = (values.argmax(1) == targets)[targets != IGNORED]
                if len(right):
                    measured[f"{name}_{group}_right"] = right.float().mean().item()
        return measured

    def _logits(self, found: Tensor) -> Tensor:
        """(N, count) on the CPU."""
        return self.network.judged(found.to(self.device).float()).float().cpu()

    @torch.no_grad()
    def calibrate(self) -> None:
        """Set the temperature of each group to the one that is best on held-out drawings, finished and varied."""
        if not len(self._held_targets):
            return
        parted = self.network.parted(torch.cat([self._logits(each) for each in self._held]))
        for place, values in enumerate(parted.values()):
            targets = self._held_targets[:, place].repeat(2)
            if (targets == IGNORED).all():
                continue
            losses = [F.cross_entropy(values / float(each), targets, ignore_index=IGNORED) for each in TEMPERATURES]
            self.network.temperatures[place] = float(TEMPERATURES[int(torch.stack(losses).argmin())])

    def write(self, folder: Path) -> None:
        self.calibrate()
        write_reader(self.network, folder)


def _found(sheets: Sequence[np.ndarray]) -> Tensor:
    """What the first layer makes of sheets (SIDE, SIDE): (N, DIRECTIONS + 1, CELLS, CELLS) float16."""
    if not sheets:
        return torch.zeros(0, DIRECTIONS + 1, CELLS, CELLS, dtype=torch.float16)
    return directions(torch.from_numpy(np.stack(sheets))[:, None]).half()


def mirrored(found: Tensor) -> Tensor:
    """What ``directions`` gives of the mirrored sheet: places change sides, and so do slopes."""
    slopes = [0, *range(DIRECTIONS - 1, 0, -1), DIRECTIONS]
    return found[:, slopes].flip(3)


def words_of(tags: Sequence[Mapping[str, str]], groups: Sequence[str], least: int) -> Words:
    """The words of some groups that ``least`` samples have, and what goes together. Raises ConfigError without any."""
    counts = {name: Counter(each[name] for each in tags if name in each) for name in (KIND, *groups)}
    words = {name: tuple(word for word, count in each.most_common() if count >= least) for name, each in counts.items()}
    if not words[KIND]:
        raise ConfigError(f"data: got no word {KIND!r} that {least} samples have, expected scenes, or pairs with tags")
    words = {name: each for name, each in words.items() if set(each) - {NONE}}
    of = {}
    for kind in words[KIND]:
        own = [each for each in tags if each.get(KIND) == kind]
        here = {name: {each[name] for each in own if name in each} for name in words if name != KIND}
        of[kind] = {name: tuple(word for word in words[name] if word in has) for name, has in here.items()}
        of[kind] = {name: each for name, each in of[kind].items() if set(each) - {NONE}}
    return Words(words, of, {name: form for name, form in FORMS.items() if name in words})


def targets_of(tags: Sequence[Mapping[str, str]], words: Words) -> Tensor:
    """(N, groups) int64: the place of each sample's word in its group, IGNORED where it has none."""
    places = [{word: place for place, word in enumerate(each)} for each in words.groups.values()]
    rows = [
        [place.get(each.get(name, ""), IGNORED) for name, place in zip(words.groups, places, strict=True)]
        for each in tags
    ]
    return torch.tensor(rows, dtype=torch.int64).view(-1, len(places))


def broad(lines: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lines (H, W) uint8 drawn with a broader pen; most are not much broader."""
    width = 1 + (BROADEST - 1) * rng.random() ** 2
    pixels = max(2, round(width * lines.shape[0] / 256))
    return cv2.dilate(lines, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (pixels, pixels)))


def searched(lines: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lines (H, W) uint8 that were looked for: drawn two or three times, a little aside each time."""
    reach = lines.shape[0] / 100
    for _ in range(int(rng.integers(1, 3))):
        corners = np.array([[0, 0], [1, 0], [0, 1]], np.float32) * lines.shape[0]
        aside = corners + rng.normal(0, reach, (3, 2)).astype(np.float32)
        again = cv2.warpAffine(lines, cv2.getAffineTransform(corners, aside), lines.shape[::-1])
        lines = cv2.max(lines, again)
    return lines


def hatched(lines: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lines (H, W) uint8 with hatching in up to three of the areas that they enclose, and lines of nothing."""
    height, width = lines.shape
    free = (cv2.dilate(lines, np.ones((2, 2), np.uint8)) < augment.LINE).astype(np.uint8)
    count, areas, stats, _ = cv2.connectedComponentsWithStats(free, connectivity=4)
    size = stats[:, cv2.CC_STAT_AREA]
    inner = [place for place in range(1, count) if 0.002 * lines.size < size[place] < 0.15 * lines.size]
    chosen = rng.permutation(inner)[: int(rng.integers(1, 4))]
    strokes, step = np.zeros_like(lines), int(rng.integers(3, 7))
    slope, ink = rng.uniform(0.6, 1.8) * rng.choice([-1, 1]), int(rng.integers(120, 240))
    for start in range(-2 * height, width + 2 * height, step):
        cv2.line(strokes, (start, 0), (int(start + height / slope), height), ink, 1, cv2.LINE_AA)
    made = cv2.max(lines, np.where(np.isin(areas, chosen), strokes, 0).astype(np.uint8))
    for _ in range(int(rng.integers(0, 3))):
        ends = (rng.uniform(0, 1, (2, 2)) * (width, height)).astype(int)
        cv2.line(made, tuple(map(int, ends[0])), tuple(map(int, ends[1])), ink, 1, cv2.LINE_AA)
    return made


def moved(lines: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lines (H, W) uint8 at another place of the sheet, larger or smaller, a little turned and stretched."""
    height, width = lines.shape
    angle, size, longer = rng.normal(0, 3), np.exp(rng.uniform(-0.5, 0.18)), np.exp(rng.normal(0, 0.08))
    way = cv2.getRotationMatrix2D((width / 2, height / 2), float(angle), 1.0)
    way[:, :2] = np.diag([size * longer, size / longer]) @ way[:, :2]
    middle = way[:, :2] @ (width / 2, height / 2)
    aside = rng.uniform(-FARTHEST, FARTHEST, 2) * (width, height)
    way[:, 2] = (width / 2, height / 2) - middle + aside
    return cv2.warpAffine(lines, way, (width, height), flags=cv2.INTER_LINEAR)
