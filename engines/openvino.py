"""OpenVINO: the fastest engine on a CPU; Intel's GPUs and NPUs by ``openvino:gpu`` and ``openvino:npu`` (unverified).

Each unit becomes one graph of fixed shapes, traced by OpenVINO's own front end. It runs in half precision where the
networks are and the device has instructions for it, else in float32; sinusoids of timesteps stay outside of it (see
``times``). Inputs are read where PyTorch has them and results written where it reads them: a call copies and allocates
nothing. Compiled graphs are kept in the engine cache, so that a second start takes a moment.
"""

from __future__ import annotations

import importlib.util
import io
import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..stream.base.errors import EngineError
from . import Options
from .cache import EngineCache, EngineKey, EnginePlan
from .fingerprint import graph_digest, weights_digest
from .openvino_library import core, first_line, runtime
from .quantize.calibrate import Quantiser, float32_units, quantised_key
from .shapes import Shapes
from .times import TimesOutside
from .units import Denoise, Positional, Units, make_units, positional_units

log = logging.getLogger(__name__)
_MADE_BY = ("units.py", "images.py", "controls.py", "times.py", "openvino.py")
# For networks in half precision, what to run them in, best first: OpenVINO's name, and that of the device's ability.
_HALF = {torch.bfloat16: (("bf16", "BF16"), ("f16", "FP16")), torch.float16: (("f16", "FP16"), ("bf16", "BF16"))}


def available(where: str = "") -> str:
    """Why it cannot run on ``where`` (cpu, gpu or npu; by default cpu); empty: it can."""
    if importlib.util.find_spec("openvino") is None:
        return 'OpenVINO is not installed: pip install "openvino>=2026.0"'
    if where in ("", "cpu"):
        return ""
    found = core().available_devices
    if not any(name.partition(".")[0].lower() == where for name in found):
        return f"OpenVINO finds no {where.upper()}, only {', '.join(found)}; install its driver, or use openvino:cpu"
    return ""


def build(pipe: Any, controlnets: list[Any], shapes: Shapes, options: Options) -> Units:
    """Units of graphs that are compiled, or come from the cache. Raises EngineError when a network cannot be taken."""
    started = time.perf_counter()
    device = (options.where or "cpu").upper()
    compiler = _Compiler(device, pipe.unet.dtype, EngineCache(options.folder))
    # An autoencoder may be in float32 because half precision is too small for it.
    exact = compiler if pipe.vae.dtype == pipe.unet.dtype else _Compiler(device, pipe.vae.dtype, compiler.cache)
    exported = positional_units(pipe, controlnets, shapes, float32_units(options))
    units = {name: _adapted(name, unit) for name, unit in exported.items()}
    calls = {}
    for index, (name, unit) in enumerate(units.items()):
        options.progress(f"OpenVINO: {name}", index / len(units))
        example = tuple(unit.before(*shapes.example(name)))
        by = exact if name in ("encode", "decode") else compiler
        key = by.key(name, unit, [tuple(value.shape) for value in example], shapes)
        quantiser = None
        if options.quantised:
            key = quantised_key(key, compiler.cache)
            quantiser = Quantiser(name, unit, tuple(shapes.inputs(name)), options.progress)
        calls[name] = _Graph(by.compiled(key, unit, example, options, quantiser), name, unit, example)
        calls[name](*shapes.example(name))
    options.progress("OpenVINO", 1.0)
    log.info("OpenVINO: ready after %.1f s", time.perf_counter() - started)
    return make_units(calls, shapes, "openvino", compiler.about)


@contextmanager
def _fixed(unit: nn.Module) -> Iterator[None]:
    """While its weights need no gradient, which a constant of a graph may not; then as they were."""
    learning = [weight for weight in unit.parameters() if weight.requires_grad]
    for weight in learning:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in learning:
            weight.requires_grad_(True)


class _PicturesLast(nn.Module):
    """A unit with the channels of its pictures behind everything else, which is how they lie in memory."""

    def __init__(self, unit: nn.Module, comes: bool, goes: bool) -> None:
        super().__init__()
        self.unit = unit
        self._comes = comes
        self._goes = goes

    def before(self, value: Tensor) -> list[Tensor]:
        """What the graph is given for an input of the unit."""
        return [value.movedim(-3, -1) if self._comes else value]

    def forward(self, value: Tensor) -> Tensor:
        """The unit, its pictures (..., H, W, 3)."""
        result = self.unit(value.movedim(-1, -3) if self._comes else value)
        return result.movedim(-3, -1) if self._goes else result

    def after(self, result: Tensor) -> Tensor:
        """What the unit gives for a result of the graph."""
        return result.movedim(-1, -3) if self._goes else result


def _adapted(name: str, unit: Positional) -> Any:
    if isinstance(unit.unit, Denoise):
        return TimesOutside(unit.unit, unit.names)
    return _PicturesLast(unit, comes=name in ("encode", "embed", "adapt"), goes=name == "decode")


