"""Guidance: how the predictions with the prompt and against it become one noise estimate.

Classifier-free guidance is ``eps = u + w (c - u)``. Residual guidance (RCFG, StreamDiffusion, arXiv 2312.12491, section
3.2) takes a *virtual residual noise* in place of u: for ``self`` it starts as the frame's own initial noise, for
``initialize`` as one real prediction with the negative prompt at the frame's first step. ``delta`` moderates it. After
each step it is carried to the next noise level by ``carry``.

A guidance object says how many negative rows the network must see in front of the B rows of the batch (``extra_rows``),
and combines what came back.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from ..base.config import CfgType
from .recipe import Row


class Guidance(Protocol):
    """One way of guiding; ``residual`` says whether virtual residual noise is carried along."""

    residual: bool

    def extra_rows(self, rows: int, frames: int) -> int:
        """How many of the first rows are also predicted with the negative prompt."""
        ...

    def __call__(self, u: Tensor, c: Tensor, stock: Tensor, w: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
        """Combine predictions.

        ``u`` (extra rows, 4, h, w) with the negative prompt, ``c`` (B, 4, h, w) with the prompt, ``stock`` (B, 4, h, w)
        virtual residual noise, ``w`` and ``delta`` (B, 1, 1, 1). Returns eps and stock, both (B, 4, h, w).
        """
        ...


class NoGuidance:
    residual = False

    def extra_rows(self, rows: int, frames: int) -> int:
        return 0

    def __call__(self, u: Tensor, c: Tensor, stock: Tensor, w: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
        return c, stock


class FullGuidance:
    residual = False

    def extra_rows(self, rows: int, frames: int) -> int:
        return rows

    def __call__(self, u: Tensor, c: Tensor, stock: Tensor, w: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
        return u + w * (c - u), stock  # (B, 4, h, w)


class SelfGuidance:
    residual = True

    def extra_rows(self, rows: int, frames: int) -> int:
        return 0

    def __call__(self, u: Tensor, c: Tensor, stock: Tensor, w: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
        u = delta * stock
        return u + w * (c - u), stock  # (B, 4, h, w)


class InitializeGuidance:
    residual = True

    def extra_rows(self, rows: int, frames: int) -> int:
        return frames

    def __call__(self, u: Tensor, c: Tensor, stock: Tensor, w: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
        stock = torch.cat([u, stock[len(u) :]])  # (B, 4, h, w)
        u = delta * stock
        return u + w * (c - u), stock  # (B, 4, h, w)


def make_guidance(cfg_type: CfgType, guidance_scale: float) -> Guidance:
    """The guidance of a configuration; a scale of 1 or less is no guidance, as in StreamDiffusion."""
    if guidance_scale <= 1.0:
        return NoGuidance()
    kinds = {"none": NoGuidance, "full": FullGuidance, "self": SelfGuidance, "initialize": InitializeGuidance}
    return kinds[cfg_type]()


def clean(x: Tensor, eps: Tensor, row: Row) -> Tensor:
    """The estimate of the clean latent from noisy rows ``x`` and their noise estimate; all (B, 4, h, w).

    ``(x - b eps) / a`` solves x = a x0 + b eps for x0; ``c_out`` and ``c_skip`` are the boundary condition of
    consistency models (arXiv 2310.04378, section 3).
    """
    return row.c_out * (x - row.b * eps) / row.a + row.c_skip * x


def carry(eps: Tensor, stock: Tensor, row: Row) -> Tensor:
    """Virtual residual noise at the next noise level (StreamDiffusion, section 3.2): that level's noise, plus what the
    step leaves of the residual when it is put through the same estimate. All tensors (B, 4, h, w)."""
    return row.noise_next + row.a_next * clean(row.b * stock, eps, row) / row.b_next
