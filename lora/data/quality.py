"""Which pictures are worth training on: a score, compared within each class, and near-duplicates found by their looks.

The score is PickScore (Kirstain et al., 2023, arXiv:2305.01569) where its weights are on this computer. Otherwise three
plain figures take its place, each as a rank within the class: sharpness, entropy, and how well the sketch agrees with
the picture's edges.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...stream.base.errors import ConfigError, ModelError
from ...stream.base.measures import edge_f1

PICKSCORE = "yuvalkirstain/PickScore_v1"
PICKSCORE_WORDS = "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"
NEAR_BITS = 6  # of 64 that the hashes of near-duplicates differ by at most
NEAR_COLOUR = 9.0  # CIELAB distance that they differ by at most, in the mean over a grid of 4 x 4
# Of the channels of what CLIP models see, 0 to 1.
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Figures:
    """Plain figures of one pair; more is better."""

    sharpness: float
    """Standard deviation of the Laplacian at 256 pixels, in levels."""
    entropy: float
    """Of the histogram of grey levels, in bits, 0 to 8."""
    agreement: float
    """F1 of the sketch's and the picture's edges, 0 to 1."""


def figures(picture: np.ndarray, sketch: np.ndarray) -> Figures:
    """Figures of a picture (H, W, 3) uint8 RGB and its sketch (H, W) uint8, white on black."""
    small = cv2.resize(picture, (256, 256), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    share = np.bincount(grey.ravel(), minlength=256) / grey.size
    share = share[share > 0]
    lines = cv2.cvtColor(cv2.resize(sketch, (256, 256), interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2RGB)
    return Figures(
        round(float(cv2.Laplacian(grey, cv2.CV_32F).std()), 4),
        round(float(-(share * np.log2(share)).sum()), 4),
        round(edge_f1(lines, small), 4),
    )


def plain_scores(found: Sequence[Figures], classes: Sequence[str]) -> list[float]:
    """The mean rank of each pair's figures within its class, 0 (worst) to 1 (best)."""
    scores = np.full(len(found), 0.5)
    for members in _members(classes).values():
        values = np.array([(found[i].sharpness, found[i].entropy, found[i].agreement) for i in members])  # (N, 3)
        # Equal figures share a rank, so that the order of the files decides nothing.
        below = np.stack([np.searchsorted(np.sort(column), column) for column in values.T], 1)
        if len(members) > 1:
            scores[members] = (below / (len(members) - 1)).mean(1)
    return [round(float(score), 6) for score in scores]


def _members(classes: Sequence[str]) -> dict[str, list[int]]:
    members: dict[str, list[int]] = {}
    for index, name in enumerate(classes):
        members.setdefault(name, []).append(index)
    return members


def best(scores: Sequence[float], classes: Sequence[str], share: float) -> tuple[list[bool], dict[str, float]]:
    """Which are among the best ``share`` of their class, and the score that each class asks for.

    At least one of a class stays, and all that score as high as the last one that does.
    """
    if not 0.0 < share <= 1.0:
        raise ConfigError(f"keep: got {share:g}, expected more than 0, up to 1")
    kept = [False] * len(scores)
    thresholds = {}
    for name, members in _members(classes).items():
        ranked = sorted((scores[i] for i in members), reverse=True)
        thresholds[name] = ranked[max(1, round(share * len(ranked))) - 1]
        for index in members:
            kept[index] = scores[index] >= thresholds[name]
    return kept, thresholds


