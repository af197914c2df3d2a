"""The half of the fake TensorRT that runs plans: runtime, engine, execution context, refitter."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from .plan import Executable, Port, World, combined, initializers, pack, replace_weights, unpack
from .types import (
    NULL,
    DataType,
    Dims,
    IHostMemory,
    ILogger,
    Members,
    Strict,
    TensorIOMode,
    Weights,
    subclassed,
    typed,
)


class Runtime(Strict):
    """Deserialises plans."""

    _world: World

    def __init__(self, logger: ILogger) -> None:
        self._logger = subclassed(logger, ILogger, "Runtime")

    def deserialize_cuda_engine(self, serialized_engine: Any) -> ICudaEngine | None:
        """An engine, or None and a message to the logger."""
        plan = bytes(memoryview(serialized_engine))
        self._world.calls.append("deserialize")
        try:
            header, model = unpack(plan)
        except ValueError as error:
            return self._refuse(f"IRuntime::deserializeCudaEngine: {error}")
        if "memory" in self._world.faults:
            return self._refuse("[defaultAllocator] Cuda Runtime (out of memory)")
        if header["version"] != self._world.version:
            return self._refuse(f"version tag does not match: {header['version']}, current {self._world.version}")
        if header["device"] != self._world.device or "deserialize" in self._world.faults:
            return self._refuse("the engine plan file is generated on an incompatible device")
        return ICudaEngine(self._world, self._logger, header, model)

    def _refuse(self, text: str) -> None:
        self._logger.log(ILogger.ERROR, text)


class ICudaEngine(Strict):
    """A plan in memory."""

    def __init__(self, world: World, logger: ILogger, header: dict[str, Any], model: onnx.ModelProto) -> None:
        self._world, self._logger, self._header, self._model = world, logger, header, model
        self._executable = Executable(model)
        self._ports = [*self._executable.inputs, *self._executable.outputs]

    @property
    def num_io_tensors(self) -> int:
        """Inputs and outputs."""
        return len(self._ports)

    def get_tensor_name(self, index: int) -> str:
        """The name of a tensor."""
        return self._ports[typed(index, int, "get_tensor_name")].name

    def get_tensor_mode(self, name: str) -> Members:
        """Whether it goes in or out."""
        if name in [port.name for port in self._executable.inputs]:
            return TensorIOMode.INPUT
        return TensorIOMode.OUTPUT if name in [port.name for port in self._ports] else TensorIOMode.NONE

    def get_tensor_dtype(self, name: str) -> Members:
        """Its data type."""
        return DataType[self._port(name).dtype]

    def get_tensor_shape(self, name: str) -> Dims:
        """Its shape, -1 where it is not fixed."""
        return Dims(self._port(name).shape)

    def serialize(self) -> IHostMemory:
        """The engine as a plan, with the weights it has now; in 11 it cannot be refitted any more."""
        header = self._header | {"refittable": []}
        return IHostMemory(pack(self._model, header))

    def create_execution_context(self) -> IExecutionContext | None:
        """A context, or None when the GPU's memory does not suffice."""
        if "context" in self._world.faults:
            self._logger.log(ILogger.ERROR, "out of memory")
            return None
        return IExecutionContext(self)

    def _port(self, name: str) -> Port:
        return next(port for port in self._ports if port.name == name)


class IExecutionContext(Strict):
    """What runs an engine on given addresses."""

    def __init__(self, engine: ICudaEngine) -> None:
        self._engine = engine
        self._addresses: dict[str, int] = {}

    def set_tensor_address(self, name: str, memory: int) -> bool:
        """Say where a tensor lies."""
        typed(memory, int, "set_tensor_address")
        known = self._engine.get_tensor_mode(typed(name, str, "set_tensor_address")) is not TensorIOMode.NONE
        if known:
            self._engine._world.calls.append("bind")
            self._addresses[name] = memory
        return known

    def execute_async_v3(self, stream_handle: int) -> bool:
        """Run; False, and a message, when something was not set."""
        typed(stream_handle, int, "execute_async_v3")
        engine = self._engine
        engine._world.calls.append("execute")
        unset = [port.name for port in engine._ports if port.name not in self._addresses]
        if unset or "execute" in engine._world.faults:
            fault = f"addresses not set: {unset}" if unset else "an illegal memory access was encountered"
            engine._logger.log(ILogger.ERROR, fault)
            return False
        engine._executable.run(self._addresses)
        return True


class Refitter(Strict):
    """Replaces the weights of an engine."""

    def __init__(self, engine: ICudaEngine, logger: ILogger) -> None:
        subclassed(logger, ILogger, "Refitter")
        if not typed(engine, ICudaEngine, "Refitter")._header["refittable"]:
            logger.log(ILogger.ERROR, "the engine was not built with BuilderFlag REFIT")
            raise TypeError(NULL)
        self._engine = engine
        self._logger = logger
        self._given: dict[str, Weights] = {}

    def get_weights_prototype(self, weights_name: str) -> Weights:
        """Type and number of a weight's elements."""
        if weights_name not in self._engine._header["refittable"]:
            return Weights(DataType.FLOAT, 0, -1)
        return Weights(numpy_helper.to_array(initializers(self._engine._model)[weights_name]))

    def set_named_weights(self, name: str, weights: Weights) -> bool:
        """False when the engine has no such weight, or one of another type or size."""
        mine = self.get_weights_prototype(typed(name, str, "set_named_weights"))
        typed(weights, Weights, "set_named_weights")
        fits = name in self._engine._header["refittable"] and (mine.dtype, mine.size) == (weights.dtype, weights.size)
        if fits:
            self._given[name] = weights
        return fits

    def get_missing_weights(self) -> list[str]:
        """Weights that were combined with given ones, and are not given."""
        groups = combined(self._engine._model)
        return sorted({name for group in groups if group & self._given.keys() for name in group - self._given.keys()})

    def refit_cuda_engine(self) -> bool:
        """Replace what was given, at once; False leaves the engine in an unknown state."""
        engine, world = self._engine, self._engine._world
        world.calls.append("refit")
        if self.get_missing_weights() or "refit" in world.faults:
            self._logger.log(ILogger.ERROR, f"missing weights: {self.get_missing_weights()}")
            return False
        values = {name: np.array(weights.numpy()) for name, weights in self._given.items()}
        if "refit-lies" in world.faults:
            values = {name: value * 0 + 3 for name, value in values.items()}
        if "forget-refit" not in world.faults:
            replace_weights(engine._model, values)
            engine._executable = Executable(engine._model)
        return True
