"""What steers by condition images: the ControlNets, ControlNet-Unions and T2I-Adapters of one pipeline."""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import Tensor

from ...engines.controls import UnionPart, is_t2i, map_shapes, maps_of
from ...lora.load import load_controlnet, loaded_from
from ..base.config import ControlNetConfig, StreamConfig
from ..base.errors import ConfigError
from .admission import controlnets_of

log = logging.getLogger(__name__)


class Controls:
    """The networks of a configuration's ``controlnets``, by their place there."""

    def __init__(self, pipe: Any) -> None:
        """``pipe`` may bring some; it is only looked at."""
        self._pipe = pipe
        self._nets: list[Any] = controlnets_of(pipe)
        self._ids = [loaded_from(net) for net in self._nets]  # what is in each place; None: the pipeline's own
        self._parts: dict[tuple[Any, int], UnionPart] = {}  # the same one each time, so that nothing is built again

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._nets)

    def load(self, config: StreamConfig) -> None:
        """Load what a configuration names that is not there yet; what is named twice is loaded once. Raises ConfigError
        or ModelError."""
        for index, net in enumerate(config.controlnets):
            known = index < len(self._nets) and self._ids[index] == net.model_id
            if not known:
                if net.model_id is None:
                    raise ConfigError(
                        f"controlnets.{index}: got no model_id, and the pipeline brought {len(self._nets)} "
                        f"ControlNets; name a folder or hub id"
                    )
                there = self._nets[self._ids.index(net.model_id)] if net.model_id in self._ids else None
                self._nets[index : index + 1] = [there or load_controlnet(net.model_id, self._pipe)]
                self._ids[index : index + 1] = [net.model_id]
            _check(self._nets[index], net, index, config)

    def enabled(self, config: StreamConfig) -> tuple[Any, ...]:
        """Those that are switched on, as engines take them; always the same objects."""
        pairs = zip(self._nets, config.controlnets, strict=False)
        return tuple(self._part(net, entry.control_mode) for net, entry in pairs if entry.enabled)

    def state(self) -> Any:
        """What is loaded now, for ``restore``."""
        return list(self._nets), list(self._ids)

    def restore(self, state: Any) -> None:
        """Be again as when ``state`` was taken."""
        self._nets, self._ids = state

    def _part(self, net: Any, mode: int | None) -> Any:
        return net if mode is None else self._parts.setdefault((net, mode), UnionPart(net, mode))


def sizes(nets: tuple[Any, ...], latent: tuple[int, int, int]) -> dict[str, int]:
    """What of ``Shapes`` enabled networks decide, for latents (4, h, w)."""
    adapters = [net for net in nets if is_t2i(net)]
    widths = [net.config.block_out_channels[0] for net in nets if not is_t2i(net)]
    shapes = [shape for net in adapters for shape in map_shapes(maps_of(net), *latent[1:])]
    maps = sum(channels * height * width for channels, height, width in shapes)
    features = widths[0] if widths else 0
    return {"controlnets": len(nets), "features": features, "adapters": len(adapters), "maps": maps}


def _check(net: Any, entry: ControlNetConfig, index: int, config: StreamConfig) -> None:
    """Whether a network has its kind of condition, and takes pictures of this size. Raises ConfigError."""
    kinds = net.config.get("num_control_type") if "Union" in type(net).__name__ else None
    if kinds is not None and (entry.control_mode is None or entry.control_mode >= kinds):
        got = "none" if entry.control_mode is None else entry.control_mode
        raise ConfigError(
            f"controlnets.{index}.control_mode: got {got}, a ControlNet-Union wants the kind of its condition, 0 to "
            f"{kinds - 1}: of xinsir's 0 pose, 1 depth, 2 thick lines, 3 thin lines, 4 normals, 5 segments"
        )
    if kinds is None and entry.control_mode is not None:
        raise ConfigError(
            f"controlnets.{index}.control_mode: got {entry.control_mode}, and this is no ControlNet-Union; leave it out"
        )
    cell = net.config.downscale_factor if is_t2i(net) else 1
    for name, side in (("width", config.width), ("height", config.height)):
        if side % cell:
            near = max(cell, round(side / cell) * cell)
            raise ConfigError(f"{name}: got {side}, controlnets.{index} takes multiples of {cell}; set {name}={near}")


def control_scales(config: StreamConfig, steps: int, influence: float = 1.0) -> Tensor:
    """(C, K): how strongly each of the C enabled ControlNets steers each of the K ``steps``; logs one that never does.
    ``influence`` multiplies all of them.

    Step i of K is steered unless i / K < control_guidance_start or (i + 1) / K > control_guidance_end, as in diffusers.
    """
    scales = [
        [
            net.conditioning_scale * influence
            if i / steps >= net.control_guidance_start and (i + 1) / steps <= net.control_guidance_end
            else 0.0
            for i in range(steps)
        ]
        for net in config.controlnets
        if net.enabled
    ]
    _warn_if_never(config.controlnets, scales)
    return torch.tensor(scales).reshape(-1, steps)


def _warn_if_never(nets: tuple[ControlNetConfig, ...], scales: list[list[float]]) -> None:
    for net, row in zip((net for net in nets if net.enabled), scales, strict=True):
        if (
            net.conditioning_scale > 0
            and not any(row)
            and (net.control_guidance_start, net.control_guidance_end) != (0, 1)
        ):
            log.warning(
                "a ControlNet is never active: %d steps leave none between control_guidance_start %g and end %g",
                len(row),
                net.control_guidance_start,
                net.control_guidance_end,
            )
