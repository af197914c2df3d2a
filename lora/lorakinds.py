"""What a LoRA, LoHa, LoKr, DoRA or a full difference adds to one layer, brought to one form.

- LoRA (Hu et al., 2021, arXiv:2106.09685): ``B @ A``; LoCon, with a core between the two ("mid").
- LoHa (Hyeon-Woo et al., 2021, arXiv:2108.06098): ``(W1a @ W1b) * (W2a @ W2b)``, entry by entry.
- LoKr (Yeh et al., 2023, arXiv:2309.14859): the Kronecker product of ``W1`` and ``W2``, each whole or ``Wa @ Wb``.
- DoRA (Liu et al., 2024, arXiv:2402.09353): ``m * (W + D) / |W + D|``, where ``D`` is any of the above.

All of them are multiplied by ``alpha / rank`` here, so that what is left to be changed live is one scale for all kinds:
``W + scale * difference``. For a DoRA that is what A1111 and ComfyUI do too: at 1 it is the formula, at 0 it is off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..stream.base.errors import LoraError

MAX_RANK = 4096
LARGEST = torch.finfo(torch.float16).max  # no weight of a network that works comes near it, in any precision
Parts = Mapping[str, Tensor]
RatioOf = Callable[[int | None], float]


@dataclass(frozen=True, eq=False)
class Change:
    """What is added to one layer at scale 1: ``up @ down`` to its weight, and ``bias`` (out,) to its bias.

    ``down`` (r, in, ...) and ``up`` (out, r, 1...), in float32. Where ``up`` is None, ``down`` is the whole difference,
    (out, in, ...), in the network's precision. That is taken where it holds fewer numbers than the two.
    """

    down: Tensor
    up: Tensor | None = None
    bias: Tensor | None = None

    def difference(self) -> Tensor:
        """(out, in, ...), float32."""
        if self.up is None:
            return self.down.float()
        return (self.up.float().flatten(1) @ self.down.float().flatten(1)).view(len(self.up), *self.down.shape[1:])


def read_change(parts: Parts, weight: Tensor, ratio_of: RatioOf) -> Change:
    """Make one layer's change of its parts, which are named as ``lorakeys.split`` says.

    ``weight`` (out, in, ...) is the layer's own; ``ratio_of(rank)`` gives ``alpha / rank`` where no part says it. The
    rank is None where the parts have none. Raises LoraError for parts that are no whole, or do not fit the weight.
    """
    kind = _kind(parts)
    scale = parts.get("magnitude", parts.get("dora_scale"))
    try:
        _need(all(value.ndim for part, value in parts.items() if part != "alpha"))
        change = _KINDS[kind](parts, weight, ratio_of)
        if scale is not None:
            whole = _dora(change.difference(), weight.float(), scale, "magnitude" in parts)
            change = Change(whole, None, change.bias)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, IndexError, ValueError) as error:  # what tensors say that do not go together
        shapes = ", ".join(f"{part} {list(value.shape)}" for part, value in parts.items() if part != "alpha")
        raise LoraError(f"got {kind} {shapes[:200]} for a weight of {list(weight.shape)}") from error
    if change.up is None:
        change = Change(change.down.to(weight.dtype), None, change.bias)
    _check_size(change, weight.dtype)
    return change


def _kind(parts: Parts) -> str:
    kinds = {
        kind
        for kind, marks in {"LoRA": ("down", "up"), "LoHa": "hada", "LoKr": "lokr", "difference": "diff"}.items()
        if any(part in marks if isinstance(marks, tuple) else part[:4] == marks and part != "diff_b" for part in parts)
    }
    if len(kinds) != 1:
        got = " and ".join(sorted(kinds)) or ", ".join(sorted(parts))
        raise LoraError(f"got {got}, expected one whole change: LoRA, LoHa, LoKr or a difference")
    return kinds.pop()


# --- the kinds; each raises RuntimeError, IndexError or ValueError where shapes do not go together


def _lora(parts: Parts, weight: Tensor, ratio_of: RatioOf) -> Change:
    if missing := {"down", "up"} - parts.keys():
        raise LoraError(f"got {', '.join(sorted(parts))} without {missing.pop()}, expected pairs")
    down, up = parts["down"], parts["up"]
    rank = len(down)
    if not 1 <= rank <= MAX_RANK:
        raise LoraError(f"got rank {rank}, expected 1 to {MAX_RANK}")
    ratio = _ratio(parts, rank, ratio_of)
    if "mid" in parts:
        mid, down = parts["mid"], down.reshape(rank, weight.shape[1])
        _need(mid.ndim > 1 and mid.shape[1] == rank and len(mid) <= MAX_RANK)
        down = torch.einsum("ij...,jn->in...", mid, down)  # (R, in, ...)
    tail = _trimmed(down.shape[1:])
    _need(tail == _trimmed(weight.shape[1:]) or tail == [weight[0].numel()])
    _need(_trimmed(up.shape[1:]) in ([len(down)], [] if len(down) == 1 else None))
    return _pair(up.flatten(1), down.flatten(1), ratio, parts, weight)


def _loha(parts: Parts, weight: Tensor, ratio_of: RatioOf) -> Change:
    if missing := {f"hada_w{number}_{half}" for number in "12" for half in "ab"} - parts.keys():
        raise LoraError(f"got a LoHa without {', '.join(sorted(missing))}, expected all of it")
    ratio = _ratio(parts, len(parts["hada_w1_b"]), ratio_of)
    pairs = []
    for number in "12":
        left, right = parts[f"hada_w{number}_a"], parts[f"hada_w{number}_b"]
        if f"hada_t{number}" in parts:
            left, right = torch.eye(len(weight)), _tucker(parts[f"hada_t{number}"], left, right, weight.numel())
        right = right.flatten(1)
        _need(left.shape == (len(weight), len(right)) and right.shape[1] == weight[0].numel())
        pairs.append((left, right))
    (a, b), (c, d) = pairs
    if not _smaller(len(b) * len(d), weight):
        return _whole((a @ b) * (c @ d) * ratio, parts, weight)
    # A product, entry by entry, of two sums of outer products is the sum of all products of their terms.
    up = torch.einsum("or,os->ors", a, c).flatten(1)
    return _pair(up, torch.einsum("ri,si->rsi", b, d).flatten(0, 1), ratio, parts, weight)


def _lokr(parts: Parts, weight: Tensor, ratio_of: RatioOf) -> Change:
    a, b = _half(parts, "lokr_w1", weight)
    c, d = _half(parts, "lokr_w2", weight)
    one, two = (left if right is None else left @ right.flatten(1) for left, right in ((a, b), (c, d)))
    _need(one.ndim == 2 and one.numel() * two.numel() == weight.numel() and len(one) * len(two) == len(weight))
    rank = next((len(right) for right in (b, parts.get("lokr_w2_b")) if right is not None), None)
    # Where both halves are whole, trainers write an alpha that says nothing.
    ratio = 1.0 if rank is None and "alpha" in parts else _ratio(parts, rank, ratio_of)
    if b is None and d is not None and _smaller(one.shape[1] * len(d), weight):
        return _pair(torch.kron(one, c), torch.kron(torch.eye(one.shape[1]), d.flatten(1)), ratio, parts, weight)
    if two.ndim > 2:
        one = one.reshape(*one.shape, *[1] * (two.ndim - 2))
    return _whole(torch.kron(one, two.contiguous()) * ratio, parts, weight)


def _half(parts: Parts, name: str, weight: Tensor) -> tuple[Tensor, Tensor | None]:
    """A half of a LoKr: whole, or in two pieces."""
    if name in parts:
        return parts[name], None
    if missing := {f"{name}_a", f"{name}_b"} - parts.keys():
        raise LoraError(f"got a LoKr without {name} and without {', '.join(sorted(missing))}, expected all of it")
    left, right = parts[f"{name}_a"], parts[f"{name}_b"]
    core = parts.get("lokr_t2") if name == "lokr_w2" else None
    return (left, right) if core is None else (_tucker(core, left, right, weight.numel()), None)


def _difference(parts: Parts, weight: Tensor, ratio_of: RatioOf) -> Change:
    _need(_trimmed(parts["diff"].shape) == _trimmed(weight.shape))
    return _whole(parts["diff"], parts, weight)


_KINDS = {"LoRA": _lora, "LoHa": _loha, "LoKr": _lokr, "difference": _difference}


def _dora(difference: Tensor, weight: Tensor, scale: Tensor, of_outputs: bool) -> Tensor:
    """The difference that a DoRA makes to a weight. Its norms are of outputs, or, in older LyCORIS files, of inputs."""
    dim = 0 if of_outputs or scale.ndim == 1 or len(scale) == len(weight) > 1 else 1
    changed = weight + difference
    norm = changed.square().sum([other for other in range(weight.ndim) if other != dim], keepdim=True).sqrt()
    return changed * (scale.reshape(norm.shape) / norm.clamp(min=torch.finfo(norm.dtype).eps)) - weight


# --- what they share


def _ratio(parts: Parts, rank: int | None, ratio_of: RatioOf) -> float:
    if "alpha" not in parts:
        return ratio_of(rank)
    if parts["alpha"].numel() != 1:
        raise LoraError(f"got an alpha of the shape {list(parts['alpha'].shape)}, expected one number")
    return parts["alpha"].item() / max(1, rank or 1)


def _tucker(core: Tensor, left: Tensor, right: Tensor, most: int) -> Tensor:
    """``core`` (i, j, kh, kw), ``left`` (i, out), ``right`` (j, in) -> (out, in, kh, kw), ``most`` numbers at most."""
    _need(core.ndim > 2 and core.shape[:2] == (len(left), len(right)))
    _need(left.shape[1] * right.shape[1] * math.prod(core.shape[2:]) <= most)
    return torch.einsum("ij...,ip,jr->pr...", core, left, right)


def _pair(up: Tensor, down: Tensor, ratio: float, parts: Parts, weight: Tensor) -> Change:
    """``up`` (out, r), ``down`` (r, in times kernel)."""
    half = math.sqrt(abs(ratio))  # to each: a small ratio on one alone would sink it below float16's smallest numbers
    down, up = down * half, up * math.copysign(half, ratio)
    shape = (len(weight), len(down), *[1] * (weight.ndim - 2))
    bias = _bias(parts, weight, ratio)
    return Change(down.reshape(len(down), *weight.shape[1:]), up.reshape(shape), bias)


def _whole(difference: Tensor, parts: Parts, weight: Tensor) -> Change:
    return Change(difference.reshape(weight.shape), None, _bias(parts, weight, 1.0))


def _bias(parts: Parts, weight: Tensor, ratio: float) -> Tensor | None:
    """(out,): a LoRA's bias is multiplied as its weights are, one that was trained apart from them is not."""
    if "up_bias" in parts:
        return parts["up_bias"].reshape(len(weight)) * ratio
    return parts["diff_b"].reshape(len(weight)) if "diff_b" in parts else None


