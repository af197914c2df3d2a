"""What a change of each setting means, for who makes it and for who offers it."""

from __future__ import annotations

from typing import Literal

from .config import StreamConfig

Change = Literal["now", "soon", "never"]

# What is decided when a stream is made. Everything else changes live.
FIXED = [
    "acceleration",
    "device",
    "dtype",
    "engine_dir",
    "fuse_lora",
    "lcm_lora_id",
    "prediction_type",
    "use_lcm_lora",
    "use_tiny_vae",
    "vae_id",
    "warmup",
]
# What may load or build something first, while pictures go on.
BUILDING = [
    "cfg_type",
    "controlnets",
    "frame_buffer_size",
    "height",
    "ip_adapters",
    "lora_dict",
    "mode",
    "prompt_chunks",
    "regions",
    "settle_steps",
    "t_index_list",
    "textual_inversion",
    "use_denoising_batch",
    "width",
]
# The setting that each group begins with, in the order of the fields: a new one belongs to the group it stands in.
GROUPS = {
    "prompt": "drawing",
    "mode": "loop",
    "controlnets": "conditioning",
    "lora_dict": "weights",
    "acceleration": "running",
    "similar_image_filter_threshold": "gate",
}


def change_of(name: str) -> Change:
    """Whether a setting changes at once, after something was built, or never."""
    return "never" if name in FIXED else "soon" if name in BUILDING else "now"


def group_of(name: str) -> str:
    """What a setting is about, in one word."""
    group = ""
    for each in StreamConfig.model_fields:
        group = GROUPS.get(each, group)
        if each == name:
            break
    return group
