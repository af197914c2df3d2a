"""Prompts become embeddings: encoded once each, blended, and faded from one to the next."""

from __future__ import annotations

import logging
import random
from collections import OrderedDict
from typing import Any, Literal

import torch
from torch import Tensor

from ...lora.steps import steps_of
from ...lora.styles import styles_of
from ...lora.words import UnknownWords
from ..base.blends import shares
from ..base.completion import completed
from ..base.config import MOST_CHUNKS, StreamConfig
from ..base.names import LITTLE, quoted
from ..base.prompt import ParsedPrompt, parse_prompt
from ..base.reading import Brings, Reading
from ..base.understood import Understood
from .guessing import Guessing
from .recipe import Embeds
from .text import Chunks, text_coders

log = logging.getLogger(__name__)
CACHED_TEXTS = 64
TOLD_TEXTS = 1024


class PromptEncoder:
    """The text encoders of a diffusers pipeline, with a cache of the texts seen last."""

    def __init__(self, pipe: Any) -> None:
        self._device = pipe.device  # asking walks through all networks
        self._coders = text_coders(pipe)
        self._cache: OrderedDict[tuple[str, int, bool], Embeds] = OrderedDict()
        self._completed: dict[tuple[str, bool, int | None], tuple[str, tuple[str, ...]]] = {}
        self._unknown_words = UnknownWords(pipe)
        self._told: set[str] = set()  # texts of which it was said that they are too long
        known = self._unknown_words
        self.brings = Brings(
            known.words, tuple(styles_of(pipe)), steps_of(pipe), known.tags, known.together, known.understand
        )
        self.guessing = Guessing(pipe, self.brings.tags)
        self._zeros = bool(getattr(pipe.config, "force_zeros_for_empty_prompt", False))

    def forget(self) -> None:
        """Empty the cache, because the text encoder's weights changed."""
        self._cache.clear()
        self._completed.clear()

    def prompt(self, config: StreamConfig) -> Embeds:
        """The encoded prompt, or blend of prompts, of a configuration."""
        told = config.told
        if isinstance(told, str):
            return self._encode(self._whole(told, config)[0], config.prompt_chunks, self._taught(config))
        how = config.prompt_interpolation_method
        mixed, total = None, 0.0
        for text, share in shares(told):
            text = self._whole(text, config)[0]
            embeds, total = self._encode(text, config.prompt_chunks, self._taught(config)), total + share
            mixed = embeds if mixed is None else mix(mixed, embeds, share / total, how)
        assert mixed is not None  # a blend has at least one weight above 0
        if config.normalize_prompt_weights:
            return mixed
        times = sum(weight for _, weight in told)
        return Embeds(mixed.text * times, None if mixed.pooled is None else mixed.pooled * times)

    def negative(self, config: StreamConfig) -> Embeds:
        """The encoded negative prompt; without one it is zeros for SDXL models that were trained so."""
        embeds = self.encode(config.negative_prompt, config.prompt_chunks, self._taught(config))
        if config.negative_prompt or not self._zeros:
            return embeds
        return Embeds(torch.zeros_like(embeds.text), None if embeds.pooled is None else torch.zeros_like(embeds.pooled))

    def region(self, text: str, config: StreamConfig) -> Tensor:
        """The encoded prompt of a region, (1, L, D); nothing is added to it."""
        return self.encode(text, config.prompt_chunks, self._taught(config)).text

    def read(self, text: str, config: StreamConfig) -> Reading:
        """What the model makes of a prompt, for who is writing it: from any thread, and nothing is encoded.

        Raises ValueError for a prompt that cannot be read.
        """
        guessed = config.guessed if config.guesses and not text.strip() else ""
        parsed, taught = parse_prompt(text := guessed or text), self._taught(config)
        heeded = taught or self._brings_lora(parsed)
        understood = self._unknown_words.understand(text)
        added = self._whole(text, config)[1]
        cut = self._coders[0].chunks(parsed if heeded else parse_prompt(understood.text), config.prompt_chunks).rest
        if heeded:  # nothing is put in the place of a word that it may have been taught
            others = tuple((word, better) for word, better in understood.taken if word not in LITTLE)
            return Reading(others + understood.unknown, True, cut, added, guessed=guessed)
        return Reading(understood.unknown, False, cut, added, understood.taken, understood.lost, guessed)

    def _whole(self, text: str, config: StreamConfig) -> tuple[str, tuple[str, ...]]:
        """A prompt as it is encoded, and what the seed added to it: always the same for the same seed."""
        if not self.brings.tags:
            return text, ()
        seed = config.seed if isinstance(config.seed, int) else config.seed[0][0]
        completes = config.complete_prompt and not config.from_picture  # whose picture says it
        key = (text, self._taught(config), seed if completes else None)
        whole = self._completed.get(key)  # which is asked with every change of any setting, from any thread
        if whole is None:
            heeded = key[1] or self._brings_lora(parse_prompt(text))
            understood = Understood(text) if heeded else self._unknown_words.understand(text)
            whole = understood.text, ()
            if completes:
                rng, together = random.Random(seed), self.brings.together
                whole = completed(understood.text, self.brings.tags, rng, together, understood.absent)
            if len(self._completed) >= TOLD_TEXTS:
                self._completed.clear()
            self._completed[key] = whole
        return whole

    def _brings_lora(self, parsed: ParsedPrompt) -> bool:
        """Whether a prompt names a LoRA that did not come with the model."""
        return any(name not in self.brings.styles for name, _ in parsed.loras)

    def _taught(self, config: StreamConfig) -> bool:
        """Whether a LoRA that did not come with the model may have taught it words."""
        return not set(self.brings.styles).issuperset(config.lora_dict)

    def encode(self, text: str, count: int = 1, whole: bool = False) -> Embeds:
        """Encode one text as ``count`` chunks; SDXL also gives a pooled embedding.

        What there is no place for is cut, and logged once. Words that mean the same as one that the model knows become
        that one, and those that it does not know are left out, unless the text is to act as a ``whole``.
        """
        whole = whole or self._brings_lora(parse_prompt(text))
        return self._encode(text if whole else self._unknown_words.understand(text).text, count, whole)

    def _encode(self, text: str, count: int, whole: bool) -> Embeds:
        """``encode`` of a text that is in the model's words."""
        parsed = parse_prompt(text)
        whole = whole or self._brings_lora(parsed)
        key = (text, count, whole)
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        parsed = self._unknown_words.heed(parsed, whole)
        with torch.inference_mode():
            chunks = [coder.chunks(parsed, count) for coder in self._coders]
            self._tell_of_cut(text, chunks[0], count)
            given = [coder.encode(each, self._device) for coder, each in zip(self._coders, chunks, strict=True)]
            joined = torch.cat([vectors for vectors, _ in given], dim=-1)  # (1, L, D)
            pooled = next((pooled for _, pooled in given if pooled is not None), None)
            self._cache[key] = Embeds(joined.float(), None if pooled is None else pooled.float())
        if len(self._cache) > CACHED_TEXTS:
            self._cache.popitem(last=False)
        return self._cache[key]

    def _tell_of_cut(self, text: str, chunks: Chunks, count: int) -> None:
        if not chunks.cut or text in self._told:
            return
        if len(self._told) >= TOLD_TEXTS:
            self._told.clear()
        self._told.add(text)
        more = "" if count == MOST_CHUNKS else f"; prompt_chunks (now {count}) makes room"
        log.warning(
            "the prompt is too long: its last %d tokens are cut, from %s on%s", chunks.cut, quoted(chunks.rest), more
        )


