"""What decides an exported network: digests of its structure and of its weights, to find built engines again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

_PLAIN = (bool, int, float, str, tuple)


def weights_digest(module: nn.Module) -> str:
    """SHA-256 over every parameter and buffer, with their names, shapes and precisions."""
    total = hashlib.sha256()
    for name, tensor in _tensors(module):
        total.update(f"{name}:{tuple(tensor.shape)}:{tensor.dtype};".encode())
        plain = tensor.detach().cpu().contiguous()
        total.update(plain.view(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def graph_digest(
    module: nn.Module,
    made_by: tuple[str, ...],
    libraries: tuple[str, ...] = (),
    loras: tuple[str, ...] = (),
) -> str:
    """SHA-256 of a network without its weights, and of the code that turns it into a graph.

    That code is the files ``made_by`` of this folder, PyTorch, diffusers, PEFT, and ``libraries``. The names of
    ``loras`` count by their place only: LoRAs of the same shape are the same network.
    """
    numbered = {name: f"#{number}" for number, name in enumerate(loras)}

    def renamed(path: str) -> str:  # PEFT keeps the parts of a LoRA under its name: lora_A.ink, lora_dropout.ink
        return re.sub(r"(lora_\w+\.)([^.]+)", lambda found: found[1] + numbered.get(found[2], found[2]), path)

    parts = []
    for path, part in module.named_modules():
        # Numbers and flags that a module was made with decide its graph, and no configuration holds them all.
        plain = {name: value for name, value in vars(part).items() if isinstance(value, _PLAIN) and value != loras}
        config: Any = getattr(part, "config", None)
        parts.append([renamed(path), type(part).__qualname__, part.extra_repr(), plain, _settings(config)])
    tensors = [[renamed(name), list(tensor.shape), str(tensor.dtype)] for name, tensor in _tensors(module)]
    versions = {name: version(name) for name in ("inkstream", "torch", "diffusers", "peft", *libraries)}
    text = json.dumps([parts, tensors, versions, _code(made_by)], sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


def _settings(config: Any) -> dict[str, Any]:
    """A configuration without what diffusers notes for itself, which comes in another order every time."""
    if not isinstance(config, Mapping):
        return {}
    return {name: value for name, value in config.items() if not name.startswith("_")}


@cache
def _code(names: tuple[str, ...]) -> str:
    folder = Path(__file__).parent
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in names)).hexdigest()


def _tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    return [*module.named_parameters(), *module.named_buffers()]
