"""Each network of a pipeline runs once after it is loaded, on the smallest picture there is.

Configurations decide more than the shapes of weights: a padding or an activation that does not fit shows when a network
runs, and then it is to be named before a stream waits for it.
"""

from __future__ import annotations

from typing import Any

import torch

from ..stream.base.errors import ModelError


@torch.no_grad()
def try_networks(pipe: Any) -> None:
    """Encode a text, predict, encode and decode a picture of 8x8 latents. Raises ModelError where a result has another
    shape than it must have, and whatever the networks raise."""
    unet, vae, device = pipe.unet, pipe.vae, pipe.unet.device
    encoded = pipe.encode_prompt("a", device=device, num_images_per_prompt=1, do_classifier_free_guidance=False)
    text = encoded[0].to(unet.dtype)
    latent = torch.zeros(1, unet.config.in_channels, 8, 8, device=device, dtype=unet.dtype)
    added = None
    if unet.config.addition_embed_type == "text_time":
        sizes = torch.tensor([[64.0, 64.0, 0.0, 0.0, 64.0, 64.0]], device=device)
        added = {"text_embeds": encoded[2].to(unet.dtype), "time_ids": sizes}
    step = torch.tensor([500], device=device)
    _expect("unet", unet(latent, step, text, added_cond_kwargs=added, return_dict=False)[0], latent.shape)
    side = 8 * int(pipe.vae_scale_factor)
    image = vae.decode(latent.to(vae.dtype), return_dict=False)[0]
    _expect("vae", image, (1, 3, side, side))
    found = vae.encode(image)
    found = found.latents if hasattr(found, "latents") else found.latent_dist.mode()
    _expect("vae", found, latent.shape)


def _expect(name: str, result: torch.Tensor, shape: tuple[int, ...]) -> None:
    if result.shape != shape:
        raise ModelError(f"{name}: gives {tuple(result.shape)} for a picture, expected {tuple(shape)}; fetch it again")
