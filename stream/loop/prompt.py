"""Prompts become embeddings: encoded once each, blended, and faded from one to the next."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Literal

import torch
from torch import Tensor

from ...lora.words import UnknownWords
from ..base.config import Prompt
from .recipe import Embeds

CACHED_TEXTS = 64


class PromptEncoder:
    """The text encoders of a diffusers pipeline, with a cache of the texts seen last."""

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._device = pipe.device  # asking walks through all networks
        self._cache: OrderedDict[str, Embeds] = OrderedDict()
        self._unknown_words = UnknownWords(pipe)

    def forget(self) -> None:
        """Empty the cache, because the text encoder's weights changed."""
        self._cache.clear()

    def encode(self, text: str) -> Embeds:
        """Encode one text; SDXL also gives a pooled embedding."""
        if text in self._cache:
            self._cache.move_to_end(text)
            return self._cache[text]
        self._unknown_words.tell(text)
        with torch.inference_mode():
            result = self._pipe.encode_prompt(
                prompt=text,
                device=self._device,
                num_images_per_prompt=1,
                do_classifier_free_guidance=False,
            )
            pooled = result[2].float() if len(result) > 2 else None
            self._cache[text] = Embeds(result[0].float(), pooled)
        if len(self._cache) > CACHED_TEXTS:
            self._cache.popitem(last=False)
        return self._cache[text]

    def blend(self, prompt: Prompt, how: Literal["linear", "slerp"]) -> Embeds:
        """Encode a text, or a blend ``((text, weight), ...)``; weights are relative to their sum."""
        if isinstance(prompt, str):
            return self.encode(prompt)
        mixed, total = None, 0.0
        for text, weight in prompt:
            if weight == 0:
                continue
            embeds, total = self.encode(text), total + weight
            mixed = embeds if mixed is None else mix(mixed, embeds, weight / total, how)
        if mixed is None:
            raise ValueError("prompt blend without weight")
        return mixed


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
