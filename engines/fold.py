"""What of a denoise step does not depend on latents, computed when its inputs change and not at every step.

Keys and values of the prompt in every cross attention, and the time as every ResNet block adds it, never see a latent.
``fold`` takes the layers that make them out of a Denoise, LoRA layers included, and puts them into a unit of their own:
timestep, text, SDXL's conditions, guidance and LoRA scales in, one row of numbers out for each row of the batch. The
Denoise that is left reads those rows.

Only networks are folded whose every use of text and time is known here; ``why_not`` names what is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from .images import PlacedAttention
from .shapes import Shapes
from .units import Denoise, Positional, scale_loras

_NETWORKS = ("UNet2DConditionModel", "ControlNetModel")
_BLOCKS = ("CrossAttnDownBlock2D", "DownBlock2D", "UNetMidBlock2DCrossAttn", "CrossAttnUpBlock2D", "UpBlock2D")
_INSIDE = {
    "attentions": "Transformer2DModel",
    "transformer_blocks": "BasicTransformerBlock",
    "resnets": "ResnetBlock2D",
}
# They ask to_k and to_v for the prompt as it is, and of the prompt itself nothing but how many rows it has.
_PROCESSORS = ("AttnProcessor", "AttnProcessor2_0", f"{PlacedAttention.__module__}.{PlacedAttention.__qualname__}")


def why_not(units: Mapping[str, Positional]) -> str:
    """What stands against folding the networks of ``denoise``; empty: nothing."""
    for network in _networks(units["denoise"].unit):
        for reason in _reasons(network):
            return f"{_kind(network)}: {reason}"
    return ""


def fold(units: Mapping[str, Positional], shapes: Shapes) -> tuple[dict[str, Positional], Shapes]:
    """The same units with ``denoise`` in two parts, and their shapes; the Denoise must be a twin, and is changed."""
    denoise: Any = units["denoise"].unit
    folding = Fold(denoise, shapes.text[0], shapes.regions)
    shapes = replace(shapes, folded=folding.width)
    parts: dict[str, nn.Module] = {**units, "fold": folding, "denoise": FoldedDenoise(denoise, folding)}
    made = {name: Positional(parts[name], tuple(shapes.inputs(name))).eval() for name in ("fold", "denoise")}
    return {name: made.get(name) or units[name] for name in shapes.units}, shapes


class Fold(nn.Module):
    """Prompt, time and the other inputs of a row -> what the networks make of these alone, (N, M) in their precision.

    A row holds keys and values first, (L, C) of each attention in the order of the networks, and then what each ResNet
    block adds, (C,): so each part begins at a multiple of eight numbers, as kernels of attention want it.
    """

    def __init__(self, denoise: Denoise, length: int, regions: int = 0) -> None:
        """``length`` is L, tokens of a prompt and of so many ``regions``, which only the UNet looks at."""
        super().__init__()
        self.dtype = denoise.dtype
        networks = _networks(denoise)
        own = length // (1 + regions)
        self._prompted = [(each, name) for net in networks for each in _cross(net) for name in ("to_k", "to_v")]
        self._lengths = [length if net is denoise.unet else own for net in networks for _ in _cross(net) for _ in "kv"]
        self._timed = [(each, "time_emb_proj") for net in networks for each in _timed(net)]
        self.prompts = nn.ModuleList(getattr(*place) for place in self._prompted)
        self.embeddings = nn.ModuleList(_TimeEmbedding(network) for network in networks)
        self.shapes: list[tuple[int, ...]] = [
            (tokens, getattr(*place).out_features) for tokens, place in zip(self._lengths, self._prompted, strict=True)
        ]
        self.shapes += [(getattr(*place).out_features,) for place in self._timed]
        inside = set(self.modules())
        self.loras = [place for place in denoise.loras if place[0] in inside]

    @property
    def width(self) -> int:
        """M."""
        return sum(prod(shape) for shape in self.shapes)

    @property
    def places(self) -> list[tuple[nn.Module, str]]:
        """Where the parts of a row are wanted: (module, name of its child), in their order."""
        return [*self._prompted, *self._timed]

    def forward(
        self,
        timestep: Tensor,
        text: Tensor,
        pooled: Tensor | None = None,
        time_ids: Tensor | None = None,
        guidance: Tensor | None = None,
        lora: Tensor | None = None,
    ) -> Tensor:
        """Inputs as ``Denoise`` takes them, (N, ...); returns (N, M)."""
        scale_loras(self.loras, lora, self.dtype)
        text = text.to(self.dtype)
        parts = [  # (N, L C)
            layer(text[:, :tokens]).flatten(1) for layer, tokens in zip(self.prompts, self._lengths, strict=True)
        ]
        for embedding in self.embeddings:
            parts += embedding(timestep, pooled, time_ids, guidance, self.dtype)  # (N, C)
        return torch.cat(parts, 1)


class _TimeEmbedding(nn.Module):
    """The time in one network: embedded, with SDXL's conditions added, and projected for each ResNet block."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.of_unet = _kind(network) == "UNet2DConditionModel"  # a ControlNet takes no guidance
        self.time_proj, self.time_embedding = network.time_proj, network.time_embedding
        added = network.config.addition_embed_type is not None
        self.add_time_proj = network.add_time_proj if added else None
        self.add_embedding = network.add_embedding if added else None
        self.act = getattr(network, "time_embed_act", None)
        self.projections = nn.ModuleList(
            nn.Sequential(*(() if block.skip_time_act else (block.nonlinearity,)), block.time_emb_proj)
            for block in _timed(network)
        )

    def forward(
        self,
        timestep: Tensor,
        pooled: Tensor | None,
        time_ids: Tensor | None,
        guidance: Tensor | None,
        dtype: torch.dtype,
    ) -> list[Tensor]:
        condition = guidance.to(dtype) if self.of_unet and guidance is not None else None
        embedded = self.time_embedding(self.time_proj(timestep).to(dtype), condition)  # (N, T)
        if self.add_embedding is not None:
            assert self.add_time_proj is not None and pooled is not None and time_ids is not None
            ids = self.add_time_proj(time_ids.flatten()).view(len(pooled), -1)  # (N, 6 S)
            embedded = embedded + self.add_embedding(torch.cat([pooled.to(dtype), ids], 1).to(dtype))
        if self.act is not None:
            embedded = self.act(embedded)
        return [project(embedded) for project in self.projections]


