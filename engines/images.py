"""Attention that looks at more than one text: at image prompts beside it, and at other texts in parts of the picture.

Image prompts are IP-Adapter's (Ye et al. 2023, arXiv:2308.06721, equation 5). A text for each region is masked cross
attention: the picture looks at every text, and what it finds counts where that text's mask is. A UNet that takes either
is a twin of the plain one, with other processors in its cross attentions. What they look at, where and how much comes
with each call, row by row, so that a picture that is exchanged, a text, a mask or a scale builds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..stream.base.errors import EngineError
from ..stream.base.twin import twin

LEVELS = 4  # sizes that a UNet has; no base model has more
ImageWeights = tuple[int, Sequence[tuple[Tensor, Tensor]]]
"""Of one image prompt: its number of tokens, and keys' and values' weights (C, D) for each cross attention."""


class Looked(NamedTuple):
    """What cross attentions look at, in the place of a text."""

    text: Tensor
    """(N, (1 + R) L, D): the prompt, and after it those of R regions."""
    tokens: Tensor | None = None
    """(N, T, D) of all image prompts."""
    scales: Tensor | None = None
    """(I, N) of each image prompt."""
    shares: Mapping[int, Tensor] | None = None
    """With regions: by how many places a picture has at each of the UNet's sizes, (N, 1 + R, places) of each text, a
    sum of 1 at each of them."""


class PlacedAttention(nn.Module):
    """Cross attention with a text, or with one for each region, and with I image prompts by keys and values of their
    own."""

    def __init__(self, counts: Sequence[int] = (), weights: Sequence[tuple[Tensor, Tensor]] = ()) -> None:
        """``counts``: tokens of each image prompt; ``weights``: of its keys and its values, (C, D) each."""
        super().__init__()
        self.counts = tuple(counts)
        self.to_k_ip = nn.ModuleList(_linear(key) for key, _ in weights)
        self.to_v_ip = nn.ModuleList(_linear(value) for _, value in weights)

    def forward(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Looked,
        attention_mask: None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """``hidden_states`` (N, S, C), the picture at one of the sizes; returns (N, S, C). The names are those that
        diffusers calls it by."""
        looked = encoder_hidden_states
        query = _heads(attn.to_q(hidden_states), attn.heads)  # (N, H, S, C / H)
        key, value = attn.to_k(looked.text), attn.to_v(looked.text)  # (N, (1 + R) L, C)
        if looked.shares is None:
            found = _attended(query, key, value)  # (N, S, C)
        else:
            found = _placed(query, key, value, looked.shares[int(query.shape[2])])  # (N, S, C)
        if looked.tokens is not None and looked.scales is not None:
            images = looked.tokens.split(self.counts, 1)
            for image, to_k, to_v, scale in zip(images, self.to_k_ip, self.to_v_ip, looked.scales, strict=True):
                found = found + scale.view(-1, 1, 1) * _attended(query, to_k(image), to_v(image))
        return attn.to_out[1](attn.to_out[0](found))


def shares_of(masks: Tensor) -> dict[int, Tensor]:
    """``Looked.shares`` of masks (N, R, h, w) whose sum is at most 1 everywhere; what they leave is the prompt's."""
    shares: dict[int, Tensor] = {}
    for _ in range(LEVELS):
        height, width = (int(side) for side in masks.shape[2:])
        flat = masks.flatten(2)  # (N, R, h w)
        shares[height * width] = torch.cat([1 - flat.sum(1, keepdim=True), flat], 1)
        if height == width == 1:
            break
        if height % 2 or width % 2:  # a UNet halves odd sides upwards, and a mean is of what is there
            masks = nn.functional.pad(masks, (0, width % 2, 0, height % 2), mode="replicate")
        masks = nn.functional.avg_pool2d(masks, 2)  # (N, R, h / 2, w / 2)
    return shares


def with_images(unet: Any, images: Sequence[ImageWeights], regions: bool = False) -> Any:
    """A twin of a UNet that takes these image prompts and no others, and, where ``regions`` are wanted, a text for each
    of them; without either, a plain one.

    Raises EngineError where its cross attention is none of Stable Diffusion's.
    """
    made = twin(unet)
    counts = [count for count, _ in images]
    for place, (name, attn) in enumerate(cross_attentions(made)):
        if images or regions:
            _refuse_other(name, attn, "ip_adapters" if images else "regions")
            attn.set_processor(PlacedAttention(counts, [pairs[place] for _, pairs in images]))
        elif isinstance(attn.processor, PlacedAttention):
            attn.set_processor(_plain())
    return made


def cross_attentions(unet: Any) -> list[tuple[str, Any]]:
    """The attentions of a UNet that look at the prompt, with their names, in the order of IP-Adapter's files."""
    found = [(name, unet.get_submodule(name)) for name in _names(unet)]
    return [(name, attn) for name, attn in found if not name.endswith("attn1") or attn.is_cross_attention]


def _names(unet: Any) -> list[str]:
    return [name.removesuffix(".processor") for name in unet.attn_processors]


def _refuse_other(name: str, attn: Any, setting: str) -> None:
    more = (attn.group_norm, attn.spatial_norm, attn.norm_cross, attn.norm_q, attn.norm_k)
    other = any(each is not None for each in more) or attn.residual_connection or attn.rescale_output_factor != 1
    known = isinstance(attn.processor, (PlacedAttention, type(_plain())))
    if other or not (known and attn.is_cross_attention):
        raise EngineError(
            f"{setting}: {name} of this UNet is no cross attention as Stable Diffusion has it "
            f"({type(attn.processor).__name__}); leave {setting} out, or use another base model"
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


def _placed(query: Tensor, key: Tensor, value: Tensor, share: Tensor) -> Tensor:
    """(N, H, S, C / H), (N, (1 + R) L, C) twice, (N, 1 + R, S) -> (N, S, C): each text's find, where its share is."""
    rows, texts = share.shape[:2]
    asked = query[:, None].expand(-1, texts, -1, -1, -1).flatten(0, 1)  # (N (1 + R), H, S, C / H)
    key, value = (each.unflatten(1, (texts, -1)).flatten(0, 1) for each in (key, value))  # (N (1 + R), L, C)
    found = _attended(asked, key, value).unflatten(0, (rows, texts))  # (N, 1 + R, S, C)
    return (share[..., None] * found).sum(1)
