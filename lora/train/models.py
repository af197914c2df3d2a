"""Models that training starts from or builds on: loaded with the same care as everywhere, in float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from ...stream.base.config import ControlNetConfig, StreamConfig
from ...stream.base.errors import ModelError
from ...stream.base.progress import Progress, silent
from ...stream.base.quiet import quiet
from ..load import load_pipeline
from ..parts import load_part
from ..places import locate

if TYPE_CHECKING:
    from .data import Batch


def load_autoencoder(name: str) -> Any:
    """An AutoencoderTiny or AutoencoderKL in float32, from its own folder or a model's; raises ModelError."""
    import diffusers

    from ..safety import check_folder, read_config

    folder = locate(name)
    if (folder / "vae").is_dir():
        folder = folder / "vae"
    if not (folder / "config.json").is_file():
        raise ModelError(f"{name}: no config.json in {folder}, expected the folder of an autoencoder or of a model")
    check_folder(folder)
    kind = read_config(folder / "config.json").get("_class_name")
    if kind not in ("AutoencoderTiny", "AutoencoderKL"):
        raise ModelError(f"{name}: got a {kind}, expected an AutoencoderTiny or AutoencoderKL")
    with quiet():
        return load_part(getattr(diffusers, kind), folder, torch.float32)


def load_model(
    name: str, device: torch.device, controlnets: Sequence[tuple[str | None, float]] = (), progress: Progress = silent
) -> Any:
    """A pipeline in float32 on the device, its own autoencoder in it, all frozen; raises ModelError.

    ``controlnets`` are (name or None for the model's own next one, scale).
    """
    entries = [{"model_id": each, "conditioning_scale": scale} for each, scale in controlnets]
    wanted = tuple(ControlNetConfig.model_validate(entry) for entry in entries)
    config = StreamConfig.build(device=str(device), dtype="float32", use_tiny_vae=False, controlnets=wanted)
    return load_pipeline(name, config, progress)


def controlnets_of(pipe: Any) -> list[Any]:
    """The ControlNets of a pipeline, as a list."""
    net = getattr(pipe, "controlnet", None)
    if net is None:
        return []
    return list(net.nets) if hasattr(net, "nets") else [net]


class Codec:
    """A frozen autoencoder's two ways, with its scaling factor: pictures in [-1, 1], latents of about unit size."""

    def __init__(self, vae: Any) -> None:
        self.vae, self.scale = vae, vae.config.scaling_factor
        self.shift = getattr(vae.config, "shift_factor", None) or 0.0

    @property
    def reduction(self) -> int:
        """Pixels of a side for one latent."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    def latents(self, batch: Batch) -> torch.Tensor:
        """Those of a batch, (B, C, h, w) float32: from the cache, else encoded now."""
        return batch.latent.float() if batch.latent is not None else self.encode(batch.pictures())

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) -> (B, C, h, w) float32, without gradients; of a distribution its mode."""
        with torch.no_grad():
            pictures = pictures.to(self.vae.device)
            found = self.vae.encode(pictures)
            latent = found.latents if hasattr(found, "latents") else found.latent_dist.mode()
        return (latent.float() - self.shift) * self.scale

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """(B, C, h, w) -> (B, 3, H, W) float32, with gradients."""
        return self.vae.decode(latents / self.scale + self.shift).sample.float()
