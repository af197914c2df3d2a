"""The edge loss: how far the lines of a generated picture are from those of the true one.

A perceptual distance between edge maps, and K |rectangles of the target - rectangles of the picture|, which asks a
facade for as many windows as it has. K is small, about 0.1, because brick and stone are full of rectangles.

Everything is differentiable: edges are Sobel magnitudes, squashed; a rectangle is counted by its four corners, which
answer to a pair of kernels that turn a horizontal edge into a vertical one.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .losses import LUMA

LEVELS = 4
SURE = 0.4  # how much longer an arm must be than the one opposite: a curve has a little of both


def sobel(picture: Tensor) -> tuple[Tensor, Tensor]:
    """(horizontal, vertical) derivatives of the lightness, (B, 1, H, W), of pictures (B, 3, H, W) in [-1, 1]."""
    grey = (picture.float() * torch.tensor(LUMA, device=picture.device).view(1, 3, 1, 1)).sum(1, keepdim=True)
    kernel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]], device=picture.device).view(1, 1, 3, 3) / 8
    padded = F.pad(grey, (1, 1, 1, 1), mode="replicate")
    return F.conv2d(padded, kernel), F.conv2d(padded, kernel.mT)


def edge_map(picture: Tensor, softness: float = 0.05) -> Tensor:
    """(B, 1, H, W) in [0, 1): the magnitude of the derivative, half of the way up at ``softness``."""
    across, down = sobel(picture)
    square = across.square() + down.square()
    return square / (square + softness**2)


class Perceptual(nn.Module):
    """A perceptual distance of edge maps in a fixed bank of filters: Gabor pairs at two widths and four directions.

    Responses are taken at several scales, normalised over filters at each place and compared by their mean square, as
    LPIPS (Zhang et al. 2018, arXiv:1801.03924) does with a trained network's. Nothing is trained or downloaded.
    """

    bank: Tensor

    def __init__(self, levels: int = LEVELS) -> None:
        super().__init__()
        self.levels = levels
        self.register_buffer("bank", torch.stack(_gabors()).unsqueeze(1), persistent=False)  # (16, 1, 7, 7)

    def forward(self, got: Tensor, expected: Tensor) -> Tensor:
        """Mean distance of two batches of maps (B, 1, H, W) in [0, 1]."""
        total = got.new_zeros(())
        for level in range(self.levels):
            if min(got.shape[-2:]) < self.bank.shape[-1]:
                return total / max(1, level)
            total = total + (self._features(got) - self._features(expected)).square().sum(1).mean()
            got, expected = F.avg_pool2d(got, 2), F.avg_pool2d(expected, 2)
        return total / self.levels

    def _features(self, maps: Tensor) -> Tensor:
        found = F.conv2d(maps, self.bank, padding=self.bank.shape[-1] // 2)  # (B, 16, H, W)
        return found * torch.rsqrt(found.square().sum(1, keepdim=True) + 1e-2)


def _gabors() -> list[Tensor]:
    place = torch.arange(-3, 4).float()
    y, x = torch.meshgrid(place, place, indexing="ij")
    made = []
    for width in (4.0, 7.0):
        for turn in range(4):
            angle = torch.tensor(turn * torch.pi / 4)
            along = x * torch.cos(angle) + y * torch.sin(angle)
            envelope = torch.exp(-(x * x + y * y) / (2 * (width / 2.5) ** 2))
            for wave in (torch.cos, torch.sin):
                kernel = envelope * wave(2 * torch.pi * along / width)
                kernel = kernel - kernel.mean()
                made.append(kernel / kernel.abs().sum())
    return made


def rectangles(picture: Tensor) -> Tensor:
    """(B,): about how many upright rectangles a picture has: a quarter of its right-angled corners, each kind alike.

    A corner is where an edge runs to one side and another up or down, and neither goes on to the other side. The least
    frequent of the four kinds of corner counts, since a rectangle has one of each.
    """
    across, down = sobel(picture)
    upright = across.square() / (across.square() + down.square() + 0.05**2)  # edges that run up and down
    level = down.square() / (across.square() + down.square() + 0.05**2)  # edges that run to the sides
    arm = 6
    right, left = _arms(level, arm, dim=-1)
    below, above = _arms(upright, arm, dim=-2)
    kinds = []
    for to, other in ((right, left), (left, right)):
        for along, back in ((below, above), (above, below)):
            corner = (to - other - SURE).clamp(min=0) * (along - back - SURE).clamp(min=0)  # (B, 1, H, W)
            corner = corner / (1 - SURE) ** 2
            peak = corner * torch.sigmoid(40 * (corner - F.max_pool2d(corner, 5, 1, 2) + 0.02))
            kinds.append(peak.sum((1, 2, 3)))
    return torch.stack(kinds).amin(0)


def _arms(edges: Tensor, length: int, dim: int) -> tuple[Tensor, Tensor]:
    """How much of ``length`` pixels is edge, after and before each place along a dimension."""
    size = edges.shape[dim]
    sides = (length, length, 0, 0) if dim == -1 else (0, 0, length, length)
    padded = F.pad(edges, sides)
    shifted = lambda by: padded.narrow(dim, length + by, size)
    after, before = edges * 0, edges * 0
    for step in range(1, length + 1):
        after, before = after + shifted(step), before + shifted(-step)
    return after / length, before / length


class EdgeLoss(nn.Module):
    """Perceptual distance of edge maps + K |rectangles(target) - rectangles(picture)| / (rectangles(target) + 1)."""

    def __init__(self, rectangle_weight: float = 0.1) -> None:
        super().__init__()
        self.perceptual, self.rectangle_weight = Perceptual(), rectangle_weight

    def forward(self, got: Tensor, expected: Tensor) -> Tensor:
        """The loss of pictures (B, 3, H, W) in [-1, 1], in float32 throughout."""
        with torch.autocast(got.device.type, enabled=False):
            loss = self.perceptual(edge_map(got), edge_map(expected))
            if self.rectangle_weight:
                count = rectangles(expected)
                apart = (count - rectangles(got)).abs() / (count.detach() + 1)
                loss = loss + self.rectangle_weight * apart.mean()
        return loss
