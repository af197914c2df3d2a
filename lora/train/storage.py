"""Trees of tensors and plain values on disk, without a format that can carry code, and folders that appear whole.

A tree of dicts, lists, tensors, numbers, texts and None becomes ``state.safetensors`` and ``state.json``.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...stream.base.errors import ConfigError, ModelError
from ...stream.base.folders import tidy
from ...stream.base.locks import Busy, locked
from ...stream.base.plain import reason
from ...stream.base.progress import Progress, silent

TENSORS, PLAIN, SUM = "state.safetensors", "state.json", "state.sum"
LOCK, LOCK_SECONDS = ".lock", 15.0
_TENSOR, _ITEMS = "__tensor__", "__items__"


def write_tree(folder: Path, tree: Any) -> None:
    """Write a tree and a checksum of it into a folder. Raises OSError when that is impossible, a full disk included."""
    tensors: dict[str, Tensor] = {}
    plain = _split(tree, tensors, "")
    try:
        save_file(tensors, folder / TENSORS)
    except SafetensorError as error:  # its own for everything, a full disk too
        raise OSError(errno.EIO, reason(error), str(folder / TENSORS)) from error
    (folder / PLAIN).write_text(json.dumps(plain, allow_nan=True), "utf-8")
    (folder / SUM).write_text(_sum(folder), "utf-8")


def read_tree(folder: Path) -> Any:
    """Read a tree back, on the CPU. Raises ModelError when it is not complete or not what was written."""
    try:
        if (folder / SUM).read_text("utf-8") != _sum(folder):
            raise ModelError(f"{folder}: damaged: its checksum does not fit")
        return _join(json.loads((folder / PLAIN).read_text("utf-8")), load_file(folder / TENSORS))
    except ModelError:
        raise
    except Exception as error:  # whatever a damaged file makes JSON and safetensors raise
        raise ModelError(f"{folder}: damaged: {reason(error)}") from error


def _sum(folder: Path) -> str:
    """BLAKE2 of both files."""
    made = hashlib.blake2b(digest_size=16)
    for name in (TENSORS, PLAIN):
        with (folder / name).open("rb") as file:
            while part := file.read(1 << 24):
                made.update(part)
    return made.hexdigest()


def _split(tree: Any, tensors: dict[str, Tensor], path: str) -> Any:
    """The tree with every tensor put into ``tensors`` under its path; dicts are lists of pairs, their keys any type."""
    if isinstance(tree, Tensor):
        name = path or "tensor"
        tensors[name] = tree.detach().cpu().contiguous().clone()  # safetensors refuses shared memory
        return {_TENSOR: name}
    if isinstance(tree, dict):
        return {_ITEMS: [[key, _split(value, tensors, f"{path}/{key}")] for key, value in tree.items()]}
    if isinstance(tree, list | tuple):
        return [_split(value, tensors, f"{path}/{index}") for index, value in enumerate(tree)]
    return tree


def _join(plain: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(plain, dict):
        if _TENSOR in plain:
            return tensors[plain[_TENSOR]]
        return {key: _join(value, tensors) for key, value in plain[_ITEMS]}
    if isinstance(plain, list):
        return [_join(value, tensors) for value in plain]
    return plain


def load_optimiser(optimiser: Any, state: dict[str, Any]) -> None:
    """Set an optimiser to a state. Tensors are laid out as their parameters: fused optimisers walk over memory."""
    optimiser.load_state_dict(state)
    for parameter, kept in optimiser.state.items():
        for name, value in kept.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                kept[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


@contextmanager
def alone(output: Path, writes: Sequence[str] = (), progress: Progress = silent) -> Iterator[None]:
    """Make a folder, and let no two trainings write into it.

    ``writes``: names that it is going to put there. Where they are there before any training was, they are somebody's,
    and stay. What trainings that were killed left unfinished is tidied up. Raises ConfigError.
    """
    lock = output / LOCK
    there = [name for name in writes if os.path.lexists(output / name)]
    if there and not os.path.lexists(lock):
        raise ConfigError(f"output_dir: got {output}, which holds {there[0]} of something else; choose another folder")
    with ExitStack() as held:
        try:
            output.mkdir(parents=True, exist_ok=True)
            # Workers of one that was killed hold it for some seconds more.
            held.enter_context(locked(lock, LOCK_SECONDS, progress))
        except Busy as busy:
            raise ConfigError(
                f"output_dir: another training writes into {output}: {busy}; choose another folder"
            ) from None
        except OSError as error:
            raise ConfigError(
                f"output_dir: {output} cannot be written to: {error.strerror or error}; choose another folder"
            ) from error
        tidy(output)
        yield
