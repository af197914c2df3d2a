"""The shape of every tensor that goes into the units of one stream, for engines that must know them beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

# What the result of each unit is called.
RESULTS = {
    "encode": "latent",
    "embed": "features",
    "adapt": "maps",
    "fold": "folded",
    "denoise": "noise",
    "decode": "image",
}


@dataclass(frozen=True)
class Shapes:
    """F frames enter together and N rows go through the UNet at once; every input is float32."""

    frames: int
    """F."""
    rows: int
    """N: the rows of the batch, and those with the negative prompt in front of them."""
    width: int
    """Width of the picture in pixels."""
    height: int
    """Height of the picture in pixels."""
    latent: tuple[int, int, int]
    """Channels, height and width of a latent: (4, h, w)."""
    text: tuple[int, int]
    """Length and width of all that is written: ((1 + R) L, D), the prompt and R regions."""
    controlnets: int = 0
    """C, of all kinds that steer by condition images."""
    features: int = 0
    """E, channels of a condition embedding."""
    pooled: int = 0
    """P, width of SDXL's pooled text; 0 for models without it."""
    guidance: int = 0
    """W, width of the guidance embedding of distilled models; 0 for models without it."""
    loras: tuple[str, ...] = ()
    """Names of the A LoRAs whose scales are inputs, in the order of those inputs' rows."""
    adapters: int = 0
    """How many of the C are T2I-Adapters, which have maps and no features."""
    maps: int = 0
    """M, numbers of all their maps of a frame."""
    images: tuple[int, ...] = ()
    """Tokens of each of the I image prompts, in their order."""
    regions: int = 0
    """R, how many regions have places among the texts; more than are wanted, so that one more builds nothing."""
    encodes: bool = True
    """Whether frames are encoded; only img2img does it."""
    folded: int = 0
    """M, width of a folded row; 0 where an engine does not fold."""

    @property
    def units(self) -> tuple[str, ...]:
        """The units that this stream calls."""
        unused = {"encode": not self.encodes, "fold": not self.folded}
        unused |= {"embed": self.controlnets <= self.adapters, "adapt": not self.adapters}
        return tuple(name for name in RESULTS if not unused.get(name))

    def inputs(self, unit: str) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the inputs of one of ``units``, in their order."""
        picture = (3, self.height, self.width)
        if unit == "encode":
            return {"image": (self.frames, *picture)}
        if unit in ("embed", "adapt"):
            return {"conditions": (self.controlnets, self.frames, *picture)}
        if unit == "decode":
            return {"latent": (self.frames, *self.latent)}
        count, embedded = self.rows, (self.features, *self.latent[1:])
        denoises = unit == "denoise"
        nets = self.controlnets if denoises else 0
        featured = nets - self.adapters if denoises else 0
        plain = not (denoises and self.folded)  # else the folded rows have it all
        wanted = {
            "sample": (denoises, (count, *self.latent)),
            "folded": (not plain, (count, self.folded)),
            "timestep": (plain, (count,)),
            "text": (plain, (count, *self.text)),
            "features": (featured, (featured, count, *embedded)),
            "scales": (nets, (nets, count)),
            "pooled": (plain and self.pooled, (count, self.pooled)),
            "time_ids": (plain and self.pooled, (count, 6)),
            "guidance": (plain and self.guidance, (count, self.guidance)),
            "lora": (self.loras, (len(self.loras), count)),
            "maps": (denoises and self.adapters, (count, self.maps)),
            "tokens": (denoises and self.images, (count, sum(self.images), self.text[1])),
            "image_scales": (denoises and self.images, (len(self.images), count)),
            "regions": (denoises and self.regions, (count, self.regions, *self.latent[1:])),
        }
        return {name: shape for name, (used, shape) in wanted.items() if used}

    def example(self, unit: str) -> tuple[Tensor, ...]:
        """Plausible inputs of a unit, always the same ones."""
        import torch

        generator = torch.Generator().manual_seed(0)
        values = {}
        for name, shape in self.inputs(unit).items():
            values[name] = torch.randn(shape, generator=generator)
            if name == "timestep":
                values[name] = torch.linspace(999.0, 99.0, self.rows)
            elif name == "time_ids":
                size = [self.height, self.width]
                values[name] = torch.tensor([[*size, 0, 0, *size]], dtype=torch.float32).repeat(self.rows, 1)
            elif name in ("scales", "conditions", "lora", "image_scales"):
                values[name] = torch.rand(shape, generator=generator)
            elif name == "regions":
                values[name] = torch.rand(shape, generator=generator) / self.regions
        return tuple(values.values())
