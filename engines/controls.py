"""Networks that steer by condition images, each in its way: ControlNets, ControlNet-Unions and T2I-Adapters.

A ControlNet runs in every step, for each condition by itself. A ControlNet-Union (``UnionPart``) runs once for several
conditions, of which each says its kind. A T2I-Adapter knows neither noise nor time: it runs once a frame, and its maps
are added within the UNet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

LATENT = 8  # pixels of a side that a latent stands for, in every model that T2I-Adapters were made for
NO_MODE = -1
Steer = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""Of one network: which conditions are its own, where their features lie, and their modes (``NO_MODE``: no Union)."""
Maps = tuple[int, tuple[tuple[int, bool], ...]]
"""Of a T2I-Adapter: pixels of a side that a place of its first map stands for; channels of each map, and whether it has
half the sides of the map before it."""


class UnionPart(nn.Module):
    """One condition of a ControlNet-Union: the network, which others may share, and the kind of the condition."""

    def __init__(self, net: Any, mode: int) -> None:
        super().__init__()
        self.net, self.mode = net, mode

    @property
    def config(self) -> Any:
        """The network's."""
        return self.net.config


def is_t2i(net: Any) -> bool:
    """Whether a network is a T2I-Adapter."""
    return type(net).__name__ == "T2IAdapter"


def embedding_of(net: Any) -> Any:
    """What makes features of a condition image, of a ControlNet or a part of a Union."""
    return (net.net if isinstance(net, UnionPart) else net).controlnet_cond_embedding


def arranged(nets: Sequence[Any]) -> tuple[list[Any], tuple[Steer, ...]]:
    """The ControlNets among ``nets``, parts of one Union as one, and for each of them what is its own."""
    found: list[Any] = []
    own: list[tuple[list[int], list[int], list[int]]] = []
    place = 0
    for entry, each in enumerate(nets):
        if is_t2i(each):
            continue
        net, mode = (each.net, each.mode) if isinstance(each, UnionPart) else (each, NO_MODE)
        shared = [index for index, other in enumerate(found) if other is net and mode != NO_MODE]
        if not shared:
            found.append(net)
            own.append(([], [], []))
        for values, value in zip(own[shared[0] if shared else -1], (entry, place, mode), strict=True):
            values.append(value)
        place += 1
    return found, tuple((tuple(entries), tuple(places), tuple(modes)) for entries, places, modes in own)


def maps_of(net: Any) -> Maps:
    """How the maps of a T2I-Adapter lie; see ``Maps``."""
    blocks = net.adapter.body
    channels = [getattr(block, "out_conv", None) or block.resnets[-1].block2 for block in blocks]
    halved = [block.downsample is not None for block in blocks]
    return net.config.downscale_factor, tuple(
        (layer.out_channels, half) for layer, half in zip(channels, halved, strict=True)
    )


