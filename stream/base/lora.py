"""How a LoRA's scale is laid out at the layers of a UNet."""

from __future__ import annotations

from typing import Any

# Layers of a UNet whose input is (N, C), where the others' is (N, L, C) or (N, C, h, w).
_FLAT_INPUT = ("time_embedding.", "add_embedding.", "class_embedding.", "time_emb_proj")


def input_dims(path: str, layer: Any) -> int:
    """Dimensions of what a PEFT layer of a UNet is given, 2 to 4, from its dotted path and its weight."""
    if layer.get_base_layer().weight.ndim == 4:
        return 4
    return 2 if any(part in path for part in _FLAT_INPUT) else 3