def looks(picture: np.ndarray) -> tuple[int, tuple[float, ...]]:
    """What near-duplicates are told by: a hash of 64 bits, and the CIELAB colours of a grid of 4 x 4.

    The hash says which of the 64 lowest frequencies of the cosine transform are above their median (Zauner, 2010).
    """
    grey = cv2.cvtColor(cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    waves = cv2.dct(grey.astype(np.float32))[:8, :8].ravel()
    bits = waves > np.median(waves[1:])
    cells = cv2.resize(picture, (4, 4), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lab = cv2.cvtColor(cells, cv2.COLOR_RGB2Lab).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big"), tuple(round(float(value), 2) for value in lab)


def near_duplicates(found: Sequence[tuple[int, tuple[float, ...]]]) -> dict[int, int]:
    """For every one that looks like an earlier one that stays: its index -> the earlier one's.

    Each is compared with all that stay, which takes some seconds for 100,000 pictures.
    """
    twins: dict[int, int] = {}
    hashes = np.empty(len(found), np.uint64)  # of those that stay
    numbers = np.empty(len(found), int)
    colours = np.array([colour for _, colour in found], np.float32).reshape(len(found), 16, 3)
    count = 0
    for index, (value, _) in enumerate(found):
        here = np.uint64(value)
        near = numbers[np.flatnonzero(np.bitwise_count(hashes[:count] ^ here) <= NEAR_BITS)]
        distance = np.linalg.norm(colours[near] - colours[index], axis=2).mean(1)
        same = near[distance <= NEAR_COLOUR]
        if len(same):
            twins[index] = int(same[0])
            continue
        hashes[count], numbers[count] = here, index
        count += 1
    return twins


class PickScore:
    """Scores pictures against captions as people would choose; ``name`` says so in the log."""

    name = "PickScore"

    def __init__(self, model: str | Path, words: str | Path, device: str = "auto") -> None:
        """``model`` and ``words`` (the tokenizer) are folders. Raises ModelError where they cannot be loaded."""
        import torch
        from transformers import CLIPModel, CLIPTokenizer

        from ...stream.base.quiet import quiet

        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"

        try:
            with quiet():
                self._model: Any = CLIPModel.from_pretrained(model, local_files_only=True, use_safetensors=True)
                self._words: Any = CLIPTokenizer.from_pretrained(words, local_files_only=True)
        except Exception as error:  # transformers raises whatever a damaged folder makes it stumble over
            reason = " ".join(str(error).split())[:200]
            raise ModelError(f"{model}: PickScore cannot be loaded: {type(error).__name__}: {reason}") from error
        self._model.eval().to(device)
        self._device = device

    def __call__(self, picture: np.ndarray, caption: str) -> float:
        """The score of one picture (H, W, 3) uint8 RGB with its caption; about 15 to 25, more is better."""
        import torch

        side = self._model.config.vision_config.image_size
        pixels = torch.from_numpy(_for_clip(picture, side))[None].to(self._device)  # (1, 3, side, side)
        longest = self._model.config.text_config.max_position_embeddings
        tokens = self._words(caption, truncation=True, max_length=longest, return_tensors="pt").to(self._device)
        with torch.inference_mode():
            answer = self._model(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask, pixel_values=pixels)
        return round(float(answer.logits_per_image[0, 0]), 4)


def _for_clip(picture: np.ndarray, side: int) -> np.ndarray:
    """The middle square as CLIP takes it: (3, side, side) float32."""
    from PIL import Image

    height, width = picture.shape[:2]
    scale = side / min(height, width)
    size = (max(side, round(width * scale)), max(side, round(height * scale)))
    resized = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
    top, left = (size[1] - side) // 2, (size[0] - side) // 2
    square = resized[top : top + side, left : left + side].astype(np.float32) / 255
    mean, std = (np.array(each, np.float32) for each in (CLIP_MEAN, CLIP_STD))
    return ((square - mean) / std).transpose(2, 0, 1).copy()


def cached_pickscore(device: str = "auto") -> Callable[[np.ndarray, str], float] | None:
    """PickScore when its weights are in the cache of this computer; None when they are not. Downloads nothing."""
    from .. import hub

    model = hub.cached(PICKSCORE, "model.safetensors")
    words = hub.cached(PICKSCORE_WORDS, "tokenizer_config.json") or hub.cached(PICKSCORE, "tokenizer_config.json")
    if model is None or words is None:
        return None
    return PickScore(model.parent, words.parent, device)