@torch.inference_mode()
def mix(a: Embeds, b: Embeds, share: float, how: Literal["linear", "slerp"]) -> Embeds:
    """``a`` at share 0, ``b`` at share 1, and what lies between."""
    between = slerp if how == "slerp" else torch.lerp
    pooled = None if a.pooled is None or b.pooled is None else between(a.pooled, b.pooled, share)
    return Embeds(between(a.text, b.text, share), pooled)


def slerp(a: Tensor, b: Tensor, share: float) -> Tensor:
    """Spherical interpolation of each vector of the last dimension (Shoemake 1985); lengths are interpolated too.

    Vectors that point the same way, or exactly against each other, have no arc of their own: they go straight.
    """
    length_a, length_b = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    unit_a, unit_b = a / length_a.clamp(min=1e-8), b / length_b.clamp(min=1e-8)
    cosine = (unit_a * unit_b).sum(-1, keepdim=True).clamp(-1.0, 1.0)
    angle = cosine.acos()
    sine = angle.sin()
    straight = sine < 1e-4
    sine = torch.where(straight, torch.ones_like(sine), sine)
    direction = (((1 - share) * angle).sin() * unit_a + (share * angle).sin() * unit_b) / sine
    arc = direction * torch.lerp(length_a, length_b, share)
    return torch.where(straight, torch.lerp(a, b, share), arc)
