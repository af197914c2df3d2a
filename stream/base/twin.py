"""Networks that share their weights and nothing else."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


def twin(module: nn.Module) -> Any:
    """A copy of a module that shares every parameter and buffer with it, and no layer.

    Layers may be put in and taken out of one of the two, and settings changed, and the other does not notice.
    """
    tensors = [*module.parameters(), *module.buffers()]
    return copy.deepcopy(module, {id(tensor): tensor for tensor in tensors})