class _Rows:
    """The folded rows that all places of one Denoise read."""

    def __init__(self) -> None:
        self.value: Tensor | None = None


class _Given(nn.Module):
    """In the place of a layer: gives its part of the rows, whatever it is asked."""

    def __init__(self, rows: _Rows, start: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.rows, self.start, self.size, self.shape = rows, start, prod(shape), shape

    def forward(self, *_: Any) -> Tensor:
        assert self.rows.value is not None
        return self.rows.value.narrow(1, self.start, self.size).unflatten(1, self.shape)


class _First(nn.Module):
    """In the place of a time embedding that nothing reads any more."""

    def forward(self, value: Tensor, *_: Any) -> Tensor:
        return value


class FoldedDenoise(nn.Module):
    """A Denoise that takes folded rows in place of what they were made from."""

    def __init__(self, denoise: Denoise, folding: Fold) -> None:
        """Changes ``denoise``: the layers that ``folding`` has are taken out of it."""
        super().__init__()
        self.denoise = denoise
        self.dtype = denoise.dtype
        self._rows = _Rows()
        taken = set(folding.loras)
        denoise.loras = [place for place in denoise.loras if place not in taken]
        start = 0
        for (module, name), shape in zip(folding.places, folding.shapes, strict=True):
            setattr(module, name, _Given(self._rows, start, shape))
            start += prod(shape)
        for network in _networks(denoise):
            network.time_proj = network.time_embedding = _First()
            network.register_to_config(addition_embed_type=None)

    def forward(
        self,
        sample: Tensor,
        folded: Tensor,
        features: Tensor | tuple[()] = (),
        scales: Tensor | tuple[()] = (),
        lora: Tensor | None = None,
        tokens: Tensor | None = None,
        image_scales: Tensor | None = None,
        maps: Tensor | None = None,
        regions: Tensor | None = None,
    ) -> Tensor:
        """``folded`` (N, M) is what ``Fold`` gave, the others are as in ``Denoise``; returns (N, 4, h, w)."""
        self._rows.value = folded.to(self.dtype)
        timestep, text = sample.new_zeros(len(sample)), sample.new_zeros(len(sample), 1, 1)  # nothing reads them
        more = {"lora": lora, "tokens": tokens, "image_scales": image_scales, "maps": maps}
        more["regions"] = regions
        result = self.denoise(sample, timestep, text, features, scales, **more)
        self._rows.value = None
        return result


def _reasons(network: Any) -> Iterator[str]:
    """Whatever is known to be, or may be, another use of text and time than those that are folded."""
    if _kind(network) not in _NETWORKS:
        yield "its way from text and time to a prediction is not known"
        return
    config = network.config
    if config.encoder_hid_dim_type is not None or network.encoder_hid_proj is not None:
        yield f"the prompt is projected (encoder_hid_dim_type {config.encoder_hid_dim_type})"
    if network.class_embedding is not None:
        yield f"it has a class embedding ({config.class_embed_type or 'by number'})"
    if config.addition_embed_type not in (None, "text_time"):
        yield f"addition_embed_type {config.addition_embed_type}"
    blocks = [*network.down_blocks, *filter(None, [network.mid_block]), *getattr(network, "up_blocks", ())]
    yield from (f"a block {_kind(block)}" for block in blocks if _kind(block) not in _BLOCKS)
    for path, module in network.named_modules():
        if "forward" in vars(module) or module._forward_hooks or module._forward_pre_hooks:
            yield f"{path or 'the network'} has a hook"
        for name, expected in _INSIDE.items():
            parts: Any = getattr(module, name, None)
            kinds = {_kind(part) for part in parts} if isinstance(parts, nn.ModuleList) else set()
            yield from (f"{path} has {kind} among its {name}" for kind in sorted(kinds - {expected}))
        if _kind(module) == "BasicTransformerBlock":
            yield from (f"{path}: {reason}" for reason in _reasons_of_attention(module))
    for module in chain(_cross(network), _timed(network)):
        layers = (getattr(module, name, None) for name in ("to_k", "to_v", "time_emb_proj"))
        for layer in (each for each in layers if each is not None):
            base = layer.get_base_layer() if hasattr(layer, "get_base_layer") else layer
            if not isinstance(base, nn.Linear):
                yield f"{_kind(base)} in the place of a linear layer"


def _reasons_of_attention(block: Any) -> Iterator[str]:
    if block.attn1.is_cross_attention:
        yield "its first attention looks at the prompt (only_cross_attention)"
    if block.norm_type != "layer_norm":
        yield f"its normalization looks at the time ({block.norm_type})"
    attention = block.attn2
    if attention is None:
        return
    if not attention.is_cross_attention:
        yield "its second attention looks at the picture (double_self_attention)"
    if _kind(attention.processor) not in _PROCESSORS:
        yield f"the attention processor {_kind(attention.processor)}"
    if attention.norm_cross is not None:
        yield "the prompt is normalized (cross_attention_norm)"
    if attention.fused_projections:
        yield "its projections are fused"


def _kind(thing: Any) -> str:
    """Name of a class of diffusers; another's class of the same name may do other things."""
    kind = type(thing)
    return kind.__name__ if kind.__module__.startswith("diffusers.") else f"{kind.__module__}.{kind.__qualname__}"


def _networks(denoise: Any) -> list[Any]:
    return [denoise.unet, *denoise.controlnets]


def _cross(network: nn.Module) -> list[Any]:
    """The attentions that look at the prompt."""
    blocks: list[Any] = [module for module in network.modules() if _kind(module) == "BasicTransformerBlock"]
    return [block.attn2 for block in blocks if block.attn2 is not None]


def _timed(network: nn.Module) -> list[Any]:
    """The blocks that take the time."""
    return [module for module in network.modules() if getattr(module, "time_emb_proj", None) is not None]
