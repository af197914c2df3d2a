"""ONNX Runtime: one engine for many kinds of hardware, by its execution providers.

CPU is measured; CUDA, TensorRT, DirectML (Windows) and CoreML (macOS) are written against the documentation and
unverified. The provider is chosen like an engine: the fastest that this installation has for the networks' device, or
the one named, ``onnxruntime:cuda``, which never falls back. Every unit is exported to ONNX with fixed sizes and kept in
the engine cache. Inputs are read where PyTorch has them and results written where it reads them (IO binding).
"""

from __future__ import annotations

import importlib.util
import logging
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..stream.base.errors import EngineError
from . import Options
from .cache import EngineCache, EngineKey, EnginePlan
from .export import LARGEST, OPSET, export_unit, to_bytes, to_onnx
from .fingerprint import graph_digest, weights_digest
from .shapes import RESULTS, Shapes
from .units import Positional, Units, make_units, positional_units

log = logging.getLogger(__name__)
# For networks on a device, the providers that can run them, fastest first: (our name, theirs).
PROVIDERS = {
    "cuda": (("tensorrt", "TensorrtExecutionProvider"), ("cuda", "CUDAExecutionProvider")),
    "cpu": (
        ("directml", "DmlExecutionProvider"),
        ("coreml", "CoreMLExecutionProvider"),
        ("cpu", "CPUExecutionProvider"),
    ),
}
_NEEDS = {
    "tensorrt": 'pip install "onnxruntime-gpu", and TensorRT',
    "cuda": 'pip install "onnxruntime-gpu"',
    "directml": 'pip install "onnxruntime-directml", on Windows',
    "coreml": 'pip install "onnxruntime", on macOS',
    "cpu": 'pip install "onnxruntime"',
}
_ELEMENT = np.float32
_MADE_BY = ("units.py", "images.py", "controls.py", "export.py", "onnxruntime.py")


