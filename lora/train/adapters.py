"""LoRA layers in networks that train: put in by PEFT, straight into the modules, read out and merged again.

Low-rank adaptation: Hu et al. 2021 (arXiv:2106.09685), y = W x + alpha / rank B A x.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ...stream.base.errors import ConfigError
from ..hub import LORA_FILE
from . import seeds
from .kohya import to_kohya

NAME = "default"
KOHYA_FILE = "kohya_lora_weights.safetensors"
CONTROLNET_FILE = "controlnet{}_lora_weights.safetensors"


def matching(network: nn.Module, targets: Sequence[str]) -> list[str]:
    """Names of the linear layers and convolutions that end with one of ``targets``; raises ConfigError for none."""
    kinds = (nn.Linear, nn.Conv2d)
    names = [name for name, module in network.named_modules() if isinstance(module, kinds)]
    found = [name for name in names if any(name == end or name.endswith(f".{end}") for end in targets)]
    if not found:
        ends = sorted({name.rpartition(".")[2] for name in names if not name.rpartition(".")[2].isdigit()})
        raise ConfigError(
            f"target_modules: got {', '.join(targets)}, which {type(network).__name__} has none of; "
            f"it has: {', '.join(ends[:20])}"
        )
    return found


def inject(
    network: nn.Module,
    targets: Sequence[str],
    rank: int,
    alpha: float | None = None,
    dropout: float = 0.0,
    seed: int = 0,
    base_too: bool = False,
) -> list[str]:
    """Put LoRA layers into a frozen network; gives the names of the modules that have one.

    B starts at zero, so that nothing changes at first. ``base_too``: the weights under them are trained as well.
    """
    from peft import LoraConfig, inject_adapter_in_model

    names = matching(network, targets)
    settings = LoraConfig(
        r=rank,
        lora_alpha=_number(alpha if alpha is not None else rank),
        lora_dropout=dropout,
        target_modules=names,
        init_lora_weights="gaussian",
    )
    device = next(network.parameters()).device
    with seeds.new_weights(seed):
        inject_adapter_in_model(settings, network, NAME)
    network.to(device)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_("lora_" in name or (base_too and name.endswith("base_layer.weight")))
    return names


def _number(value: float) -> Any:
    """PEFT writes alpha into metadata as it is, and an int is what others expect where it is one."""
    return int(value) if float(value).is_integer() else value


def layers(network: nn.Module) -> dict[str, Any]:
    """PEFT's layers of a network, by name."""
    from peft.tuners.lora import LoraLayer

    return {name: module for name, module in network.named_modules() if isinstance(module, LoraLayer)}


def tensors(network: nn.Module, component: str) -> dict[str, Tensor]:
    """The factors, contiguous on the CPU: ``component.MODULE.lora_A.weight`` (r, in, ...) and ``lora_B`` (out, r)."""
    found = {}
    for name, layer in layers(network).items():
        for half, parts in (("lora_A", layer.lora_A), ("lora_B", layer.lora_B)):
            found[f"{component}.{name}.{half}.weight"] = parts[NAME].weight.detach().cpu().contiguous().clone()
    return found


def plain_state(network: nn.Module, merged: bool) -> dict[str, Tensor]:
    """The state dict of the network without adapters; ``merged``: with each delta added to its weight."""
    found = {}
    wrapped = layers(network)
    for key, value in network.state_dict().items():
        if "lora_" in key:
            continue
        module, _, last = key.rpartition(".")
        owner = module.removesuffix(".base_layer")
        value = value.detach().cpu()
        if merged and last == "weight" and module.endswith(".base_layer") and owner in wrapped:
            value = value + wrapped[owner].get_delta_weight(NAME).detach().cpu().to(value.dtype)
        found[f"{owner}.{last}" if owner else last] = value.contiguous()
    return found


def write_network(network: Any, folder: Path, merged: bool = False) -> None:
    """Write a network without its adapters, in diffusers layout."""
    made = type(network).from_config(network.config)
    made.load_state_dict(plain_state(network, merged))
    made.save_pretrained(folder)


def write_lora(
    folder: Path, networks: Mapping[str, nn.Module], rank: int, alpha: float | None, kohya: bool, sdxl: bool
) -> None:
    """Write the adapters of ``unet`` and of ``controlnet``, ``controlnet_1``... as files of their own.

    The UNet's is what ``load_lora_weights`` reads; a ControlNet's is read by its own ``load_lora_adapter``. alpha is
    in the metadata where diffusers looks for it.
    """
    from safetensors.torch import save_file

    scale = _number(alpha if alpha is not None else rank)
    for name, network in networks.items():
        component = "unet" if name == "unet" else "controlnet"
        found = tensors(network, component)
        notes = {f"{component}.r": rank, f"{component}.lora_alpha": scale}
        notes[f"{component}.target_modules"] = sorted(layers(network))
        target = LORA_FILE if name == "unet" else CONTROLNET_FILE.format(name.removeprefix("controlnet"))
        metadata = {"format": "pt", "lora_adapter_metadata": json.dumps(notes, sort_keys=True)}
        save_file(found, folder / target, metadata)
        if kohya and name == "unet":
            save_file(to_kohya(found, scale, sdxl), folder / KOHYA_FILE, {"ss_network_module": "networks.lora"})
