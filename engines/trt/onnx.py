"""What the TensorRT engine must know of an ONNX file: its inputs, its weights one by one, and that it is harmless."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...stream.base.errors import EngineError
from ..onnxfile import open_onnx


@dataclass(frozen=True)
class Weight:
    """One initializer: its name, ONNX data type, shape, and a digest of its content."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    digest: str

    def same_place(self, other: Weight) -> bool:
        """Whether the other could replace it."""
        return (self.dtype, self.shape) == (other.dtype, other.shape)


@dataclass(frozen=True)
class OnnxFile:
    """An ONNX file that was checked; weights are read when they are asked for."""

    path: Path
    model: Any = field(repr=False)

    @classmethod
    def open(cls, path: str | Path) -> OnnxFile:
        """Raises EngineError for a file that is damaged, or whose weights lie outside of its own folder."""
        return cls(Path(path), open_onnx(path))

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the inputs, -1 where a size is not fixed."""
        return {
            value.name: tuple(
                size.dim_value if size.HasField("dim_value") else -1 for size in value.type.tensor_type.shape.dim
            )
            for value in self.model.graph.input
        }

    @cached_property
    def weights(self) -> list[Weight]:
        """Every initializer, in the graph's own order."""
        from onnx import TensorProto

        return [
            Weight(
                tensor.name,
                TensorProto.DataType.Name(tensor.data_type),
                tuple(tensor.dims),
                hashlib.sha256(self._array(tensor).tobytes()).hexdigest()[:32],
            )
            for tensor in self.model.graph.initializer
        ]

    def array(self, index: int) -> np.ndarray:
        """The content of the weight at this place; contiguous."""
        return self._array(self.model.graph.initializer[index])

    def _array(self, tensor: Any) -> np.ndarray:
        from onnx import numpy_helper

        try:
            return np.ascontiguousarray(numpy_helper.to_array(tensor, base_dir=str(self.path.parent)))
        except (OSError, ValueError) as error:
            raise EngineError(f"{self.path}: the weight {tensor.name!r} cannot be read: {error}") from error


def touched(before: Sequence[Weight], after: Sequence[Weight]) -> list[int] | None:
    """Places whose content differs between two exports of the same network; None when they do not correspond."""
    if len(before) != len(after) or not all(a.same_place(b) for a, b in zip(before, after, strict=True)):
        return None
    return [index for index, (a, b) in enumerate(zip(before, after, strict=True)) if a.digest != b.digest]
