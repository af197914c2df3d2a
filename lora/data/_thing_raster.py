"""Which triangle every pixel sees: small triangles, many at a time, without a loop over them."""

from __future__ import annotations

import torch
from torch import Tensor

AT_ONCE = 1 << 21  # tests of a pixel against a triangle


def seen_triangles(corners: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """What M triangles cover of a picture of ``size`` x ``size`` pixels.

    ``corners`` (M, 3, 3) float32 are each corner's pixel, to the right and down, and its distance. Triangles that turn
    their back, clockwise ones with y down, are left out. Gives pixels (N,) int64, counted row by row, the triangle
    (N,) int64 that is nearest there, and the shares (N, 3) that its corners have.
    """
    device = corners.device
    low, high = corners[..., :2].amin(1), corners[..., :2].amax(1)  # (M, 2)
    a, b, c = corners[:, 0, :2], corners[:, 1, :2], corners[:, 2, :2]
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    there = (area < -1e-6) & (high > 0).all(1) & (low < size).all(1) & (corners[..., 2] > 0.02).all(1)
    first = (low.clamp(-1, size) - 0.5).ceil().long()
    reach = ((high.clamp(-1, size + 1) - 0.5).floor().long() - first + 1).amax(1)
    nearest = torch.full((size * size,), torch.inf, device=device)
    found: list[tuple[Tensor, ...]] = []
    begin, step = 0, 1
    while begin < size:
        which = (there & (reach > begin) & (reach <= begin + step)).nonzero()[:, 0]
        begin, step = begin + step, max(1, (begin + step) // 2)
        offsets = torch.arange(begin, device=device)
        for some in which.split(max(1, AT_ONCE // (begin * begin))):
            x = first[some, :1] + offsets  # (m, k)
            y = first[some, 1:] + offsets
            found.append(_covered(corners[some], some, x, y, area[some], size, nearest))
    if not found:
        empty = torch.zeros(0, dtype=torch.int64, device=device)
        return empty, empty, torch.zeros(0, 3, device=device)
    pixel, depth, triangle, shares = (torch.cat(each) for each in zip(*found, strict=True))
    best = depth <= nearest[pixel]
    pixel, triangle, shares = pixel[best], triangle[best], shares[best]
    chosen = torch.full((size * size,), len(corners), dtype=torch.int64, device=device)
    chosen.scatter_reduce_(0, pixel, triangle, "amin")
    once = chosen[pixel] == triangle
    return pixel[once], triangle[once], shares[once]


def _covered(
    corners: Tensor, number: Tensor, x: Tensor, y: Tensor, area: Tensor, size: int, nearest: Tensor
) -> tuple[Tensor, ...]:
    """Pixels (n,), depths, triangles and shares of all that is inside; ``nearest`` is brought up to date."""
    px, py = x[:, None, :] + 0.5, y[:, :, None] + 0.5  # (m, 1, k) and (m, k, 1)
    shares = []
    for k in range(3):
        p, q = corners[:, (k + 1) % 3], corners[:, (k + 2) % 3]
        edge_x, edge_y = (q[:, n] - p[:, n] for n in (0, 1))
        shares.append(
            (edge_x[:, None, None] * (py - p[:, 1, None, None]) - edge_y[:, None, None] * (px - p[:, 0, None, None]))
            / area[:, None, None]
        )
    inside = (torch.minimum(torch.minimum(shares[0], shares[1]), shares[2]) >= -1e-4) & (px > 0) & (py > 0)
    row, down, right = (inside & (px < size) & (py < size)).nonzero(as_tuple=True)
    of = torch.stack([share[row, down, right] for share in shares], 1)  # (n, 3)
    pixel = y[row, down] * size + x[row, right]
    depth = (of * corners[row, :, 2]).sum(1)
    nearest.scatter_reduce_(0, pixel, depth, "amin")
    return pixel, depth, number[row], of
