"""What decides an exported network: digests of its structure and of its weights, to find built engines again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

_MAKERS = ("units.py", "times.py", "export.py", "openvino.py")
_PLAIN = (bool, int, float, str, tuple)


def weights_digest(module: nn.Module) -> str:
    """SHA-256 over every parameter and buffer, with their names, shapes and precisions."""
    total = hashlib.sha256()
    for name, tensor in _tensors(module):
        total.update(f"{name}:{tuple(tensor.shape)}:{tensor.dtype};".encode())
        plain = tensor.detach().cpu().contiguous()
        total.update(plain.view(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def graph_digest(module: nn.Module) -> str:
    """SHA-256 of a network without its weights, and of the code that turns it into a graph."""
    configs = [_settings(part.config) for part in module.modules() if isinstance(getattr(part, "config", None), dict)]
    # Numbers and flags that a module was made with decide its graph, and no configuration holds them.
    plain = [
        (path, {name: value for name, value in vars(part).items() if name[0] != "_" and isinstance(value, _PLAIN)})
        for path, part in module.named_modules()
    ]
    tensors = [(name, tuple(tensor.shape), str(tensor.dtype)) for name, tensor in _tensors(module)]
    versions = {name: version(name) for name in ("inkstream", "torch", "diffusers", "peft")}
    text = json.dumps([repr(module), configs, plain, tensors, versions, _own_code()], sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration without what diffusers notes for itself, which comes in another order every time."""
    return {name: value for name, value in config.items() if not name.startswith("_")}


@cache
def _own_code() -> str:
    folder = Path(__file__).parent
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in _MAKERS)).hexdigest()


def _tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    return [*module.named_parameters(), *module.named_buffers()]