def _need(fits: bool) -> None:
    if not fits:
        raise ValueError


def _trimmed(shape: Iterable[int]) -> list[int]:
    """A shape without the ones at its end: a convolution of one pixel is a linear layer."""
    sides = list(shape)
    while sides and sides[-1] == 1:
        sides.pop()
    return sides


def _smaller(rank: int, weight: Tensor) -> bool:
    """Whether two factors of this rank hold fewer numbers than the whole difference."""
    return rank * (len(weight) + weight[0].numel()) < weight.numel()


def _check_size(change: Change, dtype: torch.dtype) -> None:
    """Raise LoraError where an entry of the difference may be so large that no picture would be left."""
    if change.up is None:
        largest = change.down.abs().max()
    else:  # Cauchy and Schwarz: no entry is larger than this
        rows, columns = change.up.flatten(1).norm(dim=1), change.down.flatten(1).norm(dim=0)
        largest = torch.stack([rows.max() * columns.max(), rows.max(), columns.max()]).max()
    if change.bias is not None:
        largest = torch.maximum(largest.float(), change.bias.abs().max())
    limit = min(LARGEST, torch.finfo(dtype).max)
    if not largest.item() <= limit:
        raise LoraError(f"got changes of up to {largest.item():.2g}, alpha included, expected at most {limit:,.0f}")