class _Compiler:
    """From a unit to a compiled graph on one device in one precision."""

    def __init__(self, device: str, dtype: torch.dtype, cache: EngineCache) -> None:
        self._ov = runtime()
        self._core = core()
        self._device = device
        self.cache = cache
        able = self._core.get_property(device, "OPTIMIZATION_CAPABILITIES")
        self._precision = next((name for name, ability in _HALF.get(dtype, ()) if ability in able), "f32")
        self._settings: dict[str, str | int] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": self._precision,
        }
        if device == "CPU":
            self._settings["INFERENCE_NUM_THREADS"] = torch.get_num_threads()
        self._full_name = self._core.get_property(device, "FULL_DEVICE_NAME")
        self.about = ""
        self._kept: list[str] = []  # units that are not INT8, and why

    def key(self, name: str, unit: nn.Module, inputs: list[tuple[int, ...]], shapes: Shapes) -> EngineKey:
        """Everything that decides the compiled graph."""
        return EngineKey(
            unit=name,
            graph=graph_digest(unit, _MADE_BY),
            weights=weights_digest(unit),
            profile=str(inputs),
            precision=self._precision,
            library=f"openvino {self._ov.get_version()}",
            device=f"{self._device} {self._full_name}",
            controlnets=shapes.controlnets,
            flags=tuple(f"{setting}={value}" for setting, value in self._settings.items()),
        )

    def compiled(
        self,
        key: EngineKey,
        unit: nn.Module,
        example: tuple[Tensor, ...],
        options: Options,
        quantiser: Quantiser | None = None,
    ) -> Any:
        """The compiled graph of a unit, from the cache if it is there; ``quantiser`` makes it INT8 first."""
        fresh: list[Any] = []

        def make() -> EnginePlan:
            fresh.append(self._compile(key.unit, unit, example, quantiser))
            data = fresh[0].export_model()
            notes = quantiser.notes if quantiser else {}
            return EnginePlan(data.getvalue() if isinstance(data, io.BytesIO) else bytes(data), notes)

        plan = self.cache.get(key, make, options.progress)
        try:
            compiled = fresh[0] if fresh else self._core.import_model(plan.data, self._device, self._settings)
        except RuntimeError as error:
            raise EngineError(
                f"openvino: the plan {self.cache.path(key)} cannot be loaded ({first_line(error)}); "
                f"close other programs if the memory is full, else remove it, and it is built again"
            ) from error
        precision = compiled.get_property("INFERENCE_PRECISION_HINT")
        self._kept += [plan.notes["kept"]] if "kept" in plan.notes else []
        names = ["int8 in " * (quantiser is not None) + precision.get_type_name(), *self._kept]
        self.about = f"OpenVINO on {self._full_name}, {'; '.join(names)}"
        return compiled

    def _compile(
        self, name: str, unit: nn.Module, example: tuple[Tensor, ...], quantiser: Quantiser | None = None
    ) -> Any:
        started = time.perf_counter()
        try:
            with torch.no_grad(), _fixed(unit), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of tracing, about shapes that are fixed here
                # OpenVINO's own tracing makes a script of every module and traces a second time to compare: on two
                # cores that is half of what a build takes. A function's weights are constants of one graph.
                traced = torch.jit.trace(lambda *values: unit(*values), example, check_trace=False, strict=False)
                model = self._ov.convert_model(traced, example_input=example)
            model.reshape({given: list(value.shape) for given, value in zip(model.inputs, example, strict=True)})
            if quantiser is not None:
                model = quantiser(model, self._compiled)
            compiled = self._compiled(model)
        except EngineError:
            raise
        except Exception as error:
            raise EngineError(f"openvino: {name} cannot be compiled: {first_line(error)}") from error
        log.info("OpenVINO: %s compiled in %.1f s", name, time.perf_counter() - started)
        return compiled

    def _compiled(self, model: Any) -> Any:
        return self._core.compile_model(model, self._device, self._settings)


class _Graph:
    """One compiled graph, called with tensors by position; its result is overwritten by the next call."""

    def __init__(self, compiled: Any, name: str, unit: Any, example: tuple[Tensor, ...]) -> None:
        self._ov = runtime()
        self._name = name
        self._before, self._after = unit.before, unit.after
        self._shapes = [value.shape for value in example]
        self._held: list[Tensor | None] = [None] * len(example)  # what the request reads from
        self._request = compiled.create_infer_request()
        result = torch.empty(tuple(compiled.output(0).shape))
        self._request.set_output_tensor(0, self._ov.Tensor(result.numpy(), shared_memory=True))
        self._result = self._after(result)

    def __call__(self, *values: Tensor) -> Tensor:
        given = self._before(*values)
        for index, (value, shape, held) in enumerate(zip(given, self._shapes, self._held, strict=True)):
            if value.shape != shape:
                raise EngineError(
                    f"openvino: {self._name} was built for an input of {tuple(shape)}, got {tuple(value.shape)}; "
                    f"build the engine again for this shape"
                )
            if value.dtype != torch.float32 or not value.is_contiguous():
                value = torch.from_numpy(np.ascontiguousarray(value.float().numpy()))
            if held is None or held.data_ptr() != value.data_ptr():
                self._request.set_input_tensor(index, self._ov.Tensor(value.numpy(), shared_memory=True))
                self._held[index] = value
        self._request.infer()
        return self._result
