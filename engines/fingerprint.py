"""What decides an exported network: digests of its structure and of its weights, to find built engines again."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor, nn

_MAKERS = ("units.py", "times.py", "export.py", "openvino.py")


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
    configs = [dict(part.config) for part in module.modules() if isinstance(getattr(part, "config", None), dict)]
    tensors = [(name, tuple(tensor.shape), str(tensor.dtype)) for name, tensor in _tensors(module)]
    versions = {name: version(name) for name in ("inkstream", "torch", "diffusers", "peft")}
    text = json.dumps([repr(module), configs, tensors, versions, _own_code()], sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _own_code() -> str:
    folder = Path(__file__).parent
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in _MAKERS)).hexdigest()


def _tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    return [*module.named_parameters(), *module.named_buffers()]