def available(where: str = "") -> str:
    """Why it cannot run with the provider ``where`` (by default: with any); empty: it can."""
    missing = [name for name in ("onnxruntime", "onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        return f"{missing[0]} is not installed: pip install {' '.join(missing)}"
    return _why_not(where) if where else ""


def _why_not(provider: str) -> str:
    import onnxruntime

    theirs = dict(pair for pairs in PROVIDERS.values() for pair in pairs)
    if provider not in theirs:
        return f"got the provider {provider!r}, expected one of: {', '.join(theirs)}"
    if theirs[provider] not in onnxruntime.get_available_providers():
        return f"this onnxruntime has no {theirs[provider]}: {_NEEDS[provider]}"
    return ""


def choose_provider(device: str, where: str = "") -> tuple[str, dict[str, str]]:
    """The provider for networks on ``device`` (cpu or cuda), by our name, and why faster ones were passed over.

    Raises EngineError when there is none, or when ``where`` names one that cannot run here.
    """
    passed_over = {}
    for name, _ in PROVIDERS[device]:
        if where in ("", name):
            why_not = _why_not(name)
            if not why_not:
                return name, passed_over
            passed_over[name] = why_not
    if where and where not in passed_over:
        expected = " or ".join(name for name, _ in PROVIDERS[device])
        raise EngineError(f"onnxruntime: got the provider {where!r} for networks on {device}, expected {expected}")
    raise EngineError(f"onnxruntime: no provider for {device}: {'; '.join(passed_over.values())}")


def build(pipe: Any, controlnets: list[Any], shapes: Shapes, options: Options) -> Units:
    """Units of ONNX Runtime sessions. Raises EngineError when a network cannot be taken."""
    started = time.perf_counter()
    device = pipe.unet.device
    provider, passed_over = choose_provider(device.type, options.where)
    # Its CPU provider has kernels for float32 only, and CoreML and DirectML convert by themselves.
    precision = pipe.unet.dtype if device.type == "cuda" else torch.float32
    sessions = _Sessions(provider, device, EngineCache(options.folder))
    calls = {}
    units = positional_units(pipe, controlnets, shapes, precision)
    for index, (name, unit) in enumerate(units.items()):
        options.progress(f"ONNX Runtime: {name}", index / len(units))
        key = _key(name, unit, shapes, precision)
        calls[name] = _Call(sessions.open(name, unit, shapes, key, options), name, shapes, device)
        calls[name](*(value.to(device) for value in shapes.example(name)))
    options.progress("ONNX Runtime", 1.0)
    about = f"ONNX Runtime on {provider}, {str(precision).removeprefix('torch.')}"
    log.info("%s: ready after %.1f s%s", about, time.perf_counter() - started, _reasons(passed_over))
    return make_units(calls, shapes, "onnxruntime", about)


def _reasons(passed_over: dict[str, str]) -> str:
    return "".join(f"; not {name}: {why}" for name, why in passed_over.items())


def _key(name: str, unit: Positional, shapes: Shapes, precision: torch.dtype) -> EngineKey:
    import onnxscript

    return EngineKey(
        unit=name,
        graph=graph_digest(unit, _MADE_BY, ("onnx", "onnxscript")),
        weights=weights_digest(unit),
        profile=str(shapes.inputs(name)),
        precision=str(precision),
        library=f"onnx opset {OPSET}, onnxscript {onnxscript.__version__}",
        device="any",
        loras=shapes.loras,
        controlnets=shapes.controlnets,
    )


class _Sessions:
    """Opens one session for each unit, on one provider."""

    def __init__(self, provider: str, device: torch.device, cache: EngineCache) -> None:
        import onnxruntime

        self._ort = onnxruntime
        self._cache = cache
        index = device.index or 0
        theirs = dict(pair for pairs in PROVIDERS.values() for pair in pairs)[provider]
        settings: dict[str, Any] = {}
        if device.type == "cuda":  # on PyTorch's own stream, so that nobody has to wait for the other
            stream = torch.cuda.current_stream(device).cuda_stream
            settings = {"device_id": str(index), "user_compute_stream": str(stream)}
        self._providers = [(theirs, settings)]
        self._options = onnxruntime.SessionOptions()
        self._options.log_severity_level = 3
        self._options.intra_op_num_threads = torch.get_num_threads()
        # Each unit's session has threads of its own; while one works, those of the others must not spin.
        self._options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if provider == "directml":  # as its documentation asks
            self._options.enable_mem_pattern = False
            self._options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL

    def open(self, name: str, unit: Positional, shapes: Shapes, key: EngineKey, options: Options) -> Any:
        """A session for a unit, from the cache if its graph is there."""
        parameters = sum(tensor.nbytes for tensor in (*unit.parameters(), *unit.buffers()))

        def make() -> EnginePlan:
            data = to_bytes(to_onnx(unit, name, shapes))
            if data is None:
                raise EngineError(f"onnxruntime: {name} is too large for one file")
            return EnginePlan(data)

        try:
            if parameters < LARGEST:
                return self._session(self._cache.get(key, make, options.progress).data)
            with tempfile.TemporaryDirectory() as folder:  # weights beside the graph, which the cache does not take
                return self._session(str(export_unit(unit, name, shapes, Path(folder) / f"{name}.onnx")))
        except EngineError:
            raise
        except Exception as error:
            raise EngineError(f"onnxruntime: {name} cannot be loaded: {type(error).__name__}: {error}"[:400]) from error

    def _session(self, model: bytes | str) -> Any:
        session = self._ort.InferenceSession(model, self._options, providers=self._providers)
        wanted = self._providers[0][0]
        if wanted not in session.get_providers():  # it falls back in silence otherwise
            raise EngineError(f"onnxruntime: {wanted} did not start; is its library complete?")
        return session


class _Call:
    """One session, called with tensors by position; its result is overwritten by the next call."""

    def __init__(self, session: Any, name: str, shapes: Shapes, device: torch.device) -> None:
        self._session = session
        self._name = name
        self._inputs = list(shapes.inputs(name).items())
        self._device = (device.type, device.index or 0)
        self._held: list[Tensor | None] = [None] * len(self._inputs)
        self._binding = session.io_binding()
        shape = tuple(session.get_outputs()[0].shape)
        self._result = torch.empty(shape, device=device)
        self._binding.bind_output(RESULTS[name], *self._device, _ELEMENT, shape, self._result.data_ptr())

    def __call__(self, *values: Tensor) -> Tensor:
        for index, (value, (name, shape)) in enumerate(zip(values, self._inputs, strict=True)):
            if tuple(value.shape) != shape:
                raise EngineError(
                    f"onnxruntime: {self._name} was built for {name} {shape}, got {tuple(value.shape)}; build the "
                    f"engine again for this shape"
                )
            value = value.float().contiguous()
            held = self._held[index]
            if held is None or held.data_ptr() != value.data_ptr():
                self._binding.bind_input(name, *self._device, _ELEMENT, shape, value.data_ptr())
                self._held[index] = value
        self._session.run_with_iobinding(self._binding)
        return self._result
