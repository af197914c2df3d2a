"""A weights file is data, never code: what is checked before anything of it is opened by a library.

Only safetensors is read. Its header is checked here first, because a header is written by whoever made the file:
https://huggingface.co/docs/safetensors (8 bytes little-endian length, JSON, then the tensors without gaps).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..stream.base.errors import ModelError, UnsafeWeightsError
from ..stream.base.files import regular_file
from ..stream.base.names import quoted, short
from ..stream.base.plain import reason
from .declared import refuse_code

if TYPE_CHECKING:
    from torch import Tensor

PICKLES = frozenset({".ckpt", ".pt", ".pth", ".bin", ".pkl", ".pickle", ".joblib", ".npy", ".npz"})
ITEM_BYTES = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2"), 1),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 2),
    **dict.fromkeys(("I32", "U32", "F32"), 4),
    **dict.fromkeys(("I64", "U64", "F64"), 8),
}
MAX_HEADER_BYTES = 32 * 2**20
MAX_TENSORS = 100_000
MAX_CONFIG_BYTES = 2 * 2**20
CONVERT = (
    "expected .safetensors, which cannot carry code. Look for the same weights as .safetensors, or convert a file "
    "that you trust: https://huggingface.co/docs/safetensors/convert-weights"
)
# The configurations that diffusers and transformers open by themselves. Lists of words, which can be long, are not.
_CONFIGS = re.compile(r"(model_index|special_tokens_map|.*config.*|.*\.index(\.\w+)?)\.json")


@dataclass(frozen=True)
class Header:
    """What a safetensors file says it holds: name -> (dtype, shape), and its free text."""

    tensors: dict[str, tuple[str, tuple[int, ...]]]
    metadata: dict[str, str]


def refuse_pickle(path: str | Path) -> None:
    """Raise UnsafeWeightsError when the name is that of a format that can carry code."""
    suffix = Path(str(path)).suffix.lower()
    if suffix in PICKLES:
        raise UnsafeWeightsError(f"{path}: got a {suffix} file, which can run code when it is opened; {CONVERT}")


def refuse_stand_in(path: str | Path) -> None:
    """Raise ModelError for a file that only stands for the wanted one: a Git LFS pointer, or a web page."""
    path = Path(path)
    with path.open("rb") as file:
        start = file.read(512)
    if start.startswith(b"version https://git-lfs.github.com/spec/"):
        size = re.search(rb"^size (\d{1,18})$", start, re.MULTILINE)
        what = f"the pointer to {int(size[1]):,} bytes" if size else "a pointer"
        raise ModelError(
            f"{path}: got {what} that Git LFS left there, expected the file itself; "
            f'run "git lfs pull" in its repository, or download the file'
        )
    if start.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise ModelError(f"{path}: got a web page, expected the file itself; download it again, signed in if need be")


def check_safetensors(path: str | Path, max_bytes: int = 64 * 2**30) -> Header:
    """Check a safetensors file without loading it, and return its header.

    Raises UnsafeWeightsError for another format (also one that was only renamed), and ModelError when the file is
    missing, larger than ``max_bytes``, truncated, or its header is absurd: too long, not JSON, tensors of unknown type,
    that overlap, leave gaps, or end outside the file.
    """
    path = Path(path)
    refuse_pickle(path)
    try:
        regular_file(path)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file") from None
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from None
    refuse_stand_in(path)
    if path.suffix.lower() != ".safetensors":
        raise UnsafeWeightsError(f"{path}: got a file of type {path.suffix or 'none'!r}; {CONVERT}")
    size = path.stat().st_size
    if size > max_bytes:
        raise ModelError(f"{path}: got {size:,} bytes, expected at most {max_bytes:,}")
    with path.open("rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length < 2 or length > min(MAX_HEADER_BYTES, size - 8):
            if start[:4] == b"PK\x03\x04" or start[:1] == b"\x80":  # torch.save, or a bare pickle
                raise UnsafeWeightsError(f"{path}: this is a pickle that was renamed; {CONVERT}")
            raise ModelError(
                f"{path}: not a safetensors file, or truncated: its header claims {length:,} bytes, expected at most "
                f"{max(0, min(MAX_HEADER_BYTES, size - 8)):,} in a file of {size:,}; download it again"
            )
        text = file.read(length)
    return _read_header(path, text, size - 8 - length)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a small file that ``check_safetensors`` has passed, in float32 on the CPU.

    Raises ModelError for one that holds other than finite floating-point numbers (an ``alpha`` may be whole).
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read: {reason(error)}") from error
    for name, value in tensors.items():
        if not value.is_floating_point() and not name.endswith(".alpha"):
            raise ModelError(f"{path}: {quoted(name)} is of type {value.dtype}, expected floating-point numbers")
        value = value if value.dtype == torch.float64 else value.float()  # the 8-bit types can do nothing themselves
        if not torch.isfinite(value).all():
            raise ModelError(f"{path}: {quoted(name)} holds NaN or infinity, expected numbers; get the file anew")
        tensors[name] = value.float()
    return tensors


def _read_header(path: Path, text: bytes, data_bytes: int) -> Header:
    entries = _parse(path, text)
    metadata = entries.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ModelError(f"{path}: damaged header: __metadata__ is not a table of texts")
    if len(entries) > MAX_TENSORS:
        raise ModelError(f"{path}: got {len(entries):,} tensors, expected at most {MAX_TENSORS:,}")
    tensors, spans = {}, []
    for name, entry in entries.items():
        dtype, shape, begin, end = _entry(path, name, entry)
        wanted = math.prod(shape) * ITEM_BYTES[dtype]
        if not 0 <= begin <= end <= data_bytes or end - begin != wanted:
            raise ModelError(
                f"{path}: damaged or truncated: {quoted(name)} lies at bytes {begin:,} to {end:,} of {data_bytes:,}, "
                f"expected {wanted:,} bytes for {dtype} {list(shape)}; download it again"
            )
        tensors[name] = (dtype, shape)
        spans.append((begin, end, name))
    reached = 0
    for begin, end, name in sorted(spans):
        if begin != reached:
            fault = "overlaps the tensor before it" if begin < reached else "leaves a gap before it"
            raise ModelError(f"{path}: damaged header: {quoted(name)} {fault}; download it again")
        reached = end
    if reached != data_bytes:
        raise ModelError(f"{path}: got {data_bytes:,} bytes of tensors, its header accounts for {reached:,}")
    return Header(tensors, metadata)


def _entry(path: Path, name: str, entry: Any) -> tuple[str, tuple[int, ...], int, int]:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ModelError(f"{path}: damaged header: {quoted(name)} has no dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        kinds = ", ".join(ITEM_BYTES)
        raise ModelError(f"{path}: {quoted(name)}: got dtype {quoted(str(dtype))}, expected one of: {kinds}")
    sides = shape if isinstance(shape, list) and len(shape) <= 8 else [None]
    if not all(type(side) is int and 0 <= side < 2**40 for side in sides):
        raise ModelError(f"{path}: damaged header: {quoted(name)} has the shape {short(shape)}")
    if not (isinstance(offsets, list) and len(offsets) == 2 and all(_offset(each) for each in offsets)):
        raise ModelError(f"{path}: damaged header: {quoted(name)} has the offsets {short(offsets)}")
    return dtype, tuple(shape), *offsets


def _offset(value: Any) -> bool:
    return type(value) is int and -(2**63) <= value < 2**63


def _parse(path: Path, text: bytes) -> dict[str, Any]:
    """Parse a JSON object strictly: UTF-8, no key twice, no NaN; raises ModelError."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) != len(pairs):
            raise ValueError("a key occurs twice")
        return table

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not a number")

    try:
        table = json.loads(text.decode("utf-8"), object_pairs_hook=unique, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        at = f"it stops being JSON at character {error.pos}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise ModelError(f"{path}: damaged: its JSON cannot be read: {at[:200]}") from error
    if not isinstance(table, dict):
        raise ModelError(f"{path}: damaged: got a {type(table).__name__}, expected a JSON table")
    return table


def read_config(path: str | Path) -> dict[str, Any]:
    """Read a model's JSON configuration; raises ModelError, and UnsafeWeightsError when it names code to be run."""
    config = read_table(path)
    refuse_code(config, Path(path))
    return config


def read_table(path: str | Path) -> dict[str, Any]:
    """Read a JSON table of which no library is given anything; raises ModelError."""
    path = Path(path)
    try:
        regular_file(path)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file; the model's folder is incomplete, fetch it again") from None
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from error
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise ModelError(f"{path}: got {path.stat().st_size:,} bytes, expected at most {MAX_CONFIG_BYTES:,}")
    refuse_stand_in(path)
    return _parse(path, path.read_bytes())


def check_folder(folder: str | Path) -> None:
    """Refuse a model folder, with all below it, that holds Python code, asks for code, or would pull in other weights.

    Raises UnsafeWeightsError, and ModelError for a configuration that is damaged.
    """
    folder = Path(folder)
    for path in (*folder.glob("*"), *folder.glob("*/*")):
        if path.suffix.lower() in (".py", ".pyc", ".so", ".dll", ".pyd", ".dylib"):
            raise UnsafeWeightsError(f"{path}: a model folder must not hold code; remove it, or use a plain model")
        if path.name == "adapter_config.json":
            raise UnsafeWeightsError(f"{path}: it would load more weights in silence; name a LoRA in lora_dict")
        if _CONFIGS.fullmatch(path.name) and not path.is_dir():
            read_config(path)


def refuse_quantised(tensors: Mapping[str, tuple[str, tuple[int, ...]]], name: str | Path) -> None:
    """Raise ModelError for weights that are whole numbers, or that a scale beside them belongs to."""
    for tensor, (dtype, _) in tensors.items():
        scaled = tensor.endswith((".scale_weight", ".weight_scale", ".absmax")) or tensor == "scaled_fp8"
        if scaled or (not dtype.startswith(("F", "BF")) and not tensor.endswith("position_ids")):
            raise ModelError(
                f"{name}: got quantised weights ({tensor[-80:]}, {dtype}), expected F32, F16 or BF16; use the model as "
                f"it was before that, with dtype: int8 or float8 where they are wanted"
            )


@dataclass(frozen=True)
class Weights:
    """The weights files of one part of a model, and the variant that they belong to (None or fp16)."""

    variant: str | None
    tensors: dict[str, tuple[str, tuple[int, ...]]]
    """Name -> (dtype, shape), of all files."""


def find_weights(folder: str | Path, prefer_fp16: bool = False) -> Weights:
    """Find and check the safetensors of one part (``unet/``, ``text_encoder/``, ...) of a model.

    Raises UnsafeWeightsError when there are only files that can carry code, ModelError when there is none, or when
    the index of a file in several pieces points outside the folder.
    """
    folder = Path(folder)
    found: dict[str | None, list[Path]] = {}
    named: list[Path] = []
    for path in sorted(folder.glob("*.safetensors")):
        match = re.fullmatch(
            r"(?:diffusion_pytorch_)?model(?:\.(fp16))?(?:-\d{5}-of-\d{5})?(?:\.(fp16))?\.safetensors", path.name
        )
        if match:
            found.setdefault(match[1] or match[2], []).append(path)
    for index in folder.glob("*.safetensors.index*.json"):
        pieces = read_config(index).get("weight_map")
        if not isinstance(pieces, dict) or not all(_plain_name(piece) for piece in pieces.values()):
            raise UnsafeWeightsError(f"{index}: it points outside its folder, or at files that are not safetensors")
        named += [folder / piece for piece in pieces.values()]
    if not found:
        pickles = sorted(path.name for path in folder.glob("*") if path.suffix.lower() in PICKLES)
        if pickles:
            raise UnsafeWeightsError(f"{folder}: got only {', '.join(pickles[:3])}, which can carry code; {CONVERT}")
        raise ModelError(f"{folder}: no weights there, expected a .safetensors file; fetch the model again")
    order: tuple[str | None, ...] = ("fp16", None) if prefer_fp16 else (None, "fp16")
    variant = next(name for name in order if name in found)
    tensors: dict[str, tuple[str, tuple[int, ...]]] = {}
    for path in dict.fromkeys((*found[variant], *filter(Path.exists, named))):
        tensors |= check_safetensors(path).tensors
    return Weights(variant, tensors)


def _plain_name(name: Any) -> bool:
    return isinstance(name, str) and re.fullmatch(r"[\w.-]+\.safetensors", name) is not None and ".." not in name
