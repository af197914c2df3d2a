"""Running an engine plan on fixed device addresses, and replacing its weights. Unverified on real hardware.

A call does not wait for the GPU, copy to or from the host, or allocate; so it can be captured in a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...stream.base.errors import EngineError
from ...stream.base.frame import Size
from .library import library
from .memory import Memory

# Relative error, ||engine - reference|| / ||reference||, above which an engine is wrong rather than rounded.
TOLERANCE = {"fp32": 0.01, "fp16": 0.1, "bf16": 0.2}


class PlanUnfit(EngineError):
    """A plan that this library, GPU or driver does not take: it has to be built again."""


class LoadedPlan:
    """One plan on one GPU. Calls take the inputs by position, in the order of ``shapes``, and give the one output."""

    def __init__(
        self,
        plan: bytes,
        memory: Memory,
        shapes: Mapping[str, tuple[int, ...]],
        name: str,
        size: Size,
        precision: str,
    ) -> None:
        """``plan`` must come out of ``EngineCache`` or ``build_plan``: it is executable code.

        ``name`` of the unit, ``size`` of the picture and ``precision`` are for messages.
        Raises PlanUnfit when the GPU, the driver or the library does not take the plan, EngineError when memory does
        not suffice or the plan is for other shapes.
        """
        self._lib = lib = library()
        self._memory = memory
        self._size = size
        self._built_for = built_for = f"{name} engine built for {size} {precision}"
        self._runtime = lib.made("starting the runtime", lib.trt.Runtime, lib.logger)
        try:
            self._engine = lib.made(f"loading the {built_for}", self._runtime.deserialize_cuda_engine, plan)
        except EngineError as error:
            if "out of memory" in str(error).lower():  # another build would not help
                raise
            raise PlanUnfit(str(error)) from error
        self._context = lib.made(f"giving memory to the {built_for}", self._engine.create_execution_context)
        # Made once, so that their addresses stay: a call copies to these inputs, and the library writes this output.
        self._inputs = self._bind_inputs(shapes)
        self._output = self._bind_output()

    def serialized(self) -> bytes:
        """The plan, with the weights that the engine has now."""
        return bytes(memoryview(self._lib.made(f"writing the {self._built_for}", self._engine.serialize)))

    def __call__(self, *values: Tensor) -> Tensor:
        """Run. The result is overwritten by the next call.

        Raises EngineError for a tensor of another shape or on another device, and when the library reports a failure.
        """
        for (name, buffer), value in zip(self._inputs.items(), values, strict=True):
            if value.shape != buffer.shape or value.device != buffer.device:
                raise EngineError(self._mismatch(name, buffer, value))
            buffer.copy_(value)
        if not self._memory.run(self._context.execute_async_v3):
            raise EngineError(f"the {self._built_for} failed: {self._lib.logger.last() or 'it gave no reason'}")
        return self._output

    def refit(self, values: Mapping[str, np.ndarray], others: Callable[[str], np.ndarray]) -> None:
        """Replace weights by name, while no call is running; ``others`` gives the current value of any weight.

        Weights that were merged with replaced ones at build time have to be given with them, and those are taken from
        ``others``. What a refit did must be checked on numbers afterwards: the library has had versions in which it
        reported success and computed something else.
        Raises EngineError when a weight does not fit (then nothing has changed) or the library fails (then the engine
        must not be used any more).
        """
        trt, kept = self._lib.trt, []
        refitter = self._lib.made(f"refitting the {self._built_for}", trt.Refitter, self._engine, self._lib.logger)

        def give(name: str, array: np.ndarray) -> None:
            array = np.ascontiguousarray(array)
            wanted = refitter.get_weights_prototype(name)
            kept.append(array)  # the library reads this memory until the refit is done
            if wanted.size == array.size and wanted.nbytes == array.nbytes:
                weights = trt.Weights(wanted.dtype, array.ctypes.data, array.size)
                if refitter.set_named_weights(name, weights):
                    return
            raise EngineError(
                f"the {self._built_for} cannot be refitted: got {array.size} values of {array.dtype} for {name!r}, "
                f"expected {wanted.size} of {wanted.dtype.name}; build it again with: inkstream build"
            )

        for name, array in values.items():
            give(name, array)
        missing = refitter.get_missing_weights()
        while missing:  # giving one can make another one missing
            for name in missing:
                try:
                    give(name, others(name))
                except KeyError as error:
                    raise EngineError(f"the {self._built_for} cannot be refitted: nothing gives {name!r}") from error
            missing = sorted(set(refitter.get_missing_weights()) - set(missing))
        self._memory.idle()
        self._lib.logger.forget()
        if not refitter.refit_cuda_engine():
            reason = self._lib.logger.last() or "it gave no reason"
            raise EngineError(f"refitting the {self._built_for} failed: {reason}")

    def _bind_inputs(self, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
        names = self._names(self._lib.trt.TensorIOMode.INPUT)
        if set(names) != shapes.keys():
            raise EngineError(f"the {self._built_for} takes {sorted(names)}, got shapes for {sorted(shapes)}")
        for name, shape in shapes.items():
            built = tuple(self._engine.get_tensor_shape(name))
            if built != shape:
                raise EngineError(
                    f"the {self._built_for} takes {name} as {built}, asked {shape}: "
                    f'run "inkstream build" for this size and these settings'
                )
        return {name: self._bind(name) for name in shapes}

    def _bind_output(self) -> Tensor:
        names = self._names(self._lib.trt.TensorIOMode.OUTPUT)
        if len(names) != 1:
            raise EngineError(f"the {self._built_for} gives {names}, expected one output")
        return self._bind(names[0])

    def _bind(self, name: str) -> Tensor:
        """Make the buffer of a tensor and tell the library its address, once and for all."""
        kind = self._engine.get_tensor_dtype(name).name
        if kind != "FLOAT":  # units take and give float32, whatever their networks compute in
            raise EngineError(f"the {self._built_for} has {name} in {kind}, expected FLOAT")
        shape = tuple(self._engine.get_tensor_shape(name))
        with torch.inference_mode(False):  # a buffer made inside could not be written to outside
            buffer = torch.zeros(shape, device=self._memory.device)
        if not self._context.set_tensor_address(name, buffer.data_ptr()):
            raise EngineError(f"the {self._built_for} does not take an address for {name}: {self._lib.logger.last()}")
        return buffer

    def _names(self, mode: Any) -> list[str]:
        names = [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]
        return [name for name in names if self._engine.get_tensor_mode(name) == mode]

    def _mismatch(self, name: str, buffer: Tensor, value: Tensor) -> str:
        if value.shape == buffer.shape:
            return f"{name}: got a tensor on {value.device}, expected {buffer.device}: nothing is copied from the host"
        if value.dim() == buffer.dim() > 3:  # height and width are last, the picture's own or a fraction of them
            asked = Size(
                *(side * value.shape[-1 - axis] // buffer.shape[-1 - axis] for axis, side in enumerate(self._size))
            )
            if asked != self._size:
                return f'{self._built_for}, asked {asked}: run "inkstream build --size {asked}"'
        own, other = ("x".join(map(str, shape)) for shape in (buffer.shape, value.shape))
        return f'{self._built_for} takes {name} {own}, asked {other}: run "inkstream build" with these settings'


def check_numbers(
    engine: LoadedPlan, reference: Callable[..., Tensor], values: tuple[Tensor, ...], limit: float
) -> float:
    """Hold an engine to the network it was made from; gives the relative error.

    Raises EngineError when it is above ``limit``.
    """
    with torch.inference_mode():
        expected = reference(*values).float()
        got = engine(*values).float()
    error = float((got - expected).norm() / expected.norm().clamp_min(1e-12))
    if not error <= limit:  # also when it is NaN
        raise EngineError(
            f"got a relative error of {error:.3g} against the network itself, expected at most {limit:.3g}"
        )
    return error
