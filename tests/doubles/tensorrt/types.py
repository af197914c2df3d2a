"""The small types of the fake TensorRT: enumerations, shapes, weights, memory, and the two interfaces to subclass."""

from __future__ import annotations

import ctypes
import enum
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from .plan import NUMPY, TYPES


class Members(enum.Enum):
    """An enumeration as pybind11 makes it: members are no integers, but ``int(member)`` gives one."""

    def __int__(self) -> int:
        return int(self.value)


def members(name: str, **values: int) -> Any:
    """Make an enumeration."""
    make: Any = Members
    return make(name, values)


DataType = members(
    "DataType", FLOAT=0, HALF=1, INT8=2, INT32=3, BOOL=4, UINT8=5, FP8=6, BF16=7, INT64=8, INT4=9, FP4=10
)
TensorIOMode = members("TensorIOMode", NONE=0, INPUT=1, OUTPUT=2)
TilingOptimizationLevel = members("TilingOptimizationLevel", NONE=0, FAST=1, MODERATE=2, FULL=3)
Severity = members("Severity", INTERNAL_ERROR=0, ERROR=1, WARNING=2, INFO=3, VERBOSE=4)
BuilderFlag = members("BuilderFlag", REFIT=4, TF32=6)
CREATION_FLAGS = {
    10: members("NetworkDefinitionCreationFlag", EXPLICIT_BATCH=0, STRONGLY_TYPED=1),
    11: members("NetworkDefinitionCreationFlag", STRONGLY_TYPED=0),
}
NULL = "pybind11::init(): factory function returned nullptr"


def typed(value: Any, kind: Any, where: str) -> Any:
    """The value, if it is of this type; the bindings raise TypeError otherwise."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise TypeError(f"{where}(): incompatible function arguments: got {type(value).__name__}")
    return value


class Strict:
    """Refuses to set what is not documented, as the bindings do."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and not isinstance(getattr(type(self), name, None), property):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        super().__setattr__(name, value)


class Dims(Strict):
    """A shape; compares equal to a tuple, but is none."""

    def __init__(self, shape: Any = ()) -> None:
        self._sizes = tuple(typed(size, int, "Dims") for size in shape)

    def __len__(self) -> int:
        return len(self._sizes)

    def __getitem__(self, index: Any) -> Any:
        return self._sizes[index]

    def __iter__(self) -> Iterator[int]:
        return iter(self._sizes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Iterable) and self._sizes == tuple(other)


class IHostMemory(bytes):
    """Memory of the library, readable as a buffer."""


class Weights(Strict):
    """A view of somebody's memory: nothing is copied."""

    def __init__(self, *arguments: Any) -> None:
        if len(arguments) == 3:
            self._dtype, pointer, count = arguments
            typed(self._dtype, DataType, "Weights")
            kind = np.dtype(NUMPY[self._dtype.name])
            size = max(0, typed(count, int, "Weights")) * kind.itemsize
            memory: Any = (ctypes.c_char * size).from_address(typed(pointer, int, "Weights")) if size else b""
            self._array: np.ndarray = np.frombuffer(memory, kind)
        else:
            (self._array,) = arguments
            names = {np.dtype(kind): name for name, kind in TYPES.values()}
            self._dtype = DataType[names[typed(self._array, np.ndarray, "Weights").dtype]]

    @property
    def dtype(self) -> Any:
        """Data type."""
        return self._dtype

    @property
    def size(self) -> int:
        """Number of weights."""
        return int(self._array.size)

    @property
    def nbytes(self) -> int:
        """Bytes of all weights."""
        return int(self._array.nbytes)

    def numpy(self) -> np.ndarray:
        """The weights as an array."""
        return self._array


class ILogger:
    """To be subclassed, with a ``log`` of its own."""

    Severity = Severity
    INTERNAL_ERROR, ERROR, WARNING = Severity.INTERNAL_ERROR, Severity.ERROR, Severity.WARNING
    INFO, VERBOSE = Severity.INFO, Severity.VERBOSE

    def __init__(self) -> None:
        self._made = True

    def log(self, severity: Any, msg: str) -> None:
        """Take a message."""
        raise NotImplementedError("ILogger.log must be overridden")


class IProgressMonitor:
    """To be subclassed."""

    def __init__(self) -> None:
        self._made = True

    def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
        """A phase begins."""
        raise NotImplementedError("IProgressMonitor.phase_start must be overridden")

    def step_complete(self, phase_name: str, step: int) -> bool:
        """A step is done; False stops the build."""
        raise NotImplementedError("IProgressMonitor.step_complete must be overridden")

    def phase_finish(self, phase_name: str) -> None:
        """A phase ends."""
        raise NotImplementedError("IProgressMonitor.phase_finish must be overridden")


def subclassed(value: Any, kind: Any, where: str) -> Any:
    """An object of a subclass whose own ``__init__`` called the base's, which the bindings insist on."""
    typed(value, kind, where)
    if not getattr(value, "_made", False):
        raise TypeError(f"{kind.__name__}.__init__() must be called when overriding __init__")
    return value
