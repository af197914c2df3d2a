"""Each network of a pipeline runs once after it is loaded, on the smallest picture there is.

Configurations decide more than the shapes of weights: a padding or an activation that does not fit shows when a network
runs, and then it is to be named before a stream waits for it.
"""

from __future__ import annotations

from typing import Any

import torch

from ..stream.base.errors import ModelError
from .describe import FAMILY_NAMES, unet_family


@torch.no_grad()
def try_networks(pipe: Any, controlnets: list[Any]) -> None:
    """Encode a text, predict, encode and decode a picture of 8x8 latents.

    Raises ModelError where a result has another shape than it must have, and whatever the networks raise.
    """
    unet, vae = pipe.unet, pipe.vae
    given = _inputs(unet)
    text = pipe.encode_prompt("a", device=unet.device, num_images_per_prompt=1, do_classifier_free_guidance=False)
    given["encoder_hidden_states"] = text[0].to(unet.dtype)
    if given["added_cond_kwargs"]:
        given["added_cond_kwargs"]["text_embeds"] = text[2].to(unet.dtype)
    shape = given["sample"].shape
    _expect("unet", unet(**given, return_dict=False)[0], shape)
    image = vae.decode(given["sample"].to(vae.dtype), return_dict=False)[0]
    _expect("vae", image, (1, 3, _side(pipe), _side(pipe)))
    found = vae.encode(image)
    _expect("vae", found.latents if hasattr(found, "latents") else found.latent_dist.mode(), shape)
    for net in controlnets:
        try_controlnet(net, pipe)


@torch.no_grad()
def try_controlnet(net: Any, pipe: Any) -> None:
    """Run a ControlNet, a ControlNet-Union or a T2I-Adapter for 8x8 latents, without the UNet, which may be rendering.

    Raises ModelError for a T2I-Adapter whose maps are not those that the UNet adds, and whatever the network raises.
    """
    kind, given = type(net).__name__, _inputs(pipe.unet)
    channels = net.config.get("in_channels" if kind == "T2IAdapter" else "conditioning_channels", 3)
    drawing = torch.zeros(1, channels, _side(pipe), _side(pipe)).to(given["sample"])
    if kind == "T2IAdapter":
        got, wanted = [tuple(each.shape[1:]) for each in net(drawing)], _wanted_maps(pipe.unet, 8, 8)
        if got[: len(wanted)] != wanted:
            raise ModelError(
                f"got a T2I-Adapter whose maps are {got}, the model adds {wanted}; it was made for another base model: "
                f"choose one for {FAMILY_NAMES[unet_family(pipe.unet.config)]}"
            )
    elif kind == "ControlNetUnionModel":
        kinds = torch.zeros(1, net.config.num_control_type).to(drawing)
        net(**given, controlnet_cond=[drawing], control_type=kinds, control_type_idx=[0], return_dict=False)
    else:
        net(**given, controlnet_cond=drawing, return_dict=False)


def _wanted_maps(unet: Any, height: int, width: int) -> list[tuple[int, int, int]]:
    """What a UNet adds of a T2I-Adapter: the shape of each map, for latents of this size."""
    found = []
    for block, channels in zip(unet.down_blocks, unet.config.block_out_channels, strict=True):
        before = height, width
        height, width = (-(-height // 2), -(-width // 2)) if block.downsamplers else before
        attends = getattr(block, "has_cross_attention", False)  # then it comes before the picture gets smaller
        found.append((channels, *(before if attends else (height, width))))
    return found


def _side(pipe: Any) -> int:
    return 8 * int(pipe.vae_scale_factor)


def _inputs(unet: Any) -> dict[str, Any]:
    config = unet.config
    like = {"device": unet.device, "dtype": unet.dtype}
    added = None
    if config.addition_embed_type == "text_time":
        pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
        added = {"text_embeds": torch.zeros(1, pooled, **like), "time_ids": torch.zeros(1, 6, device=unet.device)}
    return {
        "sample": torch.zeros(1, config.in_channels, 8, 8, **like),
        "timestep": torch.tensor([500], device=unet.device),
        "encoder_hidden_states": torch.zeros(1, 2, config.cross_attention_dim, **like),
        "added_cond_kwargs": added,
    }


def _expect(name: str, result: torch.Tensor, shape: tuple[int, ...]) -> None:
    if result.shape != shape:
        raise ModelError(f"{name}: gives {tuple(result.shape)} for a picture, expected {tuple(shape)}; fetch it again")
