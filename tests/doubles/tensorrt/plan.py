"""What a fake TensorRT plan is: an ONNX graph with a header, executed by ONNX Runtime on the CPU.

It reads and writes tensors through the addresses it was given, as the real one does, so a wrong address, shape or type
shows.
"""

from __future__ import annotations

import ctypes
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

MAGIC = b"FAKETRT0"
# ONNX element type -> (name of the TensorRT data type, numpy type): those that ONNX Runtime runs on a CPU
TYPES: dict[int, tuple[str, Any]] = {
    TensorProto.FLOAT: ("FLOAT", np.float32),
    TensorProto.FLOAT16: ("HALF", np.float16),
    TensorProto.INT8: ("INT8", np.int8),
    TensorProto.INT32: ("INT32", np.int32),
    TensorProto.INT64: ("INT64", np.int64),
    TensorProto.BOOL: ("BOOL", np.bool_),
}
NUMPY = dict(TYPES.values())


@dataclass
class World:
    """What one fake library knows, and the record of what it was asked to do."""

    version: str
    device: str
    faults: set[str] = field(default_factory=set)
    """Faults to act out: build, deserialize, memory, context, execute, refit, refit-lies, forget-refit."""
    calls: list[str] = field(default_factory=list)
    """Names of what was called, in order: build, deserialize, bind (an address was given), execute, idle, refit."""
    builds: list[dict[str, Any]] = field(default_factory=list)
    """The header of every plan that was built."""


@dataclass(frozen=True)
class Port:
    """One input or output: name, data type, shape with -1 for what is not fixed."""

    name: str
    dtype: str
    shape: tuple[int, ...]


def ports(values: Any) -> list[Port]:
    """The inputs or outputs of an ONNX graph."""
    found = []
    for value in values:
        tensor = value.type.tensor_type
        shape = tuple(size.dim_value if size.HasField("dim_value") else -1 for size in tensor.shape.dim)
        found.append(Port(value.name, TYPES[tensor.elem_type][0], shape))
    return found


def initializers(model: onnx.ModelProto) -> dict[str, TensorProto]:
    """The weights of a model by their names."""
    return {tensor.name: tensor for tensor in model.graph.initializer}


def pack(model: onnx.ModelProto, header: Mapping[str, Any]) -> bytes:
    """A plan."""
    text = json.dumps(header).encode()
    return MAGIC + len(text).to_bytes(4, "little") + text + model.SerializeToString()


def unpack(plan: bytes) -> tuple[dict[str, Any], onnx.ModelProto]:
    """The header and the graph of a plan; raises ValueError for anything else."""
    if plan[:8] != MAGIC:
        raise ValueError("magic tag does not match")
    end = 12 + int.from_bytes(plan[8:12], "little")
    return json.loads(plan[12:end]), onnx.load_from_string(plan[end:])


def combined(model: onnx.ModelProto) -> list[set[str]]:
    """Weights that an optimiser merges, so that they can only be refitted together: a convolution and its bias."""
    known = initializers(model).keys()
    groups = (set(node.input[1:]) & known for node in model.graph.node if node.op_type == "Conv")
    return [group for group in groups if len(group) > 1]


class Executable:
    """A graph that runs on memory addresses."""

    def __init__(self, model: onnx.ModelProto) -> None:
        import onnxruntime

        self.model = model
        self.inputs = ports(model.graph.input)
        self.outputs = ports(model.graph.output)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def run(self, addresses: Mapping[str, int]) -> None:
        """Read every input at its address, and write every output to its own."""
        feeds = {port.name: _array(addresses[port.name], port.shape, port.dtype) for port in self.inputs}
        names = [port.name for port in self.outputs]
        for port, value in zip(self.outputs, self._session.run(names, feeds), strict=True):
            _array(addresses[port.name], value.shape, port.dtype)[...] = value


def _array(address: int, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """A view of memory."""
    kind = np.dtype(NUMPY[dtype])
    size = int(np.prod(shape)) * kind.itemsize
    memory: Any = (ctypes.c_char * size).from_address(address)
    return np.frombuffer(memory, kind).reshape(shape)


def replace_weights(model: onnx.ModelProto, values: Mapping[str, np.ndarray]) -> None:
    """Write weights into a model."""
    for name, tensor in initializers(model).items():
        if name in values:
            shape = tuple(tensor.dims)
            tensor.CopyFrom(numpy_helper.from_array(np.array(values[name]).reshape(shape), name))