def map_shapes(maps: Maps, height: int, width: int) -> Iterator[tuple[int, int, int]]:
    """The shape of each map, for latents of this size."""
    cell, each = maps
    height, width = height * LATENT // cell, width * LATENT // cell
    for channels, halved in each:
        if halved:
            height, width = -(-height // 2), -(-width // 2)
        yield channels, height, width


class Adapt(nn.Module):
    """The T2I-Adapters (Mou et al. 2023, arXiv:2302.08453) among networks that steer; they run once a frame."""

    def __init__(self, nets: Sequence[Any]) -> None:
        super().__init__()
        self.adapters = nn.ModuleList(net for net in nets if is_t2i(net))
        self.places = tuple(place for place, net in enumerate(nets) if is_t2i(net))

    def forward(self, conditions: Tensor) -> Tensor:
        """``conditions`` (C, F, 3, H, W) in [0, 1], of all networks -> maps (F, M), one adapter's after the other's.

        An adapter of one channel is given the first.
        """
        parts = []
        for net, place in zip(self.adapters, self.places, strict=True):
            condition = conditions[place].to(next(net.parameters()).dtype)
            one: Any = net
            parts += [each.float().flatten(1) for each in one(condition[:, : one.config.in_channels])]
        return torch.cat(parts, 1)


def added_maps(
    maps: Tensor, scales: Tensor, plans: Sequence[tuple[int, Maps]], height: int, width: int
) -> list[Tensor]:
    """What a UNet adds at each place: the sum of all adapters' maps, each by its scale.

    ``maps`` (N, M) as ``Adapt`` gives them, ``scales`` (C, N), ``plans`` (place among the C conditions, maps).
    """
    total: list[Tensor] = []
    start = 0
    for place, plan in plans:
        weight = scales[place].view(-1, 1, 1, 1)
        found = []
        for channels, high, wide in map_shapes(plan, height, width):
            size = channels * high * wide
            found.append(weight * maps[:, start : start + size].unflatten(1, (channels, high, wide)))
            start += size
        total = [a + b for a, b in zip(total, found, strict=True)] if total else found
    return total


def union_residuals(
    net: Any,
    sample: Tensor,
    timestep: Tensor,
    text: Tensor,
    features: Sequence[Tensor],
    scales: Sequence[Tensor],
    modes: Sequence[int],
    added: dict[str, Tensor] | None,
) -> tuple[list[Tensor], Tensor]:
    """What a ControlNet-Union adds to a UNet: ``ControlNetUnionModel.forward`` of diffusers, but with a scale for each
    row, where that takes one number for all of them.

    ``sample`` (N, 4, h, w), ``timestep`` (N,), ``text`` (N, L, D); of each condition its features (N, E, h, w), its
    ``scales`` (N,) and its kind. Where it is the only one, what comes out is scaled, else what goes in.
    """
    alone = len(modes) == 1
    weights = [torch.ones_like(scales[0])] if alone else list(scales)

    # 1. Time, with the kinds of conditions and SDXL's own conditions.
    rows = len(sample)
    kinds = torch.stack(
        [sample.new_full((rows,), float(kind in modes)) for kind in range(net.config.num_control_type)], 1
    )
    emb = net.time_embedding(net.time_proj(timestep).to(sample.dtype))  # (N, T)
    kinds = net.control_type_proj(kinds.flatten()).reshape(len(sample), -1)
    emb = emb + net.control_add_embedding(kinds.to(emb.dtype))
    if net.config.addition_embed_type == "text_time":
        assert added is not None
        ids = net.add_time_proj(added["time_ids"].flatten()).reshape(len(sample), -1)
        emb = emb + net.add_embedding(torch.cat([added["text_embeds"], ids], -1).to(emb.dtype))

    # 2. Every condition, and the sample last, is one token.
    sample = net.conv_in(sample)  # (N, E, h, w)
    tokens = []
    for feature, mode, weight in zip(features, modes, weights, strict=True):
        tokens.append((feature.mean((2, 3)) + net.task_embedding[mode]) * weight[:, None])
    seen = torch.stack([*tokens, sample.mean((2, 3))], 1)  # (N, C + 1, E)
    # The published transformer looks along the first dimension, so that rows of a batch would see each other. Rows are
    # frames of their own here: each gets what it gets alone.
    alike = seen.flatten(0, 1)[None]  # (1, N (C + 1), E)
    for layer in net.transformer_layes:
        alike = layer(alike)
    seen = alike[0].unflatten(0, seen.shape[:2])  # (N, C + 1, E)
    for place, (feature, weight) in enumerate(zip(features, weights, strict=True)):
        shift = net.spatial_ch_projs(seen[:, place])[..., None, None]  # (N, E, 1, 1)
        sample = sample + (feature + shift) * weight.view(-1, 1, 1, 1)

    # 3. The encoder of the UNet, and a convolution for each of its results.
    found = [sample]
    for block in net.down_blocks:
        more = {"encoder_hidden_states": text} if getattr(block, "has_cross_attention", False) else {}
        sample, results = block(hidden_states=sample, temb=emb, **more)
        found += results
    sample = net.mid_block(sample, emb, encoder_hidden_states=text)
    down = [layer(each) for layer, each in zip(net.controlnet_down_blocks, found, strict=True)]
    mid = net.controlnet_mid_block(sample)
    if alone:
        scale = scales[0].view(-1, 1, 1, 1)
        down, mid = [each * scale for each in down], mid * scale
    return down, mid
