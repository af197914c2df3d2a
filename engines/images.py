"""Attention that looks at image prompts beside the text: IP-Adapter (Ye et al. 2023, arXiv:2308.06721, equation 5).

A UNet that takes image prompts is a twin of the plain one, with other processors in its cross attentions. What they
look at and how much comes with each call, row by row, so that a picture that is exchanged, or a scale, builds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..stream.base.errors import EngineError
from ..stream.base.twin import twin

ImageWeights = tuple[int, Sequence[tuple[Tensor, Tensor]]]
"""Of one image prompt: its number of tokens, and keys' and values' weights (C, D) for each cross attention."""


class ImageAttention(nn.Module):
    """Cross attention with the text, and with each of I image prompts by keys and values of its own."""

    def __init__(self, counts: Sequence[int], weights: Sequence[tuple[Tensor, Tensor]]) -> None:
        """``counts``: tokens of each image prompt; ``weights``: of its keys and its values, (C, D) each."""
        super().__init__()
        self.counts = tuple(counts)
        self.to_k_ip = nn.ModuleList(_linear(key) for key, _ in weights)
        self.to_v_ip = nn.ModuleList(_linear(value) for _, value in weights)

    def forward(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: tuple[Tensor, Tensor, Tensor],
        attention_mask: None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """``hidden_states`` (N, S, C) and ``encoder_hidden_states``: text (N, L, D), tokens (N, T, D) of all image
        prompts, and their scales (I, N). Returns (N, S, C). The names are those that diffusers calls it by."""
        text, tokens, scales = encoder_hidden_states
        query = _heads(attn.to_q(hidden_states), attn.heads)  # (N, H, S, C / H)
        found = _attended(query, attn.to_k(text), attn.to_v(text))  # (N, S, C)
        parts = zip(tokens.split(self.counts, 1), self.to_k_ip, self.to_v_ip, scales, strict=True)
        for image, to_k, to_v, scale in parts:
            found = found + scale.view(-1, 1, 1) * _attended(query, to_k(image), to_v(image))
        return attn.to_out[1](attn.to_out[0](found))


def with_images(unet: Any, images: Sequence[ImageWeights]) -> Any:
    """A twin of a UNet that takes these image prompts and no others; without any, a plain one.

    Raises EngineError where its cross attention is none of Stable Diffusion's.
    """
    made = twin(unet)
    counts = [count for count, _ in images]
    for place, (name, attn) in enumerate(cross_attentions(made)):
        if images:
            _refuse_other(name, attn)
            attn.set_processor(ImageAttention(counts, [pairs[place] for _, pairs in images]))
        elif isinstance(attn.processor, ImageAttention):
            attn.set_processor(_plain())
    return made


def cross_attentions(unet: Any) -> list[tuple[str, Any]]:
    """The attentions of a UNet that look at the prompt, with their names, in the order of IP-Adapter's files."""
    found = [(name, unet.get_submodule(name)) for name in _names(unet)]
    return [(name, attn) for name, attn in found if not name.endswith("attn1") or attn.is_cross_attention]


def _names(unet: Any) -> list[str]:
    return [name.removesuffix(".processor") for name in unet.attn_processors]


def _refuse_other(name: str, attn: Any) -> None:
    more = (attn.group_norm, attn.spatial_norm, attn.norm_cross, attn.norm_q, attn.norm_k)
    other = any(each is not None for each in more) or attn.residual_connection or attn.rescale_output_factor != 1
    known = isinstance(attn.processor, (ImageAttention, type(_plain())))
    if other or not (known and attn.is_cross_attention):
        raise EngineError(
            f"ip_adapters: {name} of this UNet is no cross attention as Stable Diffusion has it "
            f"({type(attn.processor).__name__}); leave ip_adapters out, or use another base model"
        )


def _plain() -> Any:
    from diffusers.models.attention_processor import AttnProcessor2_0

    return AttnProcessor2_0()


def _linear(weight: Tensor) -> nn.Linear:
    with torch.device("meta"):
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight = nn.Parameter(weight, requires_grad=False)
    return layer.eval()


def _heads(value: Tensor, heads: int) -> Tensor:
    return value.unflatten(-1, (heads, -1)).transpose(1, 2)


def _attended(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """(N, H, S, C / H), (N, L, C), (N, L, C) -> (N, S, C)."""
    heads = query.shape[1]
    found = nn.functional.scaled_dot_product_attention(query, _heads(key, heads), _heads(value, heads))
    return found.transpose(1, 2).flatten(2)
