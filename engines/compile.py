"""torch.compile: each unit one compiled graph, and on CUDA each captured in a CUDA graph. CUDA is unverified here.

Kernels are compiled once for the fixed shapes of the stream, and kept in the engine cache like any other engine, so
that a second start is quicker. Inputs are copied into buffers at fixed addresses, on CUDA in the same stream: nothing
in a call waits for the GPU, and a scale or a step that changes is a copy like any other. What depends on the prompt and
the time alone is a unit of its own (``fold``), called when one of these changes in a row. On CUDA a stream records its
whole frame as one graph (``Units.record``); a unit that is called alone has a graph of its own. On a CPU it wins little
over eager; it is there for the same code to be tested everywhere.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import shutil
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..stream.base.errors import EngineError
from . import Options
from .cache import EngineCache, EngineKey
from .codecache import compiled
from .fingerprint import graph_digest
from .fold import fold, why_not
from .quantize.torchao import quantise, weights_mb
from .shapes import Shapes
from .units import Positional, Units, make_units, positional_units

log = logging.getLogger(__name__)
BACKEND = "inductor"
_MADE_BY = ("units.py", "images.py", "controls.py", "fold.py", "compile.py")
_COMPILING = threading.Lock()  # PyTorch's caches are those of the whole process
_WARM_UPS = 3  # calls on a side stream before a capture, as PyTorch's documentation asks
# Beyond max-autotune: worth it for convolutions of one pixel, which are matrix products, for small batches, and for
# INT8, whose products are scaled where they are made.
_TUNING = {"conv_1x1_as_mm": True, "coordinate_descent_tuning": True, "force_fuse_int_mm_with_mul": True}


def available(where: str = "") -> str:
    """Why it cannot run here; empty: it can."""
    if where:
        return f"it runs where the networks are; use compile, without :{where}, and set device"
    if torch.cuda.is_available():
        from torch.utils._triton import has_triton

        return "" if has_triton() else "Triton is not installed, which comes with PyTorch's CUDA builds: pytorch.org"
    return "" if _cpp_compiler() else "there is no C++ compiler: install g++ (Linux), Xcode's tools (macOS) or MSVC"


def _cpp_compiler() -> str | None:
    names = (os.environ.get("CXX"), "g++", "clang++", "cl")
    return next((path for name in names if name and (path := shutil.which(name))), None)


def build(pipe: Any, controlnets: list[Any], shapes: Shapes, options: Options) -> Units:
    """Units that are compiled, and captured on CUDA. Raises EngineError when a network cannot be compiled."""
    started = time.perf_counter()
    device = pipe.unet.device
    for module in (pipe.unet, pipe.vae, *controlnets):
        module.to(memory_format=torch.channels_last)
    recorder = Recorder(device) if device.type == "cuda" else None
    units = positional_units(pipe, controlnets, shapes)
    key = _key(units, shapes, options, device)
    about = f"torch.compile {torch.__version__} on {device}, {str(pipe.unet.dtype).removeprefix('torch.')}"
    if options.quantised:
        options.progress("quantising denoise", None)
        example = [value.to(device) for value in shapes.example("denoise")]
        about += f"; {quantise(units['denoise'], example, options.quantised)}"
    not_folded = why_not(units) if options.fold else ""
    if not_folded:
        log.info("compile: the prompt takes part in every step: %s", not_folded)
        about += f"; prompt not folded: {not_folded}"
    elif options.fold:
        units, shapes = fold(units, shapes)

    def compile_all() -> dict[str, _Compiled]:
        calls = {}
        for index, (name, unit) in enumerate(units.items()):
            options.progress(f"compiling {name}", index / len(units))
            began = time.perf_counter()
            try:
                calls[name] = _Compiled(unit, name, shapes, device, recorder)
            except Exception as error:
                log.info("compile: %s cannot be compiled", name, exc_info=True)
                raise EngineError(
                    f"compile: {name} cannot be compiled ({type(error).__name__}); set acceleration to another engine, "
                    "or see why with --debug"
                ) from error
            log.info("compile: %s in %.1f s", name, time.perf_counter() - began)
        return calls

    if _COMPILING.locked():
        options.progress("waiting for another compilation of this process", None)
    with _COMPILING:
        calls = compiled(EngineCache(options.folder), key, compile_all, options.progress)
    options.progress("compiled", 1.0)
    log.info("compile: ready after %.1f s", time.perf_counter() - started)
    made = make_units(calls, shapes, "compile", about)
    return replace(made, record=recorder, weights_mb=weights_mb(units.values()))


def _key(units: dict[str, Positional], shapes: Shapes, options: Options, device: torch.device) -> EngineKey:
    """What decides most of the code; what it does not know of, PyTorch's own keys within the cache do."""
    digests = [graph_digest(unit, _MADE_BY, (), shapes.loras) for unit in units.values()]
    model = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return EngineKey(
        unit="compiled",
        graph=hashlib.sha256("".join(digests).encode()).hexdigest(),
        weights="",  # inputs of the code
        profile=str({name: shapes.inputs(name) for name in units}),
        precision=options.quantised or str(next(iter(units["decode"].parameters())).dtype).removeprefix("torch."),
        library=f"torch {torch.__version__}",
        device=f"{device.type} {model}",
        controlnets=shapes.controlnets,
        flags=(f"fold={options.fold}", f"threads={torch.get_num_threads()}", BACKEND),
    )


