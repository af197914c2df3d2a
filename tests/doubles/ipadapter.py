"""IP-Adapters of random numbers that fit a pipeline, in a folder laid out as h94/IP-Adapter is."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from inkstream.engines.images import cross_attentions

Kind = Literal["base", "plus", "full"]
HIDDEN, PROJECTION, SIDE, PATCH = 32, 24, 32, 8
TOKENS = {"base": 4, "plus": 5, "full": (SIDE // PATCH) ** 2 + 1}


def tiny_image_encoder(folder: Path, seed: int = 0, projection: int = PROJECTION) -> Path:
    """Write a CLIP of two layers that sees pictures of 32 pixels in 16 patches."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        config = CLIPVisionConfig(
            hidden_size=HIDDEN,
            intermediate_size=2 * HIDDEN,
            num_hidden_layers=3,
            num_attention_heads=4,
            image_size=SIDE,
            patch_size=PATCH,
            projection_dim=projection,
        )
        encoder = CLIPVisionModelWithProjection(config).eval()
        for parameter in encoder.parameters():
            if parameter.ndim > 1:  # their default is 0.02, which leaves every picture nearly the same
                nn.init.normal_(parameter, std=(parameter.numel() / parameter.shape[0]) ** -0.5)
    encoder.save_pretrained(folder)
    return folder


def tiny_ip_adapter(pipe: Any, path: Path, kind: Kind = "base", seed: int = 0, strength: float = 3.0) -> Path:
    """Write an IP-Adapter that fits ``pipe``, in the names of the published files."""
    random = torch.Generator().manual_seed(seed)

    def made(*shape: int, times: float = 1.0) -> Tensor:
        return torch.randn(shape, generator=random) * times * shape[-1] ** -0.5

    width = pipe.unet.config.cross_attention_dim
    inner = {
        "base": {"proj.weight": made(4 * width, PROJECTION), "proj.bias": made(4 * width)}
        | {"norm.weight": torch.ones(width), "norm.bias": made(width)},
        "plus": _plus(made, width),
        "full": {"proj.0.weight": made(HIDDEN, HIDDEN), "proj.0.bias": made(HIDDEN)}
        | {"proj.2.weight": made(width, HIDDEN), "proj.2.bias": made(width)}
        | {"proj.3.weight": torch.ones(width), "proj.3.bias": made(width)},
    }[kind]
    tensors = {f"image_proj.{name}": value for name, value in inner.items()}
    for place, (_, attn) in enumerate(cross_attentions(pipe.unet)):
        for part in "kv":
            tensors[f"ip_adapter.{2 * place + 1}.to_{part}_ip.weight"] = made(attn.inner_kv_dim, width, times=strength)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    return path


def _plus(made: Any, width: int, depth: int = 4, hidden: int = 64) -> dict[str, Tensor]:
    found = {"latents": made(1, TOKENS["plus"], hidden) * hidden**0.5}
    found |= {"proj_in.weight": made(hidden, HIDDEN), "proj_in.bias": made(hidden)}
    found |= {"proj_out.weight": made(width, hidden), "proj_out.bias": made(width)}
    found |= {"norm_out.weight": torch.ones(width), "norm_out.bias": made(width)}
    for layer in range(depth):
        block = {"0.to_q": made(64, hidden), "0.to_kv": made(128, hidden), "0.to_out": made(hidden, 64)}
        block |= {"1.1": made(4 * hidden, hidden), "1.3": made(hidden, 4 * hidden)}
        for norm in ("0.norm1", "0.norm2", "1.0"):
            block[norm] = 1 + made(hidden)
            found[f"layers.{layer}.{norm}.bias"] = made(hidden)
        found |= {f"layers.{layer}.{name}.weight": value for name, value in block.items()}
    return found


def hub_folder(folder: Path, pipe: Any) -> Path:
    """A folder as h94/IP-Adapter is: adapters for a pipeline of either family, and the image encoder beside them."""
    sdxl = hasattr(pipe, "text_encoder_2")
    place, suffix = ("sdxl_models", "sdxl") if sdxl else ("models", "sd15")
    tiny_image_encoder(folder / place / "image_encoder")
    for seed, (name, kind) in enumerate((("", "base"), ("-plus", "plus"), ("-full-face", "full"))):
        tiny_ip_adapter(pipe, folder / place / f"ip-adapter{name}_{suffix}.safetensors", kind, seed)  # type: ignore[arg-type]
    return folder
