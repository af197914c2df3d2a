"""Normal noise of one seed, or of a blend of seeds."""

from __future__ import annotations

import torch
from torch import Tensor

from ..base.blends import shares
from ..base.config import StreamConfig
from .prompt import slerp


class SeedNoise:
    """Draws noise, on the CPU, so that a seed gives the same on every device.

    Each draw of a blend is made of one draw of each seed, sample by sample: its direction is that of the weighted mean
    (``linear``) or lies on the arc between them (``slerp``), its length between theirs. So its variance stays 1. With
    ``normalize_seed_weights`` off it is the weighted sum (``linear``), whose variance is the sum of the squared
    weights, or the arc's noise times the sum of the weights (``slerp``).
    """

    def __init__(self, config: StreamConfig) -> None:
        self.restart(config)

    def follows(self, config: StreamConfig) -> bool:
        """Whether it is this configuration's noise."""
        return self._made_for == _decides(config)

    def restart(self, config: StreamConfig) -> None:
        """Begin again at a configuration's seeds."""
        self._made_for = _decides(config)
        blend = config.seed if isinstance(config.seed, tuple) else ((config.seed, 1.0),)
        self._parts = [(torch.Generator().manual_seed(seed), share) for seed, share in shares(blend)]
        self._arc = config.seed_interpolation_method == "slerp"
        self._normalised = config.normalize_seed_weights
        self._total = sum(weight for _, weight in blend)

    def draw(self, *shape: int) -> Tensor:
        """(N, ...) float32; blends are made for each of the N samples."""
        drawn = [torch.randn(shape, generator=generator).flatten(1) for generator, _ in self._parts]  # (N, M) each
        noise, total = drawn[0], self._parts[0][1]
        for other, (_, share) in zip(drawn[1:], self._parts[1:], strict=True):
            total += share
            noise = slerp(noise, other, share / total) if self._arc else noise.lerp(other, share / total)
        if not self._normalised:
            noise = noise * self._total
        elif not self._arc and len(drawn) > 1:
            shared = torch.tensor([share for _, share in self._parts])[:, None, None]  # (S, 1, 1)
            length = (torch.stack(drawn).norm(dim=2, keepdim=True) * shared).sum(0)  # (N, 1)
            noise = noise * (length / noise.norm(dim=1, keepdim=True).clamp(min=1e-8))
        return noise.reshape(shape)


def _decides(config: StreamConfig) -> tuple[object, ...]:
    return config.seed, config.seed_interpolation_method, config.normalize_seed_weights
