"""Changes of layers as PEFT's own LoRA layers, whose scale may be a number, or a tensor with one for each row.

PEFT computes ``base(x) + lora_B(lora_A(x)) * scaling``. So a change of two factors is its LoRA, and a change that is a
whole difference (LoHa, LoKr and DoRA mostly are) is a ``lora_A`` of the layer's own shape, with nothing after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from ..stream.base.quiet import quiet
from .lorakinds import Change

with quiet():
    from peft import LoraConfig, inject_adapter_in_model
    from peft.tuners.lora import LoraLayer

_PEFT_NOTES = ("peft_config", "_hf_peft_config_loaded")


def lora_layers(network: nn.Module | None) -> list[tuple[nn.Module, str, Any]]:
    """PEFT's layers of a network: (parent, name in it, layer)."""
    return [
        (parent, key, child)
        for parent in ([] if network is None else network.modules())
        for key, child in parent.named_children()
        if isinstance(child, LoraLayer)
    ]


def add(network: Any, changes: Mapping[str, Change], name: str, scale: float) -> None:
    """Hang changes, by the paths of their layers, into a network under a name that is free in it."""
    # PEFT finds the layers and wraps them; its rank and its numbers are replaced below.
    wanted = "|".join(map(re.escape, changes))
    config = LoraConfig(r=1, lora_alpha=1, target_modules=f"(?:{wanted})", init_lora_weights=False)
    before = {layer: list(layer.active_adapters) for _, _, layer in lora_layers(network)}
    with quiet(), _requiring_grad_as_now(network):
        inject_adapter_in_model(config, network, name, low_cpu_mem_usage=True)
        for path, change in changes.items():
            layer = network.get_submodule(path)
            layer.lora_A[name], layer.lora_B[name] = _modules(layer.get_base_layer(), change)
            layer.set_scale(name, float(scale))
        for _, _, layer in lora_layers(network):  # PEFT makes the new one the only active one
            layer.set_adapter([*before.get(layer, ()), *([name] if name in layer.lora_A else ())])


def remove(network: Any, name: str) -> None:
    """Take the changes of one name out of a network."""
    with quiet(), _requiring_grad_as_now(network):
        for parent, key, layer in lora_layers(network):
            left = [other for other in layer.active_adapters if other != name]
            layer.delete_adapter(name)
            if len(layer.lora_A):
                layer.set_adapter(left)
            else:  # without PEFT's layer it costs nothing
                setattr(parent, key, layer.get_base_layer())
    getattr(network, "peft_config", {}).pop(name, None)
    if not lora_layers(network):
        for note in _PEFT_NOTES:
            network.__dict__.pop(note, None)


def merge(network: Any, scales: Mapping[str, float]) -> Iterator[tuple[nn.Parameter, ...]]:
    """Give the layers of a network new weights, and biases where there are any, with the named changes in them.

    Yields what is new in each layer. The sum is made in float32 and rounded once. The changes themselves stay.
    """
    for _, _, layer in lora_layers(network):
        base = layer.get_base_layer()
        weight, bias = base.weight.detach().float(), None if base.bias is None else base.bias.detach().float()
        for name, scale in scales.items():
            if name in layer.lora_A:
                change = _change(layer.lora_A[name], layer.lora_B[name])
                weight = weight + scale * change.difference()
                if change.bias is not None:
                    bias = scale * change.bias.float() + (0.0 if bias is None else bias)
        new = {"weight": weight, **({} if bias is None else {"bias": bias})}
        for part, value in new.items():
            setattr(base, part, nn.Parameter(value.to(base.weight.dtype), requires_grad=False))
        yield tuple(getattr(base, part) for part in new)


@contextmanager
def _requiring_grad_as_now(network: nn.Module) -> Iterator[None]:
    """PEFT says of all parameters anew whether they are trained, those that a twin shares included."""
    before = [(value, value.requires_grad) for value in network.parameters()]
    try:
        yield
    finally:
        for value, required in before:
            value.requires_grad_(required)


def _modules(base: Any, change: Change) -> tuple[nn.Module, nn.Module]:
    """What PEFT calls lora_A and lora_B of one change, on the device and in the precision of the layer."""
    inside = change.bias if change.up is None else None
    if change.up is None:
        return _like(base, change.down, inside, whole=True), nn.Identity()
    return _like(base, change.down, None, whole=True), _like(base, change.up, change.bias, whole=False)


def _like(base: Any, weight: Tensor, bias: Tensor | None, whole: bool) -> nn.Module:
    """A layer of these numbers; ``whole``: it goes over its input as ``base`` does, otherwise point by point."""
    outputs, inputs = weight.shape[:2]
    options = {"bias": bias is not None, "device": "meta"}
    if isinstance(base, nn.Conv2d):
        way = {name: getattr(base, name) for name in ("kernel_size", "stride", "padding", "dilation", "padding_mode")}
        module: Any = nn.Conv2d(inputs, outputs, **(way if whole else {"kernel_size": 1}), **options)
    else:
        module = nn.Linear(inputs, outputs, **options)
    for name, value in {"weight": weight, "bias": bias}.items():
        if value is not None:
            own = value.to(base.weight.device, base.weight.dtype).contiguous()
            setattr(module, name, nn.Parameter(own, requires_grad=False))
    return module.train(base.training)


def _change(down: Any, up: Any) -> Change:
    """The change that two modules of ``_modules`` make."""
    if isinstance(up, nn.Identity):
        return Change(down.weight, None, down.bias)
    return Change(down.weight, up.weight, up.bias)
