"""A stand-in for the ``tensorrt`` module, for tests on machines without TensorRT or without a GPU.

``fake("11.4.0.106")`` gives a module with the part of the documented Python interface of that version that inkstream
uses. Anything else raises AttributeError, a wrong type raises TypeError, as the bindings of pybind11 do; what was
removed in TensorRT 11 (``EXPLICIT_BATCH``) is not there in 11. Names, signatures and values of the enumerations are
held to the published bindings by a test. "Engines" run on the CPU with ONNX Runtime.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import onnx
import torch
from google.protobuf.message import DecodeError

from inkstream.engines.trt.memory import Hardware

from .config import IBuilderConfig, ITimingCache
from .plan import Port, World, initializers, pack, ports
from .runtime import ICudaEngine, IExecutionContext, Refitter, Runtime
from .types import (
    CREATION_FLAGS,
    BuilderFlag,
    DataType,
    Dims,
    IHostMemory,
    ILogger,
    IProgressMonitor,
    Strict,
    TensorIOMode,
    TilingOptimizationLevel,
    Weights,
    subclassed,
    typed,
)


def fake(version: str = "11.4.0.106", device: str = "sm_90") -> Any:
    """A module that looks like ``tensorrt`` of this version; ``module.world`` shows what it was asked to do."""
    world = World(version, device)
    module: Any = ModuleType("tensorrt")
    module.__spec__ = ModuleSpec("tensorrt", None)
    module.__version__ = version
    module.world = world
    shared = (
        *(BuilderFlag, DataType, Dims, IHostMemory, ILogger, IProgressMonitor, TensorIOMode, TilingOptimizationLevel),
        *(Weights, ICudaEngine, IExecutionContext, Refitter, IBuilderConfig, INetworkDefinition, ITimingCache),
        *(OnnxParser, ParserError, CREATION_FLAGS[int(version.split(".")[0])]),
    )
    own = [type(kind.__name__, (kind,), {"_world": world}) for kind in (Builder, Runtime)]
    for kind in (*shared, *own):
        setattr(module, kind.__name__, kind)
    return module


class HostMemory:
    """What stands in for a GPU's memory and streams: tensors on the CPU, and calls that are over when they return."""

    def __init__(self, module: Any) -> None:
        self.device = torch.device("cpu")
        self._world: World = module.world
        self.hardware = Hardware(self._world.device, "Fake", "cuda 13")

    def run(self, launch: Callable[[int], bool]) -> bool:
        """Call it."""
        return launch(0)

    def idle(self) -> None:
        """Note that the caller waited."""
        self._world.calls.append("idle")

    def current(self) -> AbstractContextManager[None]:
        """There is no other."""
        return nullcontext()


class Builder(Strict):
    """Makes networks and plans."""

    _world: World

    def __init__(self, logger: ILogger) -> None:
        self._logger = subclassed(logger, ILogger, "Builder")

    def create_network(self, flags: int = 0) -> INetworkDefinition:
        """An empty network."""
        return INetworkDefinition(self._world, typed(flags, int, "create_network"))

    def create_builder_config(self) -> IBuilderConfig:
        """A configuration with the library's defaults."""
        return IBuilderConfig(self._world)

    def build_serialized_network(self, network: INetworkDefinition, config: IBuilderConfig) -> IHostMemory | None:
        """A plan, or None and a message to the logger."""
        typed(network, INetworkDefinition, "build_serialized_network")
        typed(config, IBuilderConfig, "build_serialized_network")
        self._world.calls.append("build")
        fault = self._fault(network)
        if fault:
            self._logger.log(ILogger.ERROR, fault)
            return None
        if not self._pass_phases(config):
            self._logger.log(ILogger.ERROR, "the build was cancelled")
            return None
        model = network._model
        header = {
            "version": self._world.version,
            "device": self._world.device,
            "flags": sorted(flag.name for flag in config._flags),
            "strongly_typed": network._strongly_typed,
            "level": config._level,
            "tiling": config._tiling.name,
            "refittable": sorted(initializers(model)) if BuilderFlag.REFIT in config._flags else [],
            "timings_known": len(config._cache._entries) if config._cache else None,
        }
        self._world.builds.append(header)
        if config._cache:
            config._cache._entries |= {node.op_type for node in model.graph.node}
        return IHostMemory(pack(model, header))

    def _fault(self, network: INetworkDefinition) -> str:
        if "build" in self._world.faults:
            return "Could not find any implementation for node {ForeignNode[...]}"
        if not network._outputs:
            return "network has no outputs"
        dynamic = [port.name for port in network._inputs if -1 in port.shape]
        return f"dynamic inputs without a profile: {dynamic}" if dynamic else ""

    @staticmethod
    def _pass_phases(config: IBuilderConfig) -> bool:
        """Report two phases, one inside the other, until the monitor says stop."""
        monitor = config.progress_monitor
        if monitor is None:
            return True
        phases = [("Building Engine from subgraph", None, 2), ("Tactic selection", "Building Engine from subgraph", 4)]
        going = True
        for name, parent, steps in phases:
            monitor.phase_start(name, parent, steps)
        for name, _, steps in reversed(phases):
            for step in range(steps):
                going = going and typed(monitor.step_complete(name, step), bool, "step_complete")
            monitor.phase_finish(name)
        return going


class INetworkDefinition(Strict):
    """A network."""

    def __init__(self, world: World, flags: int) -> None:
        major = int(world.version.split(".")[0])
        self._strongly_typed = major >= 11 or bool(flags & 1 << int(CREATION_FLAGS[major].STRONGLY_TYPED))
        self._model = onnx.ModelProto()
        self._inputs: list[Port] = []
        self._outputs: list[Port] = []


class OnnxParser(Strict):
    """Fills a network from an ONNX file."""

    def __init__(self, network: INetworkDefinition, logger: ILogger) -> None:
        self._network = typed(network, INetworkDefinition, "OnnxParser")
        subclassed(logger, ILogger, "OnnxParser")
        self._errors: list[ParserError] = []

    def parse_from_file(self, model: str) -> bool:
        """False, and errors to be asked for, when the file cannot be read."""
        try:
            parsed = onnx.load(typed(model, str, "parse_from_file"))
            onnx.checker.check_model(parsed)
        except (OSError, DecodeError, onnx.checker.ValidationError) as error:
            self._errors.append(ParserError(str(error) or f"{Path(model).name} cannot be parsed"))
            return False
        network = self._network
        network._model, network._inputs = parsed, ports(parsed.graph.input)
        network._outputs = ports(parsed.graph.output)
        return True

    @property
    def num_errors(self) -> int:
        """How many errors there were."""
        return len(self._errors)

    def get_error(self, index: int) -> ParserError:
        """One of them."""
        return self._errors[typed(index, int, "get_error")]


class ParserError(Strict):
    """What is wrong with an ONNX file."""

    def __init__(self, text: str) -> None:
        self._text = text

    def desc(self) -> str:
        """The description."""
        return self._text

    def node_name(self) -> str:
        """The node that it is about."""
        return "node_1"

    def node_operator(self) -> str:
        """The operator of that node."""
        return "Conv"
