"""A small pipeline written as one file, the way the original code names its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

VAE_NAMES = {
    ".down_blocks.": ".down.",
    ".resnets.": ".block.",
    ".downsamplers.0.": ".downsample.",
    ".upsamplers.0.": ".upsample.",
    ".mid_block.block.0": ".mid.block_1",
    ".mid_block.block.1": ".mid.block_2",
    ".mid_block.attentions.0.group_norm": ".mid.attn_1.norm",
    ".mid_block.attentions.0.to_out.0": ".mid.attn_1.proj_out",
    ".mid_block.attentions.0.to_": ".mid.attn_1.",
    "conv_shortcut": "nin_shortcut",
    "conv_norm_out": "norm_out",
}


def checkpoint_of(
    pipe: Any, path: Path, keys: dict[str, Tensor] | None = None, vae: bool = True, **metadata: str
) -> Path:
    """Write a pipeline of the shape of Stable Diffusion 1.x in one file, with ``keys`` beside its weights."""
    resnet = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0"}
    resnet |= {"conv2": "out_layers.3", "conv_shortcut": "skip_connection"}
    places = {"conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2"}
    places |= {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2"}
    places |= {
        f"mid_block.{old}": f"middle_block.{new}" for new, old in enumerate(("resnets.0", "attentions.0", "resnets.1"))
    }
    number = 1
    for level, block in enumerate(pipe.unet.down_blocks):
        for layer in range(len(block.resnets)):
            places[f"down_blocks.{level}.resnets.{layer}"] = f"input_blocks.{number}.0"
            places[f"down_blocks.{level}.attentions.{layer}"] = f"input_blocks.{number}.1"
            number += 1
        places[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{number}.0.op"
        number += 1
    number = 0
    for level, block in enumerate(pipe.unet.up_blocks):
        for layer in range(len(block.resnets)):
            places[f"up_blocks.{level}.resnets.{layer}"] = f"output_blocks.{number}.0"
            places[f"up_blocks.{level}.attentions.{layer}"] = f"output_blocks.{number}.1"
            number += 1
        places[f"up_blocks.{level}.upsamplers.0.conv"] = f"output_blocks.{number - 1}.2.conv"
    tensors: dict[str, Tensor] = {}
    for name, value in pipe.unet.state_dict().items():
        place = max((place for place in places if name.startswith(f"{place}.")), key=len)
        rest = name.removeprefix(f"{place}.")
        if ".resnets." in place:
            rest = resnet[rest.partition(".")[0]] + "." + rest.partition(".")[2]
        tensors[f"model.diffusion_model.{places[place]}.{rest}"] = value
    for name, value in pipe.vae.state_dict().items() if vae else ():
        for old, new in VAE_NAMES.items():
            name = name.replace(old, new)
        for level in range(4):
            name = name.replace(f".up_blocks.{level}.", f".up.{3 - level}.")
        if ".attn_1." in name and value.ndim == 2:
            value = value[..., None, None]
        tensors[f"first_stage_model.{name}"] = value
    for name, value in pipe.text_encoder.state_dict().items():
        tensors[f"cond_stage_model.transformer.text_model.{name.removeprefix('text_model.')}"] = value
    save_file({name: value.contiguous() for name, value in {**tensors, **(keys or {})}.items()}, path, metadata or None)
    return path
