"""INT8 and FP8 of the compile engine, by torchao: linear layers of attention and feed-forward. CUDA is unverified here.

Weights are quantised once, each output channel by itself; what goes through them at every call, each token by itself,
so nothing has to be calibrated. A layer of a LoRA stays as it is, beside the quantised one that it belongs to.
Convolutions stay too: torchao multiplies those in 8 bits on Blackwell only.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from ...stream.base.errors import EngineError

log = logging.getLogger(__name__)
INSTALL = 'pip install "inkstream[torchao]"'
_FP8_FROM = (8, 9)  # compute capability: Ada and Hopper
# What the networks may be in: FP8's kernels give bfloat16 only, and sums of INT8's overflow float16.
_FITS = {"int8": ("bfloat16", "float32"), "float8": ("bfloat16",)}
_MULTIPLE = 16  # the kernels refuse layers with other numbers of features
# Least rows and input features of a product. Smaller ones cost more to quantise than they win: so it was measured on
# SDXL in INT8 (diffusers' tutorial "fast_diffusion"), where layers of 960 inputs and those that see the prompt only
# were left out. A CPU has no limit: it is there for the same code to be tested everywhere.
LEAST = {"cuda": (256, 1024)}


def missing() -> str:
    """Why nothing can be quantised here; empty: it can."""
    return "" if importlib.util.find_spec("torchao") else f"it needs torchao, which is not installed: {INSTALL}"


def refused(precision: str, device: torch.device) -> str:
    """Why a device does not run ``precision``, int8 or float8; empty: it does."""
    if precision != "float8":
        return ""
    if device.type != "cuda":
        return f"got device {device}, expected a CUDA device; set device to cuda, or dtype to int8"
    found = torch.cuda.get_device_capability(device)
    if found >= _FP8_FROM:
        return ""
    got, expected = (".".join(map(str, version)) for version in (found, _FP8_FROM))
    return f"got compute capability {got}, expected at least {expected} (Ada, Hopper); set dtype to int8 or auto"


@torch.no_grad()
def quantise(unit: nn.Module, example: Sequence[Tensor], precision: str) -> str:
    """Quantise linear layers of a unit, int8 or float8, and say for people how many.

    ``example`` are the unit's inputs, by position, on its device. The unit must be a ``twin``: layers are given other
    weights, and the tensors that they shared stay as they are. Raises EngineError when torchao or the device cannot, or
    when no layer is worth it.
    """
    device = example[0].device
    why_not = missing() or refused(precision, device)
    if why_not:
        raise EngineError(f"dtype {precision}: {why_not}")
    rows = _rows(unit, example)
    least_rows, least_features = LEAST.get(device.type, (1, 1))
    taken = {
        layer
        for layer, count in rows.items()
        if count >= least_rows
        and layer.in_features >= least_features
        and layer.in_features % _MULTIPLE == layer.out_features % _MULTIPLE == 0
    }
    if not taken:
        raise EngineError(
            f"dtype {precision}: got {len(rows)} linear layers, expected at least one with {least_rows} rows, "
            f"{least_features} inputs and features in multiples of {_MULTIPLE}; set dtype to auto"
        )
    got = str(next(iter(taken)).weight.dtype).removeprefix("torch.")
    if got not in _FITS[precision]:
        expected = " or ".join(_FITS[precision])
        raise EngineError(f"dtype {precision}: got networks in {got}, expected {expected}; load the pipeline in it")
    from ...stream.base.quiet import quiet

    with quiet():
        from torchao.quantization import quantize_

        quantize_(unit, _recipe(precision, device), filter_fn=lambda module, path: module in taken)
    about = f"{precision} in {len(taken)} of {len(rows)} linear layers"
    log.info("torchao: %s", about)
    return about


def _recipe(precision: str, device: torch.device) -> Any:
    """The configuration for torchao; the compiler keeps the settings of the engine, not those torchao sets for all."""
    from torchao.quantization import (
        Float8DynamicActivationFloat8WeightConfig,
        Int8DynamicActivationInt8WeightConfig,
        PerRow,
    )
    from torchao.utils import should_reduce_range

    if precision == "float8":
        return Float8DynamicActivationFloat8WeightConfig(granularity=PerRow(), set_inductor_config=False)
    return Int8DynamicActivationInt8WeightConfig(
        granularity=PerRow(), reduce_range=should_reduce_range(device), set_inductor_config=False
    )


def _rows(unit: nn.Module, example: Sequence[Tensor]) -> dict[nn.Linear, int]:
    """The linear layers of attention and feed-forward that a call goes through, and how many rows it gives each."""
    rows: dict[nn.Linear, int] = {}

    def seen(layer: Any, given: tuple[Tensor, ...]) -> None:
        rows[layer] = given[0].shape[:-1].numel()

    with ExitStack() as hooks:
        for path, layer in unit.named_modules():
            if isinstance(layer, nn.Linear) and ".attentions." in path and ".lora_" not in path:
                hooks.callback(layer.register_forward_pre_hook(seen).remove)
        unit(*example)
    return rows


def weights_mb(units: Iterable[nn.Module]) -> float:
    """MB of all parameters of some units, each counted once, a quantised one with its scales."""
    held = {id(tensor): tensor for unit in units for tensor in unit.parameters()}
    return sum(part.numel() * part.element_size() for tensor in held.values() for part in _parts(tensor)) / 1e6


def _parts(tensor: Tensor) -> list[Tensor]:
    flatten = getattr(tensor, "__tensor_flatten__", None)  # PyTorch's protocol of tensors that are made of tensors
    return [getattr(tensor, name) for name in flatten()[0]] if flatten else [tensor]
