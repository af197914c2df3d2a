"""Crops of latents: where they are cut, and which part of what is decoded of them counts.

At a crop's sides the latents around it are missing, so that nothing could be done there against a loss, and an
adversary would look at nothing else. At the picture's own border nothing is missing, and a decoder that never saw that
would paint a frame around every picture.
"""

from __future__ import annotations

import torch

BORDER = 2  # latents at a crop's sides that do not count
BEYOND = 2  # places beyond the picture's border that are drawn as well, and mean the border: it would come too seldom


def place(size: int, side: int, random: torch.Generator) -> int:
    """Where a crop of ``size`` begins on a side of ``side`` latents."""
    last = side - size
    drawn = int(torch.randint(-BEYOND, last + BEYOND + 1, (), generator=random))
    return min(max(drawn, 0), last)


def border(size: int) -> int:
    """Latents of a crop of ``size`` that do not count, at each of its sides within the picture."""
    return BORDER if size > 4 * BORDER else 0


def span(at: int, size: int, side: int) -> tuple[int, int]:
    """From where to where a crop counts that begins at ``at``, in its own latents."""
    return (0 if at == 0 else border(size)), (size if at + size == side else size - border(size))


def counted(
    corner: tuple[int, int], size: int, sides: tuple[int, int], reduction: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Rows and columns of pixels that count: in the decoded crop, and in the picture.

    ``corner`` and ``sides`` (height, width) are in latents of ``reduction`` pixels.
    """
    inside, outside = [], []
    for at, side in zip(corner, sides, strict=True):
        first, last = (each * reduction for each in span(at, size, side))
        inside.append(slice(first, last))
        outside.append(slice(at * reduction + first, at * reduction + last))
    return (inside[0], inside[1]), (outside[0], outside[1])
