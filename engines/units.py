"""The network work of a frame, as functions of plain tensors: encode, embed, denoise, decode.

Tensors are float32 at every edge, apart from folded rows; each unit casts to its network's precision and back. F frames
enter together, N rows go through the UNet at once, C ControlNets steer it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..stream.base.errors import EngineError
from ..stream.base.lora import input_dims
from ..stream.base.twin import twin
from .controls import NO_MODE, Adapt, added_maps, arranged, embedding_of, is_t2i, maps_of, union_residuals
from .images import Looked, shares_of
from .shapes import Shapes

LoraPlace = tuple[Any, str, int, int]  # (PEFT layer, name of the LoRA, its row, dimensions of the layer's input)


@dataclass(frozen=True)
class Units:
    """The four functions that an engine gives to the loop; shapes are those of the modules below.

    What a unit returns may be overwritten when that unit is called again. One thread calls them at a time.
    """

    encode: Callable[[Tensor], Tensor]
    embed: Callable[[Tensor], Tensor]
    denoise: Callable[..., Tensor]
    decode: Callable[[Tensor], Tensor]
    name: str = "eager"
    """Name of the engine that runs them."""
    about: str = ""
    """What it runs on, and in which precision, for people."""
    record: Callable[[Callable[[], Any]], Callable[[], Any]] | None = None
    """Where the device can repeat recorded work (CUDA graphs): ``play = record(run)`` runs ``run`` a few times and
    records the last. Each ``play()`` does the same work again, on what now lies in the tensors that ``run`` read, and
    returns the same tensors with new contents. ``run`` may call the units. It must read and write tensors that never
    move in memory, and must not wait for the device."""
    fold: Callable[..., Tensor] | None = None
    """Where an engine computes apart from the step what depends on the prompt and the time alone: ``fold(timestep=...,
    text=..., ...)`` takes the inputs of ``Denoise.forward`` by name (it ignores those it does not need) and gives
    (N, M) in the networks' own precision. ``denoise`` then takes that as ``folded`` and reads no timestep, text,
    pooled, time_ids and guidance. Whoever calls it folds again when one of these changes."""
    adapt: Callable[[Tensor], Tensor] | None = None
    """What T2I-Adapters make of condition images; None where there are none."""
    follows_pipe: bool = False
    """Whether the units heed settings of the pipeline's networks that change later; compiled ones stay as they are."""
    passed_over: Mapping[str, str] = field(default_factory=dict)
    """Faster engines that ``auto`` could not take, and why not."""
    weights_mb: float = 0.0
    """MB of the weights that it reads, where it keeps them in no file; else 0."""


class Encode(nn.Module):
    """Autoencoder, picture to latent. A KL autoencoder gives its mode, so that a still picture stays still."""

    scale: Any
    shift: Any

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.vae = vae
        self.dtype = vae.dtype
        _scale_latents(self, vae)

    def forward(self, image: Tensor) -> Tensor:
        """``image`` (F, 3, H, W) in [-1, 1] -> latent (F, 4, h, w)."""
        result = self.vae.encode(image.to(self.dtype))
        latent = result.latents if hasattr(result, "latents") else result.latent_dist.mode()
        return (latent.float() - self.shift) * self.scale


class Decode(nn.Module):
    """Autoencoder, latent to picture."""

    scale: Any
    shift: Any

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.vae = vae
        self.dtype = vae.dtype
        _scale_latents(self, vae)

    def forward(self, latent: Tensor) -> Tensor:
        """``latent`` (F, 4, h, w) -> image (F, 3, H, W), about [-1, 1]."""
        latent = latent / self.scale + self.shift
        return self.vae.decode(latent.to(self.dtype), return_dict=False)[0].float()


def _scale_latents(unit: Encode | Decode, vae: Any) -> None:
    """Between an autoencoder's latents and the UNet's: (x - shift) * scale; numbers, or (1, 4, 1, 1) by channel."""
    config = vae.config
    scale, shift = float(config.scaling_factor), float(config.get("shift_factor") or 0.0)
    mean, std = config.get("latents_mean"), config.get("latents_std")
    if mean is None or std is None:
        unit.scale, unit.shift = scale, shift
        return
    columns = (torch.tensor(each, dtype=torch.float32, device=vae.device).view(1, -1, 1, 1) for each in (mean, std))
    by_mean, by_std = columns
    unit.register_buffer("scale", scale / by_std, persistent=False)
    unit.register_buffer("shift", shift + by_mean, persistent=False)