class _Compiled:
    """One compiled unit with buffers for its inputs; its result is overwritten by the next call."""

    def __init__(
        self, unit: Positional, name: str, shapes: Shapes, device: torch.device, recorder: Recorder | None
    ) -> None:
        self._name, self._recorder = name, recorder
        self._alone: Callable[[], Tensor] | None = None  # its own graph, for calls outside of a larger record
        with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            examples = dict(zip(shapes.inputs(name), shapes.example(name), strict=True))
            if "folded" in examples:
                precision: Any = unit.unit.dtype
                examples["folded"] = examples["folded"].to(precision)
            self._buffers = [value.to(device) for value in examples.values()]
            settings = {"backend": BACKEND, "fullgraph": True, "dynamic": False, "options": _settings(device)}
            run = torch.compile(_with_its_own_code(unit, name), **settings)
            self._run: Callable[[], Tensor] = lambda: run(*self._buffers)
            self._run()

    def __call__(self, *values: Tensor) -> Tensor:
        # Not in inference mode, so that it is the mode that it was compiled in, whoever calls.
        with torch.inference_mode(False), torch.no_grad():
            for buffer, value in zip(self._buffers, values, strict=True):
                if buffer.shape != value.shape:
                    raise EngineError(
                        f"compile: {self._name} was built for an input of {tuple(buffer.shape)}, got "
                        f"{tuple(value.shape)}; build the engine again for this shape"
                    )
                if buffer.data_ptr() != value.data_ptr():
                    buffer.copy_(value, non_blocking=True)
            if self._recorder is None or self._recorder.recording:
                return self._run()
            if self._alone is None:
                self._alone = self._recorder(self._run)
            return self._alone()


class Recorder:
    """Records work on one GPU as CUDA graphs that share their memory; see ``Units.record``. One thread uses it."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()
        self.recording = False

    def __call__(self, run: Callable[[], Any]) -> Callable[[], Any]:
        """Run it a few times, record it, and give what plays it back."""
        self.recording = True
        try:
            return _Captured(run, self._device, self._pool).replay
        finally:
            self.recording = False


class _Captured:
    """A CUDA graph of ``run``. Other threads may use the GPU while it is captured."""

    def __init__(self, run: Callable[[], Any], device: torch.device, pool: Any) -> None:
        side = torch.cuda.Stream(device)
        side.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(side):
            for _ in range(_WARM_UPS):
                run()
        torch.cuda.current_stream(device).wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, pool=pool, capture_error_mode="thread_local"):
            self._result = run()

    def replay(self) -> Any:
        """Run it again on what is in the buffers now."""
        self._graph.replay()
        return self._result


def _with_its_own_code(unit: Positional, name: str) -> Callable[..., Tensor]:
    """A unit as a function that Dynamo takes for another one than other units: one function may have few graphs."""

    def run(*values: Tensor) -> Tensor:
        return unit(*values)

    run.__code__ = run.__code__.replace(co_name=name)
    return run


def _settings(device: torch.device) -> dict[str, Any] | None:
    if device.type != "cuda":
        return None
    from torch._inductor import list_mode_options

    return {**list_mode_options("max-autotune-no-cudagraphs"), **_TUNING}