class Embed(nn.Module):
    """The ControlNets' condition embeddings. They do not depend on the noise, so they run once a frame."""

    def __init__(self, controlnets: list[Any]) -> None:
        super().__init__()
        own = [(place, net) for place, net in enumerate(controlnets) if not is_t2i(net)]
        self.embeddings = nn.ModuleList(embedding_of(net) for _, net in own)
        self.flipped = tuple(net.config.controlnet_conditioning_channel_order == "bgr" for _, net in own)
        self.places = tuple(place for place, _ in own)

    def forward(self, conditions: Tensor) -> Tensor:
        """``conditions`` (C, F, 3, H, W) in [0, 1], of all that steers -> features (C, F, E, h, w) for the ControlNets
        among them; without any (0, F)."""
        features = []
        for embedding, flipped, place in zip(self.embeddings, self.flipped, self.places, strict=True):
            condition = conditions[place]
            condition = condition.flip(1) if flipped else condition
            features.append(embedding(condition.to(next(embedding.parameters()).dtype)).float())
        return torch.stack(features) if features else conditions.new_zeros(0, conditions.shape[1])  # (C, F, E, h, w)


class Denoise(nn.Module):
    """UNet with its ControlNets, as one module: a control scale is an input, so changing it rebuilds nothing.

    LoRA scales are an input as well where ``loras`` names them, and then ``unet`` must be a ``twin`` of the pipeline's,
    because its layers are pointed at that input. LoRAs that are not named keep the scale that they have.
    """

    def __init__(self, unet: Any, controlnets: list[Any], loras: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.unet = unet
        self.dtype = unet.dtype  # asking the network walks through all of it
        nets, self.steers = arranged(controlnets)
        self.controlnets = nn.ModuleList(_without_embedding(net) for net in nets)
        self.adapters = tuple((place, maps_of(net)) for place, net in enumerate(controlnets) if is_t2i(net))
        self.loras = _lora_places(unet, loras)

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor,
        text: Tensor,
        features: Tensor | tuple[()] = (),
        scales: Tensor | tuple[()] = (),
        pooled: Tensor | None = None,
        time_ids: Tensor | None = None,
        guidance: Tensor | None = None,
        lora: Tensor | None = None,
        tokens: Tensor | None = None,
        image_scales: Tensor | None = None,
        maps: Tensor | None = None,
        regions: Tensor | None = None,
    ) -> Tensor:
        """One prediction for N rows.

        ``sample`` (N, 4, h, w), ``timestep`` (N,), ``text`` (N, L, D), ``features`` (C, N, E, h, w), ``scales`` (C, N);
        SDXL: ``pooled`` (N, P), ``time_ids`` (N, 6); models with a guidance embedding: ``guidance`` (N, W);
        ``lora`` (A, N); where the UNet takes image prompts (``images.with_images``), ``tokens`` (N, T, D) of all of
        them and their ``image_scales`` (I, N); with T2I-Adapters their ``maps`` (N, M), of which each has a row of
        ``scales``, too, as all that steers has in its order; with ``regions``, masks (N, R, h, w) whose sum is at most
        1, ``text`` has (1 + R) L tokens: those of each region come after the prompt's, which are all that ControlNets
        look at. Returns (N, 4, h, w), in the UNet's own prediction type.
        """
        dtype = self.dtype
        scale_loras(self.loras, lora, dtype)
        sample, texts = sample.to(dtype), text.to(dtype)
        text = texts if regions is None else texts[:, : texts.shape[1] // (1 + regions.shape[1])]
        added = None if pooled is None else {"text_embeds": pooled.to(dtype), "time_ids": time_ids}
        down, mid = None, None
        for net, (entries, places, modes) in zip(self.controlnets, self.steers, strict=True):
            own = [features[place].to(dtype) for place in places]
            weights = [scales[entry].to(dtype) for entry in entries]
            if modes[0] == NO_MODE:
                residuals, bottom = net(
                    sample,
                    timestep,
                    encoder_hidden_states=text,
                    controlnet_cond=own[0],
                    conditioning_scale=weights[0].view(-1, 1, 1, 1),
                    added_cond_kwargs=added,
                    return_dict=False,
                )
            else:
                residuals, bottom = union_residuals(net, sample, timestep, text, own, weights, modes, added)
            down = residuals if down is None else [a + b for a, b in zip(down, residuals, strict=True)]
            mid = bottom if mid is None else mid + bottom
        within = None
        if maps is not None:
            assert isinstance(scales, Tensor)
            within = added_maps(maps.to(dtype), scales.to(dtype), self.adapters, *sample.shape[-2:])
        looked: Tensor | Looked = texts
        if tokens is not None or regions is not None:
            looked = Looked(
                texts,
                None if tokens is None else tokens.to(dtype),
                None if image_scales is None else image_scales.to(dtype),
                None if regions is None else shares_of(regions.to(dtype)),
            )
        return self.unet(
            sample,
            timestep,
            encoder_hidden_states=looked,
            timestep_cond=None if guidance is None else guidance.to(dtype),
            added_cond_kwargs=added,
            down_block_additional_residuals=down,
            mid_block_additional_residual=mid,
            down_intrablock_additional_residuals=within,
            return_dict=False,
        )[0].float()


class Positional(nn.Module):
    """A unit that takes the inputs ``names`` by position, as exporters want it."""

    def __init__(self, unit: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.unit = unit
        self.names = names

    def forward(self, *values: Tensor) -> Tensor:
        """What the unit gives for these values."""
        return self.unit(**dict(zip(self.names, values, strict=True)))


def positional_units(
    pipe: Any, controlnets: list[Any], shapes: Shapes, precision: torch.dtype | None = None
) -> dict[str, Positional]:
    """The units that a stream of these shapes calls, for an engine to export or compile.

    They share the weights of ``pipe`` and ``controlnets`` and nothing else: layers that are put in or taken out there
    later do not reach them, and they may be changed. In another ``precision`` they have weights of their own.
    """
    makers: dict[str, Callable[[], Encode | Embed | Adapt | Denoise | Decode]] = {
        "encode": lambda: Encode(pipe.vae),
        "embed": lambda: Embed(controlnets),
        "adapt": lambda: Adapt(controlnets),
        "denoise": lambda: Denoise(pipe.unet, controlnets, shapes.loras),
        "decode": lambda: Decode(pipe.vae),
    }
    units = {}
    for name in shapes.units:
        unit = makers[name]()
        if precision is not None and precision != pipe.unet.dtype:
            unit = copy.deepcopy(unit).to(precision)
            if not isinstance(unit, Embed | Adapt):  # they ask their weights
                unit.dtype = precision
        units[name] = Positional(twin(unit).eval(), tuple(shapes.inputs(name)))
    return units


def make_units(calls: Mapping[str, Callable[..., Tensor]], shapes: Shapes, name: str, about: str) -> Units:
    """Units of functions that take their inputs by position, in the order of ``shapes.inputs``."""
    wanted = tuple(shapes.inputs("denoise"))
    run = calls["denoise"]

    def denoise(
        sample: Tensor, timestep: Tensor, text: Tensor, features: Tensor, scales: Tensor, **added: Tensor
    ) -> Tensor:
        given = {"sample": sample, "timestep": timestep, "text": text, "features": features, "scales": scales, **added}
        return run(*(given[name] for name in wanted))

    def absent(unit: str) -> Callable[[Tensor], Tensor]:
        def refuse(value: Tensor) -> Tensor:
            raise EngineError(f"{name}: {unit} was not built, because a stream of these shapes does not call it")

        return refuse

    def nothing(conditions: Tensor) -> Tensor:
        return conditions.new_zeros(0, conditions.shape[1])

    encode, embed = (calls.get(unit) or absent(unit) for unit in ("encode", "embed"))
    if shapes.maps and "embed" not in calls:  # all that steers are T2I-Adapters
        embed = nothing
    fold = calls.get("fold")
    folds = tuple(shapes.inputs("fold")) if fold else ()

    def folded(**given: Tensor) -> Tensor:
        assert fold is not None
        return fold(*(given[name] for name in folds))

    more = {"fold": folded if fold else None, "adapt": calls.get("adapt")}
    return Units(encode, embed, denoise, calls["decode"], name, about, **more)


def scale_loras(places: list[LoraPlace], lora: Tensor | None, dtype: torch.dtype) -> None:
    """Point LoRA layers at the scales (A, N) of this call."""
    if lora is None:
        return
    lora = lora.to(dtype)
    views: dict[tuple[int, int], Tensor] = {}  # hundreds of layers, few different views
    for layer, name, index, dims in places:
        if (index, dims) not in views:
            views[index, dims] = lora[index].view(-1, *[1] * (dims - 1))
        layer.scaling[name] = views[index, dims]


def _lora_places(unet: nn.Module, loras: tuple[str, ...]) -> list[LoraPlace]:
    """Where LoRA scales are read."""
    if not loras:
        return []
    from peft.tuners.lora import LoraLayer

    return [
        (layer, name, index, input_dims(path, layer))
        for path, layer in unet.named_modules()
        if isinstance(layer, LoraLayer)
        for index, name in enumerate(loras)
        if name in layer.scaling
    ]


def _without_embedding(controlnet: Any) -> Any:
    """A view of a ControlNet that takes embedded conditions; it shares every weight and leaves the original alone."""
    view = copy.copy(controlnet)
    view._modules = {**controlnet._modules, "controlnet_cond_embedding": nn.Identity()}
    view.register_to_config(controlnet_conditioning_channel_order="rgb")
    return view
